//! Prepares the picture of a digit as the pictures of MNIST were: light ink on black, the ink's longest side scaled to
//! 20 pixels, its centre of mass in the middle of 28x28 (LeCun, Cortes and Burges, "The MNIST database").

mod spots;

use spots::Spots;
use std::array;
use std::borrow::Cow;
use std::ops::Range;

use crate::resize::{Axis, Outside, sample};
use crate::{Error, ImageShape, Picture};

/// Height and width of a prepared digit.
pub(crate) const SIDE: usize = 28;
/// The longest side of its ink.
const INK_SIDE: usize = 20;
/// Where MNIST has the centre of mass, in pixels from the centre of the first: all 70,000 lie within half a pixel.
const CENTRE: f32 = 14.0;
/// The least contrast between ink and background, in grey levels; scanned blank paper stays well below.
const MIN_CONTRAST: u8 = 24;
/// A spot of ink with less than this share of the largest spot's area is noise.
const NOISE_SHARE: f32 = 0.05;
/// A picture with a longer side is made smaller first: preparing takes some twenty bytes a pixel.
const MAX_SIDE_PREPARED: usize = 1024;
/// How strong ink is at the edge of a stroke.
const EDGE: f32 = 0.3;

/// Prepares a grey picture: u8 [28, 28].
pub(crate) fn prepare(picture: &Picture) -> Result<Vec<u8>, Error> {
    let (pixels, shape) = shrink(picture);
    if looks_like_mnist(&pixels, shape) {
        return Ok(pixels.into_owned());
    }
    let mut ink = ink(&pixels, shape)?;
    let (rows, columns) = keep_large_spots(&mut ink, shape);
    Ok(centre(&ink, shape, rows, columns))
}

/// Averages squares of pixels, so many that no side stays longer than [`MAX_SIDE_PREPARED`]. Squares at the right and
/// lower edge may be cut off.
fn shrink(picture: &Picture) -> (Cow<'_, [u8]>, ImageShape) {
    let ImageShape { height, width, .. } = picture.shape();
    let square = height.max(width).div_ceil(MAX_SIDE_PREPARED);
    if square <= 1 {
        return (picture.pixels().into(), picture.shape());
    }
    let small = ImageShape::grey(height.div_ceil(square), width.div_ceil(square));
    let mut pixels = Vec::with_capacity(small.len());
    for rows in picture.pixels().chunks(square * width) {
        let mut sums = vec![0u32; small.width];
        for row in rows.chunks_exact(width) {
            for (sum, part) in sums.iter_mut().zip(row.chunks(square)) {
                *sum += part.iter().map(|&p| u32::from(p)).sum::<u32>();
            }
        }
        let columns = |at: usize| square.min(width - at * square);
        let area = |at| (rows.len() / width * columns(at)) as u32;
        pixels.extend(
            sums.iter().enumerate().map(|(at, sum)| ((sum + area(at) / 2) / area(at)) as u8),
        );
    }
    (pixels.into(), small)
}

/// Whether a picture is one of MNIST's, or made just like them: 28x28, black corners, the longest side of everything
/// that is not black 19 or 20, the centre of mass in the middle.
fn looks_like_mnist(pixels: &[u8], shape: ImageShape) -> bool {
    if shape != ImageShape::grey(SIDE, SIDE) || pixels.iter().all(|&p| p < 128) {
        return false;
    }
    let (rows, columns) = bounds(pixels, SIDE);
    let side = rows.len().max(columns.len());
    let corners = [0, SIDE - 1, SIDE * (SIDE - 1), SIDE * SIDE - 1];
    let ink: Vec<f32> = pixels.iter().map(|&p| f32::from(p)).collect();
    let (y, x) = centre_of_mass(&ink, SIDE);
    corners.iter().all(|&corner| pixels[corner] == 0)
        && (INK_SIDE - 1..=INK_SIDE).contains(&side)
        && (y - CENTRE).abs() < 0.6
        && (x - CENTRE).abs() < 0.6
}

/// How strongly each pixel is inked, 0 to 1.
///
/// The background's grey level is the median along the border. Ink is whichever side of it, darker or lighter, has more
/// squared deviation. Full ink is a level that a thousandth of the pixels reach, so that single hot pixels do not count.
fn ink(pixels: &[u8], shape: ImageShape) -> Result<Vec<f32>, Error> {
    let background = border_median(pixels, shape);
    let counts = count(pixels);
    let deviation = |of: fn(u8, u8) -> u8| -> u64 {
        let squares = (0..=255).map(|level| u64::from(of(level, background)).pow(2));
        squares.zip(&counts).map(|(square, count)| square * *count as u64).sum()
    };
    let darker: fn(u8, u8) -> u8 = |p, background| background.saturating_sub(p);
    let lighter: fn(u8, u8) -> u8 = u8::saturating_sub;
    let inked = if deviation(darker) > deviation(lighter) { darker } else { lighter };
    let inked: [u8; 256] = array::from_fn(|level| inked(level as u8, background));
    let mut inked_counts = [0; 256];
    for (inked, count) in inked.iter().zip(&counts) {
        inked_counts[usize::from(*inked)] += count;
    }
    let full = rank_from_top(&inked_counts, pixels.len() / 1000);
    if full < MIN_CONTRAST {
        return Err(Error::Blank { contrast: full, needed: MIN_CONTRAST });
    }
    // Paper's grain below a fifth is background; pens rarely cover evenly, so 85 % is full.
    let (low, high) = (0.2 * f32::from(full), 0.85 * f32::from(full));
    let strength = inked.map(|inked| ((f32::from(inked) - low) / (high - low)).clamp(0.0, 1.0));
    Ok(pixels.iter().map(|&p| strength[usize::from(p)]).collect())
}

/// How many pixels have each grey level.
fn count(pixels: &[u8]) -> [usize; 256] {
    // Four counts in turn: neighbours have the same level, and one count would wait for its own last addition.
    let mut counts = [[0; 4]; 256];
    let (fours, rest) = pixels.as_chunks::<4>();
    for four in fours.iter().map(<[u8; 4]>::as_slice).chain([rest]) {
        four.iter().enumerate().for_each(|(turn, &level)| counts[usize::from(level)][turn] += 1);
    }
    counts.map(|counts| counts.into_iter().sum())
}

/// The median grey level of a frame as wide as a twentieth of the shorter side.
fn border_median(pixels: &[u8], ImageShape { height, width, .. }: ImageShape) -> u8 {
    let frame = (height.min(width) / 20).max(1);
    let mut counts = [0usize; 256];
    for (y, row) in pixels.chunks_exact(width).enumerate() {
        let whole = y < frame || y >= height - frame;
        let inner = if whole { width } else { frame.min(width) };
        let right = if whole { width } else { width.saturating_sub(frame).max(inner) };
        for &pixel in row[..inner].iter().chain(&row[right..]) {
            counts[usize::from(pixel)] += 1;
        }
    }
    rank_from_top(&counts, counts.iter().sum::<usize>() / 2)
}

/// The value that `rank` others are at least as large as.
fn rank_from_top(counts: &[usize; 256], rank: usize) -> u8 {
    let mut above = 0;
    (0..=255u8)
        .rev()
        .find(|&value| {
            above += counts[usize::from(value)];
            above > rank
        })
        .unwrap_or(0)
}

/// Removes noise: spots of ink that are small beside the largest, and pale ink that touches no spot. Returns the rows and
/// columns that hold the remaining spots.
fn keep_large_spots(ink: &mut [f32], shape: ImageShape) -> (Range<usize>, Range<usize>) {
    let mut spots = Spots::new(ink, shape.width, EDGE);
    spots.keep_large(NOISE_SHARE);
    spots.clear_around(ink, shape.width);
    spots.bounds()
}

/// The smallest range of rows, and of columns, with every pixel that is not black.
fn bounds(pixels: &[u8], width: usize) -> (Range<usize>, Range<usize>) {
    let inked = |&pixel: &u8| pixel > 0;
    let (mut top, mut bottom, mut left, mut right) = (usize::MAX, 0, usize::MAX, 0);
    for (y, row) in pixels.chunks_exact(width).enumerate() {
        if let Some(first) = row.iter().position(inked)
            && let Some(last) = row.iter().rposition(inked)
        {
            (top, bottom) = (top.min(y), y + 1);
            (left, right) = (left.min(first), right.max(last + 1));
        }
    }
    (top..bottom, left..right)
}

/// Scales the ink so that its longest side is 20 pixels and its centre of mass is in the middle. Neither is rounded to
/// whole pixels, unlike in MNIST: what is drawn a little differently is then seen only a little differently.
fn centre(ink: &[f32], shape: ImageShape, rows: Range<usize>, columns: Range<usize>) -> Vec<u8> {
    let ImageShape { height, width, .. } = shape;
    let row_most = |y: usize| most(&ink[y * width..(y + 1) * width]);
    let column_most = |x: usize| most(ink[x..].iter().step_by(width));
    let longest = extent(row_most, height, &rows).max(extent(column_most, width, &columns));
    let scale = longest / INK_SIDE as f64;
    let (y, x) = centre_of_mass(ink, width);
    // The middle of pixel 14 is 14.5 pixels from the beginning of the first; so it is with old pixels.
    let axis = |centre: f32| {
        let start = f64::from(centre) + 0.5 - (f64::from(CENTRE) + 0.5) * scale;
        Axis { start, scale, to: SIDE }
    };
    let out = sample(ink, shape, axis(y), axis(x), Outside::Zero);
    // A thin stroke pales when it shrinks: full ink is full again.
    let full = most(&out).max(f32::MIN_POSITIVE);
    out.iter().map(|value| (value / full * 255.0).round() as u8).collect()
}

fn most<'a>(values: impl IntoIterator<Item = &'a f32>) -> f32 {
    values.into_iter().copied().fold(0.0, f32::max)
}

/// How far ink reaches along an axis of `len` positions, in fractions of a pixel: between the points where it falls below
/// [`EDGE`]. `most` is the strongest ink at a position, `range` where it is at least `EDGE`.
fn extent(most: impl Fn(usize) -> f32, len: usize, range: &Range<usize>) -> f64 {
    let beyond = |outer: Option<usize>, inner: usize| {
        let outer = outer.map_or(0.0, &most).min(EDGE - 0.01);
        let inner = most(inner);
        f64::from((inner - EDGE) / (inner - outer))
    };
    let last = range.end - 1;
    let before = beyond(range.start.checked_sub(1), range.start);
    let behind = beyond(Some(range.end).filter(|end| *end < len), last);
    ((last - range.start) as f64 + before + behind).max(1.0)
}

/// Row and column of the centre of mass.
fn centre_of_mass(ink: &[f32], width: usize) -> (f32, f32) {
    // f64: the sums over a large photograph need more than 24 bits. A sum for each column, since they can be added side
    // by side.
    let mut columns = vec![(0.0, 0.0); width];
    for (y, row) in ink.chunks_exact(width).enumerate() {
        for ((mass, moment), value) in columns.iter_mut().zip(row.iter().map(|&v| f64::from(v))) {
            *mass += value;
            *moment += value * y as f64;
        }
    }
    let (mut mass, mut y, mut x) = (0.0, 0.0, 0.0);
    for (column, (of_column, moment)) in columns.into_iter().enumerate() {
        mass += of_column;
        y += moment;
        x += of_column * column as f64;
    }
    ((y / mass) as f32, (x / mass) as f32)
}
