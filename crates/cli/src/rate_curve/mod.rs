//! The curve of a learning-rate range test, drawn in the terminal and as a picture.

mod picture;
mod terminal;

use percept::eval::render::html::axis::{Axis, Tick};
use percept::eval::render::html::{Scale, Unit};
use percept::train::run::range_test::{RangeTest, RatePoint};
pub(crate) use picture::picture;
pub(crate) use terminal::terminal;

/// A loss that has exploded is drawn at the upper edge: where the curve started, and so much of its fall above.
const ABOVE: f64 = 0.25;

/// The curve between its axes.
struct Curve<'a> {
    points: &'a [RatePoint],
    /// Of the logarithm of the rate to base 10.
    rates: Axis,
    losses: Axis,
    suggestion: Option<f64>,
}

/// A label, and where it stands from 0 to 1: from the left, or from the top.
struct Mark {
    place: f64,
    label: String,
}

impl<'a> Curve<'a> {
    /// `None` without points.
    fn new(test: &'a RangeTest) -> Option<Self> {
        let (first, least) = (test.points.first()?.smoothed, test.least()?.smoothed);
        let highest = first + ABOVE * (first - least);
        let shown = |loss: f64| if first > least { loss.min(highest) } else { loss };
        let losses: Vec<f64> = test.points.iter().map(|point| shown(point.smoothed)).collect();
        let rates: Vec<f64> = test.points.iter().map(|point| point.rate.log10()).collect();
        Some(Self {
            points: &test.points,
            rates: Axis::tight(&rates)?,
            losses: Axis::round(&losses, Scale::Linear, Unit::Number)?,
            suggestion: test.suggestion(),
        })
    }

    /// Where the points of the smoothed curve lie: from 0 to 1 from the left and from the top.
    fn smoothed(&self) -> Vec<(f64, f64)> {
        self.points.iter().map(|point| self.place(point.rate, point.smoothed)).collect()
    }

    fn place(&self, rate: f64, loss: f64) -> (f64, f64) {
        (self.rates.place(rate.log10()), 1.0 - self.losses.place(loss))
    }

    /// Where the suggested rate lies, from the left.
    fn suggested(&self) -> Option<(f64, f64)> {
        self.suggestion.map(|rate| (rate, self.rates.place(rate.log10())))
    }

    /// What stands below the curve.
    fn rate_marks(&self) -> Vec<Mark> {
        let whole = self.rates.ticks.iter().filter(|tick| tick.value.fract() == 0.0);
        whole
            .map(|tick| Mark {
                place: self.rates.place(tick.value),
                label: format!("1e{}", tick.value),
            })
            .collect()
    }

    /// What stands beside it.
    fn loss_marks(&self) -> Vec<Mark> {
        let place = |value| 1.0 - self.losses.place(value);
        let mark = |tick: &Tick| Mark { place: place(tick.value), label: tick.label.clone() };
        self.losses.ticks.iter().map(mark).collect()
    }
}
