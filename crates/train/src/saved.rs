//! Engine and run as checkpoint and model files, and back.

use crate::error::TrainError;
use crate::event::Outcome;
use crate::run::Run;
use percept_eval::report::Report;
use percept_model::checkpoint::Checkpoint;
use percept_model::model::Model;
use percept_model::provenance::{DataFingerprint, MeasuredAccuracy, Provenance};
use percept_model::tensor::{self, Tensor};
use percept_nn::describe::Description;
use percept_nn::engine::Engine;
use percept_nn::network::Network;
use percept_nn::state::{EngineState, StateArray};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Version of percept.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A run's folder and its checkpoint, from either.
pub(crate) fn locate(given: &Path) -> (PathBuf, PathBuf) {
    if given.is_file() {
        let folder = given.parent().and_then(Path::parent).unwrap_or(Path::new(".."));
        return (folder.to_owned(), given.to_owned());
    }
    (given.to_owned(), checkpoint_path(given))
}

pub(crate) fn checkpoint_path(folder: &Path) -> PathBuf {
    folder.join("checkpoint").join("checkpoint.safetensors")
}

pub(crate) fn write(checkpoint: &Checkpoint, path: &Path) -> Result<(), TrainError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|cause| TrainError::Io {
            action: "create",
            path: folder.into(),
            cause,
        })?;
    }
    Ok(checkpoint.write(path)?)
}

/// Takes a checkpoint away, and its folder with it.
pub(crate) fn remove(path: &Path) -> Result<(), TrainError> {
    let folder = path.parent().unwrap_or(path);
    fs::remove_dir_all(folder).map_err(|cause| TrainError::Io {
        action: "remove",
        path: folder.into(),
        cause,
    })
}

/// The engine's part of a checkpoint; the run adds its own.
pub(crate) fn checkpoint(engine: &Engine) -> Checkpoint {
    let network = engine.network();
    let state = engine.state();
    let parameters = network.parameters();
    let optimizer = state
        .arrays
        .into_iter()
        .map(|StateArray { parameter, array, values }| Tensor {
            name: format!("{array}/{}", parameters[parameter].name),
            shape: parameters[parameter].shape.clone(),
            data: values,
        })
        .collect();
    let average = state.average.map_or_else(Vec::new, |(values, buffers)| {
        let mut tensors = Tensor::from_parameters(parameters, &values);
        tensors.extend(Tensor::from_buffers(network.buffers(), &buffers));
        tensors
    });
    Checkpoint {
        spec: network.spec().clone(),
        parameters: Tensor::from_parameters(parameters, network.values()),
        buffers: Tensor::from_buffers(network.buffers(), network.buffer_values()),
        optimizer,
        average,
        best: Vec::new(),
        percept_version: VERSION.to_owned(),
        step: state.step,
        epoch: 0,
        seed: 0,
        data: DataFingerprint { description: String::new(), sha256: String::new() },
        config: String::new(),
        history: String::new(),
        numbers: BTreeMap::new(),
        texts: BTreeMap::new(),
    }
}

/// Refuses tensors that are not exactly those of a network, before there is memory for it: a file must not make percept
/// allocate more than it holds.
pub(crate) fn check_tensors<'t>(
    origin: &str,
    tensors: impl IntoIterator<Item = &'t Tensor>,
    description: &Description,
) -> Result<(), TrainError> {
    let parameters = description.parameters.iter().map(|p| (p.name.as_str(), &p.shape[..]));
    let buffers = description.buffers.iter().map(|b| (b.name.as_str(), &b.shape[..]));
    tensor::fit(origin, tensors, parameters.chain(buffers))?;
    Ok(())
}

/// All numbers of a network.
pub(crate) fn tensors(network: &Network) -> Vec<Tensor> {
    let mut tensors = Tensor::from_parameters(network.parameters(), network.values());
    tensors.extend(Tensor::from_buffers(network.buffers(), network.buffer_values()));
    tensors
}

/// Gives a network all of its numbers.
pub(crate) fn fill(
    network: &mut Network,
    tensors: &[Tensor],
    origin: &str,
) -> Result<(), TrainError> {
    let (parameters, buffers) = network.tensors_mut();
    Ok(tensor::restore(origin, tensors, parameters, buffers)?)
}

/// Brings an engine into the state of a checkpoint.
pub(crate) fn restore(
    checkpoint: &Checkpoint,
    path: &Path,
    engine: &mut Engine,
) -> Result<(), TrainError> {
    let origin = path.display().to_string();
    let mut network = engine.network().clone();
    let tensors: Vec<Tensor> =
        checkpoint.parameters.iter().chain(&checkpoint.buffers).cloned().collect();
    fill(&mut network, &tensors, &origin)?;
    let average = if checkpoint.average.is_empty() {
        None
    } else {
        let mut averaged = network.clone();
        fill(&mut averaged, &checkpoint.average, &origin)?;
        Some((averaged.values().to_vec(), averaged.buffer_values().to_vec()))
    };
    let arrays = optimizer_arrays(checkpoint, &origin, engine)?;
    engine.restore(&EngineState { step: checkpoint.step, arrays, average })?;
    engine.set_numbers(network.values(), network.buffer_values());
    Ok(())
}

fn optimizer_arrays(
    checkpoint: &Checkpoint,
    origin: &str,
    engine: &Engine,
) -> Result<Vec<StateArray<f32>>, TrainError> {
    let parameters = engine.network().parameters();
    let places: Vec<(usize, usize)> =
        engine.state().arrays.iter().map(|array| (array.parameter, array.array)).collect();
    let names: Vec<String> =
        places.iter().map(|(p, array)| format!("{array}/{}", parameters[*p].name)).collect();
    let expected = names
        .iter()
        .zip(&places)
        .map(|(name, (parameter, _))| (name.as_str(), &parameters[*parameter].shape[..]));
    let tensors = tensor::fit(origin, &checkpoint.optimizer, expected)?;
    let arrays = tensors.iter().zip(places).map(|(tensor, (parameter, array))| StateArray {
        parameter,
        array,
        values: tensor.data.clone(),
    });
    Ok(arrays.collect())
}

/// The model of a run that is complete.
pub(crate) fn model(network: &Network, run: &Run, outcome: &Outcome) -> Result<Model, TrainError> {
    let preprocessing = serde_json::to_value(run.preprocessing())
        .map_err(|error| TrainError::Config { reason: error.to_string() })?;
    Ok(Model {
        spec: network.spec().clone(),
        tensors: tensors(network),
        class_names: run.class_names().to_vec(),
        preprocessing,
        provenance: Provenance {
            percept_version: VERSION.to_owned(),
            created_by: "percept train".to_owned(),
            seed: run.config().seed,
            data: run.data().clone(),
            epochs: run.kept_epochs(),
            steps: run.kept_steps(),
            config: run.config().to_toml()?,
            validation: outcome.validation.as_ref().map(measured),
            test: outcome.test.as_ref().map(measured),
        },
    })
}

fn measured(report: &Report) -> MeasuredAccuracy {
    let accuracy = &report.accuracy;
    MeasuredAccuracy {
        correct: accuracy.correct,
        total: accuracy.total,
        low: accuracy.low,
        high: accuracy.high,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From wherever in the run's folder a person names the file.
    #[test]
    fn the_folder_is_two_above_the_checkpoint_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = checkpoint_path(folder.path());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "").unwrap();
        assert_eq!(locate(&path), (folder.path().to_owned(), path.clone()));
        assert_eq!(locate(folder.path()), (folder.path().to_owned(), path));
        let bare = Path::new("Cargo.toml");
        assert_eq!(locate(bare), (PathBuf::from(".."), bare.to_owned()));
    }
}
