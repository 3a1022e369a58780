//! Small files to write, read and break.

use percept_model::checkpoint::Checkpoint;
use percept_model::model::Model;
use percept_model::provenance::{DataFingerprint, MeasuredAccuracy, Provenance};
use percept_model::tensor::Tensor;
use percept_nn::spec::NetworkSpec;
use std::error::Error;
use std::io::Write;

const SPEC: &str = r#"
    name = "tiny"
    input = [4, 4, 1]
    layers = [
        { kind = "conv", out_channels = 2, kernel_size = 3, padding = 1, bias = false },
        { kind = "batch_norm" },
        { kind = "relu" },
        { kind = "flatten" },
        { kind = "dense", out_features = 3 },
    ]
"#;

pub fn tensor(name: &str, shape: &[usize]) -> Tensor {
    let count = shape.iter().product::<usize>();
    // Numbers without a short decimal form, of both signs.
    let data = (0..count).map(|i| (i as f32 - 2.0) / 3.0).collect();
    Tensor { name: name.to_owned(), shape: shape.to_vec(), data }
}

/// The tensors of [`SPEC`], in its order.
pub fn tensors() -> Vec<Tensor> {
    vec![
        tensor("conv1.weight", &[3, 3, 1, 2]),
        tensor("batch_norm1.weight", &[2]),
        tensor("batch_norm1.bias", &[2]),
        tensor("dense1.weight", &[32, 3]),
        tensor("dense1.bias", &[3]),
        tensor("batch_norm1.running_mean", &[2]),
        tensor("batch_norm1.running_var", &[2]),
    ]
}

pub fn data() -> DataFingerprint {
    DataFingerprint { description: "three kinds of smudges".to_owned(), sha256: "5e".repeat(32) }
}

pub fn model() -> Model {
    Model {
        spec: NetworkSpec::from_toml(SPEC).expect("a valid spec"),
        tensors: tensors(),
        class_names: ["dot", "daß", "猫 \"cat\""].map(str::to_owned).to_vec(),
        preprocessing: serde_json::json!({ "mean": [0.1307], "std": [0.3081], "size": [4, 4] }),
        provenance: Provenance {
            percept_version: "0.1.0".to_owned(),
            created_by: "a test".to_owned(),
            seed: u64::MAX,
            data: data(),
            epochs: 3,
            steps: 1500,
            config: "epochs = 3\nseed = 1\n".to_owned(),
            validation: None,
            // 0.1 + 0.2 needs all 17 digits.
            test: Some(MeasuredAccuracy {
                correct: 9955,
                total: 10_000,
                low: 0.1 + 0.2,
                high: 1.0,
            }),
        },
    }
}

pub fn checkpoint() -> Checkpoint {
    let tensors = tensors();
    let (parameters, buffers) = tensors.split_at(5);
    let in_optimizer = |t: &Tensor| Tensor { name: format!("momentum/{}", t.name), ..t.clone() };
    Checkpoint {
        spec: NetworkSpec::from_toml(SPEC).expect("a valid spec"),
        parameters: parameters.to_vec(),
        buffers: buffers.to_vec(),
        optimizer: parameters.iter().map(in_optimizer).collect(),
        average: parameters.to_vec(),
        best: tensors.clone(),
        percept_version: "0.1.0".to_owned(),
        step: (1 << 53) + 1,
        epoch: 7,
        seed: u64::MAX - 1,
        data: data(),
        config: "epochs = 20\n".to_owned(),
        history: "epoch,loss\n0,2.3026\n".to_owned(),
        numbers: [("best_loss".to_owned(), 0.1 + 0.2)].into(),
        texts: [("name".to_owned(), "ünïcode\u{1F600}\n".to_owned())].into(),
    }
}

/// The whole chain of causes, as a program would print it.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

/// Says on the real standard error, which the test harness does not capture, what could not be tested here.
pub fn skip(what: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {what}: {why}");
}
