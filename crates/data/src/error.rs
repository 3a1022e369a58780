//! What can be wrong with image data.

use std::collections::HashSet;
use std::path::PathBuf;

/// What went wrong with image data: where, what was expected, what was found, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused a file operation.
    #[error("cannot {doing} `{}`", path.display())]
    Io {
        /// What was being done, as a verb: "read", "write", "list".
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },

    /// A file that must be there is not.
    #[error("`{}` not found: expected {expected}", path.display())]
    Missing {
        /// The file or folder that was looked for.
        path: PathBuf,
        /// What it should have been.
        expected: String,
    },

    /// A named set that was not fetched yet.
    #[error("the named set `{name}` is not on this computer yet (expected in `{}`)", path.display())]
    NotFetched {
        /// Its name.
        name: &'static str,
        /// Where it would be.
        path: PathBuf,
    },

    /// There is no place for fetched sets.
    #[error(
        "no folder for fetched data: expected XDG_CACHE_HOME or HOME to name one (an absolute path), found neither"
    )]
    NoCache,

    /// A folder was given where a file is needed.
    #[error("`{}` is a folder: expected {expected}", path.display())]
    IsFolder {
        /// The folder.
        path: PathBuf,
        /// What was expected in its place.
        expected: &'static str,
    },

    /// A folder does not hold a data set in a known form.
    #[error(
        "no data set recognised in `{}`: found {found}; expected class folders with pictures \
         (`<class>/*.jpg`, or `train/<class>/*.jpg` and `test/<class>/*.jpg`), a table of files and labels (.csv, .tsv), \
         an .npz file with `train_images` and `train_labels`, tar shards, Parquet files, CIFAR's binary files, SVHN's train_32x32.mat and \
         test_32x32.mat, or IDX files (train-images-idx3-ubyte, \
         train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte, each plain or .gz)",
        path.display()
    )]
    UnknownFolder {
        /// The folder.
        path: PathBuf,
        /// What it holds, in a few words.
        found: String,
    },

    /// A folder does not hold data of the format that was named.
    #[error("`{}` holds no data of the format `{format}`: found {found}", path.display())]
    OtherFormat {
        /// The folder.
        path: PathBuf,
        /// The format's name.
        format: &'static str,
        /// What it holds, in a few words.
        found: String,
    },

    /// A data set has classes that those who want to use it do not know.
    #[error(
        "the data set `{name}` has classes that are not expected ({}): expected [{}], found [{}]",
        shortened(unknown),
        shortened(expected),
        shortened(found)
    )]
    Classes {
        /// Description of the data set.
        name: String,
        /// Those of `found` that are not in `expected`.
        unknown: Vec<String>,
        /// The classes that may be.
        expected: Vec<String>,
        /// The classes that are.
        found: Vec<String>,
    },

    /// A file is not what its name or place says.
    #[error("`{name}`: expected {expected}, found {found}")]
    Malformed {
        /// The file's path, or another name for where the bytes came from.
        name: String,
        /// What the file should hold.
        expected: String,
        /// What it holds.
        found: String,
    },

    /// A file that nothing need be wrong with, but that is not what is needed there, or not as it is.
    #[error("`{name}`: expected {expected}, found {found}")]
    Unfit {
        /// The file's path.
        name: String,
        /// What would do.
        expected: String,
        /// What it is.
        found: String,
    },

    /// A compressed file that would unpack to an unreasonable size.
    #[error(
        "`{name}`: {packed} bytes claim to unpack to {unpacked}, more than the {limit} allowed for \
         a file of this size; unpack it yourself if you trust it"
    )]
    Bomb {
        /// The file's path.
        name: String,
        /// Size of the file in bytes.
        packed: u64,
        /// Size it claims to unpack to, in bytes.
        unpacked: u128,
        /// Largest size allowed, in bytes.
        limit: u64,
    },

    /// A picture larger than this program opens.
    #[error(
        "`{name}`: the picture is {width}x{height} pixels ({bytes} bytes decoded); expected at \
         most {} pixels a side and {} MiB decoded; make it smaller first",
        crate::MAX_SIDE,
        crate::MAX_DECODED_BYTES >> 20
    )]
    TooLarge {
        /// The file's path, or another name for where the bytes came from.
        name: String,
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Size of the decoded pixels in bytes.
        bytes: u64,
    },

    /// A picture that its decoder refuses.
    #[error("`{name}`: expected a whole {format} picture, but it cannot be decoded")]
    Decode {
        /// The file's path, or another name for where the bytes came from.
        name: String,
        /// The format its first bytes announce.
        format: String,
        /// The decoder's reason.
        source: image::ImageError,
    },

    /// A picture without anything drawn on it.
    #[error(
        "nothing is drawn on this picture: expected a digit that stands out from the background, \
         found at most {contrast} grey levels of contrast (at least {needed} are needed)"
    )]
    Blank {
        /// Contrast between ink and background, in grey levels 0..=255.
        contrast: u8,
        /// The least contrast that counts as ink.
        needed: u8,
    },

    /// A data set whose parts contradict each other.
    #[error("the data set `{name}`: expected {expected}, found {found}")]
    Inconsistent {
        /// Description of the data set.
        name: String,
        /// What must hold.
        expected: String,
        /// What was found.
        found: String,
    },

    /// A setting outside its range.
    #[error("{setting} must be {expected}, but is {found}")]
    Setting {
        /// The setting's name.
        setting: &'static str,
        /// Its allowed range.
        expected: String,
        /// The value given.
        found: String,
    },

    /// Data kept inside the program could not be unpacked.
    #[error("cannot unpack {what}")]
    Embedded {
        /// The data set.
        what: &'static str,
        /// The reason.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// The most class names that a message lists.
const MOST_NAMES: usize = 100;

/// Names in a row.
fn shortened(names: &[String]) -> String {
    let more = match names.len().saturating_sub(MOST_NAMES) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    names[..names.len().min(MOST_NAMES)].join(", ") + &more
}

impl Error {
    pub(crate) fn classes(name: &str, expected: &[String], found: &[String]) -> Self {
        let known: HashSet<&String> = expected.iter().collect();
        let unknown = found.iter().filter(|name| !known.contains(name)).cloned().collect();
        let (expected, found) = (expected.to_vec(), found.to_vec());
        Self::Classes { name: name.into(), unknown, expected, found }
    }

    pub(crate) fn malformed(
        name: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self::Malformed { name: name.into(), expected: expected.into(), found: found.into() }
    }

    pub(crate) fn unfit(
        name: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self::Unfit { name: name.into(), expected: expected.into(), found: found.into() }
    }

    pub(crate) fn setting(
        setting: &'static str,
        expected: impl Into<String>,
        found: impl std::fmt::Display,
    ) -> Self {
        Self::Setting { setting, expected: expected.into(), found: format!("{found}") }
    }
}
