//! Model files that are not: each gets a message and exit code 5.

use crate::{program, sample};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// A folder with the sample's model, changed, as `model.safetensors`.
fn changed(change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = change(fs::read(sample::model()).expect("read"));
    fs::write(folder.path().join("model.safetensors"), bytes).expect("written");
    folder
}

/// Every verb that reads models refuses it with these words.
fn refused(folder: &Path, words: &[&str]) {
    for line in
        ["evaluate model.safetensors", "predict model.safetensors a.png", "show model.safetensors"]
    {
        let refused = program::line(folder, line).refused(5, words);
        assert!(refused.stdout.is_empty(), "{refused:?}");
        assert!(refused.stderr.contains("what to do: "), "{refused:?}");
    }
}

#[test]
fn damaged_files() {
    refused(changed(|_| Vec::new()).path(), &["model.safetensors"]);
    refused(changed(|bytes| bytes[..1].to_vec()).path(), &["model.safetensors"]);
    refused(changed(|bytes| bytes[..bytes.len() - 100].to_vec()).path(), &["cut short"]);
    refused(changed(|bytes| [bytes, vec![0; 8]].concat()).path(), &["goes on after its end"]);
    refused(
        changed(|_| b"\x89PNG\r\n\x1a\n and so on, for a while".to_vec()).path(),
        &["is not a percept model"],
    );
    refused(
        changed(|mut bytes| {
            bytes[..8].fill(0xff);
            bytes
        })
        .path(),
        &["model.safetensors"],
    );
}

#[test]
fn a_weight_that_is_no_number() {
    let nan = |mut bytes: Vec<u8>| {
        let last = bytes.len() - 4;
        bytes[last..].copy_from_slice(&f32::NAN.to_le_bytes());
        bytes
    };
    refused(changed(nan).path(), &["NaN", "expected finite numbers only"]);
}

#[test]
fn missing_files_and_folders() {
    let folder = tempfile::tempdir().expect("a folder");
    program::line(folder.path(), "evaluate model.safetensors")
        .refused(5, &["cannot read", "check the path"]);
    program::line(folder.path(), "show model.safetensors")
        .refused(5, &["neither a preset nor a file", "mlp, lenet, fast, cnn, best"]);
    fs::create_dir(folder.path().join("model.safetensors")).expect("made");
    refused(folder.path(), &["a directory"]);
}

#[test]
fn a_checkpoint_is_not_a_model_and_a_model_not_a_checkpoint() {
    let folder = sample::trained();
    program::line(folder, "evaluate run/checkpoint/checkpoint.safetensors")
        .refused(5, &["is not a percept model: found a percept checkpoint"]);
    program::line(folder, "train --resume run/model.safetensors")
        .refused(5, &["is not a percept checkpoint: found a percept model"]);
    program::line(folder, "train --resume nowhere").refused(5, &["nowhere", "what to do"]);
}

#[test]
fn a_checkpoint_does_not_go_on_with_other_data() {
    let folder = sample::folder();
    program::line(folder.path(), "train --config small.toml --out run -q").well();
    let labels = folder.path().join("data/train-labels-idx1-ubyte");
    let mut bytes = fs::read(&labels).expect("read");
    bytes[20] = (bytes[20] + 1) % 3;
    fs::write(&labels, bytes).expect("written");
    program::line(folder.path(), "train --resume run -q")
        .refused(5, &["cannot resume", "give it the data it began with"]);
}
