//! Numeric arrays in MATLAB's level 5 MAT files ("MAT-File Format", The MathWorks), the format of SVHN.
//!
//! ```text
//! header   124 bytes of text and offsets | version 0x0100 | "IM" (little-endian) or "MI"
//! element  type u32 | bytes u32 | data, padded to 8 bytes; or type u16 | bytes u16 | up to 4 bytes
//! miCOMPRESSED  a whole element, packed by zlib
//! miMATRIX      flags with the class | sizes | name | numbers, the first index fastest
//! ```
//! What is allocated grows with what was really read.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use flate2::bufread::ZlibDecoder;

use super::most_unpacked;
use crate::Error;

const HEADER: usize = 128;
const MI_UINT8: u32 = 2;
const MI_DOUBLE: u32 = 9;
const MI_MATRIX: u32 = 14;
const MI_COMPRESSED: u32 = 15;
/// The most bytes of sizes and of a name that are read.
const MOST_SMALL: u32 = 1024;

/// An array of numbers from 0 to 255, as it stands in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Array {
    pub name: String,
    pub sizes: Vec<usize>,
    /// The first index fastest.
    pub numbers: Vec<u8>,
}

/// Reads the arrays of a file whose names are wanted, in the order of the file.
///
/// # Errors
/// [`Error::Io`]; [`Error::Malformed`] when it is no such file, is cut off, or holds other numbers than whole ones from 0 to 255
/// under a wanted name; [`Error::Bomb`] when it would unpack to too much.
pub(super) fn read(path: &Path, wanted: &[&str]) -> Result<Vec<Array>, Error> {
    let io = |source| Error::Io { doing: "read", path: path.to_owned(), source };
    let file = File::open(path).map_err(io)?;
    let len = file.metadata().map_err(io)?.len();
    let mut input = BufReader::with_capacity(1 << 16, file);
    let name = path.display().to_string();
    let header =
        Stream { name: &name, input: &mut input, big: false, left: len }.take(HEADER as u64)?;
    let big = match header.get(124..) {
        Some([0x00, 0x01, b'I', b'M']) => false,
        Some([0x01, 0x00, b'M', b'I']) => true,
        _ => {
            let expected = "a MATLAB file of level 5 (its first 128 bytes end with IM or MI)";
            return Err(Error::malformed(name, expected, "another beginning"));
        }
    };
    let mut arrays = Vec::new();
    let mut left = len - HEADER as u64;
    while left > 0 {
        let mut stream = Stream { name: &name, input: &mut input, big, left };
        let tag = stream.tag()?;
        let rest = stream.left;
        if u64::from(tag.bytes) > rest {
            return Err(stream.cut_off(tag.bytes.into(), rest));
        }
        match tag.kind {
            MI_COMPRESSED => {
                let packed = u64::from(tag.bytes);
                let mut packed_bytes = (&mut input).take(packed);
                let unpacked = ZlibDecoder::new(&mut packed_bytes);
                let left = most_unpacked(packed);
                let mut inner = Stream { name: &name, input: unpacked, big, left };
                let tag = inner.tag()?;
                if u64::from(tag.bytes) > left {
                    let unpacked = tag.bytes.into();
                    return Err(Error::Bomb { name, packed, unpacked, limit: left });
                }
                if tag.kind == MI_MATRIX {
                    inner.left = tag.bytes.into();
                    arrays.extend(inner.matrix(wanted)?);
                }
                // What was not wanted is passed over, packed as it is.
                std::io::copy(&mut packed_bytes, &mut std::io::sink()).map_err(io)?;
            }
            kind => {
                let mut element =
                    Stream { name: &name, input: &mut input, big, left: tag.bytes.into() };
                if kind == MI_MATRIX {
                    arrays.extend(element.matrix(wanted)?);
                }
                let unread = element.left;
                element.skip(unread)?;
            }
        }
        left = rest - u64::from(tag.bytes);
    }
    Ok(arrays)
}

/// What stands before an element's data.
#[derive(Clone, Copy, Debug)]
struct Tag {
    kind: u32,
    bytes: u32,
    /// The data, when they stand in the tag itself.
    small: Option<[u8; 4]>,
}

/// Bytes to read, and how many there may be.
struct Stream<'a, R> {
    name: &'a str,
    input: R,
    big: bool,
    left: u64,
}

impl<R: Read> Stream<'_, R> {
    fn take(&mut self, count: u64) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        let read = (&mut self.input).take(count.min(self.left)).read_to_end(&mut bytes);
        read.map_err(|error| self.malformed("whole packed data", format!("damage ({error})")))?;
        self.left -= bytes.len() as u64;
        match bytes.len() as u64 == count {
            true => Ok(bytes),
            false => Err(self.cut_off(count, bytes.len() as u64)),
        }
    }

    fn skip(&mut self, count: u64) -> Result<(), Error> {
        let skipped = std::io::copy(&mut (&mut self.input).take(count), &mut std::io::sink());
        let skipped = skipped
            .map_err(|error| self.malformed("whole packed data", format!("damage ({error})")))?;
        self.left = self.left.saturating_sub(skipped);
        match skipped == count {
            true => Ok(()),
            false => Err(self.cut_off(count, skipped)),
        }
    }

    fn number(&self, bytes: [u8; 4]) -> u32 {
        if self.big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }

    fn tag(&mut self) -> Result<Tag, Error> {
        let bytes = self.take(8)?;
        let (halves, _) = bytes.as_chunks::<4>();
        let first = self.number(halves[0]);
        Ok(match first >> 16 {
            0 => Tag { kind: first, bytes: self.number(halves[1]), small: None },
            bytes => Tag { kind: first & 0xffff, bytes, small: Some(halves[1]) },
        })
    }

    /// An element with few bytes.
    fn small(&mut self) -> Result<Vec<u8>, Error> {
        let tag = self.tag()?;
        if tag.bytes > MOST_SMALL || tag.small.is_some() && tag.bytes > 4 {
            let found = format!("{} bytes", tag.bytes);
            return Err(self.malformed("flags, sizes and a name of at most 1024 bytes", found));
        }
        if let Some(small) = tag.small {
            return Ok(small[..tag.bytes as usize].to_vec());
        }
        let mut bytes = self.take(u64::from(tag.bytes).next_multiple_of(8))?;
        bytes.truncate(tag.bytes as usize);
        Ok(bytes)
    }

    /// The array of a matrix, if its name is wanted.
    fn matrix(&mut self, wanted: &[&str]) -> Result<Option<Array>, Error> {
        // Flags: the class of the array, and whether it is complex. The type of the numbers says enough.
        self.small()?;
        let sizes = self.small()?;
        let name = String::from_utf8_lossy(&self.small()?).into_owned();
        if !wanted.contains(&name.as_str()) {
            return Ok(None);
        }
        let (sizes, _) = sizes.as_chunks::<4>();
        let sizes: Vec<usize> = sizes.iter().map(|&size| self.number(size) as usize).collect();
        let count = sizes.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
        let count = count.ok_or_else(|| {
            self.malformed("sizes that can be counted", format!("{sizes:?} of `{name}`"))
        })?;
        let numbers = self.numbers(&name)?;
        match numbers.len() == count {
            true => Ok(Some(Array { name, sizes, numbers })),
            false => {
                let expected = format!("{count} numbers, as the sizes {sizes:?} of `{name}` say");
                Err(self.malformed(expected, numbers.len().to_string()))
            }
        }
    }

    fn numbers(&mut self, name: &str) -> Result<Vec<u8>, Error> {
        let tag = self.tag()?;
        let bytes = match tag.small {
            Some(small) => small[..small.len().min(tag.bytes as usize)].to_vec(),
            None => self.take(tag.bytes.into())?,
        };
        let expected = format!("whole numbers from 0 to 255 in `{name}`");
        match tag.kind {
            MI_UINT8 => Ok(bytes),
            MI_DOUBLE => {
                let (numbers, rest) = bytes.as_chunks::<8>();
                let number = |&bytes: &[u8; 8]| {
                    let wide = if self.big {
                        f64::from_be_bytes(bytes)
                    } else {
                        f64::from_le_bytes(bytes)
                    };
                    let narrow = wide as u8;
                    if f64::from(narrow) == wide { Ok(narrow) } else { Err(wide) }
                };
                if !rest.is_empty() {
                    return Err(
                        self.malformed(expected, format!("{} bytes of doubles", bytes.len()))
                    );
                }
                let numbers: Result<Vec<u8>, f64> = numbers.iter().map(number).collect();
                numbers.map_err(|wide| self.malformed(expected, wide.to_string()))
            }
            kind => Err(self.malformed(expected, format!("MATLAB's data type {kind}"))),
        }
    }

    fn cut_off(&self, expected: u64, found: u64) -> Error {
        self.malformed(
            format!("{expected} bytes"),
            format!("{found} (the file is cut off or its sizes are wrong)"),
        )
    }

    fn malformed(&self, expected: impl Into<String>, found: impl Into<String>) -> Error {
        Error::malformed(self.name, expected, found)
    }
}
