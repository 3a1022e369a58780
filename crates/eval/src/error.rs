//! What can be wrong with predictions.

use thiserror::Error;

/// Predictions that cannot be turned into metrics.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum EvalError {
    /// There is no class to predict.
    #[error("there are no classes: at least one class name is needed")]
    NoClasses,
    /// There is no example to measure on.
    #[error("there are no predictions: at least one example is needed")]
    NoExamples,
    /// The probabilities do not form rows of one number per class.
    #[error(
        "{found} probabilities do not make rows of {classes}: one number per class and example is needed"
    )]
    Ragged {
        /// Numbers given.
        found: usize,
        /// Classes, so numbers per row.
        classes: usize,
    },
    /// A number that is no probability.
    #[error(
        "example {example}: {found} given as the probability of class {class} is not in 0 to 1"
    )]
    NotAProbability {
        /// Place of the example, from 0.
        example: usize,
        /// Place of the class, from 0.
        class: usize,
        /// The number.
        found: f32,
    },
    /// A row of probabilities that do not sum to one.
    #[error("example {example}: the probabilities sum to {sum}, expected 1")]
    Sum {
        /// Place of the example, from 0.
        example: usize,
        /// What they sum to.
        sum: f64,
    },
    /// Not as many labels or losses as examples.
    #[error("{found} {what} for {expected} examples: one per example is needed")]
    Count {
        /// What was counted: labels or losses.
        what: &'static str,
        /// Examples.
        expected: usize,
        /// Labels or losses.
        found: usize,
    },
    /// A label without a class.
    #[error("example {example} has label {label}, but there are only {classes} classes (0 to {})", classes - 1)]
    Label {
        /// Place of the example, from 0.
        example: usize,
        /// The label.
        label: usize,
        /// Classes.
        classes: usize,
    },
    /// A loss that is not a finite number.
    #[error("example {example} has a loss of {found}, expected a finite number")]
    Loss {
        /// Place of the example, from 0.
        example: usize,
        /// The loss.
        found: f64,
    },
    /// A metric was asked for that needs the truth.
    #[error("the true labels are unknown: give the predictions their labels first")]
    NoLabels,
    /// Top-0 accuracy means nothing.
    #[error("top-k accuracy needs k of at least 1")]
    ZeroK,
    /// A confusion matrix that is not square, has no class, or counts no example.
    #[error("row {row} of a confusion matrix has {found} numbers, expected {classes}")]
    NotSquare {
        /// Place of the row, from 0.
        row: usize,
        /// Numbers in the row.
        found: usize,
        /// Rows of the matrix.
        classes: usize,
    },
}
