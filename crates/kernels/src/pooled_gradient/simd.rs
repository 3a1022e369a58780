//! The SIMD bodies of [`super::PooledWindows`]: one algorithm over [`Vector`], one instance per instruction set.
#![cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]

#[cfg(target_arch = "x86_64")]
use super::SMALL;
use super::layout::{Form, Layout, frame_rows};
use super::offsets::{Offsets, write_offsets};
use super::{Operands, PooledWindows};
use crate::isa::{Isa, IsaName};
use crate::vector::Vector;
#[cfg(target_arch = "aarch64")]
use core::arch::aarch64::float32x4_t;
#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::{__m256, __m512};

/// An image on an instruction set with vectors.
pub(super) fn run(isa: Isa, windows: &PooledWindows, operands: Operands<'_, f32>) {
    match isa.name() {
        // SAFETY: the `Isa` proves the features, `add` has checked the operands' lengths.
        #[cfg(target_arch = "x86_64")]
        IsaName::Avx2 => unsafe { avx2(windows, operands) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        IsaName::Avx512 => unsafe { avx512(windows, operands) },
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        IsaName::Neon => unsafe { neon(windows, operands) },
        _ => unreachable!("{isa} has no vectors on this processor"),
    }
}

/// # Safety
/// The processor has the features and the operands are checked.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2(windows: &PooledWindows, operands: Operands<'_, f32>) {
    // SAFETY: the caller's.
    unsafe { body::<__m256, __m256>(windows, operands) }
}

/// # Safety
/// As [`avx2`].
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn avx512(windows: &PooledWindows, operands: Operands<'_, f32>) {
    // SAFETY: the caller's; the features include those of the small vector.
    unsafe {
        if windows.run <= SMALL {
            body::<__m256, __m512>(windows, operands);
        } else {
            body::<__m512, __m512>(windows, operands);
        }
    }
}

/// # Safety
/// The processor has the feature and the operands are checked.
#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "neon")]
unsafe fn neon(windows: &PooledWindows, operands: Operands<'_, f32>) {
    // SAFETY: the caller's.
    unsafe { body::<float32x4_t, float32x4_t>(windows, operands) }
}

/// The most rows of a tile.
const ROWS: usize = 5;
/// The most vectors of a row of a tile.
const VECTORS: usize = 2;
/// Channels of a tile of one vector a row: with fewer sums each would wait for the one before.
const CHANNELS: usize = 2;

/// # Safety
/// Called from a function with the features of both vectors; the operands are checked.
#[inline(always)]
unsafe fn body<V: Vector, W: Offsets>(windows: &PooledWindows, operands: Operands<'_, f32>) {
    let layout = Layout::new(windows, V::LANES);
    let Operands { frame, grad, marks, sums, scratch } = operands;
    let (offsets, rest) = scratch.split_at_mut(layout.offsets_len(windows));
    let (starts, copies) = rest.split_at_mut(layout.starts_len(windows));
    // SAFETY: the caller's; there are as many starts and offsets as the layout says.
    unsafe { write_offsets::<W>(windows, &layout, marks, starts, offsets) };
    let frame = match layout.form {
        Form::InPlace => frame,
        Form::Twice => {
            copy_twice(windows, &layout, frame, copies);
            copies
        }
        Form::Runs => {
            // SAFETY: the caller's; copies are as long as the layout says.
            unsafe { copy_runs::<V>(windows, &layout, frame, copies) };
            copies
        }
    };
    let tiles = Tiles { windows, layout, frame, grad, offsets, sums: sums.as_mut_ptr() };
    let vectors = layout.padded / V::LANES;
    for row in (0..windows.rows).step_by(ROWS) {
        for vector in (0..vectors).step_by(VECTORS) {
            let first = [row, vector * V::LANES];
            // SAFETY: the caller's; rows and vectors from the first ones on exist.
            unsafe {
                match (ROWS.min(windows.rows - row), VECTORS.min(vectors - vector)) {
                    (5, 2) => tiles.channels::<V, 5, 2, 1>(first),
                    (4, 2) => tiles.channels::<V, 4, 2, 1>(first),
                    (3, 2) => tiles.channels::<V, 3, 2, 1>(first),
                    (2, 2) => tiles.channels::<V, 2, 2, CHANNELS>(first),
                    (1, 2) => tiles.channels::<V, 1, 2, CHANNELS>(first),
                    (5, _) => tiles.channels::<V, 5, 1, CHANNELS>(first),
                    (4, _) => tiles.channels::<V, 4, 1, CHANNELS>(first),
                    (3, _) => tiles.channels::<V, 3, 1, CHANNELS>(first),
                    (2, _) => tiles.channels::<V, 2, 1, CHANNELS>(first),
                    _ => tiles.channels::<V, 1, 1, CHANNELS>(first),
                }
            }
        }
    }
}

/// Copies each row twice, with zeros behind.
fn copy_twice(windows: &PooledWindows, layout: &Layout, frame: &[f32], copies: &mut [f32]) {
    let row = windows.row_pitch;
    let second = layout.row_pitch / 2;
    let rows = frame.chunks_exact(row).zip(copies.chunks_exact_mut(layout.row_pitch));
    for (from, to) in rows.take(frame_rows(windows)) {
        for to in to.chunks_exact_mut(second) {
            to[..row].copy_from_slice(from);
            to[row..].fill(0.0);
        }
    }
}

/// Copies the run of each row's each window, with zeros behind.
///
/// # Safety
/// Called from a function with V's features; copies are as long as the layout says.
#[inline(always)]
unsafe fn copy_runs<V: Vector>(
    windows: &PooledWindows,
    layout: &Layout,
    frame: &[f32],
    copies: &mut [f32],
) {
    let (runs, whole) = (2 * windows.output[1], windows.run / V::LANES);
    // SAFETY: the caller's; the last run of a row ends within the row, and masked lanes are not touched.
    unsafe {
        let mask = V::mask(windows.run % V::LANES);
        for row in 0..frame_rows(windows) {
            let mut from = frame.as_ptr().add(row * windows.row_pitch);
            let mut to = copies.as_mut_ptr().add(row * layout.row_pitch);
            for _ in 0..runs {
                for vector in 0..whole {
                    V::load(from.add(vector * V::LANES)).store(to.add(vector * V::LANES));
                }
                if whole * V::LANES < layout.padded {
                    let last = V::load_masked(from.add(whole * V::LANES), mask);
                    last.store(to.add(whole * V::LANES));
                }
                from = from.wrapping_add(windows.steps[1]);
                to = to.wrapping_add(layout.padded);
            }
        }
    }
}

struct Tiles<'a> {
    windows: &'a PooledWindows,
    layout: Layout,
    frame: &'a [f32],
    grad: &'a [f32],
    offsets: &'a [f32],
    sums: *mut f32,
}

impl Tiles<'_> {
    /// Adds to R rows of N vectors of all channels' sums, C channels at a time.
    ///
    /// # Safety
    /// Called from a function with V's features; the operands are checked, and the rows and vectors from `first` on exist.
    #[inline(always)]
    unsafe fn channels<V: Vector, const R: usize, const N: usize, const C: usize>(
        &self,
        first: [usize; 2],
    ) {
        let outputs = self.windows.outputs;
        let whole = outputs / C * C;
        // SAFETY: the caller's; the channels exist.
        unsafe {
            for channel in (0..whole).step_by(C) {
                self.add::<V, R, N, C>(channel, first);
            }
            for channel in whole..outputs {
                self.add::<V, R, N, 1>(channel, first);
            }
        }
    }

    /// Adds to R rows of N vectors of the sums of C channels.
    ///
    /// # Safety
    /// As [`channels`](Self::channels); the channels from `channel` on exist.
    #[inline(always)]
    unsafe fn add<V: Vector, const R: usize, const N: usize, const C: usize>(
        &self,
        channel: usize,
        first: [usize; 2],
    ) {
        let PooledWindows { outputs, rows, .. } = *self.windows;
        let ([of_pixel, of_channel], Layout { row_pitch, padded, .. }) =
            (self.windows.mark_pitches(), self.layout);
        // SAFETY: `write_offsets` wrote offsets of windows that lie inside the frame or its copies, which go on for what a
        // padded run reads beyond the last; all other places were checked by `PooledWindows::add`.
        unsafe {
            let mut totals = [[[V::zero(); N]; R]; C];
            let frame = self.frame.as_ptr().add(first[0] * row_pitch + first[1]);
            let mut grad = self.grad.as_ptr().add(channel);
            let mut offset = self.offsets.as_ptr().add(channel * of_channel);
            for _ in 0..self.windows.pixels() {
                for (c, totals) in totals.iter_mut().enumerate() {
                    let from = frame.add((*offset.add(c * of_channel)).to_bits() as usize);
                    let g = V::splat(*grad.add(c));
                    for (r, totals) in totals.iter_mut().enumerate() {
                        for (v, total) in totals.iter_mut().enumerate() {
                            let x = V::load(from.add(r * row_pitch + v * V::LANES));
                            *total = total.add_product(g, x);
                        }
                    }
                }
                grad = grad.wrapping_add(outputs);
                offset = offset.wrapping_add(of_pixel);
            }
            for (c, totals) in totals.iter().enumerate() {
                let to = self.sums.add(((channel + c) * rows + first[0]) * padded + first[1]);
                for (r, totals) in totals.iter().enumerate() {
                    for (v, total) in totals.iter().enumerate() {
                        let to = to.add(r * padded + v * V::LANES);
                        V::load(to).add(*total).store(to);
                    }
                }
            }
        }
    }
}
