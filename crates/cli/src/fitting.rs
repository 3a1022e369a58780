//! Fits a run to a data set of a person's own: chooses what was left open, and makes room for a test.

use crate::augmentation::AugmentationSettings;
use crate::failure::Failure;
use crate::settings::{ClassWeights, Settings};
use percept::data::{Decoding, ImageShape, check};
use percept::nn::describe::Description;
use percept::nn::shape::Shape;
use percept::train::automatic::{self, Chosen};
use percept::train::class_weights;
use percept::train::config::Config;
use percept::train::keep::Keep;
use percept::train::presets::{self, Preset};
use percept::train::sources::{self, Opened};

/// Opens the data of a configuration, and fits the configuration to them.
///
/// Where no network was named, neither by an option nor in a file of settings, everything that was not said is
/// [chosen](automatic::choose) for the data. The input and the outputs of a preset become those of the data; pictures become what a network of one's own takes.
/// Images are set aside for validation and test where the data have no such part and nobody said how many.
///
/// # Errors
/// Where the data cannot be used.
pub(crate) fn fitted(
    mut config: Config,
    settings: &Settings,
    augmentation: &AugmentationSettings,
    decoding: &Decoding,
) -> Result<(Config, Opened), Failure> {
    let preset = presets::find(&config.network.name)
        .filter(|preset| preset.config().network == config.network);
    if preset.is_none() {
        let input = config.network.input;
        config.images =
            sources::for_input(&config.data, &config.images, input_shape(input), decoding)?;
    }
    let mut opened = sources::open(&config.data, &config.images, decoding)?;
    config.images = opened.reading.clone();
    let mut choice = None;
    if config.data != "mnist" {
        opened.notes.extend(check::quick(&opened.train));
        if settings.leaves_the_choice()? {
            let chosen = automatic::choose(settings.quality(), &opened);
            config = with_what_was_said(&chosen, config, settings)?;
            choice = Some(chosen);
        } else {
            config = fitted_to_data(config, preset, &opened)?;
            set_aside(&mut config, settings, &opened)?;
        }
    }
    as_said(&mut config, settings, augmentation, &opened);
    tell(&config, choice.as_ref(), &mut opened);
    Ok((config, opened))
}

/// Adds to the notes on the data what was chosen and still holds, and what is set aside.
pub(crate) fn tell(config: &Config, choice: Option<&Chosen>, opened: &mut Opened) {
    if config.data != "mnist" {
        opened.notes.extend(automatic::set_aside(config, opened));
    }
    if let Some(chosen) = choice {
        opened.notes.extend(chosen.notes_on(config).map(str::to_owned));
    }
}

/// What was said of augmentation and class weights, which depends on the data.
pub(crate) fn as_said(
    config: &mut Config,
    settings: &Settings,
    augmentation: &AugmentationSettings,
    opened: &Opened,
) {
    config.augmentation = augmentation.over(config.augmentation, opened.train.shape());
    match settings.class_weights {
        Some(ClassWeights::Balanced) => {
            config.loss.class_weights = class_weights::balanced(&opened.train.class_counts());
        }
        Some(ClassWeights::None) => config.loss.class_weights.clear(),
        None => {}
    }
}

/// What suits the data, with the file of settings and the options that were given.
///
/// # Errors
/// As [`Settings::config`].
pub(crate) fn with_what_was_said(
    chosen: &Chosen,
    config: Config,
    settings: &Settings,
) -> Result<Config, Failure> {
    let Config { data, images, .. } = config;
    let said = settings.over_file(chosen.config.clone())?;
    let mut said = settings.overlay_options(Config { data, images, ..said })?;
    if said.validation < automatic::FEWEST_FOR_AN_AREA && !settings.says_what_to_keep()? {
        said.keep = Keep::Last;
    }
    Ok(said)
}

/// Sets images aside where no option said how many. What a file says holds where there are enough images.
fn set_aside(config: &mut Config, settings: &Settings, opened: &Opened) -> Result<(), Failure> {
    let (validation, test) = automatic::held_out(opened);
    if settings.test.is_none() && config.test == 0 {
        config.test = test;
    }
    let images = opened.train.len();
    let is_said = settings.file_has("validation")? && config.validation + config.test < images;
    if settings.validation.is_none() && !is_said && config.validation > validation {
        config.validation = validation;
    }
    Ok(())
}

fn fitted_to_data(
    mut config: Config,
    preset: Option<&Preset>,
    opened: &Opened,
) -> Result<Config, Failure> {
    let Some(preset) = preset else { return Ok(config) };
    let (shape, classes) = (opened.train.shape(), opened.train.class_names().len());
    let fitted = preset.fitted(shape, classes);
    if Description::new(&fitted.network).is_err()
        && let Some(side) = presets::smallest_side(preset, shape.channels, classes)
    {
        return Err(too_small(preset, shape, side));
    }
    config.network = fitted.network;
    if config.augmentation == preset.config().augmentation {
        config.augmentation = fitted.augmentation;
    }
    Ok(config)
}

fn too_small(preset: &Preset, shape: ImageShape, side: usize) -> Failure {
    let name = preset.name;
    Failure::usage(format!(
        "images of {shape} are too small for the network {name}: it needs a height and a width of {side} or more"
    ))
    .hint(format!("bring pictures to that size with --size {side}, or leave out --network"))
}

fn input_shape(shape: Shape) -> ImageShape {
    let [height, width, channels] = <[usize; 3]>::from(shape);
    ImageShape { height, width, channels }
}
