//! Runs the program.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// What a finished program left.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The program, to be started in `folder`.
pub(crate) fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_percept"));
    // What one test leaves must not serve another.
    command.current_dir(folder).stdin(Stdio::null()).env("PERCEPT_CACHE", "off");
    command
}

/// Runs the program in `folder` to its end.
pub(crate) fn run<A: AsRef<OsStr>>(
    folder: &Path,
    arguments: impl IntoIterator<Item = A>,
) -> Finished {
    let output = command(folder).args(arguments).output().expect("the program starts");
    finished(&output)
}

/// Runs the program with words of a command line that have no spaces in them.
pub(crate) fn line(folder: &Path, words: &str) -> Finished {
    run(folder, words.split_whitespace())
}

pub(crate) fn finished(output: &Output) -> Finished {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    let code = output.status.code().expect("not killed by a signal");
    let finished = Finished { code, stdout: text(&output.stdout), stderr: text(&output.stderr) };
    assert!(!finished.stderr.contains("panicked"), "{finished:?}");
    finished
}

impl Finished {
    /// Fails the test unless the program ended well.
    pub(crate) fn well(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    /// Fails the test unless the program ended with this code, and stderr has an error with these words and a hint.
    pub(crate) fn refused(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        assert!(self.stderr.contains("error: "), "{self:?}");
        for word in words {
            assert!(self.stderr.contains(word), "no {word:?} in {}", self.stderr);
        }
        self
    }

    /// The last line of stdout as JSON.
    pub(crate) fn last_json(&self) -> serde_json::Value {
        let last = self.stdout.lines().last().unwrap_or_else(|| panic!("no output: {self:?}"));
        serde_json::from_str(last).expect("JSON")
    }

    /// The hash of the weights that a training with `--json` ended with.
    pub(crate) fn weight_hash(&self) -> String {
        let hash = self.last_json()["weight_hash"].clone();
        hash.as_str().unwrap_or_else(|| panic!("no hash: {self:?}")).to_owned()
    }
}
