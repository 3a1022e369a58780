//! Reading: every length is held against the file before anything is allocated for it.

use super::header::{Entry, Header};
use super::{F32, MAX_HEADER};
use crate::error::{Kind, ModelError, quoted};
use crate::metadata::Metadata;
use crate::tensor::{MAX_AXES, MAX_NAME, Tensor, element_count};
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::Path;

/// Bytes before the header.
const LENGTH_BYTES: u64 = 8;

/// Bytes read at once into numbers.
const PART: usize = 64 << 10;

/// A file's content: entries and tensors, in the order in which they lie in the file.
#[derive(Debug)]
pub(crate) struct Container {
    pub(crate) metadata: Metadata,
    pub(crate) tensors: Vec<Tensor>,
}

/// Reads a file.
pub(crate) fn read_file(path: &Path, kind: Kind) -> Result<Container, ModelError> {
    let container = read_unsealed_file(path, kind)?;
    container.metadata.check_seal(&path.display().to_string(), &container.tensors)?;
    Ok(container)
}

/// Reads a file but leaves [`Metadata::check_seal`] to the caller.
pub(crate) fn read_unsealed_file(path: &Path, kind: Kind) -> Result<Container, ModelError> {
    let origin = path.display().to_string();
    let unreadable = |source| ModelError::Read { origin: origin.clone(), source };
    // Before it is opened: opening a pipe would wait for its other end.
    let status = fs::metadata(path).map_err(unreadable)?;
    if !status.is_file() {
        let found = if status.is_dir() { "a directory" } else { "a device or pipe" };
        return Err(ModelError::NotAFile { origin, found });
    }
    let file = File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    read_unsealed(&origin, BufReader::with_capacity(PART, file), length, kind)
}

/// Reads `length` bytes, of which a truthful file consists.
pub(crate) fn read(
    origin: &str,
    source: impl Read,
    length: u64,
    kind: Kind,
) -> Result<Container, ModelError> {
    let container = read_unsealed(origin, source, length, kind)?;
    container.metadata.check_seal(origin, &container.tensors)?;
    Ok(container)
}

fn read_unsealed(
    origin: &str,
    mut source: impl Read,
    length: u64,
    kind: Kind,
) -> Result<Container, ModelError> {
    let file = Source { origin, length };
    let text = file.header_text(&mut source, kind)?;
    let header: Header = serde_json::from_slice(&text)
        .map_err(|cause| file.damaged("its header cannot be read".to_owned(), Some(cause)))?;
    let names: Vec<String> = header.tensors.iter().map(|(name, _)| name.clone()).collect();
    let metadata = Metadata { entries: header.metadata };
    metadata.check_kind(origin, kind, &names)?;
    let layout = file.layout(header.tensors, LENGTH_BYTES + text.len() as u64)?;
    let tensors = layout
        .into_iter()
        .map(|(name, shape)| file.tensor(&mut source, name, shape))
        .collect::<Result<Vec<_>, _>>()?;
    for tensor in &tensors {
        tensor.check(origin)?;
    }
    Ok(Container { metadata, tensors })
}

/// The file that is being read.
struct Source<'o> {
    origin: &'o str,
    length: u64,
}

impl Source<'_> {
    fn header_text(&self, source: &mut impl Read, kind: Kind) -> Result<Vec<u8>, ModelError> {
        // Enough to recognise files of others: the length and the first bytes after it.
        let start = self.bytes(source, self.length.min(2 * LENGTH_BYTES))?;
        let Some((length, begun)) = start.split_first_chunk() else {
            return Err(self.foreign(kind, &start));
        };
        let header = u64::from_le_bytes(*length);
        if begun.first() != Some(&b'{') || header > MAX_HEADER && looks_foreign(&start) {
            return Err(self.foreign(kind, &start));
        }
        if header > MAX_HEADER {
            let reason = format!("its header claims {header} bytes, at most {MAX_HEADER} are read");
            return Err(self.damaged(reason, None));
        }
        if header > self.length - LENGTH_BYTES {
            return Err(self.truncated(LENGTH_BYTES + header));
        }
        if header < begun.len() as u64 {
            return Err(self.damaged(format!("a header of {header} bytes says nothing"), None));
        }
        let rest = self.bytes(source, header - begun.len() as u64)?;
        Ok([begun, &rest].concat())
    }

    /// Names and shapes in file order, once it is certain that they fill the file.
    fn layout(
        &self,
        mut entries: Vec<(String, Entry)>,
        data_start: u64,
    ) -> Result<Vec<(String, Vec<usize>)>, ModelError> {
        entries.sort_by_key(|(_, entry)| entry.data_offsets);
        let mut end = 0;
        for (name, entry) in &entries {
            self.check_entry(name, entry, end)?;
            end = entry.data_offsets.1;
        }
        let expected = data_start.saturating_add(end);
        if expected > self.length {
            return Err(self.truncated(expected));
        }
        if expected < self.length {
            let origin = self.origin.to_owned();
            return Err(ModelError::TrailingBytes { origin, expected, found: self.length });
        }
        Ok(entries.into_iter().map(|(name, entry)| (name, entry.shape)).collect())
    }

    fn check_entry(&self, name: &str, entry: &Entry, start: u64) -> Result<(), ModelError> {
        let Entry { dtype, shape, data_offsets } = entry;
        let reason = if dtype != F32 {
            format!("has numbers of type {}, expected {F32}", quoted(dtype))
        } else if shape.len() > MAX_AXES || name.len() > MAX_NAME {
            format!("has {} axes and a name of {} bytes", shape.len(), name.len())
        } else if data_offsets.0 != start {
            format!("begins at byte {}, expected {start}", data_offsets.0)
        } else if byte_count(shape) != data_offsets.1.checked_sub(start) {
            format!("of shape {shape:?} lies in bytes {data_offsets:?}")
        } else {
            return Ok(());
        };
        Err(self.damaged(format!("tensor {} {reason}", quoted(name)), None))
    }

    fn tensor(
        &self,
        source: &mut impl Read,
        name: String,
        shape: Vec<usize>,
    ) -> Result<Tensor, ModelError> {
        // `layout` has made sure that the file holds so many.
        let count = element_count(&shape).unwrap_or(0);
        let mut data = Vec::new();
        data.try_reserve_exact(count)
            .map_err(|_| self.unreadable(io::ErrorKind::OutOfMemory.into()))?;
        let mut bytes = [0; PART];
        while data.len() < count {
            let part = &mut bytes[..((count - data.len()) * 4).min(PART)];
            source.read_exact(part).map_err(|cause| self.unreadable(cause))?;
            data.extend(part.as_chunks().0.iter().map(|number| f32::from_le_bytes(*number)));
        }
        Ok(Tensor { name, shape, data })
    }

    /// Exactly `count` bytes, which the file's length allows.
    fn bytes(&self, source: &mut impl Read, count: u64) -> Result<Vec<u8>, ModelError> {
        let mut bytes = Vec::new();
        source.take(count).read_to_end(&mut bytes).map_err(|cause| self.unreadable(cause))?;
        if (bytes.len() as u64) < count {
            return Err(self.unreadable(io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(bytes)
    }

    fn unreadable(&self, source: io::Error) -> ModelError {
        ModelError::Read { origin: self.origin.to_owned(), source }
    }

    fn truncated(&self, expected: u64) -> ModelError {
        ModelError::Truncated { origin: self.origin.to_owned(), expected, found: self.length }
    }

    fn damaged(&self, reason: String, cause: Option<serde_json::Error>) -> ModelError {
        let source = cause.map(Into::into);
        ModelError::Damaged { origin: self.origin.to_owned(), reason, source }
    }

    fn foreign(&self, expected: Kind, start: &[u8]) -> ModelError {
        let found = describe(start, self.length);
        ModelError::Foreign { origin: self.origin.to_owned(), expected, found }
    }
}

fn byte_count(shape: &[usize]) -> Option<u64> {
    u64::try_from(element_count(shape)?.checked_mul(4)?).ok()
}

/// First bytes of files that people could take for a model.
const KNOWN_STARTS: [(&[u8], &str); 8] = [
    (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"RIFF", "a WebP image or other RIFF file"),
    (b"PK\x03\x04", "a ZIP archive (PyTorch's .pt files are such)"),
    (b"\x1f\x8b", "a gzip file"),
    (b"\x80\x02", "a Python pickle"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file (as Keras writes)"),
];

fn looks_foreign(start: &[u8]) -> bool {
    KNOWN_STARTS.iter().any(|(magic, _)| start.starts_with(magic)) || is_text(start)
}

fn is_text(start: &[u8]) -> bool {
    let bytes = start.iter();
    !start.is_empty()
        && bytes.copied().all(|b| b >= 0x80 || b.is_ascii_graphic() || b.is_ascii_whitespace())
}

fn describe(start: &[u8], length: u64) -> String {
    if length == 0 {
        return "an empty file".to_owned();
    }
    if let Some((_, name)) = KNOWN_STARTS.iter().find(|(magic, _)| start.starts_with(magic)) {
        return (*name).to_owned();
    }
    let unit = if length == 1 { "byte" } else { "bytes" };
    let nature = if is_text(start) { "of text" } else { "without a safetensors header" };
    format!("{length} {unit} {nature}")
}
