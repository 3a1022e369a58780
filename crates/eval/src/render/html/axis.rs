//! One axis of a chart: from where to where it goes, and round numbers on the way.

use super::chart::{Scale, Unit};

/// The most steps from one end of a horizontal axis to the other.
const COLUMNS: f64 = 8.0;

/// The most steps from one end of a vertical axis to the other, before its ends are rounded.
const ROWS: f64 = 6.0;

/// A flat curve is one whose values differ by less than this part of their size.
const FLAT: f64 = 1e-6;

/// Beyond this, and below its inverse, arithmetic on coordinates could overflow.
const LARGEST: f64 = 1e100;

/// An axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    low: f64,
    high: f64,
    scale: Scale,
    /// Round numbers on the way, in ascending order.
    pub ticks: Vec<Tick>,
}

/// A round number on an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// The number.
    pub value: f64,
    /// The number as people read it, with its unit.
    pub label: String,
}

/// Whether a value has a place on an axis.
pub(super) fn drawable(value: f64, scale: Scale) -> bool {
    value.abs() <= LARGEST && (scale == Scale::Linear || value >= 1.0 / LARGEST)
}

impl Axis {
    /// A horizontal axis that ends where the values end. Whole values get whole ticks. `None` without
    /// values.
    #[must_use]
    pub fn tight(values: &[f64]) -> Option<Self> {
        let (low, high) = widened(bounds(values)?, 0.5);
        let whole = values.iter().all(|value| value.fract() == 0.0);
        let step = round_step((high - low) / COLUMNS).max(if whole { 1.0 } else { 0.0 });
        let ticks =
            multiples((low / step - FLAT).ceil(), (high / step + FLAT).floor(), step, Unit::Number);
        Some(Self { low, high, scale: Scale::Linear, ticks })
    }

    /// A vertical axis that begins and ends at ticks; `None` without values.
    #[must_use]
    pub fn round(values: &[f64], scale: Scale, unit: Unit) -> Option<Self> {
        let bounds = bounds(values)?;
        let ticks = match scale {
            Scale::Linear => linear(bounds, unit),
            Scale::Logarithmic => logarithmic(bounds),
        };
        let (low, high) = (ticks.first()?.value, ticks.last()?.value);
        Some(Self { low, high, scale, ticks })
    }

    /// How far along the axis a value lies: 0 at its beginning, 1 at its end.
    #[must_use]
    pub fn place(&self, value: f64) -> f64 {
        let (low, value, high) = match self.scale {
            Scale::Linear => (self.low, value, self.high),
            Scale::Logarithmic => (self.low.ln(), value.ln(), self.high.ln()),
        };
        ((value - low) / (high - low)).clamp(0.0, 1.0)
    }
}

fn bounds(values: &[f64]) -> Option<(f64, f64)> {
    let low = values.iter().copied().reduce(f64::min)?;
    let high = values.iter().copied().reduce(f64::max)?;
    Some((low, high))
}

/// Room around a flat curve.
fn widened((low, high): (f64, f64), least: f64) -> (f64, f64) {
    let size = low.abs().max(high.abs());
    if high - low > (size * FLAT).max(1.0 / LARGEST) {
        return (low, high);
    }
    let room = (size / 10.0).max(least);
    (low - room, high + room)
}

fn linear(bounds: (f64, f64), unit: Unit) -> Vec<Tick> {
    let (mut low, mut high) = widened(bounds, 1e-3);
    if unit == Unit::Share && bounds.0 >= 0.0 && bounds.1 <= 1.0 {
        (low, high) = (low.max(0.0), high.min(1.0));
    }
    let step = round_step((high - low) / ROWS);
    multiples((low / step + FLAT).floor(), (high / step - FLAT).ceil(), step, unit)
}

/// The next of 1, 2, 5, 10, 20 ... and their tenths.
fn round_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0]
        .into_iter()
        .map(|m| m * power)
        .find(|step| *step >= least)
        .unwrap_or(10.0 * power)
}

/// At most some ten ticks: `first` and `last` lie at most [`COLUMNS`] apart.
fn multiples(first: f64, last: f64, step: f64, unit: Unit) -> Vec<Tick> {
    let count = (last - first).max(0.0) as usize;
    let tick = |i: usize| {
        let value = (first + i as f64) * step;
        Tick { value, label: unit.label(value, step) }
    };
    (0..=count).map(tick).collect()
}

fn logarithmic((low, high): (f64, f64)) -> Vec<Tick> {
    let decades = (low.log10().floor() as i32 - 1)..=(high.log10().ceil() as i32 + 1);
    let spanned = (high / low).log10();
    let multiples: &[u8] = if spanned < 2.0 { &[1, 2, 5] } else { &[1] };
    let stride = (spanned / ROWS).ceil().max(1.0) as usize;
    let marks: Vec<Tick> = decades
        .step_by(stride)
        .flat_map(|decade| multiples.iter().map(move |m| mark(*m, decade)))
        .collect();
    let first = marks.iter().rposition(|mark| mark.value <= low).unwrap_or(0);
    let last = marks.iter().position(|mark| mark.value >= high && mark.value > low);
    let last = last.unwrap_or(marks.len() - 1);
    marks[first..=last].to_vec()
}

fn mark(multiple: u8, decade: i32) -> Tick {
    let exponential = format!("{multiple}e{decade}");
    let value: f64 = exponential.parse().unwrap_or(1.0);
    let label = if (-4..6).contains(&decade) { value.to_string() } else { exponential };
    Tick { value, label }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: Option<Axis>) -> Vec<String> {
        axis.expect("values").ticks.into_iter().map(|tick| tick.label).collect()
    }

    #[test]
    fn shares_are_in_per_cent() {
        let axis = Axis::round(&[0.981, 0.9925], Scale::Linear, Unit::Share);
        assert_eq!(
            labels(axis),
            ["98.0 %", "98.2 %", "98.4 %", "98.6 %", "98.8 %", "99.0 %", "99.2 %", "99.4 %"]
        );
        let all = Axis::round(&[1.0], Scale::Linear, Unit::Share);
        assert_eq!(labels(all).last().expect("ticks"), "100 %", "nothing is above all");
    }

    #[test]
    fn losses_of_several_sizes_are_told_apart() {
        let axis = Axis::round(&[0.3, 0.012], Scale::Logarithmic, Unit::Number).expect("values");
        assert_eq!(axis.place(0.01), 0.0);
        assert!((axis.place(0.1) - 10_f64.ln() / 50_f64.ln()).abs() < 1e-12);
        assert_eq!(labels(Some(axis)), ["0.01", "0.02", "0.05", "0.1", "0.2", "0.5"]);
        let wide = Axis::round(&[1e-9, 1.0], Scale::Logarithmic, Unit::Number);
        assert!((4..=7).contains(&labels(wide).len()));
        let flat = Axis::round(&[0.1], Scale::Logarithmic, Unit::Number);
        assert_eq!(labels(flat), ["0.1", "0.2"]);
    }

    #[test]
    fn epochs_are_whole() {
        assert_eq!(labels(Axis::tight(&[1.0])), ["1"]);
        assert_eq!(labels(Axis::tight(&[1.0, 2.0, 3.0])), ["1", "2", "3"]);
        assert_eq!(labels(Axis::tight(&[1.0, 16.0])), ["2", "4", "6", "8", "10", "12", "14", "16"]);
        assert_eq!(labels(Axis::tight(&[0.0, 0.5])), ["0.0", "0.1", "0.2", "0.3", "0.4", "0.5"]);
        assert_eq!(Axis::tight(&[]), None);
    }

    #[test]
    fn steps_are_round() {
        for (least, step) in
            [(0.8, 1.0), (1.0, 1.0), (1.1, 2.0), (4.0, 5.0), (6.0, 10.0), (0.03, 0.05)]
        {
            assert!((round_step(least) - step).abs() < 1e-12, "{least}");
        }
    }
}
