//! Two whole networks against PyTorch: loss, every gradient, batch norm's buffers, and ten steps of training.

mod golden;

use golden::{assert_close, fixture};
use percept_kernels::isa::Isa;
use percept_nn::engine::{Engine, EngineSettings};
use percept_nn::loss::LossSettings;
use percept_nn::network::Network;
use percept_nn::optim::OptimizerSpec;
use percept_nn::source::InMemory;
use percept_nn::spec::NetworkSpec;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ops::Range;

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    network: NetworkSpec,
    loss: LossSettings,
    input: Vec<f64>,
    labels: Vec<u32>,
    parameters: Tensors,
    buffers: Tensors,
    mean_loss: f64,
    grad_parameters: Tensors,
    buffers_after: Tensors,
    training: Vec<Training>,
}

#[derive(Deserialize)]
struct Training {
    optimizer: OptimizerSpec,
    losses: Vec<f64>,
    parameters_after: Tensors,
    buffers_after: Tensors,
}

#[derive(Deserialize)]
struct Tensor {
    shape: Vec<usize>,
    values: Vec<f64>,
}

type Tensors = BTreeMap<String, Tensor>;

/// Name, shape and place of each tensor of a network.
type Places<'a> = Vec<(&'a str, &'a [usize], Range<usize>)>;

fn parameters<T: percept_kernels::element::Element>(network: &Network<T>) -> Places<'_> {
    let parameters = network.parameters().iter();
    parameters.map(|p| (p.name.as_str(), p.shape.as_slice(), p.range.clone())).collect()
}

fn buffers<T: percept_kernels::element::Element>(network: &Network<T>) -> Places<'_> {
    let buffers = network.buffers().iter();
    buffers.map(|b| (b.name.as_str(), b.shape.as_slice(), b.range.clone())).collect()
}

/// The tensors' numbers in the network's order.
fn flat(places: &Places<'_>, tensors: &Tensors) -> Vec<f64> {
    assert_eq!(places.len(), tensors.len());
    let values = places.iter().flat_map(|(name, shape, range)| {
        let tensor = tensors.get(*name).unwrap_or_else(|| panic!("PyTorch has no {name}"));
        assert_eq!((*shape, range.len()), (tensor.shape.as_slice(), tensor.values.len()), "{name}");
        tensor.values.iter().copied()
    });
    values.collect()
}

fn assert_tensors(places: &Places<'_>, found: &[f64], expected: &Tensors, tolerance: f64) {
    for (name, _, range) in places {
        assert_close(name, &found[range.clone()], &expected[*name].values, tolerance);
    }
}

/// An engine with the case's numbers, whose chunk is the whole batch.
fn engine(case: &Case, optimizer: &OptimizerSpec) -> Engine<f64> {
    let mut network = Network::<f64>::zeroed(case.network.clone()).expect("a network");
    let values = flat(&parameters(&network), &case.parameters);
    let statistics = flat(&buffers(&network), &case.buffers);
    network.values_mut().copy_from_slice(&values);
    network.buffer_values_mut().copy_from_slice(&statistics);
    let settings = EngineSettings {
        compute: Isa::SCALAR.into(),
        threads: 1,
        batch_size: case.labels.len(),
        chunk_size: case.labels.len(),
        lanes: 1,
        loss: case.loss.clone(),
        optimizer: optimizer.clone(),
        clip_norm: None,
        average: None,
        seed: 0,
    };
    Engine::new(network, settings).expect("an engine")
}

// The file's 14 digits, and the rounding of a few hundred additions in another order.
const ONE_STEP: f64 = 1e-12;
// Rounding doubles or so with each step.
const TEN_STEPS: f64 = 1e-9;

#[test]
fn loss_and_gradients_agree() {
    for case in fixture::<Fixture>("networks").cases {
        let mut engine = engine(&case, &case.training[0].optimizer);
        let source = InMemory { pixels: &case.input, labels: &case.labels };
        let report = engine.step(&source, case.labels.len(), 0.0).expect("finite numbers");
        assert_close("loss", &[report.loss], &[case.mean_loss], ONE_STEP);
        let network = engine.network();
        assert_tensors(&parameters(network), engine.gradient(), &case.grad_parameters, ONE_STEP);
        assert_tensors(&buffers(network), network.buffer_values(), &case.buffers_after, ONE_STEP);
    }
}

#[test]
fn ten_steps_of_training_agree() {
    for case in fixture::<Fixture>("networks").cases {
        for training in &case.training {
            let mut engine = engine(&case, &training.optimizer);
            let source = InMemory { pixels: &case.input, labels: &case.labels };
            let mut step = || engine.step(&source, case.labels.len(), 1.0).expect("finite numbers");
            let losses: Vec<f64> = training.losses.iter().map(|_| step().loss).collect();
            assert_close("losses", &losses, &training.losses, TEN_STEPS);
            let network = engine.network();
            let after = &training.parameters_after;
            assert_tensors(&parameters(network), network.values(), after, TEN_STEPS);
            let after = &training.buffers_after;
            assert_tensors(&buffers(network), network.buffer_values(), after, TEN_STEPS);
        }
    }
}
