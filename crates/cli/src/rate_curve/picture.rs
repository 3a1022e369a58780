//! The curve as a picture.

use super::{Curve, Mark};
use image::{Rgb, RgbImage};
use percept::data::contact_sheet::font;
use percept::train::run::range_test::RangeTest;

const WIDTH: u32 = 1000;
const HEIGHT: u32 = 600;
/// The edges of the plot.
const LEFT: f64 = 110.0;
const RIGHT: f64 = 970.0;
const TOP: f64 = 60.0;
const BOTTOM: f64 = 520.0;
/// Each dot of a letter is a square of this side.
const LETTER: u32 = 2;

const PAPER: [u8; 3] = [255, 255, 255];
const INK: [u8; 3] = [40, 40, 40];
const GRID: [u8; 3] = [226, 226, 226];
const LOSS: [u8; 3] = [178, 203, 231];
const SMOOTHED: [u8; 3] = [31, 99, 175];
const SUGGESTION: [u8; 3] = [204, 68, 34];

/// The curve under a title: the loss of each step pale, the smoothed loss dark, and the suggested rate as a line. `None`
/// where nothing was tested.
pub(crate) fn picture(test: &RangeTest, title: &str) -> Option<RgbImage> {
    let curve = Curve::new(test)?;
    let mut canvas = Canvas(RgbImage::from_pixel(WIDTH, HEIGHT, Rgb(PAPER)));
    canvas.axes(&curve);
    let losses: Vec<_> =
        curve.points.iter().map(|point| at(curve.place(point.rate, point.loss))).collect();
    canvas.curve(&losses, LOSS, 1.0);
    if let Some((rate, place)) = curve.suggested() {
        let (x, _) = at((place, 0.0));
        canvas.line((x, TOP), (x, BOTTOM), SUGGESTION, 1.5);
        let words = format!("SUGGESTED {rate}");
        // On the side where there is room.
        let width = text_width(&words);
        let left = if x + 10.0 + width < RIGHT { x + 10.0 } else { x - 10.0 - width };
        canvas.text(left, TOP + 8.0, &words, SUGGESTION);
    }
    let smoothed: Vec<_> = curve.smoothed().into_iter().map(at).collect();
    canvas.curve(&smoothed, SMOOTHED, 2.5);
    canvas.text(LEFT, 20.0, title, INK);
    Some(canvas.0)
}

/// A place of the plot in pixels.
fn at((x, y): (f64, f64)) -> (f64, f64) {
    (LEFT + x * (RIGHT - LEFT), TOP + y * (BOTTOM - TOP))
}

fn text_width(text: &str) -> f64 {
    text.chars().count() as f64 * f64::from((font::WIDTH as u32 + 1) * LETTER)
}

struct Canvas(RgbImage);

impl Canvas {
    fn axes(&mut self, curve: &Curve<'_>) {
        let half_letter = f64::from(7 * LETTER) / 2.0;
        for Mark { place, label } in curve.loss_marks() {
            let (_, y) = at((0.0, place));
            self.line((LEFT, y), (RIGHT, y), GRID, 1.0);
            self.text(LEFT - 12.0 - text_width(&label), y - half_letter, &label, INK);
        }
        for Mark { place, label } in curve.rate_marks() {
            let (x, _) = at((place, 0.0));
            self.line((x, TOP), (x, BOTTOM), GRID, 1.0);
            self.text(x - text_width(&label) / 2.0, BOTTOM + 12.0, &label, INK);
        }
        self.line((LEFT, BOTTOM), (RIGHT, BOTTOM), INK, 1.0);
        self.line((LEFT, TOP), (LEFT, BOTTOM), INK, 1.0);
        let middle = (LEFT + RIGHT) / 2.0;
        let below = "LEARNING RATE";
        self.text(middle - text_width(below) / 2.0, BOTTOM + 44.0, below, INK);
        self.text(12.0, TOP - 4.0 * half_letter, "LOSS", INK);
    }

    fn curve(&mut self, points: &[(f64, f64)], colour: [u8; 3], thickness: f64) {
        points.windows(2).for_each(|pair| self.line(pair[0], pair[1], colour, thickness));
    }

    /// A line with soft edges: a pixel is covered by as much as the line's half thickness exceeds its distance, up to one
    /// pixel.
    fn line(&mut self, from: (f64, f64), to: (f64, f64), colour: [u8; 3], thickness: f64) {
        let reach = thickness / 2.0 + 1.0;
        let span = |a: f64, b: f64, end: u32| {
            let low = (a.min(b) - reach).floor().max(0.0) as u32;
            low..((a.max(b) + reach).ceil() as u32 + 1).min(end)
        };
        for y in span(from.1, to.1, HEIGHT) {
            for x in span(from.0, to.0, WIDTH) {
                let distance = distance((f64::from(x), f64::from(y)), from, to);
                self.blend(x, y, colour, (thickness / 2.0 + 0.5 - distance).clamp(0.0, 1.0));
            }
        }
    }

    fn blend(&mut self, x: u32, y: u32, colour: [u8; 3], share: f64) {
        let Rgb(old) = self.0.get_pixel_mut(x, y);
        for (old, new) in old.iter_mut().zip(colour) {
            *old = (f64::from(*old) * (1.0 - share) + f64::from(new) * share).round() as u8;
        }
    }

    fn text(&mut self, left: f64, top: f64, text: &str, colour: [u8; 3]) {
        let (left, top) = (left.max(0.0) as u32, top.max(0.0) as u32);
        for (at, glyph) in text.chars().map(font::glyph).enumerate() {
            let left = left + at as u32 * (font::WIDTH as u32 + 1) * LETTER;
            for (y, row) in glyph.into_iter().enumerate() {
                for x in (0..font::WIDTH).filter(|x| row >> (font::WIDTH - 1 - x) & 1 == 1) {
                    self.dot(left + x as u32 * LETTER, top + y as u32 * LETTER, colour);
                }
            }
        }
    }

    fn dot(&mut self, left: u32, top: u32, colour: [u8; 3]) {
        for (y, x) in (0..LETTER).flat_map(|y| (0..LETTER).map(move |x| (y, x))) {
            if let Some(pixel) = self.0.get_pixel_mut_checked(left + x, top + y) {
                *pixel = Rgb(colour);
            }
        }
    }
}

/// From a point to the stretch between two others.
fn distance((x, y): (f64, f64), from: (f64, f64), to: (f64, f64)) -> f64 {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let length = dx * dx + dy * dy;
    let along = match length > 0.0 {
        true => (((x - from.0) * dx + (y - from.1) * dy) / length).clamp(0.0, 1.0),
        false => 0.0,
    };
    (x - from.0 - along * dx).hypot(y - from.1 - along * dy)
}
