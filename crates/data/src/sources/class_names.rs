//! Names of classes in a file of their own, one a line.

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

/// The lines of a file that are not empty.
pub(super) fn read(path: &Path) -> Result<Vec<String>, Error> {
    let io = |source| Error::Io { doing: "read", path: path.to_owned(), source };
    let text = fs::read(path).map_err(io)?;
    let text = String::from_utf8_lossy(&text);
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

/// Classes that are numbers from 0.
pub(super) fn numbers(count: usize) -> Vec<String> {
    (0..count).map(|class| class.to_string()).collect()
}
