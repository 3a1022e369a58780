//! The SIMD bodies of the matrix products of a block's points.
#![cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]

use super::{GROUP, LINE};
use crate::product::Panels;
use crate::product::simd::{cuts, most_rows, with_sizes};
use crate::vector::Vector;
#[cfg(target_arch = "aarch64")]
use core::arch::aarch64::float32x4_t;
#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::{__m256, __m512};

/// One side's points of a block: `[tiles, lines of channels, points, LINE]`, with a gap behind each tile.
#[derive(Clone, Copy)]
pub(super) struct Operand {
    pub start: *mut f32,
    /// Numbers from one tile to the next.
    pub tile_pitch: usize,
}

impl Operand {
    /// The first of a vector of channels of one of `points` points of a tile.
    fn at(&self, tile: usize, points: usize, point: usize, channel: usize) -> *mut f32 {
        let line = (channel / LINE * points + point) * LINE;
        self.start.wrapping_add(tile * self.tile_pitch + line + channel % LINE)
    }
}

/// A vector with the products of all points.
pub(super) trait Body: Vector {
    /// pixels[tile, point, o] = sum over channels c of windows[tile, point, c] * weights[point, c, o].
    ///
    /// # Safety
    /// [`Vector`]'s; the operands are valid for `tiles` tiles of the panels' rows and columns, `weights` for every point's
    /// panels.
    unsafe fn products(
        points: usize,
        tiles: usize,
        panels: &Panels,
        windows: Operand,
        weights: *const f32,
        pixels: Operand,
    );

    /// gradients[point, c, o] += sum over tiles of windows[tile, point, c] * pixels[tile, point, o].
    ///
    /// # Safety
    /// [`Vector`]'s; the operands are valid for `tiles` tiles of the panels' rows and columns, `gradients` for every
    /// point's matrix of whole groups of rows and whole vectors of columns.
    unsafe fn transposed_products(
        points: usize,
        tiles: usize,
        panels: &Panels,
        windows: Operand,
        pixels: Operand,
        gradients: *mut f32,
    );
}

macro_rules! bodies {
    ($vector:ty, $features:literal, $group:literal, $products:ident, $transposed:ident, $($sizes:tt)*) => {
        /// # Safety
        /// As [`Body::products`].
        #[target_feature(enable = $features)]
        unsafe fn $products(
            points: usize,
            tiles: usize,
            panels: &Panels,
            windows: Operand,
            weights: *const f32,
            pixels: Operand,
        ) {
            let lanes = <$vector>::LANES;
            let shared = Shared {
                channels: panels.k,
                line_pitch: points * LINE,
                from_pitch: windows.tile_pitch,
                to_pitch: pixels.tile_pitch,
            };
            let mut panel = weights;
            for point in 0..points {
                for (start, width) in panels.panels() {
                    let vectors = width / lanes;
                    for (first, count) in cuts(tiles, most_rows(lanes, vectors)) {
                        let from = windows.at(first, points, point, 0);
                        let to = pixels.at(first, points, point, start);
                        // SAFETY: tiles and panel lie inside the operands.
                        with_sizes!(count, vectors, tile::<$vector>, (&shared, from, panel, to), $($sizes)*);
                    }
                    panel = panel.wrapping_add(panels.k * width);
                }
            }
        }

        /// # Safety
        /// As [`Body::transposed_products`].
        #[target_feature(enable = $features)]
        unsafe fn $transposed(
            points: usize,
            tiles: usize,
            panels: &Panels,
            windows: Operand,
            pixels: Operand,
            gradients: *mut f32,
        ) {
            let lanes = <$vector>::LANES;
            let columns = panels.padded_columns();
            let shared = SharedTransposed {
                tiles,
                line_pitch: points * LINE,
                left_pitch: windows.tile_pitch,
                right_pitch: pixels.tile_pitch,
                out_pitch: columns,
            };
            let rows = panels.k.next_multiple_of(GROUP);
            for point in 0..points {
                let out = gradients.wrapping_add(point * rows * columns);
                for (start, width) in panels.panels() {
                    let right = pixels.at(0, points, point, start);
                    for c in (0..panels.k).step_by($group) {
                        let left = windows.at(0, points, point, c);
                        let to = out.wrapping_add(c * columns + start);
                        // SAFETY: whole groups and vectors lie inside the operands.
                        unsafe {
                            match width / lanes {
                                1 => tile_transposed::<$vector, $group, 1>(&shared, left, right, to),
                                2 => tile_transposed::<$vector, $group, 2>(&shared, left, right, to),
                                3 => tile_transposed::<$vector, $group, 3>(&shared, left, right, to),
                                _ => tile_transposed::<$vector, $group, 4>(&shared, left, right, to),
                            }
                        }
                    }
                }
            }
        }

        impl Body for $vector {
            #[inline(always)]
            unsafe fn products(
                points: usize,
                tiles: usize,
                panels: &Panels,
                windows: Operand,
                weights: *const f32,
                pixels: Operand,
            ) {
                // SAFETY: the caller's.
                unsafe { $products(points, tiles, panels, windows, weights, pixels) }
            }
            #[inline(always)]
            unsafe fn transposed_products(
                points: usize,
                tiles: usize,
                panels: &Panels,
                windows: Operand,
                pixels: Operand,
                gradients: *mut f32,
            ) {
                // SAFETY: the caller's.
                unsafe { $transposed(points, tiles, panels, windows, pixels, gradients) }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
bodies!(__m256, "avx2,fma", 4, products_avx2, transposed_avx2, [1: 1 2 3 4 5 6] [2: 1 2 3 4 5 6]);
#[cfg(target_arch = "x86_64")]
bodies!(
    __m512,
    "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl",
    8,
    products_avx512,
    transposed_avx512,
    [1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14]
    [2: 1 2 3 4 5 6 7 8 9 10 11 12 13 14]
    [3: 1 2 3 4 5 6 7 8 9]
);
#[cfg(target_arch = "aarch64")]
bodies!(
    float32x4_t,
    "neon",
    4,
    products_neon,
    transposed_neon,
    [1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14]
    [2: 1 2 3 4 5 6 7 8]
    [3: 1 2 3 4 5 6 7 8]
    [4: 1 2 3 4 5 6]
);

/// What the products of one block share.
struct Shared {
    /// K.
    channels: usize,
    /// Numbers from one line of channels to the next of the same point and tile.
    line_pitch: usize,
    from_pitch: usize,
    to_pitch: usize,
}

/// What the transposed products of one block share.
struct SharedTransposed {
    tiles: usize,
    line_pitch: usize,
    left_pitch: usize,
    right_pitch: usize,
    out_pitch: usize,
}

/// One point of M tiles times the N vectors of one panel.
///
/// # Safety
/// Called from a function with V's features; `from` and `to` are the point's numbers of the first of M tiles.
#[inline(always)]
unsafe fn tile<V: Vector, const M: usize, const N: usize>(
    shared: &Shared,
    from: *const f32,
    panel: *const f32,
    to: *mut f32,
) {
    let Shared { channels, line_pitch, from_pitch, to_pitch } = *shared;
    // SAFETY: the offsets stay inside the operands that the caller describes.
    unsafe {
        let mut sums = [[V::zero(); N]; M];
        let mut right = panel;
        for line in 0..channels.div_ceil(LINE) {
            let mut left = from.add(line * line_pitch);
            for _ in 0..LINE.min(channels - line * LINE) {
                let mut weights = [V::zero(); N];
                for (v, weight) in weights.iter_mut().enumerate() {
                    *weight = V::load(right.add(v * V::LANES));
                }
                for (m, row) in sums.iter_mut().enumerate() {
                    let x = V::splat(*left.add(m * from_pitch));
                    for (sum, weight) in row.iter_mut().zip(weights) {
                        *sum = sum.add_product(x, weight);
                    }
                }
                left = left.add(1);
                right = right.add(N * V::LANES);
            }
        }
        for (m, row) in sums.iter().enumerate() {
            for (v, sum) in row.iter().enumerate() {
                let (line, lane) = (v * V::LANES / LINE, v * V::LANES % LINE);
                sum.store(to.add(m * to_pitch + line * line_pitch + lane));
            }
        }
    }
}

/// Adds the products of M channels on the left with N vectors of channels on the right, over all tiles.
///
/// # Safety
/// Called from a function with V's features; `left` and `right` are the point's numbers of the first tile, `to` the first
/// of M rows of the gradient.
#[inline(always)]
unsafe fn tile_transposed<V: Vector, const M: usize, const N: usize>(
    shared: &SharedTransposed,
    left: *const f32,
    right: *const f32,
    to: *mut f32,
) {
    let SharedTransposed { tiles, line_pitch, left_pitch, right_pitch, out_pitch } = *shared;
    // SAFETY: the offsets stay inside the operands that the caller describes.
    unsafe {
        let mut sums = [[V::zero(); N]; M];
        let (mut left, mut right) = (left, right);
        for _ in 0..tiles {
            let mut vectors = [V::zero(); N];
            for (v, vector) in vectors.iter_mut().enumerate() {
                let (line, lane) = (v * V::LANES / LINE, v * V::LANES % LINE);
                *vector = V::load(right.add(line * line_pitch + lane));
            }
            for (m, row) in sums.iter_mut().enumerate() {
                let x = V::splat(*left.add(m));
                for (sum, vector) in row.iter_mut().zip(vectors) {
                    *sum = sum.add_product(x, vector);
                }
            }
            left = left.wrapping_add(left_pitch);
            right = right.wrapping_add(right_pitch);
        }
        for (m, row) in sums.iter().enumerate() {
            for (v, sum) in row.iter().enumerate() {
                let to = to.add(m * out_pitch + v * V::LANES);
                V::load(to).add(*sum).store(to);
            }
        }
    }
}
