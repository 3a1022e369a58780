//! `percept data check`: what a person should know of a data set before training.

use crate::caching::CacheSettings;
use crate::failure::{Exit, Failure};
use crate::number::grouped;
use crate::progress::data_watcher;
use crate::reading::FormatSettings;
use crate::text_table::{self, Side};
use crate::{output, safe_text};
use clap::Args;
use percept::data::check::{self, ClassSheet, Counted, Example, Findings, Leak, Pair};
use percept::data::{Decoding, named, sources};
use serde_json::json;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  percept data check pets/                     pets/<class>/*.jpg, or pets/train/<class>/*.jpg and so on
  percept data check pets/ --sheets sheets/    and draw pictures of each class
  percept data check labels.csv --strict       end with exit code 3 if anything is wrong

Near duplicates: pictures whose difference hashes (dHash, 64 bits) differ in at most 7 bits, and whose 12x12 copies, each
channel without its mean, correlate by at least 0.96; by more in a set whose pictures are all alike. In trials, of pictures
that were made half as large, doubled, saved again as JPEG of quality 30, brightened or tinted, 79 to 100 of 100
were found; of dimmed ones half or more. One that was turned or mirrored is not found, and hardly ever one that was moved
by more than a hundredth of its side; two pictures of the same scene may be taken for one.

Nothing is kept in the cache: pixels of IDX, NPZ and CIFAR files that are more than 64 MiB lie in its folder while they are
looked at.";

/// Look at every picture once: unreadable files, duplicates, small classes, empty pictures
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Check {
    /// The data set: a folder, a file, or the name of a set that was fetched (`percept data list`)
    data: String,
    #[command(flatten)]
    format: FormatSettings,
    #[command(flatten)]
    cache: CacheSettings,
    /// Draw up to 100 pictures of each class into this folder, a PNG a class: those to learn from, or the test pictures
    /// where there are no others
    #[arg(long, value_name = "DIR")]
    sheets: Option<PathBuf>,
    /// End with exit code 3 if anything is wrong
    #[arg(long)]
    strict: bool,
    /// Threads at work; 0 means one per processor
    #[arg(long, default_value_t = 0, value_name = "N", hide_default_value = true, value_parser = crate::threads::parse)]
    threads: usize,
    /// Print JSON, with everything that was found
    #[arg(long)]
    json: bool,
}

/// Pictures of a class on a sheet.
const ON_A_SHEET: usize = 100;
/// How many of each kind are listed for people, and how many pictures of a group.
const LISTED: usize = 10;
const LISTED_OF_A_GROUP: usize = 5;

pub(super) fn run(arguments: &Check) -> Result<(), Failure> {
    if arguments.data == "mnist" && !Path::new("mnist").exists() {
        return Err(Failure::usage("the digits inside the program need no check")
            .hint("name a folder or a file with a data set"));
    }
    let watcher = Some(data_watcher(None, false));
    let cache = arguments.cache.cache()?;
    let decoding = Decoding { threads: arguments.threads, watcher, cache };
    let place = named::locate(&arguments.data)?;
    let source = sources::recognise_with(&place, &arguments.format.reading(), &decoding)?;
    let findings = check::examine(&source, &decoding)?;
    if let Some(folder) = &arguments.sheets {
        let sheets = check::class_sheets(&source, ON_A_SHEET, &decoding)?;
        write_sheets(folder, &sheets)?;
    }
    let problems = problems(&findings);
    if arguments.json {
        let mut value = json!(findings);
        value["format"] = source.format().name().into();
        value["notes"] = source.notes().into();
        value["problems"] = problems.iter().map(|problem| problem.summary.clone()).collect();
        output::print_json(&value)?;
    } else {
        output::print(&text(arguments, &findings, source.notes(), &problems))?;
    }
    match arguments.strict && !problems.is_empty() {
        true => Err(Failure::data(kinds_of_problems(problems.len()))
            .hint("see above; without --strict this is no error")),
        false => Ok(()),
    }
}

fn kinds_of_problems(count: usize) -> String {
    let words =
        if count == 1 { "kind of problem was found" } else { "kinds of problems were found" };
    format!("{count} {words}")
}

/// Something that may be wrong, with what it is about.
struct Problem {
    summary: String,
    examples: Vec<String>,
}

impl Problem {
    /// A problem with these examples, in the words for one of them or for several; none without examples.
    fn of(examples: Vec<String>, one: &str, several: &str) -> Option<Self> {
        let count = examples.len();
        let words = if count == 1 { one } else { several };
        let summary = format!("{} {words}", grouped(count as u64));
        (count > 0).then_some(Self { summary, examples })
    }
}

fn problems(findings: &Findings) -> Vec<Problem> {
    let unreadable = findings.unreadable.iter();
    let unreadable = unreadable.map(|skipped| format!("{}: {}", skipped.file, skipped.reason));
    let mut problems = vec![Problem::of(
        unreadable.collect(),
        "file cannot be read; training leaves it out",
        "files cannot be read; training leaves them out",
    )];
    problems.extend(duplicates(findings));
    problems.push(Problem::of(
        findings.few.iter().map(|class| format!("{} ({})", class.name, class.count)).collect(),
        "class has fewer than 20 pictures to learn from",
        "classes have fewer than 20 pictures to learn from",
    ));
    let all = |examples: &[Example]| examples.iter().map(named).collect();
    problems.extend([
        Problem::of(all(&findings.blank), "picture is nearly blank", "pictures are nearly blank"),
        Problem::of(all(&findings.dark), "picture is very dark", "pictures are very dark"),
        findings.imbalance.map(imbalance),
    ]);
    problems.into_iter().flatten().collect()
}

/// What is there more than once.
fn duplicates(findings: &Findings) -> [Option<Problem>; 4] {
    let groups = |groups: &[Vec<Example>]| groups.iter().map(|group| together(group)).collect();
    [
        Problem::of(
            findings.leaked.iter().map(leak).collect(),
            "picture outside the first part is in an earlier part too, the same or nearly: the result there will be flattered",
            "pictures outside the first part are in an earlier part too, the same or nearly: the result there will be flattered",
        ),
        Problem::of(
            groups(&findings.contradicting),
            "group of the same or nearly the same pictures has different classes",
            "groups of the same or nearly the same pictures have different classes",
        ),
        Problem::of(
            groups(&findings.same),
            "group of the same pictures",
            "groups of the same pictures",
        ),
        Problem::of(
            findings.nearly_same.iter().map(pair).collect(),
            "pair of nearly the same pictures",
            "pairs of nearly the same pictures",
        ),
    ]
}

fn imbalance(ratio: f64) -> Problem {
    let summary =
        format!("the largest class has {ratio:.1} times as many pictures as the smallest");
    Problem { summary, examples: Vec::new() }
}

fn named(example: &Example) -> String {
    format!("{} ({}, {})", example.name, example.part, example.class)
}

fn leak(leak: &Leak) -> String {
    let sign = if leak.same { '=' } else { '~' };
    format!("{} {sign} {}", named(&leak.leaked), named(&leak.from))
}

fn pair(pair: &Pair) -> String {
    format!("{} ~ {}", named(&pair.a), named(&pair.b))
}

/// The first pictures of a group, one of each part and class before further ones of the same.
fn together(group: &[Example]) -> String {
    let (mut first, mut further): (Vec<&Example>, Vec<&Example>) = (Vec::new(), Vec::new());
    for example in group {
        let known =
            first.iter().any(|seen| (seen.part, &seen.class) == (example.part, &example.class));
        if known { further.push(example) } else { first.push(example) }
    }
    first.append(&mut further);
    let shown = first.iter().take(LISTED_OF_A_GROUP).map(|example| named(example));
    let mut text = shown.collect::<Vec<_>>().join(" = ");
    if group.len() > LISTED_OF_A_GROUP {
        let more = grouped((group.len() - LISTED_OF_A_GROUP) as u64);
        let _ = write!(text, " and {more} more");
    }
    text
}

fn text(arguments: &Check, findings: &Findings, notes: &[String], problems: &[Problem]) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<10}{}", safe_text::one_line(value));
    };
    line("data", &arguments.data);
    notes.iter().for_each(|note| line("", note));
    line("sizes", &format!("{}, height x width", counted(&findings.sizes)));
    line("formats", &counted(&findings.formats));
    line("pixels", &counted(&findings.modes));
    if findings.turned > 0 {
        line("turned", &turned(findings.turned));
    }
    let _ = writeln!(text, "\n{}", parts(findings));
    if problems.is_empty() {
        text.push_str("Nothing stands out.\n");
    }
    for problem in problems {
        let _ = writeln!(text, "{}", safe_text::one_line(&problem.summary));
        for example in problem.examples.iter().take(LISTED) {
            let _ = writeln!(text, "  {}", safe_text::one_line(example));
        }
        if problem.examples.len() > LISTED {
            let more = problem.examples.len() - LISTED;
            let _ = writeln!(text, "  ... and {} more (--json lists all)", grouped(more as u64));
        }
    }
    text.push_str(&ordinarily_alike(findings.ordinarily_alike));
    text
}

fn turned(count: usize) -> String {
    let read = if count == 1 { "it is read" } else { "they are read" };
    format!("{} by EXIF data; {read} upright", grouped(count as u64))
}

/// What looks alike and is no finding; nothing where there is nothing of it.
fn ordinarily_alike(pairs: usize) -> String {
    let words = match pairs {
        0 => return String::new(),
        1 => "1 other pair looks".to_owned(),
        _ => format!("{} other pairs look", grouped(pairs as u64)),
    };
    format!(
        "{words} alike, but no more than pictures of this set do as a rule; not counted as nearly the same\n"
    )
}

/// The most frequent, with their numbers.
fn counted(all: &[Counted]) -> String {
    const SHOWN: usize = 4;
    let one = |counted: &Counted| format!("{} ({})", counted.name, grouped(counted.count as u64));
    let mut shown: Vec<String> = all.iter().take(SHOWN).map(one).collect();
    if all.len() > SHOWN {
        let others = all.len() - SHOWN;
        shown.push(format!("{others} other{}", if others == 1 { "" } else { "s" }));
    }
    shown.join(", ")
}

/// A table of the classes' sizes in each part; of many classes, the smallest and the largest.
fn parts(findings: &Findings) -> String {
    const MOST_CLASSES: usize = 30;
    let mut head = vec!["class".to_owned()];
    head.extend(findings.parts.iter().map(|part| part.name.to_owned()));
    let mut rows = vec![head];
    let row = |name: String, count: &dyn Fn(&check::PartFindings) -> usize| {
        let counts = findings.parts.iter().map(|part| grouped(count(part) as u64));
        std::iter::once(name).chain(counts).collect::<Vec<_>>()
    };
    let classes = &findings.class_names;
    if classes.len() <= MOST_CLASSES {
        for (at, name) in classes.iter().enumerate() {
            rows.push(row(safe_text::one_line(name), &|part| part.class_counts[at]));
        }
    } else {
        let count =
            |part: &check::PartFindings, rank: fn(&[usize]) -> usize| rank(&part.class_counts);
        let smallest = |counts: &[usize]| counts.iter().copied().min().unwrap_or(0);
        let largest = |counts: &[usize]| counts.iter().copied().max().unwrap_or(0);
        rows.push(row("smallest".into(), &|part| count(part, smallest)));
        rows.push(row("largest".into(), &|part| count(part, largest)));
    }
    rows.push(row(format!("all {}", classes.len()), &|part| part.images));
    let sides: Vec<Side> =
        std::iter::once(Side::Left).chain(findings.parts.iter().map(|_| Side::Right)).collect();
    text_table::text(&sides, &rows)
}

fn write_sheets(folder: &Path, sheets: &[ClassSheet]) -> Result<(), Failure> {
    fs::create_dir_all(folder).map_err(|cause| {
        Failure::of(Exit::Output, &cause).about(&format!("cannot make {}", folder.display()))
    })?;
    for (at, sheet) in sheets.iter().enumerate() {
        let path = folder.join(format!("{at:04}-{}.png", file_name(&sheet.class)));
        output::write_png(&path, &sheet.picture.clone().into())?;
    }
    Ok(())
}

/// A class's name as part of a file name.
fn file_name(class: &str) -> String {
    let safe = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_') { c } else { '-' };
    class.chars().take(60).map(safe).collect()
}
