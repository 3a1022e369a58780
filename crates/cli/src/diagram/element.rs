//! The few SVG elements that a drawing needs, with text made safe.

use crate::safe_text;
use std::fmt::Write;

/// A drawing in progress.
pub(super) struct Svg {
    text: String,
    /// Elements that lie over the others.
    late: String,
}

/// Where and how a text is written.
#[derive(Clone, Copy)]
pub(super) struct Element {
    x: f64,
    y: f64,
    fill: &'static str,
    size: f64,
    weight: &'static str,
    anchor: &'static str,
}

impl Element {
    pub(super) fn at(x: f64, y: f64) -> Self {
        Self { x, y, fill: "#000", size: 12.0, weight: "normal", anchor: "start" }
    }

    pub(super) fn fill(self, fill: &'static str) -> Self {
        Self { fill, ..self }
    }

    pub(super) fn size(self, size: f64) -> Self {
        Self { size, ..self }
    }

    pub(super) fn bold(self) -> Self {
        Self { weight: "600", ..self }
    }

    pub(super) fn middle(self) -> Self {
        Self { anchor: "middle", ..self }
    }
}

impl Svg {
    /// A white drawing with a title and a description for screen readers.
    pub(super) fn new(width: f64, height: f64, title: &str, description: &str) -> Self {
        let mut text = String::new();
        let _ = writeln!(
            text,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
             viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" aria-labelledby=\"title description\" \
             font-family=\"system-ui, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif\">\n\
             <title id=\"title\">{}</title>\n<desc id=\"description\">{}</desc>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>",
            escaped(title),
            escaped(description)
        );
        Self { text, late: String::new() }
    }

    pub(super) fn text(&mut self, element: Element, text: &str) {
        let Element { x, y, fill, size, weight, anchor } = element;
        let _ = writeln!(
            self.text,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" fill=\"{fill}\" font-size=\"{size}\" font-weight=\"{weight}\" \
             text-anchor=\"{anchor}\">{}</text>",
            escaped(text)
        );
    }

    pub(super) fn line(
        &mut self,
        from: (f64, f64),
        to: (f64, f64),
        stroke: &str,
        width: f64,
        opacity: f64,
    ) {
        let _ = writeln!(
            self.text,
            "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{stroke}\" \
             stroke-width=\"{width}\" stroke-opacity=\"{opacity}\"/>",
            from.0, from.1, to.0, to.1
        );
    }

    /// A rectangle by its upper left corner and its sizes.
    pub(super) fn rectangle(
        &mut self,
        corner: (f64, f64),
        size: (f64, f64),
        fill: &str,
        stroke: &str,
    ) {
        let _ = writeln!(
            self.text,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{fill}\" stroke=\"{stroke}\"/>",
            corner.0, corner.1, size.0, size.1
        );
    }

    pub(super) fn circle(&mut self, centre: (f64, f64), radius: f64, fill: &str, stroke: &str) {
        let _ = writeln!(
            self.text,
            "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"{radius}\" fill=\"{fill}\" stroke=\"{stroke}\"/>",
            centre.0, centre.1
        );
    }

    /// A dashed curve over the top, from one point to another.
    pub(super) fn arc(&mut self, from: (f64, f64), to: (f64, f64), stroke: &str) {
        let top = from.1.min(to.1) - 46.0;
        let _ = writeln!(
            self.text,
            "<path d=\"M{:.1} {:.1} C{:.1} {top:.1} {:.1} {top:.1} {:.1} {:.1}\" fill=\"none\" \
             stroke=\"{stroke}\" stroke-width=\"1.5\" stroke-dasharray=\"5 3\"/>",
            from.0, from.1, from.0, to.0, to.0, to.1
        );
    }

    /// A filled shape without an outline.
    pub(super) fn polygon(&mut self, points: &[(f64, f64)], fill: &str, opacity: f64) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(
            self.text,
            "<polygon points=\"{}\" fill=\"{fill}\" fill-opacity=\"{opacity}\"/>",
            points.join(" ")
        );
    }

    /// What `draw` draws lies over everything else.
    pub(super) fn late(&mut self, draw: impl FnOnce(&mut Self)) {
        std::mem::swap(&mut self.text, &mut self.late);
        draw(self);
        std::mem::swap(&mut self.text, &mut self.late);
    }

    pub(super) fn end(mut self) -> String {
        self.text.push_str(&self.late);
        self.text.push_str("</svg>\n");
        self.text
    }
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in safe_text::one_line(text).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            c => safe.push(c),
        }
    }
    safe
}
