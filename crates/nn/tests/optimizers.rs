//! What every optimizer promises beside its numbers (those are in `golden_optimizers.rs`).

use percept_kernels::isa::Isa;
use percept_kernels::random::{Draws, Purpose};
use percept_nn::compute::{Compute, Precision};
use percept_nn::init::Init;
use percept_nn::optim::{Adam, AdamW, Muon, OptimizerSpec, Sgd};
use percept_nn::parameter::{Parameter, Role};

fn parameter(role: Role, shape: &[usize]) -> Parameter {
    let range = 0..shape.iter().product();
    let (name, shape) = ("conv1.weight".to_owned(), shape.to_vec());
    Parameter { name, shape, role, fan_in: 1, fan_out: 1, init: Init::Kaiming, range }
}

fn random(len: usize, example: u64) -> Vec<f32> {
    let mut draws = Draws::new(1, Purpose::Test, 0, example);
    (0..len).map(|_| draws.normal()).collect()
}

fn all() -> Vec<OptimizerSpec> {
    let sgd = Sgd { learning_rate: 0.1, momentum: 0.9, nesterov: true, weight_decay: 0.01 };
    vec![
        OptimizerSpec::Sgd(Sgd { momentum: 0.0, nesterov: false, ..sgd }),
        OptimizerSpec::Sgd(sgd),
        OptimizerSpec::Adam(Adam { weight_decay: 0.1, ..Adam::default() }),
        OptimizerSpec::AdamW(AdamW::default()),
        OptimizerSpec::Muon(Muon::default()),
    ]
}

/// Weights and state after three steps, the tensor cut into parts of so many numbers.
fn three_steps(isa: Isa, spec: &OptimizerSpec, parameter: &Parameter, part: usize) -> Vec<f32> {
    let len = parameter.range.len();
    let mut weights = random(len, 0);
    for (index, weights) in weights.chunks_mut(part).enumerate() {
        let mut state = vec![0.0; spec.state_arrays(parameter) * weights.len()];
        let mut scratch = vec![f32::NAN; spec.scratch_len(parameter)];
        for step in 1..=3 {
            let gradient = random(len, step);
            let gradient = &gradient[index * part..][..weights.len()];
            spec.update(isa, parameter, step, 0.1, weights, gradient, &mut state, &mut scratch);
        }
    }
    weights
}

#[test]
fn parts_and_bodies_give_the_bits_of_the_whole() {
    let dense = parameter(Role::DenseWeight, &[23, 17]);
    println!("bodies: {:?}", Isa::available());
    for spec in all() {
        assert!(spec.is_elementwise(&dense), "{spec:?}");
        let whole = three_steps(Isa::SCALAR, &spec, &dense, 23 * 17);
        for isa in Isa::available() {
            for part in [1, 16, 100, 23 * 17] {
                assert_eq!(three_steps(isa, &spec, &dense, part), whole, "{spec:?} {isa} {part}");
            }
        }
    }
}

#[test]
fn biases_and_normalisations_do_not_decay() {
    for role in [Role::Bias, Role::NormWeight, Role::NormBias] {
        let parameter = parameter(role, &[9]);
        for spec in all() {
            let (mut weights, mut state) =
                (vec![1.0_f32; 9], vec![0.0; spec.state_len(&parameter)]);
            spec.update(
                Isa::SCALAR,
                &parameter,
                1,
                0.1,
                &mut weights,
                &[0.0; 9],
                &mut state,
                &mut [],
            );
            assert_eq!(weights, [1.0; 9], "{spec:?}");
        }
    }
}

#[test]
fn muon_takes_convolutions_of_several_channels() {
    let muon = Muon::default();
    let (first, second) =
        (parameter(Role::ConvWeight, &[3, 3, 1, 8]), parameter(Role::ConvWeight, &[3, 3, 8, 8]));
    let dense = parameter(Role::DenseWeight, &[8, 8]);
    assert!(!muon.orthogonalises(&first) && muon.orthogonalises(&second));
    assert!(!muon.orthogonalises(&dense));
    assert!(Muon { dense: true, ..muon.clone() }.orthogonalises(&dense));
    let spec = OptimizerSpec::Muon(muon);
    assert!(!spec.is_elementwise(&second));
    assert_eq!((spec.learning_rate_for(&first), spec.learning_rate_for(&second)), (0.01, 0.1));
    let doubled = spec.with_learning_rate(0.2);
    assert_eq!((doubled.learning_rate(), doubled.learning_rate_for(&dense)), (0.2, 0.02));
}

/// The step of one update with learning rate 1 is the orthogonal matrix itself: its columns have products near those of
/// the identity, since singular values are 0.7 to 1.2 (Jordan 2024).
#[test]
fn muons_steps_are_nearly_orthogonal() {
    let spec = OptimizerSpec::Muon(Muon { normalise_weights: false, ..Muon::default() });
    for shape in [[3, 3, 4, 12], [1, 1, 5, 30], [1, 1, 16, 16]] {
        let parameter = parameter(Role::ConvWeight, &shape);
        let (rows, columns) = parameter.matrix();
        let mut weights = vec![0.0; rows * columns];
        let mut state = vec![0.0; spec.state_len(&parameter)];
        let mut scratch = vec![f32::NAN; spec.scratch_len(&parameter)];
        let gradient = random(rows * columns, 1);
        for isa in Isa::available() {
            weights.fill(0.0);
            state.fill(0.0);
            let weights = &mut weights;
            spec.update(isa, &parameter, 1, 1.0, weights, &gradient, &mut state, &mut scratch);
            let energy: f32 = weights.iter().map(|w| w * w).sum::<f32>() / rows.min(columns) as f32;
            // The mean of the squared singular values.
            assert!((0.5..1.4).contains(&energy), "{shape:?} {isa}: {energy}");
            let along: f32 = weights.iter().zip(&gradient).map(|(w, g)| w * g).sum();
            assert!(along < 0.0, "the step goes down the gradient");
        }
    }
}

/// Operands are rounded by 2^-9 at most, fifteen products deep, and small directions are blown up about twentyfold: the steps
/// are alike to a few parts in a hundred, and as orthogonal.
#[test]
fn muons_steps_in_bf16_are_those_in_fp32() {
    let spec = OptimizerSpec::Muon(Muon { normalise_weights: false, ..Muon::default() });
    for shape in [[3, 3, 32, 256], [1, 1, 210, 330]] {
        let parameter = parameter(Role::ConvWeight, &shape);
        let (rows, columns) = parameter.matrix();
        let gradient = random(rows * columns, 1);
        let step = |compute: Compute| {
            let mut weights = vec![0.0; rows * columns];
            let mut state = vec![0.0; spec.state_len(&parameter)];
            let mut scratch = vec![f32::NAN; spec.scratch_len(&parameter)];
            spec.update(
                compute,
                &parameter,
                1,
                1.0,
                &mut weights,
                &gradient,
                &mut state,
                &mut scratch,
            );
            weights
        };
        let dot =
            |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
        for isa in Isa::available() {
            let full = step(Compute::new(isa));
            let rounded = step(Compute { precision: Precision::Bf16, ..Compute::new(isa) });
            assert_ne!(full, rounded, "{shape:?} {isa}: the operands were rounded");
            let difference: Vec<f32> = full.iter().zip(&rounded).map(|(a, b)| a - b).collect();
            let share = (dot(&difference, &difference) / dot(&full, &full)).sqrt();
            assert!(share < 0.05, "{shape:?} {isa}: {share}");
        }
    }
}

#[test]
fn muon_bears_zeros() {
    let spec = OptimizerSpec::Muon(Muon::default());
    let parameter = parameter(Role::ConvWeight, &[1, 1, 2, 3]);
    let (mut weights, mut state) = ([0.0_f32; 6], [0.0; 6]);
    let mut scratch = vec![f32::NAN; spec.scratch_len(&parameter)];
    spec.update(Isa::SCALAR, &parameter, 1, 0.1, &mut weights, &[0.0; 6], &mut state, &mut scratch);
    assert_eq!(weights, [0.0; 6]);
}

#[test]
fn specs_read_back_and_default() {
    for spec in all() {
        let text = toml::to_string(&spec).expect("TOML");
        assert_eq!(toml::from_str::<OptimizerSpec>(&text).expect(&text), spec);
        spec.validate().expect(&text);
    }
    for kind in ["sgd", "adam", "adamw", "muon"] {
        let text = format!("kind = '{kind}'");
        let spec: OptimizerSpec = toml::from_str(&text).expect(&text);
        spec.validate().expect(&text);
    }
}

#[test]
fn wrong_settings_are_named() {
    let refused = |text: &str, reason: &str| {
        let spec: OptimizerSpec = toml::from_str(text).expect(text);
        assert_eq!(spec.validate().map_err(|e| e.to_string()), Err(reason.to_owned()));
    };
    refused(
        "kind = 'sgd'\nlearning_rate = -1",
        "sgd: `learning_rate` must be a finite number of at least 0, found -1",
    );
    refused(
        "kind = 'sgd'\nmomentum = 1.0",
        "sgd: `momentum` must be at least 0 and below 1, found 1",
    );
    refused(
        "kind = 'sgd'\nmomentum = 0\nnesterov = true",
        "sgd: `nesterov` needs a momentum above 0: set `momentum = 0.9`, or `nesterov = false`",
    );
    refused("kind = 'adam'\neps = 0", "adam: `eps` must be a finite number above 0, found 0");
    refused(
        "kind = 'adamw'\nbeta2 = nan",
        "adamw: `beta2` must be at least 0 and below 1, found NaN",
    );
    refused(
        "kind = 'muon'\nnewton_schulz_steps = 0",
        "muon: `newton_schulz_steps` must be from 1 to 20, found 0",
    );
    refused(
        "kind = 'muon'\nweight_decay = 0.1",
        "muon: weights that are normalised before every step cannot decay: set `weight_decay = 0`, or `normalise_weights = false`",
    );
    refused(
        "kind = 'muon'\nothers = { beta1 = 2 }",
        "muon.others: `beta1` must be at least 0 and below 1, found 2",
    );
    let unknown = toml::from_str::<OptimizerSpec>("kind = 'sgd'\nmomentun = 0.9");
    assert!(unknown.is_err_and(|e| e.message().contains("momentun")));
}

/// 0.6 times the smallest number is that number again: without care, a filter that has died would keep it for ever, and
/// processors take a hundred times as long for it.
#[test]
fn the_state_of_a_weight_without_gradient_becomes_zero() {
    let conv = parameter(Role::ConvWeight, &[3, 3, 2, 4]);
    for spec in all().into_iter().filter(|spec| spec.state_len(&conv) > 0) {
        let len = conv.range.len();
        let (mut weights, mut state) = (random(len, 0), vec![0.0_f32; spec.state_len(&conv)]);
        let mut scratch = vec![f32::NAN; spec.scratch_len(&conv)];
        let without_decay = match spec.clone() {
            OptimizerSpec::Sgd(sgd) => OptimizerSpec::Sgd(Sgd { weight_decay: 0.0, ..sgd }),
            OptimizerSpec::Adam(adam) => OptimizerSpec::Adam(Adam { weight_decay: 0.0, ..adam }),
            spec => spec,
        };
        let mut gradient = random(len, 1);
        // beta2 is 0.999 at most: 0.999^100,000 is below any number.
        for step in 1..=100_000 {
            without_decay.update(
                Isa::SCALAR,
                &conv,
                step,
                0.0,
                &mut weights,
                &gradient,
                &mut state,
                &mut scratch,
            );
            gradient.fill(0.0);
        }
        assert!(state.iter().all(|number| *number == 0.0), "{spec:?}: {:?}", &state[..4]);
    }
}
