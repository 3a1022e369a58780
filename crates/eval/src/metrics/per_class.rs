//! Precision, recall and F1 of each class.

use super::quotient;
use crate::confusion::Confusion;
use serde::{Deserialize, Serialize};

/// What the predictions are worth for one class; no score of a class without examples is a number, for nothing measures it
/// (scikit-learn gives 0, by `zero_division=0`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassScores {
    /// Of the examples predicted to be of this class, the share that is: in 0 to 1, 0 where none was predicted.
    pub precision: Option<f64>,
    /// Of the examples of this class, the share that was found: in 0 to 1.
    pub recall: Option<f64>,
    /// Harmonic mean of precision and recall: 2 right / (support + predicted), in 0 to 1.
    pub f1: Option<f64>,
    /// Examples of this class.
    pub support: u64,
    /// Examples predicted to be of this class.
    pub predicted: u64,
}

/// The scores `[K]` of every class.
///
/// ```
/// use percept_eval::{confusion::Confusion, metrics::per_class};
///
/// let confusion = Confusion::try_from(vec![vec![5, 2], vec![1, 12]])?;
/// let second = per_class(&confusion)[1];
/// assert_eq!((second.precision, second.recall), (Some(12.0 / 14.0), Some(12.0 / 13.0)));
/// # Ok::<(), percept_eval::error::EvalError>(())
/// ```
#[must_use]
pub fn per_class(confusion: &Confusion) -> Vec<ClassScores> {
    let counts = confusion.true_counts().into_iter().zip(confusion.predicted_counts());
    let right = confusion.rows().iter().enumerate().map(|(class, row)| row[class]);
    right
        .zip(counts)
        .map(|(right, (support, predicted))| scores(right, support, predicted))
        .collect()
}

fn scores(right: u64, support: u64, predicted: u64) -> ClassScores {
    let [r, s, p] = [right, support, predicted].map(|count| count as f64);
    let measured = |score: f64| (support > 0).then_some(score);
    ClassScores {
        precision: measured(quotient(r, p)),
        recall: measured(quotient(r, s)),
        f1: measured(quotient(2.0 * r, s + p)),
        support,
        predicted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precision_is_by_column_and_recall_by_row() {
        let confusion =
            Confusion::try_from(vec![vec![5, 2, 0], vec![0, 7, 1], vec![3, 0, 4]]).expect("square");
        let first = per_class(&confusion)[0];
        assert_eq!((first.precision, first.recall), (Some(5.0 / 8.0), Some(5.0 / 7.0)));
        assert_eq!((first.f1, first.support, first.predicted), (Some(10.0 / 15.0), 7, 8));
    }

    #[test]
    fn an_absent_class_has_no_scores() {
        let confusion = Confusion::try_from(vec![vec![3, 1], vec![0, 0]]).expect("square");
        let absent = per_class(&confusion)[1];
        assert_eq!((absent.precision, absent.recall, absent.f1), (None, None, None));
        assert_eq!((absent.support, absent.predicted), (0, 1));
    }

    #[test]
    fn a_class_that_is_never_predicted_has_precision_zero() {
        let confusion = Confusion::try_from(vec![vec![3, 0], vec![2, 0]]).expect("square");
        let missed = per_class(&confusion)[1];
        assert_eq!((missed.precision, missed.recall), (Some(0.0), Some(0.0)));
    }
}
