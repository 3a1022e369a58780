//! The SIMD bodies of [`super::PixelConv`]: one algorithm over [`Vector`], one instance per instruction set.
#![cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]

use super::{LANES, Operands, PixelConv};
use crate::isa::{Isa, IsaName};
use crate::vector::Vector;
#[cfg(target_arch = "aarch64")]
use core::arch::aarch64::float32x4_t;
#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::{__m256, __m512};

/// One image on an instruction set with vectors.
pub(super) fn run(isa: Isa, conv: &PixelConv, operands: Operands<'_, f32>) {
    match isa.name() {
        // SAFETY: the `Isa` proves the features, `forward` has checked the operands' lengths.
        #[cfg(target_arch = "x86_64")]
        IsaName::Avx2 => unsafe { avx2(conv, operands) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        IsaName::Avx512 => unsafe { avx512(conv, operands) },
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        IsaName::Neon => unsafe { neon(conv, operands) },
        _ => unreachable!("{isa} has no vectors on this processor"),
    }
}

/// # Safety
/// The processor has the features and the operands are checked.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2(conv: &PixelConv, operands: Operands<'_, f32>) {
    // Two channels: eight sums, four vectors of pixels and a weight fill the sixteen registers.
    // SAFETY: the caller's.
    unsafe { body::<__m256, 2>(conv, operands) }
}

/// # Safety
/// As [`avx2`].
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn avx512(conv: &PixelConv, operands: Operands<'_, f32>) {
    // SAFETY: the caller's.
    unsafe { body::<__m512, 6>(conv, operands) }
}

/// # Safety
/// The processor has the feature and the operands are checked.
#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "neon")]
unsafe fn neon(conv: &PixelConv, operands: Operands<'_, f32>) {
    // SAFETY: the caller's.
    unsafe { body::<float32x4_t, 6>(conv, operands) }
}

/// Vectors of pooled pixels, up to `MOST` channels of each at a time.
///
/// # Safety
/// Called from a function with V's features; the operands are checked.
#[inline(always)]
unsafe fn body<V: Vector, const MOST: usize>(conv: &PixelConv, mut operands: Operands<'_, f32>) {
    let [height, width] = conv.output();
    for row in 0..height {
        for first in (0..width).step_by(V::LANES) {
            let place = Place { row, first, count: V::LANES.min(width - first) };
            let mut channel = 0;
            while channel < conv.outputs {
                let rest = conv.outputs - channel;
                // SAFETY: the caller's; `channel` and those behind it that a tile takes exist.
                channel += unsafe {
                    match rest.min(MOST) {
                        6 => tile::<V, 6>(conv, &mut operands, place, channel),
                        4 | 5 => tile::<V, 4>(conv, &mut operands, place, channel),
                        3 => tile::<V, 3>(conv, &mut operands, place, channel),
                        2 => tile::<V, 2>(conv, &mut operands, place, channel),
                        _ => tile::<V, 1>(conv, &mut operands, place, channel),
                    }
                };
            }
        }
    }
}

/// Where a tile's pooled pixels lie.
#[derive(Clone, Copy)]
struct Place {
    row: usize,
    first: usize,
    count: usize,
}

/// One vector of pooled pixels, CH channels; returns CH.
///
/// # Safety
/// As [`body`]; CH channels follow `channel`.
#[inline(always)]
unsafe fn tile<V: Vector, const CH: usize>(
    conv: &PixelConv,
    operands: &mut Operands<'_, f32>,
    place: Place,
    channel: usize,
) -> usize {
    let mut sums = [[[0.0_f32; LANES]; 4]; CH];
    // SAFETY: as the caller says.
    unsafe { add_windows::<V, CH>(conv, operands, place, channel, &mut sums) };
    let [height, width] = conv.output();
    let start = place.row * width + place.first;
    let mut greatest = [[0.0_f32; LANES]; CH];
    for (ch, (sums, greatest)) in sums.iter().zip(&mut greatest).enumerate() {
        let marks;
        (*greatest, marks) = pooled(sums);
        if let Some(all) = &mut operands.marks {
            let at = (channel + ch) * height * width + start;
            all[at..][..place.count].copy_from_slice(&marks[..place.count]);
        }
    }
    let pixels = operands.y[start * conv.outputs..].chunks_exact_mut(conv.outputs);
    for (lane, pixel) in pixels.take(place.count).enumerate() {
        let pixel = &mut pixel[channel..channel + CH];
        for (value, greatest) in pixel.iter_mut().zip(&greatest) {
            *value = greatest[lane];
        }
    }
    CH
}

/// The greatest of 0 and of four numbers, lane by lane, and which of the four is the first greatest; NaN wins.
#[allow(clippy::neg_cmp_op_on_partial_ord, reason = "a NaN is not at most another number")]
#[inline(always)]
fn pooled(four: &[[f32; LANES]; 4]) -> ([f32; LANES], [f32; LANES]) {
    let (mut greatest, mut marks) = (four[0], [0.0; LANES]);
    for (place, values) in [1.0, 2.0, 3.0].into_iter().zip(&four[1..]) {
        for lane in 0..LANES {
            let (value, before) = (values[lane], greatest[lane]);
            let better = !(value <= before) & !before.is_nan();
            greatest[lane] = if better { value } else { before };
            marks[lane] = if better { place } else { marks[lane] };
        }
    }
    for value in &mut greatest {
        *value = if *value < 0.0 { 0.0 } else { *value };
    }
    (greatest, marks)
}

/// The four sums of a tile's pooled pixels, for CH channels.
///
/// # Safety
/// As [`tile`].
#[inline(always)]
unsafe fn add_windows<V: Vector, const CH: usize>(
    conv: &PixelConv,
    operands: &Operands<'_, f32>,
    place: Place,
    channel: usize,
    out: &mut [[[f32; LANES]; 4]; CH],
) {
    let half = conv.half();
    // SAFETY: rows 2 row + ky + 1 < frame height; a vector that begins at `first + (kx + 1) / 2` of a half ends within
    // `half` numbers, which cover whole vectors of pooled pixels and the window's reach; weights and bias are checked.
    unsafe {
        let mut sums = [[V::zero(); 4]; CH];
        for (ch, sums) in sums.iter_mut().enumerate() {
            *sums = [V::splat(*operands.bias.get_unchecked(channel + ch)); 4];
        }
        let mut weight = operands.weight.as_ptr().add(channel);
        for ky in 0..conv.kernel[0] {
            for kx in 0..conv.kernel[1] {
                let left = kx % 2 * half + kx / 2;
                let right = (kx + 1) % 2 * half + kx.div_ceil(2);
                for c in 0..conv.channels {
                    let at = conv.row(c, 2 * place.row + ky) + place.first;
                    let upper = operands.split.as_ptr().add(at);
                    let lower = upper.add(2 * half);
                    let pixels = [
                        V::load(upper.add(left)),
                        V::load(upper.add(right)),
                        V::load(lower.add(left)),
                        V::load(lower.add(right)),
                    ];
                    for (ch, sums) in sums.iter_mut().enumerate() {
                        let w = V::splat(*weight.add(ch));
                        for (sum, pixels) in sums.iter_mut().zip(pixels) {
                            *sum = sum.add_product(w, pixels);
                        }
                    }
                    weight = weight.wrapping_add(conv.outputs);
                }
            }
        }
        for (out, sums) in out.iter_mut().zip(sums) {
            for (out, sum) in out.iter_mut().zip(sums) {
                sum.store(out.as_mut_ptr());
            }
        }
    }
}
