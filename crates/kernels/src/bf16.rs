//! Products of bf16 numbers with fp32 sums: what `--precision bf16` computes with.
//!
//! A [`Bf16`] is the upper half of an fp32 number, rounded to the nearest and ties to even: the same range, 8 bits for
//! the digits. Products of two are exact in fp32; their sums are fp32. Three units multiply them
//! ([`Bf16Unit`](crate::isa::Bf16Unit)), on the same layouts:
//!
//! - the K columns of a product come in segments of [`SEGMENT`] neighbouring numbers;
//! - the right operand is packed into tiles of a segment by [`COLUMNS`] columns, two rows interleaved: column n of row
//!   pair k lies at `[k][n][2]`; a unit may want the tiles of the last columns in another order ([`arrange::order`]);
//! - for the gradient by the weights the sum runs over pixels, so the left operand lies channel by channel
//!   ([`arrange::gather_planes`]) and the right one with two pixels interleaved ([`arrange::gather_pairs`]).

use crate::element::Element;

pub mod added;
#[cfg(target_arch = "x86_64")]
mod amx;
pub mod arrange;
#[cfg(target_arch = "x86_64")]
mod dot;
pub mod product;

#[cfg(target_arch = "x86_64")]
pub(crate) use amx::tiles_are_granted;

/// Columns of the left operand that are multiplied at once; they lie next to each other.
pub const SEGMENT: usize = 32;

/// Columns of one tile of the right operand.
pub const COLUMNS: usize = 16;

/// Numbers of one tile of the right operand.
pub const TILE: usize = SEGMENT * COLUMNS;

/// The upper half of an fp32 number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Bf16(u16);

impl Bf16 {
    /// 0.
    pub const ZERO: Self = Self(0);

    /// The nearest bf16 number, the even one of two; NaN stays NaN.
    #[inline(always)]
    #[must_use]
    pub fn from_f32(value: f32) -> Self {
        let bits = value.to_bits();
        let rounded = bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16;
        let quiet = (bits >> 16) | 0x40;
        Self(if value.is_nan() { quiet as u16 } else { rounded as u16 })
    }

    /// The nearest bf16 number to a number that is first rounded to fp32.
    #[inline(always)]
    #[must_use]
    pub fn from_element<T: Element>(value: T) -> Self {
        Self::from_f32(value.to_f64() as f32)
    }

    /// The same number in fp32.
    #[inline(always)]
    #[must_use]
    pub fn to_f32(self) -> f32 {
        f32::from_bits(u32::from(self.0) << 16)
    }
}

/// Memory for fp32 numbers as memory for twice as many bf16 numbers; what it held becomes meaningless.
#[must_use]
pub fn storage(numbers: &mut [f32]) -> &mut [Bf16] {
    // SAFETY: `Bf16` is a u16, for which every bit pattern is valid, and an f32 is two of them, with a stricter alignment;
    // any bits are a valid f32 again afterwards.
    unsafe { core::slice::from_raw_parts_mut(numbers.as_mut_ptr().cast(), 2 * numbers.len()) }
}

/// As [`storage`], to read what was written there.
#[must_use]
pub fn stored(numbers: &[f32]) -> &[Bf16] {
    // SAFETY: as in `storage`.
    unsafe { core::slice::from_raw_parts(numbers.as_ptr().cast(), 2 * numbers.len()) }
}

/// fp32 numbers whose memory holds so many bf16 numbers, on whole cache lines.
#[must_use]
pub const fn storage_len(numbers: usize) -> usize {
    numbers.div_ceil(2).next_multiple_of(16)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of the format worked out by hand: 1 + 1/128 is the next number after 1, so its halfway point goes to the
    /// even neighbour.
    #[test]
    fn rounding_is_to_the_nearest_even() {
        let round = |x: f32| Bf16::from_f32(x).to_f32();
        let step = 1.0 / 128.0;
        assert_eq!(round(1.0 + 0.5 * step), 1.0);
        assert_eq!(round(1.0 + 1.5 * step), 1.0 + 2.0 * step);
        assert_eq!(round(1.0 + 0.501 * step), 1.0 + step);
        assert_eq!(round(-3.0), -3.0);
        assert_eq!(round(f32::MAX), f32::INFINITY);
        assert_eq!(round(f32::NEG_INFINITY), f32::NEG_INFINITY);
        for nan in [f32::NAN, f32::from_bits(0x7fff_ffff), f32::from_bits(0xff80_0001)] {
            assert!(round(nan).is_nan());
        }
    }

    #[test]
    fn memory_serves_both_kinds_of_numbers() {
        let mut numbers = [1.0_f32; 16];
        storage(&mut numbers)[..2].fill(Bf16::from_f32(2.0));
        assert_eq!(stored(&numbers)[1].to_f32(), 2.0);
        assert_eq!(numbers[1], 1.0);
        assert_eq!((storage_len(1), storage_len(33)), (16, 32));
    }
}
