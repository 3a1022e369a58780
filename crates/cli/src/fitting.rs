//! Fits a preset to a data set of one's own: the preset's input and outputs are those of MNIST.

use crate::failure::Failure;
use percept::nn::shape::Shape;
use percept::nn::spec::LayerSpec;
use percept::train::config::Config;
use percept::train::{presets, sources};

/// The share of the images that is set aside for validation: one in this many.
const VALIDATION: usize = 10;

/// The configuration with the input and the outputs of its network, if that is a preset's, as its data need them. Where
/// the preset would set aside more than a tenth of the images and `validation` does not ask for it, a tenth is.
///
/// # Errors
/// Where the data cannot be used.
pub(crate) fn fitted(mut config: Config, validation: Option<usize>) -> Result<Config, Failure> {
    let is_preset = presets::all().iter().any(|preset| preset.config().network == config.network);
    if config.data == "mnist" || !is_preset {
        return Ok(config);
    }
    let dataset = sources::open(&config.data)?.train;
    let shape = dataset.shape();
    config.network.input = Shape::new(shape.height, shape.width, shape.channels);
    let last = config.network.layers.iter_mut().rev().find_map(|layer| match layer {
        LayerSpec::Dense(dense) => Some(dense),
        _ => None,
    });
    if let Some(last) = last {
        last.out_features = dataset.class_names().len();
    }
    if validation.is_none() {
        config.validation = config.validation.min(dataset.len() / VALIDATION);
    }
    Ok(config)
}
