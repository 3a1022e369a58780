//! NPZ files, CIFAR's binary files and tar shards.

use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use image::ImageFormat;
use percept_data::ImageShape;
use percept_data::sources::{Format, npy};
use pictures_made::{encoded, png, recognise, refusal, write};
use proptest::prelude::*;
use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

mod pictures_made;
mod real_data;

/// A `.npy` array with the header as NumPy writes it.
fn npy(dtype: &str, shape: &str, bytes: &[u8]) -> Vec<u8> {
    let text = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}");
    let header = format!("{text:<117}\n");
    let len = (header.len() as u16).to_le_bytes();
    [&b"\x93NUMPY\x01\x00"[..], &len, header.as_bytes(), bytes].concat()
}

fn write_npz(path: &Path, arrays: &[(&str, Vec<u8>)]) {
    let mut archive = ZipWriter::new(fs::File::create(path).unwrap());
    for (at, (name, bytes)) in arrays.iter().enumerate() {
        let methods = [CompressionMethod::Stored, CompressionMethod::Deflated];
        let options = SimpleFileOptions::default().compression_method(methods[at % 2]);
        archive.start_file(format!("{name}.npy"), options).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap();
}

/// Three images of 1x2 to learn from, one for validation, two to test with.
fn whole() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("train_images", npy("|u1", "(3, 1, 2)", &[1, 2, 3, 4, 5, 6])),
        ("train_labels", npy("|u1", "(3, 1)", &[2, 0, 1])),
        ("val_images", npy("|u1", "(1, 1, 2)", &[7, 8])),
        ("val_labels", npy("<i8", "(1, 1)", &[1, 0, 0, 0, 0, 0, 0, 0])),
        ("test_images", npy("|u1", "(2, 1, 2)", &[9, 10, 11, 12])),
        ("test_labels", npy(">i4", "(2,)", &[0, 0, 0, 1, 0, 0, 0, 0])),
    ]
}

fn npz_with(change: impl FnOnce(&mut Vec<(&'static str, Vec<u8>)>)) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("set.npz");
    let mut arrays = whole();
    change(&mut arrays);
    write_npz(&path, &arrays);
    (folder, path)
}

#[test]
fn an_npz_file_has_three_parts() {
    let (folder, path) = npz_with(|_| {});
    for place in [folder.path(), &path] {
        let source = recognise(place).unwrap();
        assert_eq!(source.format(), Format::Npz);
        let training = source.train(None, 1).unwrap();
        let data = training.dataset;
        assert_eq!((data.labels(), data.shape()), (&[2, 0, 1, 1][..], ImageShape::grey(1, 2)));
        assert_eq!(
            (training.validation, data.images()),
            (Some(3..4), &[1, 2, 3, 4, 5, 6, 7, 8][..])
        );
        let test = source.test(None, 1).unwrap().unwrap().open().unwrap().dataset;
        assert_eq!((test.labels(), test.class_names().join(" ")), (&[1, 0][..], "0 1 2".into()));
    }
    let (_folder, path) = npz_with(|arrays| {
        arrays.retain(|(name, _)| name.starts_with("test"));
        arrays[0].1 = npy("|u1", "(2, 1, 1, 3)", &[1, 2, 3, 4, 5, 6]);
    });
    let source = recognise(&path).unwrap();
    let test = source.test(None, 1).unwrap().unwrap().open().unwrap().dataset;
    assert_eq!((test.shape(), test.class_names().len()), (ImageShape::colour(1, 1), 2));
    assert!(refusal(&path).contains("the training images; this file has a test part only"));
}

#[test]
fn arrays_that_do_not_fit_are_refused() {
    let cases: [(&str, Vec<u8>, &str); 13] = [
        (
            "train_images",
            npy("<f4", "(3, 1, 2)", &[0; 24]),
            "train_images.npy`: expected integers, found type <f4",
        ),
        (
            "train_images",
            npy("<i8", "(3, 1, 2)", &[0; 48]),
            "expected u8 images, [N, height, width] or [N, height, width, 3], found `train_images` of type <i8 and shape [3, 1, 2]",
        ),
        ("train_images", npy("|u1", "(6,)", &[0; 6]), "of type |u1 and shape [6]"),
        (
            "train_images",
            npy("|u1", "(2, 1, 2)", &[0; 4]),
            "expected one label an image, found 2 images and 3 labels",
        ),
        (
            "train_images",
            npy("|u1", "(3, 1, 2)", &[0; 5]),
            "expected as many bytes as its header says, found 5 of 6 (the array is cut off)",
        ),
        ("train_images", npy("|u1", "(3, 1, 2)", &[0; 7]), "found more than 6"),
        (
            "train_images",
            npy("|u1", "(4294967296, 4294967296, 2)", &[]),
            "expected sizes that can be counted",
        ),
        (
            "train_images",
            npy("|u1", "(9000000, 1000, 1000)", &[]),
            "found 0 of 9000000000000 (the array is cut off)",
        ),
        ("train_images", b"PK".to_vec(), "expected a NumPy array, found another beginning"),
        (
            "train_labels",
            npy("|u1", "(3, 14)", &[0; 42]),
            "found 14 an image in `train_labels` (a set of several labels cannot be learned)",
        ),
        (
            "train_labels",
            npy("|i1", "(3, 1)", &[0, 255, 1]),
            "expected labels that count the classes from 0, found -1 in `train_labels`",
        ),
        (
            "train_labels",
            npy("<i4", "(3, 1)", &[0, 0, 0, 0, 64, 66, 15, 0, 1, 0, 0, 0]),
            "not many more classes than images, found the label 1000000 among those of 4 images",
        ),
        (
            "val_images",
            npy("|u1", "(1, 2, 2)", &[0; 4]),
            "expected images of 1x2x1 in every part, found 2x2x1",
        ),
    ];
    for (name, bytes, message) in cases {
        let (_folder, path) = npz_with(|arrays| {
            arrays.iter_mut().find(|(of, _)| *of == name).unwrap().1 = bytes;
        });
        let found = refusal(&path);
        assert!(found.contains(message), "{found}");
        assert!(found.contains("set.npz"), "{found}");
    }
    let (_folder, path) = npz_with(|arrays| arrays.retain(|(name, _)| *name != "train_labels"));
    assert!(refusal(&path).contains("expected an array `train_labels`, found none"));
    let (_folder, path) = npz_with(|arrays| arrays.retain(|(name, _)| name.ends_with("labels")));
    let found = refusal(&path);
    assert!(found.contains("expected arrays `train_images` and `train_labels`"), "{found}");
    assert!(found.contains("found [test_labels, train_labels, val_labels]"), "{found}");
}

#[test]
fn damaged_archives_are_no_panic() {
    let (_folder, path) = npz_with(|_| {});
    let whole = fs::read(&path).unwrap();
    for at in (0..whole.len()).step_by(3) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x5a;
        for bytes in [&damaged[..], &whole[..at]] {
            fs::write(&path, bytes).unwrap();
            let _ = recognise(&path).and_then(|source| source.train(None, 1));
        }
    }
    fs::write(&path, &whole[..40]).unwrap();
    assert!(refusal(&path).contains("expected an .npz file (a ZIP archive), found"));
}

/// 90 MB of zeros pack a thousand to one.
#[test]
fn an_array_that_would_unpack_to_too_much_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("bomb.npz");
    let zeros = npy("|u1", "(90, 1000, 1000)", &vec![0; 90_000_000]);
    write_npz(&path, &[("train_labels", npy("|u1", "(1,)", &[0])), ("train_images", zeros)]);
    let found = refusal(&path);
    assert!(
        found.contains("train_images.npy`: ") && found.contains("claim to unpack to 9000"),
        "{found}"
    );
}

proptest! {
    #[test]
    fn any_bytes_are_no_array_or_one(header in "[ -~]{0,80}", bytes in prop::collection::vec(0u8.., 0..60)) {
        let len = (header.len() as u16).to_le_bytes();
        let file = [&b"\x93NUMPY\x01\x00"[..], &len, header.as_bytes(), &bytes].concat();
        let _ = npy::read_array(&file[..], "test");
        let _ = npy::read_array(&bytes[..], "test");
    }
}

/// Records of CIFAR whose red plane is `label`, the green 100 and the blue 200.
fn records(labels: &[u8], coarse: bool) -> Vec<u8> {
    let record = |&label: &u8| {
        let head = if coarse { vec![9, label] } else { vec![label] };
        [head, vec![label; 1024], vec![100; 1024], vec![200; 1024]].concat()
    };
    labels.iter().flat_map(record).collect()
}

const NAMES: &str = "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n";

#[test]
fn cifar_10_and_cifar_100_are_read() {
    let folder = TempDir::new().unwrap();
    for batch in 1..=5u8 {
        write(folder.path(), &format!("data_batch_{batch}.bin"), records(&[batch, 9], false));
    }
    write(folder.path(), "test_batch.bin", records(&[3], false));
    write(folder.path(), "batches.meta.txt", NAMES);
    let source = recognise(folder.path()).unwrap();
    assert_eq!(source.format(), Format::Cifar);
    let data = source.train(None, 1).unwrap().dataset;
    assert_eq!(data.labels(), [1, 9, 2, 9, 3, 9, 4, 9, 5, 9]);
    assert_eq!(
        (data.shape(), &data.image(8)[..6]),
        (ImageShape::colour(32, 32), &[5, 100, 200, 5, 100, 200][..])
    );
    assert_eq!((&*data.class_names()[9], data.class_names().len()), ("truck", 10));
    assert_eq!(source.test(None, 1).unwrap().unwrap().open().unwrap().dataset.labels(), [3]);

    let folder = TempDir::new().unwrap();
    write(folder.path(), "train.bin", records(&[99, 7], true));
    let source = recognise(folder.path()).unwrap();
    let data = source.train(None, 1).unwrap().dataset;
    assert_eq!((data.labels(), data.class_names().len(), data.image(1)[0]), (&[99, 7][..], 100, 7));
    assert!(source.test(None, 1).unwrap().is_none());
}

#[test]
fn cifar_files_that_are_none_are_refused() {
    let write_all = |folder: &TempDir| {
        (1..=5).for_each(|batch| {
            write(folder.path(), &format!("data_batch_{batch}.bin"), records(&[1], false));
        });
    };
    let with = |name: &str, bytes: Vec<u8>| {
        let folder = TempDir::new().unwrap();
        write_all(&folder);
        write(folder.path(), name, bytes);
        refusal(folder.path())
    };
    for (name, bytes, message) in [
        (
            "data_batch_2.bin",
            records(&[10], false),
            "expected labels from 0 to 9, found label 10 in record 0",
        ),
        (
            "data_batch_2.bin",
            records(&[1], false)[1..].to_vec(),
            "expected records of 3073 bytes, as CIFAR-10 has them, found 3072 bytes",
        ),
        ("data_batch_2.bin", Vec::new(), "found 0 bytes"),
        (
            "batches.meta.txt",
            b"cat\ndog\n".to_vec(),
            "expected the names of 10 classes, one a line, found 2 lines",
        ),
    ] {
        let found = with(name, bytes);
        assert!(found.contains(name) && found.contains(message), "{found}");
    }
    let folder = TempDir::new().unwrap();
    write_all(&folder);
    fs::remove_file(folder.path().join("data_batch_4.bin")).unwrap();
    assert!(refusal(folder.path()).contains("data_batch_4.bin` not found: expected all 5 files"));
    let folder = TempDir::new().unwrap();
    write(folder.path(), "test.bin", records(&[1], true));
    assert!(refusal(folder.path()).contains("train.bin` not found: expected the training part"));
}

fn tar(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, Cursor::new(bytes)).unwrap();
    }
    archive.into_inner().unwrap()
}

#[test]
fn shards_are_read_where_they_are() {
    let folder = TempDir::new().unwrap();
    let (red, blue) = (png([200, 0, 0]), encoded(4, 4, [0, 0, 200], ImageFormat::Bmp));
    let long = format!("{}/x.y.png", "deep/".repeat(30));
    let files = [
        ("a/1.cls", b"cat\n".to_vec()),
        ("a/1.png", red.clone()),
        ("a/1.json", b"{}".to_vec()),
        ("a/2.bmp", blue.clone()),
        ("a/2.cls", b"dog".to_vec()),
        ("a/3.png", red.clone()),
        ("b/3.cls", b"dog".to_vec()),
        (&long, red.clone()),
        (&long.replace("y.png", "cls"), b"dog".to_vec()),
    ];
    write(folder.path(), "train-000.tar", tar(&files));
    write(
        folder.path(),
        "train-001.tar",
        tar(&[("9.png", red[..50].to_vec()), ("9.cls", b"cat".to_vec())]),
    );
    write(folder.path(), "val-000.tar", tar(&[("9.png", red.clone()), ("9.cls", b"cat".to_vec())]));
    write(folder.path(), "pets-test-000.tar", tar(&[("9.bmp", blue), ("9.cls", b"dog".to_vec())]));
    let source = recognise(folder.path()).unwrap();
    assert_eq!(
        (source.format(), source.notes()),
        (Format::Shards, &["4 tar shards, read where they are".to_owned()][..])
    );
    let training = source.train(None, 2).unwrap();
    let data = training.dataset;
    assert_eq!((data.labels(), training.validation), (&[0, 1, 1, 0][..], Some(3..4)));
    assert_eq!((&data.image(0)[..3], &data.image(1)[..3]), (&[200, 0, 0][..], &[0, 0, 200][..]));
    assert!(data.name(0).ends_with("train-000.tar: a/1.png"), "{}", data.name(0));
    let reasons: Vec<&str> =
        data.origin().skipped.iter().map(|skipped| skipped.reason.as_str()).collect();
    assert_eq!(reasons.len(), 3, "{reasons:?}");
    assert_eq!(
        reasons[..2],
        ["it has no label: expected a .cls file beside it", "it has no picture"]
    );
    assert!(reasons[2].contains("expected a whole PNG picture"), "{reasons:?}");
    let test = source.test(None, 1).unwrap().unwrap().open().unwrap().dataset;
    assert_eq!((test.labels(), &test.image(0)[..3]), (&[1][..], &[0, 0, 200][..]));
}

/// Not what the convention asks for, but what `tar` makes of a folder in whatever order it lies.
#[test]
fn labels_need_not_be_beside_their_pictures() {
    let folder = TempDir::new().unwrap();
    let (red, blue) = (png([200, 0, 0]), png([0, 0, 200]));
    let (dog, cat) = (b"dog".to_vec(), b"cat".to_vec());
    let files = [("2.cls", dog), ("1.png", red), ("2.png", blue), ("1.cls", cat)];
    write(folder.path(), "train.tar", tar(&files));
    let data = recognise(folder.path()).unwrap().train(None, 1).unwrap().dataset;
    assert_eq!((data.labels(), data.image(0)[0], data.image(1)[0]), (&[1, 0][..], 0, 200));
    assert!(data.origin().skipped.is_empty());
}

#[test]
fn shards_that_are_none_are_refused() {
    let shard = |files: &[(&str, Vec<u8>)]| {
        let folder = TempDir::new().unwrap();
        write(folder.path(), "x.tar", tar(files));
        folder
    };
    let example = |label: &str| {
        vec![
            ("1.png", png([1, 2, 3])),
            ("1.cls", label.into()),
            ("2.png", png([1, 2, 3])),
            ("2.cls", b"dog".to_vec()),
        ]
    };
    assert!(refusal(shard(&example("dog")).path()).contains("found only `dog`"));
    assert!(refusal(shard(&[]).path()).contains("expected at least two classes, found none"));
    let folder = shard(&example("cat"));
    write(
        folder.path(),
        "test-0.tar",
        tar(&[("1.png", png([1, 2, 3])), ("1.cls", b"bird".to_vec())]),
    );
    let found = refusal(folder.path());
    assert!(found.contains("(bird): expected [cat, dog], found [bird]"), "{found}");
    let path = shard(&example("cat")).keep().join("x.tar");
    let whole = fs::read(&path).unwrap();
    for at in (0..whole.len()).step_by(37) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x5a;
        for bytes in [&damaged[..], &whole[..at]] {
            fs::write(&path, bytes).unwrap();
            let _ = recognise(&path).and_then(|source| source.train(None, 1));
        }
    }
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
}

#[test]
fn the_real_sets_are_read() {
    if let Some(file) = real_data::file("pneumoniamnist.npz") {
        let source = recognise(&file).unwrap();
        let training = source.train(None, 1).unwrap();
        assert_eq!((training.dataset.len(), training.validation), (4708 + 524, Some(4708..5232)));
        assert_eq!(
            (training.dataset.shape(), training.dataset.class_names().len()),
            (ImageShape::grey(28, 28), 2)
        );
        assert_eq!(source.test(None, 1).unwrap().unwrap().open().unwrap().dataset.len(), 624);
    }
    if let Some(folder) = real_data::unpacked("orl-faces.tar.xz") {
        let source = recognise(folder.path()).unwrap();
        let data = source.train(None, 2).unwrap().dataset;
        assert_eq!(
            (data.len(), data.class_names().len(), data.shape()),
            (400, 40, ImageShape::grey(64, 52))
        );
        assert_eq!(data.class_counts(), [10; 40]);
        assert_eq!(data.class_names()[..3], ["s1", "s10", "s11"]);
    }
    if let Some(folder) = real_data::unpacked("sign-language-digits.tar.xz") {
        let source = recognise(folder.path()).unwrap();
        let data = source.train(None, 2).unwrap().dataset;
        assert_eq!(
            (data.len(), data.class_names().len(), data.shape()),
            (2062, 10, ImageShape::colour(64, 64))
        );
        assert!(data.origin().skipped.is_empty(), "{:?}", data.origin().skipped);
    }
    if let Some(folder) = real_data::unpacked("cifar10-jpeg.tar.xz") {
        let source = recognise(folder.path()).unwrap();
        let data = source.train(None, 2).unwrap().dataset;
        assert_eq!(
            (data.class_counts(), data.shape()),
            (vec![5000; 10], ImageShape::colour(32, 32))
        );
        let test = source.test(None, 2).unwrap().unwrap().open().unwrap().dataset;
        assert_eq!((test.len(), test.class_names()), (10_000, data.class_names()));
    }
}

/// One byte of a stored array differs: the archive's checksum tells.
#[test]
fn a_damaged_array_is_refused() {
    let (_folder, path) = npz_with(|_| {});
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(6).position(|window| window == [1, 2, 3, 4, 5, 6]).unwrap();
    bytes[at] = 9;
    fs::write(&path, &bytes).unwrap();
    let found = refusal(&path);
    assert!(found.contains("expected an undamaged array, found Invalid checksum"), "{found}");
}

/// What an archive says of its packed size is believed no farther than the file goes.
#[test]
fn an_overstated_packed_size_makes_no_room() {
    let (_folder, path) = npz_with(|arrays| {
        // Deflated, as every second array is: 80 MB of zeros in some 80 KB.
        arrays.insert(0, ("a", Vec::new()));
        arrays[1].1 = npy("|u1", "(80000000, 1, 1)", &vec![0; 80_000_000]);
    });
    let mut bytes = fs::read(&path).unwrap();
    // The entry of the central directory: a signature, 16 bytes, the packed size (APPNOTE 4.3.12).
    let name = b"train_images.npy";
    let entry = bytes.windows(4).enumerate().filter(|(_, window)| window == b"PK\x01\x02");
    let entry = entry.map(|(at, _)| at).find(|&at| bytes[at + 46..].starts_with(name)).unwrap();
    bytes[entry + 20..entry + 24].copy_from_slice(&4_000_000_u32.to_le_bytes());
    fs::write(&path, &bytes).unwrap();
    let found = refusal(&path);
    assert!(found.contains("unpack"), "{found}");
}

#[test]
fn a_file_of_class_names_says_what_is_wrong_with_it() {
    let (folder, path) = npz_with(|_| {});
    for (text, message) in [
        ("cat\n\ndog\nbird\n", "expected a class name in each line, found nothing in line 2"),
        ("cat\nCat\ndog\n", "differ by more than capitals, found `Cat` and `cat`"),
        ("\n", "expected at least two classes, found none"),
    ] {
        write(folder.path(), "class_names.txt", text);
        let found = refusal(&path);
        assert!(found.contains(message), "{text:?}: {found}");
    }
    write(folder.path(), "class_names.txt", "\u{feff}cat\r\ndog\r\nbird\r\n\r\n");
    let names = recognise(&path).unwrap().train(None, 1).unwrap().dataset.class_names().to_vec();
    assert_eq!(names, ["cat", "dog", "bird"]);
}

#[test]
fn a_file_beside_an_npz_file_names_its_classes() {
    let (folder, path) = npz_with(|_| {});
    write(folder.path(), "class_names.txt", "cat\ndog\nbird\n");
    let source = recognise(&path).unwrap();
    assert_eq!(source.train(None, 1).unwrap().dataset.class_names(), ["cat", "dog", "bird"]);
    let test = source.test(None, 1).unwrap().unwrap().open().unwrap();
    assert_eq!(test.dataset.class_names(), ["cat", "dog", "bird"]);
    write(folder.path(), "class_names.txt", "cat\ndog\n");
    let message = refusal(&path);
    assert!(
        message.contains("expected labels from 0 to 1, found label 2 at example 0"),
        "{message}"
    );
}
