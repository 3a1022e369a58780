//! Why a set could not be fetched.

use std::fmt::Write;
use std::io;
use std::path::PathBuf;

/// Why a set could not be fetched: where, what was expected, what was found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A server cannot be reached, or does not speak HTTP.
    #[error("cannot fetch `{url}`")]
    Unreachable {
        /// The address.
        url: String,
        /// The reason.
        source: Box<ureq::Error>,
    },

    /// The transfer was cut off again and again.
    #[error(
        "`{url}`: expected {expected} bytes, but the connection ended after {found} ({reason})"
    )]
    CutOff {
        /// The address.
        url: String,
        /// Size of the file; "all" where nobody says.
        expected: String,
        /// The bytes that came.
        found: u64,
        /// What ended it.
        reason: String,
    },

    /// The server has something else to say.
    #[error("`{url}`: expected the file, found the answer {status}")]
    Status {
        /// The address.
        url: String,
        /// HTTP status with its name.
        status: String,
    },

    /// The server sends another part of the file than was asked for.
    #[error("`{url}`: expected the bytes from {expected} on, found `{found}`")]
    Range {
        /// The address.
        url: String,
        /// The first byte that was asked for.
        expected: u64,
        /// What the server says it sends.
        found: String,
    },

    /// The file has another size.
    #[error("`{from}`: expected {expected} bytes, found {found}")]
    Size {
        /// The address or path.
        from: String,
        /// The size it should have, in words.
        expected: String,
        /// The size it has, in words.
        found: String,
    },

    /// The file has the right size, if that is known, but another content.
    #[error(
        "`{name}`: expected the {kind} checksum {expected}, found {found}; what was received has been removed"
    )]
    Checksum {
        /// Name of the file.
        name: String,
        /// MD5 or SHA-256.
        kind: &'static str,
        /// The checksum it should have.
        expected: String,
        /// The checksum it has.
        found: String,
    },

    /// A file that `--from` should hold is not there.
    #[error("`{}` not found: expected the file as its authors published it", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },

    /// A set without an address.
    #[error("no address is known for `{name}`")]
    NoPlace {
        /// Name of the file.
        name: &'static str,
    },

    /// A place of another kind.
    #[error("`{text}`: expected an address that begins with http:// or https://, or a folder")]
    Origin {
        /// What was given.
        text: String,
    },

    /// An archive that does not hold what it should.
    #[error("`{}`: expected {expected}, found {found}", path.display())]
    Archive {
        /// The archive.
        path: PathBuf,
        /// What it should hold.
        expected: String,
        /// What it holds.
        found: String,
    },

    /// Files in an archive that cannot be read.
    #[error(transparent)]
    Data(#[from] percept_data::Error),

    /// Another process fetches the same set.
    #[error("another process is fetching this set (into `{}`)", path.display())]
    Busy {
        /// Where it is received.
        path: PathBuf,
    },

    /// The operating system refused a file operation.
    #[error("cannot {doing} `{}`", path.display())]
    Io {
        /// What was being done, as a verb.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
}

impl Error {
    /// What a person can do.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } | Self::CutOff { .. } => {
                "check the connection and run the command again: it goes on where it stopped; or name a mirror or a folder with --from"
            }
            Self::Status { .. } | Self::Range { .. } | Self::NoPlace { .. } => {
                "try again later, or name a mirror, or a folder with the file, with --from"
            }
            Self::Size { .. } | Self::Checksum { .. } => {
                "this is not the file that its authors published: try again, or name another mirror or a folder with --from"
            }
            Self::Missing { .. } | Self::Origin { .. } => "check what follows --from",
            Self::Archive { .. } | Self::Data(_) => {
                "the archive is another one than expected: please report it"
            }
            Self::Busy { .. } => "wait for it to end",
            Self::Io { .. } => {
                "check that there is room, and that you may write there; XDG_CACHE_HOME chooses another place"
            }
        }
    }

    /// Whether asking another place would not help.
    pub(crate) fn is_local(&self) -> bool {
        matches!(self, Self::Io { .. } | Self::Busy { .. })
    }

    /// The message followed by those of its causes.
    pub(crate) fn with_causes(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            let _ = write!(text, ": {error}");
            cause = error.source();
        }
        text
    }
}
