//! One number for all classes, in three ways.

use super::{ClassScores, quotient};
use serde::{Deserialize, Serialize};

/// Precision, recall and F1, each in 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Of what was predicted, the share that is right.
    pub precision: f64,
    /// Of what is there, the share that was found.
    pub recall: f64,
    /// Between the two.
    pub f1: f64,
}

/// Three ways to average over classes; F1 is averaged itself, not computed from averaged precision and recall.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Averages {
    /// Every class with examples counts the same: rare classes weigh as much as frequent ones.
    pub macro_mean: Scores,
    /// Every example counts the same: with one label per example all three are the accuracy.
    pub micro: Scores,
    /// Every class counts by its support.
    pub weighted: Scores,
}

/// Averages over the scores of all classes, as scikit-learn's `precision_recall_fscore_support` gives them. A class without
/// examples (zero support) is left out of the macro mean: the classes that are in the truth are its `labels`.
#[must_use]
pub fn averages(classes: &[ClassScores]) -> Averages {
    Averages {
        macro_mean: weighted_mean(classes, |class| f64::from(u8::from(class.support > 0))),
        micro: micro(classes),
        weighted: weighted_mean(classes, |class| class.support as f64),
    }
}

fn weighted_mean(classes: &[ClassScores], weight: fn(&ClassScores) -> f64) -> Scores {
    let total: f64 = classes.iter().map(weight).sum();
    let mean = |score: fn(&ClassScores) -> Option<f64>| {
        let sum: f64 = classes.iter().filter_map(|class| Some(score(class)? * weight(class))).sum();
        quotient(sum, total)
    };
    Scores { precision: mean(|c| c.precision), recall: mean(|c| c.recall), f1: mean(|c| c.f1) }
}

fn micro(classes: &[ClassScores]) -> Scores {
    // recall * support is a count of right answers: rounding takes the division's error away again.
    let right: f64 =
        classes.iter().filter_map(|c| Some((c.recall? * c.support as f64).round())).sum();
    let support: u64 = classes.iter().map(|c| c.support).sum();
    let predicted: u64 = classes.iter().map(|c| c.predicted).sum();
    let (support, predicted) = (support as f64, predicted as f64);
    Scores {
        precision: quotient(right, predicted),
        recall: quotient(right, support),
        f1: quotient(2.0 * right, support + predicted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::confusion::Confusion;
    use crate::metrics::per_class;

    /// By hand from the rows [5 2 0], [0 7 1], [3 0 4].
    #[test]
    fn differ_where_classes_differ() {
        let confusion =
            Confusion::try_from(vec![vec![5, 2, 0], vec![0, 7, 1], vec![3, 0, 4]]).expect("square");
        let found = averages(&per_class(&confusion));
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-15, "{a} is not {b}");
        close(found.macro_mean.precision, (5.0 / 8.0 + 7.0 / 9.0 + 4.0 / 5.0) / 3.0);
        close(found.macro_mean.recall, (5.0 / 7.0 + 7.0 / 8.0 + 4.0 / 7.0) / 3.0);
        close(found.macro_mean.f1, (10.0 / 15.0 + 14.0 / 17.0 + 8.0 / 12.0) / 3.0);
        close(
            found.weighted.precision,
            (7.0 * 5.0 / 8.0 + 8.0 * 7.0 / 9.0 + 7.0 * 4.0 / 5.0) / 22.0,
        );
        close(found.weighted.recall, 16.0 / 22.0);
        assert_eq!(
            found.micro,
            Scores { precision: 16.0 / 22.0, recall: 16.0 / 22.0, f1: 16.0 / 22.0 }
        );
    }

    /// By hand from the rows [3 1 0], [0 2 1], [0 0 0]: the third class has no examples.
    #[test]
    fn a_class_without_examples_is_left_out_of_the_macro_mean() {
        let confusion =
            Confusion::try_from(vec![vec![3, 1, 0], vec![0, 2, 1], vec![0; 3]]).expect("square");
        let found = averages(&per_class(&confusion));
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-15, "{a} is not {b}");
        close(found.macro_mean.precision, f64::midpoint(1.0, 2.0 / 3.0));
        close(found.macro_mean.recall, f64::midpoint(3.0 / 4.0, 2.0 / 3.0));
        close(found.macro_mean.f1, f64::midpoint(6.0 / 7.0, 4.0 / 6.0));
        close(found.micro.f1, 5.0 / 7.0);
    }
}
