//! A small run for the observers' tests.

use crate::event::{EpochRecord, Event, Outcome, Plan, StepRecord};
use crate::presets;
use percept_nn::describe::Description;
use std::path::Path;
use std::time::Duration;

pub(crate) const TOTAL_STEPS: u64 = 4300;

/// Calls `then` with the start of a run in `folder`.
pub(crate) fn started(folder: &Path, done_steps: u64, then: impl FnOnce(&Event<'_>)) {
    let config = presets::find("mlp").expect("a preset").config();
    let network = Description::new(&config.network).expect("sound");
    let names: Vec<String> = (0..10).map(|digit| digit.to_string()).collect();
    then(&Event::Started(&Plan {
        config: &config,
        network: &network,
        data: "MNIST <digits>",
        notes: &[],
        class_names: &names,
        train_examples: 55_000,
        validation_examples: 5_000,
        total_steps: TOTAL_STEPS,
        done_steps,
        threads: 2,
        isa: "scalar",
        folder,
    }));
}

pub(crate) fn step(step: u64) -> StepRecord {
    StepRecord {
        step,
        total_steps: TOTAL_STEPS,
        epoch: 1,
        examples: 128,
        loss: 1.0 / step as f64,
        accuracy: 0.5,
        gradient_norm: 2.0,
        learning_rate: 0.001,
        elapsed: Duration::from_millis(step),
    }
}

pub(crate) fn epoch(epoch: u32) -> EpochRecord {
    EpochRecord {
        epoch,
        step: 430 * u64::from(epoch),
        train_loss: 0.25,
        train_accuracy: 0.9,
        validation_loss: 0.125,
        validation_accuracy: 0.95,
        validation_auc: Some(0.9375),
        learning_rate: 0.001,
        seconds: 2.5,
        images_per_second: 22_000.0,
    }
}

/// A run that was interrupted after `epochs`.
pub(crate) fn outcome(folder: &Path, epochs: u32) -> Outcome {
    Outcome {
        complete: false,
        folder: folder.to_owned(),
        model: None,
        checkpoint: folder.join("checkpoint"),
        history: (1..=epochs).map(epoch).collect(),
        kept_epoch: None,
        validation: None,
        test: None,
        test_notes: Vec::new(),
        elapsed: Duration::from_secs(58),
    }
}
