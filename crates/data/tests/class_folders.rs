//! Class folders: what is recognised, what is read, and what is said of folders that are none.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use image::ImageFormat;
use percept_data::sources::{self, Format, Reading};
use percept_data::{Decoding, Doing, Fit, ImageShape, Progress, Sizing};
use pictures_made::{encoded, png, recognise, refusal, write, write_pictures};
use tempfile::TempDir;

mod pictures_made;

#[test]
fn classes_are_folders_in_the_order_of_their_names() {
    let folder = TempDir::new().unwrap();
    write_pictures(
        folder.path(),
        &["s2/b.png", "s10/a.PNG", "s2/a.png", ".git/x.png", "s10/.x.png"],
    );
    write(folder.path(), "s2/Thumbs.db", "no picture");
    write(folder.path(), "read me.txt", "nothing");
    let source = recognise(folder.path()).unwrap();
    assert_eq!((source.format(), source.test(None, 1).unwrap().is_none()), (Format::Folders, true));
    let training = source.train(None, 2).unwrap();
    let data = training.dataset;
    assert_eq!(
        (data.class_names(), data.labels()),
        (&["s10", "s2"].map(String::from)[..], &[0, 1, 1][..])
    );
    assert_eq!((data.shape(), training.validation), (ImageShape::colour(4, 4), None));
    assert!(data.name(2).ends_with("s2/b.png"), "{}", data.name(2));
    assert_eq!(data.image(0), [200, 0, 0].repeat(16));
    let note = "1 not named as pictures in class folders, and left out: s2/Thumbs.db";
    assert_eq!(source.notes(), [note]);
}

#[test]
fn parts_have_their_own_folders_and_the_classes_of_training() {
    let folder = TempDir::new().unwrap();
    for validation in ["val", "Valid", "validation"] {
        let folder = TempDir::new_in(folder.path()).unwrap();
        let names =
            ["train/a/1.png", "train/b/1.png", "train/b/2.png", "test/b/1.png", "raw/x/1.png"];
        write_pictures(folder.path(), &names);
        write_pictures(folder.path(), &[&format!("{validation}/a/1.png")]);
        let source = recognise(folder.path()).unwrap();
        let training = source.train(None, 1).unwrap();
        assert_eq!(training.dataset.labels(), [0, 1, 1, 0]);
        assert_eq!(training.validation, Some(3..4));
        let test = source.test(None, 1).unwrap().unwrap().open().unwrap();
        assert_eq!((test.dataset.labels(), test.dataset.class_names().len()), (&[1][..], 2));
        assert_eq!(source.notes(), ["1 folders beside the parts are not used: raw"]);
    }
}

/// `train` and `test` are classes like others when pictures lie in them.
#[test]
fn classes_may_be_named_like_parts() {
    let folder = TempDir::new().unwrap();
    write_pictures(folder.path(), &["train/1.png", "train/2.png", "plane/1.png"]);
    let data = recognise(folder.path()).unwrap().train(None, 1).unwrap().dataset;
    assert_eq!(data.class_names(), ["plane", "train"]);
}

/// Nothing but parts without class folders: no classes, unless a table beside them has the labels.
#[test]
fn parts_without_class_folders_are_no_classes() {
    let folder = TempDir::new().unwrap();
    write_pictures(folder.path(), &["train/1.png", "train/2.png", "train/3.png", "test/1.png"]);
    let found = refusal(folder.path());
    let words = "expected class folders, or a table of files and labels, found pictures in `test` and `train` without classes";
    assert!(found.contains(words) && found.contains("as in `test/CLASS/`"), "{found}");
    write(folder.path(), "labels.csv", "id,breed\n1,pug\n2,collie\n3,pug\n");
    let source = recognise(folder.path()).unwrap();
    assert_eq!(source.format(), Format::Table);
    let data = source.train(None, 1).unwrap().dataset;
    assert_eq!((data.labels(), data.class_names().len()), (&[1, 0, 1][..], 2));
}

#[test]
fn a_picture_beside_the_class_folders_of_a_part_is_left_out() {
    let folder = TempDir::new().unwrap();
    let names =
        ["train/a/1.png", "train/b/1.png", "train/overview.png", "test/a/1.png", "test/b/1.png"];
    write_pictures(folder.path(), &names);
    let source = recognise(folder.path()).unwrap();
    assert_eq!(source.train(None, 1).unwrap().dataset.class_names(), ["a", "b"]);
    let note =
        "1 pictures beside the class folders belong to no class, and are left out: overview.png";
    assert_eq!(source.notes(), [note]);
}

#[test]
fn a_part_without_pictures_is_none() {
    let folder = TempDir::new().unwrap();
    write_pictures(folder.path(), &["train/a/1.png", "train/b/1.png"]);
    for class in ["a", "b"] {
        fs::create_dir_all(folder.path().join("test").join(class)).unwrap();
    }
    let source = recognise(folder.path()).unwrap();
    assert!(source.test(None, 1).unwrap().is_none());
    assert_eq!(source.notes(), ["1 parts without pictures are not used: test"]);
}

/// Linux keeps names of any bytes; other systems refuse to make them.
#[cfg(target_os = "linux")]
#[test]
fn a_file_whose_name_is_not_utf_8_is_left_out_and_listed() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let folder = TempDir::new().unwrap();
    write_pictures(folder.path(), &["a/1.png", "a/2.png", "b/1.png"]);
    for name in [&b"caf\xe9.png"[..], b".hidden\xe9"] {
        fs::write(folder.path().join("b").join(OsStr::from_bytes(name)), "x").unwrap();
    }
    let data = recognise(folder.path()).unwrap().train(None, 1).unwrap().dataset;
    assert_eq!(data.labels(), [0, 0, 1]);
    let [skipped] = &data.origin().skipped[..] else { panic!("{:?}", data.origin().skipped) };
    assert!(skipped.file.ends_with("caf\u{fffd}.png"), "{skipped:?}");
    assert_eq!(skipped.reason, "its name is not UTF-8: rename it");
}

#[test]
fn folders_that_cannot_be_learned_from_are_named() {
    let cases: [(&[&str], &str); 8] = [
        (&["a/1.png", "a/2.png"], "expected at least two classes, found only `a`"),
        (
            &["a/1.png", "b/1.png"],
            "expected at least two pictures of some class: one to learn from and one to measure by, found one picture of each of 2 classes",
        ),
        (
            &["Cat/1.png", "cat/1.png", "cat/2.png"],
            "found `Cat` and `cat`: put them together, or rename one",
        ),
        (
            &["a/b/1.png", "c/d/1.png"],
            "a/b/1.png` two levels down: give a folder further down, or move the pictures up",
        ),
        (
            &["1.png", "2.png"],
            "found 2 pictures but no class folders (put the pictures of each class into a folder of their own)",
        ),
        (
            &["train/a/1.png", "train/b/1.png", "test/a/1.png", "test/c/1.png"],
            "has classes that are not expected (c): expected [a, b], found [a, c]",
        ),
        (
            &["train/a/1.png", "train/b/1.png", "val/a/1.png", "valid/a/1.png"],
            "expected one folder for each part, found both",
        ),
        (
            &["test/a/1.png", "test/b/1.png"],
            "train` not found: expected the training pictures; this data set has other parts only",
        ),
    ];
    for (names, message) in cases {
        let folder = TempDir::new().unwrap();
        write_pictures(folder.path(), names);
        let found = refusal(folder.path());
        assert!(found.contains(message), "{names:?}: {found}");
        assert!(found.contains(&folder.path().display().to_string()), "{found}");
    }
    let empty = TempDir::new().unwrap();
    assert!(refusal(empty.path()).contains("found nothing at all"));
    fs::create_dir_all(empty.path().join("a/b")).unwrap();
    assert!(refusal(empty.path()).contains("found 1 folder without pictures"));
}

/// Text named as a picture, a cut-off picture, one that was removed, one whose link leads nowhere, one that is a pipe.
#[test]
fn a_file_that_cannot_be_read_is_left_out_and_listed() {
    let folder = TempDir::new().unwrap();
    write_pictures(folder.path(), &["a/1.png", "b/1.png", "b/5.png"]);
    write(folder.path(), "a/2.jpg", "hello, this is text");
    write(folder.path(), "a/3.png", &png([1, 2, 3])[..40]);
    write(folder.path(), "a/4.png", "");
    let mut expected = vec!["a/2.jpg", "a/3.png", "a/4.png"];
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("nowhere", folder.path().join("b/2.png")).unwrap();
        expected.push("b/2.png");
        let pipe = folder.path().join("b/3.png");
        assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
        expected.push("b/3.png");
    }
    let names = |threads| {
        let data = recognise(folder.path()).unwrap().train(None, threads).unwrap().dataset;
        assert_eq!((data.labels(), data.origin().files.len()), (&[0, 1, 1][..], 3));
        assert!(data.images().chunks(3).all(|pixel| pixel == [200, 0, 0]));
        data.origin().skipped.clone()
    };
    let skipped = names(1);
    println!("{skipped:#?}");
    assert_eq!(skipped.len(), expected.len());
    for (skipped, file) in skipped.iter().zip(expected) {
        assert!(skipped.file.ends_with(file) && !skipped.reason.contains(file), "{skipped:?}");
    }
    assert_eq!(names(3), skipped);
    let broken = TempDir::new().unwrap();
    for name in ["a/1.png", "a/2.png", "b/1.png"] {
        write(broken.path(), name, "text");
    }
    let found = refusal(broken.path());
    assert!(
        found.contains("expected at least one picture that can be read, found none among 3:"),
        "{found}"
    );
}

#[cfg(unix)]
#[test]
fn links_are_followed_but_never_in_circles() {
    use std::os::unix::fs::symlink;
    let folder = TempDir::new().unwrap();
    write_pictures(
        folder.path(),
        &["set/a/1.png", "set/b/1.png", "elsewhere/1.png", "elsewhere/2.png"],
    );
    let set = folder.path().join("set");
    symlink("../elsewhere", set.join("c")).unwrap();
    symlink("../a/1.png", set.join("b/2.png")).unwrap();
    symlink(".", set.join("loop")).unwrap();
    symlink("..", set.join("a/up")).unwrap();
    symlink("self", set.join("self")).unwrap();
    let source = recognise(&set).unwrap();
    let data = source.train(None, 1).unwrap().dataset;
    assert_eq!(
        (data.class_names().join(" "), data.labels()),
        ("a b c".into(), &[0, 1, 1, 2, 2][..])
    );
    let [skipped] = &data.origin().skipped[..] else { panic!("{:?}", data.origin().skipped) };
    assert!(skipped.file.ends_with("set/loop"), "{skipped:?}");
    assert_eq!(skipped.reason, "a link to a folder that it is in");
}

/// Many classes: each folder is listed once, whatever the number of its files.
#[test]
fn listing_takes_a_step_for_each_class() {
    const CLASSES: usize = 300;
    let folder = TempDir::new().unwrap();
    write(folder.path(), "one.png", png([1, 2, 3]));
    for class in 0..CLASSES {
        let class = folder.path().join(format!("set/class{class:05}"));
        fs::create_dir_all(&class).unwrap();
        for file in 0..10 {
            fs::hard_link(folder.path().join("one.png"), class.join(format!("{file}.png")))
                .unwrap();
        }
    }
    let steps = Arc::new(AtomicUsize::new(0));
    let counted = steps.clone();
    let watcher = move |progress: &Progress| {
        assert_eq!((progress.doing, progress.total), (Doing::Listing, CLASSES));
        counted.fetch_add(1, Ordering::Relaxed);
    };
    let decoding = Decoding { threads: 3, watcher: Some(Arc::new(watcher)), cache: None };
    let set = folder.path().join("set");
    let source = sources::recognise_with(&set, &Reading::default(), &decoding).unwrap();
    assert_eq!(steps.load(Ordering::Relaxed), CLASSES);
    let data = source.train(None, 2).unwrap().dataset;
    assert_eq!((data.len(), data.class_names().len()), (10 * CLASSES, CLASSES));
    assert!(data.class_counts().iter().all(|&count| count == 10));
    assert_eq!(data.class_names()[CLASSES - 1], "class00299");
}

fn sizing(path: &Path, reading: &Reading) -> (Sizing, Vec<String>) {
    let decided = recognise(path).unwrap().decide(reading, 1).unwrap().unwrap();
    (decided.sizing, decided.notes)
}

#[test]
fn size_fit_and_colour_are_decided_with_reasons() {
    let folder = TempDir::new().unwrap();
    let grey = |name: &str, width, height| {
        write(folder.path(), name, encoded(width, height, [90, 90, 90], ImageFormat::Png));
    };
    grey("a/1.png", 160, 120);
    grey("a/2.png", 160, 120);
    grey("b/1.png", 160, 120);
    let (decided, notes) = sizing(folder.path(), &Reading::default());
    assert_eq!(decided, Sizing { input: ImageShape::grey(48, 64), fit: Fit::Stretch });
    let reasons = [
        "grey, because none of 3 pictures looked at has colour (--colour on changes it)",
        "size 48x64 (height x width), because all 3 pictures looked at are 160 wide and 120 high, and a longer side than 64 \
         would cost much time (--size changes it)",
        "pictures are stretched, because their proportions differ by a factor of 1.00 at most (--fit changes it)",
    ];
    assert_eq!(notes, reasons);
    // What somebody decided is not decided again.
    let reading = Reading { size: Some([20, 30]), colour: Some(true), ..Reading::default() };
    let (decided, notes) = sizing(folder.path(), &reading);
    assert_eq!(decided, Sizing { input: ImageShape::colour(20, 30), fit: Fit::Crop });
    assert_eq!(notes.len(), 1, "{notes:?}");
    let all = Reading { fit: Some(Fit::Crop), ..reading };
    assert_eq!(sizing(folder.path(), &all).1, Vec::<String>::new());
    let none = Reading { size: Some([0, 30]), ..all };
    assert!(recognise(folder.path()).unwrap().decide(&none, 1).is_err());
}

/// Training and prediction see the same bytes.
#[test]
fn images_are_what_a_model_sees_of_the_same_file() {
    let folder = TempDir::new().unwrap();
    let picture = image::RgbImage::from_fn(90, 70, |x, y| {
        [(x * 2) as u8, (y * 3) as u8, ((x * y) % 251) as u8].into()
    });
    for name in ["a/1.png", "a/2.png", "b/1.png"] {
        fs::create_dir_all(folder.path().join(name).parent().unwrap()).unwrap();
        picture.save(folder.path().join(name)).unwrap();
    }
    let source = recognise(folder.path()).unwrap();
    for fit in [Fit::Stretch, Fit::Crop, Fit::Letterbox] {
        let sizing = Sizing { input: ImageShape::colour(32, 40), fit };
        let data = source.train(Some(sizing), 2).unwrap().dataset;
        assert_eq!(data.sizing(), sizing);
        let alone = percept_data::Picture::open(&folder.path().join("b/1.png")).unwrap();
        assert_eq!(data.image(2), sizing.prepare(&alone).unwrap());
    }
}
