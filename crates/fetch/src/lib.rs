//! Fetches the image sets that percept knows by name ([`NamedSet`]) from their authors' place, a mirror or a folder.
//!
//! A file is received into `NAME.part`, so that a transfer that was cut off goes on where it stopped (HTTP ranges, RFC 9110).
//! It counts only when its size and its checksums are those that the catalogue says: MD5, which is what the authors publish,
//! and, where somebody has published it, SHA-256, because MD5 protects from accidents but not from malice, and some sets are
//! offered without TLS. A set appears in the cache as a whole or not at all.
//!
//! This is the only crate that connects to anything, and only [`fetch`] does.

mod checksum;
mod download;
mod error;
mod origin;
mod transfer;
mod unpack;

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use percept_data::named::{Cache, NamedSet, SetFile};

use download::Download;
pub use error::Error;
pub use origin::Origin;

/// What happens while a set is fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A file is being fetched.
    Started {
        /// Its address or path.
        from: String,
        /// Its size, where that is known.
        bytes: Option<u64>,
    },
    /// So many bytes of it are here.
    Received(u64),
    /// Something went wrong that may be better in a moment.
    Waiting {
        /// What went wrong.
        reason: String,
        /// How long it waits.
        pause: Duration,
    },
    /// A place does not have the file; there is another one to ask.
    NextPlace {
        /// What went wrong.
        reason: String,
    },
    /// What was here of the file was not the beginning of it, or the server cannot send the rest alone: it is fetched anew.
    Again,
    /// The files are being made into a folder that percept reads.
    Unpacking,
}

/// How long a transfer that does not move is put up with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How often in a row it is tried again when less than a mebibyte came.
    pub retries: u32,
    /// The pause before the first of them; it doubles each time.
    pub pause: Duration,
    /// How long a server may say nothing.
    pub silence: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { retries: 4, pause: Duration::from_secs(1), silence: Duration::from_secs(60) }
    }
}

/// Fetches a set into the cache and returns its folder; nothing is done when it is there already. Other sets that are made from
/// the same files are made, too.
///
/// # Errors
/// [`Error`], which says what to do. What was received stays, so that the next call goes on from there.
pub fn fetch(
    set: &NamedSet,
    origin: &Origin,
    cache: &Cache,
    patience: &Patience,
    observer: &mut dyn FnMut(&Event),
) -> Result<PathBuf, Error> {
    let folder = cache.folder(set);
    if cache.has(set) {
        return Ok(folder);
    }
    let downloads = cache.downloads().join(owner(set));
    create(&downloads)?;
    let _lock = lock(&downloads)?;
    // Somebody else may have made it meanwhile.
    if cache.has(set) {
        remove(&downloads)?;
        return Ok(folder);
    }
    let mut files = Vec::new();
    for file in set.files {
        let path = downloads.join(file.name);
        if !path.is_file() {
            obtain(set, file, origin, &path, patience, observer)?;
        }
        files.push(path);
    }
    observer(&Event::Unpacking);
    let same_files = |other: &&NamedSet| other.files == set.files && other.name != set.name;
    for other in NamedSet::all().iter().filter(same_files).filter(|other| !cache.has(other)) {
        install(other, &files, cache)?;
    }
    install(set, &files, cache)?;
    remove(&downloads)?;
    Ok(folder)
}

/// The name under which the files of a set are received: sets that are made from the same files share it, and its lock.
fn owner(set: &NamedSet) -> &'static str {
    let first = NamedSet::all().iter().find(|other| other.files == set.files);
    first.map_or(set.name, |first| first.name)
}

/// Gets one file and checks it.
fn obtain(
    set: &NamedSet,
    file: &SetFile,
    origin: &Origin,
    path: &Path,
    patience: &Patience,
    observer: &mut dyn FnMut(&Event),
) -> Result<(), Error> {
    let most = set.most_bytes(file);
    let part = path.with_file_name(format!("{}.part", file.name));
    if let Origin::Folder(folder) = origin {
        return origin::copy(&folder.join(file.name), file, most, &part, observer)
            .and_then(|()| checksum::check(&part, file))
            .and_then(|()| rename(&part, path));
    }
    let download = Download::new(file, most, &part, patience);
    let mut places = origin.addresses(set, file).into_iter().peekable();
    while let Some(url) = places.next() {
        match download.from(&url, observer) {
            Ok(()) => return rename(&part, path),
            Err(error) if error.is_local() || places.peek().is_none() => return Err(error),
            Err(error) => observer(&Event::NextPlace { reason: error.with_causes() }),
        }
    }
    Err(Error::NoPlace { name: file.name })
}

/// Makes a set's folder and puts it in its place.
fn install(set: &NamedSet, files: &[PathBuf], cache: &Cache) -> Result<(), Error> {
    let folder = cache.folder(set);
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let made = folder.with_file_name(format!(".{name}.partial"));
    if made.exists() {
        remove(&made)?;
    }
    create(&made)?;
    unpack::unpack(set, files, &made)?;
    sync(&made)?;
    rename(&made, &folder)
}

/// Waits until the files of a folder, and their names, are on the disk: a set must not be there before its files.
fn sync(folder: &Path) -> Result<(), Error> {
    let io = |source| Error::Io { doing: "write", path: folder.to_owned(), source };
    for entry in fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        match path.is_dir() {
            true => sync(&path)?,
            false => File::open(&path).and_then(|file| file.sync_all()).map_err(io)?,
        }
    }
    // Not every system lets a folder be opened, or has anything to do for it.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

/// Sees to it that no other process fetches the same set; the lock is given up with the file.
fn lock(folder: &Path) -> Result<File, Error> {
    let path = folder.join("lock");
    let io = |source| Error::Io { doing: "lock", path: path.clone(), source };
    let file = File::create(&path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Busy { path: folder.to_owned() }),
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}

fn create(folder: &Path) -> Result<(), Error> {
    let io = |source| Error::Io { doing: "make", path: folder.to_owned(), source };
    fs::create_dir_all(folder).map_err(io)
}

fn remove(folder: &Path) -> Result<(), Error> {
    let io = |source| Error::Io { doing: "remove", path: folder.to_owned(), source };
    fs::remove_dir_all(folder).map_err(io)
}

fn rename(from: &Path, to: &Path) -> Result<(), Error> {
    fs::rename(from, to).map_err(|source| Error::Io { doing: "make", path: to.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both EMNIST sets come from one archive: fetched at once, they would be in each other's way.
    #[test]
    fn sets_of_the_same_files_share_a_lock() {
        let owner_of = |name| owner(NamedSet::find(name).unwrap());
        assert_eq!(owner_of("emnist-letters"), owner_of("emnist-balanced"));
        assert_ne!(owner_of("kmnist"), owner_of("fashion-mnist"));
        assert_eq!(owner_of("kmnist"), "kmnist");
    }
}
