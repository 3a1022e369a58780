//! Writing: the same content gives the same bytes.

use super::header::Entry;
use super::{F32, METADATA};
use crate::error::ModelError;
use crate::metadata::Metadata;
use crate::tensor::{Tensor, check_names};
use serde_json::to_string;
use std::io::{self, Write};

/// The header and then the tensors in the order given are aligned to this many bytes, as the format asks.
const ALIGNMENT: usize = 8;

/// Checks what is about to be written: what is wrong in memory must not reach the disk.
pub(crate) fn check(origin: &str, tensors: &[Tensor]) -> Result<(), ModelError> {
    check_names(origin, tensors.iter().map(|tensor| tensor.name.as_str()))?;
    tensors.iter().try_for_each(|tensor| tensor.check(origin))
}

/// Writes checked content.
pub(crate) fn write(to: &mut dyn Write, metadata: &Metadata, tensors: &[Tensor]) -> io::Result<()> {
    let header = header(metadata, tensors)?;
    to.write_all(&(header.len() as u64).to_le_bytes())?;
    to.write_all(header.as_bytes())?;
    tensors.iter().try_for_each(|tensor| write_numbers(to, &tensor.data))
}

fn header(metadata: &Metadata, tensors: &[Tensor]) -> io::Result<String> {
    let mut header = format!("{{\"{METADATA}\":{}", to_string(&metadata.entries)?);
    let mut start = 0;
    for tensor in tensors {
        let end = start + tensor.data.len() as u64 * 4;
        let entry = Entry {
            dtype: F32.to_owned(),
            shape: tensor.shape.clone(),
            data_offsets: (start, end),
        };
        header += &format!(",{}:{}", to_string(&tensor.name)?, to_string(&entry)?);
        start = end;
    }
    header.push('}');
    let padding = header.len().next_multiple_of(ALIGNMENT) - header.len();
    Ok(header + &" ".repeat(padding))
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
