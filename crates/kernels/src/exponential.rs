//! e to each of many numbers, as softmax asks for it: bit for bit what [`Element::exp`] gives for one.

use crate::body::per_isa;
use crate::element::Element;
use crate::isa::Isa;

/// Numbers that are worked on together.
const BLOCK: usize = 16;

/// The least number whose exponential is no subnormal number, rounded up.
const LEAST: f32 = -87.336_5;

/// x becomes e^x, for each x of `numbers`. Those from about -87 to 0, to which softmax brings its numbers, are quick.
pub fn exp<T: Element>(isa: Isa, numbers: &mut [T]) {
    match T::as_f32_mut(numbers) {
        Some(numbers) => exp_f32(isa, numbers),
        None => numbers.iter_mut().for_each(|x| *x = x.exp()),
    }
}

per_isa! {
    fn exp_f32(numbers: &mut [f32]) {
        let quick = |x: &f32| (*x >= LEAST) & (*x <= 0.0);
        let (blocks, rest) = numbers.as_chunks_mut::<BLOCK>();
        for block in blocks {
            if block.iter().fold(true, |all, x| all & quick(x)) {
                block.iter_mut().for_each(|x| *x = exp_to_zero(*x));
            } else {
                block.iter_mut().for_each(|x| *x = Element::exp(*x));
            }
        }
        rest.iter_mut().for_each(|x| *x = Element::exp(*x));
    }
}

/// e^x for x from [`LEAST`] to 0, in steps that vectors can take: x = k ln 2 + r, and e^r by a rational function of r (the method
/// and constants of FreeBSD's `e_expf.c`, which `Element::exp` also follows; every rounding is the same).
#[inline(always)]
fn exp_to_zero(x: f32) -> f32 {
    const LN_2_HIGH: f32 = f32::from_bits(0x3f31_7200);
    const LN_2_LOW: f32 = f32::from_bits(0x35bf_be8e);
    const PER_LN_2: f32 = f32::from_bits(0x3fb8_aa3b);
    const SECOND: f32 = f32::from_bits(0x3e2a_aa8f);
    const FOURTH: f32 = f32::from_bits(0xbb35_5215);
    const HALF_LN_2: f32 = f32::from_bits(0x3eb1_7218);
    const THREE_HALVES_LN_2: f32 = f32::from_bits(0x3f85_1592);
    const TINY: f32 = f32::from_bits(0x3900_0000);

    let many = (PER_LN_2 * x - 0.5) as i32;
    let few = if x < -HALF_LN_2 { -1 } else { 0 };
    let k = if x < -THREE_HALVES_LN_2 { many } else { few };
    let (high, low) = (x - k as f32 * LN_2_HIGH, k as f32 * LN_2_LOW);
    let r = high - low;
    let square = r * r;
    let c = r - square * (SECOND + square * FOURTH);
    let power = 1.0 + (r * c / (2.0 - c) - low + high);
    let power = if x >= -TINY { 1.0 + x } else { power };
    power * f32::from_bits(((k + 127) as u32) << 23)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every so many of the f32 numbers.
    const STEP: usize = if cfg!(miri) { 1 << 20 } else { 61 };

    #[test]
    fn many_are_the_bits_of_one() {
        let special =
            [0.0, -0.0, LEAST, -88.0, -104.0, 1.5, f32::NEG_INFINITY, f32::INFINITY, f32::NAN];
        // From -0 to beyond -87.4, where one number is not quick all 16 are not; and some anywhere.
        let negative = (0x8000_0000..=0xc2ae_d000_u32).step_by(STEP).map(f32::from_bits);
        let numbers: Vec<f32> =
            negative.chain(special).chain((0..40).map(|i| i as f32 - 20.0)).collect();
        let expected: Vec<u32> = numbers.iter().map(|x| Element::exp(*x).to_bits()).collect();
        for isa in Isa::available() {
            let mut found = numbers.clone();
            exp(isa, &mut found);
            for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
                assert_eq!(found.to_bits(), *expected, "{isa}: e^{}", numbers[index]);
            }
        }
        let mut found = [0.5_f64, -3.0];
        exp(Isa::SCALAR, &mut found);
        assert_eq!(found, [Element::exp(0.5_f64), Element::exp(-3.0_f64)]);
    }
}
