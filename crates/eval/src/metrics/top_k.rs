//! How often the truth is among the best answers.

use super::Proportion;
use crate::error::EvalError;
use crate::predictions::Predictions;

/// The share of examples whose true class is among the `k` most probable, with its 95 % interval.
///
/// Of equally probable classes the lower label comes first, as for the predicted label, so that top-1 is the accuracy.
/// (scikit-learn's `top_k_accuracy_score` puts the higher label first.)
///
/// # Errors
/// [`EvalError::ZeroK`] for k = 0, [`EvalError::NoLabels`] where the truth is unknown.
pub fn top_k_accuracy(predictions: &Predictions, k: usize) -> Result<Proportion, EvalError> {
    if k == 0 {
        return Err(EvalError::ZeroK);
    }
    let found = |&(row, &label): &(&[f32], &usize)| rank(row, label) < k;
    let correct = predictions.rows().zip(predictions.labels()?).filter(found).count();
    Ok(Proportion::new(correct as u64, predictions.len() as u64))
}

/// How many classes come before `label`.
fn rank(row: &[f32], label: usize) -> usize {
    let truth = row[label];
    row.iter().enumerate().filter(|&(class, &p)| p > truth || (p == truth && class < label)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn predictions() -> Predictions {
        let names = ["a", "b", "c"].map(str::to_owned).to_vec();
        let rows = vec![0.5, 0.3, 0.2, 0.5, 0.3, 0.2, 0.5, 0.3, 0.2, 0.25, 0.25, 0.5];
        Predictions::new(names, rows).and_then(|p| p.with_labels(&[0, 1, 2, 1])).expect("valid")
    }

    #[test]
    fn grows_with_k() {
        let correct = |k| top_k_accuracy(&predictions(), k).map(|proportion| proportion.correct);
        assert_eq!([correct(1), correct(2), correct(3), correct(99)], [Ok(1), Ok(2), Ok(4), Ok(4)]);
    }

    #[test]
    fn refuses_k_of_zero() {
        assert_eq!(top_k_accuracy(&predictions(), 0), Err(EvalError::ZeroK));
    }
}
