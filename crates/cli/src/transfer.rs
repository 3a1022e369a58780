//! `percept train --from MODEL`: training that starts from a model.

use crate::augmentation::AugmentationSettings;
use crate::failure::Failure;
use crate::fitting::{as_said, tell, with_what_was_said};
use crate::number::{counted, grouped};
use crate::reading::{FormatSettings, ImageSettings};
use crate::settings::Settings;
use crate::{opened_model, safe_text};
use clap::Args;
use percept::data::sources::Reading;
use percept::data::{Decoding, check};
use percept::train::automatic;
use percept::train::config::Config;
use percept::train::keep::Keep;
use percept::train::presets;
use percept::train::session::LoadedModel;
use percept::train::sources::{self, Opened};
use percept::train::transfer::{self, Head, Transfer};
use std::path::{Path, PathBuf};

/// An epoch has at least so many steps, as long as a step keeps [`SMALLEST_BATCH`] images.
const STEPS_OF_AN_EPOCH: usize = 8;
const SMALLEST_BATCH: usize = 32;
/// A training has at least so many steps.
const FEWEST_STEPS: u64 = 300;

/// What a person can say of the model to start from.
#[derive(Clone, Debug, Default, Args)]
#[group(id = "transfer-settings", multiple = true)]
pub(crate) struct TransferSettings {
    /// Start from a model: its network, weights, preparation of pictures and training, with a new last layer for other classes
    #[arg(long, value_name = "MODEL", requires = "data", conflicts_with_all = ["network", "quality", "image-settings"])]
    pub(crate) from: Option<PathBuf>,
    /// With --from: the first share of the training, in which only the last layer learns [default: 0.1, or 0 for the model's classes]
    #[arg(long, value_name = "SHARE", requires = "from")]
    frozen: Option<f64>,
    /// With --from: what the learning rates of the layers before are multiplied by afterwards [default: 0.3]
    #[arg(long, value_name = "FACTOR", requires = "from")]
    trunk_rate: Option<f64>,
}

impl TransferSettings {
    /// The model, and the training that goes on from it on other data: what depends on the data is chosen for them, but
    /// for what was said.
    ///
    /// # Errors
    /// Exit code 5 where the model cannot be used, else as [`Settings::config`] and for data that do not fit the model.
    pub(crate) fn prepared(
        &self,
        path: &Path,
        settings: &Settings,
        augmentation: &AugmentationSettings,
        format: &FormatSettings,
        decoding: &Decoding,
    ) -> Result<(LoadedModel, Config, Opened), Failure> {
        let model = opened_model::open(path, decoding.threads)?;
        let base = base(&model);
        let mut config = settings.config_over(base.clone(), format, &ImageSettings::default())?;
        let Reading { format, columns, .. } = config.images;
        let reading = Reading { format, columns, ..Reading::default() };
        let sizing = model.preprocessing.sizing();
        let mut opened = sources::open_for(&config.data, &reading, sizing, decoding)?;
        config.images = opened.reading.clone();
        if config.data != "mnist" {
            opened.notes.extend(check::quick(&opened.train));
        }
        let chosen = automatic::choose_for_model(base, &opened);
        let mut config = with_what_was_said(&chosen, config, settings)?;
        as_said(&mut config, settings, augmentation, &opened);
        let classes = opened.train.class_names();
        config.network = transfer::network_for(&model.model.spec, classes.len())?;
        let learned = self.transfer(&model, &config, classes);
        opened.notes.push(taken_over(path, &model, classes, &learned));
        config.transfer = Some(learned);
        tell(&config, Some(&chosen), &mut opened);
        opened.notes.extend(lengthen(&mut config, &opened, settings));
        Ok((model, config, opened))
    }

    fn transfer(&self, model: &LoadedModel, config: &Config, classes: &[String]) -> Transfer {
        let usual = Transfer::of(model, classes);
        let (frozen, trunk_rate) = match &config.transfer {
            Some(written) => (written.frozen, written.trunk_rate),
            None => (usual.frozen, usual.trunk_rate),
        };
        Transfer {
            frozen: self.frozen.unwrap_or(frozen),
            trunk_rate: self.trunk_rate.unwrap_or(trunk_rate),
            ..usual
        }
    }
}

/// The training that made the model, without what belongs to its own data; where it is not known, that of networks of
/// one's own.
fn base(model: &LoadedModel) -> Config {
    let config = Config::from_toml(&model.model.provenance.config);
    let config = config.unwrap_or_else(|_| presets::for_own_networks().config());
    let mut config = Config {
        steps: None,
        stop_at: None,
        keep: Keep::Last,
        test: 0,
        precision: None,
        transfer: None,
        images: Reading::default(),
        network: model.model.spec.clone(),
        ..config
    };
    config.loss.class_weights.clear();
    config
}

/// Gives a training on few images steps enough, and says so.
fn lengthen(config: &mut Config, opened: &Opened, settings: &Settings) -> Option<String> {
    let set_aside =
        config.test + opened.validation.as_ref().map_or(config.validation, ExactSizeIterator::len);
    let images = opened.train.len().saturating_sub(set_aside);
    let before = (config.batch_size, config.epochs);
    if settings.batch_size.is_none() {
        while config.batch_size >= 2 * SMALLEST_BATCH
            && images < STEPS_OF_AN_EPOCH * config.batch_size
        {
            config.batch_size /= 2;
        }
        config.chunk_size = config.chunk_size.min(config.batch_size);
    }
    if settings.epochs.is_none() {
        let needed = FEWEST_STEPS.div_ceil(config.steps_per_epoch(images).max(1));
        config.epochs = config.epochs.max(needed as u32);
    }
    (before != (config.batch_size, config.epochs)).then(|| {
        format!(
            "{} with {} a step, as there are few (--epochs, --batch-size)",
            counted(u64::from(config.epochs), "epoch"),
            counted(config.batch_size as u64, "image")
        )
    })
}

/// What is taken over, in a line.
fn taken_over(path: &Path, model: &LoadedModel, classes: &[String], learned: &Transfer) -> String {
    let name = safe_text::one_line(&path.display().to_string());
    let values = grouped(model.network.values().len() as u64);
    let frozen = learned.frozen * 100.0;
    match Head::for_classes(model, classes) {
        Head::Kept => {
            format!("starts from {name}: all {values} weights, as the classes are the same")
        }
        Head::New => format!(
            "starts from {name}: all weights but the last layer's, which learns alone in the first {frozen:.0} % of the steps \
             (--frozen), the others then with {} times its rate (--trunk-rate)",
            learned.trunk_rate
        ),
    }
}
