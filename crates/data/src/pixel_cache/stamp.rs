//! What tells one file's content from another's: quickly, by what the file system says, and surely, by the bytes.

use std::fs::{self, Metadata};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

use crate::sources::Place;

/// A file changed so shortly before it was looked at may change again without a new time: some file systems count in steps of
/// two seconds.
const UNSETTLED: Duration = Duration::from_secs(2);

/// The first 128 bits of a SHA-256 hash.
pub(crate) type Short = [u8; 16];

/// A file's name, size, times and, on Unix, its device and inode, hashed: while they are the same, so is the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Stamp {
    pub(crate) hash: Short,
    newest: SystemTime,
}

impl Stamp {
    /// The stamp of a picture's file, whose name counts from `root`; `None` where there is no such file.
    pub(crate) fn of(place: &Place, root: &Path) -> Option<Self> {
        let metadata = fs::metadata(place.path()).ok()?;
        let modified = metadata.modified().ok()?;
        let mut hash = Sha256::new();
        let path = place.path().strip_prefix(root).unwrap_or(place.path());
        let name = path.as_os_str().as_encoded_bytes();
        let range = place.range().unwrap_or(0..u64::MAX);
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name);
        let changed = changed(&metadata);
        for number in [range.start, range.end, metadata.len()] {
            hash.update(number.to_le_bytes());
        }
        for time in [modified, changed] {
            hash.update(nanoseconds(time).to_le_bytes());
        }
        for number in identity(&metadata) {
            hash.update(number.to_le_bytes());
        }
        Some(Self { hash: short(hash), newest: modified.max(changed) })
    }

    /// Whether the file had not been changed for a while at that time, so that a later change will show.
    pub(crate) fn is_settled(&self, at: SystemTime) -> bool {
        at.duration_since(self.newest).is_ok_and(|age| age > UNSETTLED)
    }
}

/// When content, name or permissions last changed, which nobody can set.
#[cfg(unix)]
fn changed(metadata: &Metadata) -> SystemTime {
    use std::os::unix::fs::MetadataExt;
    let (seconds, nanoseconds) = (metadata.ctime(), metadata.ctime_nsec());
    let since =
        Duration::new(seconds.max(0).unsigned_abs(), nanoseconds.clamp(0, 999_999_999) as u32);
    UNIX_EPOCH + since
}

/// Which file it is, whatever its name: folders that change places keep the times of what is in them.
#[cfg(unix)]
fn identity(metadata: &Metadata) -> [u64; 2] {
    use std::os::unix::fs::MetadataExt;
    [metadata.dev(), metadata.ino()]
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> [u64; 0] {
    []
}

#[cfg(not(unix))]
fn changed(metadata: &Metadata) -> SystemTime {
    metadata.created().unwrap_or(UNIX_EPOCH)
}

fn nanoseconds(time: SystemTime) -> i128 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => after.as_nanos() as i128,
        Err(before) => -(before.duration().as_nanos() as i128),
    }
}

pub(crate) fn content(bytes: &[u8]) -> Short {
    short(Sha256::new_with_prefix(bytes))
}

pub(crate) fn short(hash: Sha256) -> Short {
    let mut short = Short::default();
    short.copy_from_slice(&hash.finalize()[..16]);
    short
}
