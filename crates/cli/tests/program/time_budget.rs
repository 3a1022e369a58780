//! `train --time`: a plan that fits into a time, written down.

use crate::{program, sample};
use std::fs;
use std::time::{Duration, Instant};

#[test]
fn the_plan_ends_in_time_and_can_be_repeated() {
    let folder = sample::folder();
    let started = Instant::now();
    let training =
        program::line(folder.path(), "train --config small.toml --time 20s --out run").well();
    let taken = started.elapsed();
    // The plan leaves a tenth free; the bound is three times the time, for machines that are busy with other tests.
    assert!(taken < Duration::from_secs(60), "{taken:?}");
    assert!(training.stderr.contains("(--epochs decides otherwise)"), "{}", training.stderr);

    let config =
        fs::read_to_string(folder.path().join("run/config.toml")).expect("a configuration");
    let config: toml::Table = config.parse().expect("TOML");
    let epochs = config["epochs"].as_integer().expect("epochs");
    // At most ten times those of the configuration.
    assert!((1..=30).contains(&epochs), "{epochs}");
    let history = fs::read_to_string(folder.path().join("run/history.csv")).expect("a history");
    assert_eq!(history.lines().count() as i64, epochs + 1, "a row an epoch: {history}");

    // Measuring has left no trace: the same plan without a time ends with the same bits.
    let line = format!("train --config small.toml --epochs {epochs} --out again --json -q");
    let again = program::line(folder.path(), &line).well().weight_hash();
    let shown = program::line(folder.path(), "show run/model.safetensors --json").well();
    let shown: serde_json::Value = serde_json::from_str(&shown.stdout).expect("JSON");
    assert_eq!(shown["weight_hash"], again.as_str());
}

#[test]
fn a_part_of_an_epoch_ends_its_schedule_and_goes_on_after_an_interruption() {
    let folder = sample::folder();
    let text = fs::read_to_string(folder.path().join("small.toml")).expect("read");
    // An epoch has 4 steps; with two, the last of the three epochs is never reached.
    fs::write(folder.path().join("short.toml"), format!("steps = 2\n{text}")).expect("written");
    let trained =
        program::line(folder.path(), "train --config short.toml --out run --json -q").well();
    let lines: Vec<serde_json::Value> =
        trained.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let epochs: Vec<_> = lines.iter().filter(|line| line["event"] == "epoch").collect();
    assert_eq!(epochs.len(), 1);
    assert_eq!(epochs[0]["step"], 2);
    let resumed = program::line(folder.path(), "train --resume run --json -q").well();
    assert_eq!(resumed.weight_hash(), trained.weight_hash());
}

#[test]
fn what_is_no_time_is_refused() {
    let folder = sample::folder();
    let train = |rest: &str| {
        program::line(folder.path(), &format!("train --config small.toml --out run {rest}"))
    };
    train("--time soon").refused(2, &["`90s`, `5m` or `1h30m`"]);
    train("--time 5m --epochs 3").refused(2, &["--epochs"]);
}
