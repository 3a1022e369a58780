//! Parquet files with the image column of Hugging Face's data sets: `image: struct<bytes: binary, path: string>` and `label`, a
//! number whose names stand in the file's metadata under `huggingface`, or a text.
//!
//! The part is told by the file's name: `train-00000-of-00001.parquet`, `validation-...`, `test-...`; without such a name all are
//! for training. Listing reads the labels; pictures are read when they are decoded, some rows at a time. Columns that are not
//! compressed, or compressed by Snappy or gzip, are read. What is held of a file at once is its footer, taken apart (at most some
//! hundred bytes for each of its bytes), and for each thread two stretches of 16 pictures; a page unpacks to at most 64 MiB and a
//! hundred times its size.

mod pages;
mod rows;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::listing::{Entry, Listing, Part, Pictures, Place};
use super::{Contents, Format, Reading, class_names, has_ending, shards};
use crate::{Error, Skipped};
pub(crate) use rows::Rows;
use rows::{Columns, Label};

/// What the files' names end with.
pub(super) const ENDINGS: [&str; 1] = ["parquet"];

/// Lists the pictures of the files in a folder, or in its folder `data`; `None` when it holds none.
pub(super) fn list_folder(
    contents: &Contents,
    reading: &Reading,
) -> Result<Option<Listing>, Error> {
    let files = |contents: &Contents| -> Vec<PathBuf> {
        let names = contents.files.iter().filter(|name| has_ending(name, &ENDINGS));
        names.map(|name| contents.path.join(name)).collect()
    };
    let mut found = files(contents);
    if found.is_empty() && contents.folders.iter().any(|name| name == "data") {
        found = files(&Contents::of(&contents.path.join("data"))?);
    }
    match found.is_empty() {
        true => Ok(None),
        false => list(&contents.path, &found, reading).map(Some),
    }
}

/// Lists the pictures of files.
pub(super) fn list(path: &Path, files: &[PathBuf], reading: &Reading) -> Result<Listing, Error> {
    let mut parts: BTreeMap<Part, Vec<Arc<Rows>>> = BTreeMap::new();
    for file in files {
        let rows = Arc::new(Rows::open(file, &reading.columns)?);
        parts.entry(shards::part_of(file)).or_default().push(rows);
    }
    let first = parts.values().next().map(Vec::as_slice).unwrap_or_default();
    let class_names = names(path, first)?;
    let columns = first.first().map(|rows| rows.columns.clone()).unwrap_or_default();
    let Columns { image, label } = &columns;
    let notes = vec![format!(
        "{} Parquet files; pictures in `{image}`, labels in `{label}` (--columns changes it)",
        files.len()
    )];
    let mut of = |part| -> Result<Option<Pictures>, Error> {
        parts.remove(&part).map(|files| pictures(path, &files, &class_names)).transpose()
    };
    let (train, validation, test) = (of(Part::Train)?, of(Part::Validation)?, of(Part::Test)?);
    Listing::new(Format::Parquet, path, class_names, [train, validation, test], notes)
}

/// The names that the metadata give, or the numbers or texts that there are.
fn names(path: &Path, files: &[Arc<Rows>]) -> Result<Vec<String>, Error> {
    if let Some(names) = files.iter().find_map(|rows| rows.class_names.clone()) {
        return Ok(names);
    }
    let labels = || files.iter().flat_map(|rows| &rows.labels);
    let numbers: Vec<i64> = labels().filter_map(Label::number).collect();
    if !numbers.is_empty() {
        return class_names::of_labels(path, numbers.into_iter());
    }
    let texts: BTreeSet<&str> = labels().filter_map(Label::text).collect();
    Ok(texts.into_iter().map(str::to_owned).collect())
}

fn pictures(path: &Path, files: &[Arc<Rows>], names: &[String]) -> Result<Pictures, Error> {
    let mut pictures = Pictures::default();
    let mut present = BTreeSet::new();
    let mut found = BTreeSet::new();
    let places: HashMap<&str, usize> =
        names.iter().enumerate().map(|(place, name)| (name.as_str(), place)).collect();
    let find = |text: &str| places.get(text).copied();
    for rows in files {
        for (row, label) in rows.labels.iter().enumerate() {
            let place = Place::Row { file: Arc::clone(rows), row };
            let label = match label {
                // Hugging Face's sets have -1 where the labels of a test part are kept secret.
                Label::None | Label::Number(-1) => {
                    let reason = "it has no label".to_owned();
                    pictures.skipped.push(Skipped { file: place.name(), reason });
                    continue;
                }
                Label::Number(number) => usize::try_from(*number)
                    .ok()
                    .filter(|&label| label < names.len())
                    .ok_or(number.to_string()),
                Label::Text(text) => find(text).ok_or(text.to_string()),
            };
            match label {
                Ok(label) => {
                    pictures.entries.push(Entry { place, label: label as u32 });
                    present.insert(label);
                }
                Err(label) => drop(found.insert(label)),
            }
        }
    }
    found.extend(present.into_iter().map(|label| names[label].clone()));
    class_names::check_known(path, names, found)?;
    Ok(pictures)
}
