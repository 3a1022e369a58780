//! Files that are replaced as a whole or not at all, and are on the disk when the call returns.

use crate::error::ModelError;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

const SUFFIX: &str = ".partial";

/// Replaces the file at `path` by what `content` writes.
///
/// The content goes to `.NAME.*.partial` in the same folder; that file is synced and renamed, and the folder is synced.
/// Whatever fails before the renaming, the earlier file stays as it was and the partial one is removed; one that a
/// killed process left behind is removed by the next call. A symbolic link is followed.
///
/// # Errors
/// [`ModelError::NotAFile`] where a folder or device is in the way, [`ModelError::Write`] with the step that failed.
pub fn replace(
    path: &Path,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), ModelError> {
    check_target(path)?;
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let failed = |action| move |source| ModelError::Write { path: path.to_owned(), action, source };
    let folder = folder_of(&target);
    let Some(name) = target.file_name() else {
        return Err(failed("finding its name")(io::ErrorKind::InvalidInput.into()));
    };
    remove_abandoned(folder, name);
    let partial = partial_file(folder, name).map_err(failed("making a file beside it"))?;
    let mut buffered = BufWriter::new(partial.as_file());
    content(&mut buffered).map_err(failed("writing"))?;
    buffered.flush().map_err(failed("writing"))?;
    drop(buffered);
    partial.as_file().sync_all().map_err(failed("syncing"))?;
    let _file = partial.persist(&target).map_err(|e| failed("renaming")(e.error))?;
    sync_folder(folder).map_err(failed("syncing its folder (the new file is in place)"))
}

fn check_target(path: &Path) -> Result<(), ModelError> {
    match fs::metadata(path) {
        Ok(status) if !status.is_file() => {
            let found = if status.is_dir() { "a directory" } else { "a device or pipe" };
            Err(ModelError::NotAFile { origin: path.display().to_string(), found })
        }
        _ => Ok(()),
    }
}

fn folder_of(target: &Path) -> &Path {
    match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn prefix(name: &OsStr) -> OsString {
    let mut prefix = OsString::from(".");
    prefix.push(name);
    prefix.push(".");
    prefix
}

/// A new file that only this process writes: its lock says that the writer is alive.
fn partial_file(folder: &Path, name: &OsStr) -> io::Result<NamedTempFile> {
    let prefix = prefix(name);
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(SUFFIX);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666)); // less the umask
    let file = builder.tempfile_in(folder)?;
    // Some network file systems have no locks: then nothing is ever taken for abandoned there either.
    let _ = file.as_file().lock();
    Ok(file)
}

/// Removes partial files of `name` whose writers are gone. Failing to is no reason not to write.
fn remove_abandoned(folder: &Path, name: &OsStr) {
    for path in partial_files(folder, name) {
        let abandoned = File::open(&path).is_ok_and(|file| file.try_lock().is_ok());
        if abandoned {
            let _ = fs::remove_file(&path);
        }
    }
}

fn partial_files(folder: &Path, name: &OsStr) -> Vec<PathBuf> {
    let prefix = prefix(name);
    let is_partial = |file: &OsStr| {
        let bytes = file.as_encoded_bytes();
        bytes.starts_with(prefix.as_encoded_bytes()) && bytes.ends_with(SUFFIX.as_bytes())
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter(|entry| is_partial(&entry.file_name())).map(|entry| entry.path()).collect()
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        // Some file systems cannot sync a folder; they have nothing better to offer.
        Err(e) if matches!(e.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
            Ok(())
        }
        result => result,
    }
}

#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}
