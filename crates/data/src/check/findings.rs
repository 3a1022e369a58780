//! What was found, as a value.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

use super::Part;
use super::duplicates::{self, CONTRAST};
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
    /// Sizes (width x height), the most frequent first.
    pub sizes: Vec<Counted>,
    /// File formats.
    pub formats: Vec<Counted>,
    /// Kinds of pixels.
    pub modes: Vec<Counted>,
    /// Pictures that their EXIF data turn or mirror.
    pub turned: usize,
    /// Groups of pictures that are the same.
    pub same: Vec<Vec<Example>>,
    /// Pairs of pictures that are nearly the same.
    pub nearly_same: Vec<Pair>,
    /// Pictures that are in more than one part: the same or nearly. What is learned from one is measured on the other.
    pub leaks: usize,
    /// Groups or pairs whose pictures have different classes.
    pub contradictions: usize,
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
    pub(super) fn new(parts: &[Part], class_names: Vec<String>) -> Self {
        let looks = parts.iter().flat_map(|part| &part.looks).collect();
        let names =
            parts.iter().flat_map(|part| part.names.iter().map(|name| (name.as_str(), part.name)));
        let all = All { looks, names: names.collect(), class_names: &class_names };
        let same = duplicates::exact(&all.looks);
        let near = duplicates::near(&all.looks, &same);
        let groups = || same.iter().cloned().chain(near.iter().map(|&(a, b)| vec![a, b]));
        let contradicts = |group: &Vec<usize>| {
            group.iter().any(|&at| all.looks[at].label != all.looks[group[0]].label)
        };
        Self {
            parts: parts.iter().map(|part| PartFindings::of(part, class_names.len())).collect(),
            unreadable: parts.iter().flat_map(|part| part.unreadable.clone()).collect(),
            sizes: all.counted(|look| format!("{}x{}", look.width, look.height)),
            formats: all.counted(|look| look.format.to_owned()),
            modes: all.counted(|look| look.mode.to_owned()),
            turned: all.looks.iter().filter(|look| look.turned).count(),
            same: same
                .iter()
                .map(|group| group.iter().map(|&at| all.example(at)).collect())
                .collect(),
            nearly_same: near
                .iter()
                .map(|&(a, b)| Pair { a: all.example(a), b: all.example(b) })
                .collect(),
            leaks: leaks(groups(), &all),
            contradictions: groups().filter(contradicts).count(),
            blank: all.those(|look| look.bright - look.dark < CONTRAST),
            dark: all.those(|look| look.bright < DARK && look.bright - look.dark >= CONTRAST),
            class_names,
        }
    }

    /// Classes with few training images, with their number.
    #[must_use]
    pub fn few(&self) -> Vec<Counted> {
        let Some(part) = self.parts.first() else { return Vec::new() };
        let classes = self.class_names.iter().zip(&part.class_counts);
        let few = classes.filter(|(_, count)| **count < FEW);
        few.map(|(name, count)| Counted { name: name.clone(), count: *count }).collect()
    }

    /// How many times as many images the largest class has as the smallest, where that is much.
    #[must_use]
    pub fn imbalance(&self) -> Option<f64> {
        imbalance(&self.parts.first()?.class_counts)
    }
}

/// See [`Findings::imbalance`].
pub(super) fn imbalance(counts: &[usize]) -> Option<f64> {
    let (most, least) = (counts.iter().max()?, counts.iter().min()?);
    let ratio = *most as f64 / (*least).max(1) as f64;
    (ratio > UNBALANCED).then_some(ratio)
}

/// The number of pictures outside the first part that are in an earlier part as well.
fn leaks(groups: impl Iterator<Item = Vec<usize>>, all: &All<'_>) -> usize {
    let mut leaked = HashSet::new();
    for group in groups {
        // Indices ascend with the parts: the first is in the earliest.
        let first = group.iter().copied().min().map(|at| all.names[at].1);
        leaked.extend(group.into_iter().filter(|&at| Some(all.names[at].1) != first));
    }
    leaked.len()
}

impl PartFindings {
    fn of(part: &Part, classes: usize) -> Self {
        let mut class_counts = vec![0; classes];
        part.looks.iter().for_each(|look| class_counts[look.label as usize] += 1);
        Self { name: part.name, images: part.looks.len(), class_counts }
    }
}
