//! Help, version, information, completions and manual pages.

use crate::program::{self, command, finished};
use std::process::Stdio;

fn here() -> std::path::PathBuf {
    std::env::temp_dir()
}

#[test]
fn every_verb_has_help_with_examples() {
    let program = program::line(&here(), "--help").well();
    for verb in
        ["train", "evaluate", "predict", "show", "data", "bench", "info", "completions", "man"]
    {
        assert!(program.stdout.contains(&format!("\n  {verb} ")), "{verb}");
        let words = if verb == "data" { "data preview" } else { verb };
        let help = program::line(&here(), &format!("{words} --help")).well();
        assert!(help.stdout.contains("Examples:\n  percept"), "{verb}: {}", help.stdout);
        let other = program::line(&here(), &format!("help {words}")).well();
        assert_eq!(other.stdout, help.stdout);
    }
    assert!(program.stdout.contains("130  interrupted"));
}

#[test]
fn version_and_information() {
    let version = program::line(&here(), "--version").well();
    assert_eq!(version.stdout, format!("percept {}\n", env!("CARGO_PKG_VERSION")));
    let info = program::line(&here(), "info").well();
    assert!(info.stdout.contains("lenet") && info.stderr.is_empty(), "{info:?}");
    assert_eq!(info.stdout.matches("when training").count(), 1, "{info:?}");
    let json: serde_json::Value =
        serde_json::from_str(&program::line(&here(), "info --json").well().stdout).expect("JSON");
    let presets: Vec<&str> = json["presets"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|p| p["name"].as_str())
        .collect();
    let digits = ["mlp", "lenet", "fast", "cnn", "best"];
    let pictures = ["colour-small", "colour", "colour-large", "resnet"];
    assert_eq!(presets, [&digits[..], &pictures[..]].concat());
    let shown = program::line(&here(), "show --json").well();
    let shown: serde_json::Value = serde_json::from_str(&shown.stdout).expect("JSON");
    assert_eq!(shown, json["presets"]);
    let shown = program::line(&here(), "show").well().stdout;
    let help = program::line(&here(), "show --help").well().stdout;
    for name in presets {
        assert!(shown.contains(&format!("\n{name} ")), "{name}: {shown}");
        assert!(help.contains(name), "{name}: {help}");
    }
    assert_eq!(program::line(&here(), "show --svg a.svg").code, 2);
    assert!(json["instruction_sets"]["available"][0] == "scalar");
}

#[test]
fn the_instruction_set_can_be_chosen() {
    let with = |isa: &str| {
        finished(&command(&here()).arg("info").env("PERCEPT_ISA", isa).output().expect("started"))
    };
    assert!(
        with("scalar").well().stdout.contains("scalar, 1 numbers at once (chosen by PERCEPT_ISA)")
    );
    with("mmx").refused(2, &["unknown instruction set `mmx`", "what to do: unset PERCEPT_ISA"]);
}

#[test]
fn completions_and_manual_pages() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = program::line(&here(), &format!("completions {shell}")).well().stdout;
        assert!(script.contains("percept") && script.contains("show-input"), "{shell}");
    }
    let page = program::line(&here(), "man").well().stdout;
    assert!(page.contains(".TH percept 1"), "{page}");
    let folder = tempfile::tempdir().expect("a folder");
    program::line(folder.path(), "man --out pages").well();
    for page in ["percept.1", "percept-train.1", "percept-data-preview.1"] {
        assert!(folder.path().join("pages").join(page).is_file(), "{page}");
    }
}

#[test]
fn what_cannot_be_meant_is_a_usage_error() {
    for words in [
        "",
        "learn",
        "train --epochs minus",
        "train --epochs -1",
        "train --stop-at 96",
        "train --optimizer newton",
        "train --resume a --seed 3",
        "train --resume a --format idx",
        "train --resume a --size 28",
        "predict model.safetensors",
        "predict model.safetensors a.png --top 0",
        "completions csh",
    ] {
        let finished = program::line(&here(), words);
        assert_eq!(finished.code, 2, "{words}: {finished:?}");
        assert!(finished.stdout.is_empty(), "{words}: {finished:?}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = command(&here())
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    drop(child.stdout.take());
    let finished = finished(&child.wait_with_output().expect("ended"));
    assert_eq!((finished.code, finished.stderr.as_str()), (0, ""));
}
