//! Python's `safetensors` opens percept's files, and percept opens what Python saved again.

use crate::sample::{checkpoint, model, skip};
use percept_model::model::Model;
use percept_model::tensor::Tensor;
use std::path::Path;
use std::process::{Command, Output};

/// Prints names, shapes and the bits of all numbers, then saves the file again.
const SCRIPT: &str = r#"
import sys
from safetensors import safe_open
from safetensors.numpy import save_file
with safe_open(sys.argv[1], framework="numpy") as file:
    tensors = {name: file.get_tensor(name) for name in file.keys()}
    metadata = file.metadata()
for name in sorted(tensors):
    tensor = tensors[name]
    assert tensor.dtype == "float32"
    print(name, list(tensor.shape), tensor.astype("<f4").tobytes().hex())
print(metadata["format"], metadata["seed"])
save_file(tensors, sys.argv[2], metadata=metadata)
"#;

fn python(arguments: &[&Path], script: &str) -> std::io::Result<Output> {
    let program = std::env::var_os("PERCEPT_TEST_PYTHON").unwrap_or_else(|| "python3".into());
    Command::new(program).arg("-c").arg(script).args(arguments).output()
}

/// Whether Python with safetensors and numpy is here.
fn available() -> bool {
    let found =
        python(&[], "import safetensors.numpy, numpy").is_ok_and(|out| out.status.success());
    if !found {
        skip(
            "reading files with Python",
            "no python3 with safetensors and numpy; set PERCEPT_TEST_PYTHON",
        );
    }
    found
}

fn lines<'t>(tensors: impl IntoIterator<Item = (String, &'t Tensor)>) -> Vec<String> {
    let line = |(name, tensor): (String, &Tensor)| {
        let bits = tensor.data.iter().flat_map(|v| v.to_le_bytes()).map(|b| format!("{b:02x}"));
        format!("{name} {:?} {}", tensor.shape, bits.collect::<String>())
    };
    let mut lines: Vec<String> = tensors.into_iter().map(line).collect();
    lines.sort();
    lines
}

fn seen_by_python(file: &Path, saved: &Path) -> Vec<String> {
    let output = python(&[file, saved], SCRIPT).expect("python runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    String::from_utf8(output.stdout).expect("text").lines().map(str::to_owned).collect()
}

#[test]
fn python_sees_the_same_model_and_can_save_it_again() {
    if !available() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (file, saved) =
        (folder.path().join("model.safetensors"), folder.path().join("again.safetensors"));
    model().write(&file).expect("written");
    let mut expected = lines(model().tensors.iter().map(|t| (t.name.clone(), t)));
    expected.push(format!("percept-model {}", u64::MAX));
    assert_eq!(seen_by_python(&file, &saved), expected);

    let again = Model::read(&saved).expect("what Python saved");
    assert_eq!(again.weight_hash(), model().weight_hash());
    assert_eq!((again.class_names, again.provenance), (model().class_names, model().provenance));
}

#[test]
fn python_sees_the_same_checkpoint() {
    if !available() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (file, saved) = (folder.path().join("checkpoint.safetensors"), folder.path().join("again"));
    let checkpoint = checkpoint();
    checkpoint.write(&file).expect("written");
    let groups = [
        ("parameter/", &checkpoint.parameters),
        ("buffer/", &checkpoint.buffers),
        ("optimizer/", &checkpoint.optimizer),
        ("average/", &checkpoint.average),
        ("best/", &checkpoint.best),
    ];
    let tensors = groups.into_iter().flat_map(|(group, tensors)| {
        tensors.iter().map(move |tensor| (format!("{group}{}", tensor.name), tensor))
    });
    let mut expected = lines(tensors);
    expected.push(format!("percept-checkpoint {}", u64::MAX - 1));
    assert_eq!(seen_by_python(&file, &saved), expected);
}
