//! Writing: the same content gives the same bytes.

use super::header::Entry;
use super::{F32, MAX_HEADER, METADATA};
use crate::error::ModelError;
use crate::metadata::Metadata;
use crate::tensor::{Tensor, check_names};
use serde::Serialize;
use std::io::{self, Write};

/// The header is padded to a multiple of this many bytes, so that the numbers are aligned.
const ALIGNMENT: usize = 8;

/// Content that has been checked: what is wrong in memory must not reach the disk.
pub(crate) struct Prepared<'t> {
    header: String,
    tensors: &'t [Tensor],
}

impl<'t> Prepared<'t> {
    /// Adds the checksum and makes the header; refuses what [`read`](super::read) would refuse.
    pub(crate) fn new(
        origin: &str,
        mut metadata: Metadata,
        tensors: &'t [Tensor],
    ) -> Result<Self, ModelError> {
        let names = tensors.iter().map(|tensor| tensor.name.as_str());
        check_names(origin, names.chain([METADATA]))?;
        tensors.iter().try_for_each(|tensor| tensor.check(origin))?;
        metadata.seal(tensors);
        let header = header(&metadata, tensors);
        if header.len() as u64 > MAX_HEADER {
            let found = header.len();
            return Err(ModelError::HeaderTooLong { origin: origin.to_owned(), found });
        }
        Ok(Self { header, tensors })
    }

    /// Writes header and numbers.
    pub(crate) fn write(&self, to: &mut dyn Write) -> io::Result<()> {
        to.write_all(&(self.header.len() as u64).to_le_bytes())?;
        to.write_all(self.header.as_bytes())?;
        self.tensors.iter().try_for_each(|tensor| write_numbers(to, &tensor.data))
    }

    /// The bytes of the file.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.write(&mut bytes).expect("memory can be written");
        bytes
    }
}

fn header(metadata: &Metadata, tensors: &[Tensor]) -> String {
    let mut header = format!("{{\"{METADATA}\":{}", json(&metadata.entries));
    let mut start = 0;
    for tensor in tensors {
        let end = start + tensor.data.len() as u64 * 4;
        let (dtype, shape) = (F32.to_owned(), tensor.shape.clone());
        let entry = Entry { dtype, shape, data_offsets: (start, end) };
        header += &format!(",{}:{}", json(&tensor.name), json(&entry));
        start = end;
    }
    header.push('}');
    let padding = header.len().next_multiple_of(ALIGNMENT) - header.len();
    header + &" ".repeat(padding)
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("text, numbers and lists can be JSON")
}

fn write_numbers(to: &mut dyn Write, numbers: &[f32]) -> io::Result<()> {
    let mut bytes = [0; 16 << 10];
    for part in numbers.chunks(bytes.len() / 4) {
        for (place, number) in bytes.chunks_exact_mut(4).zip(part) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        to.write_all(&bytes[..part.len() * 4])?;
    }
    Ok(())
}
