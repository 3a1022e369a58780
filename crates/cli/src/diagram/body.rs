//! Draws a column's stack of maps or its dots.

use super::column::Body;
use super::element::{Element, Svg};
use super::{FAINT, INK, MIDDLE, Placed};
use percept::nn::shape::Shape;

/// The most units of a layer that are all drawn.
pub(super) const MOST_DOTS: usize = 12;
/// Dots above and below the gap where not all are drawn.
const DOTS_ABOVE: usize = 5;
const DOTS_BELOW: usize = 4;
const DOT_PITCH: f64 = 24.0;
const RADIUS: f64 = 8.0;

/// The most maps of a stack that are drawn, and how far each is moved up and right from the one before it.
const MOST_MAPS: usize = 8;
const MAP_SHIFT: f64 = 5.0;

/// The front map of a stack: its upper left corner and its sizes.
#[derive(Clone, Copy)]
pub(super) struct Front {
    pub(super) corner: (f64, f64),
    pub(super) size: (f64, f64),
}

/// Width of a column's body.
pub(super) fn width(body: &Body) -> f64 {
    match body {
        Body::Units(_) => 2.0 * RADIUS,
        Body::Maps(shape) => map_size(*shape).0 + shift(*shape),
    }
}

/// Units of a column; 0 where it has maps.
pub(super) fn units(body: &Body) -> usize {
    match body {
        Body::Units(units) => *units,
        Body::Maps(_) => 0,
    }
}

/// How far the last map of a stack is from the first, along each axis.
pub(super) fn shift(shape: Shape) -> f64 {
    (shape.channels.min(MOST_MAPS) - 1) as f64 * MAP_SHIFT
}

/// A map's width and height in the drawing: they grow with the square root, so that small maps stay visible.
fn map_size(shape: Shape) -> (f64, f64) {
    let length = |pixels: usize| (20.0 * (pixels as f64).sqrt()).clamp(24.0, 150.0);
    (length(shape.width), length(shape.height))
}

/// The front map of a stack.
pub(super) fn front(x: f64, shape: Shape) -> Front {
    let (size, shift) = (map_size(shape), shift(shape));
    let corner = (x - (size.0 + shift) / 2.0, MIDDLE - (size.1 - shift) / 2.0);
    Front { corner, size }
}

/// Centres of the dots that are drawn.
pub(super) fn dots(x: f64, units: usize) -> Vec<(f64, f64)> {
    let rows = units.min(DOTS_ABOVE + DOTS_BELOW + 2);
    let rows = if units <= MOST_DOTS { units } else { rows };
    let top = MIDDLE - (rows as f64 - 1.0) * DOT_PITCH / 2.0;
    let hidden = |row: &usize| units > MOST_DOTS && (DOTS_ABOVE..rows - DOTS_BELOW).contains(row);
    let drawn = (0..rows).filter(|row| !hidden(row));
    drawn.map(|row| (x, top + row as f64 * DOT_PITCH)).collect()
}

/// Where a column's body begins from above.
pub(super) fn top(x: f64, body: &Body) -> f64 {
    match body {
        Body::Units(units) => dots(x, *units).first().map_or(MIDDLE, |dot| dot.1 - RADIUS),
        Body::Maps(shape) => front(x, *shape).corner.1 - shift(*shape),
    }
}

pub(super) fn draw(svg: &mut Svg, here: &Placed<'_>, names: &[String]) {
    match here.column.body {
        Body::Maps(shape) => draw_maps(svg, here, shape),
        Body::Units(units) => draw_dots(svg, here, units, names),
    }
}

fn draw_maps(svg: &mut Svg, here: &Placed<'_>, shape: Shape) {
    let (role, front) = (here.column.role, front(here.x, shape));
    for map in (0..shape.channels.min(MOST_MAPS)).rev() {
        let offset = map as f64 * MAP_SHIFT;
        let corner = (front.corner.0 + offset, front.corner.1 - offset);
        svg.rectangle(corner, front.size, role.tint(), role.colour());
    }
    if shape.channels > MOST_MAPS {
        let end = (front.corner.0 + front.size.0 + shift(shape), front.corner.1 - shift(shape));
        let text = format!("{} maps", shape.channels);
        svg.text(Element::at(end.0, end.1 - 6.0).fill(FAINT).size(11.0).middle(), &text);
    }
}

fn draw_dots(svg: &mut Svg, here: &Placed<'_>, units: usize, names: &[String]) {
    let role = here.column.role;
    let dots = dots(here.x, units);
    for dot in &dots {
        svg.circle(*dot, RADIUS, role.tint(), role.colour());
    }
    for (dot, name) in dots.iter().zip(names) {
        svg.text(Element::at(dot.0 + RADIUS + 8.0, dot.1 + 4.5).fill(INK).size(13.0), name);
    }
    if units > MOST_DOTS {
        let gap = dots[DOTS_ABOVE - 1].1 + 1.5 * DOT_PITCH;
        for step in [-1.0, 0.0, 1.0] {
            svg.circle((here.x, gap + step * 8.0), 1.8, FAINT, FAINT);
        }
    }
}
