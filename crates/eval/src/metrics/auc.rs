//! How well probabilities rank: the area under the receiver operating characteristic.

use crate::error::EvalError;
use crate::predictions::Predictions;

/// For each class, the probability that a random example of it gets a greater probability for it than a random example of
/// another class does, equal ones counting a half: the area under the ROC curve of this class against the rest. 1 is perfect
/// ranking, 0.5 none. There is no value for a class that all examples or none are of. With two classes both have the same value.
///
/// scikit-learn's `roc_auc_score(y_true == k, probabilities[:, k])`, computed from ranks (Mann and Whitney 1947).
///
/// # Shapes
/// `[K]`.
///
/// # Errors
/// [`EvalError::NoLabels`] where the truth is unknown.
pub fn roc_auc(predictions: &Predictions) -> Result<Vec<Option<f64>>, EvalError> {
    let labels = predictions.labels()?;
    let mut ranked: Vec<(f32, bool)> = Vec::with_capacity(labels.len());
    Ok((0..predictions.classes())
        .map(|class| {
            ranked.clear();
            let examples = predictions.rows().zip(labels);
            ranked.extend(examples.map(|(row, &label)| (row[class], label == class)));
            ranked.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
            area(&ranked)
        })
        .collect())
}

/// The area for examples in the order of their probability: (probability, whether of the class).
fn area(ranked: &[(f32, bool)]) -> Option<f64> {
    let positives = ranked.iter().filter(|(_, positive)| *positive).count();
    let negatives = ranked.len() - positives;
    if positives == 0 || negatives == 0 {
        return None;
    }
    // Pairs of a positive with a negative below it, doubled so that ties are whole numbers.
    let (mut below, mut doubled) = (0_u64, 0_u64);
    for equals in ranked.chunk_by(|a, b| a.0 == b.0) {
        let positive = equals.iter().filter(|(_, positive)| *positive).count() as u64;
        let negative = equals.len() as u64 - positive;
        doubled += positive * (2 * below + negative);
        below += negative;
    }
    Some(doubled as f64 / 2.0 / (positives as f64 * negatives as f64))
}

/// The mean over the classes that have a value; none where no class has.
#[must_use]
pub fn mean_auc(areas: &[Option<f64>]) -> Option<f64> {
    let known: Vec<f64> = areas.iter().copied().flatten().collect();
    (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_pairs_in_the_right_order_and_ties_for_half() {
        let names = vec!["a".to_owned(), "b".to_owned()];
        let probabilities = vec![0.75, 0.25, 0.5, 0.5, 0.5, 0.5, 0.125, 0.875];
        let predictions = Predictions::new(names, probabilities).expect("valid");
        // b's probabilities: 0.25 a, 0.5 a, 0.5 b, 0.875 b: of four pairs three are in order and one is a tie.
        let labelled = predictions.with_labels(&[0, 0, 1, 1]).expect("valid");
        assert_eq!(roc_auc(&labelled), Ok(vec![Some(0.875), Some(0.875)]));
        let alone = labelled.with_labels(&[1, 1, 1, 1]).expect("valid");
        assert_eq!(roc_auc(&alone), Ok(vec![None, None]));
        assert_eq!(mean_auc(&[None, Some(0.5), Some(1.0)]), Some(0.75));
        assert_eq!(mean_auc(&[None]), None);
    }
}
