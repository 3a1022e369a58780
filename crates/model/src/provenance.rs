//! Where a model comes from.

use serde::{Deserialize, Serialize};

/// The data that a network was trained with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFingerprint {
    /// What people call it: `MNIST, 55,000 training images`.
    pub description: String,
    /// SHA-256 of the training data as 64 lower-case hexadecimal digits.
    pub sha256: String,
}

/// A share of right answers with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeasuredAccuracy {
    /// Right answers.
    pub correct: u64,
    /// Answers.
    pub total: u64,
    /// Lower end of the 95 % interval, in 0 to 1.
    pub low: f64,
    /// Upper end of the 95 % interval, in 0 to 1.
    pub high: f64,
}

impl MeasuredAccuracy {
    /// Whether the counts and the interval can be those of a measurement.
    pub(crate) fn is_possible(&self) -> bool {
        self.correct <= self.total && 0.0 <= self.low && self.low <= self.high && self.high <= 1.0
    }
}

/// How the weights came to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Provenance {
    /// Version of percept that trained the network.
    pub percept_version: String,
    /// The program or library that wrote the model, in words.
    pub created_by: String,
    /// Seed of all randomness.
    pub seed: u64,
    /// The data.
    pub data: DataFingerprint,
    /// Epochs trained.
    pub epochs: u64,
    /// Steps (updates) trained.
    pub steps: u64,
    /// The training configuration, as its TOML text.
    pub config: String,
    /// Accuracy on the validation split, where it was measured.
    pub validation: Option<MeasuredAccuracy>,
    /// Accuracy on the test split, where it was measured.
    pub test: Option<MeasuredAccuracy>,
}
