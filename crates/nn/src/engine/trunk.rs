//! Transfer: the first part of a network, the trunk, learned elsewhere. It stays as it is while the rest, the head, learns
//! from it, and then learns more slowly.
//!
//! While the trunk is frozen its parameters keep their bits: no step, no decay, no momentum. No gradient is computed for
//! it, and the gradient's norm is that of the head. Its batch normalisation goes on as in any training: by the statistics of
//! the chunk, and its running statistics follow the new images (as in Li et al. 2016, "Revisiting batch normalization for
//! practical domain adaptation"), so that the head sees the same numbers before and after the trunk begins to learn.

use super::Engine;
use crate::error::EngineError;
use crate::parameter::Parameter;
use percept_kernels::element::Element;

/// How the first parameters of a network learn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trunk {
    /// How many parameters (tensors, in the network's order) belong to the trunk: not all.
    pub parameters: usize,
    /// Steps, from the first, in which it does not learn.
    pub frozen_steps: u64,
    /// What its learning rates are multiplied by afterwards, at least 0. Its optimizer then begins as in step 1.
    pub rate: f64,
}

/// What a step does with a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Learning {
    /// Nothing.
    Frozen,
    /// It takes its step, with so many times its learning rate.
    Steps { step: u64, rate: f64 },
}

impl Learning {
    /// What step `step`, counted from 1, does with the parameter of that index.
    pub(super) fn of(parameter: &Parameter, index: usize, trunk: Option<Trunk>, step: u64) -> Self {
        if !parameter.learns() {
            return Self::Frozen;
        }
        match trunk {
            Some(trunk) if index < trunk.parameters => match step.checked_sub(trunk.frozen_steps) {
                None | Some(0) => Self::Frozen,
                Some(step) => Self::Steps { step, rate: trunk.rate },
            },
            _ => Self::Steps { step, rate: 1.0 },
        }
    }
}

impl<T: Element> Engine<T> {
    /// The engine with a trunk that learns later and more slowly than the rest.
    ///
    /// # Errors
    /// [`EngineError::Trunk`] where nothing is left for the head, or the rate is no finite number of at least 0.
    pub fn with_trunk(mut self, trunk: Trunk) -> Result<Self, EngineError> {
        let all = self.network.parameters().len();
        let reason = if trunk.parameters >= all {
            format!(
                "it has {} of the network's {all} parameters: leave one to the head",
                trunk.parameters
            )
        } else if !(trunk.rate.is_finite() && trunk.rate >= 0.0) {
            format!("its rate must be a finite number of at least 0, found {}", trunk.rate)
        } else {
            self.trunk = Some(trunk);
            return Ok(self);
        };
        Err(EngineError::Trunk { reason })
    }

    /// Where backward ends in the next step: the first node that has to be gone through.
    pub(super) fn last_backward(&self) -> usize {
        let frozen = self.trunk.filter(|trunk| self.step < trunk.frozen_steps);
        let Some(trunk) = frozen else { return 0 };
        let head = self.network.parameters()[trunk.parameters].range.start;
        let nodes = self.plan.nodes();
        nodes.iter().position(|node| node.parameters.end > head).unwrap_or(0)
    }
}
