//! `train --from`: starts from a model, on other pictures.

use crate::{program, sample};
use image::{GrayImage, imageops};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// `bars/`: 20 pictures of 16x16 of each of two of the sample's classes, under other names; and the sample's model as
/// `old.safetensors`.
fn folder() -> TempDir {
    let folder = sample::folder();
    fs::copy(sample::model(), folder.path().join("old.safetensors")).expect("copied");
    let side = sample::SIDE as u32;
    for (class, name) in ["standing", "lying"].iter().enumerate() {
        let class_folder = folder.path().join("bars").join(name);
        fs::create_dir_all(&class_folder).expect("made");
        for variant in 0..20 {
            let pixels = sample::image(class, 1000 + variant);
            let image = GrayImage::from_raw(side, side, pixels).expect("an image");
            let large = imageops::resize(&image, 16, 16, imageops::FilterType::Nearest);
            large.save(class_folder.join(format!("{variant}.png"))).expect("written");
        }
    }
    folder
}

fn train(folder: &Path, rest: &str) -> program::Finished {
    program::line(folder, &format!("train --from old.safetensors --data bars {rest}"))
}

#[test]
fn the_model_s_preparation_and_trunk_serve_other_classes() {
    let folder = folder();
    let training = train(folder.path(), "--out run").well();
    for words in [
        "starts from old.safetensors: all weights but the last layer's",
        "(--frozen)",
        "32 images a step",
        "8x8x1",
        "optimizer muon",
        "2 classes",
    ] {
        assert!(training.stderr.contains(words), "no {words:?} in {}", training.stderr);
    }
    let config = fs::read_to_string(folder.path().join("run/config.toml")).expect("settings");
    let config: toml::Table = config.parse().expect("TOML");
    assert_eq!(config["transfer"]["frozen"].as_float(), Some(0.1));
    let shown = program::line(folder.path(), "show old.safetensors --json").well();
    let shown: serde_json::Value = serde_json::from_str(&shown.stdout).expect("JSON");
    assert_eq!(config["transfer"]["from_sha256"].as_str(), shown["weight_hash"].as_str());
    assert_eq!(config["images"]["size"].as_array().map(Vec::len), Some(2));
    let report = program::line(folder.path(), "evaluate run/model.safetensors --data bars --json");
    let report: serde_json::Value = serde_json::from_str(&report.well().stdout).expect("JSON");
    let accuracy = report["accuracy"]["value"].as_f64().expect("a number");
    assert!(accuracy > 0.9, "a half would be chance: {accuracy}");
    // Going on needs the model no more.
    fs::remove_file(folder.path().join("old.safetensors")).expect("removed");
    program::line(folder.path(), "train --resume run -q").well();
}

#[test]
fn what_depends_on_the_data_is_chosen_for_them() {
    let folder = folder();
    for name in ["a", "b"] {
        let class = folder.path().join("signs").join(name);
        fs::create_dir_all(&class).expect("made");
        for variant in 0..if name == "a" { 20 } else { 5 } {
            let from = folder.path().join(format!("bars/standing/{variant}.png"));
            fs::copy(from, class.join(format!("{variant}.png"))).expect("copied");
        }
    }
    let line = "train --from old.safetensors --data signs --epochs 1 --out run";
    let said = program::line(folder.path(), line).well().stderr;
    for words in [
        "1 class has fewer than 20 images: b (5)",
        "5 images are set aside for the test, 2 for validation",
        "not mirrored, because classes that are named by one character",
        "classes are weighted by their number of images",
        "class weights from",
    ] {
        assert!(said.contains(words), "no {words:?} in {said}");
    }
    let line = "train --from old.safetensors --data signs --epochs 1 --out other --validation 3 --test 4 --class-weights none \
                --augmentation photos";
    let said = program::line(folder.path(), line).well().stderr;
    assert!(said.contains("4 images are set aside for the test, 3 for validation"), "{said}");
    for gone in ["training images are", "class weights from"] {
        assert!(!said.contains(gone), "{gone:?} was not chosen: {said}");
    }
}

#[test]
fn a_frozen_trunk_is_the_model_s() {
    let folder = folder();
    train(folder.path(), "--out run --frozen 1 -q").well();
    let weights = |path: &str| {
        let model = percept::model::model::Model::read(&folder.path().join(path)).expect("a model");
        model.tensors
    };
    let (old, new) = (weights("old.safetensors"), weights("run/model.safetensors"));
    let conv = |tensors: &[percept::model::tensor::Tensor]| {
        tensors.iter().find(|tensor| tensor.name == "conv1.weight").expect("a tensor").data.clone()
    };
    assert_eq!(conv(&old), conv(&new));
}

#[test]
fn what_is_said_of_the_images_counts() {
    let folder = folder();
    let line =
        "--out run --epochs 1 --augmentation off --mirror random --class-weights balanced -q";
    train(folder.path(), line).well();
    let config = fs::read_to_string(folder.path().join("run/config.toml")).expect("settings");
    let config: toml::Table = config.parse().expect("TOML");
    let augmentation = &config["augmentation"];
    assert_eq!(augmentation["rotation"].as_float(), Some(0.0));
    assert_eq!(augmentation["mirror"].as_str(), Some("random"));
    assert_eq!(config["loss"]["class_weights"].as_array().map(Vec::len), Some(2));
}

#[test]
fn what_cannot_be_is_explained() {
    let folder = folder();
    let refused = |line: &str, code, words: &[&str]| {
        program::line(folder.path(), &format!("train {line} --out run")).refused(code, words);
    };
    refused("--from old.safetensors", 2, &["--data"]);
    refused("--from none.safetensors --data bars", 5, &["none.safetensors"]);
    refused("--from small.toml --data bars", 5, &["small.toml"]);
    refused("--from old.safetensors --data mnist", 2, &["takes images of 8x8x1", "28x28x1"]);
    refused("--from old.safetensors --data bars --network mlp", 2, &["--network"]);
    refused("--from old.safetensors --data bars --size 28x28", 2, &["--size"]);
    refused("--from old.safetensors --data bars --frozen 2", 2, &["from 0 to 1, found 2"]);
    refused("--from old.safetensors --data bars --trunk-rate 0", 2, &["above 0"]);
    refused("--frozen 0.5", 2, &["--from"]);
    train(folder.path(), "--out first --epochs 1 -q").well();
    refused("--config first/config.toml", 2, &["which is not there", "--from"]);
}
