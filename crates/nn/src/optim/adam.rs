//! Adam, with coupled and with decoupled weight decay.

use super::{OptimizerError, check, check_not_negative, check_share, decay_if};
use crate::schedule::power;
use percept_kernels::descent::{self, AdamStep};
use percept_kernels::element::Element;
use percept_kernels::isa::Isa;
use serde::{Deserialize, Serialize};

/// Adam (Kingma and Ba 2015) with coupled weight decay d, as PyTorch's `Adam` has it:
///
/// ```text
/// g = g + d * weight
/// m = beta1 * m + (1 - beta1) * g
/// v = beta2 * v + (1 - beta2) * g * g
/// weight = weight - learning_rate * (m / (1 - beta1^step)) / (sqrt(v / (1 - beta2^step)) + eps)
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Adam {
    /// Base learning rate, at least 0.
    pub learning_rate: f64,
    /// Memory of the mean gradient, in 0 to 1 (below 1).
    pub beta1: f64,
    /// Memory of the mean squared gradient, in 0 to 1 (below 1).
    pub beta2: f64,
    /// Keeps the division from exploding, above 0.
    pub eps: f64,
    /// d, at least 0; coupled: it is part of the gradient.
    pub weight_decay: f64,
}

/// AdamW (Loshchilov and Hutter 2019), as PyTorch has it: [`Adam`] whose weight decay d is decoupled from the gradient,
///
/// ```text
/// weight = weight * (1 - learning_rate * d)    then Adam's step with d = 0
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdamW {
    /// Base learning rate, at least 0.
    pub learning_rate: f64,
    /// Memory of the mean gradient, in 0 to 1 (below 1).
    pub beta1: f64,
    /// Memory of the mean squared gradient, in 0 to 1 (below 1).
    pub beta2: f64,
    /// Keeps the division from exploding, above 0.
    pub eps: f64,
    /// d, at least 0; decoupled, and multiplied by the scheduled learning rate.
    pub weight_decay: f64,
}

impl Default for Adam {
    /// Learning rate 0.001, betas 0.9 and 0.999, eps 1e-8, no decay.
    fn default() -> Self {
        Self { learning_rate: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0 }
    }
}

impl Default for AdamW {
    /// Learning rate 0.001, betas 0.9 and 0.999, eps 1e-8, decay 0.01.
    fn default() -> Self {
        Self { learning_rate: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.01 }
    }
}

impl Adam {
    pub(super) fn validate(&self) -> Result<(), OptimizerError> {
        check_not_negative("adam", "learning_rate", self.learning_rate)?;
        check_moments("adam", self.beta1, self.beta2, self.eps)?;
        check_not_negative("adam", "weight_decay", self.weight_decay)
    }

    #[allow(clippy::too_many_arguments)]
    pub(super) fn update<T: Element>(
        &self,
        isa: Isa,
        decays: bool,
        step: u64,
        learning_rate: f64,
        weights: &mut [T],
        gradient: &[T],
        state: &mut [T],
    ) {
        let step = AdamStep {
            coupled_decay: decay_if(decays, self.weight_decay),
            ..adam_step(self.beta1, self.beta2, self.eps, step, learning_rate)
        };
        run(isa, step, weights, gradient, state);
    }
}

impl AdamW {
    pub(super) fn validate(&self) -> Result<(), OptimizerError> {
        self.validate_as("adamw")
    }

    /// Checks the settings under the name of the optimizer that they are part of.
    pub(super) fn validate_as(&self, optimizer: &'static str) -> Result<(), OptimizerError> {
        check_not_negative(optimizer, "learning_rate", self.learning_rate)?;
        check_moments(optimizer, self.beta1, self.beta2, self.eps)?;
        check_not_negative(optimizer, "weight_decay", self.weight_decay)
    }

    #[allow(clippy::too_many_arguments)]
    pub(super) fn update<T: Element>(
        &self,
        isa: Isa,
        decays: bool,
        step: u64,
        learning_rate: f64,
        weights: &mut [T],
        gradient: &[T],
        state: &mut [T],
    ) {
        let step = AdamStep {
            keep: 1.0 - learning_rate * decay_if(decays, self.weight_decay),
            ..adam_step(self.beta1, self.beta2, self.eps, step, learning_rate)
        };
        run(isa, step, weights, gradient, state);
    }
}

fn check_moments(
    optimizer: &'static str,
    beta1: f64,
    beta2: f64,
    eps: f64,
) -> Result<(), OptimizerError> {
    check_share(optimizer, "beta1", beta1)?;
    check_share(optimizer, "beta2", beta2)?;
    check(eps.is_finite() && eps > 0.0, optimizer, "eps", "a finite number above 0", eps)
}

/// The constants of a step without decay.
fn adam_step(beta1: f64, beta2: f64, eps: f64, step: u64, learning_rate: f64) -> AdamStep {
    AdamStep {
        beta1,
        beta2,
        eps,
        rate: learning_rate / (1.0 - power(beta1, step)),
        root_scale: 1.0 / (1.0 - power(beta2, step)).sqrt(),
        coupled_decay: 0.0,
        keep: 1.0,
    }
}

/// The state is the first moment, then the second.
fn run<T: Element>(isa: Isa, step: AdamStep, weights: &mut [T], gradient: &[T], state: &mut [T]) {
    let (first, second) = state.split_at_mut(weights.len());
    descent::adam_step(isa, step, weights, gradient, first, second);
}
