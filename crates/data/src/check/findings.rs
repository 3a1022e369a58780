//! What was found, as a value.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

use super::Part;
use super::duplicates::{self, CONTRAST, Near};
use super::look::Look;
use crate::Skipped;

/// A class with fewer training images is one with few.
pub(super) const FEW: usize = 20;
/// Classes whose sizes differ by more than this factor are unbalanced.
const UNBALANCED: f64 = 3.0;
/// A picture is very dark when 99 % of its pixels are darker than this.
const DARK: u8 = 64;

/// What was found in a data set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Findings {
    /// Name of each class.
    pub class_names: Vec<String>,
    /// The parts: training, validation, test.
    pub parts: Vec<PartFindings>,
    /// Files that cannot be read.
    pub unreadable: Vec<Skipped>,
    /// Sizes (height x width), the most frequent first.
    pub sizes: Vec<Counted>,
    /// File formats.
    pub formats: Vec<Counted>,
    /// Kinds of pixels.
    pub modes: Vec<Counted>,
    /// Pictures that their EXIF data turn or mirror.
    pub turned: usize,
    /// Which these are.
    pub turned_files: Vec<Example>,
    /// Groups of pictures that are the same; those that are in several parts come first.
    pub same: Vec<Vec<Example>>,
    /// Pairs of pictures that are nearly the same; those that are in two parts come first.
    pub nearly_same: Vec<Pair>,
    /// Further pairs that look alike, but no more than pictures of this set do as a rule: these are none of the findings.
    pub ordinarily_alike: usize,
    /// Pictures that are in more than one part: the same or nearly. What is learned from one is measured on the other.
    pub leaks: usize,
    /// Each of these, with one that it is the same as, or nearly, in an earlier part.
    pub leaked: Vec<Leak>,
    /// Groups or pairs whose pictures have different classes.
    pub contradictions: usize,
    /// Which these are.
    pub contradicting: Vec<Vec<Example>>,
    /// Classes with few pictures to learn from, with their number.
    pub few: Vec<Counted>,
    /// How many times as many pictures to learn from the largest class has as the smallest, where that is much.
    pub imbalance: Option<f64>,
    /// Pictures on which there is next to nothing to see.
    pub blank: Vec<Example>,
    /// Pictures that are very dark.
    pub dark: Vec<Example>,
}

/// A part of the data set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PartFindings {
    /// Its name.
    pub name: &'static str,
    /// Pictures that can be read.
    pub images: usize,
    /// Pictures of each class.
    pub class_counts: Vec<usize>,
}

/// A picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Example {
    /// Its file, or its place.
    pub name: String,
    /// Its part.
    pub part: &'static str,
    /// Its class.
    pub class: String,
}

/// Two pictures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pair {
    /// One.
    pub a: Example,
    /// The other.
    pub b: Example,
}

/// A picture that is in an earlier part as well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Leak {
    /// The picture.
    pub leaked: Example,
    /// The one in the earlier part.
    pub from: Example,
    /// Whether the two are the same, not only nearly.
    pub same: bool,
}

/// Something and how often it occurs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// What.
    pub name: String,
    /// How often.
    pub count: usize,
}

/// All pictures of all parts, in one list.
struct All<'a> {
    looks: Vec<&'a Look>,
    names: Vec<(&'a str, &'static str)>,
    class_names: &'a [String],
}

impl All<'_> {
    fn example(&self, at: usize) -> Example {
        let (name, part) = self.names[at];
        let class =
            self.class_names.get(self.looks[at].label as usize).cloned().unwrap_or_default();
        Example { name: name.to_owned(), part, class }
    }

    fn group(&self, group: &[usize]) -> Vec<Example> {
        group.iter().map(|&at| self.example(at)).collect()
    }

    fn in_several_parts(&self, group: &[usize]) -> bool {
        group.iter().any(|&at| self.names[at].1 != self.names[group[0]].1)
    }

    fn contradicts(&self, group: &[usize]) -> bool {
        group.iter().any(|&at| self.looks[at].label != self.looks[group[0]].label)
    }

    fn those(&self, is: impl Fn(&Look) -> bool) -> Vec<Example> {
        let found = (0..self.looks.len()).filter(|&at| is(self.looks[at]));
        found.map(|at| self.example(at)).collect()
    }

    fn counted(&self, what: impl Fn(&Look) -> String) -> Vec<Counted> {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        self.looks.iter().for_each(|look| *counts.entry(what(look)).or_default() += 1);
        let mut counts: Vec<Counted> =
            counts.into_iter().map(|(name, count)| Counted { name, count }).collect();
        counts.sort_by_key(|counted| std::cmp::Reverse(counted.count));
        counts
    }
}

impl Findings {
    pub(super) fn new(parts: &[Part], class_names: Vec<String>, threads: usize) -> Self {
        let looks = parts.iter().flat_map(|part| &part.looks).collect();
        let names =
            parts.iter().flat_map(|part| part.names.iter().map(|name| (name.as_str(), part.name)));
        let all = All { looks, names: names.collect(), class_names: &class_names };
        let mut same = duplicates::exact(&all.looks);
        let Near { pairs, ordinary } = duplicates::near(&all.looks, &same, threads);
        let mut near: Vec<Vec<usize>> = pairs.into_iter().map(|(a, b)| vec![a, b]).collect();
        same.sort_by_key(|group| !all.in_several_parts(group));
        near.sort_by_key(|pair| !all.in_several_parts(pair));
        let leaked = leaks(&all, &same, &near);
        let contradicting = same.iter().chain(&near).filter(|group| all.contradicts(group));
        let contradicting: Vec<_> = contradicting.map(|group| all.group(group)).collect();
        let parts_found: Vec<PartFindings> =
            parts.iter().map(|part| PartFindings::of(part, class_names.len())).collect();
        let counts = parts_found.first().map_or(&[][..], |part| &part.class_counts);
        let pair = |pair: &Vec<usize>| Pair { a: all.example(pair[0]), b: all.example(pair[1]) };
        let turned_files = all.those(|look| look.turned);
        Self {
            unreadable: parts.iter().flat_map(|part| part.unreadable.clone()).collect(),
            sizes: all.counted(|look| format!("{}x{}", look.height, look.width)),
            formats: all.counted(|look| look.format.to_owned()),
            modes: all.counted(|look| look.mode.to_owned()),
            turned: turned_files.len(),
            turned_files,
            same: same.iter().map(|group| all.group(group)).collect(),
            nearly_same: near.iter().map(pair).collect(),
            ordinarily_alike: ordinary,
            leaks: leaked.len(),
            leaked,
            contradictions: contradicting.len(),
            contradicting,
            few: few(&class_names, counts),
            imbalance: imbalance(counts),
            blank: all.those(|look| look.bright - look.dark < CONTRAST),
            dark: all.those(|look| look.bright < DARK && look.bright - look.dark >= CONTRAST),
            parts: parts_found,
            class_names,
        }
    }
}

/// Classes with few images, with their number.
fn few(names: &[String], counts: &[usize]) -> Vec<Counted> {
    let few = names.iter().zip(counts).filter(|(_, count)| **count < FEW);
    few.map(|(name, count)| Counted { name: name.clone(), count: *count }).collect()
}

/// See [`Findings::imbalance`].
pub(super) fn imbalance(counts: &[usize]) -> Option<f64> {
    let (most, least) = (counts.iter().max()?, counts.iter().min()?);
    let ratio = *most as f64 / (*least).max(1) as f64;
    (ratio > UNBALANCED).then_some(ratio)
}

/// The pictures that are in an earlier part as well, each once.
fn leaks(all: &All<'_>, same: &[Vec<usize>], near: &[Vec<usize>]) -> Vec<Leak> {
    let mut seen = HashSet::new();
    let mut leaks = Vec::new();
    let groups = same.iter().map(|group| (group, true));
    for (group, same) in groups.chain(near.iter().map(|pair| (pair, false))) {
        // Indices ascend with the parts: the first is in the earliest.
        let from = group[0];
        let elsewhere = group.iter().filter(|&&at| all.names[at].1 != all.names[from].1);
        let new = elsewhere.filter(|&&at| seen.insert(at));
        leaks.extend(new.map(|&at| Leak {
            leaked: all.example(at),
            from: all.example(from),
            same,
        }));
    }
    leaks
}

impl PartFindings {
    fn of(part: &Part, classes: usize) -> Self {
        let mut class_counts = vec![0; classes];
        part.looks.iter().for_each(|look| class_counts[look.label as usize] += 1);
        Self { name: part.name, images: part.looks.len(), class_counts }
    }
}
