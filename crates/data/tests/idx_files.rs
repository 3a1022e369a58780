//! Reading IDX files, good and bad.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use percept_data::sources::idx::{self, IdxImages};
use percept_data::sources::{self, Reading, Source};
use percept_data::{Error, ImageShape};
use proptest::prelude::*;
use tempfile::TempDir;

mod real_data;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn file(bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("train-images-idx3-ubyte");
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

/// The message for `bytes` read as images, without the path.
fn refusal(bytes: &[u8]) -> String {
    let (_folder, path) = file(bytes);
    let message = idx::read_images(&path).unwrap_err().to_string();
    let start = format!("`{}`: ", path.display());
    message.strip_prefix(&start).unwrap_or_else(|| panic!("no path in: {message}")).to_owned()
}

fn header(sizes: [u32; 3]) -> Vec<u8> {
    [0x0803, sizes[0], sizes[1], sizes[2]].iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn two_images() -> Vec<u8> {
    idx::encode_images(2, 3, &(0..12).collect::<Vec<u8>>())
}

#[test]
fn each_kind_of_bad_file_has_its_own_message() {
    let magic = "expected an IDX file of images (magic number 0x00000803), found";
    let whole = two_images();
    let longer = [whole.clone(), vec![0]].concat();
    let other_magic = [&[9, 9, 9, 9][..], &whole[4..]].concat();
    for (bytes, message) in [
        (&[][..], format!("{magic} an empty file")),
        (&[0], "expected a header of 16 bytes, found only 1 bytes".into()),
        (&whole[..15], "expected a header of 16 bytes, found only 15 bytes".into()),
        (&other_magic, format!("{magic} magic number 0x09090909")),
        (&idx::encode_labels(&[1, 2]), format!("{magic} an IDX file of labels")),
        (
            &whole[..20],
            "expected 12 bytes of images as its header says, found only 4 (the file is cut off or \
             its header is wrong)"
                .into(),
        ),
        (
            &longer,
            "expected 12 bytes of images as its header says, found more bytes after them".into(),
        ),
        (
            &header([0, 28, 28]),
            "expected at least one of its images, found a header with count 0".into(),
        ),
        (
            &header([1, 28, 0]),
            "expected at least one of its images, found a header with columns 0".into(),
        ),
    ] {
        assert_eq!(refusal(bytes), message);
    }
}

/// A header may claim 2^31 images, or more bytes than can be counted: it is compared with the file before anything is read.
#[test]
fn a_lying_header_costs_no_memory() {
    for sizes in [[1 << 31, 28, 28], [u32::MAX; 3]] {
        let message = refusal(&header(sizes));
        assert!(message.contains("found only 0 (the file is cut off"), "{message}");
        let message = refusal(&gzip(&header(sizes)));
        assert!(message.contains("claim to unpack to"), "{message}");
    }
}

#[test]
fn bad_gzip_files_have_their_messages() {
    let whole = gzip(&two_images());
    assert!(refusal(&whole[..20]).starts_with("expected a whole gzip file, found damage"));
    let mut damaged = whole.clone();
    let at = damaged.len() - 6; // within the checksum
    damaged[at] ^= 1;
    assert!(refusal(&damaged).starts_with("expected a whole gzip file, found damage"));
    let short = refusal(&gzip(&two_images()[..20]));
    assert!(short.contains("found only 4 (the file is cut off)"), "{short}");
    let long = refusal(&gzip(&[two_images(), vec![0]].concat()));
    assert!(long.contains("found more bytes after them"), "{long}");
}

/// 200 MB of zeros pack to 200 KB, a thousand to one: refused by the header, before unpacking.
#[test]
fn a_bomb_is_refused() {
    let images = [header([200, 1000, 1000]), vec![0; 200_000_000]].concat();
    let message = refusal(&gzip(&images));
    assert!(message.contains("claim to unpack to 200000000, more than the"), "{message}");
}

#[test]
fn folders_and_missing_files_are_named() {
    let folder = TempDir::new().unwrap();
    assert!(matches!(idx::read_images(folder.path()), Err(Error::IsFolder { .. })));
    let missing = folder.path().join("nothing");
    let message = idx::read_labels(&missing).unwrap_err().to_string();
    assert!(message.ends_with("nothing` not found: expected an IDX file of labels"), "{message}");
}

fn recognise(path: &Path) -> Result<Source, Error> {
    sources::recognise(path, &Reading::default())
}

fn write(folder: &Path, name: &str, bytes: &[u8]) {
    fs::write(folder.join(name), bytes).unwrap();
}

/// Both spellings, plain and gzip, in one folder.
#[test]
fn a_folder_under_mixed_names_is_read() {
    let folder = TempDir::new().unwrap();
    write(folder.path(), "train-images.idx3-ubyte", &two_images());
    write(folder.path(), "train-labels-idx1-ubyte.gz", &gzip(&idx::encode_labels(&[2, 0])));
    write(folder.path(), "t10k-images-idx3-ubyte.gz", &gzip(&two_images()));
    write(folder.path(), "t10k-labels.idx1-ubyte", &idx::encode_labels(&[1, 1]));
    let source = recognise(folder.path()).unwrap();
    let train = source.train(None, 1).unwrap().dataset;
    assert_eq!((train.shape(), train.labels()), (ImageShape::grey(2, 3), &[2, 0][..]));
    assert_eq!((train.class_names().len(), train.image(1)), (3, &[6, 7, 8, 9, 10, 11][..]));
    let test = source.test(None, 1).unwrap().unwrap().open().unwrap();
    assert_eq!((test.examples, test.dataset.class_names().len()), (vec![0, 1], 3));
}

#[test]
fn a_folder_with_contradictions_is_refused() {
    let folder = TempDir::new().unwrap();
    write(folder.path(), "train-images-idx3-ubyte", &two_images());
    let message = recognise(folder.path()).unwrap_err().to_string();
    assert!(message.contains("train-labels-idx1-ubyte` not found"), "{message}");
    write(folder.path(), "train-labels-idx1-ubyte", &idx::encode_labels(&[0, 1, 2]));
    let source = recognise(folder.path()).unwrap();
    assert!(source.test(None, 1).unwrap().is_none());
    let message = source.train(None, 1).unwrap_err().to_string();
    assert!(message.contains("expected one label an image, found 2 images in"), "{message}");
    // A test label that training never had.
    write(folder.path(), "train-labels-idx1-ubyte", &idx::encode_labels(&[0, 1]));
    write(folder.path(), "t10k-images-idx3-ubyte", &two_images());
    write(folder.path(), "t10k-labels-idx1-ubyte", &idx::encode_labels(&[0, 7]));
    let test = recognise(folder.path()).unwrap().test(None, 1).unwrap().unwrap();
    let message = test.open().unwrap_err().to_string();
    assert!(message.contains("expected labels from 0 to 1, found label 7"), "{message}");
}

#[test]
fn a_folder_of_anything_else_is_described() {
    let folder = TempDir::new().unwrap();
    let message = || recognise(folder.path()).unwrap_err().to_string();
    assert!(message().contains("found nothing at all; expected class folders"), "{}", message());
    write(folder.path(), "a.txt", b"");
    assert!(message().contains("found 1 other file;"), "{}", message());
    fs::create_dir(folder.path().join("cats")).unwrap();
    assert!(
        message().contains("found 1 folder without pictures and 1 other file;"),
        "{}",
        message()
    );
    let missing = recognise(&folder.path().join("no")).unwrap_err();
    assert!(matches!(missing, Error::Missing { .. }));
    let message = recognise(&folder.path().join("a.txt")).unwrap_err().to_string();
    assert!(message.contains("found a single file"), "{message}");
}

#[test]
fn the_real_sets_are_read() {
    for set in ["mnist", "fashion-mnist"] {
        let Some(folder) = real_data::folder(set) else { return };
        let source = recognise(&folder).unwrap();
        let train = source.train(None, 1).unwrap().dataset;
        assert_eq!((train.len(), train.class_names().len()), (60_000, 10));
        assert_eq!(source.test(None, 1).unwrap().unwrap().open().unwrap().dataset.len(), 10_000);
    }
    let Some(folder) = real_data::folder("notmnist") else { return };
    let Source::Idx(letters) = recognise(&folder).unwrap() else { panic!("not IDX") };
    let message = letters.train(None).unwrap_err().to_string();
    assert!(message.contains("this folder has a test part only"), "{message}");
    assert_eq!(letters.test(None).unwrap().open().unwrap().dataset.len(), 10_000);
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        rows in 1usize..5, columns in 1usize..5, labels in prop::collection::vec(0u8.., 1..9)
    ) {
        let pixels: Vec<u8> = (0..labels.len() * rows * columns).map(|i| i as u8).collect();
        let images = IdxImages { rows, columns, pixels };
        let folder = TempDir::new().unwrap();
        idx::write_part(folder.path(), "train", &images, &labels).unwrap();
        let path = |name| folder.path().join(name);
        prop_assert_eq!(idx::read_images(&path("train-images-idx3-ubyte")).unwrap(), images);
        prop_assert_eq!(idx::read_labels(&path("train-labels-idx1-ubyte")).unwrap(), labels);
    }

    #[test]
    fn any_bytes_are_no_panic(bytes in prop::collection::vec(0u8.., 0..60), packed: bool) {
        let bytes = [vec![0, 0, 8, 3, 0, 0, 0], bytes].concat();
        let (_folder, path) = file(&if packed { gzip(&bytes) } else { bytes });
        let _ = idx::read_images(&path);
        let _ = idx::read_labels(&path);
    }
}
