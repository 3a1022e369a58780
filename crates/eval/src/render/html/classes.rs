//! The table of scores by class.

use super::words::{self, grouped, percent};
use crate::metrics::ClassScores;
use crate::report::Report;

const EXPLANATION: &str = "<p class=\"note\"><b>Precision</b>: how many of the images taken for the class are of it. \
    <b>Recall</b>: how many of the class's images were found. <b>F1</b>: the harmonic mean of the two. \
    <b>Images</b>: how many of the class were measured (support). Bars go from 0 to 100&nbsp;%. \
    A class without images was not measured, and does not count in the mean of classes.</p>\n";

pub(super) fn section(report: &Report) -> String {
    let rows: String = report
        .classes
        .iter()
        .map(|class| {
            let ClassScores { precision, recall, f1, support, .. } = class.scores;
            row(&words::name(&class.name), [precision, recall, f1], support)
        })
        .collect();
    let table = format!(
        "<div class=\"scroll\" role=\"region\" aria-label=\"Scores by class\" tabindex=\"0\">\n\
         <table class=\"classes\">\n<thead><tr><th scope=\"col\">Class</th><th scope=\"col\">Precision</th>\
         <th scope=\"col\">Recall</th><th scope=\"col\">F1</th><th scope=\"col\">Images</th></tr></thead>\n\
         <tbody>\n{rows}</tbody>\n<tfoot>\n{}</tfoot>\n</table>\n</div>\n",
        means(report)
    );
    super::section("By class", &(table + EXPLANATION))
}

fn means(report: &Report) -> String {
    let (averages, total) = (&report.averages, report.accuracy.total);
    [
        ("Mean of classes (macro)", &averages.macro_mean),
        ("Mean of images (micro)", &averages.micro),
        ("Mean weighted by support", &averages.weighted),
    ]
    .map(|(name, mean)| row(name, [mean.precision, mean.recall, mean.f1].map(Some), total))
    .concat()
}

fn row(name: &str, scores: [Option<f64>; 3], support: u64) -> String {
    let cells: String = scores.into_iter().map(bar).collect();
    format!("<tr><th scope=\"row\">{name}</th>{cells}<td>{}</td></tr>\n", grouped(support))
}

/// A dash for what was not measured.
fn bar(share: Option<f64>) -> String {
    let Some(share) = share else { return "<td>–</td>".to_owned() };
    format!("<td class=\"bar\" style=\"--share:{:.4}\">{}</td>", share, percent(share))
}
