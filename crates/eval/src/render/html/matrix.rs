//! The confusion matrix as a heat map: right answers blue, mistakes orange, which the colour-blind can tell apart.

use super::escape::escape;
use super::words::{self, grouped, percent};
use crate::report::Report;

/// The most classes whose matrix is drawn; a row and a column for each would otherwise make a page of many megabytes.
const MOST_CLASSES: usize = 150;

/// Shades of a colour.
const LEVELS: f64 = 8.0;

/// The longest name, in letters, that stands upright over its column.
const UPRIGHT: usize = 3;

pub(super) fn section(report: &Report) -> String {
    let classes = report.classes.len();
    if classes > MOST_CLASSES {
        let text = format!(
            "<p>The matrix of {} classes is too large for a page; the JSON report holds it.</p>\n",
            grouped(classes as u64)
        );
        return super::section("Confusion matrix", &text);
    }
    let content = format!(
        "<p class=\"note\">Rows: the true class. Columns: what it was taken for. \
         <span class=\"key d h6\">Blue</span> is right, <span class=\"key w h6\">orange</span> a mistake: \
         the stronger, the larger its share of the row. The worst mistake has the strongest orange.</p>\n\
         <div class=\"scroll\" role=\"region\" aria-label=\"Confusion matrix\" tabindex=\"0\">\n\
         <table class=\"matrix\">\n<thead>{}</thead>\n<tbody>\n{}</tbody>\n</table>\n</div>\n",
        head(report),
        rows(report)
    );
    super::section("Confusion matrix", &content)
}

fn head(report: &Report) -> String {
    let long = report.classes.iter().any(|class| class.name.chars().count() > UPRIGHT);
    let class = if long { " class=\"turned\"" } else { "" };
    let cells: String = report
        .classes
        .iter()
        .map(|c| {
            format!(
                "<th scope=\"col\" title=\"{}\"><span>{}</span></th>",
                escape(&c.name),
                words::name(&c.name)
            )
        })
        .collect();
    format!("<tr{class}><td></td>{cells}</tr>")
}

fn rows(report: &Report) -> String {
    let counts = report.confusion.rows();
    let worst = worst_share(counts);
    let cells = |(label, row): (usize, &Vec<u64>)| {
        let support = row.iter().sum::<u64>();
        let cells: String = row
            .iter()
            .enumerate()
            .map(|(predicted, &count)| {
                Cell { report, label, predicted, count, support }.html(worst)
            })
            .collect();
        let name = &report.classes[label].name;
        format!(
            "<tr><th scope=\"row\" title=\"{}\"><span>{}</span></th>{cells}</tr>\n",
            escape(name),
            words::name(name)
        )
    };
    counts.iter().enumerate().map(cells).collect()
}

/// The largest share that a mistake has of its row: mistakes are shaded relative to it, or good networks had none.
fn worst_share(rows: &[Vec<u64>]) -> f64 {
    let share = |(label, row): (usize, &Vec<u64>)| {
        let most = row.iter().enumerate().filter(|(p, _)| *p != label).map(|(_, c)| *c).max();
        most.unwrap_or(0) as f64 / row.iter().sum::<u64>().max(1) as f64
    };
    rows.iter().enumerate().map(share).fold(0.0, f64::max)
}

struct Cell<'a> {
    report: &'a Report,
    label: usize,
    predicted: usize,
    count: u64,
    support: u64,
}

impl Cell<'_> {
    fn html(&self, worst: f64) -> String {
        if self.count == 0 {
            return "<td>0</td>".to_owned();
        }
        let share = self.count as f64 / self.support as f64;
        let right = self.label == self.predicted;
        let (colour, strength) = if right { ('d', share) } else { ('w', share / worst) };
        let level = (strength * LEVELS).ceil().clamp(1.0, LEVELS);
        let name = |class: usize| escape(&self.report.classes[class].name);
        format!(
            "<td class=\"{colour} h{level}\" title=\"{} taken for {}: {} of {} ({})\">{}</td>",
            name(self.label),
            name(self.predicted),
            grouped(self.count),
            grouped(self.support),
            percent(share),
            self.count
        )
    }
}
