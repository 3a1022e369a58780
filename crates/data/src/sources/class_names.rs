//! Names of classes in a file of their own, one a line.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::Path;

use crate::Error;

/// The file that names the classes of IDX files and `.npz` files, which know numbers only.
pub(super) const FILE: &str = "class_names.txt";

/// The names in [`FILE`], if the folder has it.
pub(super) fn of_folder(folder: &Path) -> Result<Option<Vec<String>>, Error> {
    let path = folder.join(FILE);
    match path.is_file() {
        true => read(&path).map(Some),
        false => Ok(None),
    }
}

/// The lines of a file, of which only the last ones may be empty: an empty line between names would give the names behind it to
/// other classes.
pub(super) fn read(path: &Path) -> Result<Vec<String>, Error> {
    let io = |source| Error::Io { doing: "read", path: path.to_owned(), source };
    let text = fs::read(path).map_err(io)?;
    let text = String::from_utf8_lossy(&text);
    let text = text.trim_start_matches('\u{feff}').trim_end();
    let names: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
    if let Some(empty) = names.iter().position(String::is_empty) {
        let found = format!("nothing in line {}", empty + 1);
        return Err(Error::unfit(path.display().to_string(), "a class name in each line", found));
    }
    check_names(path, &names)?;
    Ok(names)
}

/// Checks that the labels of a part are among the classes.
pub(super) fn check_known(
    path: &Path,
    names: &[String],
    found: BTreeSet<String>,
) -> Result<(), Error> {
    let known: HashSet<&String> = names.iter().collect();
    match found.iter().all(|label| known.contains(label)) {
        true => Ok(()),
        false => {
            let found: Vec<String> = found.into_iter().collect();
            Err(Error::classes(&path.display().to_string(), names, &found))
        }
    }
}

/// Checks that there are names, and that they differ by more than capitals.
pub(super) fn check_names(path: &Path, names: &[String]) -> Result<(), Error> {
    let mut lower: Vec<(String, &String)> =
        names.iter().map(|name| (name.to_lowercase(), name)).collect();
    lower.sort_unstable();
    let same = lower.windows(2).find(|pair| pair[0].0 == pair[1].0);
    let (expected, found) = match (same, names) {
        (Some(same), _) => (
            "class names that differ by more than capitals",
            format!("`{}` and `{}`: put them together, or rename one", same[0].1, same[1].1),
        ),
        (None, []) => ("at least two classes", "none".into()),
        (None, _) => return Ok(()),
    };
    let name = path.display().to_string();
    Err(Error::Inconsistent { name, expected: expected.into(), found })
}

/// As many classes as there are images may be, and so many where there are fewer images.
const ALWAYS_ALLOWED: usize = 1000;

/// As many numbers as the labels need. A label far beyond the number of images is a mistake, and no reason to make room for so many
/// classes.
pub(super) fn of_labels(
    path: &Path,
    labels: impl ExactSizeIterator<Item = i64>,
) -> Result<Vec<String>, Error> {
    let images = labels.len();
    let largest = labels.max().unwrap_or(-1).max(-1);
    let most = images.max(ALWAYS_ALLOWED);
    match usize::try_from(largest + 1) {
        Ok(count) if count <= most => Ok(numbers(count)),
        _ => Err(Error::unfit(
            path.display().to_string(),
            "labels that count the classes from 0, and not many more classes than images",
            format!("the label {largest} among those of {images} images"),
        )),
    }
}

/// Classes that are numbers from 0.
pub(super) fn numbers(count: usize) -> Vec<String> {
    (0..count).map(|class| class.to_string()).collect()
}
