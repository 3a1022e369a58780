//! Reading: every length is held against the file before anything is allocated for it.

use super::header::{Entry, Header};
use super::{F32, MAX_HEADER};
use crate::error::{Kind, ModelError, quoted};
use crate::metadata::Metadata;
use crate::tensor::{MAX_AXES, MAX_NAME, Tensor, check_finite, element_count};
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::Path;

/// Bytes before the header.
const LENGTH_BYTES: u64 = 8;

/// Bytes read at once of what comes before the numbers: most headers are shorter.
const BUFFER: usize = 8 << 10;

/// Numbers read at once: they stay in the second cache between being cleared and being read.
const PART: usize = 64 << 10;

/// A file's content: entries and tensors, in the order in which they lie in the file.
#[derive(Debug)]
pub(crate) struct Container {
    pub(crate) metadata: Metadata,
    pub(crate) tensors: Vec<Tensor>,
}

/// A file whose header has been read and found to describe the whole of it; the numbers come next.
#[derive(Debug)]
pub(crate) struct Opened<R> {
    file: Source,
    source: R,
    pub(crate) metadata: Metadata,
    /// In file order, without their numbers.
    pub(crate) tensors: Vec<Tensor>,
}

/// Reads a file.
pub(crate) fn read_file(path: &Path, kind: Kind) -> Result<Container, ModelError> {
    open_file(path, kind)?.read()
}

/// Reads a file's header.
pub(crate) fn open_file(path: &Path, kind: Kind) -> Result<Opened<BufReader<File>>, ModelError> {
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
    Opened::new(&origin, BufReader::with_capacity(BUFFER, file), length, kind)
}

/// Reads `length` bytes, of which a truthful file consists.
pub(crate) fn read(
    origin: &str,
    source: impl Read,
    length: u64,
    kind: Kind,
) -> Result<Container, ModelError> {
    Opened::new(origin, source, length, kind)?.read()
}

impl<R: Read> Opened<R> {
    fn new(origin: &str, mut source: R, length: u64, kind: Kind) -> Result<Self, ModelError> {
        let file = Source { origin: origin.to_owned(), length };
        let text = file.header_text(&mut source, kind)?;
        let header: Header = serde_json::from_slice(&text)
            .map_err(|cause| file.damaged("its header cannot be read".to_owned(), Some(cause)))?;
        let names: Vec<String> = header.tensors.iter().map(|(name, _)| name.clone()).collect();
        let metadata = Metadata { entries: header.metadata };
        metadata.check_kind(origin, kind, &names)?;
        let layout = file.layout(header.tensors, LENGTH_BYTES + text.len() as u64)?;
        let tensor = |(name, shape)| Tensor { name, shape, data: Vec::new() };
        Ok(Self { tensors: layout.into_iter().map(tensor).collect(), file, source, metadata })
    }

    /// Reads the numbers, and holds them against the checksum.
    pub(crate) fn read(self) -> Result<Container, ModelError> {
        let Self { file, mut source, metadata, mut tensors } = self;
        for tensor in &mut tensors {
            file.read_tensor(&mut source, tensor)?;
        }
        tensors.iter().try_for_each(|tensor| tensor.check(&file.origin))?;
        metadata.check_seal(&file.origin, tensors.iter().map(Tensor::view))?;
        Ok(Container { metadata, tensors })
    }

    /// Reads the numbers to where they are wanted, tensor by tensor in file order, and leaves
    /// [`Metadata::check_seal`] to the caller. `places` has each tensor's numbers, as many as its shape says.
    pub(crate) fn read_into<'p>(
        mut self,
        places: impl IntoIterator<Item = &'p mut [f32]>,
    ) -> Result<Metadata, ModelError> {
        for (tensor, place) in self.tensors.iter().zip(places) {
            self.file.read_numbers(&mut self.source, place)?;
            check_finite(&self.file.origin, &tensor.name, place)?;
        }
        Ok(self.metadata)
    }
}

/// The file that is being read.
#[derive(Debug)]
struct Source {
    origin: String,
    length: u64,
}

impl Source {
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
            let origin = self.origin.clone();
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

    fn read_tensor(&self, source: &mut impl Read, tensor: &mut Tensor) -> Result<(), ModelError> {
        // `layout` has made sure that the file holds so many.
        let count = element_count(&tensor.shape).unwrap_or(0);
        let data = &mut tensor.data;
        data.try_reserve_exact(count)
            .map_err(|_| self.unreadable(io::ErrorKind::OutOfMemory.into()))?;
        while data.len() < count {
            let start = data.len();
            data.resize(count.min(start + PART), 0.0);
            self.read_numbers(source, &mut data[start..])?;
        }
        Ok(())
    }

    fn read_numbers(&self, source: &mut impl Read, numbers: &mut [f32]) -> Result<(), ModelError> {
        source
            .read_exact(bytemuck::cast_slice_mut(numbers))
            .map_err(|cause| self.unreadable(cause))?;
        if cfg!(target_endian = "big") {
            numbers
                .iter_mut()
                .for_each(|number| *number = f32::from_le_bytes(number.to_ne_bytes()));
        }
        Ok(())
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
        ModelError::Read { origin: self.origin.clone(), source }
    }

    fn truncated(&self, expected: u64) -> ModelError {
        ModelError::Truncated { origin: self.origin.clone(), expected, found: self.length }
    }

    fn damaged(&self, reason: String, cause: Option<serde_json::Error>) -> ModelError {
        let source = cause.map(Into::into);
        ModelError::Damaged { origin: self.origin.clone(), reason, source }
    }

    fn foreign(&self, expected: Kind, start: &[u8]) -> ModelError {
        let found = describe(start, self.length);
        ModelError::Foreign { origin: self.origin.clone(), expected, found }
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
