//! Data sets that are not: exit code 3, and the file is named.

use crate::{program, sample};
use std::fs;

const IMAGES: &str = "data/train-images-idx3-ubyte";
const LABELS: &str = "data/train-labels-idx1-ubyte";

/// Training with one file of the sample changed.
fn train_with(file: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> program::Finished {
    let folder = sample::folder();
    let path = folder.path().join(file);
    let bytes = change(fs::read(&path).expect("read"));
    fs::write(&path, bytes).expect("written");
    let finished = program::line(folder.path(), "train --config small.toml --out run -q");
    assert!(!folder.path().join("run").exists(), "{finished:?}");
    finished
}

#[test]
fn damaged_files() {
    for file in [IMAGES, LABELS] {
        train_with(file, |_| Vec::new()).refused(3, &[file, "what to do"]);
        train_with(file, |bytes| bytes[..1].to_vec()).refused(3, &[file]);
        train_with(file, |bytes| bytes[..bytes.len() - 1].to_vec()).refused(3, &[file]);
        train_with(file, |bytes| [bytes, vec![0]].concat()).refused(3, &[file]);
        train_with(file, |bytes| [b"\x89PNG", &bytes[4..]].concat()).refused(3, &[file]);
        // 2^31 images are claimed by a file of a few kilobytes.
        train_with(file, |bytes| [&bytes[..4], &[0x80, 0, 0, 0], &bytes[8..]].concat())
            .refused(3, &[file]);
    }
}

#[test]
fn no_classes_and_labels_that_do_not_match() {
    train_with(LABELS, |bytes| [&bytes[..4], &[0; 4]].concat()).refused(3, &["what to do"]);
    train_with(LABELS, |mut bytes| {
        bytes[8..].fill(0);
        bytes
    })
    .refused(3, &["expected images of at least two classes, found only `0`"]);
}

#[test]
fn folders_that_are_none() {
    let folder = sample::folder();
    let train =
        |data: &str| program::line(folder.path(), &format!("train --data {data} --out run -q"));
    train("nowhere").refused(3, &["`nowhere` not found", "what to do: check the path"]);
    train("small.toml").refused(3, &["small.toml", "a single file"]);
    fs::create_dir(folder.path().join("empty")).expect("made");
    train("empty").refused(3, &["no data set recognised", "nothing at all"]);
    fs::create_dir(folder.path().join(format!("data/{}", "x"))).expect("made");
    fs::remove_file(folder.path().join(LABELS)).expect("removed");
    fs::create_dir(folder.path().join(LABELS)).expect("made");
    train("data").refused(3, &["train-labels-idx1-ubyte"]);
}
