//! The checkpoint file: everything needed to go on as if training had never stopped.

use crate::atomic;
use crate::container::{self, Container, Prepared};
use crate::error::{Kind, ModelError, quoted};
use crate::metadata::{Metadata, wrong};
use crate::provenance::DataFingerprint;
use crate::tensor::Tensor;
use percept_nn::spec::NetworkSpec;
use std::collections::BTreeMap;
use std::path::Path;

const IN_MEMORY: &str = "the checkpoint in memory";
const NUMBER: &str = "number/";
const TEXT: &str = "text/";

/// Names of the groups of tensors, as they begin the names in the file.
const GROUPS: [&str; 5] = ["parameter/", "buffer/", "optimizer/", "average/", "best/"];

/// A training run at rest between two steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// The network.
    pub spec: NetworkSpec,
    /// Learned tensors.
    pub parameters: Vec<Tensor>,
    /// Tensors that are not learned, such as running statistics.
    pub buffers: Vec<Tensor>,
    /// The optimizer's state, under names of its own: `momentum/conv1.weight`.
    pub optimizer: Vec<Tensor>,
    /// The moving average of the weights; empty where none is kept.
    pub average: Vec<Tensor>,
    /// Parameters and buffers of the best epoch so far; empty where none is kept.
    pub best: Vec<Tensor>,
    /// Version of percept that is training.
    pub percept_version: String,
    /// Updates done.
    pub step: u64,
    /// Epochs completed.
    pub epoch: u64,
    /// Seed of all randomness.
    pub seed: u64,
    /// The data, which must be the same to go on.
    pub data: DataFingerprint,
    /// The training configuration, as its TOML text.
    pub config: String,
    /// What has been recorded so far, in the caller's form.
    pub history: String,
    /// Further numbers by name, kept to the bit (NaN as NaN): the best validation loss and the like.
    pub numbers: BTreeMap<String, f64>,
    /// Further texts by name, in the caller's form.
    pub texts: BTreeMap<String, String>,
}

impl Checkpoint {
    /// Reads a checkpoint file.
    ///
    /// # Errors
    /// Every variant of [`ModelError`] but [`ModelError::Write`], naming `path`. Whether the tensors fit the spec is
    /// checked by [`tensor::restore`](crate::tensor::restore).
    pub fn read(path: &Path) -> Result<Self, ModelError> {
        let origin = path.display().to_string();
        Self::from_container(&origin, container::read_file(path, Kind::Checkpoint)?)
    }

    /// Reads a checkpoint from the bytes of a file.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        let origin = "the checkpoint's bytes";
        let container = container::read(origin, bytes, bytes.len() as u64, Kind::Checkpoint)?;
        Self::from_container(origin, container)
    }

    /// Writes the checkpoint, [replacing](atomic::replace) the one at `path` only once the new one is safe on the disk.
    ///
    /// # Errors
    /// A checkpoint that [`from_bytes`](Self::from_bytes) would refuse, one with numbers that are not finite among
    /// them: the last good one stays. Else as [`atomic::replace`].
    pub fn write(&self, path: &Path) -> Result<(), ModelError> {
        let tensors = self.tensors();
        let prepared = Prepared::new(IN_MEMORY, self.metadata(), &tensors)?;
        atomic::replace(path, |to| prepared.write(to))
    }

    /// The bytes of the file: the same for equal checkpoints.
    ///
    /// # Errors
    /// A checkpoint that [`from_bytes`](Self::from_bytes) would refuse.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ModelError> {
        Ok(Prepared::new(IN_MEMORY, self.metadata(), &self.tensors())?.bytes())
    }

    /// All tensors, as they are named in the file.
    fn tensors(&self) -> Vec<Tensor> {
        let groups = [&self.parameters, &self.buffers, &self.optimizer, &self.average, &self.best];
        let named = GROUPS.iter().zip(groups);
        named.flat_map(|(group, tensors)| tensors.iter().map(|t| in_group(group, t))).collect()
    }

    fn metadata(&self) -> Metadata {
        let mut metadata = Metadata::of_kind(Kind::Checkpoint);
        metadata.put("spec", self.spec.to_toml());
        metadata.put("percept_version", &self.percept_version);
        metadata.put("step", self.step);
        metadata.put("epoch", self.epoch);
        metadata.put("seed", self.seed);
        metadata.put_json("data", &self.data);
        metadata.put("config", &self.config);
        metadata.put("history", &self.history);
        for (name, number) in &self.numbers {
            // Rust prints as many digits as it takes to read the same number back.
            metadata.put(&format!("{NUMBER}{name}"), number);
        }
        for (name, text) in &self.texts {
            metadata.put(&format!("{TEXT}{name}"), text);
        }
        metadata
    }

    fn from_container(origin: &str, container: Container) -> Result<Self, ModelError> {
        let Container { metadata, tensors } = container;
        let [parameters, buffers, optimizer, average, best] = split(origin, tensors)?;
        let texts = metadata.group(TEXT).map(|(name, text)| (name.to_owned(), text.to_owned()));
        Ok(Self {
            spec: metadata.spec(origin)?,
            parameters,
            buffers,
            optimizer,
            average,
            best,
            percept_version: metadata.text(origin, "percept_version")?.to_owned(),
            step: metadata.number(origin, "step")?,
            epoch: metadata.number(origin, "epoch")?,
            seed: metadata.number(origin, "seed")?,
            data: metadata.json(origin, "data")?,
            config: metadata.text(origin, "config")?.to_owned(),
            history: metadata.text(origin, "history")?.to_owned(),
            numbers: numbers(origin, &metadata)?,
            texts: texts.collect(),
        })
    }
}

fn in_group(group: &str, tensor: &Tensor) -> Tensor {
    Tensor { name: format!("{group}{}", tensor.name), ..tensor.clone() }
}

/// Sorts tensors into their groups and takes the group's name away.
fn split(origin: &str, tensors: Vec<Tensor>) -> Result<[Vec<Tensor>; GROUPS.len()], ModelError> {
    let mut groups: [Vec<Tensor>; GROUPS.len()] = Default::default();
    for mut tensor in tensors {
        let Some(group) = GROUPS.iter().position(|group| tensor.name.starts_with(group)) else {
            let origin = origin.to_owned();
            return Err(ModelError::UnknownTensor {
                origin,
                tensor: tensor.name,
                found: tensor.shape,
            });
        };
        tensor.name.drain(..GROUPS[group].len());
        groups[group].push(tensor);
    }
    Ok(groups)
}

fn numbers(origin: &str, metadata: &Metadata) -> Result<BTreeMap<String, f64>, ModelError> {
    let parse = |(name, text): (&str, &str)| match text.parse() {
        Ok(number) => Ok((name.to_owned(), number)),
        Err(_) => {
            let reason = format!("expected a number, found {}", quoted(text));
            Err(wrong(origin, &format!("{NUMBER}{name}"), reason, None))
        }
    };
    metadata.group(NUMBER).map(parse).collect()
}
