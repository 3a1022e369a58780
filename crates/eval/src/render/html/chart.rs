//! Curves as inline SVG.

use super::axis::{Axis, Tick, drawable};
use super::escape::escape;

/// Curves over a common axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// What it shows, such as `Loss`.
    pub title: String,
    /// What the horizontal axis counts, such as `epoch`.
    pub x_label: String,
    /// What the values are.
    pub unit: Unit,
    /// How the vertical axis runs.
    pub scale: Scale,
    /// The curves.
    pub series: Vec<Series>,
}

/// One curve.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Its name.
    pub name: String,
    /// Its points (x, y), in the order of x. Those that are not finite, or not above 0 on a logarithmic scale, are left out.
    pub points: Vec<(f64, f64)>,
}

/// What the values of a chart are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Plain numbers.
    Number,
    /// Shares in 0 to 1, shown in per cent.
    Share,
}

/// How the vertical axis of a chart runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Equal differences look equal.
    Linear,
    /// Equal ratios look equal; for values that fall by orders of magnitude.
    Logarithmic,
}

impl Unit {
    /// A tick between neighbours that are `step` apart.
    pub(super) fn label(self, value: f64, step: f64) -> String {
        let (value, step, sign) = match self {
            Self::Number => (value, step, ""),
            Self::Share => (value * 100.0, step * 100.0, " %"),
        };
        let decimals = (-(step.log10() + 1e-9).floor()).max(0.0);
        if decimals > 6.0 || value.abs() >= 1e7 {
            return format!("{value:.2e}{sign}");
        }
        format!("{value:.0$}{sign}", decimals as usize)
    }

    /// A value by itself.
    fn value(self, value: f64) -> String {
        match self {
            Self::Number if value != 0.0 && !(1e-4..1e7).contains(&value.abs()) => {
                format!("{value:.2e}")
            }
            Self::Number => format!("{value:.4}"),
            Self::Share => format!("{:.2} %", value * 100.0),
        }
    }
}

const WIDTH: f64 = 520.0;
const HEIGHT: f64 = 290.0;
const LEFT: f64 = 72.0;
const RIGHT: f64 = WIDTH - 14.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = HEIGHT - 48.0;

/// Curves with more points are drawn without dots.
const MOST_DOTS: usize = 60;

/// Looks in the style sheet: colour, dashes.
const LOOKS: usize = 4;

/// All charts that have something to show.
pub(super) fn section(charts: &[Chart]) -> String {
    let figures: String = charts.iter().filter_map(figure).collect();
    if figures.is_empty() {
        return String::new();
    }
    super::section("Training", &format!("<div class=\"charts\">\n{figures}</div>\n"))
}

fn figure(chart: &Chart) -> Option<String> {
    let chart = shown(chart);
    let values = |value: fn(&(f64, f64)) -> f64| -> Vec<f64> {
        chart.series.iter().flat_map(|series| &series.points).map(value).collect()
    };
    let x = Axis::tight(&values(|point| point.0))?;
    let y = Axis::round(&values(|point| point.1), chart.scale, chart.unit)?;
    let plot = Plot { chart: &chart, x, y };
    let legend: String = chart.series.iter().enumerate().map(|(i, s)| key(&chart, s, i)).collect();
    let note = if chart.scale == Scale::Logarithmic { " <small>(logarithmic)</small>" } else { "" };
    Some(format!(
        "<figure>\n<h3>{}{note}</h3>\n{}<figcaption>{legend}</figcaption>\n</figure>\n",
        escape(&chart.title),
        plot.svg()
    ))
}

/// The chart with only the points that can be drawn, and only curves that have some.
fn shown(chart: &Chart) -> Chart {
    let fits = |&(x, y): &(f64, f64)| drawable(x, Scale::Linear) && drawable(y, chart.scale);
    let series = chart.series.iter().map(|series| Series {
        name: series.name.clone(),
        points: series.points.iter().copied().filter(fits).collect(),
    });
    Chart { series: series.filter(|series| !series.points.is_empty()).collect(), ..chart.clone() }
}

/// A curve in the legend, with its last value.
fn key(chart: &Chart, series: &Series, index: usize) -> String {
    let last = series.points.last().map_or_else(String::new, |point| chart.unit.value(point.1));
    format!(
        "<span class=\"key\"><svg viewBox=\"0 0 28 10\" aria-hidden=\"true\"><path class=\"s{}\" d=\"M1 5H27\"/></svg>\
         <bdi>{}</bdi> <b>{last}</b></span> ",
        index % LOOKS,
        escape(&series.name)
    )
}

struct Plot<'a> {
    chart: &'a Chart,
    x: Axis,
    y: Axis,
}

impl Plot<'_> {
    fn svg(&self) -> String {
        let rows: String = self.y.ticks.iter().map(|tick| self.row(tick)).collect();
        let columns: String = self.x.ticks.iter().map(|tick| self.column(tick)).collect();
        let curves: String = self
            .chart
            .series
            .iter()
            .enumerate()
            .map(|(i, series)| self.curve(series, i % LOOKS))
            .collect();
        let middle = f64::midpoint(LEFT, RIGHT);
        format!(
            "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">\n{rows}\
             <path class=\"axis\" d=\"M{LEFT} {BOTTOM}H{RIGHT}\"/>\n{columns}\
             <text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n{curves}</svg>\n",
            self.description(),
            HEIGHT - 6.0,
            escape(&self.chart.x_label)
        )
    }

    fn x(&self, value: f64) -> f64 {
        LEFT + self.x.place(value) * (RIGHT - LEFT)
    }

    fn y(&self, value: f64) -> f64 {
        BOTTOM - self.y.place(value) * (BOTTOM - TOP)
    }

    fn row(&self, tick: &Tick) -> String {
        let (y, x) = (self.y(tick.value), LEFT - 8.0);
        format!(
            "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{RIGHT}\"/><text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\n",
            y + 4.5,
            tick.label
        )
    }

    fn column(&self, tick: &Tick) -> String {
        let (x, y) = (self.x(tick.value), BOTTOM + 20.0);
        format!(
            "<path class=\"axis\" d=\"M{x:.1} {BOTTOM}v5\"/><text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">{}</text>\n",
            tick.label
        )
    }

    fn curve(&self, series: &Series, look: usize) -> String {
        let places =
            series.points.iter().map(|&(x, y)| format!("{:.1},{:.1}", self.x(x), self.y(y)));
        let line = format!(
            "<polyline class=\"s{look}\" points=\"{}\"/>\n",
            places.collect::<Vec<_>>().join(" ")
        );
        if series.points.len() > MOST_DOTS {
            return line;
        }
        line + &series.points.iter().map(|point| self.dot(series, *point, look)).collect::<String>()
    }

    fn dot(&self, series: &Series, (x, y): (f64, f64), look: usize) -> String {
        format!(
            "<circle class=\"s{look}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\"><title>{}, {} {x}: {}</title></circle>\n",
            self.x(x),
            self.y(y),
            escape(&series.name),
            escape(&self.chart.x_label),
            self.chart.unit.value(y)
        )
    }

    /// The chart in words, for those who do not see it.
    fn description(&self) -> String {
        let Chart { title, x_label, unit, series, .. } = self.chart;
        let curves = series.iter().filter_map(|series| {
            let ((_, first), (x, last)) = (series.points.first()?, series.points.last()?);
            let (first, last) = (unit.value(*first), unit.value(*last));
            Some(format!(
                "{}: from {first} to {last} at {} {x}",
                escape(&series.name),
                escape(x_label)
            ))
        });
        format!("{}. {}", escape(title), curves.collect::<Vec<_>>().join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn chart(scale: Scale, points: Vec<(f64, f64)>) -> Chart {
        Chart {
            title: "Loss".to_owned(),
            x_label: "epoch".to_owned(),
            unit: Unit::Number,
            scale,
            series: vec![Series { name: "training".to_owned(), points }],
        }
    }

    #[test]
    fn points_are_where_they_belong() {
        // Both axes end at the values: the first point is at the bottom left, the last at the top right.
        let svg = section(&[chart(Scale::Linear, vec![(0.0, 0.0), (1.0, 3.0), (2.0, 6.0)])]);
        let expected = format!(
            "points=\"{LEFT:.1},{BOTTOM:.1} {:.1},{:.1} {RIGHT:.1},{TOP:.1}\"",
            f64::midpoint(LEFT, RIGHT),
            f64::midpoint(TOP, BOTTOM)
        );
        assert!(svg.contains(&expected), "{svg}");
        assert!(
            svg.contains("aria-label=\"Loss. training: from 0.0000 to 6.0000 at epoch 2\""),
            "{svg}"
        );
    }

    #[test]
    fn one_epoch_is_one_dot_in_the_middle() {
        let svg = section(&[chart(Scale::Linear, vec![(1.0, 0.3)])]);
        assert_eq!(svg.matches("<circle").count(), 1);
        assert!(svg.contains(&format!("cx=\"{:.1}\"", f64::midpoint(LEFT, RIGHT))), "{svg}");
    }

    #[test]
    fn nothing_to_show_is_not_shown() {
        let empty = chart(Scale::Linear, vec![]);
        let undrawable =
            chart(Scale::Logarithmic, vec![(1.0, 0.0), (f64::NAN, 1.0), (2.0, f64::INFINITY)]);
        assert_eq!(section(&[empty, undrawable]), "");
        assert_eq!(section(&[]), "");
    }

    #[test]
    fn many_points_have_no_dots() {
        let points = (0..=MOST_DOTS).map(|i| (i as f64, 1.0)).collect();
        assert!(!section(&[chart(Scale::Linear, points)]).contains("<circle"));
    }

    #[test]
    fn names_from_outside_are_escaped() {
        let mut chart = chart(Scale::Linear, vec![(1.0, 1.0)]);
        chart.series[0].name = "<s>".to_owned();
        chart.title = "\"><t>".to_owned();
        chart.x_label = "<x>".to_owned();
        let svg = section(&[chart]);
        assert!(!["<s>", "<t>", "<x>"].iter().any(|tag| svg.contains(tag)), "{svg}");
    }

    /// Numbers of the attributes that place something.
    fn coordinates(svg: &str) -> Vec<f64> {
        let quoted = ["points=\"", "cx=\"", "cy=\"", " x=\"", " y=\"", " d=\""];
        let texts = quoted.iter().flat_map(|name| svg.split(name).skip(1));
        let texts = texts.filter_map(|rest| rest.split('"').next());
        texts
            .flat_map(|text| text.split([' ', ',', 'M', 'H', 'v']))
            .filter(|number| !number.is_empty())
            .map(|number| number.parse().unwrap_or(f64::NAN))
            .collect()
    }

    proptest! {
        #[test]
        fn whatever_the_values_the_drawing_stays_in_its_frame(
            points in prop::collection::vec((any::<f64>(), any::<f64>()), 0..20), log: bool, close: bool
        ) {
            let scale = if log { Scale::Logarithmic } else { Scale::Linear };
            let near = |value: f64| if close { 1.0 + value.abs().min(1.0) * 1e-15 } else { value };
            let points = points.into_iter().map(|(x, y)| (near(x), near(y))).collect();
            let svg = section(&[chart(scale, points)]);
            for number in coordinates(&svg) {
                prop_assert!((0.0..=WIDTH).contains(&number), "{number} in {svg}");
            }
            prop_assert!(svg.len() < 20_000, "{} ticks", svg.matches("class=\"grid\"").count());
        }
    }
}
