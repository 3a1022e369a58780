//! The SIMD bodies of [`super::PooledWindows`]: one algorithm over [`Vector`], one instance per instruction set.
#![cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]

#[cfg(target_arch = "x86_64")]
use super::SMALL;
use super::{Operands, PooledWindows};
use crate::isa::{Isa, IsaName};
use crate::vector::Vector;
#[cfg(target_arch = "aarch64")]
use core::arch::aarch64::float32x4_t;
#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::{__m256, __m512, _mm_cvttss_si32, _mm_set_ss};

/// All images on an instruction set with vectors.
pub(super) fn run(isa: Isa, windows: &PooledWindows, images: usize, operands: Operands<'_, f32>) {
    match isa.name() {
        // SAFETY: the `Isa` proves the features, `add` has checked the operands' lengths.
        #[cfg(target_arch = "x86_64")]
        IsaName::Avx2 => unsafe { avx2(windows, images, operands) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        IsaName::Avx512 => unsafe { avx512(windows, images, operands) },
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        IsaName::Neon => unsafe { neon(windows, images, operands) },
        _ => unreachable!("{isa} has no vectors on this processor"),
    }
}

/// # Safety
/// The processor has the features and the operands are checked.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2(windows: &PooledWindows, images: usize, operands: Operands<'_, f32>) {
    // SAFETY: the caller's.
    unsafe { body::<__m256>(windows, images, operands) }
}

/// # Safety
/// As [`avx2`].
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn avx512(windows: &PooledWindows, images: usize, operands: Operands<'_, f32>) {
    // SAFETY: the caller's; the features include those of the small vector.
    unsafe {
        if windows.run <= SMALL {
            body::<__m256>(windows, images, operands);
        } else {
            body::<__m512>(windows, images, operands);
        }
    }
}

/// # Safety
/// The processor has the feature and the operands are checked.
#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "neon")]
unsafe fn neon(windows: &PooledWindows, images: usize, operands: Operands<'_, f32>) {
    // SAFETY: the caller's.
    unsafe { body::<float32x4_t>(windows, images, operands) }
}

/// Which of four a mark names, in one instruction; any of them where it is not 0, 1, 2 or 3.
#[inline(always)]
fn place(mark: f32) -> usize {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: SSE belongs to every x86-64 processor.
    let place = unsafe { _mm_cvttss_si32(_mm_set_ss(mark)) };
    #[cfg(not(target_arch = "x86_64"))]
    let place = mark as i32;
    place as usize & 3
}

/// The most rows of a tile.
const ROWS: usize = 5;
/// The most vectors of a row of a tile.
const VECTORS: usize = 2;

/// # Safety
/// Called from a function with V's features; the operands are checked.
#[inline(always)]
unsafe fn body<V: Vector>(windows: &PooledWindows, images: usize, operands: Operands<'_, f32>) {
    let vectors = windows.run.div_ceil(V::LANES);
    let Operands { frames, grad, marks, sums } = operands;
    let (pitch, sums) = (vectors * V::LANES, sums.as_mut_ptr());
    let tiles = Tiles { windows, images, frames, grad, marks, sums, pitch };
    for channel in 0..windows.outputs {
        for row in (0..windows.rows).step_by(ROWS) {
            for vector in (0..vectors).step_by(VECTORS) {
                let first = [row, vector * V::LANES];
                // SAFETY: the caller's; rows and vectors from the first ones on exist.
                unsafe {
                    match (ROWS.min(windows.rows - row), VECTORS.min(vectors - vector)) {
                        (5, 2) => tiles.add::<V, 5, 2>(channel, first),
                        (4, 2) => tiles.add::<V, 4, 2>(channel, first),
                        (3, 2) => tiles.add::<V, 3, 2>(channel, first),
                        (2, 2) => tiles.add::<V, 2, 2>(channel, first),
                        (1, 2) => tiles.add::<V, 1, 2>(channel, first),
                        (5, _) => tiles.add::<V, 5, 1>(channel, first),
                        (4, _) => tiles.add::<V, 4, 1>(channel, first),
                        (3, _) => tiles.add::<V, 3, 1>(channel, first),
                        (2, _) => tiles.add::<V, 2, 1>(channel, first),
                        _ => tiles.add::<V, 1, 1>(channel, first),
                    }
                }
            }
        }
    }
}

struct Tiles<'a> {
    windows: &'a PooledWindows,
    images: usize,
    frames: &'a [f32],
    grad: &'a [f32],
    marks: &'a [f32],
    sums: *mut f32,
    /// Numbers of a padded run.
    pitch: usize,
}

impl Tiles<'_> {
    /// Adds to R rows of N vectors of a channel's sums.
    ///
    /// # Safety
    /// Called from a function with V's features; the operands are checked, and the rows and vectors from `first` on exist.
    #[inline(always)]
    unsafe fn add<V: Vector, const R: usize, const N: usize>(
        &self,
        channel: usize,
        first: [usize; 2],
    ) {
        let PooledWindows { output, outputs, rows, row_pitch, frame_len, steps, .. } =
            *self.windows;
        let ([of_image, of_pixel, of_channel], four) =
            (self.windows.mark_pitches, self.windows.four());
        // SAFETY: windows lie inside the frames, whose last one is followed by what a padded run reads beyond it; the
        // marks are masked to 0..4; all other places were checked by `add`.
        unsafe {
            let mut totals = [[V::zero(); N]; R];
            let mut grad = self.grad.as_ptr().add(channel);
            for image in 0..self.images {
                let frame =
                    self.frames.as_ptr().add(image * frame_len + first[0] * row_pitch + first[1]);
                let mut mark = self.marks.as_ptr().add(image * of_image + channel * of_channel);
                for y in 0..output[0] {
                    let mut window = frame.add(2 * y * steps[0]);
                    for _ in 0..output[1] {
                        let from = window.add(four[place(*mark)]);
                        let g = V::splat(*grad);
                        for (r, totals) in totals.iter_mut().enumerate() {
                            for (v, total) in totals.iter_mut().enumerate() {
                                let x = V::load(from.add(r * row_pitch + v * V::LANES));
                                *total = total.add_product(g, x);
                            }
                        }
                        window = window.wrapping_add(2 * steps[1]);
                        grad = grad.wrapping_add(outputs);
                        mark = mark.wrapping_add(of_pixel);
                    }
                }
            }
            let to = self.sums.add((channel * rows + first[0]) * self.pitch + first[1]);
            for (r, totals) in totals.iter().enumerate() {
                for (v, total) in totals.iter().enumerate() {
                    let to = to.add(r * self.pitch + v * V::LANES);
                    V::load(to).add(*total).store(to);
                }
            }
        }
    }
}
