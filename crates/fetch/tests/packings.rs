//! Archives become folders that percept reads.

mod loopback;

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use loopback::{fetch_from, file, set};
use percept_data::named::{Cache, NamedSet, Packing};
use percept_data::sources::{self, Reading, idx};
use percept_fetch::Origin;
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// Fetches a set of one archive from a folder.
fn unpack(archive: &[u8], packing: Packing, cache: &Path) -> Result<NamedSet, String> {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("archive"), archive).unwrap();
    let set = set(&[file("archive", archive)], packing);
    let outcome = fetch_from(&set, &Origin::Folder(folder.path().to_owned()), cache).0;
    assert_eq!(outcome.is_ok(), Cache::at(cache).has(&set));
    outcome.map(|()| set)
}

fn refused(archive: &[u8], packing: Packing) -> String {
    let cache = TempDir::new().unwrap();
    let message = unpack(archive, packing, cache.path()).unwrap_err();
    let path = cache.path().join("downloads/made/for-a-test/archive");
    message.replace(&path.display().to_string(), "ARCHIVE")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

const WANTED: Packing = Packing::TarGz(&["test.bin", "names.txt"]);

fn tar_gz(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, *bytes).unwrap();
    }
    gzip(&tar.into_inner().unwrap())
}

#[test]
fn only_what_is_wanted_is_taken_out_of_a_tar() {
    let archive = tar_gz(&[
        ("set/readme.html", b"not wanted"),
        ("set/test.bin", b"numbers"),
        ("set/names.txt", b"cat\ndog\n"),
        ("other/test.bin", b"too late"),
    ]);
    let cache = TempDir::new().unwrap();
    let set = unpack(&archive, WANTED, cache.path()).unwrap();
    let folder = Cache::at(cache.path()).folder(&set);
    let mut names: Vec<_> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["class_names.txt", "names.txt", "test.bin"]);
    assert_eq!(fs::read(folder.join("test.bin")).unwrap(), b"numbers");
    assert_eq!(fs::read(folder.join("class_names.txt")).unwrap(), b"left\nright\n");
}

#[test]
fn tars_that_are_not_whole() {
    let archive = tar_gz(&[("set/test.bin", b"numbers")]);
    assert_eq!(refused(&archive, WANTED), "`ARCHIVE`: expected a file `names.txt`, found none");
    let message = refused(&archive[..archive.len() / 2], WANTED);
    assert!(
        message.starts_with("`ARCHIVE`: expected a whole .tar.gz archive, found "),
        "{message}"
    );
    let message = refused(b"<html>not found</html>", WANTED);
    assert!(
        message.starts_with("`ARCHIVE`: expected a whole .tar.gz archive, found "),
        "{message}"
    );
    // A member that says that it has 8 GiB.
    let mut header = tar::Header::new_gnu();
    header.set_path("set/test.bin").unwrap();
    header.set_size(8 << 30);
    header.set_cksum();
    let message = refused(&gzip(header.as_bytes()), WANTED);
    let expected = "`ARCHIVE`: expected at most 268435456 bytes in `test.bin`, found 8589934592";
    assert_eq!(message, expected);
}

const LETTERS: Packing = Packing::Emnist { split: "letters", first_label: 1 };

/// EMNIST's archive with two images 2 wide and 3 high, as they lie in it, on their side.
fn emnist(labels: &[u8], without: &str) -> Vec<u8> {
    let images = idx::encode_images(2, 3, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    let labels = idx::encode_labels(labels);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for part in ["train", "test"] {
        for (content, bytes) in [("images-idx3", &images), ("labels-idx1", &labels)] {
            let name = format!("gzip/emnist-letters-{part}-{content}-ubyte.gz");
            if name != without {
                zip.start_file(name, SimpleFileOptions::default()).unwrap();
                zip.write_all(&gzip(bytes)).unwrap();
            }
        }
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn letters_are_turned_upright_and_counted_from_0() {
    let cache = TempDir::new().unwrap();
    let set = unpack(&emnist(&[2, 1], ""), LETTERS, cache.path()).unwrap();
    let folder = Cache::at(cache.path()).folder(&set);
    let source = sources::recognise(&folder, &Reading::default()).unwrap();
    let train = source.train(None, 1).unwrap().dataset;
    assert_eq!((train.shape().height, train.shape().width), (3, 2));
    assert_eq!(train.image(0), [1, 4, 2, 5, 3, 6]);
    assert_eq!(train.image(1), [7, 10, 8, 11, 9, 12]);
    assert_eq!((train.labels(), train.class_names().len()), (&[1, 0][..], 2));
    let test = source.test(None, 1).unwrap().unwrap().open().unwrap();
    assert_eq!(test.dataset.labels(), [1, 0]);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 5);
}

#[test]
fn archives_of_letters_that_are_not_whole() {
    let message = refused(&emnist(&[0, 1], ""), LETTERS);
    assert_eq!(message, "`ARCHIVE`: expected labels from 1 on, found a lower one");
    let without = "gzip/emnist-letters-test-labels-idx1-ubyte.gz";
    let message = refused(&emnist(&[2, 1], without), LETTERS);
    assert!(
        message.starts_with(&format!("`ARCHIVE`: expected a file `{without}`, found ")),
        "{message}"
    );
    let message = refused(b"PK nothing", LETTERS);
    assert!(message.starts_with("`ARCHIVE`: expected a whole ZIP archive, found "), "{message}");
}
