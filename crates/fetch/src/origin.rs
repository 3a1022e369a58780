//! Where files are fetched from.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use percept_data::named::{NamedSet, SetFile};

use crate::transfer::{Failed, transfer};
use crate::{Error, Event};

/// Where files are fetched from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// The authors' place.
    #[default]
    Official,
    /// A mirror: an address that the files are below, under the names that their authors gave them.
    Url(String),
    /// A folder with the files under the same names.
    Folder(PathBuf),
}

impl Origin {
    /// Tells an address from a folder.
    ///
    /// # Errors
    /// [`Error::Origin`] when it is neither.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let lower = text.to_ascii_lowercase();
        match lower.split_once("://") {
            Some(("http" | "https", rest)) if !rest.is_empty() => Ok(Self::Url(text.to_owned())),
            None if Path::new(text).is_dir() => Ok(Self::Folder(text.into())),
            _ => Err(Error::Origin { text: text.to_owned() }),
        }
    }

    /// Addresses of a file, in the order in which they are tried.
    pub(crate) fn addresses(&self, set: &NamedSet, file: &SetFile) -> Vec<String> {
        let below = |place: &str| format!("{}/{}", place.trim_end_matches('/'), file.name);
        match self {
            Self::Official => set.places.iter().copied().map(below).collect(),
            Self::Url(url) => vec![below(url)],
            Self::Folder(_) => Vec::new(),
        }
    }
}

/// Copies a file of a folder.
pub(crate) fn copy(
    from: &Path,
    file: &SetFile,
    most: u64,
    to: &Path,
    observer: &mut dyn FnMut(&Event),
) -> Result<(), Error> {
    let reading = |source: io::Error| match source.kind() {
        ErrorKind::NotFound => Error::Missing { path: from.to_owned() },
        _ => Error::Io { doing: "read", path: from.to_owned(), source },
    };
    let writing = |source| Error::Io { doing: "write", path: to.to_owned(), source };
    let input = File::open(from).map_err(reading)?;
    let len = input.metadata().map_err(reading)?.len();
    if file.bytes.is_some_and(|bytes| bytes != len) || len > most {
        let expected = match file.bytes {
            Some(bytes) => bytes.to_string(),
            None => format!("at most {most}"),
        };
        let from = from.display().to_string();
        return Err(Error::Size { from, expected, found: len.to_string() });
    }
    observer(&Event::Started { from: from.display().to_string(), bytes: Some(len) });
    let mut output = File::create(to).map_err(writing)?;
    // A file that grows while it is read is none.
    let moved =
        transfer(&mut input.take(len), &mut output, |moved| observer(&Event::Received(moved)));
    moved.map_err(|failed| match failed {
        Failed::Reading(source) => reading(source),
        Failed::Writing(source) => writing(source),
    })
}
