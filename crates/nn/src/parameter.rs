//! What a parameter or buffer is: its name, shape and role; the numbers live in one flat slice of the network.

use crate::init::Init;
use std::ops::Range;

/// What a parameter does in its layer; optimizers choose by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A convolution's weight, stored [kernel height, kernel width, in_channels / groups, out_channels].
    ConvWeight,
    /// A dense layer's weight, stored [in_features, out_features].
    DenseWeight,
    /// An added bias.
    Bias,
    /// The factor (gamma) of a normalisation.
    NormWeight,
    /// The addend (beta) of a normalisation.
    NormBias,
}

impl Role {
    /// Whether weight decay applies: to weights that multiply inputs, not to biases and normalisations.
    #[must_use]
    pub const fn decays(self) -> bool {
        matches!(self, Self::ConvWeight | Self::DenseWeight)
    }
}

/// A learned tensor of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Layer and tensor: `conv1.weight`.
    pub name: String,
    /// Sizes, slowest axis first.
    pub shape: Vec<usize>,
    /// What it does.
    pub role: Role,
    /// Inputs that one output number sums over.
    pub fan_in: usize,
    /// Outputs that one input number contributes to.
    pub fan_out: usize,
    /// How it starts.
    pub init: Init,
    /// Where its numbers lie in the network's flat parameters.
    pub range: Range<usize>,
}

impl Parameter {
    /// Whether training changes it: all but the weights of a [whitening](Init::Whitening) layer.
    #[must_use]
    pub fn learns(&self) -> bool {
        !(self.init == Init::Whitening && self.role == Role::ConvWeight)
    }

    /// As a matrix whose columns are the outputs: (fan_in rows, out columns). Every output sums over a column.
    #[must_use]
    pub fn matrix(&self) -> (usize, usize) {
        let columns = *self.shape.last().unwrap_or(&1);
        (self.range.len() / columns.max(1), columns)
    }
}

/// A tensor that is not learned by gradient descent but belongs to the network: batch norm's running statistics.
#[derive(Clone, Debug, PartialEq)]
pub struct Buffer {
    /// Layer and tensor: `batch_norm1.running_mean`.
    pub name: String,
    /// Sizes, slowest axis first.
    pub shape: Vec<usize>,
    /// The value that it starts with.
    pub start: f64,
    /// Where its numbers lie in the network's flat buffers.
    pub range: Range<usize>,
}
