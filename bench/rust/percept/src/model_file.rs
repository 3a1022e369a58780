//! A network with given weights as a model file of percept.

use bench_protocol::{Result, Weights};
use percept_data::Preprocessing;
use percept_model::model::Model;
use percept_model::provenance::{DataFingerprint, Provenance};
use percept_model::tensor::Tensor;
use percept_nn::describe::Description;
use percept_nn::spec::NetworkSpec;
use std::path::Path;

/// Writes the model file `path` for the spec and weights in the files of those names.
pub fn write(spec: &str, weights: &str, path: &str) -> Result<()> {
    let spec = NetworkSpec::from_toml(&std::fs::read_to_string(spec)?)?;
    let (description, weights) = (Description::new(&spec)?, Weights::read(weights)?);
    let parameters = description.parameters.iter().map(|p| (&p.name, &p.shape));
    let buffers = description.buffers.iter().map(|b| (&b.name, &b.shape));
    let tensors = parameters.chain(buffers).map(|(name, shape)| Tensor {
        name: name.clone(),
        shape: shape.clone(),
        data: weights.get(name).to_vec(),
    });
    let model = Model {
        tensors: tensors.collect(),
        spec,
        class_names: (0..10).map(|class| class.to_string()).collect(),
        preprocessing: serde_json::to_value(Preprocessing::mnist())?,
        provenance: provenance(),
    };
    Ok(model.write(Path::new(path))?)
}

/// Of weights that were never trained.
fn provenance() -> Provenance {
    Provenance {
        percept_version: env!("CARGO_PKG_VERSION").into(),
        created_by: "bench/run".into(),
        seed: 1,
        data: DataFingerprint { description: "none".into(), sha256: "0".repeat(64) },
        epochs: 0,
        steps: 0,
        config: String::new(),
        validation: None,
        test: None,
    }
}
