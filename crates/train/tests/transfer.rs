//! Transfer: a run that starts from a model's weights, freezes them for a while, and needs the model no more to go on.

use percept_data::sources::Reading;
use percept_data::sources::idx::{IdxImages, write_part};
use percept_model::model::Model;
use percept_train::config::Config;
use percept_train::error::TrainError;
use percept_train::event::{Event, Observer, Outcome};
use percept_train::presets;
use percept_train::run::{Beginning, Run};
use percept_train::session::LoadedModel;
use percept_train::sources;
use percept_train::transfer::{self, Head, Transfer};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;

/// Digits of some classes, the first so many of each, as IDX files whose labels count from 0.
fn digits(classes: &[u8], train: usize, test: usize) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let parts = [
        ("train", percept_mnist::train().unwrap(), train),
        ("t10k", percept_mnist::test().unwrap(), test),
    ];
    for (part, digits, of_each) in parts {
        let (mut pixels, mut labels, mut taken) = (Vec::new(), Vec::new(), [0; 10]);
        for (image, label) in digits.images.chunks(784).zip(digits.labels.iter()) {
            let class = classes.iter().position(|class| class == label);
            if let Some(class) = class.filter(|class| taken[*class] < of_each) {
                taken[class] += 1;
                pixels.extend_from_slice(image);
                labels.push(class as u8);
            }
        }
        let images = IdxImages { rows: 28, columns: 28, pixels };
        write_part(folder.path(), part, &images, &labels).unwrap();
    }
    folder
}

/// The preset `fast` without augmentation, which would only add noise to these comparisons.
fn config(data: &Path, classes: usize) -> Config {
    let preset = presets::find("fast").unwrap().config();
    let network = transfer::network_for(&preset.network, classes).unwrap();
    let augmentation = percept_data::Augmentation::default();
    let data = data.display().to_string();
    Config { data, epochs: 2, validation: 0, batch_size: 64, augmentation, network, ..preset }
}

fn finish(run: Run) -> Outcome {
    run.execute(&mut [], &AtomicBool::new(false)).unwrap()
}

/// Trains a model of the digits 0 to 4.
fn train_model(seed: u64) -> TempDir {
    let (data, folder) = (digits(&[0, 1, 2, 3, 4], 2000, 10), tempfile::tempdir().unwrap());
    let config = Config { seed, ..config(data.path(), 5) };
    finish(Run::new(config, folder.path().join("run"), 0).unwrap());
    folder
}

fn open(folder: &TempDir) -> LoadedModel {
    LoadedModel::open(&folder.path().join("run/model.safetensors"), 1).unwrap()
}

/// A model of the digits 0 to 4, trained once.
fn model() -> LoadedModel {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    open(FOLDER.get_or_init(|| train_model(1)))
}

/// Forty digits of each of 6 to 9 to learn from, for ten epochs of three steps.
fn small() -> (TempDir, Config) {
    let data = digits(&[6, 7, 8, 9], 40, 200);
    let config = Config { epochs: 10, ..config(data.path(), 4) };
    (data, config)
}

fn begin(config: &Config, model: Option<&LoadedModel>, folder: PathBuf, threads: usize) -> Run {
    let opened = sources::open(&config.data, &Reading::default(), threads).unwrap();
    let beginning = Beginning { model, ..Beginning::default() };
    Run::begin(config.clone(), opened, folder, threads, beginning).unwrap()
}

fn written(outcome: &Outcome) -> Model {
    Model::read(outcome.model.as_ref().unwrap()).unwrap()
}

struct StopAfter<'a>(u64, &'a AtomicBool);

impl Observer for StopAfter<'_> {
    fn notify(&mut self, event: &Event<'_>) -> Result<(), TrainError> {
        if matches!(event, Event::Step(record) if record.step == self.0) {
            self.1.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Ten digits of each of 6 to 9: on these seeds a model gains 0.11 to 0.16.
#[test]
fn from_a_model_few_images_teach_more_than_from_nothing() {
    let (data, folder) = (digits(&[6, 7, 8, 9], 10, 200), tempfile::tempdir().unwrap());
    for seed in 1..5 {
        let config = Config { epochs: 10, seed, ..config(data.path(), 4) };
        let accuracy = |model: Option<&LoadedModel>, name: String| {
            finish(begin(&config, model, folder.path().join(name), 0)).test.unwrap().accuracy.value
        };
        let scratch = accuracy(None, format!("scratch-{seed}"));
        let model = open(&train_model(seed));
        let transferred = accuracy(Some(&model), format!("transferred-{seed}"));
        println!(
            "40 images of 6 to 9: {scratch} from nothing, {transferred} from a model of 0 to 4"
        );
        assert!(transferred > scratch + 0.05, "{transferred} against {scratch}");
        assert!(transferred > 0.7, "{transferred}");
    }
}

#[test]
fn the_trunk_is_kept_while_it_is_frozen() {
    let (model, (_data, config), folder) = (model(), small(), tempfile::tempdir().unwrap());
    let classes = config_classes(4);
    let always = Transfer { frozen: 1.0, ..Transfer::of(&model, &classes) };
    let config = Config { transfer: Some(always), epochs: 2, ..config };
    let outcome = finish(begin(&config, Some(&model), folder.path().join("run"), 2));
    let (old, new) = (model.network.values(), written(&outcome));
    for (parameter, tensor) in model.network.parameters().iter().zip(&new.tensors) {
        let same = old[parameter.range.clone()] == tensor.data[..];
        assert_eq!(same, !parameter.name.starts_with("dense"), "{}", parameter.name);
    }
    assert_eq!(new.provenance.config.matches("from_sha256").count(), 1);
}

fn config_classes(count: usize) -> Vec<String> {
    (0..count).map(|class| format!("new {class}")).collect()
}

#[test]
fn threads_interruptions_and_the_model_s_absence_change_nothing() {
    let (model, (_data, config), folder) = (model(), small(), tempfile::tempdir().unwrap());
    // 30 steps, of which the first 9 are frozen.
    let transfer = Transfer { frozen: 0.3, ..Transfer::of(&model, &config_classes(4)) };
    let config = Config { transfer: Some(transfer), ..config };
    let run = |name: &str, threads| begin(&config, Some(&model), folder.path().join(name), threads);
    let expected = written(&finish(run("whole", 1))).weight_hash();
    assert_eq!(written(&finish(run("threads", 3))).weight_hash(), expected);
    for step in [5, 9, 10, 20] {
        let (name, stop) = (format!("stopped-{step}"), AtomicBool::new(false));
        let stopped = run(&name, 2).execute(&mut [&mut StopAfter(step, &stop)], &stop).unwrap();
        assert!(!stopped.complete);
        let resumed = finish(Run::resume(&folder.path().join(&name), 1).unwrap());
        assert_eq!(written(&resumed).weight_hash(), expected, "stopped after step {step}");
    }
}

#[test]
fn the_head_is_kept_for_the_same_classes_in_any_order() {
    let (model, folder) = (model(), tempfile::tempdir().unwrap());
    let known = model.model.class_names.clone();
    let reversed: Vec<String> = known.iter().rev().cloned().collect();
    assert_eq!(Head::for_classes(&model, &reversed), Head::Kept);
    assert_eq!(Transfer::of(&model, &reversed).frozen, 0.0);
    assert_eq!(Head::for_classes(&model, &known[1..]), Head::New);
    assert_eq!(Head::for_classes(&model, &config_classes(4)), Head::New);

    // The digits 4 to 0 under the model's names: a network that has learned nothing new tells them apart at once.
    let data = digits(&[4, 3, 2, 1, 0], 20, 100);
    let config = config(data.path(), 5);
    let mut opened = sources::open(&config.data, &Reading::default(), 1).unwrap();
    let names: Vec<String> = reversed.clone();
    let renamed = |dataset: percept_data::Dataset| {
        let shape = dataset.shape();
        let (images, labels) = (dataset.images().to_vec(), dataset.labels().to_vec());
        percept_data::Dataset::new("renamed", shape, images, labels, names.clone()).unwrap()
    };
    opened.train = std::sync::Arc::new(renamed((*opened.train).clone()));
    opened.test = None;
    let optimizer = config.optimizer.clone().with_learning_rate(1e-12);
    let config = Config { epochs: 1, validation: 60, optimizer, average: None, ..config };
    let beginning = Beginning { model: Some(&model), ..Beginning::default() };
    let run = Run::begin(config, opened, folder.path().join("run"), 1, beginning).unwrap();
    let outcome = finish(run);
    assert_eq!(written(&outcome).class_names, reversed);
    let accuracy = outcome.validation.unwrap().accuracy.value;
    assert!(accuracy > 0.9, "{accuracy}");
}

#[test]
fn what_does_not_fit_is_explained() {
    let (model, (_data, config), folder) = (model(), small(), tempfile::tempdir().unwrap());
    let refused = |config: &Config, model: Option<&LoadedModel>, words: &str| {
        let opened = sources::open(&config.data, &Reading::default(), 1).unwrap();
        let beginning = Beginning { model, ..Beginning::default() };
        let run = Run::begin(config.clone(), opened, folder.path().join("run"), 1, beginning);
        let error = run.unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    };
    let usual = Transfer::of(&model, &config_classes(4));
    let with = |transfer: Transfer| Config { transfer: Some(transfer), ..config.clone() };
    refused(&with(Transfer { frozen: 1.5, ..usual.clone() }), Some(&model), "found 1.5");
    refused(&with(Transfer { trunk_rate: 0.0, ..usual.clone() }), Some(&model), "frozen = 1.0");
    refused(&with(usual), None, "which is not there");
    let other = presets::find("mlp").unwrap().config().network;
    let other = transfer::network_for(&other, 4).unwrap();
    refused(&Config { network: other, ..config.clone() }, Some(&model), "not the model's");
    assert!(!folder.path().join("run").exists(), "a run that cannot start leaves no folder");
}
