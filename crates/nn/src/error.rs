//! What can be wrong with a network.

use crate::average::AverageError;
use crate::loss::LossError;
use crate::optim::OptimizerError;
use thiserror::Error;

/// A spec that cannot become a network.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SpecError {
    /// The text is not the TOML of a network.
    #[error("the network spec cannot be read: {reason}")]
    Syntax {
        /// What the reader found, with line and column where known.
        reason: String,
    },
    /// There is nothing to do.
    #[error(
        "the network has no layers; write at least one, for example `layers = [{{ kind = \"flatten\" }}, {{ kind = \"dense\", out_features = 10 }}]`"
    )]
    NoLayers,
    /// A layer that cannot be read, or that does not fit what arrives.
    #[error("{layer}: {reason}")]
    Layer {
        /// The layer's name, or its place where it has none yet.
        layer: String,
        /// What arrives, and what would fit.
        reason: String,
    },
    /// The input shape has a zero or is too large.
    #[error("the input shape {shape} cannot be used: {reason}")]
    Input {
        /// The shape as text.
        shape: String,
        /// Why not.
        reason: String,
    },
    /// More layers, nesting or parameters than percept accepts.
    #[error("the network is too large: {reason}")]
    TooLarge {
        /// The bound and what was found.
        reason: String,
    },
}

/// Settings or a state that an engine cannot work with.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum EngineError {
    /// A size that must be at least 1.
    #[error("{name} must be at least 1, found 0")]
    Zero {
        /// The setting.
        name: &'static str,
    },
    /// A batch larger than any that makes sense.
    #[error("batch_size must be at most {most}, found {found}")]
    BatchSize {
        /// The most that is accepted.
        most: usize,
        /// What was given.
        found: usize,
    },
    /// The network, the batch and the threads together ask for more memory than percept accepts.
    #[error(
        "training would take {gigabytes} GB of memory, at most {most} are accepted; use a smaller chunk_size, fewer threads or lanes, or a smaller network"
    )]
    Memory {
        /// What was asked for, in 10^9 bytes.
        gigabytes: u64,
        /// The most that is accepted, in 10^9 bytes.
        most: u64,
    },
    /// A gradient norm that clips nothing or everything.
    #[error("clip_norm must be a positive number, found {found}")]
    ClipNorm {
        /// What was given.
        found: f64,
    },
    /// The loss's settings.
    #[error(transparent)]
    Loss(#[from] LossError),
    /// The optimizer's settings.
    #[error(transparent)]
    Optimizer(#[from] OptimizerError),
    /// The moving average's settings.
    #[error(transparent)]
    Average(#[from] AverageError),
    /// A trunk that cannot be.
    #[error("the trunk cannot learn apart from the rest of the network: {reason}")]
    Trunk {
        /// What is wrong with it.
        reason: String,
    },
    /// A saved state of another network or optimizer.
    #[error("the saved training state does not fit this network and optimizer: {reason}")]
    State {
        /// What does not fit.
        reason: String,
    },
}
