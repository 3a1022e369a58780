//! Initial weights against PyTorch: Dirac weights exactly, the others by their moments.

mod golden;

use golden::{assert_close, fixture};
use percept_nn::init::{Init, initialise};
use percept_nn::parameter::{Parameter, Role};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Fixture {
    dirac: Vec<Dirac>,
    moments: Vec<Moments>,
}

#[derive(Deserialize)]
struct Dirac {
    shape: Vec<usize>,
    groups: usize,
    values: Vec<f64>,
}

#[derive(Deserialize)]
struct Moments {
    role: String,
    shape: Vec<usize>,
    fan_in: usize,
    fan_out: usize,
    variances: BTreeMap<String, f64>,
}

fn parameter(role: Role, shape: &[usize], fans: (usize, usize), init: Init) -> Parameter {
    Parameter {
        name: "weight".into(),
        shape: shape.to_vec(),
        role,
        fan_in: fans.0,
        fan_out: fans.1,
        init,
        range: 0..shape.iter().product(),
    }
}

fn initial(parameter: &Parameter, seed: u64) -> Vec<f64> {
    let mut values = vec![f64::NAN; parameter.range.len()];
    initialise(parameter, 3, seed, &mut values);
    values
}

/// Filters that PyTorch leaves at zero start as the uniform initialisation has them.
#[test]
fn dirac_passes_channels_through_as_pytorch_does() {
    for case in fixture::<Fixture>("initialisation").dirac {
        let &[height, width, inputs, outputs] = case.shape.as_slice() else { panic!("four axes") };
        let fans = (height * width * inputs, height * width * outputs / case.groups);
        let weight = |init| initial(&parameter(Role::ConvWeight, &case.shape, fans, init), 1);
        let (found, uniform) = (weight(Init::Dirac), weight(Init::UniformFanIn));
        for output in 0..outputs {
            let filter = |values: &[f64]| -> Vec<f64> {
                values.iter().skip(output).step_by(outputs).copied().collect()
            };
            let expected = filter(&case.values);
            let passes = expected.contains(&1.0);
            let expected = if passes { expected } else { filter(&uniform) };
            let what = format!("{:?} output {output}", case.shape);
            assert_close(&what, &filter(&found), &expected, 0.0);
        }
    }
}

#[test]
fn moments_are_pytorchs() {
    for case in fixture::<Fixture>("initialisation").moments {
        let role = if case.role == "conv_weight" { Role::ConvWeight } else { Role::DenseWeight };
        for (init, variance) in case.variances {
            let normal = init == "kaiming";
            let init: Init = serde_json::from_value(init.into()).expect("an initialisation");
            let fans = (case.fan_in, case.fan_out);
            let values = initial(&parameter(role, &case.shape, fans, init), 7);
            let n = values.len() as f64;
            let mean = values.iter().sum::<f64>() / n;
            let found = values.iter().map(|x| x * x).sum::<f64>() / n;
            // Five standard errors: of the mean, and of the variance, whose relative variance is kurtosis - 1.
            assert!(mean.abs() < 5.0 * (variance / n).sqrt(), "{init:?}: mean {mean}");
            let kurtosis = if normal { 3.0 } else { 9.0 / 5.0 };
            let bound = 5.0 * (f64::sqrt((kurtosis - 1.0) / n));
            assert!((found / variance - 1.0).abs() < bound, "{init:?}: {found} is not {variance}");
            let greatest = values.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
            assert!(normal || greatest <= (3.0 * variance).sqrt(), "{init:?}: {greatest}");
        }
    }
}
