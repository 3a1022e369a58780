//! What can be timed: a network with the training that suits it.

use crate::config::Config;
use crate::presets;
use percept_nn::loss::LossSettings;
use percept_nn::optim::{OptimizerSpec, Sgd};
use percept_nn::spec::NetworkSpec;

/// Where a workload comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A preset, trained as the preset says.
    Preset,
    /// A network that `bench/peers` compares with other programs: batches of 128, momentum.
    Comparison,
    /// A network of somebody's own, trained as the comparisons are.
    Own,
}

/// A network and how it is trained.
#[derive(Clone, Debug)]
pub struct Workload {
    /// What it is called.
    pub name: String,
    /// Where it comes from.
    pub kind: Kind,
    /// Batch, chunks, lanes, optimizer and network; the data it names are not read.
    pub config: Config,
}

/// The networks of `bench/peers`: name, examples of a chunk, text.
const COMPARISONS: [(&str, usize, &str); 4] = [
    ("bench-mlp", 32, include_str!("../../networks/mlp.toml")),
    ("bench-lenet", 32, include_str!("../../networks/lenet.toml")),
    ("bench-cnn", 16, include_str!("../../networks/cnn.toml")),
    ("bench-resnet20", 16, include_str!("../../networks/resnet20.toml")),
];

/// The presets that are timed where nobody names one.
const PRESETS: [&str; 3] = ["mlp", "lenet", "cnn"];

/// Examples of a step of what is no preset.
const BATCH: usize = 128;

impl Workload {
    /// Those that are timed where nobody names one.
    #[must_use]
    pub fn standard() -> Vec<Self> {
        let comparisons = COMPARISONS.iter().map(|(name, ..)| *name);
        PRESETS.into_iter().chain(comparisons).filter_map(Self::find).collect()
    }

    /// The names that [`find`](Self::find) knows.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        let presets = presets::all().iter().map(|preset| preset.name);
        presets.chain(COMPARISONS.iter().map(|(name, ..)| *name)).collect()
    }

    /// The preset or comparison of that name.
    ///
    /// # Panics
    /// Never: a test reads every network.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        if let Some(preset) = presets::find(name) {
            let config = preset.config();
            return Some(Self { name: name.to_owned(), kind: Kind::Preset, config });
        }
        let (name, chunk, text) = COMPARISONS.iter().find(|(known, ..)| *known == name)?;
        let spec = NetworkSpec::from_toml(text).expect("networks are read by a test");
        let config = momentum_on(spec, *chunk);
        Some(Self { name: (*name).to_owned(), kind: Kind::Comparison, config })
    }

    /// A network of somebody's own.
    #[must_use]
    pub fn own(name: &str, spec: NetworkSpec) -> Self {
        Self { name: name.to_owned(), kind: Kind::Own, config: momentum_on(spec, 16) }
    }
}

/// The training that the comparisons have.
fn momentum_on(network: NetworkSpec, chunk_size: usize) -> Config {
    Config {
        batch_size: BATCH,
        chunk_size,
        lanes: BATCH.div_ceil(chunk_size),
        clip_norm: None,
        optimizer: OptimizerSpec::Sgd(Sgd { learning_rate: 0.01, ..Sgd::default() }),
        loss: LossSettings::default(),
        average: None,
        network,
        // What is left decides what is learned, not how long a step takes.
        ..presets::all()[0].config()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use percept_nn::describe::Description;

    #[test]
    fn every_name_is_a_network() {
        for name in Workload::names() {
            let workload = Workload::find(name).unwrap();
            assert_eq!(workload.name, name);
            let description = Description::new(&workload.config.network).unwrap();
            assert_eq!(description.output.len(), 10, "{name}");
        }
        assert_eq!(Workload::standard().len(), 7);
        assert!(Workload::find("nothing").is_none());
    }
}
