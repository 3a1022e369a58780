//! The curve in dots of Braille, two across and four down in each character.

use super::{Curve, Mark};
use percept::train::run::range_test::RangeTest;
use std::fmt::Write;

/// Lines of the plot.
const ROWS: usize = 14;
/// The most characters of a line of the plot.
const COLUMNS: usize = 90;
/// The fewest, however narrow the terminal.
const FEWEST: usize = 20;

/// The curve as lines of text of at most so many columns, with its axes; the suggested rate is the line of bars.
pub(crate) fn terminal(test: &RangeTest, width: usize) -> String {
    Curve::new(test).map_or_else(String::new, |curve| draw(&curve, width))
}

fn draw(curve: &Curve<'_>, width: usize) -> String {
    let labels = row_labels(curve);
    let margin = labels.iter().map(String::len).max().unwrap_or(0);
    let columns = width.saturating_sub(margin + 2).clamp(FEWEST, COLUMNS);
    let mut dots = Dots::new(columns);
    for pair in curve.smoothed().windows(2) {
        dots.line(pair[0], pair[1]);
    }
    let bar = curve.suggested().map(|(_, place)| cell(place, columns));
    let mut text = String::new();
    for (row, label) in labels.iter().enumerate() {
        let edge = if label.is_empty() { '│' } else { '┤' };
        let line: String = (0..columns).map(|column| dots.character(row, column, bar)).collect();
        let _ = writeln!(text, "{label:>margin$} {edge}{}", line.trim_end());
    }
    let _ = writeln!(text, "{:margin$} └{}", "", "─".repeat(columns));
    let _ = writeln!(text, "{:margin$}  {}", "", column_labels(curve, columns).trim_end());
    text
}

/// The place of 0 to 1 among so many.
fn cell(place: f64, count: usize) -> usize {
    (place * (count - 1) as f64).round() as usize
}

/// What stands beside each line.
fn row_labels(curve: &Curve<'_>) -> Vec<String> {
    let mut labels = vec![String::new(); ROWS];
    for mark in curve.loss_marks() {
        labels[cell(mark.place, ROWS)] = mark.label;
    }
    labels
}

/// The labels below, each with its middle at its place as far as there is room.
fn column_labels(curve: &Curve<'_>, columns: usize) -> String {
    let mut line = String::new();
    for Mark { place, label } in curve.rate_marks() {
        let middle = cell(place, columns);
        let start = middle.saturating_sub(label.len() / 2);
        let start = start.min(columns.saturating_sub(label.len()));
        if line.is_empty() || start > line.len() {
            let _ = write!(line, "{:1$}{label}", "", start - line.len());
        }
    }
    line
}

/// Which dots are set: a byte a character, as Unicode numbers the dots of U+2800.
struct Dots {
    columns: usize,
    bytes: Vec<u8>,
}

impl Dots {
    fn new(columns: usize) -> Self {
        Self { columns, bytes: vec![0; columns * ROWS] }
    }

    /// Sets a dot, counted from the left and from the top.
    fn set(&mut self, x: usize, y: usize) {
        const BITS: [[u8; 2]; 4] = [[0, 3], [1, 4], [2, 5], [6, 7]];
        if let Some(byte) = self.bytes.get_mut(y / 4 * self.columns + x / 2) {
            *byte |= 1 << BITS[y % 4][x % 2];
        }
    }

    /// Sets the dots between two places, each in 0 to 1.
    fn line(&mut self, from: (f64, f64), to: (f64, f64)) {
        let (width, height) = ((2 * self.columns - 1) as f64, (4 * ROWS - 1) as f64);
        let (dx, dy) = ((to.0 - from.0) * width, (to.1 - from.1) * height);
        let steps = dx.abs().max(dy.abs()).ceil().max(1.0);
        for step in 0..=steps as usize {
            let along = step as f64 / steps;
            let (x, y) = (from.0 * width + dx * along, from.1 * height + dy * along);
            self.set(x.round() as usize, y.round() as usize);
        }
    }

    fn character(&self, row: usize, column: usize, bar: Option<usize>) -> char {
        match self.bytes[row * self.columns + column] {
            0 if bar == Some(column) => '┊',
            0 => ' ',
            dots => char::from_u32(0x2800 + u32::from(dots)).unwrap_or(' '),
        }
    }
}
