//! The learning-rate range test (Smith 2017, section 3.3): what the loss does while the learning rate grows from step to
//! step, and the rate that this suggests.
//!
//! As in Gugger's "How do you find a good learning rate" (2018), and unlike Smith, the rate grows exponentially, the loss
//! is smoothed by a moving average whose bias is taken away, and the test ends where the smoothed loss is four times its
//! least:
//!
//! ```text
//! average = beta * average + (1 - beta) * loss        smoothed = average / (1 - beta^steps)
//! ```
//!
//! Gugger suggests a tenth of the rate of the least loss; here it is a fifth, which served percept's presets better
//! (`docs/decisions/learning-rates.md`).

use super::trial::Trial;
use super::{Run, Start};
use crate::config::Config;
use crate::error::TrainError;
use crate::sources::Opened;
use std::path::PathBuf;

/// The learning rate of the first step.
const FIRST: f64 = 1e-7;
/// The learning rate of the last step, where the loss lets the test come so far.
const LAST: f64 = 100.0;
/// Steps from the first rate to the last: 33 a decade.
const STEPS: u32 = 300;
/// beta: a memory of ten steps, a third of a decade.
const MEMORY: f64 = 0.9;
/// The test ends where the smoothed loss is so many times its least.
const HOPELESS: f64 = 4.0;
/// The suggested rate is so many times smaller than that of the least loss.
const BELOW: f64 = 5.0;
/// A loss that fell by less than this share of its start has not fallen.
const FALLEN: f64 = 0.05;

/// A step of the test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RatePoint {
    /// The learning rate, as [`OptimizerSpec::learning_rate`](percept_nn::optim::OptimizerSpec::learning_rate) means it.
    pub rate: f64,
    /// The mean loss of the batch, before the step.
    pub loss: f64,
    /// The loss, smoothed.
    pub smoothed: f64,
}

/// What the test found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RangeTest {
    /// Its steps, at least one.
    pub points: Vec<RatePoint>,
    average: f64,
}

impl RangeTest {
    /// Does the test with the network, the data and the training of a configuration, all but its schedule. Where an
    /// optimizer has several learning rates, all grow together. `watch` is told each step, and the most that there can be.
    ///
    /// No file is written. The result is the same for any number of threads.
    ///
    /// # Errors
    /// As [`Run::new`]; [`TrainError::Config`] where the optimizer's learning rate is 0, [`TrainError::Diverged`] where
    /// the first step fails.
    pub fn of(
        config: Config,
        opened: Opened,
        threads: usize,
        mut watch: impl FnMut(&RatePoint, u32),
    ) -> Result<Self, TrainError> {
        let base = config.optimizer.learning_rate();
        if base <= 0.0 {
            let reason = "the range test multiplies the optimizer's learning rate, which is 0: give it another";
            return Err(TrainError::Config { reason: reason.to_owned() });
        }
        let mut run = Run::prepare(config, opened, PathBuf::new(), threads, Start::Fresh)?;
        let (mut test, mut trial) = (Self::default(), Trial::default());
        for step in 0..STEPS {
            let rate = rate_of(step);
            match trial.step(&mut run, rate / base) {
                Ok(report) => test.add(rate, report.loss),
                Err(diverged) if step == 0 => {
                    return Err(TrainError::Diverged { diverged, checkpoint: None });
                }
                Err(_) => break,
            }
            if let Some(point) = test.points.last() {
                watch(point, STEPS);
            }
            if test.is_hopeless() {
                break;
            }
        }
        Ok(test)
    }

    /// Takes in a step.
    pub fn add(&mut self, rate: f64, loss: f64) {
        self.average = MEMORY * self.average + (1.0 - MEMORY) * loss;
        let bias = 1.0 - MEMORY.powi(self.points.len() as i32 + 1);
        self.points.push(RatePoint { rate, loss, smoothed: self.average / bias });
    }

    fn is_hopeless(&self) -> bool {
        let least = self.least().map_or(f64::INFINITY, |point| point.smoothed);
        self.points.last().is_some_and(|point| point.smoothed > HOPELESS * least)
    }

    /// The step with the least smoothed loss.
    #[must_use]
    pub fn least(&self) -> Option<&RatePoint> {
        self.points.iter().min_by(|a, b| a.smoothed.total_cmp(&b.smoothed))
    }

    /// The rate at which the loss falls well: a fifth of that of the least loss, rounded to two digits. `None`
    /// where the loss did not fall.
    #[must_use]
    pub fn suggestion(&self) -> Option<f64> {
        let (first, least) = (self.points.first()?, self.least()?);
        let fell = least.smoothed < (1.0 - FALLEN) * first.smoothed;
        fell.then(|| two_digits(least.rate / BELOW))
    }
}

/// The rate of a step, counted from 0.
fn rate_of(step: u32) -> f64 {
    let along = f64::from(step) / f64::from(STEPS - 1);
    FIRST * (LAST / FIRST).powf(along)
}

fn two_digits(rate: f64) -> f64 {
    format!("{rate:.1e}").parse().unwrap_or(rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(losses: impl IntoIterator<Item = f64>) -> RangeTest {
        let mut test = RangeTest::default();
        for (step, loss) in losses.into_iter().enumerate() {
            test.add(rate_of(step as u32), loss);
        }
        test
    }

    #[test]
    fn rates_grow_by_the_same_factor_from_the_first_to_the_last() {
        assert_eq!(rate_of(0), 1e-7);
        assert!((rate_of(STEPS - 1) / 100.0 - 1.0).abs() < 1e-12);
        let factor = rate_of(1) / rate_of(0);
        assert!((factor.powi(299).log10() - 9.0).abs() < 1e-9, "nine decades in 299 steps");
        assert!((rate_of(200) / rate_of(199) / factor - 1.0).abs() < 1e-12);
    }

    /// By hand: averages 0.2, 0.28, 0.352 over 0.1, 0.19, 0.271.
    #[test]
    fn the_first_losses_are_not_drawn_towards_zero() {
        let smoothed: Vec<f64> = test([2.0, 1.0, 1.0]).points.iter().map(|p| p.smoothed).collect();
        for (found, expected) in smoothed.iter().zip([2.0, 0.28 / 0.19, 0.352 / 0.271]) {
            assert!((found - expected).abs() < 1e-12, "{smoothed:?}");
        }
    }

    #[test]
    fn a_fifth_of_the_rate_of_the_least_loss_is_suggested() {
        let bowl = (0..260).map(|step| 1.0 + (f64::from(step) - 200.0).powi(2) / 40_000.0);
        let test = test(bowl);
        // The average is nine steps late in the long run: (1 - beta) / beta of a memory of ten.
        let least = test.least().expect("points").rate;
        assert!((least / rate_of(209)).log10().abs() < 0.05, "{least}");
        assert_eq!(test.suggestion(), Some(two_digits(least / 5.0)));
        assert_eq!(two_digits(0.012_345), 0.012);
    }

    #[test]
    fn nothing_is_suggested_where_the_loss_did_not_fall() {
        assert_eq!(test([2.3; 300]).suggestion(), None);
        assert_eq!(test((0..90).map(|step| 2.3 + f64::from(step))).suggestion(), None);
        assert_eq!(RangeTest::default().suggestion(), None);
    }

    #[test]
    fn a_loss_that_explodes_ends_the_test() {
        let falls = test([2.0; 30].into_iter().chain([1.0; 60]));
        assert!(!falls.is_hopeless());
        let mut explodes = falls;
        explodes.add(1.0, 100.0);
        assert!(explodes.is_hopeless());
    }
}
