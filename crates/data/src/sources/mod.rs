//! Folders of images, one file a format.
//!
//! To add a format: write its file here, give [`Source`] a variant, and let [`recognise`] tell it from the others by what
//! the folder holds.

pub mod idx;

use std::path::Path;
use std::{fs, io};

use crate::{Dataset, Error, TestPart};

/// A folder recognised as a data set. Nothing but names has been read yet.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Source {
    /// Four IDX files, as MNIST has them.
    Idx(idx::IdxFolder),
}

impl Source {
    /// Reads the training part.
    ///
    /// # Errors
    /// When files are missing, malformed or contradict each other.
    pub fn train(&self) -> Result<Dataset, Error> {
        match self {
            Self::Idx(folder) => folder.train(),
        }
    }

    /// The test part, not read yet; `None` when the folder has none.
    #[must_use]
    pub fn test(&self) -> Option<TestPart> {
        match self {
            Self::Idx(folder) => folder.test(),
        }
    }
}

/// Finds out what kind of data set `folder` holds.
///
/// # Errors
/// [`Error::Missing`] when there is no such folder, [`Error::Malformed`] when it is a file, [`Error::UnknownFolder`] when
/// it holds nothing known, and [`Error::Missing`] or [`Error::Io`] as the format's own opening has them.
pub fn recognise(folder: &Path) -> Result<Source, Error> {
    let io = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => Error::Missing {
            path: folder.to_owned(),
            expected: "a folder with a data set, or `mnist`".into(),
        },
        io::ErrorKind::NotADirectory => Error::malformed(
            folder.display().to_string(),
            "a folder with a data set",
            "a single file (give the folder that it is in)",
        ),
        _ => Error::Io { doing: "list", path: folder.to_owned(), source },
    };
    let mut names = Vec::new();
    let (mut folders, mut files) = (0, 0);
    for entry in fs::read_dir(folder).map_err(io)? {
        let entry = entry.map_err(io)?;
        match entry.path().is_dir() {
            true => folders += 1,
            false => files += 1,
        }
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    if let Some(idx) = idx::IdxFolder::recognise(folder, &names)? {
        return Ok(Source::Idx(idx));
    }
    Err(Error::UnknownFolder { path: folder.to_owned(), found: describe(files, folders) })
}

fn describe(files: usize, folders: usize) -> String {
    match (files, folders) {
        (0, 0) => "nothing at all".into(),
        (_, 0) => format!("{files} other files"),
        _ => {
            format!("{folders} folders and {files} other files (class folders cannot be read yet)")
        }
    }
}
