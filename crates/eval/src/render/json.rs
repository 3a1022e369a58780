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
