//! Chooses what nobody chose: the network, its training and its augmentation, from the images alone.
//!
//! Each choice is said in a line, with its reason and the option that changes it. How the rules were found:
//! `docs/decisions/automatic-choices.md`.

use crate::class_weights::balanced;
use crate::config::Config;
use crate::keep::Keep;
use crate::presets::{self, Preset};
use crate::sources::Opened;
use percept_data::sources::Format;
use percept_data::{Augmentation, Dataset, Mirror};
use serde::{Deserialize, Serialize};

/// How long the training may take for how good a network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quality {
    /// A small network, for a first look.
    Fast,
    /// What most people want.
    #[default]
    Balanced,
    /// A larger network, trained for longer.
    Best,
}

impl Quality {
    /// The preset for the digits inside the program.
    #[must_use]
    pub fn preset_for_digits(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Balanced => presets::DEFAULT,
            Self::Best => "best",
        }
    }

    /// The network for other images.
    fn network(self) -> &'static str {
        match self {
            Self::Fast => "colour-small",
            Self::Balanced => "colour",
            Self::Best => "colour-large",
        }
    }

    /// Passes over as many images as CIFAR-10 has, where squares of them are erased or not.
    fn passes(self, erases: bool) -> f64 {
        match self {
            Self::Fast => 8.0,
            Self::Balanced if erases => 32.0,
            Self::Balanced => 16.0,
            Self::Best => 24.0,
        }
    }
}

/// A training run for data of a person's own, and why it is as it is.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// The configuration, with its network fitted to the images.
    pub config: Config,
    notes: Vec<Note>,
}

/// Why a part of the configuration is as it is.
#[derive(Clone, Debug)]
struct Note {
    /// Whether a configuration still has what was chosen here.
    holds: fn(&Config, &Config) -> bool,
    text: String,
}

impl Chosen {
    /// A line for each choice that a configuration still has, after options and files were heeded.
    pub fn notes_on<'a>(&'a self, config: &'a Config) -> impl Iterator<Item = &'a str> {
        let held = self.notes.iter().filter(|note| (note.holds)(&self.config, config));
        held.map(|note| note.text.as_str())
    }
}

/// The share of the images that is set aside for validation: one in this many.
const VALIDATION: usize = 10;
/// The share of the images, but those of a validation part of the data's own, that is set aside for the test where the data have no
/// test part.
const TEST: usize = 5;
/// Images for which the plan's passes are meant: those of CIFAR-10.
const USUAL_IMAGES: f64 = 50_000.0;
/// Where there are fewer images, a small network learns as much.
const FEW_IMAGES: usize = 5000;
/// Photographs of which there are so many are seen more often, with a square erased.
const MANY_PHOTOGRAPHS: usize = 20_000;
/// The most passes.
const MOST_EPOCHS: f64 = 300.0;
/// Steps that an epoch should have.
const STEPS: usize = 24;

/// Chooses for the data.
///
/// # Panics
/// Never: a test reads every preset.
#[must_use]
pub fn choose(quality: Quality, opened: &Opened) -> Chosen {
    let mut notes = Vec::new();
    let (validation, test) = held_out(opened);
    let images = opened.train.len() - validation - test;
    let (preset, why) = network(quality, images);
    notes.push(Note { holds: |chosen, now| chosen.network == now.network, text: why });
    let mut config = preset.fitted(opened.train.shape(), opened.train.class_names().len());
    (config.validation, config.test) = (validation, test);
    let (augmentation, why_augmented) = augmentation(quality, images, opened);
    config.augmentation = augmentation;
    notes.extend(plan(&mut config, quality, images));
    notes.push(Note { holds: same_augmentation, text: why_augmented });
    notes.extend(weigh_and_keep(&mut config, opened));
    Chosen { config, notes }
}

/// Chooses what depends on the data for a training that starts from a model: the parts, the augmentation, the weights of
/// the classes and the epoch to keep. Everything else stays as `config` has it, which fits the model.
#[must_use]
pub fn choose_for_model(mut config: Config, opened: &Opened) -> Chosen {
    (config.validation, config.test) = held_out(opened);
    let images = opened.train.len().saturating_sub(config.validation + config.test);
    let (augmentation, text) = augmentation(Quality::default(), images, opened);
    config.augmentation = augmentation;
    let mut notes = vec![Note { holds: same_augmentation, text }];
    notes.extend(weigh_and_keep(&mut config, opened));
    Chosen { config, notes }
}

fn same_augmentation(chosen: &Config, now: &Config) -> bool {
    chosen.augmentation == now.augmentation
}

fn weigh_and_keep(config: &mut Config, opened: &Opened) -> Vec<Note> {
    let mut notes = Vec::new();
    if let Some(text) = weigh(config, &opened.train.class_counts()) {
        let holds =
            |chosen: &Config, now: &Config| chosen.loss.class_weights == now.loss.class_weights;
        notes.push(Note { holds, text });
    }
    if let Some(text) = keep(config, opened.train.class_names().len()) {
        notes.push(Note { holds: |chosen, now| chosen.keep == now.keep, text });
    }
    notes
}

/// A line on how many images a configuration sets aside; `None` where the data have both parts themselves.
#[must_use]
pub fn set_aside(config: &Config, opened: &Opened) -> Option<String> {
    let test = opened.test.is_none().then_some(config.test);
    let validation = opened.validation.is_none().then_some(config.validation);
    let are = |count: usize| match count {
        0 => "no images are".to_owned(),
        1 => "1 image is".to_owned(),
        count => format!("{count} images are"),
    };
    let none_or = |count: usize| if count == 0 { "none".to_owned() } else { count.to_string() };
    let (what, options) = match (test, validation) {
        (None, None) => return None,
        (Some(0), Some(0)) => (
            "no images are set aside for the test or for validation".to_owned(),
            "--test and --validation change it",
        ),
        (Some(test), Some(validation)) => (
            format!("{} set aside for the test, {} for validation", are(test), none_or(validation)),
            "--test and --validation change it",
        ),
        (Some(test), None) => {
            (format!("{} set aside for the test", are(test)), "--test changes it")
        }
        (None, Some(validation)) => {
            (format!("{} set aside for validation", are(validation)), "--validation changes it")
        }
    };
    let measures = test != Some(0) || config.validation > 0 || opened.validation.is_some();
    let why = match measures {
        true => String::new(),
        false => format!(
            ", so that nothing measures the result: {} images in all are few",
            opened.train.len()
        ),
    };
    Some(format!("{what}{why} ({options})"))
}

/// Images for validation and for the test that are taken from those to learn from.
#[must_use]
pub fn held_out(opened: &Opened) -> (usize, usize) {
    let images = opened.train.len();
    let own = opened.validation.as_ref().map(ExactSizeIterator::len);
    let test = match opened.test {
        Some(_) => 0,
        None => (images - own.unwrap_or(0)) / TEST,
    };
    let validation = own.unwrap_or((images / VALIDATION).min(MOST_VALIDATION));
    (validation, test)
}

/// Images that measure an accuracy to half a per cent.
const MOST_VALIDATION: usize = 5000;

fn network(quality: Quality, images: usize) -> (&'static Preset, String) {
    let name = quality.network();
    let few = images < FEW_IMAGES && quality != Quality::Best;
    let name = if few { "colour-small" } else { name };
    let preset = presets::find(name).expect("the plan names presets");
    let why = if few {
        format!("because {images} images to learn from are few")
    } else {
        match quality {
            Quality::Fast => "because it is fast",
            Quality::Balanced => "because it is as wide as the number of images is worth",
            Quality::Best => "because it is the best",
        }
        .to_owned()
    };
    (preset, format!("network {name}, {why} (--quality and --network change it)"))
}

/// Small sets need more passes, with the cube root of how much smaller they are, and smaller batches for steps enough. Chunks leave work for eight threads. The
/// learning rate stays: Muon's steps are as long whatever the gradient.
fn plan(config: &mut Config, quality: Quality, images: usize) -> [Note; 3] {
    let epochs = quality.passes(config.augmentation.erase > 0)
        * (USUAL_IMAGES / images.max(1) as f64).cbrt();
    config.epochs = epochs.round().clamp(1.0, MOST_EPOCHS) as u32;
    let usual = config.batch_size;
    let batch = (images / STEPS).max(1).next_power_of_two();
    config.batch_size = batch.clamp(32.min(usual), usual);
    config.chunk_size = (config.batch_size / config.lanes).clamp(16, config.chunk_size);
    let (epochs, batch) = (config.epochs, config.batch_size);
    let why = format!("because there are {images} images to learn from");
    [
        Note {
            holds: |chosen, now| same_epochs(chosen, now) && same_batch(chosen, now),
            text: format!(
                "{epochs} epochs in batches of {batch}, {why} (--epochs and --batch-size change it)"
            ),
        },
        Note {
            holds: |chosen, now| same_epochs(chosen, now) && !same_batch(chosen, now),
            text: format!("{epochs} epochs, {why} (--epochs changes it)"),
        },
        Note {
            holds: |chosen, now| !same_epochs(chosen, now) && same_batch(chosen, now),
            text: format!("batches of {batch}, {why} (--batch-size changes it)"),
        },
    ]
}

fn same_epochs(chosen: &Config, now: &Config) -> bool {
    (chosen.epochs, chosen.steps) == (now.epochs, now.steps)
}

fn same_batch(chosen: &Config, now: &Config) -> bool {
    chosen.batch_size == now.batch_size
}

/// The largest class may have so many times as many images as the smallest before classes are weighted.
const SKEWED: f64 = 2.0;

/// Where the classes are skewed, those of few images count for more.
fn weigh(config: &mut Config, counts: &[usize]) -> Option<String> {
    let most = counts.iter().max().copied().unwrap_or(0);
    let least = counts.iter().filter(|count| **count > 0).min().copied().unwrap_or(0);
    let ratio = most as f64 / least.max(1) as f64;
    if ratio < SKEWED {
        return None;
    }
    config.loss.class_weights = balanced(counts);
    Some(format!(
        "classes are weighted by their number of images, because the largest has {ratio:.1} times as many as the smallest \
         (--class-weights none changes it)"
    ))
}

/// The area under a curve of fewer validation images says too little to choose an epoch by.
pub const FEWEST_FOR_AN_AREA: usize = 100;

/// Two classes are mostly told apart to find one of them, whatever threshold serves: the epoch is chosen that orders the
/// images best. It is often not the last one, where accuracy still grows while the worst mistakes become surer.
fn keep(config: &mut Config, classes: usize) -> Option<String> {
    if classes != 2 || config.validation < FEWEST_FOR_AN_AREA {
        return None;
    }
    config.keep = Keep::Auc;
    Some(
        "the epoch with the best validation AUC becomes the model, because there are two classes (--keep changes it)"
            .to_owned(),
    )
}

/// Photographs are mirrored; digits and letters are not, for they would be others or none. Of many photographs squares are erased,
/// so that they can be seen more often before they are known by heart.
fn augmentation(quality: Quality, images: usize, opened: &Opened) -> (Augmentation, String) {
    let dataset = &opened.train;
    let shape = dataset.shape();
    let side = shape.height.min(shape.width);
    let signs = dataset.class_names().iter().all(|name| name.chars().count() == 1);
    let (augmentation, what) = match opened.reading.format {
        Some(Format::Idx) if are_numbered(dataset) => {
            let words = "shifted but not mirrored, because classes that have nothing but numbers may be digits or things";
            (Augmentation { mirror: Mirror::Off, ..Augmentation::photos(side) }, words)
        }
        Some(Format::Npz) if are_numbered(dataset) => {
            let words = "turned, stretched and shifted a little but not mirrored, because classes that have nothing but \
                         numbers may be digits or organs";
            (presets::augmentation_of_signs(side), words)
        }
        _ if signs => {
            let words = "turned, stretched and shifted a little but not mirrored, because classes that are named by one \
                         character are digits or letters";
            (presets::augmentation_of_signs(side), words)
        }
        _ if images >= MANY_PHOTOGRAPHS && quality != Quality::Fast => {
            let words = "mirrored and shifted, as suits pictures of things, and a square of each is erased, because there are \
                         enough to see them often";
            (Augmentation { erase: side as u32 / 4, ..Augmentation::photos(side) }, words)
        }
        _ => (Augmentation::photos(side), "mirrored and shifted, as suits pictures of things"),
    };
    (augmentation, format!("training images are {what} (--augmentation changes it)"))
}

/// Whether the classes are numbered because the format has no names: MNIST's digits and Fashion-MNIST's clothes alike.
fn are_numbered(dataset: &Dataset) -> bool {
    dataset.class_names().iter().enumerate().all(|(at, name)| *name == at.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use percept_data::ImageShape;
    use percept_data::sources::Reading;
    use std::sync::Arc;

    fn opened(shape: ImageShape, images: usize, names: &[&str]) -> Opened {
        let labels = (0..images).map(|index| (index % names.len()) as u32).collect();
        let names = names.iter().map(|&name| name.to_owned()).collect();
        let pixels = vec![7; images * shape.len()];
        let train = Dataset::new("made up", shape, pixels, labels, names).unwrap();
        Opened {
            train: Arc::new(train),
            validation: None,
            test: None,
            reading: Reading::default(),
            notes: Vec::new(),
        }
    }

    #[test]
    fn photographs_are_mirrored_and_letters_are_not() {
        let colour = ImageShape::colour(32, 32);
        for (shape, names, mirror) in [
            (colour, ["cat", "dog"], Mirror::Alternating),
            (ImageShape::grey(32, 32), ["cat", "dog"], Mirror::Alternating),
            (colour, ["0", "1"], Mirror::Off),
            (ImageShape::grey(28, 28), ["é", "b"], Mirror::Off),
        ] {
            let chosen = choose(Quality::Balanced, &opened(shape, 40, &names));
            assert_eq!(chosen.config.augmentation.mirror, mirror, "{shape} {names:?}");
            chosen.config.augmentation.check().unwrap();
        }
    }

    #[test]
    fn what_may_be_digits_or_things_is_shifted() {
        let augmentation = |format, names: &[&str]| {
            let mut opened = opened(ImageShape::grey(32, 32), 40, names);
            opened.reading.format = Some(format);
            choose(Quality::Balanced, &opened).config.augmentation
        };
        let shifted = Augmentation { mirror: Mirror::Off, ..Augmentation::photos(32) };
        assert_eq!(augmentation(Format::Idx, &["0", "1"]), shifted);
        let numbers: Vec<String> = (0..11).map(|number| number.to_string()).collect();
        let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
        assert_eq!(augmentation(Format::Npz, &numbers), presets::augmentation_of_signs(32));
        assert_eq!(augmentation(Format::Idx, &["coat", "bag"]), Augmentation::photos(32));
        for (format, names) in [(Format::Idx, ["a", "b"]), (Format::Folders, ["0", "1"])] {
            assert_eq!(augmentation(format, &names), presets::augmentation_of_signs(32));
        }
    }

    #[test]
    fn small_sets_get_more_passes_and_smaller_batches() {
        let chosen = |images| {
            choose(Quality::Balanced, &opened(ImageShape::colour(8, 8), images, &["cat", "dog"]))
        };
        let (small, large) = (chosen(2000).config, chosen(70_000).config);
        assert_eq!(
            (small.network.name.as_str(), large.network.name.as_str()),
            ("colour-small", "colour")
        );
        // A fifth for the test, a tenth for validation but at most 5,000.
        assert_eq!((small.test, small.validation), (400, 200));
        assert_eq!((large.test, large.validation), (14_000, 5000));
        // Sixteen passes at 50,000, 32 over many photographs: the cube root of 50,000 / 1,400 more, and of 50,000 / 51,000.
        assert_eq!((small.epochs, large.epochs), (53, 32));
        assert_eq!((small.batch_size, large.batch_size), (64, 512));
        assert_eq!((small.chunk_size, large.chunk_size), (16, 64));
    }

    /// Of 140 images 120 are the data's own for validation: a fifth of the other 20 is for the test, and 16 are left.
    #[test]
    fn a_large_validation_part_leaves_something_to_learn_from() {
        let mut opened = opened(ImageShape::colour(8, 8), 140, &["cat", "dog"]);
        opened.validation = Some(20..140);
        assert_eq!(held_out(&opened), (120, 4));
        let chosen = choose(Quality::Balanced, &opened);
        assert_eq!((chosen.config.validation, chosen.config.test), (120, 4));
        assert!(chosen.notes_on(&chosen.config).any(|note| note.contains("16 images")));
    }

    #[test]
    fn of_many_photographs_squares_are_erased() {
        let shape = ImageShape::colour(8, 8);
        let plan = |quality, images, names: &[&str]| {
            let config = choose(quality, &opened(shape, images, names)).config;
            (config.augmentation.erase, config.epochs)
        };
        let (things, digits) = (["cat", "dog"], ["1", "2"]);
        // A fifth is for the test and a tenth for validation, at most 5,000.
        assert_eq!(plan(Quality::Balanced, 31_250, &things), (2, 42));
        assert_eq!(plan(Quality::Best, 31_250, &things), (2, 32));
        assert_eq!(plan(Quality::Fast, 31_250, &things), (0, 11));
        assert_eq!(plan(Quality::Balanced, 28_000, &things), (0, 22));
        assert_eq!(plan(Quality::Balanced, 31_250, &digits), (0, 21));
    }

    #[test]
    fn skewed_classes_are_weighted() {
        let mut config = presets::all()[0].config();
        assert_eq!(weigh(&mut config, &[19, 10]), None);
        assert!(config.loss.class_weights.is_empty());
        let note = weigh(&mut config, &[30, 10]).unwrap();
        assert_eq!(config.loss.class_weights, [40.0 / 60.0, 40.0 / 20.0]);
        assert!(note.contains("3.0 times") && note.contains("--class-weights"), "{note}");
    }

    #[test]
    fn of_two_classes_the_best_auc_is_kept() {
        let kept = |images, names: &[&str]| {
            choose(Quality::Balanced, &opened(ImageShape::grey(8, 8), images, names)).config.keep
        };
        // A tenth is for validation.
        assert_eq!(kept(1000, &["ill", "well"]), Keep::Auc);
        assert_eq!(kept(990, &["ill", "well"]), Keep::Last);
        assert_eq!(kept(1000, &["ill", "well", "dead"]), Keep::Last);
    }

    #[test]
    fn every_choice_is_said_with_the_option_that_changes_it() {
        for quality in [Quality::Fast, Quality::Balanced, Quality::Best] {
            let chosen = choose(quality, &opened(ImageShape::grey(9, 9), 50, &["x", "why"]));
            let notes: Vec<&str> = chosen.notes_on(&chosen.config).collect();
            for option in ["--quality", "--network", "--epochs", "--batch-size", "--augmentation"] {
                assert!(notes.iter().any(|note| note.contains(option)), "{option}: {notes:?}");
            }
        }
    }

    #[test]
    fn what_was_changed_is_not_said_to_be_chosen() {
        let chosen = choose(Quality::Fast, &opened(ImageShape::grey(9, 9), 50, &["x", "why"]));
        let config =
            Config { epochs: 3, augmentation: Augmentation::default(), ..chosen.config.clone() };
        let notes: Vec<&str> = chosen.notes_on(&config).collect();
        assert!(notes.len() == 2 && notes[0].contains("--network"), "{notes:?}");
        assert!(notes[1].starts_with("batches of 32, because"), "{notes:?}");
        let config = Config { batch_size: 7, ..chosen.config.clone() };
        let notes: Vec<&str> = chosen.notes_on(&config).collect();
        assert!(notes[1].contains(" epochs, because"), "{notes:?}");
        let config = Config { batch_size: 7, epochs: 3, ..chosen.config.clone() };
        assert!(chosen.notes_on(&config).all(|note| !note.contains("--epochs")));
    }

    #[test]
    fn what_is_set_aside_is_said() {
        let said = |images, test, validation| {
            let opened = opened(ImageShape::grey(8, 8), images, &["cat", "dog"]);
            let config = Config { test, validation, ..presets::all()[0].config() };
            set_aside(&config, &opened)
        };
        let both = "(--test and --validation change it)";
        for (images, test, validation, words) in [
            (
                240,
                48,
                24,
                format!("48 images are set aside for the test, 24 for validation {both}"),
            ),
            (8, 1, 0, format!("1 image is set aside for the test, none for validation {both}")),
            (
                4,
                0,
                0,
                format!(
                    "no images are set aside for the test or for validation, so that nothing measures the result: 4 images in \
                     all are few {both}"
                ),
            ),
        ] {
            assert_eq!(said(images, test, validation), Some(words));
        }
        let own = Opened {
            validation: Some(0..2),
            ..opened(ImageShape::grey(8, 8), 40, &["cat", "dog"])
        };
        let config = Config { test: 8, validation: 2, ..presets::all()[0].config() };
        let words = "8 images are set aside for the test (--test changes it)";
        assert_eq!(set_aside(&config, &own).as_deref(), Some(words));
    }

    #[test]
    fn a_training_from_a_model_heeds_the_data() {
        let base = presets::find("resnet").unwrap().config();
        let mut digits = opened(ImageShape::grey(8, 8), 2000, &["1", "2"]);
        let chosen = choose_for_model(base.clone(), &digits);
        assert_eq!(chosen.config.augmentation, presets::augmentation_of_signs(8));
        assert_eq!((chosen.config.test, chosen.config.validation), (400, 200));
        assert_eq!(chosen.config.network, base.network);
        assert!(chosen.config.loss.class_weights.is_empty());
        let labels = (0..2000).map(|index| u32::from(index % 10 == 0)).collect();
        let names = ["cat", "dog"].map(str::to_owned).to_vec();
        let shape = ImageShape::grey(8, 8);
        let skewed = Dataset::new("skewed", shape, vec![7; 2000 * 64], labels, names).unwrap();
        digits.train = Arc::new(skewed);
        let chosen = choose_for_model(base, &digits);
        assert_eq!(chosen.config.loss.class_weights.len(), 2);
        assert!(chosen.notes_on(&chosen.config).any(|note| note.contains("--class-weights")));
    }
}
