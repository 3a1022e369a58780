//! Muon: momentum whose matrices are made orthogonal.

use super::matrix::frobenius;
use super::orthogonal::{Sizes, orthogonalise};
use super::{AdamW, OptimizerError, check, check_not_negative, check_share};
use crate::compute::Compute;
use crate::parameter::{Parameter, Role};
use percept_kernels::descent;
use percept_kernels::element::Element;
use percept_kernels::isa::Isa;
use serde::{Deserialize, Serialize};

/// Muon (Jordan et al. 2024) with the weight normalisation of Jordan's airbench: for each weight matrix W (inputs of one
/// output x outputs) with gradient G and momentum mu
///
/// ```text
/// M = mu * M + G
/// U = orthogonal(nesterov ? G + mu * M : M)
/// W = W * sqrt(outputs) / norm(W)            (where normalise_weights)
/// W = W * (1 - learning_rate * weight_decay) - learning_rate * U
/// ```
///
/// `orthogonal` replaces all singular values by about 1 (0.7 to 1.2): X = U / norm(U), then `newton_schulz_steps` times
///
/// ```text
/// A = X X^T,   X = a X + (b A + c A A) X,   (a, b, c) = (3.4445, -4.7750, 2.0315)
/// ```
///
/// computed on whichever of X and its transpose has the smaller A; norms are Frobenius norms. Where the network computes in
/// bf16, the operands of the products of large matrices are rounded, and the sums fp32.
///
/// Matrices are the weights of convolutions with more than one input channel (a group), and those of dense layers where
/// [`dense`](Self::dense) says so. All other parameters are updated by [`others`](Self::others).
///
/// It differs from PyTorch's `Muon`, whose momentum is (1 - mu) times ours (the norm takes it away again), which keeps
/// X in bfloat16, and which multiplies the learning rate by sqrt(max(1, outputs / inputs)); and from airbench's, which
/// divides by norm + 1e-7 instead of max(norm, 1e-7).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Muon {
    /// Base learning rate of the matrices, at least 0.
    pub learning_rate: f64,
    /// mu, in 0 to 1 (below 1).
    pub momentum: f64,
    /// Whether the gradient looks ahead along the momentum.
    pub nesterov: bool,
    /// Iterations of `orthogonal`, 1 to 20.
    pub newton_schulz_steps: u32,
    /// Whether each matrix is scaled to norm sqrt(outputs) before its step.
    pub normalise_weights: bool,
    /// Decoupled weight decay of the matrices, at least 0; without effect on the direction of normalised weights, so 0
    /// where they are.
    pub weight_decay: f64,
    /// Whether the weights of dense layers are matrices too.
    pub dense: bool,
    /// Settings for all other parameters; `others.learning_rate` is theirs.
    pub others: AdamW,
}

impl Default for Muon {
    /// The digit recipe: learning rate 0.1, Nesterov momentum 0.6, 5 steps, normalised weights; AdamW with learning rate
    /// 0.01, betas 0.9 and 0.99, no decay.
    fn default() -> Self {
        let others =
            AdamW { learning_rate: 0.01, beta2: 0.99, weight_decay: 0.0, ..AdamW::default() };
        Self {
            learning_rate: 0.1,
            momentum: 0.6,
            nesterov: true,
            newton_schulz_steps: 5,
            normalise_weights: true,
            weight_decay: 0.0,
            dense: false,
            others,
        }
    }
}

impl Muon {
    pub(super) fn validate(&self) -> Result<(), OptimizerError> {
        check_not_negative("muon", "learning_rate", self.learning_rate)?;
        check_share("muon", "momentum", self.momentum)?;
        let steps = self.newton_schulz_steps;
        let fits = (1..=20).contains(&steps);
        check(fits, "muon", "newton_schulz_steps", "from 1 to 20", f64::from(steps))?;
        check_not_negative("muon", "weight_decay", self.weight_decay)?;
        if self.nesterov && self.momentum == 0.0 {
            return Err(OptimizerError::Contradiction {
                optimizer: "muon",
                reason: "`nesterov` needs a momentum above 0: set `momentum = 0.6`, or `nesterov = false`",
            });
        }
        if self.normalise_weights && self.weight_decay > 0.0 {
            return Err(OptimizerError::Contradiction {
                optimizer: "muon",
                reason: "weights that are normalised before every step cannot decay: set `weight_decay = 0`, or `normalise_weights = false`",
            });
        }
        self.others.validate_as("muon.others")
    }

    /// Whether the parameter is one of the matrices.
    #[must_use]
    pub fn orthogonalises(&self, parameter: &Parameter) -> bool {
        match parameter.role {
            Role::ConvWeight => parameter.shape.get(2).is_some_and(|channels| *channels > 1),
            Role::DenseWeight => self.dense,
            Role::Bias | Role::NormWeight | Role::NormBias => false,
        }
    }

    /// Both groups keep their ratio, where there is one.
    pub(super) fn set_learning_rate(&mut self, new: f64) {
        if self.learning_rate > 0.0 {
            self.others.learning_rate *= new / self.learning_rate;
        }
        self.learning_rate = new;
    }

    #[allow(clippy::too_many_arguments)]
    pub(super) fn update<T: Element>(
        &self,
        compute: Compute,
        parameter: &Parameter,
        learning_rate: f64,
        weights: &mut [T],
        gradient: &[T],
        momentum: &mut [T],
        scratch: &mut [T],
    ) {
        let (rows, columns) = parameter.matrix();
        assert_eq!(weights.len(), rows * columns, "{} is updated as a whole", parameter.name);
        assert!(scratch.len() >= scratch_len(parameter), "scratch of {}", parameter.name);
        let (update, work) = scratch.split_at_mut(weights.len());
        let (isa, mu, nesterov) = (compute.isa, self.momentum, self.nesterov);
        descent::momentum_direction(isa, mu, nesterov, gradient, momentum, update);
        let sizes = Sizes::new((rows, columns));
        orthogonalise(compute, sizes, self.newton_schulz_steps, update, work);
        let keep = self.keep(isa, learning_rate, columns, weights);
        descent::blend(isa, keep, weights, -learning_rate, update);
    }

    /// What the weights are multiplied by before the step: normalisation and decay. A zero matrix stays as it is.
    fn keep<T: Element>(&self, isa: Isa, learning_rate: f64, outputs: usize, weights: &[T]) -> f64 {
        let decayed = 1.0 - learning_rate * self.weight_decay;
        let norm = if self.normalise_weights { frobenius(isa, weights) } else { 0.0 };
        if norm > 0.0 { decayed * (outputs as f64).sqrt() / norm } else { decayed }
    }
}

/// The update, and what [`orthogonalise`] needs.
pub(super) fn scratch_len(parameter: &Parameter) -> usize {
    parameter.range.len() + Sizes::new(parameter.matrix()).scratch_len()
}
