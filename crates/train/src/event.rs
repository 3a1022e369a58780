//! What a run tells those who watch it.

use crate::config::Config;
use crate::error::TrainError;
use percept_eval::report::Report;
use percept_nn::describe::Description;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Something that happened in a run.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// All is checked; the first step comes next.
    Started(&'a Plan<'a>),
    /// A step was done.
    Step(&'a StepRecord),
    /// An epoch ended and the validation examples were measured.
    Epoch(&'a EpochRecord),
    /// A checkpoint is safely on the disk.
    Checkpoint {
        /// Where.
        path: &'a Path,
    },
    /// The run is over.
    Finished(&'a Outcome),
}

/// What a run is going to do.
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    /// All settings.
    pub config: &'a Config,
    /// The network's layers and shapes.
    pub network: &'a Description,
    /// What the data are, in words.
    pub data: &'a str,
    /// What was found out about the data and decided for them, a line each.
    pub notes: &'a [String],
    /// Name of each class.
    pub class_names: &'a [String],
    /// Examples to learn from.
    pub train_examples: usize,
    /// Examples to choose by.
    pub validation_examples: usize,
    /// Steps of the whole run.
    pub total_steps: u64,
    /// Steps done already, by the run that is resumed.
    pub done_steps: u64,
    /// Threads at work.
    pub threads: usize,
    /// The instruction set at work.
    pub isa: &'a str,
    /// The run's folder.
    pub folder: &'a Path,
}

/// One step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepRecord {
    /// The step, counted from 1 over the whole run.
    pub step: u64,
    /// Steps of the whole run.
    pub total_steps: u64,
    /// The epoch, counted from 1.
    pub epoch: u32,
    /// Examples of the batch.
    pub examples: usize,
    /// Mean loss of the batch.
    pub loss: f64,
    /// Share of the batch that was right, in 0 to 1.
    pub accuracy: f64,
    /// Norm of the gradient.
    pub gradient_norm: f64,
    /// The learning rate of the step.
    pub learning_rate: f64,
    /// Since the run (or its resumption) started.
    pub elapsed: Duration,
}

/// One epoch: a row of `history.csv`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// The epoch, counted from 1.
    pub epoch: u32,
    /// Steps done at its end.
    pub step: u64,
    /// Mean loss over the epoch's batches, as they were met.
    pub train_loss: f64,
    /// Share of the epoch's examples that were right as they were met, in 0 to 1.
    pub train_accuracy: f64,
    /// Mean loss on the validation examples, by the averaged weights where an average is kept.
    pub validation_loss: f64,
    /// Share of the validation examples that are right, in 0 to 1.
    pub validation_accuracy: f64,
    /// Area under the ROC curve on the validation examples, the mean over the classes; `None` where they are not of two classes.
    #[serde(default)]
    pub validation_auc: Option<f64>,
    /// The learning rate of the epoch's last step.
    pub learning_rate: f64,
    /// Seconds that the epoch took, validation included.
    pub seconds: f64,
    /// Training images a second, validation not included.
    pub images_per_second: f64,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Whether all epochs were done or the accuracy to stop at was reached; else it was interrupted and can be resumed.
    pub complete: bool,
    /// The run's folder.
    pub folder: PathBuf,
    /// The model file; written where the run is complete.
    pub model: Option<PathBuf>,
    /// The checkpoint to resume from.
    pub checkpoint: PathBuf,
    /// The epochs, those before a resumption included.
    pub history: Vec<EpochRecord>,
    /// The epoch whose weights are the model, where it was [chosen](crate::keep::Keep) by validation.
    pub kept_epoch: Option<u32>,
    /// The result on the validation examples, where there are any.
    pub validation: Option<Report>,
    /// The result on the test examples, where the run is complete and there are any.
    pub test: Option<Report>,
    /// What a person should know of the test: why it could not be made, or that some of its images were learned from.
    pub test_notes: Vec<String>,
    /// Time spent training, validating and testing since the run (or its resumption) started.
    pub elapsed: Duration,
}

/// Someone who watches a run.
pub trait Observer {
    /// Takes note of something that happened.
    ///
    /// # Errors
    /// What keeps the run from going on, such as a full disk; the run then ends and its last checkpoint stays.
    fn notify(&mut self, event: &Event<'_>) -> Result<(), TrainError>;
}
