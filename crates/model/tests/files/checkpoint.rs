//! Checkpoints that are written and read.

use crate::sample::{chain, checkpoint, model, tensor};
use percept_model::checkpoint::Checkpoint;
use percept_model::error::{Kind, ModelError};
use percept_model::model::Model;
use percept_model::tensor::Tensor;
use proptest::prelude::*;
use safetensors::SafeTensors;

#[test]
fn comes_back_equal_from_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("checkpoint.safetensors");
    checkpoint().write(&path).expect("written");
    let found = Checkpoint::read(&path).expect("read");
    assert_eq!(found, checkpoint());
    assert_eq!(found.to_bytes().expect("bytes"), std::fs::read(&path).expect("read"));
}

#[test]
fn groups_of_tensors_have_prefixes_in_the_file() {
    let bytes = checkpoint().to_bytes().expect("bytes");
    let file = SafeTensors::deserialize(&bytes).expect("valid safetensors");
    let mut names = file.names();
    names.retain(|name| name.ends_with("conv1.weight"));
    names.sort_unstable();
    let expected = [
        "average/conv1.weight",
        "best/conv1.weight",
        "optimizer/momentum/conv1.weight",
        "parameter/conv1.weight",
    ];
    assert_eq!(names, expected);
}

#[test]
fn a_model_is_no_checkpoint_and_says_so() {
    let error = Checkpoint::from_bytes(&model().to_bytes().expect("bytes")).expect_err("a model");
    assert!(matches!(&error, ModelError::Foreign { expected: Kind::Checkpoint, found, .. }
        if found == "a percept model"));
    let error = Model::from_bytes(&checkpoint().to_bytes().expect("bytes")).expect_err("no model");
    assert!(chain(&error).ends_with("is not a percept model: found a percept checkpoint"));
}

#[test]
fn a_diverged_run_does_not_replace_the_last_good_checkpoint() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("checkpoint.safetensors");
    checkpoint().write(&path).expect("written");
    let infinite = Tensor { data: vec![f32::INFINITY], ..tensor("momentum/a", &[1]) };
    let diverged = Checkpoint { optimizer: vec![infinite], ..checkpoint() };
    let error = diverged.write(&path).expect_err("refused");
    assert!(
        matches!(&error, ModelError::NotFinite { tensor, .. } if tensor == "optimizer/momentum/a")
    );
    assert_eq!(Checkpoint::read(&path).expect("read"), checkpoint());
}

proptest! {
    #[test]
    fn any_number_comes_back_bit_for_bit(
        numbers in prop::collection::btree_map(any::<String>(), any::<f64>(), 0..6),
        texts in prop::collection::btree_map(any::<String>(), any::<String>(), 0..6),
        step in any::<u64>(),
        history in any::<String>(),
    ) {
        let checkpoint = Checkpoint { numbers, texts, step, history, ..checkpoint() };
        let back = Checkpoint::from_bytes(&checkpoint.to_bytes().expect("valid")).expect("readable");
        let bits = |c: &Checkpoint| c.numbers.values().map(|v| v.to_bits()).collect::<Vec<_>>();
        if checkpoint.numbers.values().all(|v| !v.is_nan()) {
            prop_assert_eq!(bits(&back), bits(&checkpoint));
            prop_assert_eq!(&back, &checkpoint);
        }
        prop_assert_eq!(back.to_bytes().expect("valid"), checkpoint.to_bytes().expect("valid"));
    }
}
