//! The SIMD bodies of both passes: one algorithm over [`Vector`], one instance per instruction set.
#![cfg(target_arch = "x86_64")]

use super::lines::{Four, Line, Scheme, Two};
use super::{Convolution, Convolve, Correlate, Side, Tile};
use crate::isa::{Isa, IsaName};
use crate::product::simd::{
    Strip, StripTransposed, cuts, most_rows, product_tile, transposed_tile, with_sizes,
};
use crate::product::{Finish, Grid, Left, Panels};
use crate::vector::Vector;
use core::arch::x86_64::{__m256, __m512};
use core::ops::Range;

/// [`super::convolve`] on an instruction set with vectors.
pub(super) fn convolve(
    isa: Isa,
    pass: &Convolve<'_, f32>,
    scratch: &mut [f32],
    output: &mut [f32],
) {
    let (scratch, output) = (scratch.as_mut_ptr(), output.as_mut_ptr());
    match isa.name() {
        IsaName::Scalar => unreachable!("the scalar body is plain Rust"),
        // SAFETY: the `Isa` proves the features, `convolve` has checked the operands' lengths.
        IsaName::Avx2 => unsafe { convolve_avx2(pass, scratch, output) },
        // SAFETY: as above.
        IsaName::Avx512 => unsafe { convolve_avx512(pass, scratch, output) },
    }
}

/// The products of [`super::add_weight_gradient`] on an instruction set with vectors.
pub(super) fn correlate(
    isa: Isa,
    pass: &Correlate<'_, f32>,
    scratch: &mut [f32],
    points: &mut [f32],
) {
    let (scratch, points) = (scratch.as_mut_ptr(), points.as_mut_ptr());
    match isa.name() {
        IsaName::Scalar => unreachable!("the scalar body is plain Rust"),
        // SAFETY: the `Isa` proves the features, `add_weight_gradient` has checked the operands' lengths.
        IsaName::Avx2 => unsafe { correlate_avx2(pass, scratch, points) },
        // SAFETY: as above.
        IsaName::Avx512 => unsafe { correlate_avx512(pass, scratch, points) },
    }
}

/// A vector with the products of a block's points.
trait Body: Vector {
    /// pixels[p] = windows[p] times weights[p] for each point p.
    ///
    /// # Safety
    /// [`Vector`]'s; the block's pointers are valid for its sizes, `weights` for every point's panels.
    unsafe fn products(block: &Points, panels: &Panels, weights: *const f32);

    /// gradients[p] += windows[p] transposed, times pixels[p].
    ///
    /// # Safety
    /// [`Vector`]'s; the block's pointers are valid for its sizes, `gradients` for every point's matrix of rows as long
    /// as those of the pixels.
    unsafe fn transposed_products(block: &Points, panels: &Panels, gradients: *mut f32);
}

/// Both sides' points of a block.
struct Points {
    points: usize,
    tiles: usize,
    windows: Operand,
    pixels: Operand,
}

/// One side's points of a block: `[points, tiles, channels]` with gaps.
#[derive(Clone, Copy)]
struct Operand {
    start: *mut f32,
    point_pitch: usize,
    tile_pitch: usize,
}

impl Points {
    /// The points of a block in scratch memory.
    fn new(convolution: &Convolution, tiles: usize, scratch: *mut f32) -> Self {
        let sides = [convolution.windows(), convolution.pixels()];
        let starts = [scratch, scratch.wrapping_add(convolution.points_len(tiles)[0])];
        let operand = |index: usize| Operand {
            start: starts[index],
            point_pitch: Convolution::point_pitch(tiles, &sides[index]),
            tile_pitch: sides[index].pitch,
        };
        let points = convolution.tile.points();
        Self { points, tiles, windows: operand(0), pixels: operand(1) }
    }
}

macro_rules! bodies {
    ($vector:ty, $features:literal, $convolve:ident, $correlate:ident, $products:ident, $transposed:ident, $($sizes:tt)*) => {
        /// # Safety
        /// The processor has the features and the operands are checked.
        #[target_feature(enable = $features)]
        unsafe fn $convolve(pass: &Convolve<'_, f32>, scratch: *mut f32, output: *mut f32) {
            // SAFETY: the caller's.
            unsafe {
                match pass.convolution.tile {
                    Tile::Two => convolve_blocks::<$vector, Two, 2, 4>(pass, scratch, output),
                    Tile::Four => convolve_blocks::<$vector, Four, 4, 6>(pass, scratch, output),
                }
            }
        }

        /// # Safety
        /// The processor has the features and the operands are checked.
        #[target_feature(enable = $features)]
        unsafe fn $correlate(pass: &Correlate<'_, f32>, scratch: *mut f32, points: *mut f32) {
            // SAFETY: the caller's.
            unsafe {
                match pass.convolution.tile {
                    Tile::Two => correlate_blocks::<$vector, Two, 2, 4>(pass, scratch, points),
                    Tile::Four => correlate_blocks::<$vector, Four, 4, 6>(pass, scratch, points),
                }
            }
        }

        /// # Safety
        /// As [`Body::products`].
        #[target_feature(enable = $features)]
        unsafe fn $products(block: &Points, panels: &Panels, weights: *const f32) {
            let Points { points, tiles, windows, pixels } = *block;
            let rows = Grid::line(tiles, windows.tile_pitch);
            let geometry = &Left { rows, runs: Grid::line(1, 0), run: panels.k };
            let mut panel = weights;
            for point in 0..points {
                for (start, width) in panels.panels() {
                    let strip = Strip {
                        geometry,
                        panel,
                        bias: core::ptr::null(),
                        finish: Finish::Store,
                        out_pitch: pixels.tile_pitch,
                        columns: width,
                    };
                    let vectors = width / <$vector>::LANES;
                    for (first, count) in cuts(tiles, most_rows(<$vector>::LANES, vectors)) {
                        let from = windows.start.wrapping_add(point * windows.point_pitch + first * windows.tile_pitch);
                        let to = pixels.start.wrapping_add(point * pixels.point_pitch + first * pixels.tile_pitch + start);
                        // SAFETY: rows and panel lie inside the operands.
                        with_sizes!(count, vectors, product_tile::<$vector>, (&strip, from, to), $($sizes)*);
                    }
                    panel = panel.wrapping_add(panels.k * width);
                }
            }
        }

        /// # Safety
        /// As [`Body::transposed_products`].
        #[target_feature(enable = $features)]
        unsafe fn $transposed(block: &Points, panels: &Panels, gradients: *mut f32) {
            let Points { points, tiles, windows, pixels } = *block;
            for point in 0..points {
                let out = gradients.wrapping_add(point * panels.k * pixels.tile_pitch);
                for (start, width) in panels.panels() {
                    let strip = StripTransposed {
                        rows: Grid::line(tiles, windows.tile_pitch),
                        right_rows: Grid::line(tiles, pixels.tile_pitch),
                        right: pixels.start.wrapping_add(point * pixels.point_pitch + start),
                        out_pitch: pixels.tile_pitch,
                        columns: width,
                    };
                    let vectors = width / <$vector>::LANES;
                    for (first, count) in cuts(panels.k, most_rows(<$vector>::LANES, vectors)) {
                        let from = windows.start.wrapping_add(point * windows.point_pitch + first);
                        let to = out.wrapping_add(first * pixels.tile_pitch + start);
                        // SAFETY: rows and columns lie inside the operands.
                        with_sizes!(count, vectors, transposed_tile::<$vector>, (&strip, from, to), $($sizes)*);
                    }
                }
            }
        }

        impl Body for $vector {
            #[inline(always)]
            unsafe fn products(block: &Points, panels: &Panels, weights: *const f32) {
                // SAFETY: the caller's.
                unsafe { $products(block, panels, weights) }
            }
            #[inline(always)]
            unsafe fn transposed_products(block: &Points, panels: &Panels, gradients: *mut f32) {
                // SAFETY: the caller's.
                unsafe { $transposed(block, panels, gradients) }
            }
        }
    };
}

bodies!(
    __m256,
    "avx2,fma",
    convolve_avx2,
    correlate_avx2,
    products_avx2,
    transposed_avx2,
    [1: 1 2 3 4 5 6]
    [2: 1 2 3 4 5 6]
);
bodies!(
    __m512,
    "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl",
    convolve_avx512,
    correlate_avx512,
    products_avx512,
    transposed_avx512,
    [1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14]
    [2: 1 2 3 4 5 6 7 8 9 10 11 12 13 14]
    [3: 1 2 3 4 5 6 7 8 9]
);

/// [`super::convolve`], block by block.
///
/// # Safety
/// Called from a function with V's features; the operands are checked.
#[inline(always)]
unsafe fn convolve_blocks<V: Body, S: Scheme<OUT, IN>, const OUT: usize, const IN: usize>(
    pass: &Convolve<'_, f32>,
    scratch: *mut f32,
    output: *mut f32,
) {
    let Convolve { convolution, images, input, weights, bias, finish } = *pass;
    let bias = bias.map_or(core::ptr::null(), <[f32]>::as_ptr);
    for block in convolution.blocks(images) {
        let points = Points::new(convolution, block.len(), scratch);
        // SAFETY: the points lie inside the scratch memory, whose length is checked for the largest block, and the
        // images have the sizes of the convolution.
        unsafe {
            let (windows, input) = (convolution.windows(), input.as_ptr());
            to_points::<V, S::Window, IN, IN>(
                convolution,
                &windows,
                block.clone(),
                input,
                points.windows,
            );
            V::products(&points, &convolution.panels, weights.as_ptr());
            from_points::<V, S::Pixels, IN, OUT>(
                convolution,
                block,
                points.pixels,
                bias,
                finish,
                output,
            );
        }
    }
}

/// The products of [`super::add_weight_gradient`], block by block.
///
/// # Safety
/// Called from a function with V's features; the operands are checked.
#[inline(always)]
unsafe fn correlate_blocks<V: Body, S: Scheme<OUT, IN>, const OUT: usize, const IN: usize>(
    pass: &Correlate<'_, f32>,
    scratch: *mut f32,
    gradients: *mut f32,
) {
    let Correlate { convolution, images, input, grad_output } = *pass;
    let (windows, pixels) = (convolution.windows(), convolution.pixels());
    for block in convolution.blocks(images) {
        let points = Points::new(convolution, block.len(), scratch);
        // SAFETY: as in `convolve_blocks`.
        unsafe {
            to_points::<V, S::Window, IN, IN>(
                convolution,
                &windows,
                block.clone(),
                input.as_ptr(),
                points.windows,
            );
            to_points::<V, S::Gradient, OUT, IN>(
                convolution,
                &pixels,
                block,
                grad_output.as_ptr(),
                points.pixels,
            );
            V::transposed_products(&points, &convolution.panels, gradients);
        }
    }
}

/// out(p, q) = the (p, q) of L x Lt, with x(i, j) from `load`.
///
/// # Safety
/// [`Vector`]'s, and `load`'s and `store`'s for every place.
#[inline(always)]
unsafe fn sandwich<V: Vector, L: Line<N, P>, const N: usize, const P: usize>(
    load: impl Fn(usize, usize) -> V,
    mut store: impl FnMut(usize, usize, V),
) {
    // SAFETY: the caller's.
    let zero = unsafe { V::zero() };
    let mut half = [[zero; N]; P];
    for column in 0..N {
        let mut numbers = [zero; N];
        for (row, number) in numbers.iter_mut().enumerate() {
            *number = load(row, column);
        }
        // SAFETY: the caller's.
        let line = unsafe { L::apply(numbers) };
        for (half, number) in half.iter_mut().zip(line) {
            half[column] = number;
        }
    }
    for (row, half) in half.into_iter().enumerate() {
        // SAFETY: the caller's.
        let line = unsafe { L::apply(half) };
        for (column, number) in line.into_iter().enumerate() {
            store(row, column, number);
        }
    }
}

/// Transforms what a block's tiles have on one side: N x N pixels to P x P points.
///
/// # Safety
/// Called from a function with V's features; `images` has the side's sizes, `points` room for the block.
#[inline(always)]
unsafe fn to_points<V: Vector, L: Line<N, P>, const N: usize, const P: usize>(
    convolution: &Convolution,
    side: &Side,
    block: Range<usize>,
    images: *const f32,
    points: Operand,
) {
    let Operand { start, point_pitch, tile_pitch } = points;
    let pixel = side.channels;
    let row = side.width * pixel;
    for (tile, place) in convolution.places(block).enumerate() {
        let inside = side.inside(&place, N);
        let is_whole = inside == [0..N, 0..N];
        let from = images.wrapping_add(side.offset(&place));
        let to = start.wrapping_add(tile * tile_pitch);
        for channel in (0..side.channels).step_by(V::LANES) {
            let lanes = V::LANES.min(side.channels - channel);
            let (from, to) = (from.wrapping_add(channel), to.wrapping_add(channel));
            // SAFETY: a whole window of whole vectors is read where it lies; of another, the pixels that exist and
            // under a mask the channels that exist. The points have whole vectors.
            unsafe {
                let store = |y: usize, x: usize, v: V| v.store(to.add((y * P + x) * point_pitch));
                if is_whole && lanes == V::LANES {
                    let load = |y: usize, x: usize| V::load(from.add(y * row + x * pixel));
                    sandwich::<V, L, N, P>(load, store);
                } else {
                    let mask = V::mask(lanes);
                    let mut window = [[V::zero(); N]; N];
                    for y in inside[0].clone() {
                        for x in inside[1].clone() {
                            let from = from.wrapping_add(y * row + x * pixel);
                            window[y][x] = V::load_masked(from, mask);
                        }
                    }
                    sandwich::<V, L, N, P>(|y, x| window[y][x], store);
                }
            }
        }
    }
}

/// Transforms a block's sums back, N x N points to P x P pixels, adds the bias where it is not null, and writes the
/// pixels that exist.
///
/// # Safety
/// Called from a function with V's features; `points` holds the block, `bias` whole vectors, `images` has the output's
/// sizes.
#[inline(always)]
unsafe fn from_points<V: Vector, L: Line<N, P>, const N: usize, const P: usize>(
    convolution: &Convolution,
    block: Range<usize>,
    points: Operand,
    bias: *const f32,
    finish: Finish,
    images: *mut f32,
) {
    let Operand { start, point_pitch, tile_pitch } = points;
    let side = convolution.pixels();
    let pixel = side.channels;
    let row = side.width * pixel;
    // The ReLU as a maximum that may do nothing: one instruction, no branch.
    let least = if finish == Finish::StoreRelu { 0.0 } else { f32::NEG_INFINITY };
    for (tile, place) in convolution.places(block).enumerate() {
        let inside = side.inside(&place, P);
        let is_whole = inside == [0..P, 0..P];
        let from = start.wrapping_add(tile * tile_pitch);
        let to = images.wrapping_add(side.offset(&place));
        for channel in (0..side.channels).step_by(V::LANES) {
            let lanes = V::LANES.min(side.channels - channel);
            let (from, to) = (from.wrapping_add(channel), to.wrapping_add(channel));
            // SAFETY: the points have whole vectors; whole tiles of whole vectors are written where they lie, of others
            // the pixels that exist and under a mask the channels that exist.
            unsafe {
                let bias = if bias.is_null() { V::zero() } else { V::load(bias.add(channel)) };
                let least = V::splat(least);
                let load = |y: usize, x: usize| {
                    let sum = V::load(from.add((y * N + x) * point_pitch));
                    // The second point adds to every pixel once.
                    if (y, x) == (1, 1) { sum.add(bias) } else { sum }
                };
                if is_whole && lanes == V::LANES {
                    let store = |y: usize, x: usize, v: V| {
                        least.max(v).store(to.add(y * row + x * pixel));
                    };
                    sandwich::<V, L, N, P>(load, store);
                } else {
                    let mask = V::mask(lanes);
                    let mut tile = [[V::zero(); P]; P];
                    sandwich::<V, L, N, P>(load, |y, x, v| tile[y][x] = least.max(v));
                    for y in inside[0].clone() {
                        for x in inside[1].clone() {
                            tile[y][x].store_masked(to.wrapping_add(y * row + x * pixel), mask);
                        }
                    }
                }
            }
        }
    }
}
