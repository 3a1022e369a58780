//! The safetensors format: 8 bytes that tell the header's length, a JSON header, then the numbers of all tensors.

mod header;
mod read;
mod write;

pub(crate) use read::{Container, Opened, open_file, read, read_file};
pub(crate) use write::Prepared;

/// Where a JSON header lists the file's text entries.
const METADATA: &str = "__metadata__";

/// The longest header that is read: thousands of layers need less than a tenth of it.
const MAX_HEADER: u64 = 16 << 20;

/// The only kind of number in percept's files.
const F32: &str = "F32";
