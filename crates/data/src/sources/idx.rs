//! IDX files, the format of MNIST: a magic number, the sizes as big-endian u32, then the bytes.
//!
//! ```text
//! images  00 00 08 03 | count | rows | columns | count * rows * columns bytes
//! labels  00 00 08 01 | count | count bytes
//! ```
//! A file may be compressed with gzip; its first bytes tell. The header is believed only as far as the file goes:
//! what is allocated grows with what was really read.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::{class_names, most_unpacked};
use crate::growing::Growing;
use crate::pixel_cache::PixelCache;
use crate::{Dataset, Error, ImageShape, TestPart};

/// Images read from an IDX file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdxImages {
    /// Rows of each image.
    pub rows: usize,
    /// Columns of each image.
    pub columns: usize,
    /// Grey levels, [count, rows, columns].
    pub pixels: Vec<u8>,
}

/// Reads an IDX file of images.
///
/// # Errors
/// [`Error::Missing`], [`Error::IsFolder`], [`Error::Io`]; [`Error::Malformed`] when it is empty, cut off, longer than its
/// header says, without images, or not an IDX file of images; [`Error::Bomb`] when it would unpack to too much.
pub fn read_images(path: &Path) -> Result<IdxImages, Error> {
    let (sizes, pixels) = read(path, &Kind::IMAGES)?;
    Ok(IdxImages { rows: sizes[1], columns: sizes[2], pixels })
}

/// Reads an IDX file of labels.
///
/// # Errors
/// As [`read_images`].
pub fn read_labels(path: &Path) -> Result<Vec<u8>, Error> {
    read(path, &Kind::LABELS).map(|(_, labels)| labels)
}

/// The bytes of an IDX file of images, [count, rows, columns].
///
/// # Panics
/// When `pixels` is not a whole number of images, or a size does not fit into 32 bits.
#[must_use]
pub fn encode_images(rows: usize, columns: usize, pixels: &[u8]) -> Vec<u8> {
    let size = rows * columns;
    assert!(size > 0 && pixels.len().is_multiple_of(size), "not a whole number of images");
    encode(&Kind::IMAGES, &[pixels.len() / size, rows, columns], pixels)
}

/// The bytes of an IDX file of labels.
///
/// # Panics
/// When there are more than 2^32 - 1 labels.
#[must_use]
pub fn encode_labels(labels: &[u8]) -> Vec<u8> {
    encode(&Kind::LABELS, &[labels.len()], labels)
}

fn encode(kind: &Kind, sizes: &[usize], data: &[u8]) -> Vec<u8> {
    let mut bytes = kind.magic.to_vec();
    for &size in sizes {
        let size = u32::try_from(size).expect("an IDX size has 32 bits");
        bytes.extend(size.to_be_bytes());
    }
    bytes.extend(data);
    bytes
}

/// The two kinds of IDX file read here.
struct Kind {
    magic: [u8; 4],
    content: &'static str,
}

impl Kind {
    const IMAGES: Self = Self { magic: [0, 0, 8, 3], content: "images" };
    const LABELS: Self = Self { magic: [0, 0, 8, 1], content: "labels" };

    fn dimensions(&self) -> usize {
        usize::from(self.magic[3])
    }

    fn header_len(&self) -> usize {
        4 + 4 * self.dimensions()
    }
}

/// Reads sizes and data of a file of one kind.
fn read(path: &Path, kind: &Kind) -> Result<(Vec<usize>, Vec<u8>), Error> {
    let mut data = Vec::new();
    let sizes = IdxFile::open(path, kind)?.read(kind, |file, count| {
        data = file.take(count)?;
        Ok(data.len() as u64)
    })?;
    Ok((sizes, data))
}

/// Appends the images of a file, and gives their sizes: count, rows, columns.
fn append_images(path: &Path, images: &mut Growing<'_>) -> Result<Vec<usize>, Error> {
    IdxFile::open(path, &Kind::IMAGES)?
        .read(&Kind::IMAGES, |file, count| images.fill(count, |piece| file.take(piece)))
}

/// An open file, and how much it may hold.
struct IdxFile<'a> {
    path: &'a Path,
    stream: Box<dyn Read>,
    file_len: u64,
    compressed: bool,
}

impl<'a> IdxFile<'a> {
    fn open(path: &'a Path, kind: &Kind) -> Result<Self, Error> {
        let io = |source| Error::Io { doing: "read", path: path.to_owned(), source };
        let mut file = File::open(path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => Error::Missing {
                path: path.to_owned(),
                expected: format!("an IDX file of {}", kind.content),
            },
            _ => io(source),
        })?;
        let metadata = file.metadata().map_err(io)?;
        if metadata.is_dir() {
            return Err(Error::IsFolder { path: path.to_owned(), expected: "an IDX file" });
        }
        let mut start = Vec::new();
        (&mut file).take(2).read_to_end(&mut start).map_err(io)?;
        file.seek(SeekFrom::Start(0)).map_err(io)?;
        let compressed = start == [0x1f, 0x8b];
        let stream: Box<dyn Read> = match compressed {
            true => Box::new(MultiGzDecoder::new(BufReader::with_capacity(1 << 16, file))),
            false => Box::new(file),
        };
        Ok(Self { path, stream, file_len: metadata.len(), compressed })
    }

    /// The sizes, after `data` was asked to read so many bytes and gave the number of those that there were.
    fn read(
        mut self,
        kind: &Kind,
        data: impl FnOnce(&mut Self, u64) -> Result<u64, Error>,
    ) -> Result<Vec<usize>, Error> {
        let header = self.take(kind.header_len() as u64)?;
        let sizes = self.sizes(&header, kind)?;
        let expected: u128 = sizes.iter().map(|&size| u128::from(size)).product();
        let expected = self.believable(expected, kind)?;
        let found = data(&mut self, expected)?;
        if found < expected {
            return Err(self.malformed(
                format!("{expected} bytes of {} as its header says", kind.content),
                format!("only {found} (the file is cut off)"),
            ));
        }
        if !self.take(1)?.is_empty() {
            return Err(self.malformed(
                format!("{expected} bytes of {} as its header says", kind.content),
                "more bytes after them",
            ));
        }
        Ok(sizes.into_iter().map(|size| size as usize).collect())
    }

    /// The sizes in the header, none of them zero.
    fn sizes(&self, header: &[u8], kind: &Kind) -> Result<Vec<u32>, Error> {
        let expected = || {
            let magic = u32::from_be_bytes(kind.magic);
            format!("an IDX file of {} (magic number {magic:#010x})", kind.content)
        };
        if header.is_empty() {
            return Err(self.malformed(expected(), "an empty file"));
        }
        if let Some(magic) = header.first_chunk::<4>().filter(|&magic| *magic != kind.magic) {
            let found = match *magic {
                [0, 0, 8, 3] => "an IDX file of images".into(),
                [0, 0, 8, 1] => "an IDX file of labels".into(),
                other => format!("magic number {:#010x}", u32::from_be_bytes(other)),
            };
            return Err(self.malformed(expected(), found));
        }
        if header.len() < kind.header_len() {
            let found = format!("only {} bytes", header.len());
            return Err(self.malformed(format!("a header of {} bytes", kind.header_len()), found));
        }
        let (sizes, _) = header[4..].as_chunks::<4>();
        let sizes: Vec<u32> = sizes.iter().map(|&bytes| u32::from_be_bytes(bytes)).collect();
        match sizes.contains(&0) {
            true => {
                let names = ["count", "rows", "columns"];
                let zero = sizes.iter().position(|&size| size == 0).unwrap_or(0);
                Err(self.malformed(
                    format!("at least one of its {}", kind.content),
                    format!("a header with {} 0", names[zero]),
                ))
            }
            false => Ok(sizes),
        }
    }

    /// Refuses a claimed size that the file cannot, or should not, hold.
    fn believable(&self, claimed: u128, kind: &Kind) -> Result<u64, Error> {
        if !self.compressed {
            let held = self.file_len.saturating_sub(kind.header_len() as u64);
            return match u64::try_from(claimed) {
                Ok(size) if size <= held || !self.path.is_file() => Ok(size),
                _ => Err(self.malformed(
                    format!("{claimed} bytes of {} as its header says", kind.content),
                    format!("only {held} (the file is cut off or its header is wrong)"),
                )),
            };
        }
        let limit = most_unpacked(self.file_len);
        match u64::try_from(claimed) {
            Ok(size) if size <= limit => Ok(size),
            _ => Err(Error::Bomb {
                name: self.path.display().to_string(),
                packed: self.file_len,
                unpacked: claimed,
                limit,
            }),
        }
    }

    /// Up to `count` bytes; the buffer grows with what arrives.
    fn take(&mut self, count: u64) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        match (&mut self.stream).take(count).read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(source) if self.compressed => {
                Err(self.malformed("a whole gzip file", format!("damage ({source})")))
            }
            Err(source) => Err(Error::Io { doing: "read", path: self.path.to_owned(), source }),
        }
    }

    fn malformed(&self, expected: impl Into<String>, found: impl Into<String>) -> Error {
        Error::malformed(self.path.display().to_string(), expected, found)
    }
}

/// A folder with IDX files under MNIST's names: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, and the same with
/// `t10k-` for the test part; also with `.idx` for `-idx`, and with `.gz`. Classes are numbers, unless a file
/// `class_names.txt` names them, one a line.
#[derive(Clone, Debug)]
pub struct IdxFolder {
    folder: PathBuf,
    train: Option<Pair>,
    test: Option<Pair>,
    class_names: Option<Vec<String>>,
}

/// Where the images and the labels of one part are.
#[derive(Clone, Debug)]
struct Pair {
    images: PathBuf,
    labels: PathBuf,
}

impl IdxFolder {
    /// Whether the names are those of IDX files; `None` when not a single one is.
    pub(super) fn recognise(folder: &Path, names: &[String]) -> Result<Option<Self>, Error> {
        let train = Pair::find(folder, names, "train")?;
        let test = Pair::find(folder, names, "t10k")?;
        if train.is_none() && test.is_none() {
            return Ok(None);
        }
        let class_names = class_names::of_folder(folder)?;
        Ok(Some(Self { folder: folder.to_owned(), train, test, class_names }))
    }

    /// Reads the training part.
    ///
    /// # Errors
    /// [`Error::Missing`] when the folder has a test part only; otherwise as [`read_images`], and
    /// [`Error::Inconsistent`] when images and labels differ in number.
    pub fn train(&self, cache: Option<&PixelCache>) -> Result<Dataset, Error> {
        let Some(pair) = &self.train else {
            return Err(Error::Missing {
                path: self.folder.join("train-images-idx3-ubyte"),
                expected: "the training images (plain or .gz); this folder has a test part only"
                    .into(),
            });
        };
        pair.read("training part", self.class_names.clone(), cache)
    }

    /// The test part, not read yet; `None` when the folder has a training part only.
    ///
    /// Opening it gives it the classes of the training labels, where there are any and no file names the classes.
    #[must_use]
    pub fn test(&self, cache: Option<PixelCache>) -> Option<TestPart> {
        let pair = self.test.clone()?;
        let train_labels = self.train.as_ref().map(|train| train.labels.clone());
        let mut names = self.class_names.clone();
        Some(TestPart::separate(move || {
            if let (None, Some(path)) = (&names, train_labels) {
                names = Some(class_names::numbers(class_count(&read_labels(&path)?)));
            }
            pair.read("test part", names, cache.as_ref())
        }))
    }
}

impl Pair {
    /// Finds both files of a part, or neither.
    fn find(folder: &Path, names: &[String], part: &str) -> Result<Option<Self>, Error> {
        let images = find_name(names, part, "images", "idx3");
        let labels = find_name(names, part, "labels", "idx1");
        let missing = |content: &str, idx: &str| Error::Missing {
            path: folder.join(format!("{part}-{content}-{idx}-ubyte")),
            expected: format!("the {content} of the same part (plain or .gz)"),
        };
        match (images, labels) {
            (None, None) => Ok(None),
            (Some(_), None) => Err(missing("labels", "idx1")),
            (None, Some(_)) => Err(missing("images", "idx3")),
            (Some(images), Some(labels)) => {
                Ok(Some(Self { images: folder.join(images), labels: folder.join(labels) }))
            }
        }
    }

    /// Reads both files; without names, the classes are as many numbers as the labels need.
    fn read(
        &self,
        part: &str,
        names: Option<Vec<String>>,
        cache: Option<&PixelCache>,
    ) -> Result<Dataset, Error> {
        let labels = read_labels(&self.labels)?;
        let mut images = Growing::new(cache);
        let sizes = append_images(&self.images, &mut images)?;
        let (count, shape) = (sizes[0], ImageShape::grey(sizes[1], sizes[2]));
        let folder = self.images.parent().unwrap_or(Path::new("."));
        let description = format!("{} ({part})", folder.display());
        if count != labels.len() {
            return Err(Error::Inconsistent {
                name: description,
                expected: "one label an image".into(),
                found: format!(
                    "{count} images in `{}` and {} labels in `{}`",
                    self.images.display(),
                    labels.len(),
                    self.labels.display()
                ),
            });
        }
        let names = names.unwrap_or_else(|| class_names::numbers(class_count(&labels)));
        let labels = labels.into_iter().map(u32::from).collect();
        images.dataset(description, shape, labels, names)
    }
}

/// The file of a part under one of its four names; plain goes before `.gz`.
fn find_name<'a>(names: &'a [String], part: &str, content: &str, idx: &str) -> Option<&'a String> {
    ["", ".gz"]
        .into_iter()
        .flat_map(|end| ["-", "."].map(|dash| format!("{part}-{content}{dash}{idx}-ubyte{end}")))
        .find_map(|wanted| names.iter().find(|name| **name == wanted))
}

/// Classes are 0 to the largest label.
fn class_count(labels: &[u8]) -> usize {
    labels.iter().max().map_or(0, |&label| usize::from(label) + 1)
}

/// Writes the IDX files of one part ("train" or "t10k") into `folder`, under the standard names.
///
/// # Errors
/// [`Error::Io`].
///
/// # Panics
/// As [`encode_images`].
pub fn write_part(
    folder: &Path,
    part: &str,
    images: &IdxImages,
    labels: &[u8],
) -> Result<(), Error> {
    let write = |name: String, bytes: Vec<u8>| {
        let path = folder.join(name);
        fs::write(&path, bytes).map_err(|source| Error::Io { doing: "write", path, source })
    };
    let pixels = encode_images(images.rows, images.columns, &images.pixels);
    write(format!("{part}-images-idx3-ubyte"), pixels)?;
    write(format!("{part}-labels-idx1-ubyte"), encode_labels(labels))
}
