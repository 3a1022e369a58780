//! A vector register as the kernels see it.

/// A register of f32 numbers.
///
/// # Safety
/// Every function may be called only where the processor has the instruction set of the type, from a function that
/// enables it (the functions are inlined into it); pointers are valid for the lanes that are read or written.
pub(crate) trait Vector: Copy {
    /// Numbers in the register.
    const LANES: usize;
    /// Which lanes a partial load or store touches.
    type Mask: Copy;
    /// Whether a load or a store under a mask takes longer than a whole one.
    const MASKS_COST: bool;
    /// The mask of the first `lanes` lanes.
    unsafe fn mask(lanes: usize) -> Self::Mask;
    unsafe fn zero() -> Self;
    unsafe fn splat(value: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    /// Lanes outside the mask are zero and their memory is not touched.
    unsafe fn load_masked(from: *const f32, mask: Self::Mask) -> Self;
    unsafe fn store(self, to: *mut f32);
    unsafe fn store_masked(self, to: *mut f32, mask: Self::Mask);
    /// self + a * b, rounded once.
    unsafe fn add_product(self, a: Self, b: Self) -> Self;
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    /// The greater of both; `other` where one is NaN.
    unsafe fn max(self, other: Self) -> Self;
    /// Lanes outside the mask become zero.
    unsafe fn kept(self, mask: Self::Mask) -> Self;
}

/// The last vector of a row of numbers, of which some lanes may lie behind the row's end. A whole one is not touched under a mask
/// where that costs: on Zen 1, loads under AVX2's masks halve the speed of a product.
#[derive(Clone, Copy)]
pub(crate) struct Last<V: Vector> {
    mask: V::Mask,
    is_whole: bool,
}

impl<V: Vector> Last<V> {
    /// The last vector, of which `lanes` lie in the row.
    ///
    /// # Safety
    /// Called from a function with V's features.
    #[inline(always)]
    pub(crate) unsafe fn new(lanes: usize) -> Self {
        // SAFETY: the caller's.
        let mask = unsafe { V::mask(lanes) };
        Self { mask, is_whole: V::MASKS_COST && lanes == V::LANES }
    }

    /// As [`Vector::load_masked`].
    ///
    /// # Safety
    /// Called from a function with V's features; the lanes lie in memory.
    #[inline(always)]
    pub(crate) unsafe fn load(self, from: *const f32) -> V {
        // SAFETY: the caller's.
        unsafe { if self.is_whole { V::load(from) } else { V::load_masked(from, self.mask) } }
    }

    /// As [`Vector::store_masked`].
    ///
    /// # Safety
    /// As [`load`](Self::load).
    #[inline(always)]
    pub(crate) unsafe fn store(self, vector: V, to: *mut f32) {
        // SAFETY: the caller's.
        unsafe { if self.is_whole { vector.store(to) } else { vector.store_masked(to, self.mask) } }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Vector;
    use core::arch::x86_64::*;

    impl Vector for __m512 {
        const LANES: usize = 16;
        type Mask = __mmask16;
        const MASKS_COST: bool = false;
        #[inline(always)]
        unsafe fn mask(lanes: usize) -> __mmask16 {
            ((1_u32 << lanes) - 1) as u16
        }
        #[inline(always)]
        unsafe fn zero() -> Self {
            // SAFETY: the trait's contract.
            unsafe { _mm512_setzero_ps() }
        }
        #[inline(always)]
        unsafe fn splat(value: f32) -> Self {
            // SAFETY: the trait's contract.
            unsafe { _mm512_set1_ps(value) }
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: the trait's contract.
            unsafe { _mm512_loadu_ps(from) }
        }
        #[inline(always)]
        unsafe fn load_masked(from: *const f32, mask: __mmask16) -> Self {
            // SAFETY: the trait's contract.
            unsafe { _mm512_maskz_loadu_ps(mask, from) }
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            // SAFETY: the trait's contract.
            unsafe { _mm512_storeu_ps(to, self) }
        }
        #[inline(always)]
        unsafe fn store_masked(self, to: *mut f32, mask: __mmask16) {
            // SAFETY: the trait's contract.
            unsafe { _mm512_mask_storeu_ps(to, mask, self) }
        }
        #[inline(always)]
        unsafe fn add_product(self, a: Self, b: Self) -> Self {
            // SAFETY: the trait's contract.
            unsafe { _mm512_fmadd_ps(a, b, self) }
        }
        #[inline(always)]
        unsafe fn add(self, other: Self) -> Self {
            // SAFETY: the trait's contract.
            unsafe { _mm512_add_ps(self, other) }
        }
        #[inline(always)]
        unsafe fn sub(self, other: Self) -> Self {
            // SAFETY: the trait's contract.
            unsafe { _mm512_sub_ps(self, other) }
        }
        #[inline(always)]
        unsafe fn max(self, other: Self) -> Self {
            // SAFETY: the trait's contract.
            unsafe { _mm512_max_ps(self, other) }
        }
        #[inline(always)]
        unsafe fn kept(self, mask: __mmask16) -> Self {
            // SAFETY: the trait's contract.
            unsafe { _mm512_maskz_mov_ps(mask, self) }
        }
    }

    impl Vector for __m256 {
        const LANES: usize = 8;
        type Mask = __m256i;
        const MASKS_COST: bool = true;
        #[inline(always)]
        unsafe fn mask(lanes: usize) -> __m256i {
            // SAFETY: the trait's contract.
            unsafe {
                let index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
                _mm256_cmpgt_epi32(_mm256_set1_epi32(lanes as i32), index)
            }
        }
        #[inline(always)]
        unsafe fn zero() -> Self {
            // SAFETY: the trait's contract.
            unsafe { _mm256_setzero_ps() }
        }
        #[inline(always)]
        unsafe fn splat(value: f32) -> Self {
            // SAFETY: the trait's contract.
            unsafe { _mm256_set1_ps(value) }
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: the trait's contract.
            unsafe { _mm256_loadu_ps(from) }
        }
        #[inline(always)]
        unsafe fn load_masked(from: *const f32, mask: __m256i) -> Self {
            // SAFETY: the trait's contract.
            unsafe { _mm256_maskload_ps(from, mask) }
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            // SAFETY: the trait's contract.
            unsafe { _mm256_storeu_ps(to, self) }
        }
        #[inline(always)]
        unsafe fn store_masked(self, to: *mut f32, mask: __m256i) {
            // SAFETY: the trait's contract.
            unsafe { _mm256_maskstore_ps(to, mask, self) }
        }
        #[inline(always)]
        unsafe fn add_product(self, a: Self, b: Self) -> Self {
            // SAFETY: the trait's contract.
            unsafe { _mm256_fmadd_ps(a, b, self) }
        }
        #[inline(always)]
        unsafe fn add(self, other: Self) -> Self {
            // SAFETY: the trait's contract.
            unsafe { _mm256_add_ps(self, other) }
        }
        #[inline(always)]
        unsafe fn sub(self, other: Self) -> Self {
            // SAFETY: the trait's contract.
            unsafe { _mm256_sub_ps(self, other) }
        }
        #[inline(always)]
        unsafe fn max(self, other: Self) -> Self {
            // SAFETY: the trait's contract.
            unsafe { _mm256_max_ps(self, other) }
        }
        #[inline(always)]
        unsafe fn kept(self, mask: __m256i) -> Self {
            // SAFETY: the trait's contract.
            unsafe { _mm256_and_ps(self, _mm256_castsi256_ps(mask)) }
        }
    }
}

#[cfg(target_arch = "aarch64")]
mod arm {
    use super::Vector;
    use core::arch::aarch64::*;

    impl Vector for float32x4_t {
        const LANES: usize = 4;
        /// The number of lanes: NEON has no masks.
        type Mask = usize;
        const MASKS_COST: bool = true;
        #[inline(always)]
        unsafe fn mask(lanes: usize) -> usize {
            lanes
        }
        #[inline(always)]
        unsafe fn zero() -> Self {
            // SAFETY: the trait's contract.
            unsafe { vdupq_n_f32(0.0) }
        }
        #[inline(always)]
        unsafe fn splat(value: f32) -> Self {
            // SAFETY: the trait's contract.
            unsafe { vdupq_n_f32(value) }
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: the trait's contract.
            unsafe { vld1q_f32(from) }
        }
        #[inline(always)]
        unsafe fn load_masked(from: *const f32, lanes: usize) -> Self {
            // SAFETY: the trait's contract; each arm reads `lanes` numbers.
            unsafe {
                let zero = vdupq_n_f32(0.0);
                match lanes {
                    0 => zero,
                    1 => vld1q_lane_f32::<0>(from, zero),
                    2 => vcombine_f32(vld1_f32(from), vget_low_f32(zero)),
                    3 => {
                        let pair = vcombine_f32(vld1_f32(from), vget_low_f32(zero));
                        vld1q_lane_f32::<2>(from.add(2), pair)
                    }
                    _ => vld1q_f32(from),
                }
            }
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            // SAFETY: the trait's contract.
            unsafe { vst1q_f32(to, self) }
        }
        #[inline(always)]
        unsafe fn store_masked(self, to: *mut f32, lanes: usize) {
            // SAFETY: the trait's contract; each arm writes `lanes` numbers.
            unsafe {
                match lanes {
                    0 => {}
                    1 => vst1q_lane_f32::<0>(to, self),
                    2 => vst1_f32(to, vget_low_f32(self)),
                    3 => {
                        vst1_f32(to, vget_low_f32(self));
                        vst1q_lane_f32::<2>(to.add(2), self);
                    }
                    _ => vst1q_f32(to, self),
                }
            }
        }
        #[inline(always)]
        unsafe fn add_product(self, a: Self, b: Self) -> Self {
            // SAFETY: the trait's contract.
            unsafe { vfmaq_f32(self, a, b) }
        }
        #[inline(always)]
        unsafe fn add(self, other: Self) -> Self {
            // SAFETY: the trait's contract.
            unsafe { vaddq_f32(self, other) }
        }
        #[inline(always)]
        unsafe fn sub(self, other: Self) -> Self {
            // SAFETY: the trait's contract.
            unsafe { vsubq_f32(self, other) }
        }
        #[inline(always)]
        unsafe fn max(self, other: Self) -> Self {
            // NEON's own maximum is NaN where either is.
            // SAFETY: the trait's contract.
            unsafe { vbslq_f32(vcgtq_f32(self, other), self, other) }
        }
        #[inline(always)]
        unsafe fn kept(self, lanes: usize) -> Self {
            // SAFETY: the trait's contract; the index has four lanes.
            unsafe {
                let index = vld1q_u32([0, 1, 2, 3].as_ptr());
                let mask = vcltq_u32(index, vdupq_n_u32(lanes as u32));
                vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(self), mask))
            }
        }
    }
}

#[cfg(all(test, target_arch = "aarch64"))]
mod tests {
    use super::Vector;
    use core::arch::aarch64::float32x4_t;

    #[test]
    fn partial_neon_vectors_touch_their_lanes_alone() {
        let numbers = [1.0, 2.0, 3.0, 4.0_f32];
        for lanes in 0..=4 {
            let (mut loaded, mut stored) = ([9.0; 4], [9.0; 4]);
            // SAFETY: every AArch64 processor that runs this has NEON; the arrays hold four numbers, and the load ends
            // with its array.
            unsafe {
                let mask = float32x4_t::mask(lanes);
                float32x4_t::load_masked(numbers[4 - lanes..].as_ptr(), mask)
                    .store(loaded.as_mut_ptr());
                float32x4_t::load(numbers.as_ptr()).store_masked(stored.as_mut_ptr(), mask);
            }
            assert_eq!(loaded[..lanes], numbers[4 - lanes..]);
            assert!(loaded[lanes..].iter().all(|x| *x == 0.0), "{loaded:?}");
            assert_eq!(stored[..lanes], numbers[..lanes]);
            assert!(stored[lanes..].iter().all(|x| *x == 9.0), "{stored:?}");
        }
    }

    #[test]
    fn the_greater_is_the_other_where_one_is_nan() {
        let [x, y] = [[f32::NAN, 1.0, 2.0, -0.0], [3.0, f32::NAN, 1.0, 0.0]];
        let mut greater = [9.0_f32; 4];
        // SAFETY: as above.
        unsafe {
            float32x4_t::load(x.as_ptr())
                .max(float32x4_t::load(y.as_ptr()))
                .store(greater.as_mut_ptr());
        }
        assert!(
            greater[0] == 3.0 && greater[1].is_nan() && greater[2..] == [2.0, 0.0],
            "{greater:?}"
        );
    }
}
