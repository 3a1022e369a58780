//! The schedules against PyTorch's `lr_scheduler`.

mod golden;

use golden::{assert_close, fixture};
use percept_nn::schedule::Schedule;
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    schedule: Schedule,
    total_steps: u64,
    factors: Vec<f64>,
}

#[test]
fn agree_with_pytorch() {
    let fixture: Fixture = fixture("schedules");
    for Case { name, schedule, total_steps, factors } in fixture.cases {
        schedule.validate().expect(&name);
        let found: Vec<f64> =
            (1..=total_steps).map(|step| schedule.factor(step, total_steps)).collect();
        // PyTorch multiplies its way from step to step and collects rounding; the file has 14 digits.
        assert_close(&name, &found, &factors, 1e-12);
    }
}
