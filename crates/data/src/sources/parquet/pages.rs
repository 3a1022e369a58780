//! Where the pages of a column are, and whether their sizes can be believed.
//!
//! Each page of a Parquet file stands behind a header in Thrift's compact protocol (Apache Parquet format, `parquet.thrift`):
//! field 1 its kind, 2 and 3 its size unpacked and packed, and in field 5 or 8 (a struct) field 1, the number of its values.
//! The reader behind makes room for what a header says, so the headers are walked first.

use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;

use ::parquet::file::page_index::offset_index::PageLocation;

use crate::sources::most_unpacked;

const DATA_PAGE: i64 = 0;
const DICTIONARY_PAGE: i64 = 2;
const DATA_PAGE_V2: i64 = 3;
/// Structs within structs: statistics lie two deep.
const DEEPEST: usize = 8;

/// Finds the data pages in `range` of the file, which hold `rows` rows; says what was expected and found when they do not.
pub(super) fn locate(
    file: &mut (impl Read + Seek),
    range: Range<u64>,
    rows: u64,
) -> Result<Vec<PageLocation>, (String, String)> {
    let damaged = |error: io::Error| ("whole page headers".to_owned(), format!("damage ({error})"));
    let mut pages = Vec::new();
    let (mut at, mut counted) = (range.start, 0u64);
    while at < range.end && counted < rows {
        file.seek(SeekFrom::Start(at)).map_err(damaged)?;
        let mut input = Compact { input: file.take(range.end - at), read: 0 };
        let header = input.header().map_err(damaged)?;
        let size = |size: i64| u64::try_from(size).unwrap_or(u64::MAX);
        let (packed, unpacked) = (size(header.packed), size(header.unpacked));
        let left = range.end - at - input.read;
        if packed > left {
            return Err((
                format!("a page of {} bytes", header.packed),
                format!("{left} left of its column"),
            ));
        }
        let limit = most_unpacked(packed);
        if unpacked > limit {
            let expected = format!("a page that unpacks to at most {limit} bytes");
            return Err((expected, header.unpacked.to_string()));
        }
        let whole = input.read + packed;
        match header.kind {
            DATA_PAGE | DATA_PAGE_V2 => {
                let too_large = |_| ("pages below 2 GiB".to_owned(), whole.to_string());
                pages.push(PageLocation {
                    offset: at as i64,
                    compressed_page_size: i32::try_from(whole).map_err(too_large)?,
                    first_row_index: counted as i64,
                });
                counted = counted.saturating_add(size(header.values));
            }
            DICTIONARY_PAGE if pages.is_empty() => {}
            kind => return Err(("data pages".into(), format!("a page of kind {kind}"))),
        }
        at += whole;
    }
    match counted == rows {
        true => Ok(pages),
        false => Err((format!("{rows} rows"), format!("pages with {counted}"))),
    }
}

#[derive(Default)]
struct Header {
    kind: i64,
    unpacked: i64,
    packed: i64,
    values: i64,
}

/// Thrift's compact protocol, as far as it takes to read or pass over a struct.
struct Compact<R> {
    input: R,
    read: u64,
}

impl<R: Read> Compact<R> {
    fn header(&mut self) -> io::Result<Header> {
        let mut header = Header { kind: -1, ..Header::default() };
        let mut last = 0;
        while let Some((field, kind)) = self.field(&mut last)? {
            match (field, kind) {
                (1, 4..=6) => header.kind = self.integer()?,
                (2, 4..=6) => header.unpacked = self.integer()?,
                (3, 4..=6) => header.packed = self.integer()?,
                (5 | 8, 12) => header.values = self.values()?,
                _ => self.skip(kind, 0)?,
            }
        }
        Ok(header)
    }

    /// Field 1 of a struct.
    fn values(&mut self) -> io::Result<i64> {
        let (mut values, mut last) = (0, 0);
        while let Some((field, kind)) = self.field(&mut last)? {
            match (field, kind) {
                (1, 4..=6) => values = self.integer()?,
                _ => self.skip(kind, 1)?,
            }
        }
        Ok(values)
    }

    /// The next field's number and type; `None` at the end of a struct.
    fn field(&mut self, last: &mut i64) -> io::Result<Option<(i64, u8)>> {
        let byte = self.byte()?;
        if byte == 0 {
            return Ok(None);
        }
        *last = match byte >> 4 {
            0 => self.integer()?,
            step => last.saturating_add(step.into()),
        };
        Ok(Some((*last, byte & 15)))
    }

    fn skip(&mut self, kind: u8, depth: usize) -> io::Result<()> {
        if depth > DEEPEST {
            return Err(io::Error::new(
                ErrorKind::InvalidData,
                "structs too deep within each other",
            ));
        }
        match kind {
            1 | 2 => Ok(()),
            3 => self.pass(1),
            4..=6 => self.varint().map(drop),
            7 => self.pass(8),
            8 => {
                let len = self.varint()?;
                self.pass(len)
            }
            9 | 10 => {
                let head = self.byte()?;
                let count = if head >> 4 == 15 { self.varint()? } else { u64::from(head >> 4) };
                // Truth values take a byte each in a list, and nothing as a field.
                let kind = if head & 15 <= 2 { 3 } else { head & 15 };
                (0..count).try_for_each(|_| self.skip(kind, depth + 1))
            }
            12 => {
                let mut last = 0;
                while let Some((_, kind)) = self.field(&mut last)? {
                    self.skip(kind, depth + 1)?;
                }
                Ok(())
            }
            kind => Err(io::Error::new(ErrorKind::InvalidData, format!("a field of type {kind}"))),
        }
    }

    fn pass(&mut self, count: u64) -> io::Result<()> {
        let passed = io::copy(&mut (&mut self.input).take(count), &mut io::sink())?;
        self.read += passed;
        if passed == count { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) }
    }

    fn byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.input.read_exact(&mut byte)?;
        self.read += 1;
        Ok(byte[0])
    }

    fn varint(&mut self) -> io::Result<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 127) << shift;
            if byte < 128 {
                return Ok(number);
            }
        }
        Err(io::Error::new(ErrorKind::InvalidData, "a number of more than 64 bits"))
    }

    /// Zigzag: 0, -1, 1, -2, ...
    fn integer(&mut self) -> io::Result<i64> {
        let number = self.varint()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    /// A header by hand: kind, sizes, checksum in field 4, then 10 values in a struct in field 5 with an encoding behind.
    #[test]
    fn a_header_by_hand() {
        let page = |kind: u8, values: u8| {
            let head =
                [0x15, kind * 2, 0x15, 8, 0x15, 6, 0x15, 1, 0x1c, 0x15, values * 2, 0x15, 0, 0, 0];
            [&head[..], &[7; 3]].concat()
        };
        let file = [page(2, 9), page(0, 10), page(0, 5)].concat();
        let len = file.len() as u64;
        let find = |range, rows| locate(&mut Cursor::new(&file), range, rows);
        let pages = find(0..len, 15).unwrap();
        let found: Vec<(i64, i32, i64)> = pages
            .iter()
            .map(|page| (page.offset, page.compressed_page_size, page.first_row_index))
            .collect();
        assert_eq!(found, [(18, 18, 0), (36, 18, 10)]);
        let refused = |range, rows| {
            let (expected, found) = find(range, rows).unwrap_err();
            format!("{expected}, {found}")
        };
        assert_eq!(refused(0..len, 16), "16 rows, pages with 15");
        assert_eq!(refused(0..len, 14), "14 rows, pages with 15");
        assert_eq!(refused(0..len - 1, 15), "a page of 3 bytes, 2 left of its column");
        assert_eq!(
            refused(0..len - 3 - 9, 15),
            "whole page headers, damage (failed to fill whole buffer)"
        );
        assert_eq!(refused(18..len, 40), "40 rows, pages with 15");
    }

    #[test]
    fn sizes_that_cannot_be_are_refused() {
        // -1 bytes packed; 2 GiB unpacked from 3 bytes; a kind of page that is none.
        let negative = [0x15, 0, 0x15, 8, 0x15, 1, 0];
        let huge = [0x15, 0, 0x15, 0xfe, 0xff, 0xff, 0xff, 0x0f, 0x15, 0, 0];
        let other = [0x15, 8, 0x15, 0, 0x15, 0, 0];
        for (head, expected, found) in [
            (&negative[..], "a page of -1 bytes", "0 left of its column"),
            (&huge, "a page that unpacks to at most 67108864 bytes", "2147483647"),
            (&other, "data pages", "a page of kind 4"),
        ] {
            let outcome = locate(&mut Cursor::new(head), 0..head.len() as u64, 1);
            assert_eq!(outcome.unwrap_err(), (expected.to_owned(), found.to_owned()));
        }
    }

    #[test]
    fn nothing_is_nested_for_ever() {
        for nested in [0x1c, 0x19] {
            let bytes = vec![nested; 10_000];
            assert!(locate(&mut Cursor::new(&bytes), 0..10_000, 1).is_err());
        }
    }
}
