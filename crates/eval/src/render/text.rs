//! A report for a person at a terminal: plain text, no colours.

use super::table::{Side, cell, lines};
use crate::metrics::{Proportion, Scores};
use crate::report::{ClassReport, ConfusedPair, Report};
use std::fmt::Write;
use unicode_width::UnicodeWidthStr;

/// The widest that a class name gets, in columns.
const NAME_WIDTH: usize = 28;

/// The most classes whose confusion matrix is drawn.
const MATRIX_CLASSES: usize = 20;

/// The report as lines of plain text, each ending in a newline.
///
/// `width` is the terminal's in columns (80 where unknown): it decides whether the confusion matrix names its columns
/// or numbers them. Class names are cut at 28 columns; control characters in them are replaced.
#[must_use]
pub fn text(report: &Report, width: usize) -> String {
    let parts = [summary(report), class_table(report), matrix(report, width), mistakes(report)];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

fn summary(report: &Report) -> String {
    let accuracy = &report.accuracy;
    let mut rows = vec![
        ("accuracy".to_owned(), share_and_interval(accuracy)),
        ("loss".to_owned(), format!("{:.4}", report.loss)),
    ];
    if let Some(auc) = report.auc {
        rows.push(("AUC".to_owned(), format!("{auc:.4}")));
    }
    for top in &report.top_k {
        rows.push((format!("top-{}", top.k), percent(top.accuracy.value)));
    }
    rows.into_iter().fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "{name:<10}{value}");
        text
    })
}

fn share_and_interval(share: &Proportion) -> String {
    let Proportion { correct, total, value, low, high } = *share;
    let (low, high) = (percent(low), percent(high));
    format!("{} ({correct} of {total} right; 95 % interval {low} to {high})", percent(value))
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

fn class_table(report: &Report) -> String {
    let head = ["class", "precision", "recall", "F1", "support"].map(str::to_owned).to_vec();
    let classes = report.classes.iter().map(class_row);
    let total = report.accuracy.total;
    let averages = &report.averages;
    let means = [
        ("macro mean", &averages.macro_mean),
        ("micro mean", &averages.micro),
        ("weighted mean", &averages.weighted),
    ];
    let means = means.into_iter().map(|(name, scores)| mean_row(name, scores, total));
    let rows: Vec<_> = std::iter::once(head).chain(classes).chain(means).collect();
    joined(&lines(&[Side::Left, Side::Right, Side::Right, Side::Right, Side::Right], &rows))
}

fn class_row(class: &ClassReport) -> Vec<String> {
    let scores = &class.scores;
    let [precision, recall, f1] = [scores.precision, scores.recall, scores.f1]
        .map(|score| score.map_or_else(|| "-".to_owned(), four_digits));
    vec![cell(&class.name, NAME_WIDTH), precision, recall, f1, scores.support.to_string()]
}

fn mean_row(name: &str, scores: &Scores, total: u64) -> Vec<String> {
    let [precision, recall, f1] = [scores.precision, scores.recall, scores.f1].map(four_digits);
    vec![name.to_owned(), precision, recall, f1, total.to_string()]
}

fn four_digits(score: f64) -> String {
    format!("{score:.4}")
}

/// The confusion matrix; columns carry names where these fit the width, numbers otherwise; zeros are dots.
fn matrix(report: &Report, width: usize) -> String {
    let classes = report.classes.len();
    if classes > MATRIX_CLASSES {
        return format!("The confusion matrix of {classes} classes is too large for a terminal.\n");
    }
    let names: Vec<String> = report.classes.iter().map(|c| cell(&c.name, NAME_WIDTH)).collect();
    let named = matrix_lines(report, &names, &names);
    let fits = named.iter().all(|line| line.width() <= width);
    let body =
        if fits { named } else { matrix_lines(report, &numbered(&names), &numbers(classes)) };
    format!("Rows: the true class. Columns: what it was taken for.\n{}", joined(&body))
}

fn numbers(classes: usize) -> Vec<String> {
    (0..classes).map(|class| class.to_string()).collect()
}

fn numbered(names: &[String]) -> Vec<String> {
    names.iter().enumerate().map(|(class, name)| format!("{class:>2} {name}")).collect()
}

fn matrix_lines(report: &Report, row_names: &[String], columns: &[String]) -> Vec<String> {
    let head = std::iter::once(String::new()).chain(columns.iter().cloned()).collect();
    let counts = report.confusion.rows().iter().zip(row_names).map(|(row, name)| {
        std::iter::once(name.clone()).chain(row.iter().copied().map(count_or_dot)).collect()
    });
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(counts).collect();
    let mut sides = vec![Side::Right; columns.len() + 1];
    sides[0] = Side::Left;
    lines(&sides, &rows)
}

fn count_or_dot(count: u64) -> String {
    if count == 0 { ".".to_owned() } else { count.to_string() }
}

fn mistakes(report: &Report) -> String {
    if report.most_confused.is_empty() {
        return "No mistakes.\n".to_owned();
    }
    let pairs: Vec<String> = report.most_confused.iter().map(mistake).collect();
    format!("Most confused:\n{}", joined(&pairs))
}

fn mistake(pair: &ConfusedPair) -> String {
    let ConfusedPair { class, taken_for, count, support } = pair;
    let (class, taken_for) = (cell(class, NAME_WIDTH), cell(taken_for, NAME_WIDTH));
    let share = percent(*count as f64 / (*support).max(1) as f64);
    format!("  {class} was taken for {taken_for} in {count} of {support} images ({share})")
}

fn joined(lines: &[String]) -> String {
    lines.iter().fold(String::new(), |text, line| text + line + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predictions::Predictions;

    /// A report over classes with these names; `labels` are true, and `predicted` has probability 3/4.
    fn report(names: &[&str], labels: &[u32], predicted: &[usize]) -> Report {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let classes = names.len();
        let other = 0.25 / (classes - 1) as f32;
        let row = |&p: &usize| (0..classes).map(move |c| if c == p { 0.75 } else { other });
        let probabilities = predicted.iter().flat_map(row).collect();
        let predictions = Predictions::new(names, probabilities).expect("valid");
        Report::new(&predictions.with_labels(labels).expect("valid")).expect("labelled")
    }

    fn animals() -> Report {
        let labels = [0, 0, 0, 0, 1, 1, 1, 2, 2, 2];
        let predicted = [0, 0, 2, 2, 1, 1, 0, 2, 2, 2];
        report(&["猫", "dog", "cafe\u{301}"], &labels, &predicted)
    }

    #[test]
    fn says_everything_in_aligned_columns() {
        // Interval: 7 of 10 after Wilson; loss: (7 ln(4/3) + 3 ln 8) / 10 = 0.8252;
        // AUC: the mean of 16 of 24 pairs in order, 17.5 of 21 and 18 of 21.
        let expected = "\
accuracy  70.00 % (7 of 10 right; 95 % interval 39.68 % to 89.22 %)
loss      0.8252
AUC       0.7857

class          precision  recall      F1  support
猫                0.6667  0.5000  0.5714        4
dog               1.0000  0.6667  0.8000        3
cafe\u{301}              0.6000  1.0000  0.7500        3
macro mean        0.7556  0.7222  0.7071       10
micro mean        0.7000  0.7000  0.7000       10
weighted mean     0.7467  0.7000  0.6936       10

Rows: the true class. Columns: what it was taken for.
      猫  dog  cafe\u{301}
猫     2    .     2
dog    1    2     .
cafe\u{301}   .    .     3

Most confused:
  猫 was taken for cafe\u{301} in 2 of 4 images (50.00 %)
  dog was taken for 猫 in 1 of 3 images (33.33 %)
";
        assert_eq!(text(&animals(), 80), expected);
    }

    #[test]
    fn a_class_without_images_has_dashes() {
        let found = text(&report(&["a", "b", "c"], &[0, 1, 1], &[0, 1, 2]), 80);
        assert!(found.contains("c                      -       -       -        0\n"), "{found}");
        // By hand: (1 + 1) / 2, (1 + 1/2) / 2 and (1 + 2/3) / 2.
        assert!(found.contains("macro mean        1.0000  0.7500  0.8333        3\n"), "{found}");
    }

    #[test]
    fn columns_are_numbered_where_names_do_not_fit() {
        let found = text(&animals(), 14);
        let expected = "\
         0  1  2
 0 猫    2  .  2
 1 dog   1  2  .
 2 cafe\u{301}  .  .  3
";
        assert!(found.contains(expected), "{found}");
    }

    #[test]
    fn no_mistakes_and_top_k() {
        let found = text(&report(&["a", "b", "c", "d"], &[0, 1], &[0, 1]), 80);
        assert!(
            found.contains("top-3     100.00 %\n") && found.ends_with("\nNo mistakes.\n"),
            "{found}"
        );
    }

    #[test]
    fn twenty_classes_line_up_and_more_are_not_drawn() {
        let names: Vec<String> =
            (0..21).map(|class| format!("a rather long class name {class}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let labels: Vec<u32> = (0..20).collect();
        let predicted: Vec<usize> = (0..20).collect();
        let found = text(&report(&names[..20], &labels, &predicted), 100);
        let matrix: Vec<&str> =
            found.lines().skip_while(|l| !l.starts_with("Rows:")).skip(1).take(21).collect();
        assert!(
            matrix.iter().all(|line| line.width() == matrix[0].width() && line.width() <= 100),
            "{found}"
        );
        let found = text(&report(&names, &labels, &predicted), 100);
        assert!(found.contains("The confusion matrix of 21 classes is too large"), "{found}");
    }

    #[test]
    fn a_class_without_a_name_or_with_escapes_breaks_nothing() {
        let found = text(&report(&["", "\x1b[31m\n"], &[0, 1, 1], &[1, 0, 1]), 80);
        assert!(!found.contains('\x1b'), "{found}");
        assert!(found.contains("\u{FFFD}[31m\u{FFFD} was taken for "), "{found}");
    }
}
