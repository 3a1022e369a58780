//! What can be wrong with a model or checkpoint file.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// What a file of percept's is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A model: to use.
    Model,
    /// A checkpoint: to go on training.
    Checkpoint,
}

impl Kind {
    /// What the metadata entry `format` says.
    #[must_use]
    pub const fn format(self) -> &'static str {
        match self {
            Self::Model => "percept-model",
            Self::Checkpoint => "percept-checkpoint",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Model => "a percept model",
            Self::Checkpoint => "a percept checkpoint",
        })
    }
}

/// A file that cannot be read or written, or what it holds cannot be used.
///
/// `origin` is the path as it was given, or a few words where there is no file. [`hint`](Self::hint) says what to do.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The operating system refused.
    #[error("cannot read {origin}")]
    Read {
        /// Where from.
        origin: String,
        /// Why.
        source: io::Error,
    },
    /// A directory, a device, a pipe.
    #[error("cannot use {origin}: expected a file, found {found}")]
    NotAFile {
        /// Where.
        origin: String,
        /// What is there.
        found: &'static str,
    },
    /// A file of something else.
    #[error("{origin} is not {expected}: found {found}")]
    Foreign {
        /// Where from.
        origin: String,
        /// What was looked for.
        expected: Kind,
        /// What is there.
        found: String,
    },
    /// The end is missing.
    #[error("{origin} is cut short: expected at least {expected} bytes, found {found}")]
    Truncated {
        /// Where from.
        origin: String,
        /// Bytes that the header promises.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// Something follows the last tensor.
    #[error("{origin} goes on after its end: expected {expected} bytes, found {found}")]
    TrailingBytes {
        /// Where from.
        origin: String,
        /// Bytes that the header accounts for.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// The header contradicts itself, or the content does not match its checksum.
    #[error("{origin} is damaged: {reason}")]
    Damaged {
        /// Where from.
        origin: String,
        /// What was expected and found.
        reason: String,
        /// The cause, where another reader found it.
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// Written by a later percept.
    #[error("{origin} has format version {found}, this percept reads version {supported}")]
    Version {
        /// Where from.
        origin: String,
        /// Version of the file.
        found: String,
        /// Version that can be read.
        supported: u32,
    },
    /// A metadata entry that is missing or says something impossible.
    #[error("{origin}: metadata {key:?}: {reason}")]
    Metadata {
        /// Where from.
        origin: String,
        /// The entry.
        key: String,
        /// What was expected and found.
        reason: String,
        /// The cause, where another reader found it.
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// A weight that is NaN or infinite.
    #[error(
        "{origin}: tensor {tensor:?} has {value} at index {index}, expected finite numbers only"
    )]
    NotFinite {
        /// Where from.
        origin: String,
        /// The tensor.
        tensor: String,
        /// Place in the tensor, from 0.
        index: usize,
        /// The number.
        value: f32,
    },
    /// A tensor whose numbers do not fill its shape.
    #[error("{origin}: tensor {tensor:?} of shape {shape:?} cannot have {found} numbers")]
    TensorLength {
        /// Where from.
        origin: String,
        /// The tensor.
        tensor: String,
        /// Its shape.
        shape: Vec<usize>,
        /// How many numbers there are.
        found: usize,
    },
    /// More text than a file's header may hold.
    #[error("{origin}: its texts make a header of {found} bytes, at most 16 MiB can be read back")]
    HeaderTooLong {
        /// What should be written.
        origin: String,
        /// Bytes of the header.
        found: usize,
    },
    /// Two tensors with one name.
    #[error("{origin}: there is more than one tensor {tensor:?}")]
    DuplicateTensor {
        /// Where from.
        origin: String,
        /// The tensor.
        tensor: String,
    },
    /// A tensor that the network needs.
    #[error("{origin}: tensor {tensor:?} of shape {expected:?} is missing")]
    MissingTensor {
        /// Where from.
        origin: String,
        /// The tensor.
        tensor: String,
        /// The shape that it needs.
        expected: Vec<usize>,
    },
    /// A tensor that the network does not have.
    #[error("{origin}: tensor {tensor:?} of shape {found:?} does not belong to the network")]
    UnknownTensor {
        /// Where from.
        origin: String,
        /// The tensor.
        tensor: String,
        /// The shape that it has.
        found: Vec<usize>,
    },
    /// A tensor that does not fit the network.
    #[error("{origin}: tensor {tensor:?}: the network needs shape {expected:?}, found {found:?}")]
    TensorShape {
        /// Where from.
        origin: String,
        /// The tensor.
        tensor: String,
        /// The shape that the network needs.
        expected: Vec<usize>,
        /// The shape that it has.
        found: Vec<usize>,
    },
    /// The file could not be replaced; what was there before is unchanged unless `action` says otherwise.
    #[error("cannot write {}: {action} failed", path.display())]
    Write {
        /// Where to.
        path: PathBuf,
        /// What was being done.
        action: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

impl ModelError {
    /// What the person can do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Read { source, .. } => read_hint(source.kind()),
            Self::NotAFile { .. } => {
                "give the file itself; training writes it as `model.safetensors` into its run folder"
            }
            Self::Foreign { expected, .. } => foreign_hint(*expected),
            Self::Truncated { .. } | Self::TrailingBytes { .. } | Self::Damaged { .. } => {
                "the file was changed or not copied completely: copy it again, or train again"
            }
            Self::HeaderTooLong { .. } => {
                "keep less text: a shorter history, fewer or shorter class names"
            }
            Self::Version { .. } => "use the percept that wrote the file, or a later one",
            Self::Metadata { .. } | Self::TensorLength { .. } | Self::DuplicateTensor { .. } => {
                "the file was not written by percept or was edited since: use the original"
            }
            Self::NotFinite { .. } => {
                "training diverged or the file was edited: go on from an earlier checkpoint, with a lower learning rate"
            }
            Self::MissingTensor { .. } | Self::UnknownTensor { .. } | Self::TensorShape { .. } => {
                "the weights belong to another network than the one described: use the spec that they were trained with"
            }
            Self::Write { source, .. } => write_hint(source.kind()),
        }
    }
}

/// Text from a file for an error message: short, quoted, without anything that could move a terminal's cursor.
pub(crate) fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    let short: String = text.chars().take(LONGEST).collect();
    let more = if short.len() < text.len() { "..." } else { "" };
    format!("{short:?}{more}")
}

fn read_hint(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            "check the path; training writes `model.safetensors` into its run folder"
        }
        io::ErrorKind::PermissionDenied => "ask its owner to let you read the file",
        io::ErrorKind::OutOfMemory => "use a computer with more memory",
        _ => "check that the disk is connected and works",
    }
}

fn foreign_hint(expected: Kind) -> &'static str {
    match expected {
        Kind::Model => {
            "give a model that `percept train` wrote: `model.safetensors` in a run folder"
        }
        Kind::Checkpoint => {
            "give a checkpoint that `percept train` wrote into the `checkpoint` folder of a run"
        }
    }
}

fn write_hint(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            "the earlier file, if any, is unchanged: make room on the disk or write to another folder"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "choose a folder that you may write to"
        }
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            "make the folder first, or choose one that exists"
        }
        _ => "check the disk, or write to another folder",
    }
}
