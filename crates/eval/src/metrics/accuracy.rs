//! The share of right answers.

use super::Proportion;
use crate::confusion::Confusion;

/// The share of examples whose predicted label is the true one, with its 95 % interval.
///
/// ```
/// use percept_eval::{confusion::Confusion, metrics::accuracy};
///
/// let confusion = Confusion::try_from(vec![vec![5, 2], vec![1, 12]])?;
/// assert_eq!(accuracy(&confusion).value, 17.0 / 20.0);
/// # Ok::<(), percept_eval::error::EvalError>(())
/// ```
#[must_use]
pub fn accuracy(confusion: &Confusion) -> Proportion {
    Proportion::new(confusion.correct(), confusion.total())
}
