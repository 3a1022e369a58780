//! Fits a run to a data set of a person's own: chooses what was left open, and makes room for a test.

use crate::failure::Failure;
use crate::settings::Settings;
use percept::data::{Decoding, ImageShape, check};
use percept::nn::shape::Shape;
use percept::train::automatic;
use percept::train::config::Config;
use percept::train::presets;
use percept::train::sources::{self, Opened};

/// Opens the data of a configuration, and fits the configuration to them.
///
/// Where neither a network nor a file of settings was named, everything that was not said is [chosen](automatic::choose) for
/// the data. The input and the outputs of a preset become those of the data; pictures become what a network of one's own takes.
/// Images are set aside for validation and test where the data have no such part and nobody said how many.
///
/// # Errors
/// Where the data cannot be used.
pub(crate) fn fitted(
    mut config: Config,
    settings: &Settings,
    decoding: &Decoding,
) -> Result<(Config, Opened), Failure> {
    let preset = presets::all().iter().find(|preset| preset.config().network == config.network);
    if preset.is_none() {
        let input = config.network.input;
        config.images =
            sources::for_input(&config.data, &config.images, input_shape(input), decoding)?;
    }
    let mut opened = sources::open(&config.data, &config.images, decoding)?;
    config.images = opened.reading.clone();
    if config.data == "mnist" {
        return Ok((config, opened));
    }
    opened.notes.extend(check::quick(&opened.train));
    if settings.leaves_the_choice() {
        let chosen = automatic::choose(settings.quality(), &opened);
        let (data, images) = (config.data, config.images);
        let base = Config { data, images, ..chosen.config };
        config = settings.overlay_options(base)?;
        opened.notes.extend(chosen.notes);
        return Ok((config, opened));
    }
    let (validation, test) = automatic::held_out(&opened);
    if settings.test.is_none() && config.test == 0 {
        config.test = test;
    }
    if let Some(preset) = preset {
        if settings.validation.is_none() {
            config.validation = config.validation.min(validation);
        }
        let fitted = preset.fitted(opened.train.shape(), opened.train.class_names().len());
        config.network = fitted.network;
        if config.augmentation == preset.config().augmentation {
            config.augmentation = fitted.augmentation;
        }
    }
    Ok((config, opened))
}

fn input_shape(shape: Shape) -> ImageShape {
    let [height, width, channels] = <[usize; 3]>::from(shape);
    ImageShape { height, width, channels }
}
