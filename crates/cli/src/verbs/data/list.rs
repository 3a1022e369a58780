//! `percept data list`: the image sets that have a name.

use crate::failure::Failure;
use crate::number::grouped;
use crate::output;
use crate::text_table::{self, Side};
use clap::Args;
use percept::data::named::{Cache, NamedSet};
use serde_json::json;
use std::fmt::Write;

const EXAMPLES: &str = "\
Examples:
  percept data list
  percept data list --json    with addresses, checksums, names of the classes and folders";

/// List the image sets that have a name: size, licence, what to cite, whether they are here
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct List {
    /// Print JSON, with everything that is known
    #[arg(long)]
    json: bool,
}

/// Where a set is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Inside,
    Here,
    Elsewhere,
}

impl Place {
    pub(super) fn of(set: &NamedSet, cache: Option<&Cache>) -> Self {
        match set.name {
            "mnist" => Self::Inside,
            _ if cache.is_some_and(|cache| cache.has(set)) => Self::Here,
            _ => Self::Elsewhere,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Inside => "inside",
            Self::Here => "yes",
            Self::Elsewhere => "no",
        }
    }
}

pub(super) fn run(arguments: &List) -> Result<(), Failure> {
    // Without a place for fetched sets none is here.
    let cache = Cache::from_environment().ok();
    match arguments.json {
        true => {
            let sets: Vec<_> =
                NamedSet::all().iter().map(|set| value(set, cache.as_ref())).collect();
            output::print_json(&json!(sets))
        }
        false => output::print(&text(cache.as_ref())),
    }
}

fn value(set: &NamedSet, cache: Option<&Cache>) -> serde_json::Value {
    let [train, validation, test] = set.images;
    let place = Place::of(set, cache);
    let files = set.files.iter().map(|file| {
        let (bytes, md5, sha256) = (file.bytes, file.md5, file.sha256);
        json!({ "name": file.name, "bytes": bytes, "md5": md5, "sha256": sha256 })
    });
    json!({
        "name": set.name,
        "title": set.title,
        "about": set.about,
        "height": set.shape.height,
        "width": set.shape.width,
        "channels": set.shape.channels,
        "images": { "train": train, "validation": validation, "test": test },
        "classes": set.classes,
        "class_names": set.class_names,
        "licence": set.licence,
        "citation": set.citation,
        "places": set.places,
        "files": files.collect::<Vec<_>>(),
        "here": place != Place::Elsewhere,
        "inside_the_program": place == Place::Inside,
        "folder": cache.map(|cache| cache.folder(set).display().to_string()),
    })
}

fn text(cache: Option<&Cache>) -> String {
    let mut rows = vec![
        ["name", "images", "size", "classes", "download", "here", "licence"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for set in NamedSet::all() {
        let images: u64 = set.images.iter().map(|&count| u64::from(count)).sum();
        let download = match set.download_bytes() {
            Some(bytes) => format!("{:.1} MB", bytes as f64 / 1e6),
            None => "?".into(),
        };
        rows.push(vec![
            set.name.into(),
            grouped(images),
            set.shape.to_string(),
            set.classes.to_string(),
            download,
            Place::of(set, cache).word().into(),
            set.licence.into(),
        ]);
    }
    let sides =
        [Side::Left, Side::Right, Side::Right, Side::Right, Side::Right, Side::Left, Side::Left];
    let mut text = text_table::text(&sides, &rows);
    text.push_str("\nWhat they show, and what to cite:\n");
    for (at, set) in NamedSet::all().iter().enumerate() {
        let _ = writeln!(text, "  {}: {}, {}", set.name, set.title, set.about);
        let next = NamedSet::all().get(at + 1);
        if next.is_none_or(|next| next.citation != set.citation) {
            let _ = writeln!(text, "    {}", set.citation);
        }
    }
    text.push_str("\n`percept data fetch NAME` gets one; then `--data NAME` uses it.\n");
    text
}
