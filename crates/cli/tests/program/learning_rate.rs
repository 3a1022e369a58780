//! `train --find-lr`: the curve, the picture and the suggestion, and that nothing else is left.

use crate::{program, sample};
use std::fs;
use std::path::Path;

/// Names in a folder, in order.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let name = |entry: std::io::Result<fs::DirEntry>| {
        entry.expect("an entry").file_name().to_string_lossy().into_owned()
    };
    let mut names: Vec<String> = entries.map(name).collect();
    names.sort_unstable();
    names
}

#[test]
fn a_curve_is_drawn_and_a_rate_suggested() {
    let folder = sample::folder();
    let found = program::line(folder.path(), "train --config small.toml --find-lr").well();
    for words in
        ["small on data (training part)", "1e-6", "┊", "--learning-rate 0.", "learning-rate.png"]
    {
        assert!(found.stdout.contains(words), "no {words:?} in {}", found.stdout);
    }
    let curve = found.stdout.chars().filter(|c| ('\u{2801}'..='\u{28FF}').contains(c)).count();
    assert!(curve > 20, "a curve in Braille dots: {}", found.stdout);
    assert!(found.stdout.lines().all(|line| line.chars().count() <= 110), "{}", found.stdout);
    let picture = image::open(folder.path().join("learning-rate.png")).expect("a picture");
    assert_eq!((picture.width(), picture.height()), (1000, 600));
    assert_eq!(names(folder.path()), ["data", "learning-rate.png", "small.toml"], "no run is left");
}

#[test]
fn any_number_of_threads_finds_the_same() {
    let folder = sample::folder();
    let line = |threads: u32| {
        format!("train --config small.toml --find-lr --json --out found.png --threads {threads}")
    };
    let [one, three] = [1, 3].map(|threads| program::line(folder.path(), &line(threads)).well());
    assert_eq!(one.stdout, three.stdout);
    let found: serde_json::Value = serde_json::from_str(&one.stdout).expect("JSON");
    let points = found["points"].as_array().expect("points");
    let number = |value: &serde_json::Value| value.as_f64().expect("a number");
    assert_eq!(number(&points[0]["learning_rate"]), 1e-7);
    assert!(
        points
            .windows(2)
            .all(|pair| { number(&pair[1]["learning_rate"]) > number(&pair[0]["learning_rate"]) })
    );
    // Three classes: ln 3 before anything is learned, with room for a network that starts with a guess.
    let first = number(&points[0]["loss"]);
    assert!((first - 3_f64.ln()).abs() < 0.5, "{first}");
    let suggestion = number(&found["suggestion"]);
    assert!(suggestion > 1e-6 && suggestion < number(&found["least_at"]), "{suggestion}");
    assert_eq!(found["picture"], "found.png");
    assert!(folder.path().join("found.png").is_file() && !folder.path().join("runs").exists());
}

#[test]
fn the_suggested_rate_trains() {
    let folder = sample::folder();
    let line = "train --config small.toml --optimizer sgd --schedule cosine";
    let found = program::line(folder.path(), &format!("{line} --find-lr --json")).well();
    let rate =
        serde_json::from_str::<serde_json::Value>(&found.stdout).expect("JSON")["suggestion"]
            .as_f64()
            .expect("a rate");
    let training = format!("{line} --epochs 8 --learning-rate {rate} --out run --json -q");
    let trained = program::line(folder.path(), &training).well().last_json();
    let accuracy = trained["test"]["accuracy"]["value"].as_f64().expect("a number");
    assert!(accuracy > 0.8, "a third would be chance: {accuracy} with {rate}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let folder = sample::folder();
    let refused = |rest: &str, code, words: &[&str]| {
        program::line(folder.path(), &format!("train --config small.toml --find-lr {rest}"))
            .refused(code, words);
    };
    refused("--resume run", 2, &["--resume"]);
    refused("--time 5m", 2, &["--time"]);
    refused("--learning-rate 0", 2, &["learning rate, which is 0"]);
    refused("--out no/such/folder/a.png", 1, &["no/such/folder/a.png"]);
}
