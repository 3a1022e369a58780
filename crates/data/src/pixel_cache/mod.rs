//! Decoded, sized pixels of pictures in files, kept on the disk for the next time.
//!
//! A file holds the pixels of one part of one data set in one size. It is mapped into memory, so that a data set need not fit into it.
//! What is in it is believed only where it matches its checksums and the pictures' files are what they were: see
//! `docs/decisions/pixel-cache.md`.

mod file;
mod stamp;

use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

pub(crate) use file::{CacheFile, Facts, Record, State, Unfinished};
pub(crate) use stamp::{Short, Stamp, content, short};

/// What the names of cache files end with.
const ENDING: &str = "pixels";
/// What the names of files that are being written begin with.
const PARTIAL: &str = ".partial-";

/// A folder of cache files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PixelCache {
    /// The folder; it is made when it is needed.
    pub folder: PathBuf,
    /// The most bytes that its files may have together: those that were not used for the longest time go first. Pixels that are more
    /// than that alone are not kept.
    pub most_bytes: u64,
}

/// A cache file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cached {
    /// The file.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// When it was last used.
    pub used: SystemTime,
    /// The data set and the size of its images; `None` for a file that cannot be used.
    pub about: Option<String>,
    /// How many images are in it.
    pub images: usize,
}

impl PixelCache {
    /// What is in the cache, what was used last first.
    ///
    /// # Errors
    /// When the folder cannot be listed; one that is not there is empty.
    pub fn list(&self) -> io::Result<Vec<Cached>> {
        let mut all = Vec::new();
        for path in self.paths()? {
            let Ok(metadata) = fs::metadata(&path) else { continue };
            let file = CacheFile::open(&path).ok().flatten();
            all.push(Cached {
                bytes: metadata.len(),
                used: metadata.modified()?,
                images: file.as_ref().map_or(0, CacheFile::slots),
                about: file.map(|file| file.facts.about),
                path,
            });
        }
        all.sort_by_key(|cached| std::cmp::Reverse(cached.used));
        Ok(all)
    }

    /// Removes all cache files, and gives their number and size.
    ///
    /// # Errors
    /// When the folder cannot be listed or a file cannot be removed.
    pub fn clear(&self) -> io::Result<(usize, u64)> {
        self.remove_abandoned();
        let (mut count, mut bytes) = (0, 0);
        for path in self.paths()? {
            bytes += fs::metadata(&path).map_or(0, |metadata| metadata.len());
            fs::remove_file(&path)?;
            count += 1;
        }
        Ok((count, bytes))
    }

    fn paths(&self) -> io::Result<Vec<PathBuf>> {
        let is_ours = |path: &PathBuf| path.extension() == Some(OsStr::new(ENDING));
        Ok(self.files()?.into_iter().filter(is_ours).collect())
    }

    fn files(&self) -> io::Result<Vec<PathBuf>> {
        match fs::read_dir(&self.folder) {
            Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// The file of the pixels with this key; `stem` is for people.
    pub(crate) fn path(&self, stem: &str, key: &Short) -> PathBuf {
        let safe = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_') { c } else { '-' };
        let stem: String = stem.chars().take(40).map(safe).collect();
        let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        self.folder.join(format!("{stem}-{key}.{ENDING}"))
    }

    /// Begins a file with images of so many bytes. Files that a killed process left behind are removed.
    pub(crate) fn begin(&self, image: usize) -> io::Result<Unfinished> {
        make_folder(&self.folder)?;
        self.remove_abandoned();
        let file = tempfile::Builder::new().prefix(PARTIAL).tempfile_in(&self.folder)?;
        // The lock says that the writer is alive. Where the file system has none, nothing is taken for abandoned.
        let _ = file.as_file().lock();
        Ok(Unfinished::new(file, image))
    }

    /// Refuses a folder in which others may change files: what is mapped must stay as it is.
    ///
    /// # Errors
    /// When the folder is there, and may be written to by others than its owner.
    pub(crate) fn check_private(&self) -> io::Result<()> {
        match fs::metadata(&self.folder) {
            Ok(metadata) if others_may_write(&metadata) => Err(io::Error::other(format!(
                "others may write to {}: take their permission to write away (chmod go-w)",
                self.folder.display()
            ))),
            _ => Ok(()),
        }
    }

    /// Whether pixels of so many bytes may be kept.
    pub(crate) fn has_room_for(&self, bytes: u64) -> bool {
        bytes <= self.most_bytes
    }

    /// Removes files, those first that were not used for the longest time, until so many bytes more than those of the file at `path`,
    /// which is to be replaced, have room.
    pub(crate) fn make_room(&self, bytes: u64, path: &Path) -> io::Result<()> {
        let mut others = Vec::new();
        for other in self.paths()?.into_iter().filter(|other| other != path) {
            let Ok(metadata) = fs::metadata(&other) else { continue };
            others.push((metadata.modified()?, metadata.len(), other));
        }
        others.sort_unstable();
        let mut taken = others.iter().map(|(_, len, _)| len).sum::<u64>();
        for (_, len, other) in others {
            if taken.saturating_add(bytes) <= self.most_bytes {
                break;
            }
            // One that is in use elsewhere may stay.
            if fs::remove_file(&other).is_ok() {
                taken -= len;
            }
        }
        Ok(())
    }

    fn remove_abandoned(&self) {
        let is_partial = |path: &PathBuf| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PARTIAL))
        };
        for path in self.files().unwrap_or_default().into_iter().filter(is_partial) {
            if File::open(&path).is_ok_and(|file| file.try_lock().is_ok()) {
                let _ = fs::remove_file(&path);
            }
        }
    }
}

/// Says that a cache file was used just now. That it cannot be said is no reason not to use it.
pub(crate) fn mark_used(path: &Path) {
    if let Ok(file) = File::options().append(true).open(path) {
        let _ = file.set_modified(SystemTime::now());
    }
}

/// A folder for the user alone.
#[cfg(unix)]
fn others_may_write(folder: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::mode(folder) & 0o022 != 0
}

#[cfg(not(unix))]
fn others_may_write(_: &Metadata) -> bool {
    false
}

fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
