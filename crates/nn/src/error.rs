//! What can be wrong with a network.

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
