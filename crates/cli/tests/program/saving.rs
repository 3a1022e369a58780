//! Disks that are full and folders that are read-only: what was there is kept, and the message says what to do.
#![cfg(unix)]

use crate::program::{self, command, finished};
use crate::sample;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs the program where no file may become longer than `kilobytes`.
fn limited(folder: &Path, kilobytes: u32, words: &str) -> program::Finished {
    // The unit of `ulimit -f` is 512 bytes in sh.
    let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" {words}", kilobytes * 2);
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).arg(command(folder).get_program()).current_dir(folder);
    finished(&shell.output().expect("sh"))
}

#[test]
fn a_full_disk_loses_no_checkpoint() {
    let folder = sample::folder();
    let expected =
        program::line(folder.path(), "train --config small.toml --out whole --json -q").well();
    limited(folder.path(), 8, "train --config small.toml --out run -q")
        .refused(5, &["cannot write run/checkpoint", "make room on the disk"]);
    let left = fs::read_dir(folder.path().join("run/checkpoint")).expect("a folder").count();
    assert_eq!(left, 0, "nothing half-written is left");
    fs::remove_dir_all(folder.path().join("run")).expect("removed");
    program::line(folder.path(), "train --config small.toml --out run -q").well();
    let checkpoint = folder.path().join("run/checkpoint/checkpoint.safetensors");
    let before = fs::read(&checkpoint).expect("read");
    fs::remove_file(folder.path().join("run/model.safetensors")).expect("removed");
    limited(folder.path(), 4, "train --resume run -q").refused(5, &["model.safetensors"]);
    assert_eq!(fs::read(&checkpoint).expect("read"), before);
    let resumed = program::line(folder.path(), "train --resume run --json -q").well();
    assert_eq!(resumed.weight_hash(), expected.weight_hash());
}

/// A folder in which this process may not write: for root there is none but the system's own.
fn read_only(within: &Path) -> PathBuf {
    let folder = within.join("read-only");
    fs::create_dir(&folder).expect("made");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o555)).expect("set");
    let mine = fs::write(folder.join("probe"), "").is_ok();
    if mine { PathBuf::from("/sys") } else { folder }
}

#[test]
fn a_read_only_folder() {
    let folder = sample::folder();
    let place = read_only(folder.path());
    if !place.is_dir() {
        return sample::skip("no read-only folder on this system");
    }
    let out = place.join("run").to_string_lossy().into_owned();
    program::run(folder.path(), ["train", "--config", "small.toml", "-q", "--out", &out])
        .refused(1, &["cannot create", "choose a folder that you may write to"]);
    let svg = place.join("x.svg").to_string_lossy().into_owned();
    program::run(folder.path(), ["show", "mlp", "--svg", &svg])
        .refused(1, &["cannot write", "what to do"]);
    program::run(folder.path(), ["show", "mlp", "--svg", "nowhere/x.svg"])
        .refused(1, &["nowhere/x.svg", "make the folder first"]);
}
