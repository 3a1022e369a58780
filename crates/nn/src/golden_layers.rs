//! Every layer, forward and backward, against PyTorch (see `golden/README.md`): f64 on the scalar truth, f32 on each body.

#[path = "../tests/golden/mod.rs"]
mod golden;

use crate::graph::{Graph, Mode};
use crate::layers::{DrawName, Sums};
use crate::network::Network;
use crate::plan::{Numbers, Passes, Plan};
use crate::predictor::Predictor;
use crate::shape::Shape;
use crate::spec::{LayerSpec, NetworkSpec};
use golden::{assert_close, fixture};
use percept_kernels::element::Element;
use percept_kernels::isa::Isa;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ops::Range;

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    layer: LayerSpec,
    train: bool,
    input_shape: [usize; 4],
    input: Vec<f64>,
    parameters: Tensors,
    buffers: Tensors,
    output_shape: [usize; 4],
    output: Vec<f64>,
    grad_output: Vec<f64>,
    grad_input: Vec<f64>,
    grad_parameters: Tensors,
    buffers_after: Tensors,
}

#[derive(Deserialize)]
struct Tensor {
    shape: Vec<usize>,
    values: Vec<f64>,
}

type Tensors = BTreeMap<String, Tensor>;

/// What percept makes of a training case.
struct Found {
    output: Vec<f64>,
    grad_input: Vec<f64>,
    grad_parameters: Vec<f64>,
    buffers_after: Vec<f64>,
}

fn convert<T: Element>(values: &[f64]) -> Vec<T> {
    values.iter().map(|x| T::from_f64(*x)).collect()
}

fn f64s<T: Element>(values: &[T]) -> Vec<f64> {
    values.iter().map(|x| x.to_f64()).collect()
}

/// Copies PyTorch's tensors to where the network has them.
fn fill<'a, T: Element>(
    places: impl Iterator<Item = (&'a String, &'a Vec<usize>, Range<usize>)>,
    tensors: &Tensors,
    values: &mut [T],
) {
    let mut filled = 0;
    for (name, shape, range) in places {
        assert_eq!(shape, &tensors[name].shape, "{name}");
        values[range].copy_from_slice(&convert(&tensors[name].values));
        filled += 1;
    }
    assert_eq!(filled, tensors.len(), "PyTorch has {:?}", tensors.keys());
}

fn network<T: Element>(case: &Case) -> Network<T> {
    let [_, height, width, channels] = case.input_shape;
    let (input, layers) = (Shape::new(height, width, channels), vec![case.layer.clone()]);
    let spec = NetworkSpec { name: case.name.clone(), input, layers };
    let mut network = Network::zeroed(spec).expect(&case.name);
    let description = network.description().clone();
    let parameters = description.parameters.iter();
    let parameters = parameters.map(|p| (&p.name, &p.shape, p.range.clone()));
    fill(parameters, &case.parameters, network.values_mut());
    let buffers = description.buffers.iter().map(|b| (&b.name, &b.shape, b.range.clone()));
    fill(buffers, &case.buffers, network.buffer_values_mut());
    let [_, height, width, channels] = case.output_shape;
    assert_eq!(description.output, Shape::new(height, width, channels), "{}", case.name);
    network
}

fn train<T: Element>(case: &Case, network: &Network<T>, isa: Isa) -> Found {
    let mode = Mode::Training { fuse: true, input_gradient: true };
    let passes = Passes::ForwardAndBackward { input_gradient: true };
    let images = case.input_shape[0];
    let plan = Plan::new(Graph::new(network.description(), isa.into(), mode), isa, images, passes);
    let (parameters, mut buffers) = (network.values(), network.buffer_values().to_vec());
    let mut packed = vec![T::ZERO; plan.packed_len()];
    for node in 0..plan.nodes().len() {
        plan.pack(node, parameters, &buffers, &mut packed[plan.packed_range(node)]);
    }
    let numbers = Numbers::new(parameters, &packed);
    let mut arena = vec![T::from_f64(f64::NAN); plan.arena_len()];
    let mut statistics = vec![T::ZERO; plan.statistics_len()];
    plan.input(&mut arena, images).copy_from_slice(&convert(&case.input));
    plan.forward(images, DrawName::default(), numbers, &mut arena, &mut statistics);
    let output = f64s(plan.output(&arena, images));
    let (_, gradient) = plan.output_and_gradient(&mut arena, images);
    gradient.copy_from_slice(&convert(&case.grad_output));
    let mut lane = vec![T::ZERO; parameters.len()];
    plan.backward(0, images, numbers, &mut arena, &mut lane, Sums::Begin);
    plan.merge_statistics(&statistics, &[images], &mut buffers);
    let grad_input = f64s(plan.gradient(&arena, 0, images));
    Found { output, grad_input, grad_parameters: f64s(&lane), buffers_after: f64s(&buffers) }
}

fn check<T: Element>(case: &Case, isa: Isa, tolerance: f64) {
    let network = network::<T>(case);
    let what = |part: &str| format!("{part} of {} on {isa}", case.name);
    if !case.train {
        let found = Predictor::new(&network, isa, 1).logits(&convert(&case.input));
        assert_close(&what("output"), &f64s(&found), &case.output, tolerance);
        return;
    }
    let found = train(case, &network, isa);
    assert_close(&what("output"), &found.output, &case.output, tolerance);
    assert_close(&what("grad_input"), &found.grad_input, &case.grad_input, tolerance);
    for parameter in network.parameters() {
        let gradient = &found.grad_parameters[parameter.range.clone()];
        let expected = &case.grad_parameters[&parameter.name].values;
        assert_close(&what(&parameter.name), gradient, expected, tolerance);
    }
    for buffer in network.buffers() {
        let values = &found.buffers_after[buffer.range.clone()];
        assert_close(
            &what(&buffer.name),
            values,
            &case.buffers_after[&buffer.name].values,
            tolerance,
        );
    }
}

#[test]
fn layers_agree_with_pytorch_in_f64() {
    for case in fixture::<Fixture>("layers").cases {
        // The file's 14 digits, and sums of up to a few hundred numbers.
        check::<f64>(&case, Isa::SCALAR, 1e-12);
    }
}

#[test]
fn layers_agree_with_pytorch_in_f32_on_every_body() {
    println!("bodies: {:?}", Isa::available());
    for case in fixture::<Fixture>("layers").cases {
        for isa in Isa::available() {
            // f32 has 6e-8; sums of a few hundred numbers, and normalisations that take differences, lose two digits.
            check::<f32>(&case, isa, 2e-5);
        }
    }
}
