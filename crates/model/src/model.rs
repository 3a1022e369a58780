//! The model file: what a user keeps.

use crate::atomic;
use crate::container::{self, Container, Prepared};
use crate::error::{Kind, ModelError, quoted};
use crate::metadata::{Metadata, wrong};
use crate::provenance::Provenance;
use crate::tensor::{self, Tensor};
use percept_nn::parameter::{Buffer, Parameter};
use percept_nn::spec::NetworkSpec;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::path::Path;

const IN_MEMORY: &str = "the model in memory";
const VALIDATION: &str = "validation_accuracy";
const TEST: &str = "test_accuracy";

/// A trained network with all that is needed to use it, and where it comes from.
///
/// ```
/// use percept_model::model::Model;
/// # use percept_model::{provenance::*, tensor::Tensor};
/// # use percept_nn::spec::NetworkSpec;
/// # let spec = NetworkSpec::from_toml("input = [1, 1, 2]\nlayers = [{ kind = \"dense\", out_features = 2 }]").unwrap();
/// # let data = DataFingerprint { description: "two points".into(), sha256: "0".repeat(64) };
/// # let tensor = |name: &str, shape: &[usize], data| Tensor { name: name.into(), shape: shape.to_vec(), data };
/// # let model = Model {
/// #     spec,
/// #     tensors: vec![tensor("dense1.weight", &[2, 2], vec![1.0; 4]), tensor("dense1.bias", &[2], vec![0.0; 2])],
/// #     class_names: vec!["left".into(), "right".into()],
/// #     preprocessing: serde_json::json!({}),
/// #     provenance: Provenance { percept_version: "0.1.0".into(), created_by: "an example".into(), seed: 1, data,
/// #         epochs: 1, steps: 1, config: String::new(), validation: None, test: None },
/// # };
/// let bytes = model.to_bytes()?;
/// assert_eq!(Model::from_bytes(&bytes)?, model);
/// # Ok::<(), percept_model::error::ModelError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Model<Weights = Vec<Tensor>> {
    /// The network.
    pub spec: NetworkSpec,
    /// Parameters and buffers, in the network's order; `()` where a [`Network`](percept_nn::network::Network) holds them.
    pub tensors: Weights,
    /// Name of each class, in the order of the outputs; at least one, no two the same.
    pub class_names: Vec<String>,
    /// What is done to an image before the network sees it, in the form that the caller gives it.
    pub preprocessing: serde_json::Value,
    /// How the weights came to be.
    pub provenance: Provenance,
}

impl Model {
    /// Reads a model file.
    ///
    /// # Errors
    /// Every variant of [`ModelError`] but [`ModelError::Write`], naming `path`. Whether the tensors fit the spec is
    /// checked by [`restore`](Self::restore).
    pub fn read(path: &Path) -> Result<Self, ModelError> {
        let origin = path.display().to_string();
        Self::from_container(&origin, container::read_file(path, Kind::Model)?)
    }

    /// Reads a model from the bytes of a file.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        let origin = "the model's bytes";
        let container = container::read(origin, bytes, bytes.len() as u64, Kind::Model)?;
        Self::from_container(origin, container)
    }

    /// Writes the model, [replacing](atomic::replace) what is at `path` as a whole or not at all.
    ///
    /// # Errors
    /// A model that [`from_bytes`](Self::from_bytes) would refuse; else as [`atomic::replace`].
    pub fn write(&self, path: &Path) -> Result<(), ModelError> {
        let prepared = self.prepared()?;
        atomic::replace(path, |to| prepared.write(to))
    }

    /// The bytes of the file: the same for equal models.
    ///
    /// # Errors
    /// A model that [`from_bytes`](Self::from_bytes) would refuse.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ModelError> {
        Ok(self.prepared()?.bytes())
    }

    /// Copies the weights into a network's flat lists, if they are exactly those that it needs.
    /// `origin` says in errors where the model came from, usually its path.
    ///
    /// # Errors
    /// As [`tensor::fit`]; then nothing has been copied.
    ///
    /// # Panics
    /// As [`tensor::restore`].
    pub fn restore(
        &self,
        origin: &str,
        parameters: (&[Parameter], &mut [f32]),
        buffers: (&[Buffer], &mut [f32]),
    ) -> Result<(), ModelError> {
        tensor::restore(origin, &self.tensors, parameters, buffers)
    }

    /// The [hash](tensor::weight_hash) of all weights and buffers.
    #[must_use]
    pub fn weight_hash(&self) -> String {
        tensor::weight_hash(&self.tensors)
    }

    fn prepared(&self) -> Result<Prepared<'_>, ModelError> {
        check_class_names(IN_MEMORY, &self.class_names)?;
        check_accuracies(IN_MEMORY, &self.provenance)?;
        let mut metadata = Metadata::of_kind(Kind::Model);
        metadata.put("spec", self.spec.to_toml());
        metadata.put_json("class_names", &self.class_names);
        metadata.put_json("preprocessing", &self.preprocessing);
        put_provenance(&mut metadata, &self.provenance);
        Prepared::new(IN_MEMORY, metadata, &self.tensors)
    }

    fn from_container(origin: &str, container: Container) -> Result<Self, ModelError> {
        let Container { metadata, tensors } = container;
        Ok(Model::described(origin, &metadata)?.with_tensors(tensors))
    }

    /// Takes the tensors away.
    #[must_use]
    pub fn without_tensors(self) -> Model<()> {
        self.with_tensors(())
    }
}

impl Model<()> {
    /// The model that the metadata describe, without its tensors.
    pub(crate) fn described(origin: &str, metadata: &Metadata) -> Result<Self, ModelError> {
        let class_names: Vec<String> = metadata.json(origin, "class_names")?;
        check_class_names(origin, &class_names)?;
        Ok(Self {
            spec: metadata.spec(origin)?,
            tensors: (),
            class_names,
            preprocessing: metadata.json(origin, "preprocessing")?,
            provenance: provenance(origin, metadata)?,
        })
    }
}

impl<Weights> Model<Weights> {
    /// What is done to an image before the network sees it, as the caller's own type. `origin` says in errors where
    /// the model came from, usually its path.
    ///
    /// # Errors
    /// [`ModelError::Metadata`] where `preprocessing` is not of that type.
    pub fn preprocessing_as<T: DeserializeOwned>(&self, origin: &str) -> Result<T, ModelError> {
        T::deserialize(&self.preprocessing).map_err(|cause| {
            let reason = "its JSON cannot be used".to_owned();
            wrong(origin, "preprocessing", reason, Some(cause.into()))
        })
    }

    fn with_tensors<New>(self, tensors: New) -> Model<New> {
        let Self { spec, class_names, preprocessing, provenance, .. } = self;
        Model { spec, tensors, class_names, preprocessing, provenance }
    }
}

fn check_class_names(origin: &str, names: &[String]) -> Result<(), ModelError> {
    let mut seen = BTreeSet::new();
    let reason = match names.iter().find(|name| !seen.insert(*name)) {
        Some(twice) => format!("expected different names, found {} twice", quoted(twice)),
        None if names.is_empty() => "expected at least one class, found none".to_owned(),
        None => return Ok(()),
    };
    Err(wrong(origin, "class_names", reason, None))
}

fn check_accuracies(origin: &str, provenance: &Provenance) -> Result<(), ModelError> {
    for (key, accuracy) in [(VALIDATION, &provenance.validation), (TEST, &provenance.test)] {
        if let Some(wrong_one) = accuracy.filter(|accuracy| !accuracy.is_possible()) {
            let reason = format!("expected right answers among all answers, found {wrong_one:?}");
            return Err(wrong(origin, key, reason, None));
        }
    }
    Ok(())
}

fn put_provenance(metadata: &mut Metadata, provenance: &Provenance) {
    metadata.put("percept_version", &provenance.percept_version);
    metadata.put("created_by", &provenance.created_by);
    metadata.put("seed", provenance.seed);
    metadata.put_json("data", &provenance.data);
    metadata.put("epochs", provenance.epochs);
    metadata.put("steps", provenance.steps);
    metadata.put("config", &provenance.config);
    metadata.put_json(VALIDATION, &provenance.validation);
    metadata.put_json(TEST, &provenance.test);
}

fn provenance(origin: &str, metadata: &Metadata) -> Result<Provenance, ModelError> {
    let provenance = Provenance {
        percept_version: metadata.text(origin, "percept_version")?.to_owned(),
        created_by: metadata.text(origin, "created_by")?.to_owned(),
        seed: metadata.number(origin, "seed")?,
        data: metadata.json(origin, "data")?,
        epochs: metadata.number(origin, "epochs")?,
        steps: metadata.number(origin, "steps")?,
        config: metadata.text(origin, "config")?.to_owned(),
        validation: metadata.json(origin, VALIDATION)?,
        test: metadata.json(origin, TEST)?,
    };
    check_accuracies(origin, &provenance)?;
    Ok(provenance)
}
