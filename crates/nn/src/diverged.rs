//! A training step in which a number was not finite.

use std::fmt;

/// Training that met an infinite number or NaN, and where that began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diverged {
    /// The step, counted from 1; it was not done.
    pub step: u64,
    /// The first place that was not finite.
    pub culprit: Culprit,
}

/// The first place, in the order of the computation, with a number that is not finite.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Culprit {
    /// The pixels that arrived.
    Input,
    /// A layer's parameters, before the step.
    Parameters {
        /// Its name.
        layer: String,
    },
    /// What a layer made of finite numbers.
    Output {
        /// Its name.
        layer: String,
    },
    /// The loss of finite logits.
    Loss,
    /// The gradient by a layer's parameters or input.
    Gradient {
        /// Its name.
        layer: String,
    },
    /// The training batches stay finite, what the network predicts of other images does not.
    Prediction,
    /// Each chunk's gradient is finite, their sum or its norm is not.
    SumOfGradients,
}

impl fmt::Display for Diverged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "training diverged in step {}: ", self.step)?;
        match &self.culprit {
            Culprit::Input => write!(f, "the input has a number that is not finite"),
            Culprit::Parameters { layer } => {
                write!(f, "the parameters of layer `{layer}` are not finite")
            }
            Culprit::Output { layer } => write!(
                f,
                "the output of layer `{layer}` is the first that is not finite (infinite or NaN)"
            ),
            Culprit::Loss => write!(f, "the loss is not finite although the logits are"),
            Culprit::Gradient { layer } => write!(
                f,
                "the gradient of layer `{layer}` is the first that is not finite (infinite or NaN)"
            ),
            Culprit::Prediction => write!(
                f,
                "what the network predicts of the validation images is not finite (infinite or NaN)"
            ),
            Culprit::SumOfGradients => write!(f, "the sum of the gradients is not finite"),
        }
    }
}

impl std::error::Error for Diverged {}
