//! What a classifier answered for a list of examples.

use crate::error::EvalError;

/// How far from 1 a row of f32 probabilities may sum: room for half-precision arithmetic, none for logits.
const SUM_TOLERANCE: f64 = 1e-2;

/// Probabilities of N examples over K classes, the predicted labels, and the truth where it is known.
///
/// There is always at least one class and one example; every number has been checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Predictions {
    class_names: Vec<String>,
    probabilities: Vec<f32>,
    predicted: Vec<usize>,
    labels: Option<Vec<usize>>,
    losses: Option<Vec<f64>>,
}

impl Predictions {
    /// Predictions from the probabilities alone; the predicted label is the most probable one, the lowest of equals.
    ///
    /// # Shapes
    /// `class_names` `[K]`, `probabilities` `[N, K]` with classes fastest, each in 0 to 1, each row summing to 1.
    ///
    /// # Errors
    /// No class, no example, a last row that is not full, a number outside 0 to 1 (NaN too), a row that does not sum
    /// to 1 within 0.01.
    pub fn new(class_names: Vec<String>, probabilities: Vec<f32>) -> Result<Self, EvalError> {
        let classes = class_names.len();
        if classes == 0 {
            return Err(EvalError::NoClasses);
        }
        if probabilities.is_empty() {
            return Err(EvalError::NoExamples);
        }
        if !probabilities.len().is_multiple_of(classes) {
            return Err(EvalError::Ragged { found: probabilities.len(), classes });
        }
        for (example, row) in probabilities.chunks_exact(classes).enumerate() {
            check_row(example, row)?;
        }
        let predicted = probabilities.chunks_exact(classes).map(most_probable).collect();
        Ok(Self { class_names, probabilities, predicted, labels: None, losses: None })
    }

    /// The same predictions with their true labels.
    ///
    /// # Shapes
    /// `labels` `[N]`, each in 0 to K - 1.
    ///
    /// # Errors
    /// Not one label per example, or a label without a class.
    pub fn with_labels(mut self, labels: &[u32]) -> Result<Self, EvalError> {
        let (expected, classes) = (self.len(), self.classes());
        if labels.len() != expected {
            return Err(EvalError::Count { what: "labels", expected, found: labels.len() });
        }
        let labels: Vec<usize> = labels.iter().map(|&label| label as usize).collect();
        if let Some((example, &label)) = labels.iter().enumerate().find(|&(_, &l)| l >= classes) {
            return Err(EvalError::Label { example, label, classes });
        }
        self.labels = Some(labels);
        Ok(self)
    }

    /// The same predictions with the loss of each example, as the network computed it from logits; without it
    /// [`log_loss`](crate::metrics::log_loss) works with the probabilities, where the smallest are lost to rounding.
    ///
    /// # Shapes
    /// `losses` `[N]`, in nats, finite.
    ///
    /// # Errors
    /// Not one loss per example, or one that is not finite.
    pub fn with_losses(mut self, losses: Vec<f64>) -> Result<Self, EvalError> {
        let expected = self.len();
        if losses.len() != expected {
            return Err(EvalError::Count { what: "losses", expected, found: losses.len() });
        }
        if let Some((example, &found)) = losses.iter().enumerate().find(|(_, l)| !l.is_finite()) {
            return Err(EvalError::Loss { example, found });
        }
        self.losses = Some(losses);
        Ok(self)
    }

    /// Number of examples N, at least 1.
    #[must_use]
    #[allow(clippy::len_without_is_empty)] // never empty
    pub fn len(&self) -> usize {
        self.predicted.len()
    }

    /// Number of classes K, at least 1.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.class_names.len()
    }

    /// Names of the classes `[K]`.
    #[must_use]
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// Predicted labels `[N]`.
    #[must_use]
    pub fn predicted(&self) -> &[usize] {
        &self.predicted
    }

    /// All probabilities `[N, K]`, classes fastest.
    #[must_use]
    pub fn probabilities(&self) -> &[f32] {
        &self.probabilities
    }

    /// The probabilities `[K]` of each example, in order.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.probabilities.chunks_exact(self.classes())
    }

    /// True labels `[N]`.
    ///
    /// # Errors
    /// [`EvalError::NoLabels`] where the truth was not given.
    pub fn labels(&self) -> Result<&[usize], EvalError> {
        self.labels.as_deref().ok_or(EvalError::NoLabels)
    }

    /// The loss `[N]` of each example in nats, where it was given.
    #[must_use]
    pub fn losses(&self) -> Option<&[f64]> {
        self.losses.as_deref()
    }
}

fn check_row(example: usize, row: &[f32]) -> Result<(), EvalError> {
    if let Some((class, &found)) = row.iter().enumerate().find(|(_, p)| !(0.0..=1.0).contains(*p)) {
        return Err(EvalError::NotAProbability { example, class, found });
    }
    let sum: f64 = row.iter().map(|&p| f64::from(p)).sum();
    if (sum - 1.0).abs() > SUM_TOLERANCE {
        return Err(EvalError::Sum { example, sum });
    }
    Ok(())
}

fn most_probable(row: &[f32]) -> usize {
    let mut best = 0;
    for (class, &probability) in row.iter().enumerate() {
        if probability > row[best] {
            best = class;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(classes: usize, probabilities: &[f32]) -> Result<Predictions, EvalError> {
        Predictions::new(vec![String::new(); classes], probabilities.to_vec())
    }

    #[test]
    fn predict_the_most_probable_and_the_lowest_of_equals() {
        let predictions = with(3, &[0.2, 0.5, 0.3, 0.4, 0.2, 0.4]).expect("valid");
        assert_eq!(predictions.predicted(), [1, 0]);
        assert_eq!(predictions.rows().nth(1), Some([0.4, 0.2, 0.4].as_slice()));
    }

    #[test]
    fn refuse_what_are_no_probabilities() {
        assert_eq!(with(0, &[]), Err(EvalError::NoClasses));
        assert_eq!(with(2, &[]), Err(EvalError::NoExamples));
        assert_eq!(with(2, &[0.5, 0.5, 1.0]), Err(EvalError::Ragged { found: 3, classes: 2 }));
        let found = with(2, &[0.5, 0.5, 1.5, -0.5]);
        assert_eq!(found, Err(EvalError::NotAProbability { example: 1, class: 0, found: 1.5 }));
        let error = with(2, &[f32::NAN, 1.0]).expect_err("NaN is no probability");
        assert!(error.to_string().contains("example 0: NaN"), "{error}");
        assert_eq!(with(2, &[0.5, 0.25]), Err(EvalError::Sum { example: 0, sum: 0.75 }));
    }

    #[test]
    fn refuse_truths_that_do_not_fit() {
        let predictions = with(2, &[0.5, 0.5]).expect("valid");
        assert_eq!(predictions.labels(), Err(EvalError::NoLabels));
        let labels = |labels: &[u32]| predictions.clone().with_labels(labels).map(|_| ());
        assert_eq!(labels(&[1]), Ok(()));
        assert_eq!(labels(&[2]), Err(EvalError::Label { example: 0, label: 2, classes: 2 }));
        assert_eq!(labels(&[]), Err(EvalError::Count { what: "labels", expected: 1, found: 0 }));
        let losses = |losses| predictions.clone().with_losses(losses).map(|_| ());
        assert_eq!(losses(vec![3.0]), Ok(()));
        assert_eq!(
            losses(vec![0.0; 2]),
            Err(EvalError::Count { what: "losses", expected: 1, found: 2 })
        );
        let infinite = Err(EvalError::Loss { example: 0, found: f64::INFINITY });
        assert_eq!(losses(vec![f64::INFINITY]), infinite);
    }
}
