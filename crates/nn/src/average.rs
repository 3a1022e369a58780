//! A moving average of a network's weights (Polyak and Juditsky 1992), which is often better than the last weights.
//!
//! Every [`every`](AverageSettings::every) steps the average takes in the weights:
//!
//! ```text
//! average = decay * average + (1 - decay) * weights,    decay = min(settings.decay, 1 - 1 / (n / 4 + 1))
//! ```
//!
//! where n counts the averagings before, from 0. So the first one copies the weights, and the memory grows with the
//! training until it is `every / (1 - settings.decay)` steps long. Batch normalisation's running statistics are averaged
//! the same way, by the same [`take_in`].

use percept_kernels::element::Element;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The averagings over which the memory grows by one.
const GROWTH: f64 = 4.0;

/// Settings of the moving average.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AverageSettings {
    /// Steps from one averaging to the next, at least 1.
    pub every: u64,
    /// What the average keeps of itself in the long run, in 0 to 1 (below 1).
    pub decay: f64,
}

/// Settings that make no average.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum AverageError {
    /// `every` is 0.
    #[error("the moving average must have `every` of at least 1 step, found 0")]
    Every,
    /// `decay` out of its range.
    #[error("the moving average must have a `decay` of at least 0 and below 1, found {found}")]
    Decay {
        /// What was given.
        found: f64,
    },
}

impl Default for AverageSettings {
    /// Every 5 steps, with a decay of 0.9: a memory of 50 steps.
    fn default() -> Self {
        Self { every: 5, decay: 0.9 }
    }
}

impl AverageSettings {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`AverageError`] naming what is out of range.
    pub fn validate(&self) -> Result<(), AverageError> {
        if self.every == 0 {
            return Err(AverageError::Every);
        }
        if !(0.0..1.0).contains(&self.decay) {
            return Err(AverageError::Decay { found: self.decay });
        }
        Ok(())
    }

    /// The decay with which the average takes in the weights after `step` (counted from 1); `None` where this step is
    /// not one that does.
    ///
    /// ```
    /// let settings = percept_nn::average::AverageSettings { every: 5, decay: 0.9 };
    /// assert_eq!(settings.decay_after(4), None);
    /// assert_eq!(settings.decay_after(5), Some(0.0));
    /// assert_eq!(settings.decay_after(1_000_000), Some(0.9));
    /// ```
    #[must_use]
    pub fn decay_after(&self, step: u64) -> Option<f64> {
        if step == 0 || !step.is_multiple_of(self.every) {
            return None;
        }
        let before = (step / self.every - 1) as f64;
        Some(self.decay.min(1.0 - 1.0 / (before / GROWTH + 1.0)))
    }
}

/// average = decay * average + (1 - decay) * values, computed as average + (1 - decay) * (values - average).
///
/// A `decay` of 0 copies the values, whatever the average holds. No number depends on another, so a tensor may be
/// averaged in parts.
///
/// # Panics
/// When the lengths differ.
pub fn take_in<T: Element>(decay: f64, average: &mut [T], values: &[T]) {
    assert_eq!(average.len(), values.len(), "an average for each value");
    if decay == 0.0 {
        average.copy_from_slice(values);
        return;
    }
    let share = T::from_f64(1.0 - decay);
    for (average, value) in average.iter_mut().zip(values) {
        *average += share * (*value - *average);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1 - 1 / (n / 4 + 1) by hand: 0, 1/5, 1/3, 3/7, 1/2, ..., and 0.9 from n = 36 on.
    #[test]
    fn the_memory_grows_until_it_is_as_long_as_it_shall_be() {
        let settings = AverageSettings::default();
        let decay = |n: u64| settings.decay_after(5 * (n + 1)).expect("a step that averages");
        for (n, expected) in [(0, 0.0), (1, 0.2), (2, 1.0 / 3.0), (3, 3.0 / 7.0), (4, 0.5)] {
            assert!((decay(n) - expected).abs() < 1e-15, "{n}: {}", decay(n));
        }
        assert!(decay(35) < 0.9 && decay(36) == 0.9 && decay(37) == 0.9);
        assert!((1..=4).all(|step| settings.decay_after(step).is_none()));
        assert_eq!(settings.decay_after(0), None);
    }

    #[test]
    fn the_first_averaging_copies_whatever_was_there() {
        let mut average = [f32::NAN, 1.0];
        take_in(0.0, &mut average, &[2.0, 3.0]);
        assert_eq!(average, [2.0, 3.0]);
        take_in(0.75, &mut average, &[6.0, 3.0]);
        assert_eq!(average, [3.0, 3.0]);
    }

    #[test]
    fn parts_give_the_same_as_the_whole() {
        let values: Vec<f32> = (0..37).map(|i| (i as f32).sqrt()).collect();
        let mut whole = vec![1.0_f32; 37];
        let mut parts = whole.clone();
        take_in(0.7, &mut whole, &values);
        for (part, values) in parts.chunks_mut(5).zip(values.chunks(5)) {
            take_in(0.7, part, values);
        }
        assert_eq!(whole, parts);
    }

    #[test]
    fn wrong_settings_are_named() {
        let error = |every, decay| AverageSettings { every, decay }.validate();
        assert_eq!(error(1, 0.0), Ok(()));
        assert_eq!(error(0, 0.9), Err(AverageError::Every));
        assert_eq!(error(5, 1.0), Err(AverageError::Decay { found: 1.0 }));
        assert!(error(5, f64::NAN).is_err());
    }
}
