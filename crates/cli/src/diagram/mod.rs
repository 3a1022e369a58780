//! Draws a network as an SVG picture: input, hidden and output layers from left to right.
//!
//! Images and feature maps are stacks of squares, units are dots. A stack shows at most a few of its maps and a column of
//! dots a few of its units; the labels below have the true numbers. Layers that do not change the shape (activations,
//! normalisation, dropout) are named in the label of the layer before them.

mod body;
mod column;
mod element;
mod link;

use column::{Column, Role};
use element::{Element, Svg};
use percept::nn::describe::Description;

/// Space around the drawing.
const MARGIN: f64 = 24.0;
/// Where the bodies' centres are.
const MIDDLE: f64 = 250.0;
/// Height of the labels' first line.
const LABELS: f64 = 420.0;
const LINE: f64 = 16.0;
/// The least distance of one column's centre from the next one's.
const PITCH: f64 = 176.0;
const INK: &str = "#1f2933";
const FAINT: &str = "#52606d";

/// A column and where it stands.
struct Placed<'a> {
    column: &'a Column,
    /// Its centre.
    x: f64,
}

/// The drawing. `class_names` label the outputs where they are known.
pub(crate) fn svg(name: &str, description: &Description, class_names: &[String]) -> String {
    let columns = column::columns(description);
    let placed = place(&columns);
    let names = output_names(columns.last(), class_names);
    let names_width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0) as f64 * 7.0;
    let lines = columns.iter().map(|column| column.lines.len()).max().unwrap_or(0) as f64;
    let width = placed.last().map_or(0.0, |last| last.x) + PITCH / 2.0 + names_width + MARGIN;
    let height = LABELS + (lines + 1.0) * LINE + MARGIN;
    let mut svg = Svg::new(width, height, &title(name), &describe(&columns));
    heading(&mut svg, name, description);
    roles(&mut svg, &placed);
    for pair in placed.windows(2) {
        link::draw(&mut svg, &pair[0], &pair[1]);
    }
    for (index, here) in placed.iter().enumerate() {
        let names = if index + 1 == placed.len() { names.as_slice() } else { &[] };
        body::draw(&mut svg, here, names);
        label(&mut svg, here);
    }
    svg.end()
}

fn title(name: &str) -> String {
    if name.is_empty() { "A network".to_owned() } else { format!("The network {name}") }
}

/// The drawing in words, for those who cannot see it.
fn describe(columns: &[Column]) -> String {
    let words = columns.iter().map(|column| {
        let lines: Vec<&str> = column.lines.iter().map(String::as_str).collect();
        format!("{}: {}", column.name, lines.join(", "))
    });
    format!("Layers from left to right. {}.", words.collect::<Vec<_>>().join(". "))
}

fn place(columns: &[Column]) -> Vec<Placed<'_>> {
    let mut x = MARGIN + PITCH / 2.0;
    let mut placed: Vec<Placed<'_>> = Vec::with_capacity(columns.len());
    for column in columns {
        if let Some(last) = placed.last() {
            let half = |column: &Column| body::width(&column.body) / 2.0;
            x += (half(last.column) + half(column) + 64.0).max(PITCH);
        }
        placed.push(Placed { column, x });
    }
    placed
}

/// Names of the outputs: the classes where they are known and can all be drawn, else their numbers.
fn output_names(last: Option<&Column>, class_names: &[String]) -> Vec<String> {
    let units = last.map_or(0, |column| body::units(&column.body));
    if !(1..=body::MOST_DOTS).contains(&units) {
        return Vec::new();
    }
    if class_names.len() == units {
        let short = |name: &String| crate::safe_text::one_line(name).chars().take(24).collect();
        return class_names.iter().map(short).collect();
    }
    (0..units).map(|unit| unit.to_string()).collect()
}

fn heading(svg: &mut Svg, name: &str, description: &Description) {
    let parameters = crate::number::grouped(description.parameter_len() as u64);
    let operations = crate::number::short(description.operations());
    let numbers = format!("{parameters} parameters, {operations} operations for an image");
    let x = MARGIN;
    svg.text(Element::at(x, 36.0).fill(INK).size(20.0).bold(), &title(name));
    svg.text(Element::at(x, 58.0).fill(FAINT).size(13.0), &numbers);
}

/// Names the input, hidden and output layers, each with a line over the columns that it means.
fn roles(svg: &mut Svg, placed: &[Placed<'_>]) {
    for role in [Role::Input, Role::Hidden, Role::Output] {
        let of_role = || placed.iter().filter(|here| here.column.role == role);
        let (Some(first), Some(last)) = (of_role().next(), of_role().next_back()) else { continue };
        let half = PITCH / 2.0 - 12.0;
        let (from, to, y) = (first.x - half, last.x + half, 92.0);
        svg.line((from, y), (to, y), role.colour(), 3.0, 1.0);
        let (count, weighted) =
            (of_role().count(), of_role().filter(|h| h.column.weighted).count());
        let words = match (role, count) {
            (Role::Input, _) => "input layer".to_owned(),
            (Role::Hidden, 1) => "hidden layer".to_owned(),
            (Role::Hidden, _) if count == weighted => format!("{count} hidden layers"),
            (Role::Hidden, _) => format!("hidden layers, {weighted} of them with weights"),
            (Role::Output, _) => "output layer".to_owned(),
        };
        let middle = f64::midpoint(from, to);
        svg.text(
            Element::at(middle, y - 8.0).fill(role.colour()).size(14.0).bold().middle(),
            &words,
        );
    }
}

fn label(svg: &mut Svg, here: &Placed<'_>) {
    let column = here.column;
    let name = Element::at(here.x, LABELS).fill(INK).size(14.0).bold().middle();
    svg.text(name, &column.name);
    for (row, line) in column.lines.iter().enumerate() {
        let y = LABELS + (row + 1) as f64 * LINE + 2.0;
        svg.text(Element::at(here.x, y).fill(FAINT).size(12.0).middle(), line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use percept::train::presets;

    #[test]
    fn every_preset_is_drawn_with_its_numbers() {
        for preset in presets::all() {
            let network = preset.config().network;
            let description = Description::new(&network).expect("a network");
            let drawing = svg(&network.name, &description, &[]);
            assert!(drawing.starts_with("<svg ") && drawing.ends_with("</svg>\n"));
            let pixels = format!("{0}x{0} pixels", network.input.height);
            for text in ["input layer", "hidden layers", "output layer", &pixels, "10 units"] {
                assert!(drawing.contains(text), "{}: {text}", preset.name);
            }
            let parameters = crate::number::grouped(description.parameter_len() as u64);
            assert!(drawing.contains(&format!("{parameters} parameters")), "{}", preset.name);
        }
    }

    #[test]
    fn outside_text_stays_text() {
        let network = presets::all()[0].config().network;
        let description = Description::new(&network).expect("a network");
        let names: Vec<String> = (0..10).map(|class| format!("<b>&\"{class}\x1b")).collect();
        let drawing = svg("</title><script>", &description, &names);
        assert!(
            !drawing.contains("<script") && !drawing.contains("<b>") && !drawing.contains('\x1b')
        );
        assert!(drawing.contains("&lt;b&gt;&amp;&quot;7"));
    }
}
