//! The loss against PyTorch's `cross_entropy`.

mod golden;

use golden::{assert_close, fixture};
use percept_kernels::element::Element;
use percept_kernels::isa::Isa;
use percept_nn::loss::{LossSettings, Target, cross_entropy, softmax};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
    mixed: Vec<MixedCase>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    classes: usize,
    settings: LossSettings,
    logits: Vec<f64>,
    labels: Vec<u32>,
    probabilities: Vec<f64>,
    mean_loss: f64,
    grad_logits: Vec<f64>,
    correct: usize,
}

#[derive(Deserialize)]
struct MixedCase {
    name: String,
    classes: usize,
    settings: LossSettings,
    logits: Vec<f64>,
    labels: Vec<u32>,
    others: Vec<u32>,
    shares: Vec<f32>,
    sum_loss: f64,
    grad_logits: Vec<f64>,
}

fn check<T: Element>(case: &Case, tolerance: f64) {
    let Case { name, classes, settings, labels, .. } = case;
    settings.validate(*classes).expect(name);
    let logits: Vec<T> = case.logits.iter().map(|z| T::from_f64(*z)).collect();
    let mut out = vec![T::ZERO; logits.len()];
    let targets: Vec<Target> = labels.iter().map(|label| Target::from(*label)).collect();
    let normaliser = settings.normaliser(&targets);
    let f64s = |values: &[T]| values.iter().map(|x| x.to_f64()).collect::<Vec<_>>();
    for isa in Isa::available() {
        let loss = cross_entropy(isa, settings, *classes, &logits, &targets, normaliser, &mut out);
        assert_close(name, &[loss.sum / normaliser], &[case.mean_loss], tolerance);
        assert_close(name, &f64s(&out), &case.grad_logits, tolerance);
        assert_eq!(loss.correct, case.correct, "{name}");
    }
    softmax(*classes, &logits, &mut out);
    assert_close(name, &f64s(&out), &case.probabilities, tolerance);
}

fn check_mixed<T: Element>(case: &MixedCase, tolerance: f64) {
    let MixedCase { name, classes, settings, .. } = case;
    let logits: Vec<T> = case.logits.iter().map(|z| T::from_f64(*z)).collect();
    let labels = case.labels.iter().zip(&case.others).zip(&case.shares);
    let targets: Vec<Target> =
        labels.map(|((&label, &other), &share)| Target { label, other, share }).collect();
    let mut out = vec![T::ZERO; logits.len()];
    let loss = cross_entropy(Isa::SCALAR, settings, *classes, &logits, &targets, 1.0, &mut out);
    assert_close(name, &[loss.sum], &[case.sum_loss], tolerance);
    let gradient: Vec<f64> = out.iter().map(|x| x.to_f64()).collect();
    assert_close(name, &gradient, &case.grad_logits, tolerance);
}

#[test]
fn agrees_with_pytorch() {
    let fixture: Fixture = fixture("loss");
    for case in &fixture.cases {
        // The file's 14 digits, and rounding of a few sums.
        check::<f64>(case, 1e-13);
        // f32 has 6e-8; logits of 900 lose three digits of it before they reach exp.
        check::<f32>(case, 1e-5);
    }
    assert_eq!(fixture.mixed.len(), 5);
    for case in &fixture.mixed {
        // As above; the sum of up to nine losses, and a gradient that is not divided by their number.
        check_mixed::<f64>(case, 1e-12);
        check_mixed::<f32>(case, 1e-4);
    }
}
