//! The SIMD bodies of the matrix products of a block's points.
#![cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]

use super::block::Block;
use super::lines::Line;
use super::simd::{of_kind, to_points};
use super::{Convolution, LINE, Layout, Side};
use crate::product::Panels;
use crate::product::simd::{most_rows, with_sizes};
use crate::vector::Vector;
#[cfg(target_arch = "aarch64")]
use core::arch::aarch64::float32x4_t;
#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::{__m256, __m512};
use core::marker::PhantomData;
use core::ops::Range;

/// One side's points of a block.
#[derive(Clone, Copy)]
pub(super) struct Operand {
    pub start: *mut f32,
    pub layout: Layout,
}

impl Operand {
    /// The first word of a vector of channels of one of `points` points of a tile.
    pub(super) fn at(&self, tile: usize, points: usize, point: usize, channel: usize) -> *mut f32 {
        let Layout { line, pitch, .. } = self.layout;
        let channels = (channel / LINE * points + point) * line + channel % LINE * line / LINE;
        self.start.wrapping_add(tile * pitch + channels)
    }
}

/// What the points are to the products: fp32 numbers ([`Exact`]), or pairs of bf16 numbers.
pub(super) trait Form {
    type Vector: Vector;

    /// Words of a point of a line of channels as [`store`](Self::store) writes them.
    const LINE: usize;

    /// Writes a vector of a point's channels as [`convolve`](super::convolve)'s products read it.
    ///
    /// # Safety
    /// [`Vector`]'s; `to` has room for the words.
    unsafe fn store(numbers: Self::Vector, to: *mut f32);

    /// [`store`](Self::store) for a point and the one behind it in its line.
    ///
    /// # Safety
    /// As [`store`](Self::store) for both.
    #[inline(always)]
    unsafe fn store_two(numbers: [Self::Vector; 2], to: *mut f32) {
        let [first, second] = numbers;
        // SAFETY: the caller's.
        unsafe {
            Self::store(first, to);
            Self::store(second, to.add(Self::LINE));
        }
    }

    /// sum + the products of words.
    ///
    /// # Safety
    /// [`Vector`]'s.
    unsafe fn add_products(sum: Self::Vector, x: Self::Vector, y: Self::Vector) -> Self::Vector;

    /// Transforms what a block's tiles have on one side, as the products of
    /// [`add_weight_gradient`](super::add_weight_gradient) read it: lines of N pixels to P points, of HN to 4 where tiles may be
    /// halves.
    ///
    /// # Safety
    /// As [`to_points`].
    #[inline(always)]
    unsafe fn points_to_correlate<
        W: Line<N, P>,
        H: Line<HN, 4>,
        const N: usize,
        const P: usize,
        const HN: usize,
    >(
        convolution: &Convolution,
        side: &Side,
        block: &Block,
        images: *const f32,
        points: Operand,
    ) where
        Self: Sized,
    {
        for (halves, tiles) in block.kinds() {
            // SAFETY: the caller's.
            unsafe {
                of_kind!(
                    halves,
                    [W, N, P],
                    [H, HN, 4],
                    to_points::<Self, P>(convolution, side, block, tiles, images, points)
                );
            }
        }
    }

    /// pixels[tile, point, o] = sum over channels c of windows[tile, point, c] * weights[point, c, o], for the tiles of each
    /// point.
    ///
    /// # Safety
    /// [`Vector`]'s; the operands are valid for the block's tiles of the panels' rows and columns, `weights` for every point's
    /// panels.
    unsafe fn products(
        points: usize,
        block: &Block,
        panels: &Panels,
        windows: Operand,
        weights: *const f32,
        pixels: Operand,
    );

    /// gradients[point, c, o] = the sum over tiles of windows[tile, point, c] * pixels[tile, point, o], added to what is there
    /// where asked for.
    ///
    /// # Safety
    /// [`Vector`]'s; the operands are valid for the block's tiles of the convolution's channels, `gradients` for every point's
    /// matrix of whole groups of rows and whole vectors of columns.
    unsafe fn transposed_products(
        convolution: &Convolution,
        block: &Block,
        windows: Operand,
        pixels: Operand,
        gradients: *mut f32,
        adds: bool,
    );
}

/// Points in fp32.
pub(super) struct Exact<V>(PhantomData<V>);

/// A form's products, for one instruction set.
macro_rules! products {
    (
        $form:ty, $features:literal, groups [$lone:literal $group:literal],
        $products:ident, $transposed:ident, $($sizes:tt)*
    ) => {
        /// # Safety
        /// As [`Form::products`].
        #[target_feature(enable = $features)]
        unsafe fn $products(
            points: usize,
            block: &Block,
            panels: &Panels,
            windows: Operand,
            weights: *const f32,
            pixels: Operand,
        ) {
            let lanes = <$form as Form>::Vector::LANES;
            let shared = Shared { points, panels, windows, weights, pixels };
            for (points, tiles) in block.points(points) {
                let mut column = 0;
                for (width, count) in panels.widths() {
                    if tiles.is_empty() || count == 0 {
                        continue;
                    }
                    let vectors = width / lanes;
                    let groups = Groups::new(tiles.clone(), most_rows(lanes, vectors));
                    let (len, points) = (groups.len, points.clone());
                    // SAFETY: tiles and panels lie inside the operands.
                    with_sizes!(len, vectors, products_of::<$form>, (&shared, points, column, count, &groups), $($sizes)*);
                    column += width * count;
                }
            }
        }

        /// # Safety
        /// As [`Form::transposed_products`].
        #[target_feature(enable = $features)]
        unsafe fn $transposed(
            convolution: &Convolution,
            block: &Block,
            windows: Operand,
            pixels: Operand,
            gradients: *mut f32,
            adds: bool,
        ) {
            let lanes = <$form as Form>::Vector::LANES;
            let (panels, points) = (&convolution.panels, convolution.tile.points());
            let (columns, channels) = (panels.padded_columns(), convolution.in_channels());
            let together = windows.layout.together;
            for point in 0..points {
                // Whole pairs: what a tile beyond has at such a point is a product with zero.
                let tiles = block.of_point(point);
                let turns = tiles.start / together..tiles.end.div_ceil(together);
                let shared =
                    SharedTransposed::new(points, turns.len(), columns, &windows, &pixels, adds);
                let out = gradients.wrapping_add(point * convolution.point_gradient_len());
                for (start, width) in panels.panels() {
                    let right = pixels.at(turns.start, points, point, start);
                    let vectors = width / lanes;
                    for c in (0..channels).step_by(if vectors == 1 { $lone } else { $group }) {
                        let left = windows.at(turns.start, points, point, c);
                        let to = out.wrapping_add(c * columns + start);
                        // SAFETY: whole groups and vectors lie inside the operands.
                        unsafe {
                            match vectors {
                                1 => tile_transposed::<$form, $lone, 1>(&shared, left, right, to),
                                2 => tile_transposed::<$form, $group, 2>(&shared, left, right, to),
                                3 => tile_transposed::<$form, $group, 3>(&shared, left, right, to),
                                _ => tile_transposed::<$form, $group, 4>(&shared, left, right, to),
                            }
                        }
                    }
                }
            }
        }
    };
}
#[cfg(target_arch = "x86_64")]
pub(super) use products;

macro_rules! exact {
    ($vector:ty, $features:literal, $groups:tt, $products:ident, $transposed:ident, $($sizes:tt)*) => {
        products!(
            Exact<$vector>, $features, groups $groups, $products, $transposed, $($sizes)*
        );

        impl Form for Exact<$vector> {
            type Vector = $vector;

            const LINE: usize = LINE;

            #[inline(always)]
            unsafe fn store(numbers: $vector, to: *mut f32) {
                // SAFETY: the caller's.
                unsafe { numbers.store(to) }
            }
            #[inline(always)]
            unsafe fn add_products(sum: $vector, x: $vector, y: $vector) -> $vector {
                // SAFETY: the caller's.
                unsafe { sum.add_product(x, y) }
            }
            #[inline(always)]
            unsafe fn products(
                points: usize,
                block: &Block,
                panels: &Panels,
                windows: Operand,
                weights: *const f32,
                pixels: Operand,
            ) {
                // SAFETY: the caller's.
                unsafe { $products(points, block, panels, windows, weights, pixels) }
            }
            #[inline(always)]
            unsafe fn transposed_products(
                convolution: &Convolution,
                block: &Block,
                windows: Operand,
                pixels: Operand,
                gradients: *mut f32,
                adds: bool,
            ) {
                // SAFETY: the caller's.
                unsafe { $transposed(convolution, block, windows, pixels, gradients, adds) }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
exact!(__m256, "avx2,fma", [8 4], products_avx2, transposed_avx2, [1: 1 2 3 4 5 6] [2: 1 2 3 4 5 6]);
#[cfg(target_arch = "x86_64")]
exact!(
    __m512,
    "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl",
    [16 8],
    products_avx512,
    transposed_avx512,
    [1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14]
    [2: 1 2 3 4 5 6 7 8 9 10 11 12 13 14]
    [3: 1 2 3 4 5 6 7 8 9]
);
#[cfg(target_arch = "aarch64")]
exact!(
    float32x4_t,
    "neon",
    [8 4],
    products_neon,
    transposed_neon,
    [1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14]
    [2: 1 2 3 4 5 6 7 8]
    [3: 1 2 3 4 5 6 7 8]
    [4: 1 2 3 4 5 6]
);

/// How far it is from one word to others of the same point.
struct Pitches {
    /// To the next tile.
    tile: usize,
    /// To the next line of channels.
    line: usize,
}

impl Pitches {
    fn new(operand: &Operand, points: usize) -> Self {
        Self { tile: operand.layout.pitch, line: points * operand.layout.line }
    }
}

/// What the products of one block share.
pub(super) struct Shared<'a> {
    /// Of a whole tile.
    pub points: usize,
    pub panels: &'a Panels,
    pub windows: Operand,
    pub weights: *const f32,
    pub pixels: Operand,
}

/// Tiles that are multiplied in groups of one length: the last group may have some of those before it once more, whose sums are
/// the same again.
pub(super) struct Groups {
    tiles: Range<usize>,
    pub len: usize,
}

impl Groups {
    /// The fewest groups of at most `most`, as short as that many can be.
    pub(super) fn new(tiles: Range<usize>, most: usize) -> Self {
        let groups = tiles.len().div_ceil(most);
        Self { len: tiles.len().div_ceil(groups.max(1)), tiles }
    }

    /// The first tile of each.
    fn firsts(&self) -> impl Iterator<Item = usize> + use<> {
        let last = self.tiles.end - self.len;
        self.tiles.clone().step_by(self.len).map(move |first| first.min(last))
    }
}

/// What the transposed products of one block share.
pub(super) struct SharedTransposed {
    /// Tiles, or pairs of them.
    turns: usize,
    left: Pitches,
    right: Pitches,
    out_pitch: usize,
    /// Whether the sums are added to what is there.
    adds: bool,
}

impl SharedTransposed {
    pub(super) fn new(
        points: usize,
        turns: usize,
        out_pitch: usize,
        windows: &Operand,
        pixels: &Operand,
        adds: bool,
    ) -> Self {
        Self {
            adds,
            turns,
            left: Pitches::new(windows, points),
            right: Pitches::new(pixels, points),
            out_pitch,
        }
    }
}

/// Some points of groups of M tiles times so many panels of N vectors, from a column on.
///
/// # Safety
/// Called from a function with F's features; points, tiles and panels lie inside the operands.
#[inline(always)]
pub(super) unsafe fn products_of<F: Form, const M: usize, const N: usize>(
    shared: &Shared<'_>,
    points: Range<usize>,
    column: usize,
    panels: usize,
    groups: &Groups,
) {
    let Shared { points: of_tile, panels: Panels { k, .. }, windows, weights, pixels } = shared;
    let (from_pitches, to_pitches) =
        (Pitches::new(windows, *of_tile), Pitches::new(pixels, *of_tile));
    let width = N * F::Vector::LANES;
    for point in points {
        let mut panel = weights.wrapping_add(point * shared.panels.len() + k * column);
        for index in 0..panels {
            let columns = column + index * width;
            for first in groups.firsts() {
                let from = windows.at(first, *of_tile, point, 0);
                let to = pixels.at(first, *of_tile, point, columns);
                // SAFETY: the caller's.
                unsafe { tile::<F, M, N>(*k, from, &from_pitches, panel, to, &to_pitches) };
            }
            panel = panel.wrapping_add(k * width);
        }
    }
}

/// One point of M tiles times the N vectors of one panel of so many words.
///
/// # Safety
/// Called from a function with F's features; `from` and `to` are the point's numbers of the first of M tiles.
#[inline(always)]
unsafe fn tile<F: Form, const M: usize, const N: usize>(
    words: usize,
    from: *const f32,
    from_pitches: &Pitches,
    panel: *const f32,
    to: *mut f32,
    to_pitches: &Pitches,
) {
    let lanes = F::Vector::LANES;
    // SAFETY: the offsets stay inside the operands that the caller describes.
    unsafe {
        let mut sums = [[F::Vector::zero(); N]; M];
        let (mut line, mut right) = (from, panel);
        for first in (0..words).step_by(F::LINE) {
            for word in 0..F::LINE.min(words - first) {
                let left = line.add(word);
                let mut weights = [F::Vector::zero(); N];
                for (v, weight) in weights.iter_mut().enumerate() {
                    *weight = F::Vector::load(right.add(v * lanes));
                }
                for (m, row) in sums.iter_mut().enumerate() {
                    let x = F::Vector::splat(*left.add(m * from_pitches.tile));
                    for (sum, weight) in row.iter_mut().zip(weights) {
                        *sum = F::add_products(*sum, x, weight);
                    }
                }
                right = right.add(N * lanes);
            }
            line = line.wrapping_add(from_pitches.line);
        }
        for (m, row) in sums.iter().enumerate() {
            for (v, sum) in row.iter().enumerate() {
                let (line, lane) = (v * lanes / LINE, v * lanes % LINE);
                sum.store(to.add(m * to_pitches.tile + line * to_pitches.line + lane));
            }
        }
    }
}

/// Writes or adds the products of M channels on the left with N vectors of channels on the right, over all tiles.
///
/// # Safety
/// Called from a function with F's features; `left` and `right` are the point's numbers of the first tile, `to` the first
/// of M rows of the gradient.
#[inline(always)]
pub(super) unsafe fn tile_transposed<F: Form, const M: usize, const N: usize>(
    shared: &SharedTransposed,
    left: *const f32,
    right: *const f32,
    to: *mut f32,
) {
    let SharedTransposed { turns, left: left_pitches, right: right_pitches, .. } = shared;
    let lanes = F::Vector::LANES;
    // SAFETY: the offsets stay inside the operands that the caller describes.
    unsafe {
        let mut sums = [[F::Vector::zero(); N]; M];
        let (mut left, mut right) = (left, right);
        for _ in 0..*turns {
            let mut vectors = [F::Vector::zero(); N];
            for (v, vector) in vectors.iter_mut().enumerate() {
                let (line, lane) = (v * lanes / LINE, v * lanes % LINE);
                *vector = F::Vector::load(right.add(line * right_pitches.line + lane));
            }
            for (m, row) in sums.iter_mut().enumerate() {
                let x = F::Vector::splat(*left.add(m));
                for (sum, vector) in row.iter_mut().zip(vectors) {
                    *sum = F::add_products(*sum, x, vector);
                }
            }
            left = left.wrapping_add(left_pitches.tile);
            right = right.wrapping_add(right_pitches.tile);
        }
        for (m, row) in sums.iter().enumerate() {
            for (v, sum) in row.iter().enumerate() {
                let to = to.add(m * shared.out_pitch + v * lanes);
                let before = if shared.adds { F::Vector::load(to) } else { F::Vector::zero() };
                before.add(*sum).store(to);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Groups;
    use std::collections::BTreeSet;

    #[test]
    fn groups_have_every_tile_and_no_other() {
        for most in [1, 6, 9, 14] {
            for tiles in (0..5).flat_map(|start| (1..60).map(move |len| start..start + len)) {
                let groups = Groups::new(tiles.clone(), most);
                assert!((1..=most).contains(&groups.len));
                assert!(groups.firsts().count() <= tiles.len().div_ceil(most));
                let all = groups.firsts().flat_map(|first| first..first + groups.len);
                assert_eq!(all.collect::<BTreeSet<_>>(), tiles.collect());
            }
        }
    }
}
