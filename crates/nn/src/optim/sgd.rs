//! Stochastic gradient descent.

use super::{OptimizerError, check_not_negative, check_share, decay_if};
use percept_kernels::descent::{self, MomentumStep};
use percept_kernels::element::Element;
use percept_kernels::isa::Isa;
use serde::{Deserialize, Serialize};

/// Stochastic gradient descent with momentum (Polyak 1964; Nesterov 1983 in the form of Sutskever et al. 2013), as PyTorch
/// has it. With gradient g, momentum mu and coupled weight decay d:
///
/// ```text
/// g = g + d * weight
/// m = mu * m + g             (m = g in the first step)
/// weight = weight - learning_rate * (nesterov ? g + mu * m : m)
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sgd {
    /// Base learning rate, at least 0.
    pub learning_rate: f64,
    /// mu, in 0 to 1 (below 1).
    pub momentum: f64,
    /// Whether the gradient looks ahead along the momentum.
    pub nesterov: bool,
    /// d, at least 0.
    pub weight_decay: f64,
}

impl Default for Sgd {
    /// Learning rate 0.1, momentum 0.9, no Nesterov, no decay.
    fn default() -> Self {
        Self { learning_rate: 0.1, momentum: 0.9, nesterov: false, weight_decay: 0.0 }
    }
}

impl Sgd {
    pub(super) fn validate(&self) -> Result<(), OptimizerError> {
        check_not_negative("sgd", "learning_rate", self.learning_rate)?;
        check_share("sgd", "momentum", self.momentum)?;
        check_not_negative("sgd", "weight_decay", self.weight_decay)?;
        if self.nesterov && self.momentum == 0.0 {
            return Err(OptimizerError::Contradiction {
                optimizer: "sgd",
                reason: "`nesterov` needs a momentum above 0: set `momentum = 0.9`, or `nesterov = false`",
            });
        }
        Ok(())
    }

    /// The state starts at 0, so mu * m is 0 in the first step and m = g, as PyTorch's without dampening.
    pub(super) fn update<T: Element>(
        &self,
        isa: Isa,
        decays: bool,
        learning_rate: f64,
        weights: &mut [T],
        gradient: &[T],
        state: &mut [T],
    ) {
        let weight_decay = decay_if(decays, self.weight_decay);
        if state.is_empty() {
            descent::plain_step(isa, learning_rate, weight_decay, weights, gradient);
            return;
        }
        let Self { momentum, nesterov, .. } = *self;
        let step = MomentumStep { learning_rate, momentum, nesterov, weight_decay };
        descent::momentum_step(isa, step, weights, gradient, state);
    }
}
