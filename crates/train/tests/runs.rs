//! Whole runs: their folder, and that an interrupted run ends as one that never stopped.

use percept_data::sources::Reading;
use percept_data::sources::idx::{IdxImages, write_part};
use percept_kernels::isa::Isa;
use percept_model::model::Model;
use percept_train::config::Config;
use percept_train::error::TrainError;
use percept_train::event::{EpochRecord, Event, Observer, Outcome};
use percept_train::keep::Keep;
use percept_train::observers::History;
use percept_train::presets;
use percept_train::run::time_budget::TimeBudget;
use percept_train::run::{Beginning, Run};
use percept_train::session::LoadedModel;
use percept_train::sources;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// A folder of 1,200 digits to learn from and 500 to test with, written once.
fn digits() -> &'static Path {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let parts = [
            ("train", percept_mnist::train().unwrap(), 1200),
            ("t10k", percept_mnist::test().unwrap(), 500),
        ];
        for (part, digits, count) in parts {
            let pixels = digits.images[..count * 784].to_vec();
            let images = IdxImages { rows: 28, columns: 28, pixels };
            write_part(folder.path(), part, &images, &digits.labels[..count]).unwrap();
        }
        folder
    });
    folder.path()
}

/// A small network on 1,000 digits for 2 epochs of 8 steps, with everything that has a state.
fn config() -> Config {
    let text = r#"
        epochs = 2
        batch_size = 128
        chunk_size = 16
        validation = 200
        clip_norm = 5.0
        average = { every = 2, decay = 0.9 }

        [network]
        input = [28, 28, 1]
        layers = [
            { kind = "conv", out_channels = 6, kernel_size = 5, stride = 2, padding = 2, bias = false },
            { kind = "batch_norm" }, { kind = "relu" },
            { kind = "conv", out_channels = 8, kernel_size = 3 }, { kind = "relu" }, { kind = "max_pool", kernel_size = 2 },
            { kind = "flatten" }, { kind = "dropout", rate = 0.2 }, { kind = "dense", out_features = 10 },
        ]
    "#;
    let config = presets::find("cnn").unwrap().config().overlaid(text).unwrap();
    Config { data: digits().display().to_string(), ..config }
}

/// Stops the run after a step.
struct StopAfter<'a> {
    step: u64,
    stop: &'a AtomicBool,
}

impl Observer for StopAfter<'_> {
    fn notify(&mut self, event: &Event<'_>) -> Result<(), TrainError> {
        if let Event::Step(record) = event
            && record.step == self.step
        {
            self.stop.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

fn finish(run: Run) -> Outcome {
    run.execute(&mut [], &AtomicBool::new(false)).unwrap()
}

fn interrupt(run: Run, step: u64) -> Outcome {
    let stop = AtomicBool::new(false);
    run.execute(&mut [&mut StopAfter { step, stop: &stop }], &stop).unwrap()
}

fn weight_hash(outcome: &Outcome) -> String {
    Model::read(outcome.model.as_ref().unwrap()).unwrap().weight_hash()
}

/// A folder that goes away with the test.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn run(&self) -> PathBuf {
        self.0.path().join("run")
    }
}

/// What the history says of learning, without the times.
fn learned(folder: &Path) -> Vec<[f64; 7]> {
    let text = std::fs::read_to_string(folder.join("history.csv")).unwrap();
    let records = History::parse(&text).unwrap();
    let numbers = |r: &EpochRecord| {
        [
            f64::from(r.epoch),
            r.step as f64,
            r.train_loss,
            r.train_accuracy,
            r.validation_loss,
            r.validation_accuracy,
            r.learning_rate,
        ]
    };
    records.iter().map(numbers).collect()
}

#[test]
fn a_run_is_over_when_it_has_reached_its_aim() {
    let whole = Folder::new();
    let config = Config { epochs: 3, ..config() };
    finish(Run::new(config.clone(), whole.run(), 1).unwrap());
    let accuracies: Vec<f64> = learned(&whole.run()).iter().map(|epoch| epoch[5]).collect();
    assert!(accuracies[0] < accuracies[1], "the aim comes after an epoch: {accuracies:?}");

    let aimed = Config { stop_at: Some(accuracies[1]), ..config.clone() };
    let folder = Folder::new();
    let outcome = finish(Run::new(aimed, folder.run(), 1).unwrap());
    assert!(outcome.complete);
    assert_eq!(learned(&folder.run()), learned(&whole.run())[..2]);
    let model = Model::read(outcome.model.as_ref().unwrap()).unwrap();
    assert_eq!((model.provenance.epochs, model.provenance.steps), (2, 16));
    // Resumed, it is still over.
    let again = finish(Run::resume(&folder.run(), 1).unwrap());
    assert_eq!((again.history.len(), weight_hash(&again)), (2, weight_hash(&outcome)));

    for (stop_at, validation, words) in [(96.0, 200, "at most 1"), (0.9, 0, "for validation")] {
        let wrong = Config { stop_at: Some(stop_at), validation, ..config.clone() };
        let error = Run::new(wrong, folder.0.path().join("wrong"), 1).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
}

/// A training that gets nowhere in particular: its best epoch is hardly ever the last one by every measure.
fn restless() -> Config {
    let text = "epochs = 6\nschedule = { kind = 'constant' }\noptimizer = { kind = 'adam', learning_rate = 0.1 }";
    Config { average: None, ..config().overlaid(text).unwrap() }
}

#[test]
fn the_best_epoch_becomes_the_model() {
    let score = |keep, r: &EpochRecord| match keep {
        Keep::Accuracy => r.validation_accuracy,
        Keep::Auc => r.validation_auc.unwrap(),
        _ => -r.validation_loss,
    };
    let mut kept = Vec::new();
    for keep in [Keep::Accuracy, Keep::Auc, Keep::Loss] {
        let measure = |record: &EpochRecord| score(keep, record);
        let folder = Folder::new();
        let outcome = finish(Run::new(Config { keep, ..restless() }, folder.run(), 2).unwrap());
        // Of equally good epochs the last one.
        let best = outcome.history.iter().max_by(|a, b| measure(a).total_cmp(&measure(b))).unwrap();
        assert_eq!(outcome.kept_epoch, Some(best.epoch), "{keep}");
        let validation = outcome.validation.as_ref().unwrap();
        assert_eq!(validation.loss.to_bits(), best.validation_loss.to_bits(), "{keep}");
        assert_eq!(validation.auc, best.validation_auc, "{keep}");
        let provenance = Model::read(outcome.model.as_ref().unwrap()).unwrap().provenance;
        assert_eq!((provenance.epochs, provenance.steps), (u64::from(best.epoch), best.step));
        kept.push(best.epoch);
    }
    assert!(
        kept.iter().any(|epoch| *epoch < 6),
        "a last epoch that is best tests nothing: {kept:?}"
    );
    let folder = Folder::new();
    assert_eq!(finish(Run::new(restless(), folder.run(), 2).unwrap()).kept_epoch, None);
}

/// Before the best epoch, within the epoch after it, and at the end.
#[test]
fn the_best_epoch_outlives_interruptions() {
    let config = Config { keep: Keep::Loss, ..restless() };
    let whole = Folder::new();
    let expected = finish(Run::new(config.clone(), whole.run(), 2).unwrap());
    let best = expected.history[expected.kept_epoch.unwrap() as usize - 1].step;
    for step in [1, best - 1, best, (best + 3).min(47)] {
        let folder = Folder::new();
        interrupt(Run::new(config.clone(), folder.run(), 1).unwrap(), step);
        let resumed = finish(Run::resume(&folder.run(), 2).unwrap());
        assert_eq!(resumed.kept_epoch, expected.kept_epoch, "stopped after step {step}");
        assert_eq!(weight_hash(&resumed), weight_hash(&expected), "stopped after step {step}");
    }
}

#[test]
fn interrupted_anywhere_a_run_ends_with_the_same_bits() {
    let whole = Folder::new();
    let expected = finish(Run::new(config(), whole.run(), 2).unwrap());
    assert!(expected.complete);
    for (step, threads) in [(1, 1), (7, 3), (8, 2), (9, 7), (15, 2)] {
        let folder = Folder::new();
        let stopped = interrupt(Run::new(config(), folder.run(), 2).unwrap(), step);
        assert!(!stopped.complete && stopped.model.is_none());
        let resumed = finish(Run::resume(&folder.run(), threads).unwrap());
        assert_eq!(weight_hash(&resumed), weight_hash(&expected), "stopped after step {step}");
        assert_eq!(learned(&folder.run()), learned(&whole.run()), "stopped after step {step}");
    }
}

/// Every kind of augmentation, the mixing of a batch's examples, and class weights.
#[test]
fn mixed_examples_depend_on_neither_threads_nor_interruptions() {
    let text = r#"
        [augmentation]
        mirror = "alternating"
        crop = 2
        outside = "reflect"
        erase = 6
        brightness = 0.2
        contrast = 0.2
        operations = 2
        operations-magnitude = 9
        mixup = 0.4
        cutmix = 1.0
        [loss]
        label_smoothing = 0.1
        class_weights = [1.0, 2.0, 0.5, 1.0, 1.0, 1.5, 1.0, 0.1, 1.0, 1.0]
    "#;
    let mixed = config().overlaid(text).unwrap();
    let whole = Folder::new();
    let expected = finish(Run::new(mixed.clone(), whole.run(), 2).unwrap());
    for (step, threads) in [(3, 1), (8, 5)] {
        let folder = Folder::new();
        interrupt(Run::new(mixed.clone(), folder.run(), 1).unwrap(), step);
        let resumed = finish(Run::resume(&folder.run(), threads).unwrap());
        assert_eq!(weight_hash(&resumed), weight_hash(&expected), "stopped after step {step}");
        assert_eq!(learned(&folder.run()), learned(&whole.run()), "stopped after step {step}");
    }
    let alone = mixed.overlaid("[augmentation]\nmixup = 0.0\ncutmix = 0.0").unwrap();
    let folder = Folder::new();
    let other = finish(Run::new(alone, folder.run(), 2).unwrap());
    assert_ne!(weight_hash(&other), weight_hash(&expected));
}

#[test]
fn a_run_can_be_interrupted_twice_and_resumed_from_the_file() {
    let whole = Folder::new();
    let expected = finish(Run::new(config(), whole.run(), 1).unwrap());
    let folder = Folder::new();
    interrupt(Run::new(config(), folder.run(), 1).unwrap(), 3);
    let again = interrupt(Run::resume(&folder.run(), 1).unwrap(), 11);
    let resumed = finish(Run::resume(&again.checkpoint, 1).unwrap());
    assert_eq!(weight_hash(&resumed), weight_hash(&expected));
    // A run that is complete can be "resumed" too: it only writes its results again.
    let once_more = finish(Run::resume(&folder.run(), 1).unwrap());
    assert_eq!(weight_hash(&once_more), weight_hash(&expected));
}

#[test]
fn the_folder_holds_what_was_promised() {
    let folder = Folder::new();
    let outcome = finish(Run::new(config(), folder.run(), 2).unwrap());
    for file in [
        "config.toml",
        "history.csv",
        "report.html",
        "model.safetensors",
        "checkpoint/checkpoint.safetensors",
    ] {
        assert!(folder.run().join(file).is_file(), "{file}");
    }
    let text = std::fs::read_to_string(folder.run().join("config.toml")).unwrap();
    // The precision that was chosen is written down, so that the run goes on with it wherever it goes on.
    let precision = Some(config().compute(Isa::chosen().unwrap()).precision);
    assert_eq!(Config::from_toml(&text).unwrap(), Config { precision, ..config() });
    let test = outcome.test.unwrap();
    assert_eq!(test.accuracy.total, 500);
    // A thousand digits teach this network more than half of them; guessing would give a tenth.
    assert!(test.accuracy.value > 0.5, "{}", test.accuracy.value);
    assert_eq!(outcome.validation.unwrap().accuracy.total, 200);

    let mut model = LoadedModel::open(&outcome.model.unwrap(), 1).unwrap();
    let part = sources::open(&digits().display().to_string(), &Reading::default(), 1)
        .unwrap()
        .test
        .unwrap()
        .open()
        .unwrap();
    let predictions = model.evaluate(part).unwrap();
    let report = percept_eval::report::Report::new(&predictions).unwrap();
    assert_eq!(
        report.accuracy.correct, test.accuracy.correct,
        "the model file is what was measured"
    );
    mirroring_takes_the_mean_of_two_logits(&mut model);
    let provenance = &model.model.provenance;
    assert_eq!(provenance.test.unwrap().correct, test.accuracy.correct);
    assert_eq!((provenance.epochs, provenance.steps, provenance.seed), (2, 16, 1));
}

/// The softmax of the mean of two logits is the geometric mean of their probabilities, made to add up to 1.
fn mirroring_takes_the_mean_of_two_logits(model: &mut LoadedModel) {
    let part = sources::open(&digits().display().to_string(), &Reading::default(), 1).unwrap();
    let part = part.test.unwrap().open().unwrap();
    let mut pixels = vec![0.0; 784];
    model.preprocessing.normalisation.apply(part.dataset.image(0), &mut pixels);
    let mut mirrored = pixels.clone();
    mirrored.chunks_exact_mut(28).for_each(<[f32]>::reverse);
    let (one, other) = (model.predict(&pixels), model.predict(&mirrored));
    assert_ne!(one, other);
    let means: Vec<f32> = one.iter().zip(&other).map(|(p, q)| (p * q).sqrt()).collect();
    let total: f32 = means.iter().sum();
    model.set_mirror(true);
    let both = model.predict(&pixels);
    let of_part = model.evaluate(part).unwrap();
    for (class, (got, mean)) in both.iter().zip(&means).enumerate() {
        // Logits of some tens, rounded to f32, give probabilities to about 1e-5 of themselves.
        let want = mean / total;
        assert!((got - want).abs() < 1e-4 * want + 1e-6, "{got} {want}");
        assert!((of_part.probabilities()[class] - want).abs() < 1e-4 * want + 1e-6);
    }
    model.set_mirror(false);
    assert_eq!(model.predict(&pixels), one);
}

#[test]
fn a_folder_is_never_overwritten() {
    let folder = Folder::new();
    std::fs::create_dir(folder.run()).unwrap();
    let error = Run::new(config(), folder.run(), 1).unwrap_err();
    assert!(matches!(error, TrainError::Io { action: "create", .. }), "{error}");
}

#[test]
fn divergence_ends_the_run_and_keeps_the_checkpoint() {
    let folder = Folder::new();
    // The clipping alone keeps such a rate from diverging at once, so it goes.
    let text = "clip_norm = 1e30\n[optimizer]\nkind = \"sgd\"\nlearning_rate = 1e20\n[schedule]\nkind = \"step\"\nevery = 1000";
    let wild = config().overlaid(text).unwrap();
    let calm = interrupt(Run::new(wild.clone(), folder.run(), 1).unwrap(), 1);
    let error = Run::resume(&folder.run(), 1)
        .unwrap()
        .execute(&mut [], &AtomicBool::new(false))
        .unwrap_err();
    let TrainError::Diverged { checkpoint, diverged } = error else { panic!("{error}") };
    assert_eq!(checkpoint.as_ref(), Some(&calm.checkpoint));
    assert!(diverged.step >= 2, "{diverged}");
    percept_model::checkpoint::Checkpoint::read(&calm.checkpoint).unwrap();
}

/// One step an epoch: its own numbers are finite, those of the validation that follows are not.
#[test]
fn divergence_that_the_validation_meets_is_named_too() {
    let folder = Folder::new();
    let text = "batch_size = 1000\nclip_norm = 1e30\n[optimizer]\nkind = \"sgd\"\nlearning_rate = 1e38\n[schedule]\nkind = \"step\"\nevery = 1000";
    let run = Run::new(config().overlaid(text).unwrap(), folder.run(), 1).unwrap();
    let error = run.execute(&mut [], &AtomicBool::new(false)).unwrap_err();
    let TrainError::Diverged { checkpoint, diverged } = error else { panic!("{error}") };
    assert_eq!(checkpoint, None, "there was no good state to keep");
    assert!(diverged.to_string().contains("layer"), "{diverged}");
}

#[test]
fn a_checkpoint_goes_on_with_its_own_data_alone() {
    let folder = Folder::new();
    let stopped = interrupt(Run::new(config(), folder.run(), 1).unwrap(), 2);
    let mut checkpoint = percept_model::checkpoint::Checkpoint::read(&stopped.checkpoint).unwrap();
    checkpoint.data.sha256 = "0".repeat(64);
    checkpoint.write(&stopped.checkpoint).unwrap();
    let error = Run::resume(&folder.run(), 1).unwrap_err().to_string();
    assert!(error.contains("cannot resume") && error.contains("sha256"), "{error}");
}

#[test]
fn a_time_that_is_over_already_leaves_no_folder() {
    let folder = Folder::new();
    let config = config();
    let opened = sources::open(&config.data, &config.images, 1).unwrap();
    let total = std::time::Duration::from_secs(1);
    let asked = std::time::Instant::now().checked_sub(2 * total).unwrap();
    let time = Some(TimeBudget { asked, total });
    let beginning = Beginning { time, ..Beginning::default() };
    let error = Run::begin(config, opened, folder.run(), 1, beginning).unwrap_err();
    assert!(error.to_string().contains("a time of 1 s is too short"), "{error}");
    assert!(!folder.run().exists());
}

#[test]
fn settings_that_do_not_fit_are_explained() {
    let folder = Folder::new();
    for (text, words) in [
        ("epochs = 0", "epochs must be at least 1"),
        ("batch_size = 0", "batch_size"),
        ("validation = 1200", "1200 for validation (--validation); but there are 1200"),
        ("validation = 0\nkeep = \"auc\"", "best validation AUC needs images"),
        ("data = \"no/such/folder\"", "no/such/folder"),
        (
            "[network]\ninput = [14, 14, 1]\nlayers = [{ kind = \"flatten\" }, { kind = \"dense\", out_features = 10 }]",
            "28x28x1",
        ),
        (
            "[network]\ninput = [28, 28, 1]\nlayers = [{ kind = \"flatten\" }, { kind = \"dense\", out_features = 7 }]",
            "7 outputs",
        ),
        ("[augmentation]\nrotation = 1000.0", "rotation"),
        ("[augmentation]\nerase = 29", "erase must be at most 28 pixels"),
        ("[optimizer]\nlearning_rate = 0.0", "the learning rate must be above 0"),
        ("[augmentation]\nhue = 0.7", "hue must be from 0 to 0.5"),
    ] {
        let error = Run::new(config().overlaid(text).unwrap(), folder.run(), 1).unwrap_err();
        assert!(error.to_string().contains(words), "`{text}` gives `{error}`");
    }
    assert!(!folder.run().exists(), "a run that cannot start leaves no folder");
}

#[test]
fn an_overlay_changes_what_it_names_and_refuses_what_it_does_not_know() {
    let base = config();
    let changed = base.overlaid("seed = 9\n[augmentation]\nrotation = 3.0").unwrap();
    assert_eq!((changed.seed, changed.augmentation.rotation), (9, 3.0));
    assert_eq!(changed.augmentation.scale, base.augmentation.scale);
    let sgd = base.overlaid("[optimizer]\nkind = \"sgd\"\nlearning_rate = 0.5").unwrap();
    assert_eq!(sgd.optimizer.learning_rate(), 0.5);
    let error = base.overlaid("epoch = 3").unwrap_err().to_string();
    assert!(error.contains("epoch"), "{error}");
}
