//! What can go wrong with a training run.

use percept_eval::error::EvalError;
use percept_model::error::ModelError;
use percept_nn::diverged::Diverged;
use percept_nn::error::{EngineError, SpecError};
use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// A training run that cannot start or go on.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The configuration cannot be read or used.
    #[error("the training configuration cannot be used: {reason}")]
    Config {
        /// What is wrong, where, and what would be right.
        reason: String,
    },
    /// The network cannot be.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// A setting of the engine is out of range.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The data cannot be used.
    #[error(transparent)]
    Data(#[from] percept_data::Error),
    /// The digits inside the program are damaged.
    #[error(transparent)]
    Mnist(#[from] percept_mnist::Error),
    /// A number was not finite; the last good checkpoint is kept.
    #[error("{diverged}")]
    Diverged {
        /// Where it began.
        #[source]
        diverged: Diverged,
        /// The checkpoint from before, where one was written.
        checkpoint: Option<PathBuf>,
    },
    /// A model or checkpoint file.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The parts of a model do not fit each other.
    #[error("{origin} is not a sound model: {reason}")]
    UnsoundModel {
        /// Where the model came from, usually its path.
        origin: String,
        /// What does not fit.
        reason: String,
    },
    /// A model is asked about data that it was not made for.
    #[error("the data do not fit the model: {reason}")]
    Mismatch {
        /// What differs.
        reason: String,
    },
    /// The result cannot be measured.
    #[error(transparent)]
    Eval(#[from] EvalError),
    /// The checkpoint belongs to other data or another configuration.
    #[error("cannot resume from {path}: {reason}")]
    Resume {
        /// The checkpoint.
        path: PathBuf,
        /// What differs, and what to do.
        reason: String,
    },
    /// A file or folder of the run.
    #[error("cannot {action} {path}")]
    Io {
        /// What was being done: `write`, `create`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: io::Error,
    },
    /// The instruction set named by `PERCEPT_ISA`.
    #[error("{0}")]
    Isa(#[from] percept_kernels::isa::IsaError),
}
