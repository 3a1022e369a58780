//! Tar shards in the convention of WebDataset: the files of an example lie together and share their name up to the first dot,
//! `00001.jpg` with `00001.cls`. A `.cls` file holds the class as text, a number or a name.
//!
//! Shards are never unpacked: listing reads the headers and the labels, decoding reads each picture where it lies. The part
//! is told by a word of the shard's name: `train-000.tar`, `imagenet-val-000.tar`, `test-000.tar`; without such a word it is training.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tar::Archive;

use super::class_names::check_known;
use super::listing::{Entry, Listing, Part, Pictures, Place};
use super::{Contents, Format, has_ending, is_picture_name};
use crate::{Error, Skipped};

/// What shards' names end with.
pub(super) const ENDINGS: [&str; 1] = ["tar"];
/// The longest label that is read, in bytes.
const LONGEST_LABEL: u64 = 1024;

/// Lists the pictures of the shards in a folder; `None` when it holds none.
pub(super) fn list_folder(contents: &Contents) -> Result<Option<Listing>, Error> {
    let shards = contents.files.iter().filter(|name| has_ending(name, &ENDINGS));
    let shards: Vec<PathBuf> = shards.map(|name| contents.path.join(name)).collect();
    match shards.is_empty() {
        true => Ok(None),
        false => list(&contents.path, &shards).map(Some),
    }
}

/// Lists the pictures of shards.
pub(super) fn list(path: &Path, shards: &[PathBuf]) -> Result<Listing, Error> {
    let mut parts: BTreeMap<Part, Vec<Sample>> = BTreeMap::new();
    for shard in shards {
        parts.entry(part_of(shard)).or_default().extend(read(shard)?);
    }
    let first = parts.values().next().map(Vec::as_slice).unwrap_or_default();
    let names: BTreeSet<&str> = first.iter().filter_map(|sample| sample.label.as_deref()).collect();
    let class_names: Vec<String> = names.into_iter().map(str::to_owned).collect();
    let mut of = |part| -> Result<Option<Pictures>, Error> {
        parts.remove(&part).map(|samples| pictures(path, samples, &class_names)).transpose()
    };
    let (train, validation, test) = (of(Part::Train)?, of(Part::Validation)?, of(Part::Test)?);
    let notes = vec![format!("{} tar shards, read where they are", shards.len())];
    Listing::new(Format::Shards, path, class_names, [train, validation, test], notes)
}

/// The part that the first word of a shard's name stands for that stands for one.
pub(super) fn part_of(shard: &Path) -> Part {
    let name = shard.file_stem().unwrap_or_default().to_string_lossy();
    name.split(|c: char| !c.is_alphabetic()).find_map(Part::named).unwrap_or(Part::Train)
}

/// The files of one example, as far as they matter.
#[derive(Default)]
struct Sample {
    key: String,
    picture: Option<Place>,
    label: Option<String>,
}

fn read(shard: &Path) -> Result<Vec<Sample>, Error> {
    let io = |source| Error::Io { doing: "read", path: shard.to_owned(), source };
    let damaged = |error: std::io::Error| {
        Error::malformed(
            shard.display().to_string(),
            "a whole tar file",
            format!("damage ({error})"),
        )
    };
    let file = File::open(shard).map_err(io)?;
    let len = file.metadata().map_err(io)?.len();
    let file_path: Arc<Path> = shard.into();
    let mut archive = Archive::new(BufReader::new(file));
    let mut samples: Vec<Sample> = Vec::new();
    // The files of an example should follow one another; where they do not, they are still found, for all is listed.
    let mut places: HashMap<String, usize> = HashMap::new();
    for entry in archive.entries_with_seek().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = entry.path().map_err(damaged)?.to_string_lossy().into_owned();
        let (key, ending) = split(&path);
        let place = *places.entry(key.to_owned()).or_insert(samples.len());
        if place == samples.len() {
            samples.push(Sample { key: key.to_owned(), ..Sample::default() });
        }
        let sample = &mut samples[place];
        let start = entry.raw_file_position();
        let end = start.saturating_add(entry.size());
        if end > len {
            let found = format!("{len} bytes (the file is cut off)");
            return Err(Error::malformed(
                shard.display().to_string(),
                format!("{end} bytes"),
                found,
            ));
        }
        if ending.eq_ignore_ascii_case("cls") {
            let mut text = String::new();
            (&mut entry).take(LONGEST_LABEL).read_to_string(&mut text).map_err(damaged)?;
            sample.label = Some(text.trim().to_owned()).filter(|label| !label.is_empty());
        } else if is_picture_name(&path) {
            let (file, name) = (file_path.clone(), path.as_str().into());
            sample.picture = Some(Place::Within { file, range: start..end, name });
        }
    }
    Ok(samples)
}

/// The key of an example and the rest: a path up to the first dot of its last part, and what comes behind.
fn split(path: &str) -> (&str, &str) {
    let name = path.rfind('/').map_or(0, |slash| slash + 1);
    match path[name..].find('.') {
        Some(dot) => (&path[..name + dot], &path[name + dot + 1..]),
        None => (path, ""),
    }
}

fn pictures(path: &Path, samples: Vec<Sample>, names: &[String]) -> Result<Pictures, Error> {
    let mut pictures = Pictures::default();
    let mut found = BTreeSet::new();
    for Sample { key, picture, label } in samples {
        let (place, label) = match (picture, label) {
            (Some(place), Some(label)) => (place, label),
            (Some(place), None) => {
                let reason = "it has no label: expected a .cls file beside it".to_owned();
                pictures.skipped.push(Skipped { file: place.name(), reason });
                continue;
            }
            (None, _) => {
                let reason = "it has no picture".to_owned();
                pictures.skipped.push(Skipped { file: key, reason });
                continue;
            }
        };
        if let Ok(at) = names.binary_search(&label) {
            pictures.entries.push(Entry { place, label: at as u32 });
        }
        found.insert(label);
    }
    check_known(path, names, found)?;
    Ok(pictures)
}
