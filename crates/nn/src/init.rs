//! How parameters start.

use crate::parameter::{Parameter, Role};
use percept_kernels::element::Element;
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
    /// [`Init::UniformFanIn`] does, and so does all of a dense layer.
    Dirac,
    /// The principal directions of the training images' patches, each scaled to variance 1 and each with its negative
    /// (Jordan 2024, after Page 2019), for the first convolution; such weights are not learned. Whoever has the images
    /// puts the numbers in; until then they are those of [`Init::UniformFanIn`].
    Whitening,
}

/// Fills `values`, the numbers of `parameter`, with what it starts with: a pure function of `seed` and `index`, the
/// place of the parameter in its network.
///
/// Weights start as their [`Init`] says, factors of normalisations at 1, all biases at 0. Numbers are drawn in the order
/// in which they are stored. [`Init::Dirac`] treats groups as `torch.nn.init.dirac_` does (each group passes its own
/// first channels through) and finds their number from the fans: groups = out_channels * window / `fan_out`.
///
/// # Panics
/// When `values` is not as long as `parameter`, or `Dirac` meets a convolution weight without four axes.
pub fn initialise<T: Element>(parameter: &Parameter, index: usize, seed: u64, values: &mut [T]) {
    assert_eq!(values.len(), parameter.range.len(), "numbers of {}", parameter.name);
    match parameter.role {
        Role::Bias | Role::NormBias => values.fill(T::ZERO),
        Role::NormWeight => values.fill(T::ONE),
        Role::ConvWeight | Role::DenseWeight => {
            let draws = Draws::new(seed, Purpose::Initialisation, 0, index as u64);
            initialise_weight(parameter, draws, values);
        }
    }
}

fn initialise_weight<T: Element>(parameter: &Parameter, draws: Draws, values: &mut [T]) {
    let fan_in = parameter.fan_in.max(1) as f64;
    let fan_out = parameter.fan_out.max(1) as f64;
    match parameter.init {
        Init::Kaiming => normal((2.0 / fan_in).sqrt(), draws, values),
        Init::Xavier => uniform((6.0 / (fan_in + fan_out)).sqrt(), draws, values),
        Init::UniformFanIn | Init::Whitening => uniform(1.0 / fan_in.sqrt(), draws, values),
        Init::Dirac => {
            uniform(1.0 / fan_in.sqrt(), draws, values);
            if parameter.role == Role::ConvWeight {
                pass_through(parameter, values);
            }
        }
    }
}

fn normal<T: Element>(deviation: f64, mut draws: Draws, values: &mut [T]) {
    values.fill_with(|| T::from_f64(deviation * f64::from(draws.normal())));
}

/// Uniform in [-bound, bound).
fn uniform<T: Element>(bound: f64, mut draws: Draws, values: &mut [T]) {
    values.fill_with(|| T::from_f64(bound * (2.0 * f64::from(draws.uniform()) - 1.0)));
}

/// Overwrites the filters of each group's first output channels with ones that copy one input channel.
fn pass_through<T: Element>(parameter: &Parameter, values: &mut [T]) {
    let &[height, width, in_channels, out_channels] = parameter.shape.as_slice() else {
        panic!("{} is no convolution weight: {:?}", parameter.name, parameter.shape);
    };
    let groups = (out_channels * height * width / parameter.fan_out.max(1)).max(1);
    let group_outputs = out_channels / groups;
    let centre = (height / 2) * width + width / 2;
    for output in 0..out_channels {
        let channel = output % group_outputs;
        if channel >= in_channels {
            continue;
        }
        for row in 0..height * width * in_channels {
            let one = row == centre * in_channels + channel;
            values[row * out_channels + output] = if one { T::ONE } else { T::ZERO };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(role: Role, index: usize, seed: u64) -> Vec<f32> {
        let parameter = Parameter {
            name: "dense1.weight".into(),
            shape: vec![3, 4],
            role,
            fan_in: 3,
            fan_out: 4,
            init: Init::Kaiming,
            range: 100..112,
        };
        let mut values = vec![f32::NAN; 12];
        initialise(&parameter, index, seed, &mut values);
        values
    }

    #[test]
    fn only_weights_are_random() {
        assert_eq!(start(Role::Bias, 0, 1), [0.0; 12]);
        assert_eq!(start(Role::NormBias, 0, 1), [0.0; 12]);
        assert_eq!(start(Role::NormWeight, 0, 1), [1.0; 12]);
    }

    #[test]
    fn weights_follow_from_seed_and_index() {
        let weights = start(Role::DenseWeight, 2, 1);
        assert_eq!(start(Role::DenseWeight, 2, 1), weights);
        assert_ne!(start(Role::DenseWeight, 3, 1), weights);
        assert_ne!(start(Role::DenseWeight, 2, 2), weights);
    }
}
