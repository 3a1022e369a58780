//! Draws digits as strokes: pictures of our own to test with.

use percept_data::{ImageShape, Picture};

/// How a digit is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    pub width: usize,
    pub height: usize,
    /// Where the digit's box has its top left corner, in pixels.
    pub at: (f32, f32),
    /// Height of the digit's box in pixels; it is 0.65 as wide.
    pub size: f32,
    /// Width of the pen in pixels.
    pub pen: f32,
    pub ink: u8,
    pub paper: u8,
}

/// The strokes of a digit in a box 0.65 wide and 1 high: lines of points (x, y), y down.
fn strokes(digit: u8) -> Vec<Vec<(f32, f32)>> {
    let arc = |x: f32, y: f32, rx: f32, ry: f32, from: f32, to: f32| -> Vec<(f32, f32)> {
        let point = |i: u8| {
            let angle = (from + (to - from) * f32::from(i) / 24.0).to_radians();
            (x + rx * angle.cos(), y + ry * angle.sin())
        };
        (0..=24).map(point).collect()
    };
    let join = |parts: Vec<Vec<(f32, f32)>>| parts.concat();
    match digit {
        0 => vec![arc(0.32, 0.5, 0.28, 0.46, 0.0, 360.0)],
        1 => vec![vec![(0.18, 0.24), (0.36, 0.04), (0.36, 0.96)]],
        2 => vec![join(vec![
            arc(0.31, 0.29, 0.26, 0.25, -170.0, 30.0),
            vec![(0.06, 0.94), (0.6, 0.94)],
        ])],
        3 => vec![join(vec![
            arc(0.28, 0.27, 0.27, 0.23, -160.0, 90.0),
            arc(0.28, 0.73, 0.3, 0.23, -90.0, 160.0),
        ])],
        4 => vec![vec![(0.4, 0.04), (0.05, 0.62), (0.62, 0.62)], vec![(0.44, 0.36), (0.44, 0.96)]],
        5 => vec![join(vec![
            vec![(0.58, 0.05), (0.14, 0.05), (0.1, 0.44)],
            arc(0.28, 0.67, 0.3, 0.28, -110.0, 150.0),
        ])],
        6 => vec![join(vec![
            vec![(0.46, 0.04), (0.2, 0.34)],
            arc(0.32, 0.68, 0.25, 0.27, -165.0, 210.0),
        ])],
        7 => vec![vec![(0.05, 0.06), (0.6, 0.06), (0.24, 0.96)]],
        8 => vec![arc(0.32, 0.27, 0.22, 0.22, 0.0, 360.0), arc(0.32, 0.73, 0.27, 0.24, 0.0, 360.0)],
        9 => vec![
            arc(0.32, 0.3, 0.24, 0.25, 0.0, 360.0),
            vec![(0.56, 0.3), (0.54, 0.6), (0.4, 0.96)],
        ],
        _ => panic!("{digit} is not a digit"),
    }
}

/// Draws a digit with round pens and soft edges of one pixel.
pub fn draw(digit: u8, style: &Style) -> Picture {
    let to_pixels = |(x, y): (f32, f32)| (style.at.0 + x * style.size, style.at.1 + y * style.size);
    let lines: Vec<_> = strokes(digit)
        .iter()
        .flat_map(|line| line.windows(2).map(|ends| (ends[0], ends[1])).collect::<Vec<_>>())
        .map(|(from, to)| (to_pixels(from), to_pixels(to)))
        .collect();
    let pixel = |at: usize| {
        let (x, y) = ((at % style.width) as f32 + 0.5, (at / style.width) as f32 + 0.5);
        let distance = lines.iter().map(|&line| distance((x, y), line)).fold(f32::MAX, f32::min);
        let cover = (style.pen / 2.0 + 0.5 - distance).clamp(0.0, 1.0);
        (f32::from(style.paper) * (1.0 - cover) + f32::from(style.ink) * cover).round() as u8
    };
    let pixels = (0..style.width * style.height).map(pixel).collect();
    Picture::new(ImageShape::grey(style.height, style.width), pixels).expect("a whole picture")
}

/// From a point to a line between two points.
fn distance((x, y): (f32, f32), ((ax, ay), (bx, by)): ((f32, f32), (f32, f32))) -> f32 {
    let (dx, dy) = (bx - ax, by - ay);
    let along = ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy).max(1e-12);
    let along = along.clamp(0.0, 1.0);
    ((x - ax - along * dx).powi(2) + (y - ay - along * dy).powi(2)).sqrt()
}

/// The pictures kept in `tests/pictures`: name, digit, style. Each digit once, no two drawn alike.
pub fn kept() -> Vec<(String, u8, Style)> {
    let styles = [
        (0, "plain", (200, 200), (50.0, 30.0), 140.0, 14.0, 0, 255),
        (1, "thin-pen", (160, 240), (40.0, 40.0), 150.0, 5.0, 20, 250),
        (2, "thick-pen", (220, 220), (50.0, 40.0), 140.0, 24.0, 0, 255),
        (3, "light-on-dark", (128, 128), (30.0, 20.0), 90.0, 10.0, 255, 0),
        (4, "top-left", (300, 300), (12.0, 12.0), 90.0, 9.0, 30, 240),
        (5, "bottom-right", (300, 200), (220.0, 90.0), 95.0, 9.0, 0, 255),
        (6, "pencil", (180, 200), (40.0, 25.0), 150.0, 11.0, 120, 225),
        (7, "grey-on-black", (100, 140), (20.0, 20.0), 100.0, 10.0, 170, 10),
        (8, "fills-it", (80, 112), (4.0, 4.0), 104.0, 11.0, 0, 255),
        (9, "small", (40, 40), (10.0, 8.0), 24.0, 3.0, 0, 255),
    ];
    let named = |(digit, name, (width, height), at, size, pen, ink, paper)| {
        let style = Style { width, height, at, size, pen, ink, paper };
        (format!("{digit}-{name}.png"), digit, style)
    };
    styles.into_iter().map(named).collect()
}
