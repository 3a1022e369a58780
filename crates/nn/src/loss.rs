//! Softmax cross-entropy: how wrong the logits are, and which way to change them.
//!
//! With p = softmax(z), label y, class weights w (1 where there are none), label smoothing s and K classes, one example
//! loses
//!
//! ```text
//! loss = (1 - s) * w[y] * -ln p[y] + s / K * sum over k of w[k] * -ln p[k]
//! ```
//!
//! (Szegedy et al. 2016 for the smoothing). An example that is mixed of two, see [`Target`], has two labels: the first term
//! is then the mean of theirs, weighted by their shares, as in PyTorch's `cross_entropy` with probabilities for targets.
//! The loss of a batch is the sum over its examples divided by the sum of their labels' weights (shared likewise),
//! [`LossSettings::normaliser`]: PyTorch's `reduction="mean"` where no example is mixed. (With probabilities for targets
//! PyTorch divides by the number of examples, so that its loss jumps when class weights meet the first mixed example.) The
//! gradient of the mean is
//!
//! ```text
//! d loss / d z[j] = (p[j] * ((1 - s) * w[y] + s / K * sum of w) - (j == y) * (1 - s) * w[y] - s / K * w[j]) / normaliser
//! ```

use percept_kernels::element::Element;
use percept_kernels::exponential::exp;
use percept_kernels::isa::Isa;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Settings of the softmax cross-entropy; the default is the plain one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LossSettings {
    /// The share of the truth that is spread over all classes, in 0 to 1 (below 1).
    pub label_smoothing: f64,
    /// How much each class counts, at least 0; all the same where empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub class_weights: Vec<f64>,
}

/// What is true of an example: its label, or two labels and their shares where it is mixed of two (mixup, CutMix).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Target {
    /// The label; the first of two.
    pub label: u32,
    /// The second label; any one below the number of classes where the share is 1.
    pub other: u32,
    /// The share of the first, 0..=1; the second has the rest.
    pub share: f32,
}

impl Target {
    /// The label with the greater share, by which a prediction is right or wrong; the first of equals.
    #[must_use]
    pub fn main_label(&self) -> u32 {
        if self.share < 0.5 { self.other } else { self.label }
    }
}

impl From<u32> for Target {
    /// A label alone.
    fn from(label: u32) -> Self {
        Self { label, other: label, share: 1.0 }
    }
}

/// Settings that make no loss.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum LossError {
    /// Label smoothing out of its range.
    #[error("label_smoothing must be at least 0 and below 1, found {found}")]
    Smoothing {
        /// What was given.
        found: f64,
    },
    /// Not one weight a class.
    #[error("class_weights must have one number for each of the {expected} classes, found {found}")]
    WeightCount {
        /// Classes.
        expected: usize,
        /// Weights given.
        found: usize,
    },
    /// A weight that is negative or not finite.
    #[error(
        "the class weight of class {class} must be a finite number of at least 0, found {found}"
    )]
    Weight {
        /// The class.
        class: usize,
        /// What was given.
        found: f64,
    },
    /// Nothing could ever be learned.
    #[error("all class weights are 0: give at least one class a positive weight")]
    NoWeight,
}

/// What a chunk of examples lost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Loss {
    /// The sum of the examples' losses; divided by the batch's normaliser it is the mean loss.
    pub sum: f64,
    /// Examples whose greatest logit (the first of equals) is their [main label's](Target::main_label).
    pub correct: usize,
}

impl LossSettings {
    /// Checks the settings for a network with so many classes.
    ///
    /// # Errors
    /// [`LossError`] naming what is out of range, and what would be right.
    pub fn validate(&self, classes: usize) -> Result<(), LossError> {
        if !(0.0..1.0).contains(&self.label_smoothing) {
            return Err(LossError::Smoothing { found: self.label_smoothing });
        }
        if self.class_weights.is_empty() {
            return Ok(());
        }
        if self.class_weights.len() != classes {
            return Err(LossError::WeightCount {
                expected: classes,
                found: self.class_weights.len(),
            });
        }
        let wrong = |w: &f64| !(w.is_finite() && *w >= 0.0);
        if let Some(class) = self.class_weights.iter().position(wrong) {
            return Err(LossError::Weight { class, found: self.class_weights[class] });
        }
        if self.class_weights.iter().all(|w| *w == 0.0) { Err(LossError::NoWeight) } else { Ok(()) }
    }

    /// What the summed loss of a batch with these targets is divided by: the sum of the labels' weights, so their number
    /// where there are no class weights.
    ///
    /// # Panics
    /// When a label has no class weight.
    #[must_use]
    pub fn normaliser(&self, targets: &[Target]) -> f64 {
        targets.iter().map(|target| self.shares(target).iter().sum::<f64>()).sum()
    }

    /// How much the first and the second label count.
    fn shares(&self, target: &Target) -> [f64; 2] {
        let share = f64::from(target.share);
        [
            share * self.weight(target.label as usize),
            (1.0 - share) * self.weight(target.other as usize),
        ]
    }

    fn weight(&self, class: usize) -> f64 {
        if self.class_weights.is_empty() { 1.0 } else { self.class_weights[class] }
    }
}

/// The loss of a chunk, and the gradient of the batch's mean loss in one pass over its logits.
///
/// `normaliser` is [`LossSettings::normaliser`] of the whole batch, of which the chunk may be a part; where it is 0 (all
/// labels have weight 0) the gradient is 0. The loss is finite for all finite logits. It is infinite where a logit of
/// minus infinity is true (with smoothing: anywhere), as PyTorch's is, and NaN where softmax has no answer: a logit is NaN
/// or plus infinity, or all of an example's are minus infinity.
///
/// # Shapes
/// `logits` and `grad_logits` are [N, classes], `targets` is `[N]`.
///
/// # Panics
/// When the lengths do not fit or a label is not below `classes`.
pub fn cross_entropy<T: Element>(
    isa: Isa,
    settings: &LossSettings,
    classes: usize,
    logits: &[T],
    targets: &[Target],
    normaliser: f64,
    grad_logits: &mut [T],
) -> Loss {
    assert_eq!(logits.len(), targets.len() * classes, "logits of {} examples", targets.len());
    assert_eq!(logits.len(), grad_logits.len(), "gradients of the logits");
    let rule = Rule::new(settings, classes, normaliser);
    exponentials(isa, classes, logits, grad_logits);
    let mut loss = Loss::default();
    let rows =
        logits.chunks_exact(classes.max(1)).zip(grad_logits.chunks_exact_mut(classes.max(1)));
    for ((logits, gradient), target) in rows.zip(targets) {
        let label = target.label.max(target.other) as usize;
        assert!(label < classes, "label {label} of {classes} classes");
        loss.sum += rule.example(logits, target, gradient);
        loss.correct += usize::from(is_first_greatest(logits, target.main_label() as usize));
    }
    loss
}

/// Probabilities of each row's classes, safe for all finite logits: `p[k] = exp(z[k]) / sum over j of exp(z[j])`.
///
/// # Shapes
/// `logits` and `out` are [N, classes].
///
/// # Panics
/// When the lengths differ or are not whole rows.
pub fn softmax<T: Element>(classes: usize, logits: &[T], out: &mut [T]) {
    assert_eq!(logits.len(), out.len(), "probabilities for each logit");
    assert_eq!(logits.len() % classes.max(1), 0, "whole rows of {classes} logits");
    exponentials(Isa::SCALAR, classes, logits, out);
    for out in out.chunks_exact_mut(classes.max(1)) {
        let scale = T::from_f64(1.0 / sum(out));
        out.iter_mut().for_each(|p| *p *= scale);
    }
}

/// The settings made ready for many examples.
struct Rule<'a> {
    settings: &'a LossSettings,
    /// 1 - s.
    truth: f64,
    /// s / K.
    spread: f64,
    /// The sum of all classes' weights.
    total_weight: f64,
    /// 1 / normaliser.
    scale: f64,
}

impl<'a> Rule<'a> {
    fn new(settings: &'a LossSettings, classes: usize, normaliser: f64) -> Self {
        Self {
            settings,
            truth: 1.0 - settings.label_smoothing,
            spread: settings.label_smoothing / classes.max(1) as f64,
            total_weight: (0..classes).map(|class| settings.weight(class)).sum(),
            scale: if normaliser > 0.0 { 1.0 / normaliser } else { 0.0 },
        }
    }

    /// The loss of one example; its [`exponentials`] become its gradient.
    fn example<T: Element>(&self, logits: &[T], target: &Target, gradient: &mut [T]) -> f64 {
        let sum = sum(gradient);
        let log_sum = greatest(logits).to_f64() + Element::ln(sum);
        let [first, second] = self.settings.shares(target).map(|share| self.truth * share);
        let factor = self.scale * (first + second + self.spread * self.total_weight) / sum;
        let factor = T::from_f64(factor);
        gradient.iter_mut().for_each(|g| *g *= factor);
        let mut loss = self.label(logits, target.label, first, log_sum, gradient);
        if second > 0.0 {
            loss += self.label(logits, target.other, second, log_sum, gradient);
        }
        if self.spread > 0.0 {
            loss += self.smooth(logits, log_sum, gradient);
        }
        loss
    }

    /// The part of the loss and of the gradient that is a label's.
    fn label<T: Element>(
        &self,
        logits: &[T],
        label: u32,
        weight: f64,
        log_sum: f64,
        gradient: &mut [T],
    ) -> f64 {
        gradient[label as usize] -= T::from_f64(self.scale * weight);
        weighted(weight, log_sum - logits[label as usize].to_f64())
    }

    /// The part of the loss that is spread over all classes; finishes the gradient.
    fn smooth<T: Element>(&self, logits: &[T], log_sum: f64, gradient: &mut [T]) -> f64 {
        let mut loss = 0.0;
        for (class, (z, g)) in logits.iter().zip(gradient).enumerate() {
            let weight = self.spread * self.settings.weight(class);
            loss += weighted(weight, log_sum - z.to_f64());
            *g -= T::from_f64(self.scale * weight);
        }
        loss
    }
}

/// weight * surprise, where a class of weight 0 does not count even when its surprise is infinite.
fn weighted(weight: f64, surprise: f64) -> f64 {
    if weight == 0.0 && surprise == f64::INFINITY { 0.0 } else { weight * surprise }
}

/// Writes exp(z - greatest z) for each row's logits z: at least one of them is 1.
fn exponentials<T: Element>(isa: Isa, classes: usize, logits: &[T], out: &mut [T]) {
    let rows = logits.chunks_exact(classes.max(1)).zip(out.chunks_exact_mut(classes.max(1)));
    for (logits, out) in rows {
        let greatest = greatest(logits);
        out.iter_mut().zip(logits).for_each(|(e, z)| *e = *z - greatest);
    }
    exp(isa, out);
}

fn greatest<T: Element>(logits: &[T]) -> T {
    let greater = |greatest: T, z: &T| if *z > greatest { *z } else { greatest };
    logits.iter().fold(T::NEG_INFINITY, greater)
}

/// The sum of a row's exponentials.
fn sum<T: Element>(numbers: &[T]) -> f64 {
    numbers.iter().fold(0.0, |sum, x| sum + x.to_f64())
}

/// Whether the class has the greatest logit, and no class before it has the same.
fn is_first_greatest<T: Element>(logits: &[T], class: usize) -> bool {
    let (before, after) = (&logits[..class], &logits[class + 1..]);
    before.iter().all(|z| *z < logits[class]) && after.iter().all(|z| *z <= logits[class])
}

#[cfg(test)]
mod tests {
    use super::*;
    use percept_kernels::random::{Draws, Purpose};

    const CLASSES: usize = 7;

    fn smoothed() -> LossSettings {
        let class_weights = vec![1.0, 0.5, 2.0, 0.0, 1.0, 3.0, 0.1];
        LossSettings { label_smoothing: 0.1, class_weights }
    }

    /// Every second example is mixed of two.
    fn batch(examples: usize) -> (Vec<f64>, Vec<Target>) {
        let mut draws = Draws::new(1, Purpose::Test, 0, 0);
        let logits = (0..examples * CLASSES).map(|_| 3.0 * f64::from(draws.normal())).collect();
        let mut target = |example: usize| {
            let [label, other] = [0; 2].map(|_| draws.below(CLASSES as u32));
            Target {
                label,
                other,
                share: if example.is_multiple_of(2) { 1.0 } else { draws.uniform() },
            }
        };
        (logits, (0..examples).map(&mut target).collect())
    }

    fn one<T: Element>(
        settings: &LossSettings,
        logits: &[T],
        target: impl Into<Target>,
    ) -> (f64, Vec<T>) {
        let mut gradient = vec![T::ZERO; logits.len()];
        let targets = [target.into()];
        let loss = cross_entropy(
            Isa::SCALAR,
            settings,
            logits.len(),
            logits,
            &targets,
            1.0,
            &mut gradient,
        );
        (loss.sum, gradient)
    }

    #[test]
    fn chunks_sum_to_the_batch() {
        let (settings, (logits, targets)) = (smoothed(), batch(23));
        let normaliser = settings.normaliser(&targets);
        let run = |logits: &[f64], targets: &[Target], gradient: &mut [f64]| {
            cross_entropy(Isa::SCALAR, &settings, CLASSES, logits, targets, normaliser, gradient)
        };
        let mut whole = vec![0.0; logits.len()];
        let expected = run(&logits, &targets, &mut whole);
        let mut parts = vec![0.0; logits.len()];
        let mut found = Loss::default();
        for start in (0..23).step_by(5) {
            let end = (start + 5).min(23);
            let numbers = start * CLASSES..end * CLASSES;
            let loss = run(&logits[numbers.clone()], &targets[start..end], &mut parts[numbers]);
            found.sum += loss.sum;
            found.correct += loss.correct;
        }
        assert_eq!((found.correct, &parts), (expected.correct, &whole));
        // The same 23 numbers, added in another order.
        assert!((found.sum - expected.sum).abs() < 1e-12, "{} {}", found.sum, expected.sum);
    }

    #[test]
    fn knowing_nothing_costs_the_logarithm_of_the_classes() {
        for smoothing in [0.0, 0.3] {
            let settings = LossSettings { label_smoothing: smoothing, ..LossSettings::default() };
            let (loss, _) = one(&settings, &[4.0_f64; 10], 3);
            assert!((loss - f64::ln(10.0)).abs() < 1e-14, "{loss}");
        }
    }

    /// By central differences, with the weights and smoothing that the sums could forget.
    #[test]
    fn the_gradient_is_that_of_the_loss() {
        let (logits, targets) = batch(8);
        for (logits, target) in logits.chunks_exact(CLASSES).zip(targets) {
            let (_, gradient) = one(&smoothed(), logits, target);
            for class in 0..CLASSES {
                let at = |move_by: f64| {
                    let mut moved = logits.to_vec();
                    moved[class] += move_by;
                    one(&smoothed(), &moved, target).0
                };
                let expected = (at(1e-6) - at(-1e-6)) / 2e-6;
                // Central differences of a loss of about 5 keep 9 digits.
                assert!((gradient[class] - expected).abs() < 1e-8, "{expected} {gradient:?}");
            }
        }
    }

    #[test]
    fn extreme_logits_give_finite_losses_and_gradients() {
        for logits in [[3e38_f32, -3e38, 0.0], [-3e38, -3e38, -3e38], [1e4, 1e4, -1e4]] {
            for label in 0..3_u32 {
                let (loss, gradient) = one(&LossSettings::default(), &logits, label);
                assert!(loss.is_finite() && gradient.iter().all(|g| g.is_finite()), "{logits:?}");
                assert!(gradient.iter().all(|g| g.abs() <= 1.0), "{gradient:?}");
            }
        }
    }

    #[test]
    fn minus_infinity_is_an_impossible_class() {
        let logits = [1.0, f64::NEG_INFINITY, 2.0];
        let plain = LossSettings::default();
        assert_eq!(one(&plain, &logits, 0).0, one(&plain, &[1.0, 2.0], 0).0);
        assert_eq!(one(&plain, &logits, 1).0, f64::INFINITY);
        // With weight 0 it does not count, even where smoothing would reach it.
        let ignored = LossSettings { label_smoothing: 0.1, class_weights: vec![1.0, 0.0, 1.0] };
        assert!(one(&ignored, &logits, 0).0.is_finite());
    }

    #[test]
    fn what_softmax_has_no_answer_for_is_nan() {
        for wrong in [[f64::NAN, 0.0], [f64::INFINITY, 0.0], [f64::NEG_INFINITY; 2]] {
            assert!(one(&LossSettings::default(), &wrong, 1).0.is_nan(), "{wrong:?}");
        }
    }

    #[test]
    fn the_first_of_equals_is_the_answer() {
        let correct = |label| {
            cross_entropy(
                Isa::SCALAR,
                &LossSettings::default(),
                3,
                &[1.0, 5.0, 5.0],
                &[Target::from(label)],
                1.0,
                &mut [0.0; 3],
            )
            .correct
        };
        assert_eq!([correct(0), correct(1), correct(2)], [0, 1, 0]);
    }

    /// The loss is linear in the share, and the greater share decides what is right.
    #[test]
    fn two_labels_share_the_loss() {
        let (logits, settings) = ([0.5_f64, -1.0, 2.0, 0.1, 0.0, 1.0, -3.0], smoothed());
        let alone = |label: u32| one(&settings, &logits, label);
        let (first, second) = (alone(1), alone(2));
        let mixed = one(&settings, &logits, Target { label: 1, other: 2, share: 0.25 });
        assert!((mixed.0 - (0.25 * first.0 + 0.75 * second.0)).abs() < 1e-14);
        for ((mixed, first), second) in mixed.1.iter().zip(first.1).zip(second.1) {
            assert!((mixed - (0.25 * first + 0.75 * second)).abs() < 1e-15);
        }
        let right = |label, other, share| {
            let target = [Target { label, other, share }];
            cross_entropy(
                Isa::SCALAR,
                &settings,
                CLASSES,
                &logits,
                &target,
                1.0,
                &mut [0.0; CLASSES],
            )
            .correct
        };
        assert_eq!([right(1, 2, 0.25), right(1, 2, 0.5), right(2, 1, 0.5)], [1, 0, 1]);
    }

    #[test]
    fn a_batch_without_weight_moves_nothing() {
        let settings = LossSettings { label_smoothing: 0.0, class_weights: vec![0.0, 1.0] };
        let mut gradient = [9.0; 2];
        let targets = [Target::from(0)];
        let normaliser = settings.normaliser(&targets);
        cross_entropy(Isa::SCALAR, &settings, 2, &[1.0, 2.0], &targets, normaliser, &mut gradient);
        assert_eq!((normaliser, gradient), (0.0, [0.0; 2]));
    }

    #[test]
    fn wrong_settings_are_named() {
        let check = |label_smoothing, class_weights: &[f64]| {
            LossSettings { label_smoothing, class_weights: class_weights.to_vec() }
                .validate(2)
                .map_err(|e| e.to_string())
        };
        assert_eq!(check(0.1, &[1.0, 0.0]), Ok(()));
        assert_eq!(
            check(1.0, &[]),
            Err("label_smoothing must be at least 0 and below 1, found 1".into())
        );
        assert_eq!(
            check(0.0, &[1.0]),
            Err("class_weights must have one number for each of the 2 classes, found 1".into())
        );
        assert_eq!(
            check(0.0, &[1.0, -2.0]),
            Err("the class weight of class 1 must be a finite number of at least 0, found -2"
                .into())
        );
        assert_eq!(
            check(0.0, &[0.0, 0.0]),
            Err("all class weights are 0: give at least one class a positive weight".into())
        );
        assert!(check(f64::NAN, &[]).is_err() && check(0.0, &[f64::NAN, 1.0]).is_err());
    }
}
