//! Real image sets, for tests that need them.

use std::env;
use std::io::Write;
use std::path::PathBuf;

/// The folder of one set in `PERCEPT_TEST_DATA`. Where there is none, says so, past the test harness's capture.
pub fn folder(set: &str) -> Option<PathBuf> {
    let folder = env::var_os("PERCEPT_TEST_DATA").map(|data| PathBuf::from(data).join(set));
    let reason = match &folder {
        None => "PERCEPT_TEST_DATA is not set".to_owned(),
        Some(folder) if !folder.is_dir() => format!("{} is not there", folder.display()),
        Some(_) => return folder,
    };
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {reason}");
    None
}
