//! Points as bf16 numbers that AVX512-BF16 multiplies in pairs: neighbouring channels of a tile for [`super::convolve`], the
//! same channel of two tiles for [`super::add_weight_gradient`], which sums over tiles.

use super::block::Block;
use super::lines::Line;
use super::products::{
    Form, Groups, Operand, Shared, SharedTransposed, products, products_of, tile_transposed,
};
use super::simd::{Seen, of_kind};
use super::{Convolution, LINE, Place, Side};
use crate::bf16::arrange::simd::{interleaving, pairs};
use crate::product::Panels;
use crate::product::simd::{most_rows, with_sizes};
use crate::vector::Vector;
use core::arch::x86_64::*;
use core::mem::transmute;

/// Pairs of bf16 numbers. Their rounding flushes numbers below 2^-126 to zero, as the products do.
pub(super) struct Pairs;

impl Form for Pairs {
    type Vector = __m512;

    const LINE: usize = LINE / 2;

    #[inline(always)]
    unsafe fn store(numbers: __m512, to: *mut f32) {
        // SAFETY: the caller's; 16 numbers are 8 words.
        unsafe {
            let rounded: __m256i = transmute(_mm512_cvtneps_pbh(numbers));
            _mm256_storeu_si256(to.cast(), rounded);
        }
    }

    #[inline(always)]
    unsafe fn store_two([first, second]: [__m512; 2], to: *mut f32) {
        // SAFETY: the caller's; two times 16 numbers are 16 words.
        unsafe {
            let rounded: __m512 = transmute(_mm512_cvtne2ps_pbh(second, first));
            rounded.store(to);
        }
    }

    #[inline(always)]
    unsafe fn add_products(sum: __m512, x: __m512, y: __m512) -> __m512 {
        // SAFETY: the caller's; all are 64 bytes of plain numbers.
        unsafe {
            _mm512_dpbf16_ps(
                sum,
                transmute::<__m512, __m512bh>(y),
                transmute::<__m512, __m512bh>(x),
            )
        }
    }

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
    ) {
        // SAFETY: the caller's.
        let order = unsafe { interleaving() };
        let ahead = convolution.tile.side();
        for (pair, places) in block.places().chunks(2).enumerate() {
            let halves = block.halves_of_pair(pair);
            // SAFETY: the caller's.
            unsafe {
                of_kind!(
                    halves,
                    [W, N, P],
                    [H, HN, 4],
                    pair_to_points::<Self, P>(side, places, pair, ahead, order, images, points)
                );
            }
        }
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
        unsafe { products_pairs(points, block, panels, windows, weights, pixels) }
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
        unsafe { transposed_pairs(convolution, block, windows, pixels, gradients, adds) }
    }
}

/// Transforms what one or two tiles have on one side to pairs of points.
///
/// # Safety
/// As [`Form::points_to_correlate`].
#[inline(always)]
unsafe fn pair_to_points<
    F: Form<Vector = __m512>,
    R: Line<NR, PR>,
    C: Line<NC, PC>,
    const NR: usize,
    const PR: usize,
    const NC: usize,
    const PC: usize,
    const T: usize,
>(
    side: &Side,
    places: &[Place],
    pair: usize,
    ahead: usize,
    order: __m512i,
    images: *const f32,
    points: Operand,
) {
    // The first tile's points of one vector of channels.
    // SAFETY: the caller's.
    let mut kept = [unsafe { __m512::zero() }; 36];
    let seen = |place: &Place| Seen::new::<F::Vector>(side, place, [NR, NC], images);
    let (first, second) = (seen(&places[0]), places.get(1).map(seen));
    for seen in [Some(&first), second.as_ref()].into_iter().flatten() {
        seen.fetch_below(NR, ahead);
    }
    for channel in (0..side.channels).step_by(F::Vector::LANES) {
        let kept = kept.as_mut_ptr();
        let to = points.at(pair, T * T, 0, channel);
        // SAFETY: there are 36 points at most, and room for whole vectors of pairs; the images are the caller's.
        unsafe {
            let point = |y: usize, x: usize| R::place(y) * T + C::place(x);
            let keep = |y: usize, x: usize, v: __m512| *kept.add(point(y, x)) = v;
            first.transform::<F::Vector, R, C, NR, PR, NC, PC>(channel, keep);
            let store = |point: usize, v: __m512| {
                let words: __m512 = transmute(pairs(*kept.add(point), v, order));
                words.store(to.add(point * LINE));
            };
            match &second {
                Some(second) => {
                    let store = |y: usize, x: usize, v: __m512| store(point(y, x), v);
                    second.transform::<F::Vector, R, C, NR, PR, NC, PC>(channel, store);
                }
                None => (0..T * T).for_each(|point| store(point, __m512::zero())),
            }
        }
    }
}

products!(
    Pairs,
    "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16",
    groups [16 8],
    products_pairs,
    transposed_pairs,
    [1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14]
    [2: 1 2 3 4 5 6 7 8 9 10 11 12 13 14]
    [3: 1 2 3 4 5 6 7 8 9]
);
