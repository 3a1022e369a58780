//! Where the windows of marked pixels begin. Whole numbers lie in memory of f32 as their bits.
#![cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]

use super::PooledWindows;
use super::layout::Layout;
use crate::vector::{Last, Vector};

/// Vectors that choose among windows.
///
/// # Safety
/// As [`Vector`].
pub(super) trait Offsets: Vector {
    /// For marks 0 to 3 the left start, the right one, and both plus `down`; for others any of the four.
    unsafe fn choose(marks: Self, left: Self, right: Self, down: u32) -> Self;
}

/// Writes the offset for each mark, in their order.
///
/// # Safety
/// Called from a function with V's features; starts and offsets are as long as the layout says, marks are those of an image.
#[inline(always)]
pub(super) unsafe fn write_offsets<V: Offsets>(
    windows: &PooledWindows,
    layout: &Layout,
    marks: &[f32],
    starts: &[f32],
    offsets: &mut [f32],
) {
    let (pixels, outputs, down) = (windows.pixels(), windows.outputs, layout.down as u32);
    let (left, right) = (starts.as_ptr(), starts[pixels..].as_ptr());
    let (marks, offsets) = (marks.as_ptr(), offsets.as_mut_ptr());
    // SAFETY: the caller's; there are `pixels` starts of either kind, and masked lanes are not touched.
    unsafe {
        if windows.channels_first {
            for channel in 0..outputs {
                let (marks, to) = (marks.add(channel * pixels), offsets.add(channel * pixels));
                line::<V>(pixels, marks, to, down, |at, last| {
                    [last.load(left.add(at)), last.load(right.add(at))]
                });
            }
        } else {
            for pixel in 0..pixels {
                let (marks, to) = (marks.add(pixel * outputs), offsets.add(pixel * outputs));
                let starts = [V::splat(*left.add(pixel)), V::splat(*right.add(pixel))];
                line::<V>(outputs, marks, to, down, |_, _| starts);
            }
        }
    }
}

/// The offsets of neighbouring marks.
///
/// # Safety
/// As [`write_offsets`].
#[inline(always)]
unsafe fn line<V: Offsets>(
    count: usize,
    marks: *const f32,
    to: *mut f32,
    down: u32,
    starts: impl Fn(usize, Last<V>) -> [V; 2],
) {
    for at in (0..count).step_by(V::LANES) {
        // SAFETY: the caller's.
        unsafe {
            let last = Last::new(V::LANES.min(count - at));
            let [left, right] = starts(at, last);
            last.store(V::choose(last.load(marks.add(at)), left, right, down), to.add(at));
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Offsets;
    use core::arch::x86_64::*;

    impl Offsets for __m512 {
        #[inline(always)]
        unsafe fn choose(marks: Self, left: Self, right: Self, down: u32) -> Self {
            // SAFETY: the trait's contract.
            unsafe {
                let equal =
                    |number| _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(marks, _mm512_set1_ps(number));
                let below = _mm512_cmp_ps_mask::<_CMP_GE_OQ>(marks, _mm512_set1_ps(2.0));
                let start = _mm512_mask_blend_ps(equal(1.0) | equal(3.0), left, right);
                let start = _mm512_castps_si512(start);
                let down = _mm512_set1_epi32(down.cast_signed());
                _mm512_castsi512_ps(_mm512_mask_add_epi32(start, below, start, down))
            }
        }
    }

    impl Offsets for __m256 {
        #[inline(always)]
        unsafe fn choose(marks: Self, left: Self, right: Self, down: u32) -> Self {
            // SAFETY: the trait's contract.
            unsafe {
                let equal = |number| _mm256_cmp_ps::<_CMP_EQ_OQ>(marks, _mm256_set1_ps(number));
                let below = _mm256_cmp_ps::<_CMP_GE_OQ>(marks, _mm256_set1_ps(2.0));
                let start = _mm256_blendv_ps(left, right, _mm256_or_ps(equal(1.0), equal(3.0)));
                let down = _mm256_set1_epi32(down.cast_signed());
                let down = _mm256_and_si256(down, _mm256_castps_si256(below));
                _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(start), down))
            }
        }
    }
}

#[cfg(target_arch = "aarch64")]
impl Offsets for core::arch::aarch64::float32x4_t {
    #[inline(always)]
    unsafe fn choose(marks: Self, left: Self, right: Self, down: u32) -> Self {
        use core::arch::aarch64::*;
        // SAFETY: the trait's contract.
        unsafe {
            let equal = |number| vceqq_f32(marks, vdupq_n_f32(number));
            let below = vcgeq_f32(marks, vdupq_n_f32(2.0));
            let start = vbslq_f32(vorrq_u32(equal(1.0), equal(3.0)), right, left);
            let down = vandq_u32(vdupq_n_u32(down), below);
            vreinterpretq_f32_u32(vaddq_u32(vreinterpretq_u32_f32(start), down))
        }
    }
}
