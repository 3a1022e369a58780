//! Everything that decides a training run, as one value that is written to and read from TOML.

use crate::error::TrainError;
use crate::keep::Keep;
use crate::transfer::Transfer;
use percept_data::Augmentation;
use percept_data::sources::Reading;
use percept_kernels::isa::Isa;
use percept_nn::average::AverageSettings;
use percept_nn::compute::{Compute, Precision};
use percept_nn::describe::Description;
use percept_nn::engine::{Engine, EngineSettings};
use percept_nn::loss::LossSettings;
use percept_nn::network::Network;
use percept_nn::optim::OptimizerSpec;
use percept_nn::schedule::Schedule;
use percept_nn::spec::NetworkSpec;
use serde::{Deserialize, Serialize};

/// A training run before it starts. Two runs with equal configurations end with the same bits on the same kind of
/// processor, whatever the number of threads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `mnist` (inside the program), or a folder or file with image data.
    pub data: String,
    /// Passes over the training examples, at least 1.
    pub epochs: u32,
    /// Steps after which the run is over, at least 1, where that is before the end of all epochs: what a time too short for
    /// an epoch leaves. The schedule ends there too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// The validation accuracy, above 0 and up to 1, at which the run is over before all epochs are done. The schedule
    /// stretches over all epochs nevertheless.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_at: Option<f64>,
    /// Which epoch's weights become the model.
    #[serde(default, skip_serializing_if = "is_last")]
    pub keep: Keep,
    /// Examples of a step, at least 1.
    pub batch_size: usize,
    /// Examples that a thread takes at once, and that batch normalisation sees together.
    pub chunk_size: usize,
    /// Gradients that are summed up side by side: the most threads that a step can use.
    pub lanes: usize,
    /// Training examples that are set aside for validation, where the data have no validation part.
    pub validation: usize,
    /// Examples that are set aside for the test at the end, where the data have no test part.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub test: usize,
    /// Seed of all randomness. TOML has no numbers above 2^63 - 1.
    pub seed: u64,
    /// The precision of the operands of matrix products while training; the faster one of the processor where there is
    /// none, which a run writes down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<Precision>,
    /// Whether 3x3 convolutions may take Winograd's algorithm where it is faster.
    #[serde(default = "yes")]
    pub winograd: bool,
    /// The greatest norm of the gradient, where it is limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f64>,
    /// The optimizer and its learning rate.
    pub optimizer: OptimizerSpec,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// Label smoothing and class weights.
    #[serde(default)]
    pub loss: LossSettings,
    /// The moving average of the weights, where one is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average: Option<AverageSettings>,
    /// Random changes of the training images.
    #[serde(default)]
    pub augmentation: Augmentation,
    /// The model that the training starts from, where there is one, and how it goes on from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<Transfer>,
    /// How the data are read, and what pictures become; what is left out is decided by looking at them.
    #[serde(default, skip_serializing_if = "is_open")]
    pub images: Reading,
    /// The network.
    pub network: NetworkSpec,
}

impl Config {
    /// Reads a configuration.
    ///
    /// # Errors
    /// [`TrainError::Config`] with the line and column of what is wrong.
    pub fn from_toml(text: &str) -> Result<Self, TrainError> {
        toml::from_str(text).map_err(|error| TrainError::Config { reason: error.to_string() })
    }

    /// Writes the configuration; [`from_toml`](Self::from_toml) reads an equal one.
    ///
    /// # Errors
    /// [`TrainError::Config`] where the seed is beyond what TOML can hold.
    pub fn to_toml(&self) -> Result<String, TrainError> {
        toml::to_string(self).map_err(|error| TrainError::Config { reason: error.to_string() })
    }

    /// This configuration with the settings that `text` has in their place. Tables are merged key by key; one with
    /// another `kind` takes the old one's place, and so does `network`.
    ///
    /// # Errors
    /// [`TrainError::Config`] where the text is not TOML or a setting is unknown or out of its type.
    pub fn overlaid(&self, text: &str) -> Result<Self, TrainError> {
        let reason = |error: toml::de::Error| TrainError::Config { reason: error.to_string() };
        let over: toml::Table = text.parse().map_err(reason)?;
        let mut base: toml::Table = self.to_toml()?.parse().map_err(reason)?;
        for (key, value) in over {
            overlay(&mut base, key, value);
        }
        base.try_into().map_err(reason)
    }

    /// Whether a text of settings has something of this name: `network`, `validation`.
    #[must_use]
    pub fn names(text: &str, name: &str) -> bool {
        text.parse::<toml::Table>().is_ok_and(|table| table.contains_key(name))
    }

    /// How the arithmetic is done on an instruction set.
    #[must_use]
    pub fn compute(&self, isa: Isa) -> Compute {
        // A network that cannot be is refused where it is made.
        let fastest = || match Description::new(&self.network) {
            Ok(network) => Precision::fastest(isa, &network),
            Err(_) => Precision::default(),
        };
        let precision = self.precision.unwrap_or_else(fastest);
        Compute { isa, precision, winograd: self.winograd }
    }

    /// Steps of one epoch over `examples` training examples; the last batch of an epoch may be smaller.
    #[must_use]
    pub fn steps_per_epoch(&self, examples: usize) -> u64 {
        examples.div_ceil(self.batch_size.max(1)) as u64
    }

    /// Steps of the whole training.
    #[must_use]
    pub fn total_steps(&self, examples: usize) -> u64 {
        let all = self.steps_per_epoch(examples).saturating_mul(u64::from(self.epochs));
        self.steps.map_or(all, |steps| steps.min(all))
    }

    /// The engine that trains a network as configured, on so many examples.
    pub(crate) fn engine(
        &self,
        network: Network,
        examples: usize,
        isa: Isa,
        threads: usize,
    ) -> Result<Engine, TrainError> {
        if self.optimizer.learning_rate() == 0.0 {
            let reason = "the learning rate must be above 0, found 0: nothing would be learned (--learning-rate)";
            return Err(TrainError::Config { reason: reason.to_owned() });
        }
        let steps = self.total_steps(examples);
        let trunk = self.transfer.as_ref().map(|t| t.trunk(network.description(), steps));
        let engine = Engine::new(network, self.engine_settings(examples, isa, threads))?;
        Ok(match trunk.transpose()? {
            Some(trunk) => engine.with_trunk(trunk)?,
            None => engine,
        })
    }

    fn engine_settings(&self, examples: usize, isa: Isa, threads: usize) -> EngineSettings {
        EngineSettings {
            compute: self.compute(isa),
            threads,
            // No batch is larger than the data, whatever was asked for.
            batch_size: self.batch_size.min(examples),
            chunk_size: self.chunk_size,
            lanes: self.lanes,
            loss: self.loss.clone(),
            optimizer: self.optimizer.clone(),
            clip_norm: self.clip_norm,
            average: self.average,
            seed: self.seed,
        }
    }
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

fn is_last(keep: &Keep) -> bool {
    *keep == Keep::Last
}

fn is_open(reading: &Reading) -> bool {
    *reading == Reading::default()
}

fn yes() -> bool {
    true
}

fn overlay(base: &mut toml::Table, key: String, value: toml::Value) {
    match (base.get_mut(&key), value) {
        (Some(toml::Value::Table(old)), toml::Value::Table(new))
            if key != "network"
                && (!new.contains_key("kind") || new.get("kind") == old.get("kind")) =>
        {
            for (key, value) in new {
                overlay(old, key, value);
            }
        }
        (_, value) => {
            base.insert(key, value);
        }
    }
}
