//! Training: what it says, what it writes, and that it is the same for any number of threads.

use crate::{program, sample};
use std::fs;

#[test]
fn says_what_it_does_and_what_came_of_it() {
    let folder = sample::folder();
    let training = program::line(folder.path(), "train --config small.toml --out run").well();
    for words in
        ["data ", "40 for validation, 3 classes", "conv2", "parameters", "optimizer muon", "seed 5"]
    {
        assert!(training.stderr.contains(words), "no {words:?} in {}", training.stderr);
    }
    let epochs = training.stderr.lines().filter(|line| line.contains("images/s  ")).count();
    assert!(epochs >= 3, "a line an epoch: {}", training.stderr);
    assert!(!training.stderr.contains('\x1b') && !training.stderr.contains('\r'));
    for words in [
        "test accuracy",
        "of 60 right; 95 % interval",
        "class",
        "percept predict run/model.safetensors",
    ] {
        assert!(training.stdout.contains(words), "no {words:?} in {}", training.stdout);
    }
    for file in ["config.toml", "model.safetensors", "checkpoint"] {
        assert!(folder.path().join("run").join(file).exists(), "{file}");
    }
}

#[test]
fn json_has_a_line_for_each_epoch_and_the_result() {
    let folder = sample::folder();
    let training =
        program::line(folder.path(), "train --config small.toml --out run --json --quiet").well();
    assert_eq!(training.stderr, "");
    let lines: Vec<serde_json::Value> =
        training.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of = |event: &str| lines.iter().filter(|line| line["event"] == event).collect::<Vec<_>>();
    assert_eq!(of("started")[0]["train_examples"], 120);
    assert_eq!(of("started")[0]["config"]["seed"], 5);
    assert_eq!(of("epoch").len(), 3);
    let finished = of("finished")[0];
    assert_eq!(finished["complete"], true);
    assert_eq!(finished["test"]["accuracy"]["total"], 60);
    let shown = program::line(folder.path(), "show run/model.safetensors --json").well();
    let shown: serde_json::Value = serde_json::from_str(&shown.stdout).expect("JSON");
    assert_eq!(shown["weight_hash"], finished["weight_hash"]);
}

#[test]
fn of_two_classes_the_epoch_with_the_best_auc_is_kept() {
    let folder = sample::folder();
    sample::write_two_classes(folder.path(), 1000);
    let train = |options: &str| {
        let line = format!("train --data two --quality fast --epochs 2 {options}");
        program::line(folder.path(), &line)
    };
    let told = train("--out chosen").well();
    assert!(told.stderr.contains("because there are two classes (--keep changes it)"), "{told:?}");
    assert!(told.stderr.contains("keeps the epoch with the best validation AUC"), "{told:?}");
    assert!(told.stdout.contains("of 2 (validation AUC "), "{told:?}");
    for (options, run) in
        [("--keep last", "last"), ("--validation 0", "none"), ("--validation 99", "few")]
    {
        let told = train(&format!("{options} --out {run}")).well();
        assert!(!told.stderr.contains("best validation"), "{told:?}");
        assert!(!told.stdout.contains("kept"), "{told:?}");
    }
    let words = ["best validation loss needs images for validation", "set images aside"];
    train("--keep loss --validation 0 --out refused").refused(2, &words);
}

#[test]
fn a_named_measure_chooses_the_epoch() {
    let folder = sample::folder();
    let line = "train --config small.toml --keep accuracy --out run --json --quiet";
    let training = program::line(folder.path(), line).well();
    let lines: Vec<serde_json::Value> =
        training.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let accuracy = |line: &serde_json::Value| line["validation_accuracy"].as_f64();
    let epochs: Vec<f64> = lines.iter().filter_map(accuracy).collect();
    let best = epochs.iter().copied().fold(0.0, f64::max);
    let kept = lines.last().expect("a result")["kept_epoch"].as_u64().expect("an epoch");
    assert_eq!(epochs[kept as usize - 1], best, "{epochs:?}");
    let validation = &lines.last().expect("a result")["validation"]["accuracy"]["value"];
    assert_eq!(validation.as_f64(), Some(best));
}

#[test]
fn any_number_of_threads_gives_the_same_weights() {
    let folder = sample::folder();
    let hash = |threads: u32| {
        let line =
            format!("train --config small.toml --out run-{threads} --threads {threads} --json -q");
        program::line(folder.path(), &line).well().weight_hash()
    };
    let hashes = [1, 2, 3, 7].map(hash);
    println!("weights with 1, 2, 3 and 7 threads: {hashes:?}");
    assert!(hashes.iter().all(|hash| *hash == hashes[0]));
    let other =
        program::line(folder.path(), "train --config small.toml --seed 6 --out other --json -q");
    assert_ne!(other.well().weight_hash(), hashes[0]);
}

#[test]
fn learns_the_sample() {
    let report = program::run(sample::trained(), ["evaluate", "run/model.safetensors", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&report.well().stdout).expect("JSON");
    let accuracy = report["accuracy"]["value"].as_f64().expect("a number");
    assert!(accuracy > 0.8, "a third would be chance: {accuracy}");
}

#[test]
fn an_existing_run_is_never_overwritten() {
    let folder = sample::folder();
    fs::create_dir(folder.path().join("run")).expect("made");
    fs::write(folder.path().join("run/model.safetensors"), "precious").expect("written");
    program::line(folder.path(), "train --config small.toml --out run -q")
        .refused(1, &["run", "what to do: choose another folder with --out", "--resume"]);
    assert_eq!(fs::read(folder.path().join("run/model.safetensors")).expect("read"), b"precious");
    program::line(folder.path(), "train --config small.toml --epochs 1 -q").well();
    program::line(folder.path(), "train --config small.toml --epochs 1 -q").well();
    let runs = fs::read_dir(folder.path().join("runs")).expect("a folder of runs");
    let names: Vec<String> =
        runs.map(|run| run.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names.iter().all(|name| name.starts_with("small-20")), "{names:?}");
}

#[test]
fn divergence_names_the_layer_and_a_remedy() {
    let folder = sample::folder();
    let line = "train --config small.toml --out run -q --optimizer sgd --schedule constant --batch-size 8 \
                --learning-rate 1e30";
    program::line(folder.path(), line).refused(
        4,
        &[
            "training diverged in step",
            "layer `",
            "what to do:",
            "lower --learning-rate",
            "--clip-norm",
        ],
    );
}

#[test]
fn weights_that_make_no_probabilities_have_diverged() {
    let folder = sample::folder();
    let line = "train --config small.toml --out run -q --optimizer sgd --schedule constant --batch-size 120 \
                --learning-rate 1e30";
    program::line(folder.path(), line).refused(4, &["training diverged", "lower --learning-rate"]);
}

#[test]
fn a_preset_is_fitted_to_the_data() {
    let folder = sample::folder();
    let training =
        program::line(folder.path(), "train --data data --network mlp --epochs 1 --out run").well();
    for words in ["8x8x1 -> 64", "64 -> 3", "144 images to learn from, 16 for validation"] {
        assert!(training.stderr.contains(words), "no {words:?} in {}", training.stderr);
    }
}

#[test]
fn training_goes_on_when_nobody_listens() {
    let folder = sample::folder();
    let mut command = program::command(folder.path());
    command.args("train --config small.toml --out run --json".split_whitespace());
    let mut child = command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("started");
    drop((child.stdout.take(), child.stderr.take()));
    assert_eq!(child.wait().expect("ended").code(), Some(0));
    assert!(folder.path().join("run/model.safetensors").is_file());
}
