//! `percept data check`: what a person should know of a data set before training.

use crate::failure::{Exit, Failure};
use crate::number::grouped;
use crate::progress::data_watcher;
use crate::reading::FormatSettings;
use crate::text_table::{self, Side};
use crate::{output, safe_text};
use clap::Args;
use percept::data::check::{self, ClassSheet, Counted, Example, Findings};
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
channel without its mean, correlate by at least 0.96; more in a set whose pictures are all alike. A picture that was saved
again, made smaller, brightened, tinted or moved a little is found; one that was turned or mirrored is not; two pictures
of the same scene may be taken for one.";

/// Look at every picture once: unreadable files, duplicates, small classes, empty pictures
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Check {
    /// The data set: a folder, a file, or the name of a set that was fetched (`percept data list`)
    data: String,
    #[command(flatten)]
    format: FormatSettings,
    /// Draw up to 100 pictures of each class into this folder, a PNG a class
    #[arg(long, value_name = "DIR")]
    sheets: Option<PathBuf>,
    /// End with exit code 3 if anything is wrong
    #[arg(long)]
    strict: bool,
    /// Threads at work; 0 means one per processor
    #[arg(long, default_value_t = 0, value_name = "N", hide_default_value = true)]
    threads: usize,
    /// Print JSON, with everything that was found
    #[arg(long)]
    json: bool,
}

/// Pictures of a class on a sheet.
const ON_A_SHEET: usize = 100;
/// How many of each kind are listed for people.
const LISTED: usize = 10;

pub(super) fn run(arguments: &Check) -> Result<(), Failure> {
    if arguments.data == "mnist" && !Path::new("mnist").exists() {
        return Err(Failure::usage("the digits inside the program need no check")
            .hint("name a folder or a file with a data set"));
    }
    let watcher = Some(data_watcher(None, false));
    let decoding = Decoding { threads: arguments.threads, watcher, cache: None };
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
        true => Err(Failure::data(format!("{} kinds of problems were found", problems.len()))
            .hint("see above; without --strict this is no error")),
        false => Ok(()),
    }
}

/// Something that may be wrong, with what it is about.
struct Problem {
    summary: String,
    examples: Vec<String>,
}

fn problems(findings: &Findings) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut add = |count: usize, words: &str, examples: Vec<String>| {
        if count > 0 {
            let summary = format!("{} {words}", grouped(count as u64));
            problems.push(Problem { summary, examples });
        }
    };
    let named =
        |example: &Example| format!("{} ({}, {})", example.name, example.part, example.class);
    let all = |examples: &[Example]| examples.iter().map(named).collect();
    let unreadable = &findings.unreadable;
    let reasons = unreadable.iter().map(|skipped| format!("{}: {}", skipped.file, skipped.reason));
    add(unreadable.len(), "files cannot be read; training leaves them out", reasons.collect());
    add(
        findings.leaks,
        "pictures outside the first part are in an earlier part too, the same or nearly: the result there will be flattered",
        Vec::new(),
    );
    add(
        findings.contradictions,
        "groups of the same or nearly the same pictures have different classes",
        Vec::new(),
    );
    let together = |group: &Vec<Example>| group.iter().map(named).collect::<Vec<_>>().join(" = ");
    add(
        findings.same.len(),
        "groups of the same pictures",
        findings.same.iter().map(together).collect(),
    );
    let pair = |pair: &check::Pair| format!("{} ~ {}", named(&pair.a), named(&pair.b));
    add(
        findings.nearly_same.len(),
        "pairs of nearly the same pictures",
        findings.nearly_same.iter().map(pair).collect(),
    );
    let few = findings.few();
    let class = |class: &Counted| format!("{} ({})", class.name, class.count);
    add(
        few.len(),
        "classes have fewer than 20 pictures to learn from",
        few.iter().map(class).collect(),
    );
    add(findings.blank.len(), "pictures are nearly blank", all(&findings.blank));
    add(findings.dark.len(), "pictures are very dark", all(&findings.dark));
    if let Some(ratio) = findings.imbalance() {
        let summary =
            format!("the largest class has {ratio:.1} times as many pictures as the smallest");
        problems.push(Problem { summary, examples: Vec::new() });
    }
    problems
}

fn text(arguments: &Check, findings: &Findings, notes: &[String], problems: &[Problem]) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<10}{}", safe_text::one_line(value));
    };
    line("data", &arguments.data);
    notes.iter().for_each(|note| line("", note));
    line("sizes", &counted(&findings.sizes));
    line("formats", &counted(&findings.formats));
    line("pixels", &counted(&findings.modes));
    if findings.turned > 0 {
        line("turned", &format!("{} by their EXIF data; they are read upright", findings.turned));
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
    text
}

/// The most frequent, with their numbers.
fn counted(all: &[Counted]) -> String {
    const SHOWN: usize = 4;
    let one = |counted: &Counted| format!("{} ({})", counted.name, grouped(counted.count as u64));
    let mut shown: Vec<String> = all.iter().take(SHOWN).map(one).collect();
    if all.len() > SHOWN {
        shown.push(format!("{} others", all.len() - SHOWN));
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
