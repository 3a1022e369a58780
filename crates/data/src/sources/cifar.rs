//! CIFAR-10 and CIFAR-100 in their binary form (Krizhevsky 2009).
//!
//! ```text
//! CIFAR-10   data_batch_1.bin ... data_batch_5.bin, test_batch.bin, batches.meta.txt
//!            label | 1024 red | 1024 green | 1024 blue, again and again
//! CIFAR-100  train.bin, test.bin, fine_label_names.txt
//!            coarse label | fine label | 1024 red | 1024 green | 1024 blue
//! ```

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use super::{Contents, class_names};
use crate::growing::Growing;
use crate::pixel_cache::PixelCache;
use crate::{Dataset, Error, ImageShape, TestPart};

const SHAPE: ImageShape = ImageShape::colour(32, 32);

/// One of the two sets.
#[derive(Debug, PartialEq, Eq)]
struct Kind {
    name: &'static str,
    classes: usize,
    /// Bytes before the pixels; the last of them is the label.
    label_bytes: usize,
    train: &'static [&'static str],
    test: &'static str,
    class_names: &'static str,
}

const CIFAR_10: Kind = Kind {
    name: "CIFAR-10",
    classes: 10,
    label_bytes: 1,
    train: &[
        "data_batch_1.bin",
        "data_batch_2.bin",
        "data_batch_3.bin",
        "data_batch_4.bin",
        "data_batch_5.bin",
    ],
    test: "test_batch.bin",
    class_names: "batches.meta.txt",
};

const CIFAR_100: Kind = Kind {
    name: "CIFAR-100",
    classes: 100,
    label_bytes: 2,
    train: &["train.bin"],
    test: "test.bin",
    class_names: "fine_label_names.txt",
};

/// A folder with CIFAR's binary files.
#[derive(Clone, Debug)]
pub struct CifarFolder {
    kind: &'static Kind,
    folder: PathBuf,
    train: Vec<PathBuf>,
    test: Option<PathBuf>,
    class_names: Vec<String>,
}

impl CifarFolder {
    /// Whether the names are CIFAR's; `None` when not a single one is.
    pub(super) fn recognise(contents: &Contents) -> Result<Option<Self>, Error> {
        let has = |name: &str| contents.files.iter().any(|file| file == name);
        let found = [&CIFAR_10, &CIFAR_100]
            .into_iter()
            .find(|kind| kind.train.iter().any(|name| has(name)) || has(kind.test));
        let Some(kind) = found else { return Ok(None) };
        let path = |name: &&str| contents.path.join(name);
        let train: Vec<&&str> = kind.train.iter().filter(|name| has(name)).collect();
        if let Some(missing) = kind.train.iter().find(|name| !train.is_empty() && !has(name)) {
            let expected =
                format!("all {} files of the training part of {}", kind.train.len(), kind.name);
            return Err(Error::Missing { path: path(missing), expected });
        }
        let names = contents.path.join(kind.class_names);
        let class_names = match has(kind.class_names) {
            true => read_names(&names, kind)?,
            false => class_names::numbers(kind.classes),
        };
        Ok(Some(Self {
            kind,
            folder: contents.path.clone(),
            train: train.into_iter().map(path).collect(),
            test: has(kind.test).then(|| contents.path.join(kind.test)),
            class_names,
        }))
    }

    /// Reads the training part.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is a test part only, [`Error::Malformed`] when a file is not whole records or a label is
    /// none, [`Error::Io`].
    pub fn train(&self, cache: Option<&PixelCache>) -> Result<Dataset, Error> {
        if self.train.is_empty() {
            return Err(Error::Missing {
                path: self.folder.join(self.kind.train[0]),
                expected: "the training part; this folder has a test part only".into(),
            });
        }
        self.read("training part", &self.train, cache)
    }

    /// The test part, not read yet; `None` when the folder has a training part only.
    #[must_use]
    pub fn test(&self, cache: Option<PixelCache>) -> Option<TestPart> {
        let (path, this) = (self.test.clone()?, self.clone());
        Some(TestPart::separate(move || this.read("test part", &[path], cache.as_ref())))
    }

    fn read(
        &self,
        part: &str,
        files: &[PathBuf],
        cache: Option<&PixelCache>,
    ) -> Result<Dataset, Error> {
        let (mut images, mut labels) = (Growing::new(cache), Vec::new());
        for path in files {
            self.read_file(path, &mut images, &mut labels)?;
        }
        let description = format!("{} ({part} of {})", self.folder.display(), self.kind.name);
        images.dataset(description, SHAPE, labels, self.class_names.clone())
    }

    fn read_file(
        &self,
        path: &Path,
        images: &mut Growing<'_>,
        labels: &mut Vec<u32>,
    ) -> Result<(), Error> {
        let io = |source| Error::Io { doing: "read", path: path.to_owned(), source };
        let malformed =
            |expected, found| Error::malformed(path.display().to_string(), expected, found);
        let size = self.kind.label_bytes + SHAPE.len();
        let mut file = BufReader::with_capacity(1 << 16, File::open(path).map_err(io)?);
        let (mut record, mut image) = (Vec::with_capacity(size), Vec::with_capacity(SHAPE.len()));
        for at in 0.. {
            record.clear();
            (&mut file).take(size as u64).read_to_end(&mut record).map_err(io)?;
            if record.is_empty() && at > 0 {
                break;
            }
            if record.len() < size {
                let expected = format!("records of {size} bytes, as {} has them", self.kind.name);
                let bytes = at * size + record.len();
                let found = format!("{bytes} bytes (the file is cut off or another)");
                return Err(malformed(expected, found));
            }
            let (label, planes) = record.split_at(self.kind.label_bytes);
            let label = label[self.kind.label_bytes - 1];
            if usize::from(label) >= self.kind.classes {
                let expected = format!("labels from 0 to {}", self.kind.classes - 1);
                return Err(malformed(expected, format!("label {label} in record {at}")));
            }
            labels.push(label.into());
            let (red, rest) = planes.split_at(SHAPE.len() / 3);
            let (green, blue) = rest.split_at(SHAPE.len() / 3);
            let pixels = red.iter().zip(green).zip(blue);
            image.clear();
            image.extend(pixels.flat_map(|((&red, &green), &blue)| [red, green, blue]));
            images.extend(&image)?;
        }
        Ok(())
    }
}

fn read_names(path: &Path, kind: &Kind) -> Result<Vec<String>, Error> {
    let names = class_names::read(path)?;
    if names.len() != kind.classes {
        let expected = format!("the names of {} classes, one a line", kind.classes);
        return Err(Error::malformed(
            path.display().to_string(),
            expected,
            format!("{} lines", names.len()),
        ));
    }
    Ok(names)
}
