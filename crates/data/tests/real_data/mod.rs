//! Real image sets, for tests that need them.
#![allow(dead_code, reason = "each test uses some of these")]

use std::env;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// The folder of one set in `PERCEPT_TEST_DATA`. Where there is none, says so, past the test harness's capture.
pub fn folder(set: &str) -> Option<PathBuf> {
    place(set, Path::is_dir)
}

/// A set that is a single file; else as [`folder`].
pub fn file(set: &str) -> Option<PathBuf> {
    place(set, Path::is_file)
}

/// A set that is an archive, unpacked by the system's `tar`; else as [`folder`].
pub fn unpacked(set: &str) -> Option<TempDir> {
    let archive = file(set)?;
    let folder = TempDir::new().unwrap();
    let tar = Command::new("tar").arg("xf").arg(&archive).arg("-C").arg(folder.path()).status();
    if tar.is_ok_and(|status| status.success()) {
        return Some(folder);
    }
    skip(&format!("tar cannot unpack {}", archive.display()));
    None
}

fn place(set: &str, is_there: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    let path = env::var_os("PERCEPT_TEST_DATA").map(|data| PathBuf::from(data).join(set));
    let reason = match &path {
        None => "PERCEPT_TEST_DATA is not set".to_owned(),
        Some(path) if !is_there(path) => format!("{} is not there", path.display()),
        Some(_) => return path,
    };
    skip(&reason);
    None
}

fn skip(reason: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {reason}");
}
