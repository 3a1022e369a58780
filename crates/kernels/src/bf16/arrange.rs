//! Brings fp32 numbers into the layouts that bf16 products read.

use super::{Bf16, COLUMNS, SEGMENT, TILE};
use crate::body::per_isa;
use crate::isa::{Bf16Unit, Isa};

#[cfg(target_arch = "x86_64")]
mod simd;

/// `to[pixel, c]` = `from[pixel, c]` rounded; channels beyond those of `from` become 0.
///
/// # Shapes
/// from `[pixels, channels]`, to `[pixels, to_channels]`; `to_channels` is `channels`, or greater and whole 16s.
///
/// # Panics
/// When the lengths do not fit.
pub fn convert(isa: Isa, from: &[f32], channels: usize, to: &mut [Bf16], to_channels: usize) {
    assert!(
        to_channels == channels || (to_channels > channels && to_channels.is_multiple_of(16)),
        "channels are kept, or padded to whole 16s"
    );
    let pixels = from.len() / channels.max(1);
    assert_eq!(pixels * channels, from.len(), "whole pixels");
    assert_eq!(pixels * to_channels, to.len(), "as many pixels");
    match isa.bf16_unit() {
        Bf16Unit::Widened => convert_portable(isa, from, channels, to, to_channels),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the `Isa` proves the features; the lengths are checked above.
        _ => unsafe { simd::convert(from, channels, to, to_channels) },
        #[cfg(not(target_arch = "x86_64"))]
        _ => convert_portable(isa, from, channels, to, to_channels),
    }
}

/// Two rows of numbers, rounded and interleaved: `to[n]` = (`first[n]`, `second[n]`), zeros where a row ends and up to
/// whole 16s.
///
/// # Shapes
/// first `[n]`, second `[n]` or empty, to `[n rounded up to whole 16s, 2]`.
///
/// # Panics
/// When the lengths do not fit.
pub fn interleave(isa: Isa, first: &[f32], second: &[f32], to: &mut [Bf16]) {
    assert!(second.is_empty() || second.len() == first.len(), "rows of one length");
    assert_eq!(to.len(), 2 * first.len().next_multiple_of(COLUMNS), "pairs of both rows");
    match isa.bf16_unit() {
        Bf16Unit::Widened => interleave_portable(isa, first, second, to),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the `Isa` proves the features; the lengths are checked above.
        _ => unsafe { simd::interleave(first, second, to) },
        #[cfg(not(target_arch = "x86_64"))]
        _ => interleave_portable(isa, first, second, to),
    }
}

/// Rows of numbers, rounded, each two neighbours interleaved: pair i is rows 2i and 2i + 1 as [`interleave`] has them; the
/// second row of the last pair is zeros where the rows are odd in number.
///
/// # Shapes
/// from `[rows, columns]`, to `[rows rounded up / 2, columns rounded up to whole 16s, 2]`.
///
/// # Panics
/// When the lengths do not fit.
pub fn interleave_rows(isa: Isa, from: &[f32], columns: usize, to: &mut [Bf16]) {
    let rows = from.len() / columns.max(1);
    assert_eq!(rows * columns, from.len(), "whole rows");
    assert_eq!(to.len(), rows.div_ceil(2) * 2 * columns.next_multiple_of(COLUMNS), "whole pairs");
    match isa.bf16_unit() {
        Bf16Unit::Widened => interleave_rows_portable(isa, from, columns, to),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the `Isa` proves the features; the lengths are checked above.
        _ => unsafe { simd::interleave_rows(from, columns, to) },
        #[cfg(not(target_arch = "x86_64"))]
        _ => interleave_rows_portable(isa, from, columns, to),
    }
}

/// A tile of the right operand of a product from up to 16 rows that are its columns: `to[k / 2][row][k % 2]` =
/// `from[row * pitch + k]` rounded, zeros for rows and numbers that do not exist.
///
/// # Panics
/// When there are more than 16 rows or 32 columns, or a slice is too short.
pub fn turn(isa: Isa, from: &[f32], pitch: usize, rows: usize, columns: usize, to: &mut [Bf16]) {
    assert!((1..=COLUMNS).contains(&rows) && columns <= SEGMENT, "at most a tile");
    assert!(from.len() >= (rows - 1) * pitch + columns, "from is too short");
    assert_eq!(to.len(), TILE, "a tile");
    match isa.bf16_unit() {
        Bf16Unit::Widened => turn_portable(isa, from, pitch, rows, columns, to),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the `Isa` proves the features; the lengths are checked above.
        _ => unsafe { simd::turn(from, pitch, rows, columns, to) },
        #[cfg(not(target_arch = "x86_64"))]
        _ => turn_portable(isa, from, pitch, rows, columns, to),
    }
}

/// Pixels turned into planes: `to[c * plane_pitch + pixel]` = `from[pixel * pixel_pitch + c]` rounded, and zeros for the
/// pixels up to whole 32s.
///
/// # Panics
/// When a slice is too short.
pub fn transpose(
    isa: Isa,
    from: &[f32],
    pixel_pitch: usize,
    pixels: usize,
    channels: usize,
    to: &mut [Bf16],
    plane_pitch: usize,
) {
    if pixels == 0 || channels == 0 {
        return;
    }
    let padded = pixels.next_multiple_of(32);
    assert!(from.len() >= (pixels - 1) * pixel_pitch + channels, "from is too short");
    assert!(to.len() >= (channels - 1) * plane_pitch + padded, "to is too short");
    match isa.bf16_unit() {
        Bf16Unit::Widened => {
            transpose_portable(isa, from, pixel_pitch, pixels, channels, to, plane_pitch);
        }
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the `Isa` proves the features; the lengths are checked above.
        _ => unsafe { simd::transpose(from, pixel_pitch, pixels, channels, to, plane_pitch) },
        #[cfg(not(target_arch = "x86_64"))]
        _ => transpose_portable(isa, from, pixel_pitch, pixels, channels, to, plane_pitch),
    }
}

per_isa! {
    /// The truth of [`convert`].
    pub fn convert_portable<T>(from: &[T], channels: usize, to: &mut [Bf16], to_channels: usize) {
        for (from, to) in from.chunks_exact(channels).zip(to.chunks_exact_mut(to_channels)) {
            let (to, rest) = to.split_at_mut(channels);
            to.iter_mut().zip(from).for_each(|(to, from)| *to = Bf16::from_element(*from));
            rest.fill(Bf16::ZERO);
        }
    }
}

per_isa! {
    /// The truth of [`interleave`].
    pub fn interleave_portable<T>(first: &[T], second: &[T], to: &mut [Bf16]) {
        to.fill(Bf16::ZERO);
        for (pair, first) in to.chunks_exact_mut(2).zip(first) {
            pair[0] = Bf16::from_element(*first);
        }
        for (pair, second) in to.chunks_exact_mut(2).zip(second) {
            pair[1] = Bf16::from_element(*second);
        }
    }
}

per_isa! {
    /// The truth of [`interleave_rows`].
    pub fn interleave_rows_portable<T>(from: &[T], columns: usize, to: &mut [Bf16]) {
        let pairs = to.chunks_exact_mut(2 * columns.next_multiple_of(COLUMNS));
        for (rows, to) in from.chunks(2 * columns).zip(pairs) {
            to.fill(Bf16::ZERO);
            for (side, row) in rows.chunks_exact(columns).enumerate() {
                for (pair, from) in to.chunks_exact_mut(2).zip(row) {
                    pair[side] = Bf16::from_element(*from);
                }
            }
        }
    }
}

per_isa! {
    /// The truth of [`turn`].
    pub fn turn_portable<T>(from: &[T], pitch: usize, rows: usize, columns: usize, to: &mut [Bf16]) {
        to.fill(Bf16::ZERO);
        for row in 0..rows {
            for (k, from) in from[row * pitch..][..columns].iter().enumerate() {
                to[k / 2 * 2 * COLUMNS + 2 * row + k % 2] = Bf16::from_element(*from);
            }
        }
    }
}

per_isa! {
    /// The truth of [`transpose`].
    pub fn transpose_portable<T>(
        from: &[T], pixel_pitch: usize, pixels: usize, channels: usize, to: &mut [Bf16], plane_pitch: usize,
    ) {
        for c in 0..channels {
            let plane = &mut to[c * plane_pitch..][..pixels.next_multiple_of(32)];
            let (plane, rest) = plane.split_at_mut(pixels);
            for (to, from) in plane.iter_mut().zip(from[c..].chunks(pixel_pitch.max(1))) {
                *to = Bf16::from_element(from[0]);
            }
            rest.fill(Bf16::ZERO);
        }
    }
}
