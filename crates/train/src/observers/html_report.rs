//! `report.html`: the result of a run as a page.

use crate::error::TrainError;
use crate::event::{EpochRecord, Event, Observer, Outcome, Plan};
use percept_eval::render::html::{Chart, Page, Scale, Series, Unit, grouped, html};
use percept_eval::report::Report;
use percept_model::atomic;
use std::time::Duration;

/// Writes `report.html` in the run's folder when the run is complete: the result on the test examples, or on the
/// validation examples where there are no others, with the training curves and the settings that matter.
#[derive(Clone, Debug, Default)]
pub struct HtmlReport {
    title: String,
    facts: Vec<(String, String)>,
    validates: bool,
}

impl Observer for HtmlReport {
    fn notify(&mut self, event: &Event<'_>) -> Result<(), TrainError> {
        match event {
            Event::Started(plan) => self.begin(plan),
            Event::Finished(outcome) => return self.write(outcome),
            _ => {}
        }
        Ok(())
    }
}

impl HtmlReport {
    fn begin(&mut self, plan: &Plan<'_>) {
        self.title = format!("{}, trained on {}", plan.config.network.name, plan.config.data);
        self.facts = facts(plan);
        self.validates = plan.validation_examples > 0;
    }

    fn write(&self, outcome: &Outcome) -> Result<(), TrainError> {
        let Some((part, report)) = measured(outcome) else { return Ok(()) };
        let mut facts = self.facts.clone();
        if let Some(epoch) = outcome.kept_epoch {
            facts.push(("Kept epoch".to_owned(), epoch.to_string()));
        }
        facts.push(("Time".to_owned(), duration(outcome.elapsed)));
        let charts = charts(&outcome.history, self.validates);
        let page = Page { title: &self.title, part, report, charts: &charts, facts: &facts };
        let text = html(&page);
        let path = outcome.folder.join("report.html");
        Ok(atomic::replace(&path, |file| file.write_all(text.as_bytes()))?)
    }
}

fn measured(outcome: &Outcome) -> Option<(&'static str, &Report)> {
    let test = outcome.test.as_ref().map(|report| ("test", report));
    test.or(outcome.validation.as_ref().map(|report| ("validation", report)))
}

fn facts(plan: &Plan<'_>) -> Vec<(String, String)> {
    let config = plan.config;
    let count = |count: usize| grouped(count as u64);
    [
        ("Network", config.network.name.clone()),
        ("Parameters", count(plan.network.parameter_len())),
        ("Operations per image", grouped(plan.network.operations())),
        ("Data", plan.data.to_owned()),
        ("Training images", count(plan.train_examples)),
        ("Validation images", count(plan.validation_examples)),
        ("Epochs", config.epochs.to_string()),
        ("Steps", grouped(plan.total_steps)),
        ("Images per step", count(config.batch_size)),
        ("Learning rate", config.optimizer.learning_rate().to_string()),
        ("Seed", config.seed.to_string()),
        ("Threads", plan.threads.to_string()),
        ("Instruction set", plan.isa.to_owned()),
        ("Version", format!("percept {}", env!("CARGO_PKG_VERSION"))),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn charts(history: &[EpochRecord], validates: bool) -> [Chart; 2] {
    let series = |name: &str, value: fn(&EpochRecord) -> f64| Series {
        name: name.to_owned(),
        points: history.iter().map(|record| (f64::from(record.epoch), value(record))).collect(),
    };
    let chart = |title: &str, unit, scale, [train, validation]: [Series; 2]| Chart {
        title: title.to_owned(),
        x_label: "epoch".to_owned(),
        unit,
        scale,
        series: if validates { vec![train, validation] } else { vec![train] },
    };
    let losses =
        [series("training", |r| r.train_loss), series("validation", |r| r.validation_loss)];
    let accuracies =
        [series("training", |r| r.train_accuracy), series("validation", |r| r.validation_accuracy)];
    [
        chart("Loss", Unit::Number, Scale::Logarithmic, losses),
        chart("Accuracy", Unit::Share, Scale::Linear, accuracies),
    ]
}

fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, _) => format!("{:.1} s", time.as_secs_f64()),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observers::sample::{outcome, started};
    use percept_eval::predictions::Predictions;
    use std::fs;
    use std::path::Path;

    fn report(right: bool) -> Report {
        let names = ["a", "b"].map(str::to_owned).into();
        let predictions = Predictions::new(names, vec![0.75, 0.25]).expect("valid");
        let predictions = predictions.with_labels(&[u32::from(!right)]).expect("valid");
        Report::new(&predictions).expect("labelled")
    }

    /// The page that is written at the end of such a run, if one is.
    fn page(folder: &Path, outcome: &Outcome) -> Option<String> {
        let mut observer = HtmlReport::default();
        started(folder, 0, |event| observer.notify(event).expect("taken"));
        observer.notify(&Event::Finished(outcome)).expect("written");
        fs::read_to_string(folder.join("report.html")).ok()
    }

    #[test]
    fn shows_the_test_result_with_curves_and_facts() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut outcome = outcome(folder.path(), 3);
        outcome.validation = Some(report(false));
        outcome.test = Some(report(true));
        let page = page(folder.path(), &outcome).expect("a page");
        let expected = [
            "1 of 1 test images right",
            "validation: from 0.1250 to 0.1250 at epoch 3",
            "<dt>Parameters</dt><dd><bdi>109,386</bdi>", // 784·128+128 + 128·64+64 + 64·10+10
            "MNIST &lt;digits&gt;",
            "58.0 s",
        ];
        for text in expected {
            assert!(page.contains(text), "{text} is not in {page}");
        }
    }

    #[test]
    fn shows_the_validation_result_where_there_is_no_test() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut outcome = outcome(folder.path(), 0);
        outcome.validation = Some(report(false));
        let page = page(folder.path(), &outcome).expect("a page");
        assert!(page.contains("0 of 1 validation images right") && !page.contains("<figure>"));
    }

    #[test]
    fn an_interrupted_run_has_no_page() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(page(folder.path(), &outcome(folder.path(), 2)), None);
    }

    #[test]
    fn validation_that_never_was_is_not_drawn() {
        let history = outcome(Path::new(""), 2).history;
        assert!(charts(&history, false).iter().all(|chart| chart.series.len() == 1));
    }

    #[test]
    fn times_are_as_precise_as_people_are() {
        let seconds = [0.04, 58.26, 61.0, 3600.0 * 2.0 + 125.0];
        let words = seconds.map(|s| duration(Duration::from_secs_f64(s)));
        assert_eq!(words, ["0.0 s", "58.3 s", "1 min 1 s", "2 h 2 min"]);
    }
}
