//! How often each class was taken for each other.

use crate::error::EvalError;
use crate::predictions::Predictions;
use serde::{Deserialize, Serialize};

/// Counts `[K, K]`: row = true class, column = predicted class, as scikit-learn has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Vec<u64>>", into = "Vec<Vec<u64>>")]
pub struct Confusion {
    rows: Vec<Vec<u64>>,
}

/// One kind of mistake: examples of one class that were taken for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The label that was true.
    pub label: usize,
    /// The label that was predicted instead.
    pub predicted: usize,
    /// How often, at least once.
    pub count: u64,
}

impl Confusion {
    /// Counts the pairs of true and predicted labels.
    ///
    /// # Errors
    /// [`EvalError::NoLabels`] where the truth is unknown.
    pub fn new(predictions: &Predictions) -> Result<Self, EvalError> {
        let classes = predictions.classes();
        let mut rows = vec![vec![0; classes]; classes];
        for (&label, &predicted) in predictions.labels()?.iter().zip(predictions.predicted()) {
            rows[label][predicted] += 1;
        }
        Ok(Self { rows })
    }

    /// The counts, `rows()[true][predicted]`.
    #[must_use]
    pub fn rows(&self) -> &[Vec<u64>] {
        &self.rows
    }

    /// Number of classes K.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.rows.len()
    }

    /// Examples counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.rows.iter().flatten().sum()
    }

    /// Examples whose predicted label is the true one.
    #[must_use]
    pub fn correct(&self) -> u64 {
        self.rows.iter().enumerate().map(|(class, row)| row[class]).sum()
    }

    /// Examples `[K]` of each true class (support).
    #[must_use]
    pub fn true_counts(&self) -> Vec<u64> {
        self.rows.iter().map(|row| row.iter().sum()).collect()
    }

    /// Examples `[K]` that were predicted to be of each class.
    #[must_use]
    pub fn predicted_counts(&self) -> Vec<u64> {
        (0..self.classes()).map(|class| self.rows.iter().map(|row| row[class]).sum()).collect()
    }

    /// All mistakes, the most frequent first; equals in the order of the labels.
    #[must_use]
    pub fn mistakes(&self) -> Vec<Mistake> {
        let mut mistakes: Vec<Mistake> = self
            .rows
            .iter()
            .enumerate()
            .flat_map(|(label, row)| {
                row.iter()
                    .enumerate()
                    .filter(move |&(predicted, &count)| predicted != label && count > 0)
                    .map(move |(predicted, &count)| Mistake { label, predicted, count })
            })
            .collect();
        mistakes.sort_by_key(|mistake| std::cmp::Reverse(mistake.count));
        mistakes
    }
}

impl TryFrom<Vec<Vec<u64>>> for Confusion {
    type Error = EvalError;

    /// A matrix from its rows.
    fn try_from(rows: Vec<Vec<u64>>) -> Result<Self, EvalError> {
        let classes = rows.len();
        if classes == 0 {
            return Err(EvalError::NoClasses);
        }
        match rows.iter().enumerate().find(|(_, row)| row.len() != classes) {
            Some((row, numbers)) => {
                Err(EvalError::NotSquare { row, found: numbers.len(), classes })
            }
            None => Ok(Self { rows }),
        }
    }
}

impl From<Confusion> for Vec<Vec<u64>> {
    fn from(confusion: Confusion) -> Self {
        confusion.rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asymmetric() -> Confusion {
        Confusion::try_from(vec![vec![5, 2, 0], vec![0, 7, 1], vec![3, 0, 4]]).expect("square")
    }

    #[test]
    fn counts_by_row_and_column() {
        let confusion = asymmetric();
        assert_eq!(confusion.total(), 22);
        assert_eq!(confusion.correct(), 16);
        assert_eq!(confusion.true_counts(), [7, 8, 7]);
        assert_eq!(confusion.predicted_counts(), [8, 9, 5]);
    }

    #[test]
    fn lists_mistakes_by_frequency() {
        let found: Vec<_> =
            asymmetric().mistakes().iter().map(|m| (m.label, m.predicted, m.count)).collect();
        assert_eq!(found, [(2, 0, 3), (0, 1, 2), (1, 2, 1)]);
    }

    #[test]
    fn rows_are_true_and_columns_predicted() {
        let names = vec!["a".to_owned(), "b".to_owned()];
        let predictions = Predictions::new(names, vec![0.1, 0.9])
            .and_then(|p| p.with_labels(&[0]))
            .expect("valid");
        let confusion = Confusion::new(&predictions).expect("labelled");
        assert_eq!(confusion.rows(), [vec![0, 1], vec![0, 0]]);
    }

    #[test]
    fn refuses_rows_that_make_no_square() {
        assert_eq!(Confusion::try_from(vec![]), Err(EvalError::NoClasses));
        let ragged = Confusion::try_from(vec![vec![1, 2], vec![3]]);
        assert_eq!(ragged, Err(EvalError::NotSquare { row: 1, found: 1, classes: 2 }));
    }
}
