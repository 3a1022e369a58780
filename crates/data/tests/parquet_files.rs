//! Parquet files in the form of Hugging Face's data sets, written by pyarrow (`parquet/make.py`).
#![cfg(feature = "parquet")]

use std::fs;
use std::path::{Path, PathBuf};

use percept_data::sources::{self, Format, Reading};
use percept_data::{Fit, ImageShape, Sizing};
use pictures_made::{recognise, refusal, write};
use proptest::prelude::*;
use tempfile::TempDir;

mod pictures_made;

const SIZING: Sizing = Sizing { input: ImageShape::colour(3, 4), fit: Fit::Stretch };

fn made(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parquet").join(name)
}

/// A folder with some of the files.
fn folder(names: &[&str]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for name in names {
        fs::copy(made(name), folder.path().join(name)).unwrap();
    }
    folder
}

const SET: [&str; 3] =
    ["train-00000-of-00002.parquet", "train-00001-of-00002.parquet", "test-00000-of-00001.parquet"];

#[test]
fn a_set_of_files_with_parts_is_read() {
    let folder = folder(&SET);
    for threads in [1, 3] {
        let source = recognise(folder.path()).unwrap();
        assert_eq!(source.format(), Format::Parquet);
        let note = "3 Parquet files; pictures in `image`, labels in `label` (--columns changes it)";
        assert_eq!(source.notes(), [note]);
        let train = source.train(Some(SIZING), threads).unwrap().dataset;
        assert_eq!(train.class_names(), ["cat", "dog", "bird"]);
        // Of the second file one row has no picture and two have no label.
        let colours: Vec<u8> = (0..train.len()).map(|at| train.image(at)[0]).collect();
        let expected: Vec<u8> = (0..41).chain([42]).collect();
        assert_eq!(colours, expected);
        let labels: Vec<u32> = (0..40).map(|at| at % 3).chain([0, 2]).collect();
        assert_eq!(train.labels(), labels);
        assert!(train.image(17).chunks(3).all(|pixel| pixel == [17, 100, 200]));
        let second = folder.path().join(SET[1]).display().to_string();
        let skipped: Vec<(String, &str)> = train
            .origin()
            .skipped
            .iter()
            .map(|skipped| (skipped.file.replace(&second, "SECOND"), &*skipped.reason))
            .collect();
        let expected = [
            ("SECOND: row 2", "it has no label"),
            ("SECOND: row 3", "it has no label"),
            ("SECOND: row 1", "expected the bytes of a picture, found none"),
        ];
        assert_eq!(skipped, expected.map(|(file, reason)| (file.to_owned(), reason)));
        assert_eq!(train.name(41), format!("{second}: row 4"));
        let test = source.test(Some(SIZING), threads).unwrap().unwrap().open().unwrap().dataset;
        assert_eq!((test.labels(), test.image(1)[0]), (&[2, 1][..], 51));
    }
}

#[test]
fn a_folder_data_and_a_single_file_are_read() {
    let folder = TempDir::new().unwrap();
    write(folder.path(), "README.md", "a data set");
    for name in SET {
        write(folder.path(), &format!("data/{name}"), fs::read(made(name)).unwrap());
    }
    let source = recognise(folder.path()).unwrap();
    assert_eq!(source.train(Some(SIZING), 1).unwrap().dataset.len(), 42);
    let source = recognise(&made(SET[0])).unwrap();
    assert_eq!(source.train(Some(SIZING), 1).unwrap().dataset.len(), 40);
    assert!(source.test(Some(SIZING), 1).unwrap().is_none());
}

#[test]
fn columns_are_found_by_the_metadata_or_named() {
    let data = |path: &Path, columns: &[&str]| {
        let columns = columns.iter().map(ToString::to_string).collect();
        let reading = Reading { columns, ..Reading::default() };
        sources::recognise(path, &reading)?.train(Some(SIZING), 1).map(|training| training.dataset)
    };
    let photos = data(&made("other-names.parquet"), &[]).unwrap();
    assert_eq!(
        (photos.labels(), photos.class_names()),
        (&[1, 0][..], &["a", "b"].map(str::to_owned)[..])
    );
    let words = data(&made("words.parquet"), &[]).unwrap();
    assert_eq!(
        (words.labels(), words.class_names()),
        (&[1, 0, 1][..], &["cat", "dog"].map(str::to_owned)[..])
    );
    let numbers = data(&made("words.parquet"), &["image", "id"]).unwrap();
    assert_eq!((numbers.labels(), numbers.class_names().len()), (&[7, 8, 9][..], 10));
    let message = data(&made("words.parquet"), &["image", "kind"]).unwrap_err().to_string();
    let expected = "expected a column of labels, `label` (--columns names another), \
                    found columns [id, image.bytes, image.path, label]";
    assert!(message.ends_with(expected), "{message}");
    let message = data(&made("words.parquet"), &["label.path"]).unwrap_err().to_string();
    assert!(
        message.contains("expected a column of pictures, `image: struct<bytes, path>`"),
        "{message}"
    );
}

/// The message for a file, with `FILE` for its path.
fn refused(bytes: &[u8]) -> String {
    let folder = TempDir::new().unwrap();
    write(folder.path(), "train.parquet", bytes);
    let path = folder.path().join("train.parquet");
    refusal(&path).replace(&path.display().to_string(), "FILE")
}

#[test]
fn files_that_are_none_are_refused() {
    let end = "`FILE`: expected a Parquet file (it ends with PAR1), found another end (the file is cut off or of another kind)";
    let whole = fs::read(made(SET[0])).unwrap();
    for bytes in [&b""[..], b"PAR1", b"<html>not found</html>", &whole[..whole.len() - 1]] {
        assert_eq!(refused(bytes), end);
    }
    let mut lying = whole.clone();
    let len = lying.len();
    lying[len - 8..len - 4].fill(0xff);
    let expected =
        format!("`FILE`: expected a footer of at most {} bytes, found 4294967295", len - 12);
    assert_eq!(refused(&lying), expected);
    // Behind its footer the file has nothing: the columns that the footer speaks of are not there.
    let footer = u32::from_le_bytes(whole[len - 8..len - 4].try_into().unwrap()) as usize;
    let message = refused(&[b"PAR1", &whole[len - 8 - footer..]].concat());
    assert!(message.starts_with("`FILE`: expected "), "{message}");
    let message = refusal(&made("no-pictures.parquet"));
    assert!(message.ends_with("found columns [number, label]"), "{message}");
    let message = refusal(&made("lists.parquet"));
    assert!(message.contains("expected a column of labels"), "{message}");
    let message = refusal(&made("zstandard.parquet"));
    assert!(
        message.contains(
            "expected a whole Parquet file, its columns not compressed or by Snappy or gzip"
        ),
        "{message}"
    );
}

#[test]
fn labels_beyond_the_names_are_refused() {
    // The first names three classes, the second has numbers up to 9.
    let folder = folder(&["other-names.parquet"]);
    fs::rename(folder.path().join("other-names.parquet"), folder.path().join("train.parquet"))
        .unwrap();
    fs::copy(made(SET[0]), folder.path().join("test.parquet")).unwrap();
    let reading = Reading::default();
    let message = sources::recognise(folder.path(), &reading).unwrap_err().to_string();
    assert!(
        message.contains("has classes that are not expected (2): expected [a, b], found [2, a, b]"),
        "{message}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_change_is_read_or_refused(at in 0.0..1.0f64, value in 0u8.., which in 0usize..3) {
        let mut bytes = fs::read(made(SET[which])).unwrap();
        let at = (at * bytes.len() as f64) as usize;
        bytes[at] = value;
        let folder = TempDir::new().unwrap();
        write(folder.path(), "train.parquet", &bytes);
        if let Ok(source) = recognise(folder.path()) {
            let _ = source.train(Some(SIZING), 2);
        }
    }
}
