//! Gradient descent: how a gradient changes the weights.
//!
//! An [`OptimizerSpec`] is settings only. The state (momentum, moments) belongs to the caller, one slice a tensor, so
//! that tensors can be updated on different threads. For each step and each parameter:
//!
//! ```text
//! learning_rate = spec.learning_rate_for(parameter) * schedule.factor(step, total_steps)
//! spec.update(compute, parameter, step, learning_rate, weights, gradient, state, scratch)
//! ```
//!
//! Weight decay applies to the weights of dense and convolution layers alone ([`Role::decays`](crate::parameter::Role::decays)).

mod adam;
mod matrix;
mod muon;
mod orthogonal;
mod rounded;
mod sgd;

pub use adam::{Adam, AdamW};
pub use muon::Muon;
pub use sgd::Sgd;

use crate::compute::Compute;
use crate::parameter::Parameter;
use percept_kernels::element::Element;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// An optimizer and its settings, as a person writes them in TOML.
///
/// ```
/// use percept_nn::optim::OptimizerSpec;
/// let spec: OptimizerSpec = toml::from_str(r#"
///     kind = "sgd"
///     learning_rate = 0.05
///     momentum = 0.9
///     nesterov = true
/// "#)?;
/// spec.validate()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum OptimizerSpec {
    /// Stochastic gradient descent with (Nesterov) momentum.
    Sgd(Sgd),
    /// Adam with coupled weight decay.
    Adam(Adam),
    /// Adam with decoupled weight decay.
    #[serde(rename = "adamw")]
    AdamW(AdamW),
    /// Momentum made orthogonal for matrices, AdamW for the rest.
    Muon(Muon),
}

/// Settings that no optimizer can work with.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum OptimizerError {
    /// A number out of its range.
    #[error("{optimizer}: `{name}` must be {expected}, found {found}")]
    Setting {
        /// The optimizer.
        optimizer: &'static str,
        /// The setting.
        name: &'static str,
        /// Its range.
        expected: &'static str,
        /// What was given.
        found: f64,
    },
    /// Two settings that contradict each other.
    #[error("{optimizer}: {reason}")]
    Contradiction {
        /// The optimizer.
        optimizer: &'static str,
        /// Which, why, and what to do.
        reason: &'static str,
    },
}

impl OptimizerSpec {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`OptimizerError`] naming the optimizer, the setting, its range and what was found.
    pub fn validate(&self) -> Result<(), OptimizerError> {
        match self {
            Self::Sgd(sgd) => sgd.validate(),
            Self::Adam(adam) => adam.validate(),
            Self::AdamW(adamw) => adamw.validate(),
            Self::Muon(muon) => muon.validate(),
        }
    }

    /// The learning rate that people mean: the optimizer's, for Muon that of its matrices.
    #[must_use]
    pub fn learning_rate(&self) -> f64 {
        match self {
            Self::Sgd(Sgd { learning_rate, .. })
            | Self::Adam(Adam { learning_rate, .. })
            | Self::AdamW(AdamW { learning_rate, .. })
            | Self::Muon(Muon { learning_rate, .. }) => *learning_rate,
        }
    }

    /// The same optimizer with another [`learning_rate`](Self::learning_rate). Muon's learning rate for the other
    /// parameters changes by the same ratio.
    #[must_use]
    pub fn with_learning_rate(mut self, new: f64) -> Self {
        match &mut self {
            Self::Sgd(Sgd { learning_rate, .. })
            | Self::Adam(Adam { learning_rate, .. })
            | Self::AdamW(AdamW { learning_rate, .. }) => *learning_rate = new,
            Self::Muon(muon) => muon.set_learning_rate(new),
        }
        self
    }

    /// The base learning rate of a parameter, before the schedule's factor.
    #[must_use]
    pub fn learning_rate_for(&self, parameter: &Parameter) -> f64 {
        match self {
            Self::Muon(muon) if !muon.orthogonalises(parameter) => muon.others.learning_rate,
            _ => self.learning_rate(),
        }
    }

    /// Whether each number of the parameter is updated by itself, so that the tensor may be updated in parts.
    #[must_use]
    pub fn is_elementwise(&self, parameter: &Parameter) -> bool {
        !matches!(self, Self::Muon(muon) if muon.orthogonalises(parameter))
    }

    /// Arrays as long as the parameter that make its state: momentum or moments, one after the other.
    #[must_use]
    pub fn state_arrays(&self, parameter: &Parameter) -> usize {
        match self {
            Self::Sgd(sgd) => usize::from(sgd.momentum != 0.0),
            Self::Adam(_) | Self::AdamW(_) => 2,
            Self::Muon(muon) if muon.orthogonalises(parameter) => 1,
            Self::Muon(_) => 2,
        }
    }

    /// Numbers of the parameter's state; all start at 0.
    #[must_use]
    pub fn state_len(&self, parameter: &Parameter) -> usize {
        self.state_arrays(parameter) * parameter.range.len()
    }

    /// Numbers of scratch memory that [`update`](Self::update) needs; what they hold does not matter.
    #[must_use]
    pub fn scratch_len(&self, parameter: &Parameter) -> usize {
        match self {
            Self::Muon(muon) if muon.orthogonalises(parameter) => muon::scratch_len(parameter),
            _ => 0,
        }
    }

    /// Changes the weights of one parameter by one step down its gradient. Allocates nothing. An [`Isa`](percept_kernels::isa::Isa)
    /// alone computes in fp32.
    ///
    /// `step` counts from 1; `learning_rate` is [`learning_rate_for`](Self::learning_rate_for) the parameter times the
    /// schedule's factor. Where [`is_elementwise`](Self::is_elementwise), the slices may be a part of the tensor, and
    /// the result is the same as for the whole.
    ///
    /// # Shapes
    /// `weights` and `gradient` have the same length; `state` is [`state_arrays`](Self::state_arrays) times as long;
    /// `scratch` has at least [`scratch_len`](Self::scratch_len) numbers.
    ///
    /// # Panics
    /// When the lengths do not fit, or `step` is 0.
    #[allow(clippy::too_many_arguments)]
    pub fn update<T: Element>(
        &self,
        compute: impl Into<Compute>,
        parameter: &Parameter,
        step: u64,
        learning_rate: f64,
        weights: &mut [T],
        gradient: &[T],
        state: &mut [T],
        scratch: &mut [T],
    ) {
        let compute = compute.into();
        let isa = compute.isa;
        assert!(step > 0, "steps count from 1");
        assert_eq!(weights.len(), gradient.len(), "gradient of {}", parameter.name);
        let state_len = self.state_arrays(parameter) * weights.len();
        assert_eq!(state.len(), state_len, "state of {}", parameter.name);
        let decays = parameter.role.decays();
        let (w, g, rate) = (weights, gradient, learning_rate);
        match self {
            Self::Sgd(sgd) => sgd.update(isa, decays, rate, w, g, state),
            Self::Adam(adam) => adam.update(isa, decays, step, rate, w, g, state),
            Self::AdamW(adamw) => adamw.update(isa, decays, step, rate, w, g, state),
            Self::Muon(muon) if muon.orthogonalises(parameter) => {
                muon.update(compute, parameter, rate, w, g, state, scratch);
            }
            Self::Muon(muon) => muon.others.update(isa, decays, step, rate, w, g, state),
        }
    }
}

/// The decay where it applies.
fn decay_if(decays: bool, weight_decay: f64) -> f64 {
    if decays { weight_decay } else { 0.0 }
}

/// Checks one setting.
fn check(
    fits: bool,
    optimizer: &'static str,
    name: &'static str,
    expected: &'static str,
    found: f64,
) -> Result<(), OptimizerError> {
    if fits { Ok(()) } else { Err(OptimizerError::Setting { optimizer, name, expected, found }) }
}

/// Checks a setting that must be a finite number of at least 0.
fn check_not_negative(
    optimizer: &'static str,
    name: &'static str,
    found: f64,
) -> Result<(), OptimizerError> {
    let fits = found.is_finite() && found >= 0.0;
    check(fits, optimizer, name, "a finite number of at least 0", found)
}

/// Checks a setting that must be at least 0 and below 1.
fn check_share(
    optimizer: &'static str,
    name: &'static str,
    found: f64,
) -> Result<(), OptimizerError> {
    check((0.0..1.0).contains(&found), optimizer, name, "at least 0 and below 1", found)
}
