//! How parameters start.

use percept_kernels::random::{Draws, Purpose};
use serde::{Deserialize, Serialize};

/// How the weights of a dense or convolution layer start. Biases start at zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Init {
    /// Normal with variance 2 / fan_in (He et al. 2015), for layers that a ReLU follows.
    #[default]
    Kaiming,
    /// Uniform with variance 2 / (fan_in + fan_out) (Glorot and Bengio 2010), for outputs and for tanh.
    Xavier,
    /// Uniform in ±1 / sqrt(fan_in), which is what PyTorch does by default.
    UniformFanIn,
    /// A convolution that passes its first channels through unchanged; channels beyond those of the input start as
    /// [`Init::UniformFanIn`] does.
    Dirac,
}
