//! A report as one HTML page that needs nothing else: no script, no network, light and dark, wide and narrow.

pub mod axis;
mod chart;
mod classes;
mod escape;
mod matrix;
mod summary;
mod words;

pub use chart::{Chart, Scale, Series, Unit};
pub use words::grouped;

use crate::report::Report;
use escape::escape;

/// What a page shows.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// The heading, such as the network's name and its data.
    pub title: &'a str,
    /// Which examples were measured: `test` or `validation`.
    pub part: &'a str,
    /// What was measured.
    pub report: &'a Report,
    /// Training curves, if there are any.
    pub charts: &'a [Chart],
    /// Names and values that say how the result came about, such as `("seed", "7")`.
    pub facts: &'a [(String, String)],
}

/// The page as HTML.
///
/// All text from outside is escaped; characters that hide or reorder text are shown by their numbers. Numbers that are
/// not finite are left out of charts. A confusion matrix of more than 150 classes is left out.
///
/// ```
/// use percept_eval::{predictions::Predictions, render::html, report::Report};
///
/// let names = vec!["<cat>".to_owned(), "dog".to_owned()];
/// let predictions = Predictions::new(names, vec![0.9, 0.1, 0.2, 0.8])?.with_labels(&[0, 1])?;
/// let report = Report::new(&predictions)?;
/// let page = html::Page { title: "Pets", part: "test", report: &report, charts: &[], facts: &[] };
/// assert!(html::html(&page).contains("&lt;cat&gt;"));
/// # Ok::<(), percept_eval::error::EvalError>(())
/// ```
#[must_use]
pub fn html(page: &Page<'_>) -> String {
    let Page { title, part, report, charts, facts } = page;
    let title = escape(title);
    let sections = [
        summary::section(report, part),
        chart::section(charts),
        classes::section(report),
        format!("<div class=\"pair\">\n{}{}</div>\n", matrix::section(report), mistakes(report)),
        facts_section(facts),
    ];
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1><bdi>{title}</bdi></h1>\n{}</main>\n</body>\n</html>\n",
        sections.concat()
    )
}

const STYLE: &str = include_str!("html/style.css");

/// A section under its heading.
fn section(heading: &str, content: &str) -> String {
    format!("<section>\n<h2>{heading}</h2>\n{content}</section>\n")
}

fn mistakes(report: &Report) -> String {
    if report.most_confused.is_empty() {
        return section("Most confused", "<p>No mistakes.</p>\n");
    }
    let items: String = report
        .most_confused
        .iter()
        .map(|pair| {
            let (class, taken_for) = (words::name(&pair.class), words::name(&pair.taken_for));
            let (count, support) = (grouped(pair.count), grouped(pair.support));
            let share = words::percent(pair.count as f64 / pair.support.max(1) as f64);
            format!(
                "<li><b>{class}</b> was taken for <b>{taken_for}</b> in {count} of {support} images ({share})</li>\n"
            )
        })
        .collect();
    section("Most confused", &format!("<ol>\n{items}</ol>\n"))
}

fn facts_section(facts: &[(String, String)]) -> String {
    if facts.is_empty() {
        return String::new();
    }
    let rows: String = facts
        .iter()
        .map(|(name, value)| {
            format!("<div><dt>{}</dt><dd><bdi>{}</bdi></dd></div>\n", escape(name), escape(value))
        })
        .collect();
    section("How it was made", &format!("<dl>\n{rows}</dl>\n"))
}

#[cfg(test)]
mod tests;
