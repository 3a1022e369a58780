//! Ten steps of every optimizer against PyTorch, and against the airbench for Muon that normalises weights.

mod golden;

use golden::{assert_close, fixture};
use percept_kernels::element::Element;
use percept_kernels::isa::Isa;
use percept_kernels::slices::norm_squared;
use percept_nn::clip::clip_factor;
use percept_nn::init::Init;
use percept_nn::optim::OptimizerSpec;
use percept_nn::parameter::{Parameter, Role};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Fixture {
    factors: Vec<f64>,
    tensors: BTreeMap<String, Tensor>,
    cases: Vec<Case>,
    clipping: Vec<Clipping>,
}

#[derive(Deserialize)]
struct Tensor {
    role: String,
    shape: Vec<usize>,
    start: Vec<f64>,
    gradients: Vec<Vec<f64>>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    optimizer: OptimizerSpec,
    tensor: String,
    after_first: Vec<f64>,
    after_last: Vec<f64>,
}

#[derive(Deserialize)]
struct Clipping {
    gradient: Vec<f64>,
    max_norm: f64,
    norm: f64,
    clipped: Vec<f64>,
}

fn parameter(name: &str, tensor: &Tensor) -> Parameter {
    let role = match tensor.role.as_str() {
        "conv_weight" => Role::ConvWeight,
        "dense_weight" => Role::DenseWeight,
        _ => Role::Bias,
    };
    let range = 0..tensor.start.len();
    let (name, shape) = (name.to_owned(), tensor.shape.clone());
    Parameter { name, shape, role, fan_in: 1, fan_out: 1, init: Init::Kaiming, range }
}

/// The weights after each step.
fn steps<T: Element>(isa: Isa, case: &Case, tensor: &Tensor, factors: &[f64]) -> Vec<Vec<f64>> {
    let parameter = parameter(&case.tensor, tensor);
    let convert = |values: &[f64]| values.iter().map(|x| T::from_f64(*x)).collect::<Vec<_>>();
    let optimizer = &case.optimizer;
    let mut weights = convert(&tensor.start);
    let mut state = vec![T::ZERO; optimizer.state_len(&parameter)];
    let mut scratch = vec![T::from_f64(f64::NAN); optimizer.scratch_len(&parameter)];
    let mut after = Vec::new();
    for (step, (gradient, factor)) in (1..).zip(tensor.gradients.iter().zip(factors)) {
        let rate = optimizer.learning_rate_for(&parameter) * factor;
        let gradient = convert(gradient);
        optimizer.update(
            isa,
            &parameter,
            step,
            rate,
            &mut weights,
            &gradient,
            &mut state,
            &mut scratch,
        );
        after.push(weights.iter().map(|w| w.to_f64()).collect());
    }
    after
}

fn tolerance(optimizer: &OptimizerSpec) -> f64 {
    match optimizer {
        // The airbench divides by norm + 1e-7 where percept and PyTorch divide by max(norm, 1e-7); norms are about 2.
        OptimizerSpec::Muon(muon) if muon.normalise_weights => 1e-6,
        // Fifty iterations, each of which can triple the rounding of small singular values.
        OptimizerSpec::Muon(_) => 1e-10,
        // The file's 14 digits, and ten steps' rounding.
        _ => 1e-12,
    }
}

#[test]
fn ten_steps_agree_in_f64() {
    let fixture: Fixture = fixture("optimizers");
    for case in &fixture.cases {
        case.optimizer.validate().expect(&case.name);
        let what = format!("{} of {}", case.name, case.tensor);
        let after =
            steps::<f64>(Isa::SCALAR, case, &fixture.tensors[&case.tensor], &fixture.factors);
        let tolerance = tolerance(&case.optimizer);
        assert_close(&what, &after[0], &case.after_first, tolerance);
        assert_close(&what, &after[9], &case.after_last, tolerance);
    }
}

#[test]
fn ten_steps_agree_in_f32_on_every_body() {
    let fixture: Fixture = fixture("optimizers");
    println!("bodies: {:?}", Isa::available());
    for case in &fixture.cases {
        for isa in Isa::available() {
            let what = format!("{} of {} in f32, {isa}", case.name, case.tensor);
            let tensor = &fixture.tensors[&case.tensor];
            let after = steps::<f32>(isa, case, tensor, &fixture.factors);
            // f32 has 6e-8; Newton-Schulz triples the rounding of small singular values five times.
            let muon = matches!(case.optimizer, OptimizerSpec::Muon(_));
            assert_close(&what, &after[9], &case.after_last, if muon { 2e-4 } else { 2e-6 });
        }
    }
}

#[test]
fn clipping_agrees() {
    for Clipping { gradient, max_norm, norm, clipped } in fixture::<Fixture>("optimizers").clipping
    {
        let found = norm_squared(Isa::SCALAR, &gradient).sqrt();
        // The file's 14 digits.
        assert_close("norm", &[found], &[norm], 1e-13);
        let factor = clip_factor(found, max_norm);
        let found: Vec<f64> = gradient.iter().map(|g| g * factor).collect();
        assert_close("clipped", &found, &clipped, 1e-13);
    }
}
