//! `.npz` files with the keys of MedMNIST (Yang et al. 2023): `train_images`, `train_labels`, the same with `val_` and `test_`.
//! An `.npz` file is a ZIP archive of `.npy` arrays; images are u8 [N, height, width] or [N, height, width, 3], labels
//! integers `[N]` or [N, 1]. Classes are numbers, unless a file `class_names.txt` beside the archive names them, one a line.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use zip::ZipArchive;
use zip::result::ZipError;

use super::npy::{self, Header, Open};
use super::{Training, class_names, most_unpacked};
use crate::growing::Growing;
use crate::pixel_cache::PixelCache;
use crate::{Error, ImageShape, TestPart};

/// An `.npz` file whose keys have been read.
#[derive(Clone, Debug)]
pub struct NpzFile {
    path: PathBuf,
    keys: BTreeSet<String>,
    class_names: Option<Vec<String>>,
}

impl NpzFile {
    /// Opens the file and reads its keys.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Malformed`] when it is no ZIP archive or has neither training nor test images.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let (archive, _) = archive(path)?;
        let names = archive.file_names().flatten();
        let keys: BTreeSet<String> =
            names.map(|name| name.trim_end_matches(".npy").to_owned()).collect();
        let class_names = path.parent().map(class_names::of_folder).transpose()?.flatten();
        let file = Self { path: path.to_owned(), keys, class_names };
        match file.has("train") || file.has("test") {
            true => Ok(file),
            false => {
                let found: Vec<&str> = file.keys.iter().take(20).map(String::as_str).collect();
                Err(file.malformed(
                    "arrays `train_images` and `train_labels` (or `test_`, with `val_` beside them)",
                    format!("[{}]", found.join(", ")),
                ))
            }
        }
    }

    fn has(&self, part: &str) -> bool {
        self.keys.contains(&format!("{part}_images"))
    }

    /// Reads the training part, and the validation part behind it if there is one.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is a test part only; [`Error::Malformed`] when an array is missing, damaged or of another
    /// type; [`Error::Inconsistent`] when parts differ in size; [`Error::Bomb`] when an array would unpack to too much.
    pub fn train(&self, cache: Option<&PixelCache>) -> Result<Training, Error> {
        if !self.has("train") {
            return Err(Error::Missing {
                path: self.path.join("train_images.npy"),
                expected: "the training images; this file has a test part only".into(),
            });
        }
        let mut images = Growing::new(cache);
        let (shape, mut labels) = self.part("train", &mut images)?;
        let count = labels.len() as u32;
        let own = self.has("val");
        if own {
            let (found, mut more) = self.part("val", &mut images)?;
            if found != shape {
                let expected = format!("images of {shape} in every part");
                let found = format!("{found} in the validation part");
                return Err(Error::Inconsistent {
                    name: self.path.display().to_string(),
                    expected,
                    found,
                });
            }
            labels.append(&mut more);
        }
        let names = self.class_names(&labels)?;
        let words = if own { "training and validation part" } else { "training part" };
        let dataset = images.dataset(self.describe(words), shape, labels, names)?;
        let len = dataset.len() as u32;
        Ok(Training { dataset, validation: own.then_some(count..len) })
    }

    /// The test part, not read yet; `None` when there is none. It has the classes of the training labels, where there are any.
    #[must_use]
    pub fn test(&self, cache: Option<PixelCache>) -> Option<TestPart> {
        if !self.has("test") {
            return None;
        }
        let this = self.clone();
        Some(TestPart::separate(move || {
            let mut labels = Vec::new();
            for part in ["train", "val"].into_iter().filter(|part| this.has(part)) {
                labels.extend(this.labels(part)?);
            }
            let mut images = Growing::new(cache.as_ref());
            let (shape, own) = this.part("test", &mut images)?;
            let names = this.class_names(if labels.is_empty() { &own } else { &labels })?;
            images.dataset(this.describe("test part"), shape, own, names)
        }))
    }

    /// The names that the file beside it gives, or as many numbers as the labels need.
    fn class_names(&self, labels: &[u32]) -> Result<Vec<String>, Error> {
        match &self.class_names {
            Some(names) => Ok(names.clone()),
            None => class_names::of_labels(&self.path, labels.iter().copied().map(i64::from)),
        }
    }

    /// Appends the images of a part; gives their shape and their labels.
    fn part(&self, part: &str, images: &mut Growing<'_>) -> Result<(ImageShape, Vec<u32>), Error> {
        let labels = self.labels(part)?;
        let name = format!("{part}_images");
        let (shape, count) = self.array(&name, |array| self.append(&name, array, images))?;
        match count == labels.len() {
            true => Ok((shape, labels)),
            false => Err(Error::Inconsistent {
                name: self.describe(part),
                expected: "one label an image".into(),
                found: format!("{count} images and {} labels", labels.len()),
            }),
        }
    }

    /// Appends the images of an array; gives their shape and number.
    fn append(
        &self,
        name: &str,
        mut array: Open<'_>,
        images: &mut Growing<'_>,
    ) -> Result<(ImageShape, usize), Error> {
        let Header { dtype, shape, bytes } = &array.header;
        let is_u8 = dtype.trim_start_matches(['|', '<', '>', '=']) == "u1";
        let (shape, count, bytes) = match **shape {
            [count, height, width] | [count, height, width, 1] if is_u8 => {
                (ImageShape::grey(height, width), count, *bytes)
            }
            [count, height, width, 3] if is_u8 => {
                (ImageShape::colour(height, width), count, *bytes)
            }
            _ => {
                let expected = "u8 images, [N, height, width] or [N, height, width, 3]";
                return Err(self.wrong(name, expected, &array.header));
            }
        };
        let found = images.fill(bytes as u64, |piece| array.take(piece))?;
        array.end(found)?;
        Ok((shape, count))
    }

    fn labels(&self, part: &str) -> Result<Vec<u32>, Error> {
        let name = format!("{part}_labels");
        let array = self.array(&name, npy::all)?;
        match *array.header.shape {
            [_] | [_, 1] => {}
            [_, several] => {
                let expected = "one label an image, [N] or [N, 1]";
                let found = format!(
                    "{several} an image in `{name}` (a set of several labels cannot be learned)"
                );
                return Err(self.malformed(expected, found));
            }
            _ => return Err(self.wrong(&name, "labels, [N] or [N, 1]", &array.header)),
        }
        let numbers =
            npy::integers(&array).ok_or_else(|| self.wrong(&name, "integers", &array.header))?;
        let label = |number: i64| {
            u32::try_from(number).map_err(|_| {
                self.malformed(
                    "labels that count the classes from 0",
                    format!("{number} in `{name}`"),
                )
            })
        };
        numbers.into_iter().map(label).collect()
    }

    /// Opens an array and reads it with `read`.
    fn array<T>(
        &self,
        name: &str,
        read: impl FnOnce(Open<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let (mut archive, file_len) = archive(&self.path)?;
        let packed_name = format!("{name}.npy");
        let mut entry = archive.by_name(&packed_name).map_err(|error| match error {
            ZipError::FileNotFound => self.malformed(format!("an array `{name}`"), "none"),
            error => self
                .malformed("a whole ZIP archive", format!("damage in `{packed_name}` ({error})")),
        })?;
        let (packed, unpacked) = (entry.compressed_size(), entry.size());
        // What an archive says of an entry may be more than the whole file.
        let limit = most_unpacked(packed.min(file_len));
        let name = format!("{}: {packed_name}", self.path.display());
        if unpacked > limit {
            return Err(Error::Bomb { name, packed, unpacked: unpacked.into(), limit });
        }
        let found = read(Open::new(&mut entry.by_ref().take(unpacked), &name)?)?;
        // The checksum is compared where the end is read.
        match entry.read(&mut [0]) {
            Ok(0) => Ok(found),
            Ok(_) => Err(Error::malformed(name, format!("{unpacked} bytes"), "more")),
            Err(error) => Err(Error::malformed(name, "an undamaged array", error.to_string())),
        }
    }

    fn describe(&self, part: &str) -> String {
        format!("{} ({part})", self.path.display())
    }

    fn malformed(&self, expected: impl Into<String>, found: impl Into<String>) -> Error {
        Error::malformed(self.path.display().to_string(), expected, found)
    }

    fn wrong(&self, name: &str, expected: &str, array: &Header) -> Error {
        let Header { dtype, shape, .. } = array;
        self.malformed(expected, format!("`{name}` of type {dtype} and shape {shape:?}"))
    }
}

/// The archive, and how long its file is.
fn archive(path: &Path) -> Result<(ZipArchive<BufReader<File>>, u64), Error> {
    let io = |source| Error::Io { doing: "read", path: path.to_owned(), source };
    let file = File::open(path).map_err(io)?;
    let len = file.metadata().map_err(io)?.len();
    let archive = ZipArchive::new(BufReader::new(file)).map_err(|error| {
        Error::malformed(
            path.display().to_string(),
            "an .npz file (a ZIP archive)",
            error.to_string(),
        )
    })?;
    Ok((archive, len))
}
