//! Models that are written and read.

use crate::sample::{model, tensor, tensors};
use percept_model::error::ModelError;
use percept_model::model::Model;
use percept_model::model_file::ModelFile;
use percept_model::provenance::MeasuredAccuracy;
use percept_model::tensor::{Tensor, fit, network_hash, restore, weight_hash};
use percept_nn::init::Init;
use percept_nn::network::Network;
use percept_nn::parameter::{Buffer, Parameter, Role};
use percept_nn::spec::NetworkSpec;
use proptest::prelude::*;
use safetensors::SafeTensors;
use std::fs;

#[test]
fn comes_back_equal_from_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.safetensors");
    model().write(&path).expect("written");
    assert_eq!(Model::read(&path).expect("read"), model());
    assert_eq!(fs::read(&path).expect("read"), model().to_bytes().expect("bytes"));
    assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 1, "nothing else is left");
}

/// A model of one dense layer with `side` inputs and outputs.
fn dense(side: usize) -> Model {
    let spec = format!(
        "input = [1, 1, {side}]\nlayers = [{{ kind = 'dense', out_features = {side}, bias = false }}]"
    );
    let spec = NetworkSpec::from_toml(&spec).expect("a network");
    Model { spec, tensors: vec![tensor("dense1.weight", &[side, side])], ..model() }
}

/// Small ones on the caller's thread, large ones beside it.
#[test]
fn what_is_prepared_from_a_damaged_model_is_withheld() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.safetensors");
    let read = || {
        let file = ModelFile::open(&path).expect("opened");
        let mut network = Network::zeroed(file.model().spec.clone()).expect("a network");
        let read = file.read_into(&mut network, |_, network| network.values().to_vec());
        read.map(|(model, values)| (model, values, network_hash(&network)))
    };
    for side in [3, 300] {
        let model = dense(side);
        model.write(&path).expect("written");
        let (hash, values) = (model.weight_hash(), model.tensors[0].data.clone());
        assert_eq!(read().expect("read"), (model.without_tensors(), values, hash));
        let mut bytes = fs::read(&path).expect("read");
        *bytes.last_mut().expect("a byte") ^= 1;
        fs::write(&path, bytes).expect("written");
        let error = read().expect_err("a wrong checksum");
        assert!(error.to_string().contains("SHA-256"), "{error}");
        let error = ModelFile::open(&path).expect("opened").check().expect_err("a wrong checksum");
        assert!(error.to_string().contains("SHA-256"), "{error}");
    }
}

/// The tensors of a file may lie in any order; those of another network, and numbers that are none, are refused.
#[test]
fn numbers_go_to_the_tensors_of_their_names() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.safetensors");
    let layers = "[{ kind = 'dense', out_features = 3 }, { kind = 'batch_norm' }]";
    let spec = NetworkSpec::from_toml(&format!("input = [1, 1, 2]\nlayers = {layers}"));
    let spec = spec.expect("a network");
    let mut network = Network::<f32>::new(spec.clone(), 5).expect("a network");
    network.buffer_values_mut().iter_mut().zip(1_u8..).for_each(|(x, n)| *x = n.into());
    let mut tensors = Tensor::from_parameters(network.parameters(), network.values());
    tensors.extend(Tensor::from_buffers(network.buffers(), network.buffer_values()));
    tensors.reverse();
    let mut model = Model { spec, tensors, ..model() };
    let read = |model: &Model, network: &mut Network| {
        model.write(&path).expect("written");
        ModelFile::open(&path).expect("opened").read_into(network, |_, _| ()).map(drop)
    };
    let mut found = Network::zeroed(network.spec().clone()).expect("a network");
    read(&model, &mut found).expect("read");
    assert_eq!(found.values(), network.values());
    assert_eq!(found.buffer_values(), network.buffer_values());
    let last = model.tensors.pop().expect("a tensor").name;
    let error = read(&model, &mut found).expect_err("a tensor is missing");
    assert!(error.to_string().contains(&last), "{error}");
}

#[test]
fn preprocessing_comes_back_as_the_callers_type() {
    type Settings = std::collections::BTreeMap<String, Vec<f32>>;
    let settings = Settings::from([("mean".to_owned(), vec![0.1307, 1.0 / 3.0])]);
    let preprocessing = serde_json::to_value(&settings).expect("JSON");
    let model = Model { preprocessing, ..model() };
    let back = Model::from_bytes(&model.to_bytes().expect("bytes")).expect("read");
    assert_eq!(back.preprocessing_as::<Settings>("m").expect("the same type"), settings);
    let error = back.preprocessing_as::<Vec<f32>>("runs/a/m").expect_err("another type");
    assert!(error.to_string().starts_with("runs/a/m: metadata \"preprocessing\": "));
}

#[test]
fn the_same_model_gives_the_same_bytes() {
    let first = model().to_bytes().expect("bytes");
    for _ in 0..8 {
        assert_eq!(model().to_bytes().expect("bytes"), first);
    }
}

#[test]
fn the_safetensors_crate_reads_the_same() {
    let bytes = model().to_bytes().expect("bytes");
    let file = SafeTensors::deserialize(&bytes).expect("valid safetensors");
    assert_eq!(file.len(), tensors().len());
    for expected in tensors() {
        let found = file.tensor(&expected.name).expect("present");
        let data: Vec<u8> = expected.data.iter().flat_map(|v| v.to_le_bytes()).collect();
        assert_eq!((found.shape(), found.data()), (expected.shape.as_slice(), data.as_slice()));
    }
    let (header, metadata) = SafeTensors::read_metadata(&bytes).expect("valid header");
    assert_eq!(header % 8, 0, "numbers are aligned");
    let entries = metadata.metadata().as_ref().expect("metadata");
    assert_eq!(entries["format"], "percept-model");
    assert_eq!(entries["seed"], u64::MAX.to_string());
}

#[test]
fn reads_what_the_safetensors_crate_rewrote() {
    let bytes = model().to_bytes().expect("bytes");
    let file = SafeTensors::deserialize(&bytes).expect("valid safetensors");
    let (_, header) = SafeTensors::read_metadata(&bytes).expect("valid header");
    let rewritten =
        safetensors::serialize(file.tensors(), header.metadata().clone()).expect("serialised");
    let found = Model::from_bytes(&rewritten).expect("the same content in another order");
    assert_eq!(found.weight_hash(), model().weight_hash());
    assert_eq!((found.spec, found.provenance), (model().spec, model().provenance));
}

#[test]
fn refuses_to_write_what_it_would_not_read() {
    let nan = Tensor { data: vec![0.5, f32::NAN], ..tensor("a", &[2]) };
    let short = Tensor { data: vec![0.5], ..tensor("a", &[2]) };
    let with = |tensors: Vec<Tensor>| Model { tensors, ..model() }.to_bytes().expect_err("refused");
    assert!(matches!(with(vec![nan]), ModelError::NotFinite { index: 1, .. }));
    assert!(matches!(with(vec![short]), ModelError::TensorLength { found: 1, .. }));
    let twice = with(vec![tensor("a", &[2]), tensor("a", &[2])]);
    assert!(matches!(twice, ModelError::DuplicateTensor { .. }));
    let metadata_name = with(vec![tensor("__metadata__", &[2])]);
    assert!(matches!(metadata_name, ModelError::DuplicateTensor { .. }));
    let nine_axes = with(vec![tensor("a", &[1; 9])]);
    assert!(matches!(nine_axes, ModelError::TensorLength { .. }));
    let impossible = MeasuredAccuracy { correct: 3, total: 2, low: 0.0, high: 1.0 };
    let unknown = MeasuredAccuracy { correct: 1, total: 2, low: f64::NAN, high: 1.0 };
    for accuracy in [impossible, unknown] {
        let mut model = model();
        model.provenance.validation = Some(accuracy);
        let error = model.to_bytes().expect_err("refused");
        assert!(matches!(error, ModelError::Metadata { key, .. } if key == "validation_accuracy"));
    }
    let mut talkative = model();
    talkative.provenance.config = "#".repeat(16 << 20);
    assert!(matches!(talkative.to_bytes(), Err(ModelError::HeaderTooLong { .. })));
    for names in [vec![], vec!["a".to_owned(), "a".to_owned()]] {
        let error = Model { class_names: names, ..model() }.to_bytes().expect_err("refused");
        assert!(matches!(error, ModelError::Metadata { key, .. } if key == "class_names"));
    }
}

#[test]
fn fits_only_the_network_it_was_made_for() {
    let tensors = tensors();
    let expected: Vec<(&str, &[usize])> =
        tensors.iter().rev().map(|t| (t.name.as_str(), t.shape.as_slice())).collect();
    let found = fit("m", &tensors, expected.clone()).expect("all are there");
    assert_eq!(found[0].name, "batch_norm1.running_var", "in the network's order");

    let missing = fit("m", &tensors[1..], expected.clone()).expect_err("one is missing");
    assert!(
        matches!(missing, ModelError::MissingTensor { tensor, .. } if tensor == "conv1.weight")
    );
    let unknown = fit("m", &tensors, expected[1..].to_vec()).expect_err("one is too much");
    assert!(
        matches!(unknown, ModelError::UnknownTensor { tensor, .. } if tensor.ends_with("_var"))
    );
    let mut turned = expected;
    turned[3] = ("dense1.weight", &[3, 32]);
    let error = fit("runs/a/m", &tensors, turned).expect_err("another shape");
    let message =
        "runs/a/m: tensor \"dense1.weight\": the network needs shape [3, 32], found [32, 3]";
    assert_eq!(error.to_string(), message);
}

#[test]
fn restores_flat_parameters_and_buffers() {
    let parameter = |name: &str, shape: &[usize], range| Parameter {
        name: name.to_owned(),
        shape: shape.to_vec(),
        role: Role::Bias,
        fan_in: 1,
        fan_out: 1,
        init: Init::default(),
        range,
    };
    let parameters = [parameter("b", &[2], 0..2), parameter("a", &[1, 3], 2..5)];
    let buffers = [Buffer { name: "c".to_owned(), shape: vec![], start: 0.0, range: 0..1 }];
    let values = [1.0, 2.0, 3.0, 4.0, 5.0];
    let mut tensors = Tensor::from_parameters(&parameters, &values);
    tensors.extend(Tensor::from_buffers(&buffers, &[6.0]));
    let model = Model { tensors, ..model() };
    let model = Model::from_bytes(&model.to_bytes().expect("bytes")).expect("read");
    let (mut found, mut found_buffers) = ([0.0; 5], [0.0; 1]);
    model.restore("m", (&parameters, &mut found), (&buffers, &mut found_buffers)).expect("fits");
    assert_eq!((found, found_buffers), (values, [6.0]));

    let other = [parameter("b", &[2], 0..2), parameter("a", &[3, 1], 2..5)];
    let mut untouched = [0.0; 5];
    let result = restore("m", &model.tensors, (&other, &mut untouched), (&buffers, &mut [0.0]));
    assert!(matches!(result, Err(ModelError::TensorShape { .. })));
    assert_eq!(untouched, [0.0; 5]);
}

#[test]
fn the_weight_hash_knows_names_shapes_and_bits() {
    let hash = |t: &Tensor| weight_hash([t]);
    let base = tensor("a", &[2, 3]);
    // Python: sha256(struct.pack("<Q1sQQQ6f", 1, b"a", 2, 2, 3, *[float32(i - 2) / float32(3) for i in range(6)]))
    assert_eq!(hash(&base), WEIGHT_HASH);
    assert_ne!(hash(&base), hash(&Tensor { name: "b".to_owned(), ..base.clone() }));
    assert_ne!(hash(&base), hash(&Tensor { shape: vec![3, 2], ..base.clone() }));
    let zero = |value| Tensor { name: "z".to_owned(), shape: vec![], data: vec![value] };
    assert_ne!(hash(&zero(0.0)), hash(&zero(-0.0)), "equal numbers, other bits");
    let mut reversed = tensors();
    reversed.reverse();
    assert_eq!(weight_hash(&reversed), weight_hash(&tensors()), "order does not matter");
}

const WEIGHT_HASH: &str = "d07ba437c441a25e9869dcc54a8dd299f4cb2f8dcf039516531f81a1e2904a26";

fn any_tensor() -> impl Strategy<Value = Tensor> {
    let shape = prop::collection::vec(0_usize..4, 0..4);
    ("\\PC{0,12}", shape).prop_flat_map(|(name, shape)| {
        let count = shape.iter().product::<usize>();
        let numbers = prop::collection::vec(
            prop::num::f32::NORMAL | prop::num::f32::SUBNORMAL | prop::num::f32::ZERO,
            count,
        );
        numbers.prop_map(move |data| Tensor { name: name.clone(), shape: shape.clone(), data })
    })
}

proptest! {
    #[test]
    fn any_model_comes_back_bit_for_bit(
        mut tensors in prop::collection::vec(any_tensor(), 0..6),
        names in prop::collection::hash_set(any::<String>(), 1..5),
        seed in any::<u64>(),
        config in any::<String>(),
    ) {
        tensors.sort_by(|a, b| a.name.cmp(&b.name));
        tensors.dedup_by(|a, b| a.name == b.name);
        let mut model = Model { tensors, class_names: names.into_iter().collect(), ..model() };
        model.provenance.seed = seed;
        model.provenance.config = config;
        let bytes = model.to_bytes().expect("valid");
        let back = Model::from_bytes(&bytes).expect("readable");
        prop_assert_eq!(back.weight_hash(), model.weight_hash());
        prop_assert_eq!(back.to_bytes().expect("valid"), bytes);
        prop_assert_eq!(back, model);
    }
}
