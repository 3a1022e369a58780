//! A training configuration from the command line: a preset, then a file, then single options, each over the last.

use crate::failure::Failure;
use crate::network_source::{is_toml, read_spec, read_text};
use crate::reading::{FormatSettings, ImageSettings, Switch};
use clap::{Args, ValueEnum};
use percept::data::sources::Reading;
use percept::nn::compute::Precision;
use percept::nn::schedule::Schedule;
use percept::train::automatic::Quality;
use percept::train::config::Config;
use percept::train::error::TrainError;
use percept::train::keep::Keep;
use percept::train::presets;
use std::cell::OnceCell;
use std::path::{Path, PathBuf};

/// What a person can set.
#[derive(Clone, Debug, Default, Args)]
#[group(id = "settings", multiple = true)]
pub(crate) struct Settings {
    /// `mnist` (inside the program, the default), a folder of pictures in class folders, or another data set; a name of
    /// `percept data list` once it was fetched
    #[arg(long, value_name = "NAME|DIR|FILE")]
    pub(crate) data: Option<String>,
    /// A preset with the training that suits it, fitted to the data (`percept show` lists them); or a network file (.toml).
    /// By default cnn for the digits inside the program, and for other data what suits them
    #[arg(short, long, value_name = "PRESET|FILE")]
    network: Option<String>,
    /// How good against how fast, where neither an option nor a file of settings names a network [default: balanced]
    #[arg(long, value_enum, conflicts_with = "network")]
    quality: Option<QualityName>,
    /// Settings from a file, such as the config.toml of an earlier run; it need not have all: the rest is as it would be
    /// without the file
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// What is in that file, once it was read
    #[arg(skip)]
    text: OnceCell<String>,
    /// Passes over the training images
    #[arg(long, value_name = "N")]
    pub(crate) epochs: Option<u32>,
    /// End the training when the validation accuracy reaches this after an epoch: `96%` or `0.96`
    #[arg(long, value_name = "ACCURACY", value_parser = accuracy)]
    stop_at: Option<f64>,
    /// Which epoch's weights become the model: the last one's, or those with the best validation accuracy, AUC or loss
    /// (by default the last one's; where no network is named and there are two classes, the best AUC's)
    #[arg(long, value_enum)]
    keep: Option<KeepName>,
    /// Images of a step
    #[arg(long, value_name = "N")]
    pub(crate) batch_size: Option<usize>,
    /// How far a step goes
    #[arg(long, value_name = "RATE")]
    learning_rate: Option<f64>,
    /// The rule of a step; its learning rate starts from a usual one
    #[arg(long, value_enum)]
    optimizer: Option<OptimizerName>,
    /// How the learning rate changes over the training
    #[arg(long, value_enum)]
    schedule: Option<ScheduleName>,
    /// Limit the length of the gradient
    #[arg(long, value_name = "NORM")]
    clip_norm: Option<f64>,
    /// Let classes with few images count as much as those with many (the default where they are skewed and no network is
    /// named), or every image alike
    #[arg(long, value_enum)]
    pub(crate) class_weights: Option<ClassWeights>,
    /// Training images that are set aside for validation, where the data have no validation part
    #[arg(long, value_name = "N")]
    pub(crate) validation: Option<usize>,
    /// Images that are set aside for the test at the end, where the data have no test part; by default a fifth
    #[arg(long, value_name = "N")]
    pub(crate) test: Option<usize>,
    /// Precision of the products' operands while training [default: auto]
    #[arg(long, value_enum)]
    precision: Option<PrecisionName>,
    /// Let 3x3 convolutions take Winograd's algorithm where it is faster (on by default)
    #[arg(long, value_enum)]
    winograd: Option<Switch>,
    /// Seed of all randomness: the same seed, the same network
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: Option<u64>,
}

/// Epochs to keep by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum KeepName {
    /// The last epoch
    Last,
    /// The highest validation accuracy
    Accuracy,
    /// The largest area under the ROC curve on the validation images
    Auc,
    /// The lowest validation loss
    Loss,
}

impl KeepName {
    fn keep(self) -> Keep {
        match self {
            Self::Last => Keep::Last,
            Self::Accuracy => Keep::Accuracy,
            Self::Auc => Keep::Auc,
            Self::Loss => Keep::Loss,
        }
    }
}

/// How much a class counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ClassWeights {
    /// In inverse proportion to its number of images
    Balanced,
    /// As many images as it has
    None,
}

/// Qualities by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum QualityName {
    /// A small network, for a first look
    Fast,
    /// What most people want
    Balanced,
    /// A larger network, trained for longer
    Best,
}

/// Optimizers by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OptimizerName {
    /// Stochastic gradient descent with Nesterov momentum 0.9
    Sgd,
    /// Adam
    Adam,
    /// Adam with decoupled weight decay
    #[value(name = "adamw")]
    AdamW,
    /// Orthogonal momentum for the matrices, AdamW for the rest
    Muon,
}

/// Schedules by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ScheduleName {
    /// Always the same
    Constant,
    /// A tenth after each third of the training
    Step,
    /// Down to zero along half a cosine
    Cosine,
    /// Up, then down, along cosines
    OneCycle,
    /// Down to zero in a straight line
    Linear,
}

/// Precisions by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PrecisionName {
    /// The faster one for the network on this processor (`percept info` says which)
    Auto,
    /// 32-bit floating point
    Fp32,
    /// Operands in 16 bits (bfloat16), sums and weights in 32
    Bf16,
}

impl PrecisionName {
    fn precision(self) -> Option<Precision> {
        match self {
            Self::Auto => None,
            Self::Fp32 => Some(Precision::Fp32),
            Self::Bf16 => Some(Precision::Bf16),
        }
    }
}

impl OptimizerName {
    fn toml(self) -> &'static str {
        match self {
            Self::Sgd => {
                "optimizer = { kind = 'sgd', learning_rate = 0.05, momentum = 0.9, nesterov = true }"
            }
            Self::Adam => "optimizer = { kind = 'adam' }",
            Self::AdamW => "optimizer = { kind = 'adamw' }",
            Self::Muon => "optimizer = { kind = 'muon' }",
        }
    }
}

impl ScheduleName {
    fn toml(self) -> &'static str {
        match self {
            Self::Constant => "schedule = { kind = 'constant' }",
            Self::Step => "schedule = { kind = 'step', every = 0.3333333333333333 }",
            Self::Cosine => "schedule = { kind = 'cosine' }",
            Self::OneCycle => "schedule = { kind = 'one_cycle' }",
            Self::Linear => "schedule = { kind = 'linear' }",
        }
    }
}

impl Settings {
    /// Nothing but the data, a network and a file of settings.
    pub(crate) fn of(data: &str, network: Option<&str>, file: Option<&Path>) -> Self {
        Self {
            data: Some(data.to_owned()),
            network: network.map(str::to_owned),
            config: file.map(Path::to_owned),
            ..Self::default()
        }
    }

    /// The configuration that was asked for, with what was said of the data and their images.
    ///
    /// # Errors
    /// Exit code 2, naming the file or option that cannot be used.
    pub(crate) fn config(
        &self,
        format: &FormatSettings,
        images: &ImageSettings,
    ) -> Result<Config, Failure> {
        self.config_over(self.with_network()?, format, images)
    }

    /// As [`config`](Self::config), with another configuration in the place of the preset.
    ///
    /// # Errors
    /// As [`config`](Self::config).
    pub(crate) fn config_over(
        &self,
        config: Config,
        format: &FormatSettings,
        images: &ImageSettings,
    ) -> Result<Config, Failure> {
        let mut config = self.overlay_options(self.over_file(config)?)?;
        config.images = images.over(format.over(&config.images));
        Ok(config)
    }

    /// `config` with what the file of settings says, where there is one.
    ///
    /// # Errors
    /// Exit code 2, naming the file, also where it names a network beside `--quality`.
    pub(crate) fn over_file(&self, config: Config) -> Result<Config, Failure> {
        let Some((name, text)) = self.file()? else { return Ok(config) };
        if self.quality.is_some() && Config::names(text, "network") {
            let message = format!("--quality chooses a network, but `{name}` names one");
            return Err(
                Failure::usage(message).hint("leave out --quality, or the network in the file")
            );
        }
        let mut config =
            config.overlaid(text).map_err(|error| Failure::from(error).about(&name))?;
        // A network that was named beside the file is meant.
        if self.network.is_some() {
            config.network = self.with_network()?.network;
        }
        Ok(config)
    }

    /// Name and text of the file of settings, which is read once: it may be a pipe.
    fn file(&self) -> Result<Option<(String, &str)>, Failure> {
        let Some(path) = &self.config else { return Ok(None) };
        let text = match self.text.get() {
            Some(text) => text,
            None => {
                let text = read_text(path).map_err(|failure| failure.hint("check the path"))?;
                self.text.get_or_init(|| text)
            }
        };
        Ok(Some((path.display().to_string(), text)))
    }

    /// Whether no network was named, neither by an option nor in the file of settings.
    ///
    /// # Errors
    /// Exit code 2, where the file cannot be read.
    pub(crate) fn leaves_the_choice(&self) -> Result<bool, Failure> {
        Ok(self.network.is_none() && !self.file_has("network")?)
    }

    /// Whether the file of settings says something of this.
    ///
    /// # Errors
    /// Exit code 2, where the file cannot be read.
    pub(crate) fn file_has(&self, name: &str) -> Result<bool, Failure> {
        Ok(self.file()?.is_some_and(|(_, text)| Config::names(text, name)))
    }

    /// Whether an option or the file of settings names the epoch to keep.
    ///
    /// # Errors
    /// Exit code 2, where the file cannot be read.
    pub(crate) fn says_what_to_keep(&self) -> Result<bool, Failure> {
        Ok(self.keep.is_some() || self.file_has("keep")?)
    }

    /// How good against how fast.
    pub(crate) fn quality(&self) -> Quality {
        match self.quality {
            Some(QualityName::Fast) => Quality::Fast,
            None | Some(QualityName::Balanced) => Quality::Balanced,
            Some(QualityName::Best) => Quality::Best,
        }
    }

    fn with_network(&self) -> Result<Config, Failure> {
        let name = self.network.as_deref().unwrap_or(self.quality().preset_for_digits());
        if let Some(preset) = presets::find(name) {
            return Ok(preset.config());
        }
        if !is_toml(Path::new(name)) {
            let names: Vec<&str> = presets::all().iter().map(|preset| preset.name).collect();
            let message = format!("`{name}` is neither a preset nor a network file (.toml)");
            let hint =
                format!("presets are {}; `percept show cnn --json` shows one", names.join(", "));
            return Err(Failure::usage(message).hint(hint));
        }
        let spec = read_spec(Path::new(name))?;
        Ok(Config { network: spec, ..presets::for_own_networks().config() })
    }

    /// `config` with the options that were given.
    ///
    /// # Errors
    /// Where a setting has no meaning for its optimizer or schedule.
    pub(crate) fn overlay_options(&self, mut config: Config) -> Result<Config, TrainError> {
        if let Some(optimizer) = self.optimizer {
            config = config.overlaid(optimizer.toml())?;
        }
        if let Some(schedule) = self.schedule {
            config = config.overlaid(schedule.toml())?;
        }
        if let Some(rate) = self.learning_rate {
            config.optimizer = config.optimizer.with_learning_rate(rate);
        }
        if let Some(data) = self.data.as_ref().filter(|data| **data != config.data) {
            // What was decided for other data is decided anew.
            config.images = Reading::default();
            config.steps = None;
            config.data.clone_from(data);
        }
        if let Some(epochs) = self.epochs {
            (config.epochs, config.steps) = (epochs, None);
        }
        config.stop_at = self.stop_at.or(config.stop_at);
        config.keep = self.keep.map_or(config.keep, KeepName::keep);
        config.batch_size = self.batch_size.unwrap_or(config.batch_size);
        config.validation = self.validation.unwrap_or(config.validation);
        config.test = self.test.unwrap_or(config.test);
        config.seed = self.seed.unwrap_or(config.seed);
        config.clip_norm = self.clip_norm.or(config.clip_norm);
        config.precision = self.precision.map_or(config.precision, PrecisionName::precision);
        config.winograd = self.winograd.map_or(config.winograd, |switch| switch == Switch::On);
        Ok(config)
    }
}

/// A share above 0 and up to 1, written so or in per cent.
fn accuracy(text: &str) -> Result<f64, String> {
    let (number, scale) = match text.strip_suffix('%') {
        Some(number) => (number.trim_end(), 100.0),
        None => (text, 1.0),
    };
    match number.parse::<f64>().map(|number| number / scale) {
        Ok(share) if share > 0.0 && share <= 1.0 => Ok(share),
        _ => Err("expected an accuracy such as `96%` or `0.96`".to_owned()),
    }
}

/// The `kind` of a setting that has one: `muon`, `linear`.
pub(crate) fn optimizer_kind(config: &Config) -> String {
    kind(toml::Value::try_from(&config.optimizer))
}

/// As [`optimizer_kind`], of the schedule.
pub(crate) fn schedule_kind(schedule: &Schedule) -> String {
    kind(toml::Value::try_from(schedule))
}

fn kind(value: Result<toml::Value, toml::ser::Error>) -> String {
    let value = value.ok();
    let kind = value.as_ref().and_then(|value| value.get("kind")?.as_str());
    kind.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn options_win_over_the_file_and_the_file_over_the_preset() {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(b"epochs = 7\nbatch_size = 50").expect("written");
        let settings = Settings {
            network: Some("lenet".into()),
            config: Some(file.path().to_owned()),
            batch_size: Some(9),
            optimizer: Some(OptimizerName::Sgd),
            schedule: Some(ScheduleName::Cosine),
            learning_rate: Some(0.25),
            ..Settings::default()
        };
        let config = settings
            .config(&FormatSettings::default(), &ImageSettings::default())
            .expect("a configuration");
        assert_eq!((config.epochs, config.batch_size), (7, 9));
        assert_eq!(config.network.name, "lenet");
        assert_eq!(
            (optimizer_kind(&config).as_str(), config.optimizer.learning_rate()),
            ("sgd", 0.25)
        );
        assert_eq!(schedule_kind(&config.schedule), "cosine");
    }

    #[test]
    fn an_accuracy_is_a_share_or_in_per_cent() {
        for (text, share) in [("0.96", 0.96), ("96%", 0.96), ("99.5 %", 0.995), ("1", 1.0)] {
            assert_eq!(accuracy(text), Ok(share));
        }
        for text in ["96", "0", "0%", "101%", "-0.5", "NaN", "%", "high"] {
            assert!(accuracy(text).is_err(), "{text}");
        }
    }

    #[test]
    fn every_named_optimizer_and_schedule_can_be_read() {
        let config = presets::all()[0].config();
        for name in OptimizerName::value_variants() {
            config
                .overlaid(name.toml())
                .expect("an optimizer")
                .optimizer
                .validate()
                .expect("valid");
        }
        for name in ScheduleName::value_variants() {
            config.overlaid(name.toml()).expect("a schedule").schedule.validate().expect("valid");
        }
    }
}
