//! Moves bytes from a reader to a writer, and tells which of the two failed.

use std::io::{self, ErrorKind, Read, Write};

/// What failed.
#[derive(Debug)]
pub(crate) enum Failed {
    Reading(io::Error),
    Writing(io::Error),
}

/// Moves everything; `each` hears after each piece how much has been moved.
pub(crate) fn transfer(
    input: &mut impl Read,
    output: &mut impl Write,
    mut each: impl FnMut(u64),
) -> Result<(), Failed> {
    let mut buffer = vec![0; 1 << 16];
    let mut moved = 0;
    loop {
        let count = match input.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(Failed::Reading(error)),
        };
        output.write_all(&buffer[..count]).map_err(Failed::Writing)?;
        moved += count as u64;
        each(moved);
    }
}
