//! The result in a few large numbers and one sentence.

use super::escape::escape;
use super::words::{grouped, percent};
use crate::report::Report;

pub(super) fn section(report: &Report, part: &str) -> String {
    let part = escape(part);
    let accuracy = &report.accuracy;
    let (correct, total) = (grouped(accuracy.correct), grouped(accuracy.total));
    let mistakes = accuracy.total.saturating_sub(accuracy.correct);
    let mut cards = vec![
        card(
            "Accuracy",
            &percent(accuracy.value),
            &format!("{correct} of {total} {part} images right"),
        ),
        card("Mistakes", &grouped(mistakes), &format!("of {total} images")),
        card("Loss", &four_digits(report.loss), &chance(report.classes.len())),
    ];
    if let Some(auc) = report.auc {
        cards.push(card("AUC", &four_digits(auc), "area under the ROC curve; 0.5 is guessing"));
    }
    for top in &report.top_k {
        let note = format!("truth among the {} likeliest", top.k);
        cards.push(card(&format!("Top {}", top.k), &percent(top.accuracy.value), &note));
    }
    format!(
        "<section>\n<div class=\"cards\">\n{}</div>\n{}</section>\n",
        cards.concat(),
        interval(report)
    )
}

fn card(name: &str, value: &str, note: &str) -> String {
    format!(
        "<div class=\"card\"><h2>{name}</h2><p class=\"value\">{value}</p><p>{note}</p></div>\n"
    )
}

fn four_digits(number: f64) -> String {
    format!("{number:.4}")
}

/// The loss of an answer that says the same of every class.
fn chance(classes: usize) -> String {
    format!("0 is perfect, blind guessing gives {:.2}", (classes as f64).ln())
}

fn interval(report: &Report) -> String {
    let accuracy = &report.accuracy;
    let (low, high) = (percent(accuracy.low), percent(accuracy.high));
    format!(
        "<p class=\"interval\">On images of the same kind, expect between <b>{low}</b> and <b>{high}</b> right: so much can be \
         said with 95&nbsp;% confidence from {} images (Wilson interval).</p>\n",
        grouped(accuracy.total)
    )
}
