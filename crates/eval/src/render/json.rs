//! A report for programs.

use crate::report::Report;

/// The report as indented JSON; its keys are the field names of [`Report`], and reading it gives an equal report.
///
/// # Panics
/// Never: a report holds nothing that JSON cannot express.
#[must_use]
pub fn json(report: &Report) -> String {
    serde_json::to_string_pretty(report).expect("a report has only numbers, text and lists")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predictions::Predictions;

    fn report() -> Report {
        let names = ["a", "b", "ü\"\n"].map(str::to_owned).to_vec();
        let rows = vec![0.7, 0.2, 0.1, 0.1, 0.3, 0.6, 0.3, 0.3, 0.4];
        let predictions = Predictions::new(names, rows).and_then(|p| p.with_labels(&[0, 1, 2]));
        Report::new(&predictions.expect("valid")).expect("labelled")
    }

    #[test]
    fn comes_back_equal() {
        assert_eq!(serde_json::from_str::<Report>(&json(&report())).expect("a report"), report());
    }

    #[test]
    fn keys_are_those_that_programs_rely_on() {
        let value: serde_json::Value = serde_json::from_str(&json(&report())).expect("JSON");
        assert_eq!(value["accuracy"]["correct"], 2);
        assert_eq!(value["confusion"][1][2], 1);
        assert_eq!(value["classes"][1]["name"], "b");
        assert_eq!(value["classes"][1]["recall"], 0.0);
        assert_eq!(value["averages"]["micro"]["f1"], 2.0 / 3.0);
        assert_eq!(value["most_confused"][0]["taken_for"], "ü\"\n");
    }

    #[test]
    fn a_confusion_that_is_not_square_is_refused() {
        let text = json(&report()).replacen("\"confusion\": [", "\"confusion\": [[1],", 1);
        let error = serde_json::from_str::<Report>(&text).expect_err("refused");
        assert!(
            error.to_string().contains("row 0 of a confusion matrix has 1 numbers, expected 4"),
            "{error}"
        );
    }
}
