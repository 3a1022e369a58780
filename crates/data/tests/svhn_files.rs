//! SVHN's MATLAB files, written by SciPy (`svhn/make.py`).

use std::fs;
use std::path::Path;

use percept_data::ImageShape;
use percept_data::sources::Format;
use pictures_made::{recognise, refusal, write};
use proptest::prelude::*;
use tempfile::TempDir;

mod pictures_made;

const PACKED: &[u8] = include_bytes!("svhn/packed.mat");
const PLAIN: &[u8] = include_bytes!("svhn/plain.mat");

fn folder(train: &[u8], test: &[u8]) -> TempDir {
    let folder = TempDir::new().unwrap();
    write(folder.path(), "train_32x32.mat", train);
    write(folder.path(), "test_32x32.mat", test);
    folder
}

/// The message for a training part of these bytes, with `FILE` for its path.
fn refused(bytes: &[u8]) -> String {
    let folder = folder(bytes, PLAIN);
    let path = folder.path().join("train_32x32.mat").display().to_string();
    refusal(folder.path()).replace(&path, "FILE")
}

#[test]
fn both_parts_are_read() {
    let folder = folder(PACKED, PLAIN);
    let source = recognise(folder.path()).unwrap();
    assert_eq!(source.format(), Format::Svhn);
    let train = source.train(None, 1).unwrap().dataset;
    assert_eq!((train.labels(), train.shape()), (&[0, 3, 1][..], ImageShape::colour(32, 32)));
    let names: Vec<String> = (0..10).map(|digit| digit.to_string()).collect();
    assert_eq!(train.class_names(), names);
    let test = source.test(None, 1).unwrap().unwrap().open().unwrap().dataset;
    assert_eq!(test.labels(), [0, 3]);
    for (dataset, count) in [(&train, 3), (&test, 2)] {
        assert_eq!(dataset.len(), count);
        for image in 0..count {
            for (at, &value) in dataset.image(image).iter().enumerate() {
                let (row, column, channel) = (at / 96, at / 3 % 32, at % 3);
                let expected = (7 * row + 3 * column + 50 * channel + 100 * image) % 256;
                assert_eq!(usize::from(value), expected, "image {image} at {row} {column}");
            }
        }
    }
}

#[test]
fn parts_alone() {
    let folder = TempDir::new().unwrap();
    write(folder.path(), "test_32x32.mat", PACKED);
    let message = refusal(folder.path());
    assert!(
        message.ends_with("expected the training part; this folder has a test part only"),
        "{message}"
    );
    write(folder.path(), "train_32x32.mat", PACKED);
    fs::remove_file(folder.path().join("test_32x32.mat")).unwrap();
    assert!(recognise(folder.path()).unwrap().test(None, 1).unwrap().is_none());
}

/// The plain file begins with a header of 128 bytes and `other`: a tag of 8 bytes and 128 bytes (three doubles by three).
const X: usize = 128 + 8 + 128;

fn with(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = PLAIN.to_vec();
    assert_eq!(bytes[X], 14, "a matrix");
    change(&mut bytes);
    bytes
}

#[test]
fn files_that_are_none_are_refused() {
    let other = "`FILE`: expected a MATLAB file of level 5 (its first 128 bytes end with IM or MI), found another beginning";
    assert_eq!(refused(&[b' '; 300]), other);
    assert_eq!(
        refused(b"<html>"),
        "`FILE`: expected 128 bytes, found 6 (the file is cut off or its sizes are wrong)"
    );
    assert_eq!(
        refused(&PLAIN[..128]),
        "`FILE`: expected the arrays `X` and `y` of SVHN, found no `X`"
    );
    let message = refused(&PLAIN[..PLAIN.len() - 1000]);
    assert!(message.contains("(the file is cut off or its sizes are wrong)"), "{message}");
    let message = refused(&PACKED[..PACKED.len() - 100]);
    assert!(message.contains("(the file is cut off or its sizes are wrong)"), "{message}");
    let message = refused(&{
        let mut bytes = PACKED.to_vec();
        bytes[300..320].fill(0xff);
        bytes
    });
    assert!(message.starts_with("`FILE`: expected whole packed data, found damage ("), "{message}");
}

#[test]
fn arrays_that_contradict_each_other_are_refused() {
    // Behind the tag: flags (16 bytes), sizes (8 + 16), name (8, in the tag), numbers.
    let sizes = X + 8 + 16 + 8;
    assert_eq!(PLAIN[sizes..sizes + 16], [32, 0, 0, 0, 32, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0]);
    assert_eq!(
        refused(&with(|bytes| bytes[sizes + 12] = 3)),
        "`FILE`: expected 9216 numbers, as the sizes [32, 32, 3, 3] of `X` say, found 6144"
    );
    assert_eq!(
        refused(&with(|bytes| bytes[sizes..sizes + 16].fill(0xff))),
        "`FILE`: expected sizes that can be counted, found [4294967295, 4294967295, 4294967295, 4294967295] of `X`"
    );
    assert_eq!(
        refused(&with(|bytes| {
            bytes[sizes] = 64;
            bytes[sizes + 4] = 16;
        })),
        "`FILE`: expected pixels [32, 32, 3, N] in `X`, found sizes [64, 16, 3, 2]"
    );
    let numbers = sizes + 16 + 8;
    assert_eq!(PLAIN[numbers..numbers + 8], [2, 0, 0, 0, 0, 24, 0, 0]);
    assert_eq!(
        refused(&with(|bytes| bytes[numbers] = 7)),
        "`FILE`: expected whole numbers from 0 to 255 in `X`, found MATLAB's data type 7"
    );
    // 4 GiB of pixels are claimed by a file of 6 KB.
    let message = refused(&with(|bytes| bytes[numbers + 4..numbers + 8].fill(0xff)));
    assert!(message.contains("expected 4294967295 bytes, found 6"), "{message}");
    // The labels are doubles, the last in the file.
    let end = PLAIN.len();
    let labelled =
        |label: f64| with(|bytes| bytes[end - 8..].copy_from_slice(&label.to_le_bytes()));
    let expected = "`FILE`: expected labels from 1 to 10 in `y`, found 11 at image 1";
    assert_eq!(refused(&labelled(11.0)), expected);
    let expected = "`FILE`: expected whole numbers from 0 to 255 in `y`, found ";
    for label in [2.5, -1.0, 256.0, f64::NAN] {
        assert_eq!(refused(&labelled(label)), format!("{expected}{label}"));
    }
}

/// A packed element of few bytes that announces 3 GB.
#[test]
fn a_bomb_is_refused() {
    use flate2::Compression;
    use flate2::write::ZlibEncoder;
    use std::io::Write;
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&[14, 0, 0, 0, 0, 0, 0, 0xb0, 0, 0, 0, 0]).unwrap();
    let packed = packed.finish().unwrap();
    let len = (packed.len() as u32).to_le_bytes();
    let bytes = [&PLAIN[..128], &[15, 0, 0, 0], &len, &packed].concat();
    let message = refused(&bytes);
    assert!(message.contains("bytes claim to unpack to 2952790016, more than the"), "{message}");
}

proptest! {
    #[test]
    fn any_change_is_read_or_refused(at in 124usize..1100, value in 0u8..) {
        for file in [PACKED, PLAIN] {
            let mut bytes = file.to_vec();
            bytes[at] = value;
            let folder = folder(&bytes, PLAIN);
            let _ = read(folder.path());
        }
    }
}

fn read(folder: &Path) -> Result<usize, percept_data::Error> {
    Ok(recognise(folder)?.train(None, 1)?.dataset.len())
}
