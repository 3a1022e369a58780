//! Pictures in files of their own: found, not decoded yet.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::class_names::check_names;
use super::decode::{Job, decode};
use super::{Format, Training};
use crate::{Decoding, Error, MAX_DECODED_BYTES, Sizing, Skipped, StoredPicture, TestPart};

/// Where the bytes of a picture are.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// A file.
    File(PathBuf),
    /// A stretch of a file, under a name of its own.
    Within {
        /// The file.
        file: Arc<Path>,
        /// Its bytes.
        range: Range<u64>,
        /// What the stretch is called.
        name: Box<str>,
    },
    /// A row of a Parquet file.
    #[cfg(feature = "parquet")]
    Row {
        /// The file.
        file: Arc<super::parquet::Rows>,
        /// Which of its rows.
        row: usize,
    },
}

impl Place {
    /// What people call it.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Within { file, name, .. } => format!("{}: {name}", file.display()),
            #[cfg(feature = "parquet")]
            Self::Row { file, row } => file.name(*row),
        }
    }

    /// The file that it is in.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::File(path) => path,
            Self::Within { file, .. } => file,
            #[cfg(feature = "parquet")]
            Self::Row { file, .. } => file.path(),
        }
    }

    /// Its bytes within the file, where it is not the whole file; the number of a row where the file has rows.
    pub(crate) fn range(&self) -> Option<Range<u64>> {
        match self {
            Self::File(_) => None,
            Self::Within { range, .. } => Some(range.clone()),
            #[cfg(feature = "parquet")]
            Self::Row { row, .. } => Some(*row as u64..*row as u64 + 1),
        }
    }

    /// Its bytes; no more than a picture may have decoded.
    pub(super) fn read(&self) -> Result<Vec<u8>, Error> {
        #[cfg(feature = "parquet")]
        if let Self::Row { file, row } = self {
            return file.picture(*row);
        }
        let (path, range) = (self.path(), self.range());
        let io = |source| Error::Io { doing: "read", path: path.to_owned(), source };
        // Looked at before it is opened: opening a pipe would wait for someone to write into it.
        let metadata = fs::metadata(path).map_err(io)?;
        if !metadata.is_file() {
            return Err(io(io::Error::other("it is not a file")));
        }
        let mut file = File::open(path).map_err(io)?;
        let range = range.unwrap_or(0..metadata.len());
        if range.start > 0 {
            file.seek(SeekFrom::Start(range.start)).map_err(io)?;
        }
        let mut bytes = Vec::new();
        let len = (range.end - range.start).min(MAX_DECODED_BYTES);
        file.take(len).read_to_end(&mut bytes).map_err(io)?;
        Ok(bytes)
    }

    /// Reads and decodes the picture.
    pub(crate) fn picture(&self) -> Result<StoredPicture, Error> {
        StoredPicture::from_bytes(&self.read()?, &self.name())
    }
}

/// A picture that was found.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub place: Place,
    /// Index of its class.
    pub label: u32,
}

/// A part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Train,
    Validation,
    Test,
}

impl Part {
    /// The part that a name stands for, if it stands for one.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name.to_lowercase().as_str() {
            "train" | "training" => Some(Self::Train),
            "val" | "valid" | "validation" => Some(Self::Validation),
            "test" | "testing" => Some(Self::Test),
            _ => None,
        }
    }
}

/// The pictures of one part of a data set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pictures {
    pub entries: Vec<Entry>,
    /// Files that are known to be missing or unfit without decoding them.
    pub skipped: Vec<Skipped>,
}

/// The pictures of a data set, by part.
#[derive(Clone, Debug)]
pub struct Listing {
    pub(super) format: Format,
    /// The folder or file that the set was recognised in.
    pub(super) path: PathBuf,
    pub(super) class_names: Vec<String>,
    pub(super) train: Option<Pictures>,
    pub(super) validation: Option<Pictures>,
    pub(super) test: Option<Pictures>,
    /// What a person should know of how the files were understood.
    pub(super) notes: Vec<String>,
}

impl Listing {
    /// Joins the parts (training, validation, test).
    ///
    /// # Errors
    /// [`Error::Inconsistent`] when there are no classes, or two that only capitals tell apart.
    pub(super) fn new(
        format: Format,
        path: &Path,
        class_names: Vec<String>,
        parts: [Option<Pictures>; 3],
        notes: Vec<String>,
    ) -> Result<Self, Error> {
        check_names(path, &class_names)?;
        let [train, validation, test] = parts;
        Ok(Self { format, path: path.to_owned(), class_names, train, validation, test, notes })
    }

    /// Checks that there are two classes, and that some class has a second picture to be measured by unless the set itself
    /// has a part for that.
    pub(super) fn check_learnable(&self) -> Result<(), Error> {
        let inconsistent = |expected: &str, found: String| {
            let name = self.path.display().to_string();
            Err(Error::Inconsistent { name, expected: expected.into(), found })
        };
        if let [only] = &self.class_names[..] {
            return inconsistent(
                "at least two classes",
                format!("only `{only}`: add pictures of another class"),
            );
        }
        let (Some(train), None, None) = (&self.train, &self.validation, &self.test) else {
            return Ok(());
        };
        let mut counts = vec![0; self.class_names.len()];
        train.entries.iter().for_each(|entry| counts[entry.label as usize] += 1);
        match counts.iter().all(|&count| count == 1) {
            true => inconsistent(
                "at least two pictures of some class: one to learn from and one to measure by",
                format!("one picture of each of {} classes: add more", counts.len()),
            ),
            false => Ok(()),
        }
    }

    /// The pictures that the size of the images is decided by: never those of the test part, unless there are no others.
    pub(crate) fn deciding(&self) -> &[Entry] {
        let part = self.train.as_ref().or(self.validation.as_ref()).or(self.test.as_ref());
        part.map_or(&[], |pictures| &pictures.entries)
    }

    /// The parts that there are, by name.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (&'static str, &Pictures)> {
        let parts =
            [("training", &self.train), ("validation", &self.validation), ("test", &self.test)];
        parts.into_iter().filter_map(|(name, part)| Some((name, part.as_ref()?)))
    }

    pub(crate) fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// How many pictures there are in the largest part that is held in memory at once.
    pub(super) fn largest_part(&self) -> usize {
        let count = |part: &Option<Pictures>| part.as_ref().map_or(0, |part| part.entries.len());
        (count(&self.train) + count(&self.validation)).max(count(&self.test))
    }

    /// Decodes the training part and the validation part, if there is one.
    pub(super) fn train(&self, sizing: Sizing, decoding: &Decoding) -> Result<Training, Error> {
        let Some(train) = &self.train else {
            return Err(Error::Missing {
                path: self.path.join("train"),
                expected: "the training pictures; this data set has other parts only".into(),
            });
        };
        let part = match (&self.validation, &self.test) {
            (None, None) => "all pictures",
            (None, Some(_)) => "training part",
            (Some(_), _) => "training and validation part",
        };
        let parts: Vec<&Pictures> = std::iter::once(train).chain(&self.validation).collect();
        let job = Job { path: &self.path, part, parts: &parts, sizing, decoding };
        let decoded = decode(&job)?;
        let own = decoded.ends.get(1).map(|&end| decoded.ends[0] as u32..end as u32);
        let dataset = decoded.dataset(&job, self.class_names.clone())?;
        Ok(Training { dataset, validation: own })
    }

    /// The test part, decoded when it is opened.
    pub(super) fn test(&self, sizing: Sizing, decoding: &Decoding) -> Option<TestPart> {
        let (test, decoding) = (self.test.clone()?, decoding.clone());
        let (path, class_names) = (self.path.clone(), self.class_names.clone());
        Some(TestPart::separate_of(test.entries.len(), move || {
            let parts = &[&test];
            let job = Job { path: &path, part: "test part", parts, sizing, decoding: &decoding };
            decode(&job)?.dataset(&job, class_names)
        }))
    }
}
