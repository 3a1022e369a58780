//! Draws what connects one column to the next.

use super::body;
use super::column::{Body, Link};
use super::element::{Element, Svg};
use super::{FAINT, Placed};
use percept::nn::shape::{Shape, Size};

const WEIGHT: &str = "#7b8794";
const WINDOW: &str = "#f59f00";

/// Draws the connections from `from` to `to`.
pub(super) fn draw(svg: &mut Svg, from: &Placed<'_>, to: &Placed<'_>) {
    if to.column.link == Link::Block {
        shortcut(svg, from, to);
    }
    match (from.column.body, to.column.body) {
        (Body::Units(before), Body::Units(after)) => weights(svg, (from.x, before), (to.x, after)),
        (Body::Maps(shape), Body::Units(units)) => fan(svg, (from.x, shape), (to.x, units)),
        (Body::Maps(before), Body::Maps(after)) => {
            let size = match to.column.link {
                Link::Window(size) => size,
                _ => Size::square(1),
            };
            window(svg, (from.x, before), (to.x, after), size);
        }
        (Body::Units(_), Body::Maps(_)) => {}
    }
}

/// A line for each weight between the units that are drawn.
fn weights(svg: &mut Svg, from: (f64, usize), to: (f64, usize)) {
    for start in body::dots(from.0, from.1) {
        for end in body::dots(to.0, to.1) {
            svg.line(start, end, WEIGHT, 0.7, 0.45);
        }
    }
}

/// Every unit sees all numbers of the maps.
fn fan(svg: &mut Svg, from: (f64, Shape), to: (f64, usize)) {
    let (front, shift) = (body::front(from.0, from.1), body::shift(from.1));
    let dots = body::dots(to.0, to.1);
    let (Some(first), Some(last)) = (dots.first(), dots.last()) else { return };
    let right = front.corner.0 + front.size.0;
    let above = (right + shift, front.corner.1 - shift);
    let below = (right, front.corner.1 + front.size.1);
    svg.polygon(&[above, *first, *last, below], WEIGHT, 0.12);
    svg.line(above, *first, WEIGHT, 0.8, 0.6);
    svg.line(below, *last, WEIGHT, 0.8, 0.6);
}

/// A window on the maps before, and the number that is made of it.
fn window(svg: &mut Svg, from: (f64, Shape), to: (f64, Shape), size: Size) {
    let (before, after) = (body::front(from.0, from.1), body::front(to.0, to.1));
    let scale = |pixels: usize, of: usize, length: f64| {
        (pixels.min(of) as f64 / of.max(1) as f64 * length).clamp(5.0_f64.min(length), length)
    };
    let wide = scale(size.width, from.1.width, before.size.0);
    let high = scale(size.height, from.1.height, before.size.1);
    let corner = (
        before.corner.0 + (before.size.0 - wide) * 0.75,
        before.corner.1 + (before.size.1 - high) * 0.2,
    );
    let target = (after.corner.0 + after.size.0 * 0.25, after.corner.1 + after.size.1 * 0.7);
    svg.late(|svg| {
        svg.rectangle(corner, (wide, high), "none", WINDOW);
        for y in [corner.1, corner.1 + high] {
            svg.line((corner.0 + wide, y), target, WINDOW, 1.0, 0.9);
        }
        svg.circle(target, 2.5, WINDOW, WINDOW);
    });
}

/// The way around a residual block.
fn shortcut(svg: &mut Svg, from: &Placed<'_>, to: &Placed<'_>) {
    let start = (from.x, body::top(from.x, &from.column.body) - 4.0);
    let end = (to.x, body::top(to.x, &to.column.body) - 16.0);
    svg.arc(start, end, FAINT);
    svg.text(Element::at(to.x, end.1 + 10.0).fill(FAINT).size(14.0).bold().middle(), "+");
}
