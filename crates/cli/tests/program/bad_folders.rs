//! Folders and tables of pictures that nothing can be learned from, or not what somebody wanted: exit code 3, and a message that says
//! what was expected, what was found and what to do. Single bad files among good ones are left out and listed.

use crate::program::{self, Finished};
use crate::sample;
use image::{ImageFormat, Rgb, RgbImage};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

fn picture(seed: u8) -> RgbImage {
    RgbImage::from_fn(20, 20, |x, y| Rgb([seed, (x * 12) as u8, (y * 7) as u8 ^ seed]))
}

fn write(folder: &TempDir, name: &str, content: &[u8]) {
    let path = folder.path().join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    fs::write(path, content).expect("written");
}

fn encoded(seed: u8, format: ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture(seed).write_to(&mut bytes, format).expect("encoded");
    bytes.into_inner()
}

/// A folder with pictures under these names.
fn folder(names: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (seed, name) in names.iter().enumerate() {
        write(&folder, name, &encoded(seed as u8, ImageFormat::Png));
    }
    folder
}

/// `set/a` and `set/b` with ten pictures each.
fn two_classes() -> TempDir {
    let names: Vec<String> =
        (0..20).map(|at| format!("set/{}/{at}.png", ["a", "b"][at % 2])).collect();
    folder(&names.iter().map(String::as_str).collect::<Vec<_>>())
}

fn train(folder: &Path, data: &str) -> Finished {
    program::line(folder, &format!("train --data {data} --network mlp --epochs 1 --out run"))
}

/// The files that a run left out, with their reasons, as its folder lists them.
fn skipped(folder: &Path) -> String {
    fs::read_to_string(folder.join("run/skipped.csv")).expect("a list")
}

#[test]
fn too_few_classes_or_pictures() {
    for (names, words) in [
        (
            &["set/a/1.png", "set/a/2.png"][..],
            ["expected at least two classes", "found only `a`: add pictures of another class"],
        ),
        (
            &["set/a/1.png", "set/b/1.png"],
            [
                "at least two pictures of some class: one to learn from and one to measure by",
                "one picture of each of 2 classes: add more",
            ],
        ),
        (
            &["set/Cat/1.png", "set/cat/1.png"],
            ["differ by more than capitals", "`Cat` and `cat`: put them together"],
        ),
        (
            &["set/x/a/1.png", "set/x/b/1.png"],
            ["one level down", "set/x/a/1.png` two levels down: give a folder further down"],
        ),
        (
            &["set/1.png", "set/2.png"],
            ["2 pictures but no class folders", "put the pictures of each class into a folder"],
        ),
        (
            &[
                "set/train/a/1.png",
                "set/train/b/1.png",
                "set/val/a/1.png",
                "set/validation/a/1.png",
            ],
            ["expected one folder for each part", "put them together, or take one away"],
        ),
    ] {
        let folder = folder(names);
        let refused = train(folder.path(), "set").refused(3, &words);
        assert!(!refused.stderr.contains("damaged"), "{}", refused.stderr);
        assert!(!folder.path().join("run").exists(), "{names:?}");
    }
    let empty = folder(&[]);
    fs::create_dir_all(empty.path().join("set")).expect("made");
    train(empty.path(), "set").refused(3, &["found nothing at all", "what to do: "]);
}

#[test]
fn bad_files_among_good_ones_are_left_out_and_listed() {
    let folder = two_classes();
    let jpeg = encoded(200, ImageFormat::Jpeg);
    write(&folder, "set/a/cut.jpg", &jpeg[..jpeg.len() / 2]);
    let mut damaged = jpeg.clone();
    // The tables that the picture is decoded by.
    damaged[20..200].fill(0xff);
    write(&folder, "set/a/damaged.jpg", &damaged);
    write(&folder, "set/b/text.jpg", b"these are words");
    write(&folder, "set/b/empty.png", b"");
    write(&folder, "set/b/bomb.png", &sample::png(20_000, 20_000));
    let told = train(folder.path(), "set").well().stderr;
    assert!(
        told.contains("files left out, which could not be read; the first is set/a/"),
        "{told}"
    );
    let list = skipped(folder.path());
    for (file, reason) in [
        ("set/a/damaged.jpg", "cannot be decoded"),
        ("set/b/text.jpg", "bytes of no format known here"),
        ("set/b/empty.png", "an empty file"),
        ("set/b/bomb.png", "20000x20000"),
    ] {
        let line = list.lines().find(|line| line.contains(file));
        assert!(line.is_some_and(|line| line.contains(reason)), "no {file}, {reason} in {list}");
    }
    let found = program::line(folder.path(), "data check set").well().stdout;
    assert!(found.contains("set/b/bomb.png") && found.contains("files cannot be read"), "{found}");
}

/// A part for the test that is of no use costs a note, not the network that was trained.
#[test]
fn a_test_part_that_cannot_be_measured_leaves_a_model() {
    let folder = two_classes();
    fs::create_dir_all(folder.path().join("parts")).expect("made");
    fs::rename(folder.path().join("set"), folder.path().join("parts/train")).expect("moved");
    write(&folder, "parts/test/a/1.jpg", b"these are words");
    write(&folder, "parts/test/b/1.jpg", b"these are words");
    let result = train(folder.path(), "parts").well().stdout;
    assert!(result.contains("the test part was not measured: "), "{result}");
    assert!(result.contains("found 2 that cannot"), "{result}");
    let predicted =
        program::line(folder.path(), "predict run/model.safetensors parts/train/a/0.png");
    predicted.well();
}

#[test]
fn test_images_that_were_learned_from_are_told() {
    let folder = two_classes();
    fs::create_dir_all(folder.path().join("parts")).expect("made");
    fs::rename(folder.path().join("set"), folder.path().join("parts/train")).expect("moved");
    for (class, seed) in [("a", 0), ("b", 1), ("b", 99)] {
        write(&folder, &format!("parts/test/{class}/{seed}.png"), &encoded(seed, ImageFormat::Png));
    }
    let line = "train --data parts --network mlp --epochs 1 --validation 0 --out run";
    let result = program::line(folder.path(), line).well().stdout;
    assert!(result.contains("2 of the 3 test images are among those learned from too"), "{result}");
}

#[test]
fn nothing_but_bad_files_of_a_class() {
    let folder = two_classes();
    for at in (1..20).step_by(2) {
        write(&folder, &format!("set/b/{at}.png"), b"these are words");
    }
    let words = ["expected images of at least two classes, found only `a` (10 images)"];
    train(folder.path(), "set").refused(3, &words);
}

#[test]
fn nothing_but_bad_files() {
    let folder = folder(&[]);
    for name in ["set/a/1.jpg", "set/a/2.jpg", "set/b/1.jpg"] {
        write(&folder, name, b"these are words");
    }
    let words = ["expected at least one picture that can be read", "none among 3"];
    train(folder.path(), "set").refused(3, &words);
}

#[test]
fn what_is_not_damaged_is_not_said_to_be() {
    let folder = two_classes();
    write(&folder, "parts.csv", b"file,label,split\nset/a/0.png,a,train\nset/b/1.png,b,maybe\n");
    let refused = |rest: &str, words: &[&str]| {
        let refused = program::line(folder.path(), &format!("train --out run --data {rest}"));
        let refused = refused.refused(3, words);
        assert!(!refused.stderr.contains("damaged"), "{}", refused.stderr);
    };
    refused("set/a/0.png", &["give the folder that it is in"]);
    refused("parts.csv", &["train, validation or test", "`maybe`"]);
    for format in ["cifar", "idx", "npz", "table", "shards"] {
        let words = format!("no data of the format `{format}`: found 2 folders\n");
        refused(&format!("set --format {format}"), &[&words, "leave out --format"]);
    }
}

#[test]
fn tables_that_name_what_is_not_there() {
    let folder = two_classes();
    let rows: String =
        (0..20).map(|at| format!("set/{0}/{at}.png,{0}\n", ["a", "b"][at % 2])).collect();
    let table =
        |name: &str, text: &str| write(&folder, name, format!("file,label\n{text}").as_bytes());
    table("some.csv", &format!("{rows}set/a/gone.png,a\nset/b/lost.png,b\n"));
    let told = train(folder.path(), "some.csv").well().stderr;
    assert!(told.contains("2 files left out"), "{told}");
    let list = skipped(folder.path());
    assert!(list.contains("set/a/gone.png,\"the table names it, but it is not there\""), "{list}");
    table("none.csv", "gone.png,a\nlost.png,b\nlost2.png,b\n");
    let words =
        ["expected at least one picture", "gone.png", "the table names it, but it is not there"];
    train(folder.path(), "none.csv").refused(3, &words);
}

#[cfg(unix)]
#[test]
fn links_in_circles() {
    use std::os::unix::fs::symlink;
    let folder = two_classes();
    let set = folder.path().join("set");
    symlink(".", set.join("loop")).expect("linked");
    symlink("..", set.join("a/up")).expect("linked");
    symlink("self", set.join("b/self.png")).expect("linked");
    train(folder.path(), "set").well();
    let list = skipped(folder.path());
    assert!(list.contains("set/loop,a link to a folder that it is in"), "{list}");
    assert!(list.contains("set/b/self.png"), "{list}");
}

/// Root may read everything: where this runs as root, the program runs as nobody.
#[cfg(unix)]
#[test]
fn what_may_not_be_read() {
    use std::os::unix::fs::PermissionsExt;
    let folder = two_classes();
    let set = |name: &str, mode| {
        let path = folder.path().join(name);
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set");
    };
    let is_root = {
        set("set/a/0.png", 0);
        fs::read(folder.path().join("set/a/0.png")).is_ok()
    };
    let run = |words: &str| -> Option<Finished> {
        if !is_root {
            return Some(program::line(folder.path(), words));
        }
        set("", 0o777);
        let mut command = std::process::Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
        command.arg(env!("CARGO_BIN_EXE_percept")).args(words.split_whitespace());
        command.current_dir(folder.path()).env("PERCEPT_CACHE", "off");
        let output = command.output().ok()?;
        let started = !String::from_utf8_lossy(&output.stderr).contains("setpriv: ");
        started.then(|| program::finished(&output))
    };
    let Some(trained) = run("train --data set --network mlp --epochs 1 --out run") else {
        eprintln!(
            "SKIPPED what_may_not_be_read: root may read everything, and setpriv cannot start the program as nobody"
        );
        return;
    };
    let told = trained.well().stderr;
    assert!(told.contains("1 file left out") && told.contains("set/a/0.png"), "{told}");
    let list = skipped(folder.path()).to_lowercase();
    assert!(list.contains("set/a/0.png") && list.contains("permission denied"), "{list}");
    set("set/b", 0);
    let refused =
        run("train --data set --network mlp --epochs 1 --out other").expect("it started before");
    set("set/b", 0o755);
    refused.refused(
        3,
        &["cannot list `set/b`", "ermission denied", "what to do: check that the file may be read"],
    );
}
