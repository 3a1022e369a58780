//! What has been counted since the epoch began.

use percept_model::checkpoint::Checkpoint;
use percept_nn::engine::StepReport;
use std::collections::BTreeMap;
use std::time::Instant;

/// The epoch so far; part of a checkpoint, so that an interrupted epoch counts as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Progress {
    loss_sum: f64,
    correct: f64,
    examples: f64,
}

const NAMES: [&str; 3] = ["epoch_loss_sum", "epoch_correct", "epoch_examples"];

impl Progress {
    pub(crate) fn add(&mut self, report: &StepReport) {
        self.loss_sum += report.loss * report.examples as f64;
        self.correct += report.correct as f64;
        self.examples += report.examples as f64;
    }

    pub(crate) fn mean_loss(&self) -> f64 {
        self.loss_sum / self.examples.max(1.0)
    }

    pub(crate) fn accuracy(&self) -> f64 {
        self.correct / self.examples.max(1.0)
    }

    pub(crate) fn numbers(&self) -> BTreeMap<String, f64> {
        let values = [self.loss_sum, self.correct, self.examples];
        NAMES.iter().map(|name| (*name).to_owned()).zip(values).collect()
    }

    pub(crate) fn from_checkpoint(checkpoint: &Checkpoint) -> Self {
        let [loss_sum, correct, examples] =
            NAMES.map(|name| checkpoint.numbers.get(name).copied().unwrap_or(0.0));
        Self { loss_sum, correct, examples }
    }
}

/// The time of an epoch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Speed {
    started: Instant,
    examples: usize,
}

impl Speed {
    pub(crate) fn start() -> Self {
        Self { started: Instant::now(), examples: 0 }
    }

    pub(crate) fn add(&mut self, examples: usize) {
        self.examples += examples;
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    pub(crate) fn images_per_second(&self) -> f64 {
        self.examples as f64 / self.seconds().max(1e-9)
    }
}
