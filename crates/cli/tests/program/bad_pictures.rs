//! Pictures that are none: exit code 3, and nothing is allocated on a file's word.

use crate::sample::png;
use crate::{program, sample};
use std::fs;

fn predict(content: &[u8]) -> program::Finished {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("a.png"), content).expect("written");
    let model = sample::model().to_string_lossy().into_owned();
    program::run(folder.path(), ["predict", &model, "a.png"])
}

#[test]
fn damaged_pictures() {
    let good = png(16, 16);
    assert_eq!(predict(&good).code, 0);
    for (content, words) in [
        (&b""[..], "an empty file"),
        (&good[..1], "of no format known here"),
        (&b"hello, I am a text"[..], "of no format known here"),
        (&good[..good.len() / 2], "cannot be decoded"),
        (&good[..33], "cannot be decoded"),
    ] {
        let refused = predict(content).refused(3, &["a.png", words, "what to do: "]);
        assert!(refused.stdout.is_empty(), "{refused:?}");
    }
}

#[test]
fn a_small_file_with_a_huge_picture() {
    let huge = png(20_000, 20_000);
    assert!(huge.len() < 60_000, "{} bytes", huge.len());
    predict(&huge).refused(3, &["20000x20000", "make it smaller"]);
}

#[test]
fn folders_without_pictures() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = sample::model().to_string_lossy().into_owned();
    program::run(folder.path(), ["predict", &model, "."])
        .refused(3, &["there are no pictures in ."]);
    program::run(folder.path(), ["predict", &model, "none.png"])
        .refused(3, &["`none.png` not found", "check the path"]);
}
