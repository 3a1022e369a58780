//! A model file opened for use.

use crate::error::TrainError;
use crate::evaluator::Evaluator;
use crate::saved::check_tensors;
use percept_data::{Dataset, Part, Preprocessing};
use percept_eval::predictions::Predictions;
use percept_kernels::isa::Isa;
use percept_model::model::Model;
use percept_model::model_file::ModelFile;
use percept_model::tensor::network_hash;
use percept_nn::describe::Description;
use percept_nn::error::SpecError;
use percept_nn::network::Network;
use std::path::Path;
use std::sync::Arc;

/// A model with its network made ready to predict.
#[derive(Debug)]
pub struct LoadedModel {
    /// What the file holds besides the weights.
    pub model: Model<()>,
    /// What is done to a picture before the network sees it.
    pub preprocessing: Preprocessing,
    /// The network with the model's weights.
    pub network: Network,
    /// What asks the network.
    pub evaluator: Evaluator,
}

impl LoadedModel {
    /// Opens a model file; `threads` 0 means one per processor.
    ///
    /// # Errors
    /// [`TrainError::Model`] and [`TrainError::UnsoundModel`] where the file is not a sound model.
    pub fn open(path: &Path, threads: usize) -> Result<Self, TrainError> {
        Ok(Self::open_and(path, threads, |_, _| ())?.0)
    }

    /// As [`open`](Self::open), and lets `work` ask the network while another thread still computes the file's checksum.
    /// What `work` returns comes back only where the checksum is right.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_and<R>(
        path: &Path,
        threads: usize,
        work: impl FnOnce(&Preprocessing, &mut Evaluator) -> R,
    ) -> Result<(Self, R), TrainError> {
        let origin = path.display().to_string();
        let file = ModelFile::open(path)?;
        let mut network = match network(file.model(), &origin, |d| Ok(file.check_fit(d)?)) {
            Ok(network) => network,
            Err(error) => {
                file.check()?;
                return Err(error);
            }
        };
        let (model, ready) = file.read_into(&mut network, |model, network| {
            let mut ready = Ready::new(model, network, &origin, threads)?;
            let result = work(&ready.preprocessing, &mut ready.evaluator);
            Ok::<_, TrainError>((ready, result))
        })?;
        let (ready, result) = ready?;
        Ok((ready.with(model, network), result))
    }

    /// Makes a model ready; `origin` says in errors where it came from.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn new(model: Model, origin: &str, threads: usize) -> Result<Self, TrainError> {
        let fit = |description: &Description| check_tensors(origin, &model.tensors, description);
        let mut network = network(&model, origin, fit)?;
        let (parameters, buffers) = network.tensors_mut();
        model.restore(origin, parameters, buffers)?;
        let model = model.without_tensors();
        Ok(Ready::new(&model, &network, origin, threads)?.with(model, network))
    }

    /// The [hash](percept_model::tensor::weight_hash) of all weights and buffers.
    #[must_use]
    pub fn weight_hash(&self) -> String {
        network_hash(&self.network)
    }

    /// Whether the answer is the mean of those for an image and for its mirrored form, see [`Evaluator::set_mirror`].
    pub fn set_mirror(&mut self, mirror: bool) {
        self.evaluator.set_mirror(mirror);
    }

    /// Probabilities of prepared images (see [`Preprocessing::prepare_normalised`]).
    ///
    /// # Shapes
    /// `pixels` [N, height, width, channels]; returns [N, classes].
    ///
    /// # Panics
    /// When `pixels` is not whole images.
    #[must_use]
    pub fn predict(&mut self, pixels: &[f32]) -> Vec<f32> {
        self.evaluator.probabilities(pixels)
    }

    /// What the network says of the examples of a part. Their classes are matched by name; classes that the model knows
    /// and the part has not are without examples.
    ///
    /// # Errors
    /// [`TrainError::Mismatch`] where images are not of the model's size or a class is none of the model's; else as
    /// [`Evaluator::predictions`].
    pub fn evaluate(&mut self, mut part: Part) -> Result<Predictions, TrainError> {
        self.check_shape(&part.dataset)?;
        if part.dataset.class_names() != self.model.class_names {
            part.dataset = Arc::new(self.matched(Arc::unwrap_or_clone(part.dataset))?);
        }
        self.evaluator.predictions(part, &self.model.class_names)
    }

    fn check_shape(&self, dataset: &Dataset) -> Result<(), TrainError> {
        let (found, expected) = (dataset.shape(), self.preprocessing.input);
        if found == expected {
            return Ok(());
        }
        let reason = format!(
            "the model takes images of {expected}, those of {} are {found}; use the data that it was trained for",
            dataset.description()
        );
        Err(TrainError::Mismatch { reason })
    }

    /// The data with the model's classes, matched by name.
    fn matched(&self, dataset: Dataset) -> Result<Dataset, TrainError> {
        dataset
            .with_class_names(&self.model.class_names)
            .map_err(|error| TrainError::Mismatch { reason: error.to_string() })
    }
}

/// The network of a model, with zeros in the place of its weights, once `fit` has found that these are there.
fn network<W>(
    model: &Model<W>,
    origin: &str,
    fit: impl FnOnce(&Description) -> Result<(), TrainError>,
) -> Result<Network, TrainError> {
    let unsound = |e: SpecError| TrainError::UnsoundModel {
        origin: origin.to_owned(),
        reason: e.to_string(),
    };
    fit(&Description::new(&model.spec).map_err(unsound)?)?;
    Ok(Network::zeroed(model.spec.clone())?)
}

/// What is made of a model and its network.
struct Ready {
    preprocessing: Preprocessing,
    evaluator: Evaluator,
}

impl Ready {
    fn new(
        model: &Model<()>,
        network: &Network,
        origin: &str,
        threads: usize,
    ) -> Result<Self, TrainError> {
        let unsound =
            |reason: String| TrainError::UnsoundModel { origin: origin.to_owned(), reason };
        let preprocessing: Preprocessing = model.preprocessing_as(origin)?;
        preprocessing.check().map_err(|e| unsound(e.to_string()))?;
        check(model, &preprocessing, network, origin)?;
        let normalisation = preprocessing.normalisation.clone();
        let evaluator = Evaluator::new(network, normalisation, Isa::chosen()?, threads);
        Ok(Self { preprocessing, evaluator })
    }

    fn with(self, model: Model<()>, network: Network) -> LoadedModel {
        let Self { preprocessing, evaluator } = self;
        LoadedModel { model, preprocessing, network, evaluator }
    }
}

fn check(
    model: &Model<()>,
    preprocessing: &Preprocessing,
    network: &Network,
    origin: &str,
) -> Result<(), TrainError> {
    let description = network.description();
    let input = preprocessing.input;
    let shape = [input.height, input.width, input.channels];
    let reason = if shape != <[usize; 3]>::from(description.input) {
        format!(
            "its preprocessing makes images of {input}, its network takes {}",
            description.input
        )
    } else if description.output.len() != model.class_names.len() {
        let (outputs, names) = (description.output.len(), model.class_names.len());
        format!("its network has {outputs} outputs for {names} class names")
    } else {
        return Ok(());
    };
    Err(TrainError::UnsoundModel { origin: origin.to_owned(), reason })
}

#[cfg(test)]
mod tests {
    use super::*;
    use percept_model::provenance::{DataFingerprint, Provenance};
    use percept_nn::spec::NetworkSpec;

    fn model(spec: &str, preprocessing: &Preprocessing) -> Model {
        Model {
            spec: NetworkSpec::from_toml(spec).unwrap(),
            tensors: Vec::new(),
            class_names: vec!["only".to_owned()],
            preprocessing: serde_json::to_value(preprocessing).unwrap(),
            provenance: Provenance {
                percept_version: String::new(),
                created_by: String::new(),
                seed: 0,
                data: DataFingerprint { description: String::new(), sha256: String::new() },
                epochs: 0,
                steps: 0,
                config: String::new(),
                validation: None,
                test: None,
            },
        }
    }

    fn refusal(model: Model) -> TrainError {
        LoadedModel::new(model, "a.safetensors", 1).unwrap_err()
    }

    /// 2^30 weights of 4 bytes in the spec, none in the file.
    #[test]
    fn a_spec_without_its_weights_is_refused_before_there_is_memory_for_them() {
        let layers = "layers = [{ kind = 'dense', out_features = 32768, bias = false }]";
        let spec = format!("input = [1, 1, 32768]\n{layers}");
        let error = refusal(model(&spec, &Preprocessing::mnist()));
        assert!(matches!(error, TrainError::Model(_)), "{error}");
        assert!(error.to_string().contains("dense1.weight"), "{error}");
    }

    #[test]
    fn what_is_wrong_within_a_model_is_the_model_s_fault() {
        let pool = "layers = [{ kind = 'global_avg_pool' }]";
        let mut digits = Preprocessing::mnist();
        digits.input.height = 29;
        let unsound = [
            ("input = [28, 28, 1]\nlayers = []".to_owned(), Preprocessing::mnist(), "no layers"),
            (format!("input = [29, 28, 1]\n{pool}"), digits, "28x28x1"),
            (format!("input = [14, 14, 1]\n{pool}"), Preprocessing::mnist(), "14x14x1"),
        ];
        for (spec, preprocessing, words) in unsound {
            let error = refusal(model(&spec, &preprocessing));
            assert!(matches!(error, TrainError::UnsoundModel { .. }), "{error}");
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}
