//! `.npz` files with the keys of MedMNIST (Yang et al. 2023): `train_images`, `train_labels`, the same with `val_` and `test_`.
//! An `.npz` file is a ZIP archive of `.npy` arrays; images are u8 [N, height, width] or [N, height, width, 3], labels
//! integers `[N]` or [N, 1]. Classes are numbers, unless a file `class_names.txt` beside the archive names them, one a line.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use zip::ZipArchive;
use zip::result::ZipError;

use super::{Training, class_names, most_unpacked};
use crate::{Dataset, Error, ImageShape, TestPart};

/// The longest header of a `.npy` array that is read, in bytes. NumPy's own limit is 10,000.
const MOST_HEADER: usize = 16_384;

/// An `.npz` file whose keys have been read.
#[derive(Clone, Debug)]
pub struct NpzFile {
    path: PathBuf,
    keys: BTreeSet<String>,
    class_names: Option<Vec<String>>,
}

/// An array as it stands in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Array {
    /// NumPy's name of its type: `|u1`.
    pub dtype: String,
    /// Its sizes.
    pub shape: Vec<usize>,
    /// Its bytes, the last index fastest.
    pub bytes: Vec<u8>,
}

impl NpzFile {
    /// Opens the file and reads its keys.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Malformed`] when it is no ZIP archive or has neither training nor test images.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let archive = archive(path)?;
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
    pub fn train(&self) -> Result<Training, Error> {
        if !self.has("train") {
            return Err(Error::Missing {
                path: self.path.join("train_images.npy"),
                expected: "the training images; this file has a test part only".into(),
            });
        }
        let mut train = self.part("train")?;
        let count = train.labels.len() as u32;
        let own = self.has("val");
        if own {
            train.append(self.part("val")?, &self.path)?;
        }
        let names = self.class_names(&train.labels);
        let words = if own { "training and validation part" } else { "training part" };
        let dataset = train.dataset(self.describe(words), names)?;
        let len = dataset.len() as u32;
        Ok(Training { dataset, validation: own.then_some(count..len) })
    }

    /// The test part, not read yet; `None` when there is none. It has the classes of the training labels, where there are any.
    #[must_use]
    pub fn test(&self) -> Option<TestPart> {
        if !self.has("test") {
            return None;
        }
        let this = self.clone();
        Some(TestPart::separate(move || {
            let mut labels = Vec::new();
            for part in ["train", "val"].into_iter().filter(|part| this.has(part)) {
                labels.extend(this.labels(part)?);
            }
            let test = this.part("test")?;
            let of = if labels.is_empty() { &test.labels } else { &labels };
            let names = this.class_names(of);
            test.dataset(this.describe("test part"), names)
        }))
    }

    /// The names that the file beside it gives, or as many numbers as the labels need.
    fn class_names(&self, labels: &[u32]) -> Vec<String> {
        let count = || labels.iter().max().map_or(0, |&label| label as usize + 1);
        self.class_names.clone().unwrap_or_else(|| class_names::numbers(count()))
    }

    fn part(&self, part: &str) -> Result<Part, Error> {
        let images = self.array(&format!("{part}_images"))?;
        let labels = self.labels(part)?;
        let expected = "u8 images, [N, height, width] or [N, height, width, 3]";
        let shape = match *images.shape {
            [_, height, width] | [_, height, width, 1] => ImageShape::grey(height, width),
            [_, height, width, 3] => ImageShape::colour(height, width),
            _ => return Err(self.wrong(&format!("{part}_images"), expected, &images)),
        };
        if images.dtype.trim_start_matches(['|', '<', '>', '=']) != "u1" {
            return Err(self.wrong(&format!("{part}_images"), expected, &images));
        }
        if images.shape[0] != labels.len() {
            return Err(Error::Inconsistent {
                name: self.describe(part),
                expected: "one label an image".into(),
                found: format!("{} images and {} labels", images.shape[0], labels.len()),
            });
        }
        Ok(Part { shape, images: images.bytes, labels })
    }

    fn labels(&self, part: &str) -> Result<Vec<u32>, Error> {
        let name = format!("{part}_labels");
        let array = self.array(&name)?;
        match *array.shape {
            [_] | [_, 1] => {}
            [_, several] => {
                let expected = "one label an image, [N] or [N, 1]";
                let found = format!(
                    "{several} an image in `{name}` (a set of several labels cannot be learned)"
                );
                return Err(self.malformed(expected, found));
            }
            _ => return Err(self.wrong(&name, "labels, [N] or [N, 1]", &array)),
        }
        let numbers = integers(&array).ok_or_else(|| self.wrong(&name, "integers", &array))?;
        let label = |number: i64| u32::try_from(number).ok().filter(|&label| label < MOST_CLASSES);
        numbers
            .into_iter()
            .map(|number| label(number).ok_or(number))
            .collect::<Result<_, _>>()
            .map_err(|number| {
                self.malformed(
                    format!("labels from 0 to {}", MOST_CLASSES - 1),
                    format!("{number} in `{name}`"),
                )
            })
    }

    fn array(&self, name: &str) -> Result<Array, Error> {
        let mut archive = archive(&self.path)?;
        let packed_name = format!("{name}.npy");
        let entry = archive.by_name(&packed_name).map_err(|error| match error {
            ZipError::FileNotFound => self.malformed(format!("an array `{name}`"), "none"),
            error => self
                .malformed("a whole ZIP archive", format!("damage in `{packed_name}` ({error})")),
        })?;
        let (packed, unpacked) = (entry.compressed_size(), entry.size());
        let limit = most_unpacked(packed);
        if unpacked > limit {
            let name = format!("{}: {packed_name}", self.path.display());
            return Err(Error::Bomb { name, packed, unpacked: unpacked.into(), limit });
        }
        read_array(entry.take(unpacked), &format!("{}: {packed_name}", self.path.display()))
    }

    fn describe(&self, part: &str) -> String {
        format!("{} ({part})", self.path.display())
    }

    fn malformed(&self, expected: impl Into<String>, found: impl Into<String>) -> Error {
        Error::malformed(self.path.display().to_string(), expected, found)
    }

    fn wrong(&self, name: &str, expected: &str, array: &Array) -> Error {
        self.malformed(
            expected,
            format!("`{name}` of type {} and shape {:?}", array.dtype, array.shape),
        )
    }
}

/// More classes than any image set has: a label beyond is an error, and no reason to make room for so many names.
const MOST_CLASSES: u32 = 1 << 20;

fn archive(path: &Path) -> Result<ZipArchive<BufReader<File>>, Error> {
    let file = File::open(path).map_err(|source| Error::Io {
        doing: "read",
        path: path.to_owned(),
        source,
    })?;
    ZipArchive::new(BufReader::new(file)).map_err(|error| {
        Error::malformed(
            path.display().to_string(),
            "an .npz file (a ZIP archive)",
            error.to_string(),
        )
    })
}

/// One part in memory.
struct Part {
    shape: ImageShape,
    images: Vec<u8>,
    labels: Vec<u32>,
}

impl Part {
    fn append(&mut self, mut other: Self, path: &Path) -> Result<(), Error> {
        if self.shape != other.shape {
            return Err(Error::Inconsistent {
                name: path.display().to_string(),
                expected: format!("images of {} in every part", self.shape),
                found: format!("{} in the validation part", other.shape),
            });
        }
        self.images.append(&mut other.images);
        self.labels.append(&mut other.labels);
        Ok(())
    }

    fn dataset(self, description: String, names: Vec<String>) -> Result<Dataset, Error> {
        Dataset::new(description, self.shape, self.images, self.labels, names)
    }
}

/// Reads an array in NumPy's `.npy` format (versions 1 to 3); `name` says in errors where it came from.
///
/// # Errors
/// [`Error::Malformed`] when it is no such array, is cut off or goes on behind its end. What is allocated grows with what was
/// really read.
pub fn read_array(mut bytes: impl Read, name: &str) -> Result<Array, Error> {
    let malformed = |expected: &str, found: String| Error::malformed(name, expected, found);
    let mut take = |count: usize| -> Result<Vec<u8>, Error> {
        let mut taken = Vec::new();
        let read = (&mut bytes).take(count as u64).read_to_end(&mut taken);
        read.map_err(|error| malformed("whole packed data", format!("damage ({error})")))?;
        Ok(taken)
    };
    let start = take(8)?;
    let [0x93, b'N', b'U', b'M', b'P', b'Y', version, _] = *start else {
        return Err(malformed("a NumPy array", "another beginning".into()));
    };
    let len = take(if version == 1 { 2 } else { 4 })?;
    let len = len.iter().rev().fold(0, |len, &byte| len << 8 | usize::from(byte));
    if !(1..=3).contains(&version) || len > MOST_HEADER {
        return Err(malformed(
            "a NumPy array of version 1 to 3",
            format!("version {version} with {len} bytes of header"),
        ));
    }
    let header = take(len)?;
    let header = String::from_utf8_lossy(&header);
    let (dtype, shape) = parse_header(&header).ok_or_else(|| {
        malformed("a header with descr, fortran_order False and shape", header.trim().to_owned())
    })?;
    let item = item_size(&dtype).ok_or_else(|| malformed("integers", format!("type {dtype}")))?;
    let count = shape.iter().try_fold(item, |product, &size| product.checked_mul(size));
    let count =
        count.ok_or_else(|| malformed("sizes that can be counted", format!("{shape:?}")))?;
    let bytes = take(count)?;
    if bytes.len() < count {
        return Err(malformed(
            "as many bytes as its header says",
            format!("{} of {count} (the array is cut off)", bytes.len()),
        ));
    }
    match take(1)?.is_empty() {
        true => Ok(Array { dtype, shape, bytes }),
        false => Err(malformed("as many bytes as its header says", format!("more than {count}"))),
    }
}

/// Type and sizes from `{'descr': '|u1', 'fortran_order': False, 'shape': (4708, 28, 28), }`.
fn parse_header(header: &str) -> Option<(String, Vec<usize>)> {
    let value = |key: &str| {
        let at = header.find(&format!("'{key}'"))? + key.len() + 2;
        Some(header[at..].trim_start().strip_prefix(':')?.trim_start())
    };
    let dtype = value("descr")?.strip_prefix('\'')?.split('\'').next()?;
    if !value("fortran_order")?.starts_with("False") {
        return None;
    }
    let shape = value("shape")?.strip_prefix('(')?.split(')').next()?;
    let sizes = shape.split(',').map(str::trim).filter(|size| !size.is_empty());
    let sizes: Option<Vec<usize>> = sizes.map(|size| size.parse().ok()).collect();
    Some((dtype.to_owned(), sizes?))
}

/// Bytes of an integer of that type.
fn item_size(dtype: &str) -> Option<usize> {
    match dtype.trim_start_matches(['|', '<', '>', '=']) {
        "u1" | "i1" | "b1" => Some(1),
        "u2" | "i2" => Some(2),
        "u4" | "i4" => Some(4),
        "u8" | "i8" => Some(8),
        _ => None,
    }
}

/// The numbers of an array of integers.
fn integers(array: &Array) -> Option<Vec<i64>> {
    let size = item_size(&array.dtype)?;
    let (big, signed) = (array.dtype.starts_with('>'), array.dtype.contains('i'));
    let number = |bytes: &[u8]| {
        let mut wide = [0; 8];
        wide[..size].copy_from_slice(bytes);
        if big {
            wide[..size].reverse();
        }
        let unused = 64 - 8 * size;
        let shifted = u64::from_le_bytes(wide) << unused;
        // An unsigned number beyond i64 becomes negative, which no label may be.
        if signed || size == 8 { shifted as i64 >> unused } else { (shifted >> unused) as i64 }
    };
    Some(array.bytes.chunks_exact(size).map(number).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_every_width_and_order() {
        let array = |dtype: &str, bytes: &[u8]| {
            integers(&Array { dtype: dtype.into(), shape: Vec::new(), bytes: bytes.to_vec() })
        };
        assert_eq!(array("|u1", &[0, 255]), Some(vec![0, 255]));
        assert_eq!(array("|i1", &[3, 255]), Some(vec![3, -1]));
        assert_eq!(array("<u2", &[1, 2]), Some(vec![513]));
        assert_eq!(array(">u2", &[1, 2]), Some(vec![258]));
        assert_eq!(array("<i8", &[5, 0, 0, 0, 0, 0, 0, 0]), Some(vec![5]));
        assert_eq!(array(">i4", &[255, 255, 255, 254]), Some(vec![-2]));
        assert_eq!(array("<f4", &[0; 4]), None);
    }

    #[test]
    fn headers_as_numpy_writes_them() {
        let header = |shape: &str| {
            format!("{{'descr': '<i8', 'fortran_order': False, 'shape': {shape}, }}   \n")
        };
        assert_eq!(parse_header(&header("(3,)")), Some(("<i8".into(), vec![3])));
        assert_eq!(parse_header(&header("()")), Some(("<i8".into(), vec![])));
        assert_eq!(parse_header(&header("(3, 4, 5)")), Some(("<i8".into(), vec![3, 4, 5])));
        assert_eq!(parse_header(&header("(3, -4)")), None);
        assert_eq!(parse_header(&header("(3,)").replace("False", "True")), None);
        assert_eq!(
            parse_header("{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (1,)}"),
            None
        );
    }
}
