//! The files that a data set was read from.

use serde::Serialize;

use crate::Fit;

/// What is known of the files behind a data set's examples. A set that comes as raw pixels knows nothing of files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// How pictures were brought to the size of the images.
    pub fit: Fit,
    /// The file of each example; empty when the examples are not files of their own.
    pub files: Vec<Box<str>>,
    /// What could not be read, in the order it was met.
    pub skipped: Vec<Skipped>,
    /// How many pictures their EXIF data turned or mirrored.
    pub turned: usize,
    /// What else a person should know of how they were read, a line each.
    pub notes: Vec<String>,
}

impl Default for Origin {
    fn default() -> Self {
        let (files, skipped, notes) = (Vec::new(), Vec::new(), Vec::new());
        Self { fit: Fit::Stretch, files, skipped, turned: 0, notes }
    }
}

/// A file that is not part of a data set although it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// The file.
    pub file: String,
    /// Why it was left out.
    pub reason: String,
}
