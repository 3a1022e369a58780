//! Every metric against scikit-learn's and SciPy's values, written by `golden/generate.py`.

use percept_eval::confusion::Confusion;
use percept_eval::metrics::{Proportion, Scores, top_k_accuracy};
use percept_eval::predictions::Predictions;
use percept_eval::report::Report;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
    wilson_95: Vec<Wilson>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    classes: usize,
    y_true: Vec<u32>,
    y_pred: Vec<usize>,
    probabilities: Vec<f32>,
    confusion: Vec<Vec<u64>>,
    accuracy: f64,
    per_class: PerClass,
    averages: BTreeMap<String, Scores>,
    log_loss: f64,
    /// Of each class against the rest; none where there is nothing to rank.
    roc_auc: Vec<Option<f64>>,
    top_2_accuracy: f64,
    wilson_95: Wilson,
}

#[derive(Deserialize)]
struct PerClass {
    precision: Vec<f64>,
    recall: Vec<f64>,
    f1: Vec<f64>,
    /// scikit-learn gives floats where every F1 is 0.
    support: Vec<f64>,
}

#[derive(Deserialize)]
struct Wilson {
    correct: u64,
    total: u64,
    low: f64,
    high: f64,
}

/// The fixture has 14 significant digits.
const TOLERANCE: f64 = 1e-12;

/// Probabilities of at least 1e-6 are rounded to f32 here, each by at most 6e-8 of itself, so their logarithms too.
const LOSS_TOLERANCE: f64 = 1e-7;

fn fixture() -> Fixture {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden/fixtures/metrics.json");
    let text = std::fs::read_to_string(path).expect("golden/generate.py has written the fixture");
    serde_json::from_str(&text).expect("the fixture has the form described here")
}

fn close(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!((found - expected).abs() <= tolerance, "{what}: found {found}, expected {expected}");
}

fn predictions(case: &Case) -> Predictions {
    let names = (0..case.classes).map(|class| class.to_string()).collect();
    let predictions = Predictions::new(names, case.probabilities.clone()).expect("valid");
    predictions.with_labels(&case.y_true).expect("valid")
}

#[test]
fn reports_agree_with_scikit_learn() {
    for case in fixture().cases {
        let predictions = predictions(&case);
        assert_eq!(predictions.predicted(), case.y_pred, "{}", case.name);
        let report = Report::new(&predictions).expect("labelled");
        assert_eq!(Vec::from(report.confusion.clone()), case.confusion, "{}", case.name);
        close(report.accuracy.value, case.accuracy, TOLERANCE, &case.name);
        close(report.loss, case.log_loss, LOSS_TOLERANCE, &case.name);
        for (class, expected) in report.classes.iter().zip(&case.roc_auc) {
            assert_eq!(class.auc.is_some(), expected.is_some(), "{}", case.name);
            close(class.auc.unwrap_or(0.0), expected.unwrap_or(0.0), TOLERANCE, &case.name);
        }
        check_classes(&case, &report);
        check_averages(&case, &report);
        check_interval(report.accuracy, &case.wilson_95);
        let top = top_k_accuracy(&predictions, 2).expect("labelled");
        close(top.value, case.top_2_accuracy, TOLERANCE, &case.name);
    }
}

fn check_classes(case: &Case, report: &Report) {
    assert_eq!(report.classes.len(), case.classes, "{}", case.name);
    for (class, found) in report.classes.iter().enumerate() {
        let (found, what) = (&found.scores, format!("{}, class {class}", case.name));
        let measured = case.per_class.support[class] > 0.0;
        for (found, expected) in [
            (found.precision, case.per_class.precision[class]),
            (found.recall, case.per_class.recall[class]),
            (found.f1, case.per_class.f1[class]),
        ] {
            assert_eq!(found.is_some(), measured, "{what}");
            // scikit-learn has 0 where there is nothing to measure.
            close(found.unwrap_or(0.0), expected, TOLERANCE, &what);
        }
        assert_eq!(found.support as f64, case.per_class.support[class], "{what}");
    }
}

fn check_averages(case: &Case, report: &Report) {
    let found = &report.averages;
    let all = [("macro", found.macro_mean), ("micro", found.micro), ("weighted", found.weighted)];
    for (name, found) in all {
        let (expected, what) = (case.averages[name], format!("{}, {name}", case.name));
        close(found.precision, expected.precision, TOLERANCE, &what);
        close(found.recall, expected.recall, TOLERANCE, &what);
        close(found.f1, expected.f1, TOLERANCE, &what);
    }
}

fn check_interval(found: Proportion, expected: &Wilson) {
    let what = format!("{} of {}", expected.correct, expected.total);
    assert_eq!((found.correct, found.total), (expected.correct, expected.total), "{what}");
    close(found.low, expected.low, TOLERANCE, &what);
    close(found.high, expected.high, TOLERANCE, &what);
}

#[test]
fn intervals_agree_with_scipy() {
    for expected in fixture().wilson_95 {
        check_interval(Proportion::new(expected.correct, expected.total), &expected);
    }
}

/// A matrix read from elsewhere gives the same scores as one that was counted.
#[test]
fn confusions_count_what_they_were_made_of() {
    for case in fixture().cases {
        let counted = Confusion::new(&predictions(&case)).expect("labelled");
        assert_eq!(Confusion::try_from(case.confusion).expect("square"), counted);
    }
}
