//! Arrays of integers in NumPy's `.npy` format, versions 1 to 3.

use std::io::Read;

use crate::Error;

/// The longest header of a `.npy` array that is read, in bytes. NumPy's own limit is 10,000.
const MOST_HEADER: usize = 16_384;

/// An array as it stands in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Array {
    /// What it is.
    pub header: Header,
    /// Its bytes, the last index fastest.
    pub bytes: Vec<u8>,
}

/// What an array is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// NumPy's name of its type: `|u1`.
    pub dtype: String,
    /// Its sizes.
    pub shape: Vec<usize>,
    /// Bytes of all its numbers.
    pub bytes: usize,
}

/// Reads an array in NumPy's `.npy` format (versions 1 to 3); `name` says in errors where it came from.
///
/// # Errors
/// [`Error::Malformed`] when it is no such array, is cut off or goes on behind its end. What is allocated grows with what was
/// really read.
pub fn read_array(mut bytes: impl Read, name: &str) -> Result<Array, Error> {
    all(Open::new(&mut bytes, name)?)
}

/// An array whose header has been read, and whose bytes come next.
pub(super) struct Open<'a> {
    pub header: Header,
    stream: Stream<'a>,
}

impl<'a> Open<'a> {
    pub fn new(bytes: &'a mut dyn Read, name: &'a str) -> Result<Self, Error> {
        let mut stream = Stream { bytes, name };
        Ok(Self { header: stream.header()?, stream })
    }

    /// Up to so many of its bytes.
    pub fn take(&mut self, count: u64) -> Result<Vec<u8>, Error> {
        self.stream.take(count)
    }

    /// Checks that so many bytes were all, and that no more follow.
    pub fn end(&mut self, found: u64) -> Result<(), Error> {
        let (count, expected) = (self.header.bytes, "as many bytes as its header says");
        if found < count as u64 {
            let found = format!("{found} of {count} (the array is cut off)");
            return Err(self.stream.malformed(expected, found));
        }
        match self.take(1)?.is_empty() {
            true => Ok(()),
            false => Err(self.stream.malformed(expected, format!("more than {count}"))),
        }
    }
}

/// The bytes of an array, and what errors call it.
struct Stream<'a> {
    bytes: &'a mut dyn Read,
    name: &'a str,
}

impl Stream<'_> {
    fn header(&mut self) -> Result<Header, Error> {
        let start = self.take(8)?;
        let [0x93, b'N', b'U', b'M', b'P', b'Y', version, _] = *start else {
            return Err(self.malformed("a NumPy array", "another beginning".into()));
        };
        let len = self.take(if version == 1 { 2 } else { 4 })?;
        let len = len.iter().rev().fold(0, |len, &byte| len << 8 | usize::from(byte));
        if !(1..=3).contains(&version) || len > MOST_HEADER {
            let found = format!("version {version} with {len} bytes of header");
            return Err(self.malformed("a NumPy array of version 1 to 3", found));
        }
        let header = self.take(len as u64)?;
        let header = String::from_utf8_lossy(&header);
        let (dtype, shape) = parse_header(&header).ok_or_else(|| {
            let expected = "a header with descr, fortran_order False and shape";
            self.malformed(expected, header.trim().to_owned())
        })?;
        let item =
            item_size(&dtype).ok_or_else(|| self.malformed("integers", format!("type {dtype}")))?;
        let bytes = shape.iter().try_fold(item, |product, &size| product.checked_mul(size));
        let bytes = bytes
            .ok_or_else(|| self.malformed("sizes that can be counted", format!("{shape:?}")))?;
        Ok(Header { dtype, shape, bytes })
    }

    fn take(&mut self, count: u64) -> Result<Vec<u8>, Error> {
        let mut taken = Vec::new();
        let read = (&mut *self.bytes).take(count).read_to_end(&mut taken);
        read.map_err(|error| self.malformed("whole packed data", format!("damage ({error})")))?;
        Ok(taken)
    }

    fn malformed(&self, expected: &str, found: String) -> Error {
        Error::malformed(self.name, expected, found)
    }
}

/// Reads all of an array into memory.
pub(super) fn all(mut array: Open<'_>) -> Result<Array, Error> {
    let bytes = array.take(array.header.bytes as u64)?;
    array.end(bytes.len() as u64)?;
    Ok(Array { header: array.header, bytes })
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
pub(super) fn integers(array: &Array) -> Option<Vec<i64>> {
    let dtype = &array.header.dtype;
    let size = item_size(dtype)?;
    let (big, signed) = (dtype.starts_with('>'), dtype.contains('i'));
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
            let header =
                Header { dtype: dtype.into(), shape: vec![bytes.len()], bytes: bytes.len() };
            integers(&Array { header, bytes: bytes.to_vec() })
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
