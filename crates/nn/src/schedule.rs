//! How the learning rate changes over the training: a pure function of the step.
//!
//! A schedule gives a factor in 0 to 1; each parameter's own learning rate
//! ([`OptimizerSpec::learning_rate_for`](crate::optim::OptimizerSpec::learning_rate_for)) is multiplied by it, so that
//! groups with different learning rates keep their ratio.
//!
//! In the formulas below t counts the steps from 0, n is the number of steps of the whole training, w the length of the
//! warm-up in steps, and p = (t - w) / (n - w) is the progress after the warm-up, from 0 to below 1.

use serde::{Deserialize, Serialize};
use std::f64::consts::PI;
use thiserror::Error;

/// A stretch of training: written as a whole number of steps (`500`), or as a fraction of all steps (`0.2`; `1.0` is
/// everything).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "a whole number of steps (500) or a fraction of all steps (0.2)")]
pub enum Length {
    /// So many steps.
    Steps(u64),
    /// This fraction of all steps, in 0 to 1; rounded to whole steps.
    Fraction(f64),
}

impl Length {
    /// In steps.
    fn steps(self, total_steps: u64) -> u64 {
        match self {
            Self::Steps(steps) => steps,
            Self::Fraction(fraction) => (fraction * total_steps as f64).round() as u64,
        }
    }

    fn validate(self, name: &'static str) -> Result<(), ScheduleError> {
        match self {
            Self::Fraction(found) if !(0.0..=1.0).contains(&found) => {
                Err(ScheduleError::Length { name, found })
            }
            _ => Ok(()),
        }
    }
}

/// A slow start: for t < w the factor is start + (1 - start) * t / w, then the schedule proper begins.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WarmUp {
    /// w, how long it takes.
    pub length: Length,
    /// The factor of the first step, in 0 to 1.
    #[serde(default = "warm_up_start")]
    pub start: f64,
}

impl Default for WarmUp {
    /// None.
    fn default() -> Self {
        Self { length: Length::Steps(0), start: warm_up_start() }
    }
}

/// The course of the learning rate.
///
/// The recipe of `percept`'s presets, 10 % to 100 % over the first fifth, then linear to zero:
/// ```
/// use percept_nn::schedule::Schedule;
/// let schedule: Schedule = toml::from_str(r#"
///     kind = "linear"
///     warm_up = { length = 0.2, start = 0.1 }
/// "#)?;
/// assert_eq!(schedule.factor(1, 100), 0.1);
/// assert_eq!(schedule.factor(21, 100), 1.0);
/// assert_eq!(schedule.factor(61, 100), 0.5);
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule {
    /// 1 after the warm-up.
    Constant {
        /// The slow start.
        #[serde(default, skip_serializing_if = "is_default")]
        warm_up: WarmUp,
    },
    /// factor^floor(t / every): t counts from the beginning of the training, warm-up included.
    Step {
        /// From one drop to the next, at least one step.
        every: Length,
        /// What each drop multiplies by, in 0 to 1.
        #[serde(default = "drop_factor")]
        factor: f64,
        /// The slow start.
        #[serde(default, skip_serializing_if = "is_default")]
        warm_up: WarmUp,
    },
    /// factor^(number of milestones at or before t).
    Milestones {
        /// Where the drops are, counted from the beginning of the training, warm-up included.
        at: Vec<Length>,
        /// What each drop multiplies by, in 0 to 1.
        #[serde(default = "drop_factor")]
        factor: f64,
        /// The slow start.
        #[serde(default, skip_serializing_if = "is_default")]
        warm_up: WarmUp,
    },
    /// end + (1 - end) * (1 + cos(pi * p)) / 2 (Loshchilov and Hutter 2017, without restarts).
    Cosine {
        /// What the factor approaches, in 0 to 1.
        #[serde(default)]
        end: f64,
        /// The slow start.
        #[serde(default, skip_serializing_if = "is_default")]
        warm_up: WarmUp,
    },
    /// Up from `start` to 1 along half a cosine over the fraction `rise` of all steps, then down to `end` along another
    /// (Smith and Topin 2018, with PyTorch's cosine and end points: the peak is at t = rise * n - 1, the end at n - 1).
    OneCycle {
        /// The fraction of steps that go up, in 0 to 1.
        #[serde(default = "rise")]
        rise: f64,
        /// The factor of the first step, in 0 to 1.
        #[serde(default = "cycle_start")]
        start: f64,
        /// The factor of the last step, in 0 to 1.
        #[serde(default = "cycle_end")]
        end: f64,
    },
    /// 1 - p * (1 - end): the step after the last would have the factor `end`.
    Linear {
        /// What the factor approaches, in 0 to 1.
        #[serde(default)]
        end: f64,
        /// The slow start.
        #[serde(default, skip_serializing_if = "is_default")]
        warm_up: WarmUp,
    },
}

/// A schedule that cannot be followed.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// A stretch of training that there cannot be.
    #[error(
        "the schedule's `{name}` must be a whole number of steps or a fraction from 0.0 to 1.0, found {found}"
    )]
    Length {
        /// The setting.
        name: &'static str,
        /// What was given.
        found: f64,
    },
    /// A factor or fraction out of its range.
    #[error("the schedule's `{name}` must be from 0 to 1, found {found}")]
    Fraction {
        /// The setting.
        name: &'static str,
        /// What was given.
        found: f64,
    },
    /// Drops that come all at once.
    #[error("the schedule's `every` must be at least one step, found {found}")]
    Every {
        /// What was given.
        found: f64,
    },
}

impl Default for Schedule {
    fn default() -> Self {
        Self::Constant { warm_up: WarmUp::default() }
    }
}

impl Schedule {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`ScheduleError`] naming the setting that is out of range.
    pub fn validate(&self) -> Result<(), ScheduleError> {
        let warm_up = self.warm_up();
        warm_up.length.validate("warm_up.length")?;
        unit("warm_up.start", warm_up.start)?;
        match self {
            Self::Constant { .. } => Ok(()),
            Self::Step { every, factor, .. } => {
                every.validate("every")?;
                match every {
                    Length::Steps(0) => Err(ScheduleError::Every { found: 0.0 }),
                    Length::Fraction(found) if *found == 0.0 => {
                        Err(ScheduleError::Every { found: *found })
                    }
                    _ => unit("factor", *factor),
                }
            }
            Self::Milestones { at, factor, .. } => {
                at.iter().try_for_each(|milestone| milestone.validate("at"))?;
                unit("factor", *factor)
            }
            Self::Cosine { end, .. } | Self::Linear { end, .. } => unit("end", *end),
            Self::OneCycle { rise, start, end } => {
                unit("rise", *rise)?;
                unit("start", *start)?;
                unit("end", *end)
            }
        }
    }

    /// What the learning rate is multiplied by in update `step` (counted from 1) of `total_steps`: a number in 0 to 1.
    ///
    /// A `step` of 0 counts as 1, steps past the end as the last: the factor is defined for every step.
    #[must_use]
    pub fn factor(&self, step: u64, total_steps: u64) -> f64 {
        let total = total_steps.max(1);
        let t = step.clamp(1, total) - 1;
        let WarmUp { length, start } = self.warm_up();
        let warm_up = length.steps(total);
        if t < warm_up {
            return start + (1.0 - start) * (t as f64 / warm_up as f64);
        }
        let progress = (t - warm_up) as f64 / (total.saturating_sub(warm_up)).max(1) as f64;
        match self {
            Self::Constant { .. } => 1.0,
            Self::Step { every, factor, .. } => power(*factor, t / every.steps(total).max(1)),
            Self::Milestones { at, factor, .. } => {
                let passed = at.iter().filter(|milestone| milestone.steps(total) <= t).count();
                power(*factor, passed as u64)
            }
            Self::Cosine { end, .. } => half_cosine(1.0, *end, progress),
            Self::OneCycle { rise, start, end } => one_cycle(*rise, *start, *end, t, total),
            Self::Linear { end, .. } => 1.0 - progress * (1.0 - end),
        }
    }

    fn warm_up(&self) -> WarmUp {
        match self {
            Self::Constant { warm_up }
            | Self::Step { warm_up, .. }
            | Self::Milestones { warm_up, .. }
            | Self::Cosine { warm_up, .. }
            | Self::Linear { warm_up, .. } => *warm_up,
            Self::OneCycle { .. } => WarmUp::default(),
        }
    }
}

fn one_cycle(rise: f64, start: f64, end: f64, t: u64, total: u64) -> f64 {
    let (t, last) = (t as f64, total as f64 - 1.0);
    let peak = (rise * total as f64 - 1.0).clamp(0.0, last);
    if t < peak {
        half_cosine(start, 1.0, t / peak)
    } else if peak < last {
        half_cosine(1.0, end, (t - peak) / (last - peak))
    } else {
        1.0
    }
}

/// From `from` to `to` along half a cosine, for progress 0 to 1.
fn half_cosine(from: f64, to: f64, progress: f64) -> f64 {
    to + (from - to) * (1.0 + libm::cos(PI * progress)) / 2.0
}

/// base^exponent by multiplication alone, so that it has the same bits everywhere.
pub(crate) fn power(base: f64, mut exponent: u64) -> f64 {
    let (mut product, mut square) = (1.0, base);
    while exponent > 0 {
        if exponent & 1 == 1 {
            product *= square;
        }
        square *= square;
        exponent >>= 1;
    }
    product
}

fn unit(name: &'static str, found: f64) -> Result<(), ScheduleError> {
    if (0.0..=1.0).contains(&found) { Ok(()) } else { Err(ScheduleError::Fraction { name, found }) }
}

fn warm_up_start() -> f64 {
    0.1
}
fn drop_factor() -> f64 {
    0.1
}
fn rise() -> f64 {
    0.3
}
fn cycle_start() -> f64 {
    1.0 / 25.0
}
fn cycle_end() -> f64 {
    4e-6
}
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Schedule, toml::de::Error> {
        toml::from_str(text)
    }

    const ALL: [&str; 7] = [
        "kind = 'constant'\nwarm_up = { length = 0.5, start = 0.0 }",
        "kind = 'step'\nevery = 0.3\nwarm_up = { length = 10 }",
        "kind = 'milestones'\nat = [0.5, 90]\nfactor = 0.0",
        "kind = 'cosine'\nend = 0.25\nwarm_up = { length = 1.0 }",
        "kind = 'one_cycle'",
        "kind = 'one_cycle'\nrise = 1.0\nstart = 0.0",
        "kind = 'linear'\nwarm_up = { length = 1000000, start = 1.0 }",
    ];

    #[test]
    fn factors_stay_between_0_and_1_for_any_length() {
        for text in ALL {
            let schedule = read(text).expect(text);
            schedule.validate().expect(text);
            for total in [0, 1, 2, 3, 7, 100, 101] {
                for step in 0..total + 3 {
                    let factor = schedule.factor(step, total);
                    assert!((0.0..=1.0).contains(&factor), "{text}: {factor} at {step} of {total}");
                }
            }
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        for text in ALL {
            let schedule = read(text).expect(text);
            let written = toml::to_string(&schedule).expect(text);
            assert_eq!(read(&written).expect(&written), schedule);
        }
    }

    #[test]
    fn a_step_of_zero_counts_as_the_first_and_late_ones_as_the_last() {
        let schedule = read("kind = 'linear'").expect("a schedule");
        assert_eq!(schedule.factor(0, 10), schedule.factor(1, 10));
        assert_eq!(schedule.factor(99, 10), schedule.factor(10, 10));
        assert_eq!(schedule.factor(10, 10), 1.0 - 0.9);
    }

    #[test]
    fn wrong_settings_are_named() {
        let error = |text: &str| {
            read(text)
                .map_err(|e| e.message().to_owned())
                .and_then(|schedule| schedule.validate().map_err(|e| e.to_string()))
        };
        let refused = |text, reason: &str| assert_eq!(error(text), Err(reason.to_owned()));
        refused("kind = 'linear'\nend = 2", "the schedule's `end` must be from 0 to 1, found 2");
        refused(
            "kind = 'cosine'\nwarm_up = { length = 1.5 }",
            "the schedule's `warm_up.length` must be a whole number of steps or a fraction from 0.0 to 1.0, found 1.5",
        );
        refused(
            "kind = 'constant'\nwarm_up = { length = 3, start = nan }",
            "the schedule's `warm_up.start` must be from 0 to 1, found NaN",
        );
        refused(
            "kind = 'step'\nevery = 0",
            "the schedule's `every` must be at least one step, found 0",
        );
        refused(
            "kind = 'step'\nevery = -1",
            "the schedule's `every` must be a whole number of steps or a fraction from 0.0 to 1.0, found -1",
        );
        assert!(error("kind = 'step'\nevery = 'often'").is_err_and(|e| e.contains("(500)")));
        assert!(error("kind = 'linear'\nstop = 0.0").is_err_and(|e| e.contains("stop")));
        assert!(error("kind = 'lineal'").is_err_and(|e| e.contains("lineal")));
    }

    #[test]
    fn powers_are_products() {
        assert_eq!(power(0.5, 0), 1.0);
        assert_eq!(power(0.5, 10), 0.5_f64.powi(10));
        assert_eq!(power(0.0, 3), 0.0);
        // Ten products of a number that is rounded once.
        assert!((power(0.999, 1000) - (1000.0 * 0.999_f64.ln()).exp()).abs() < 1e-13);
    }
}
