//! Fits a preset to a data set of one's own: the preset's input and outputs are those of MNIST.

use crate::failure::Failure;
use crate::settings::Settings;
use percept::data::{Augmentation, ImageShape, check};
use percept::nn::shape::Shape;
use percept::nn::spec::LayerSpec;
use percept::train::config::Config;
use percept::train::presets;
use percept::train::sources::{self, Opened};

/// The share of the images that is set aside for validation: one in this many.
const VALIDATION: usize = 10;
/// The share that is set aside for the test where the data have no test part.
const TEST: usize = 5;
/// The side of the images that presets were made for.
const PRESET_SIDE: usize = 28;

/// Opens the data of a configuration, and fits the configuration to them.
///
/// The input and the outputs of a preset become those of the data; where it would set aside more than a tenth of the images
/// for validation and nobody asked for it, a tenth is. Pictures become what a network of one's own takes. Where the data have no
/// test part and nobody asked otherwise, a fifth of the images is set aside.
///
/// # Errors
/// Where the data cannot be used.
pub(crate) fn fitted(
    mut config: Config,
    settings: &Settings,
    threads: usize,
) -> Result<(Config, Opened), Failure> {
    let preset = presets::all().iter().find(|preset| preset.config().network == config.network);
    if preset.is_none() {
        let input = config.network.input;
        config.images = sources::for_input(&config.data, &config.images, input_shape(input))?;
    }
    let mut opened = sources::open(&config.data, &config.images, threads)?;
    config.images = opened.reading.clone();
    if config.data == "mnist" {
        return Ok((config, opened));
    }
    opened.notes.extend(check::quick(&opened.train));
    let images = opened.train.len();
    if opened.test.is_none() && settings.test.is_none() && config.test == 0 {
        config.test = images / TEST;
    }
    let Some(preset) = preset else {
        return Ok((config, opened));
    };
    if settings.validation.is_none() {
        config.validation = config.validation.min(images / VALIDATION);
    }
    fit_network(&mut config, opened.train.shape(), opened.train.class_names().len());
    if config.augmentation == preset.config().augmentation {
        fit_augmentation(&mut config.augmentation, opened.train.shape());
    }
    Ok((config, opened))
}

fn input_shape(shape: Shape) -> ImageShape {
    let [height, width, channels] = <[usize; 3]>::from(shape);
    ImageShape { height, width, channels }
}

fn fit_network(config: &mut Config, shape: ImageShape, classes: usize) {
    config.network.input = Shape::new(shape.height, shape.width, shape.channels);
    let last = config.network.layers.iter_mut().rev().find_map(|layer| match layer {
        LayerSpec::Dense(dense) => Some(dense),
        _ => None,
    });
    if let Some(last) = last {
        last.out_features = classes;
    }
}

/// A preset's changes are those of digits of 28x28. Photographs are changed as photographs are; what is grey is shifted by as
/// large a share of its size.
fn fit_augmentation(augmentation: &mut Augmentation, shape: ImageShape) {
    let side = shape.height.min(shape.width);
    match (augmentation.is_off(), shape.channels) {
        (true, _) => {}
        (false, 3) => *augmentation = Augmentation::photos(side),
        (false, _) => augmentation.shift *= side as f32 / PRESET_SIDE as f32,
    }
}
