//! Prepares the picture of a digit as the pictures of MNIST were: light ink on black, the ink's longest side scaled to
//! 20 pixels, its centre of mass in the middle of 28x28 (LeCun, Cortes and Burges, "The MNIST database").

use std::ops::Range;

use crate::resize::resize;
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

/// Prepares a grey picture: u8 [28, 28].
pub(crate) fn prepare(picture: &Picture) -> Result<Vec<u8>, Error> {
    let shape = picture.shape();
    if looks_like_mnist(picture.pixels(), shape) {
        return Ok(picture.pixels().to_vec());
    }
    let mut ink = ink(picture.pixels(), shape)?;
    let (rows, columns) = keep_large_spots(&mut ink, shape);
    Ok(centre(&scale(&ink, shape, rows, columns)))
}

/// Whether a picture is one of MNIST's, or made just like them: 28x28, black corners, the longest side of everything
/// that is not black 19 or 20, the centre of mass in the middle.
fn looks_like_mnist(pixels: &[u8], shape: ImageShape) -> bool {
    if shape != ImageShape::grey(SIDE, SIDE) || pixels.iter().all(|&p| p < 128) {
        return false;
    }
    let (rows, columns) = bounds(pixels, SIDE, |&p| p > 0);
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
    let deviation = |of: fn(u8, u8) -> u8| -> u64 {
        pixels.iter().map(|&p| u64::from(of(p, background)).pow(2)).sum()
    };
    let darker: fn(u8, u8) -> u8 = |p, background| background.saturating_sub(p);
    let lighter: fn(u8, u8) -> u8 = u8::saturating_sub;
    let inked = if deviation(darker) > deviation(lighter) { darker } else { lighter };
    let mut counts = [0usize; 256];
    for &pixel in pixels {
        counts[usize::from(inked(pixel, background))] += 1;
    }
    let full = rank_from_top(&counts, pixels.len() / 1000);
    if full < MIN_CONTRAST {
        return Err(Error::Blank { contrast: full, needed: MIN_CONTRAST });
    }
    // Paper's grain below a fifth is background; pens rarely cover evenly, so 85 % is full.
    let (low, high) = (0.2 * f32::from(full), 0.85 * f32::from(full));
    let strength = |p| ((f32::from(inked(p, background)) - low) / (high - low)).clamp(0.0, 1.0);
    Ok(pixels.iter().map(|&p| strength(p)).collect())
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

/// Removes noise: connected spots of at least 30 % ink that are small beside the largest. Returns the rows and columns
/// that hold the remaining spots.
fn keep_large_spots(ink: &mut [f32], shape: ImageShape) -> (Range<usize>, Range<usize>) {
    let width = shape.width;
    let (spots, areas) = label_spots(ink, width);
    let largest = areas.iter().copied().max().unwrap_or(0);
    let keep = |spot: u32| spot > 0 && areas[spot as usize] as f32 >= NOISE_SHARE * largest as f32;
    for (ink, &spot) in ink.iter_mut().zip(&spots) {
        if spot > 0 && !keep(spot) {
            *ink = 0.0;
        }
    }
    let (rows, columns) = bounds(&spots, width, |&spot| keep(spot));
    // One pixel more, for the soft edge of the ink; what is further away is noise.
    let widen =
        |range: Range<usize>, end: usize| range.start.saturating_sub(1)..(range.end + 1).min(end);
    (widen(rows, shape.height), widen(columns, width))
}

/// Numbers the spots of ink (pixels of at least 30 %, touching by side or corner) from 1; 0 is no ink. Returns the number of each
/// pixel and the area of each spot.
fn label_spots(ink: &[f32], width: usize) -> (Vec<u32>, Vec<usize>) {
    let mut spots = vec![0u32; ink.len()];
    let mut areas = vec![0];
    let mut open = Vec::new();
    for start in 0..ink.len() {
        if spots[start] > 0 || ink[start] < 0.3 {
            continue;
        }
        let spot = areas.len() as u32;
        areas.push(0);
        spots[start] = spot;
        open.push(start);
        while let Some(at) = open.pop() {
            areas[spot as usize] += 1;
            for next in neighbours(at, width, ink.len()) {
                if spots[next] == 0 && ink[next] >= 0.3 {
                    spots[next] = spot;
                    open.push(next);
                }
            }
        }
    }
    (spots, areas)
}

/// The up to eight pixels around one.
fn neighbours(at: usize, width: usize, len: usize) -> impl Iterator<Item = usize> {
    let (y, x, height) = (at / width, at % width, len / width);
    let rows = y.saturating_sub(1)..(y + 2).min(height);
    rows.flat_map(move |row| {
        (x.saturating_sub(1)..(x + 2).min(width)).map(move |column| row * width + column)
    })
}

/// The smallest range of rows, and of columns, with every value that counts.
fn bounds<T>(
    values: &[T],
    width: usize,
    counts: impl Fn(&T) -> bool,
) -> (Range<usize>, Range<usize>) {
    let (mut top, mut bottom, mut left, mut right) = (usize::MAX, 0, usize::MAX, 0);
    for (at, _) in values.iter().enumerate().filter(|(_, value)| counts(value)) {
        let (y, x) = (at / width, at % width);
        (top, bottom) = (top.min(y), bottom.max(y + 1));
        (left, right) = (left.min(x), right.max(x + 1));
    }
    (top..bottom, left..right)
}

/// Cuts the ink out and scales its longest side to 20.
fn scale(
    ink: &[f32],
    shape: ImageShape,
    rows: Range<usize>,
    columns: Range<usize>,
) -> (Vec<f32>, ImageShape) {
    let cut: Vec<f32> = ink[rows.start * shape.width..rows.end * shape.width]
        .chunks_exact(shape.width)
        .flat_map(|row| &row[columns.clone()])
        .copied()
        .collect();
    let (height, width) = (rows.len(), columns.len());
    let longest = height.max(width);
    let to = |side: usize| ((side * INK_SIDE + longest / 2) / longest).max(1);
    let (small_height, small_width) = (to(height), to(width));
    let mut small = resize(&cut, ImageShape::grey(height, width), small_height, small_width);
    // A thin stroke pales when it shrinks: full ink is full again.
    let most = small.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
    small.iter_mut().for_each(|value| *value /= most);
    (small, ImageShape::grey(small_height, small_width))
}

/// Lays the ink on black with its centre of mass in the middle.
fn centre((ink, shape): &(Vec<f32>, ImageShape)) -> Vec<u8> {
    let (y, x) = centre_of_mass(ink, shape.width);
    let (top, left) = ((CENTRE - y).round() as isize, (CENTRE - x).round() as isize);
    let mut out = vec![0; SIDE * SIDE];
    for (at, value) in ink.iter().enumerate() {
        let row = (at / shape.width).checked_add_signed(top).filter(|&row| row < SIDE);
        let column = (at % shape.width).checked_add_signed(left).filter(|&column| column < SIDE);
        if let (Some(row), Some(column)) = (row, column) {
            out[row * SIDE + column] = (value * 255.0).round() as u8;
        }
    }
    out
}

/// Row and column of the centre of mass.
fn centre_of_mass(ink: &[f32], width: usize) -> (f32, f32) {
    let (mut mass, mut y, mut x) = (0.0, 0.0, 0.0);
    for (at, &value) in ink.iter().enumerate() {
        mass += value;
        y += value * (at / width) as f32;
        x += value * (at % width) as f32;
    }
    (y / mass, x / mass)
}
