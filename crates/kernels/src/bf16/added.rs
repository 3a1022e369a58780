//! Products of bf16 numbers whose rows are added to fp32 rows, for windows that overlap; and the gradients of marked pixels that
//! they multiply.

use super::{Bf16, COLUMNS};
use crate::body::per_isa;
use crate::isa::{Bf16Unit, Isa};
use crate::product::Grid;

/// The operands of [`multiply_add`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddedRows {
    /// Where the rows of the left operand begin.
    pub rows: Grid,
    /// Where those of the output begin: the same grid with other pitches.
    pub out_rows: Grid,
    /// Pairs of numbers that are summed over.
    pub pairs: usize,
    /// Columns of the output.
    pub columns: usize,
    /// Numbers of the right operand from 16 columns to the next.
    pub column_pitch: usize,
}

impl AddedRows {
    fn check(&self, left: usize, right: usize, out: usize) {
        let grid = |grid: &Grid| (grid.outer, grid.inner);
        assert_eq!(grid(&self.rows), grid(&self.out_rows), "the same rows on both sides");
        let reaches = |len: usize, span: Option<usize>| span.is_some_and(|span| len >= span);
        assert!(reaches(left, self.rows.span(2 * self.pairs)), "left is too short");
        assert!(reaches(out, self.out_rows.span(self.columns)), "out is too short");
        let last = (self.columns.div_ceil(COLUMNS) - 1).checked_mul(self.column_pitch);
        let last = last.and_then(|last| last.checked_add(2 * self.pairs * COLUMNS));
        assert!(reaches(right, last), "right is too short");
    }
}

/// `out[m, n]` += sum over k of `left[m, k]` * `right[k, n]`. Rows of the output that share numbers must not be in one call.
///
/// # Shapes
/// left rows of `2 * pairs` numbers, right `[columns / 16, pairs, 16, 2]`, as [`pack`](super::arrange::pack) writes it.
///
/// # Panics
/// When a slice is too short or the grids of rows differ.
pub fn multiply_add(isa: Isa, added: &AddedRows, left: &[Bf16], right: &[Bf16], out: &mut [f32]) {
    if added.rows.is_empty() || added.columns == 0 {
        return;
    }
    added.check(left.len(), right.len(), out.len());
    match isa.bf16_unit() {
        Bf16Unit::Widened => widened(isa, added, left, right, out),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the `Isa` proves the features; the lengths are checked above.
        Bf16Unit::Dot | Bf16Unit::Tiles => unsafe {
            super::dot::multiply_add(added, left, right, out);
        },
        #[cfg(not(target_arch = "x86_64"))]
        _ => widened(isa, added, left, right, out),
    }
}

per_isa! {
    /// The truth of [`multiply_add`].
    fn widened(added: &AddedRows, left: &[Bf16], right: &[Bf16], out: &mut [f32]) {
        let AddedRows { rows, out_rows, pairs, columns, column_pitch } = *added;
        for row in 0..rows.outer * rows.inner {
            let (y, x) = (row / rows.inner, row % rows.inner);
            let left = &left[y * rows.outer_pitch + x * rows.inner_pitch..][..2 * pairs];
            let out = &mut out[y * out_rows.outer_pitch + x * out_rows.inner_pitch..][..columns];
            for (out, right) in out.chunks_mut(COLUMNS).zip(right.chunks(column_pitch.max(1))) {
                let mut sums = [0.0_f32; COLUMNS];
                for (pair, weights) in left.chunks_exact(2).zip(right.chunks_exact(2 * COLUMNS)) {
                    for (sum, weight) in sums.iter_mut().zip(weights.chunks_exact(2)) {
                        *sum += pair[0].to_f32() * weight[0].to_f32()
                            + pair[1].to_f32() * weight[1].to_f32();
                    }
                }
                out.iter_mut().zip(sums).for_each(|(out, sum)| *out += sum);
            }
        }
    }
}

/// Where [`spread`] writes the pixels behind a pooled image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    /// Height and width of the pooled image.
    pub output: [usize; 2],
    /// Channels of the pooled image.
    pub channels: usize,
    /// Numbers of a pixel: as many, or one more, a zero, where that makes them even.
    pub padded: usize,
    /// Numbers from a pixel to the one below, and to the one on its right.
    pub pitches: [usize; 2],
}

/// Of each 2x2 pixels the marked one (0 to 3) is the pooled gradient, rounded, and the others are zeros: as
/// [`halve_spread`](crate::pool::halve_spread) spreads it.
///
/// # Shapes
/// marks and grad `[output, channels]`, to by `pitches`.
///
/// # Panics
/// When the lengths do not fit.
pub fn spread(isa: Isa, to_pixels: &Spread, marks: &[f32], grad: &[f32], to: &mut [Bf16]) {
    let Spread { output: [height, width], channels, padded, pitches: [down, across] } = *to_pixels;
    assert_eq!(padded, channels.next_multiple_of(2), "channels are padded to an even number");
    assert_eq!([marks.len(), grad.len()], [height * width * channels; 2], "a pooled image");
    if marks.is_empty() {
        return;
    }
    let last = (2 * height - 1) * down + (2 * width - 1) * across + padded;
    assert!(to.len() >= last, "to is too short");
    match isa.bf16_unit() {
        Bf16Unit::Widened => spread_portable(isa, to_pixels, marks, grad, to),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the `Isa` proves the features; the lengths are checked above.
        Bf16Unit::Dot | Bf16Unit::Tiles => unsafe {
            super::arrange::simd::spread(to_pixels, marks, grad, to);
        },
        #[cfg(not(target_arch = "x86_64"))]
        _ => spread_portable(isa, to_pixels, marks, grad, to),
    }
}

per_isa! {
    /// The truth of [`spread`].
    fn spread_portable(to_pixels: &Spread, marks: &[f32], grad: &[f32], to: &mut [Bf16]) {
        let Spread { output: [_, width], channels, padded, pitches: [down, across] } = *to_pixels;
        let pixels = marks.chunks_exact(channels).zip(grad.chunks_exact(channels));
        for (pixel, (marks, grad)) in pixels.enumerate() {
            let first = 2 * (pixel / width * down + pixel % width * across);
            for (place, of_place) in [0, across, down, down + across].into_iter().enumerate() {
                let to = &mut to[first + of_place..][..padded];
                to[channels..].fill(Bf16::ZERO);
                for ((to, mark), grad) in to.iter_mut().zip(marks).zip(grad) {
                    let is_marked = *mark == place as f32;
                    *to = if is_marked { Bf16::from_f32(*grad) } else { Bf16::ZERO };
                }
            }
        }
    }
}
