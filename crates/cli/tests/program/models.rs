//! Using a model: evaluate, predict, show; and looking at data.

use crate::program::{self, command, finished};
use crate::sample::{self, SIDE};
use image::{GrayImage, ImageFormat};
use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;
use std::process::Stdio;

/// A picture of a class, larger than the network's input.
fn picture(class: usize) -> GrayImage {
    let pixels = sample::image(class, 90);
    GrayImage::from_fn(40, 40, |x, y| [pixels[y as usize / 5 * SIDE + x as usize / 5]].into())
}

fn encoded(class: usize, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let picture = image::DynamicImage::from(picture(class));
    // WebP and JPEG take colours in every version of the encoder.
    image::DynamicImage::from(picture.to_rgb8()).write_to(&mut bytes, format).expect("encoded");
    bytes.into_inner()
}

fn model_path() -> String {
    sample::model().to_string_lossy().into_owned()
}

#[test]
fn evaluation_for_people_and_for_programs() {
    let folder = sample::trained();
    let text = program::line(folder, "evaluate run/model.safetensors").well();
    for words in ["95 % interval", "precision", "recall", "F1", "support", "Rows: the true class."]
    {
        assert!(text.stdout.contains(words), "{words}");
    }
    assert_eq!(text.stderr, "");
    program::line(folder, "evaluate run/model.safetensors --html page.html").well();
    let page = fs::read_to_string(folder.join("page.html")).expect("read");
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("small on"));
    let total = |split: &str| {
        let line = format!("evaluate run/model.safetensors --split {split} --json");
        let json = program::line(folder, &line).well().stdout;
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        json["accuracy"]["total"].as_u64()
    };
    let totals = ["train", "validation", "test"].map(total);
    assert_eq!(totals, [Some(120), Some(40), Some(60)]);
}

#[test]
fn mirrored_figures_say_so() {
    let folder = sample::trained();
    let plain = program::line(folder, "evaluate run/model.safetensors --json").well();
    let line = "evaluate run/model.safetensors --json --mirror on --html mirrored.html";
    let mirrored = program::line(folder, line).well();
    assert!(mirrored.stderr.contains("as it is and mirrored"), "{}", mirrored.stderr);
    assert_ne!(plain.stdout, mirrored.stdout);
    let page = fs::read_to_string(folder.join("mirrored.html")).expect("read");
    assert!(page.contains("as it is and mirrored"));
    let off = program::line(folder, "evaluate run/model.safetensors --json --mirror off").well();
    assert_eq!((off.stdout, off.stderr), (plain.stdout, String::new()));

    // A picture and its mirrored form are then told alike.
    let files = ["bar.png", "rab.png"];
    picture(2).save(folder.join(files[0])).expect("written");
    image::imageops::flip_horizontal(&picture(2)).save(folder.join(files[1])).expect("written");
    let answers = |options: &str| {
        files.map(|file| {
            let line = format!("predict run/model.safetensors {file} {options}");
            program::line(folder, &line).well().stdout.replace(file, "")
        })
    };
    let [one, other] = answers("--mirror on");
    assert_eq!(one, other);
    let [one, other] = answers("");
    assert_ne!(one, other);
}

#[test]
fn pictures_of_every_format_are_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let formats = [
        ("png", ImageFormat::Png),
        ("jpg", ImageFormat::Jpeg),
        ("webp", ImageFormat::WebP),
        ("bmp", ImageFormat::Bmp),
        ("gif", ImageFormat::Gif),
        ("tiff", ImageFormat::Tiff),
        ("ppm", ImageFormat::Pnm),
    ];
    for (ending, format) in formats {
        fs::write(folder.path().join(format!("one.{ending}")), encoded(1, format))
            .expect("written");
    }
    fs::write(folder.path().join("notes.txt"), "not a picture").expect("written");
    let model = model_path();
    let found = program::run(folder.path(), ["predict", &model, "."]).well();
    assert_eq!(found.stdout.lines().count(), formats.len(), "{}", found.stdout);
    assert!(found.stdout.lines().all(|line| line.contains(": 1 ")), "{}", found.stdout);
    let json =
        program::run(folder.path(), ["predict", &model, "one.png", "--json", "--top", "2"]).well();
    let json = json.last_json();
    assert_eq!((&json["file"], &json["top"][0]["class"]), (&"one.png".into(), &"1".into()));
    assert_eq!(json["top"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_picture_can_come_through_a_pipe() {
    let mut child = command(&std::env::temp_dir())
        .args(["predict", &model_path(), "-", "--top", "1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(&encoded(0, ImageFormat::Png)).expect("written");
    drop(stdin);
    let found = finished(&child.wait_with_output().expect("ended")).well();
    assert!(found.stdout.starts_with("-: 0 "), "{found:?}");
}

#[test]
fn one_bad_picture_does_not_stop_the_others() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("good.png"), encoded(2, ImageFormat::Png)).expect("written");
    fs::write(folder.path().join("bad\x1b[2J.png"), "not a picture").expect("written");
    let found = program::run(
        folder.path(),
        ["predict", &model_path(), "bad\x1b[2J.png", "nowhere.png", "good.png"],
    );
    assert_eq!(found.code, 3, "{found:?}");
    assert!(
        found.stdout.starts_with("good.png: 2 ") && found.stdout.lines().count() == 1,
        "{found:?}"
    );
    assert!(found.stderr.contains("`nowhere.png` not found"), "{found:?}");
    assert!(found.stderr.contains("2 of 3 could not be read"), "{found:?}");
    assert!(!found.stderr.contains('\x1b'), "{found:?}");
}

#[test]
fn what_the_network_saw_can_be_seen() {
    let folder = tempfile::tempdir().expect("a folder");
    for class in 0..2 {
        let name = format!("{class}.png");
        fs::write(folder.path().join(name), encoded(class, ImageFormat::Png)).expect("written");
    }
    let model = model_path();
    let seen = |arguments: &[&str]| {
        let all = ["predict", &model, "--show-input", "seen.png"]
            .into_iter()
            .chain(arguments.iter().copied());
        program::run(folder.path(), all).well();
        image::open(folder.path().join("seen.png")).expect("a picture").to_luma8()
    };
    let one = seen(&["1.png"]);
    assert_eq!(one.dimensions(), (8, 8));
    // What the network saw is what it sees again: nothing is left to prepare.
    fs::write(
        folder.path().join("first.png"),
        fs::read(folder.path().join("seen.png")).expect("read"),
    )
    .expect("written");
    assert_eq!(seen(&["first.png"]), one);
    let sheet = seen(&["0.png", "1.png"]);
    assert!(sheet.width() > 2 * 24 && sheet.height() > 24);
}

#[test]
fn networks_are_shown_and_drawn() {
    let folder = sample::trained();
    let shown =
        program::line(folder, "show run/model.safetensors --svg small.svg --filters small.png");
    let shown = shown.well();
    for words in ["conv1", "3x3, padding 1x1", "8x8x1 -> 8x8x8", "classes      0, 1, 2", "sha256"] {
        assert!(shown.stdout.contains(words), "no {words:?} in {}", shown.stdout);
    }
    let svg = fs::read_to_string(folder.join("small.svg")).expect("read");
    assert!(
        svg.contains("<title") && svg.contains("output layer") && svg.contains("8 maps of 8x8")
    );
    let filters = image::open(folder.join("small.png")).expect("a picture");
    assert!(filters.width() > 100 && filters.height() > 100);
    let from_config = program::line(folder, "show small.toml --json").well();
    let json: serde_json::Value = serde_json::from_str(&from_config.stdout).expect("JSON");
    assert_eq!(json["layers"][0]["name"], "conv1");
    assert_eq!(program::line(folder, "show cnn").well().stderr, "");
}

#[test]
fn augmentation_can_be_looked_at() {
    let folder = sample::folder();
    let words = "data preview --data data --out sheet.png --count 4 --seed 3";
    let said = program::line(folder.path(), words).well();
    assert!(said.stdout.starts_with("sheet.png: 4 images"), "{said:?}");
    let first = fs::read(folder.path().join("sheet.png")).expect("read");
    program::line(folder.path(), words).well();
    assert_eq!(fs::read(folder.path().join("sheet.png")).expect("read"), first);
    let options = "--augmentation strong --mixup 0.3 --mirror random --crop 1 --erase 2 --rand-augment 1,12 --cutmix 1";
    program::line(folder.path(), &format!("{words} {options}")).well();
    let changed = fs::read(folder.path().join("sheet.png")).expect("read");
    assert_ne!(changed, first);
    // The same from a file.
    let text = "[augmentation]\nrotation = 0.0\nscale = 0.0\nshear = 0.0\nshift = 0.0\nmirror = true\ncrop = 1\nerase = 2\n\
        operations = 1\noperations-magnitude = 12\nmixup = 0.3\ncutmix = 1.0\noutside = \"reflect\"";
    fs::write(folder.path().join("strong.toml"), text).expect("written");
    program::line(folder.path(), &format!("{words} --config strong.toml")).well();
    assert_eq!(fs::read(folder.path().join("sheet.png")).expect("read"), changed);
    program::line(folder.path(), &format!("{words} --erase 1001"))
        .refused(2, &["erase must be from 0 to 1000, but is 1001"]);
    program::line(folder.path(), &format!("{words} --rand-augment 2,strong"))
        .refused(2, &["count and magnitude such as `2,9`"]);
    program::line(folder.path(), "data preview --data data --count 0")
        .refused(2, &["contact sheet"]);
}

#[test]
fn a_model_is_not_measured_on_data_of_another_shape() {
    let model = model_path();
    program::run(Path::new("."), ["evaluate", &model, "--data", "mnist"])
        .refused(3, &["8x8x1", "28x28x1"]);
}
