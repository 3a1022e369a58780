//! Numbers for people: what a list of predictions is worth.
//!
//! Conventions are scikit-learn's: `confusion[true][predicted]`, and a quotient with nothing to divide by is 0.
//! But a class without examples has no scores and is left out of the macro mean.

mod accuracy;
mod auc;
mod averages;
mod log_loss;
mod per_class;
mod proportion;
mod top_k;

pub use accuracy::accuracy;
pub use auc::{mean_auc, roc_auc};
pub use averages::{Averages, Scores, averages};
pub use log_loss::log_loss;
pub use per_class::{ClassScores, per_class};
pub use proportion::Proportion;
pub use top_k::top_k_accuracy;

/// `numerator / denominator`, 0 where there is nothing to divide by (scikit-learn's `zero_division=0`).
fn quotient(numerator: f64, denominator: f64) -> f64 {
    if denominator == 0.0 { 0.0 } else { numerator / denominator }
}
