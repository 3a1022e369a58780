//! Points as bf16 numbers that AVX512-BF16 multiplies in pairs: neighbouring channels of a tile for [`super::convolve`], the
//! same channel of two tiles for [`super::add_weight_gradient`], which sums over tiles.

use super::lines::Line;
use super::products::{Form, Operand, Shared, SharedTransposed, products, tile, tile_transposed};
use super::simd::Seen;
use super::{Convolution, Side};
use crate::bf16::arrange::simd::{interleaving, pairs};
use crate::product::Panels;
use crate::product::simd::{cuts, most_rows, with_sizes};
use crate::vector::Vector;
use core::arch::x86_64::*;
use core::mem::transmute;
use core::ops::Range;

/// Pairs of bf16 numbers. Their rounding flushes numbers below 2^-126 to zero, as the products do.
pub(super) struct Pairs;

impl Form for Pairs {
    type Vector = __m512;

    #[inline(always)]
    unsafe fn store(numbers: __m512, to: *mut f32) {
        // SAFETY: the caller's; 16 numbers are 8 words.
        unsafe {
            let rounded: __m256i = transmute(_mm512_cvtneps_pbh(numbers));
            _mm256_storeu_si256(to.cast(), rounded);
        }
    }

    #[inline(always)]
    unsafe fn add_products(sum: __m512, x: __m512, y: __m512) -> __m512 {
        // SAFETY: the caller's; all are 64 bytes of plain numbers.
        unsafe {
            _mm512_dpbf16_ps(
                sum,
                transmute::<__m512, __m512bh>(x),
                transmute::<__m512, __m512bh>(y),
            )
        }
    }

    #[inline(always)]
    unsafe fn points_to_correlate<L: Line<N, P>, const N: usize, const P: usize>(
        convolution: &Convolution,
        side: &Side,
        block: Range<usize>,
        images: *const f32,
        points: Operand,
    ) {
        // SAFETY: the caller's.
        let order = unsafe { interleaving() };
        let (mut places, mut pair) = (convolution.places(block), 0);
        // The first tile's points of one vector of channels.
        // SAFETY: the caller's.
        let mut kept = [unsafe { __m512::zero() }; 36];
        while let Some(first) = places.next() {
            let second = places.next();
            let first = Seen::new::<__m512, N>(side, &first, images);
            let second = second.map(|second| Seen::new::<__m512, N>(side, &second, images));
            for seen in [Some(&first), second.as_ref()].into_iter().flatten() {
                seen.fetch_below(N, convolution.tile.side());
            }
            for channel in (0..side.channels).step_by(__m512::LANES) {
                let kept = kept.as_mut_ptr();
                let to = points.at(pair, P * P, 0, channel);
                // SAFETY: there are 36 points at most, and room for whole vectors of pairs; the images are the caller's.
                unsafe {
                    let keep = |point: usize, v: __m512| *kept.add(point) = v;
                    first.transform::<__m512, L, N, P>(channel, keep);
                    let store = |point: usize, v: __m512| {
                        let words: __m512 = transmute(pairs(*kept.add(point), v, order));
                        words.store(to.add(point * points.layout.line));
                    };
                    match &second {
                        Some(second) => second.transform::<__m512, L, N, P>(channel, store),
                        None => (0..P * P).for_each(|point| store(point, __m512::zero())),
                    }
                }
            }
            pair += 1;
        }
    }

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
        unsafe { products_pairs(points, tiles, panels, windows, weights, pixels) }
    }

    #[inline(always)]
    unsafe fn transposed_products(
        convolution: &Convolution,
        tiles: usize,
        windows: Operand,
        pixels: Operand,
        gradients: *mut f32,
        adds: bool,
    ) {
        // SAFETY: the caller's.
        unsafe { transposed_pairs(convolution, tiles, windows, pixels, gradients, adds) }
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
