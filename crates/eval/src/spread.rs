//! Mean and spread over repeated runs, such as the same training with other seeds.

use serde::{Deserialize, Serialize};

/// What several runs have in common and how far they differ.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Number of runs, at least 1.
    pub runs: usize,
    /// Arithmetic mean.
    pub mean: f64,
    /// Sample standard deviation: the root of the sum of squared differences from the mean over (runs - 1).
    /// Unknown for a single run.
    pub standard_deviation: Option<f64>,
    /// The smallest value.
    pub min: f64,
    /// The largest value.
    pub max: f64,
}

impl Spread {
    /// Mean and spread of `values`, whatever their unit; nothing where there are none.
    ///
    /// ```
    /// let spread = percept_eval::spread::Spread::of(&[2.0, 4.0, 9.0]).expect("three values");
    /// assert_eq!(spread.mean, 5.0);
    /// assert_eq!(spread.standard_deviation, Some(13.0_f64.sqrt())); // (9 + 1 + 16) / 2
    /// ```
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let runs = values.len();
        if runs == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / runs as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let standard_deviation = (runs > 1).then(|| (squares / (runs - 1) as f64).sqrt());
        let min = values.iter().copied().fold(f64::INFINITY, f64::min);
        let max = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Some(Self { runs, mean, standard_deviation, min, max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_nothing_and_no_spread_of_one() {
        assert_eq!(Spread::of(&[]), None);
        let one = Spread::of(&[0.5]).expect("one value");
        assert_eq!((one.mean, one.standard_deviation, one.runs), (0.5, None, 1));
    }

    #[test]
    fn small_differences_of_large_values_survive() {
        let spread = Spread::of(&[1e8 + 1.0, 1e8 + 2.0, 1e8 + 3.0]).expect("three values");
        assert_eq!(spread.standard_deviation, Some(1.0));
        assert_eq!((spread.min, spread.max), (1e8 + 1.0, 1e8 + 3.0));
    }
}
