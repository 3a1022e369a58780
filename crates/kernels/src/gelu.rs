//! GELU of f32 numbers, x * Phi(x) (Hendrycks and Gimpel 2016), without branches, so that vectors of numbers are made at
//! once. The arithmetic is the same on every instruction set, and so are the bits.
//!
//! Phi(-a) for a >= 0 is exp(-a^2 / 2) * R(1 / (1 + 0.3 a)): the tail of the normal distribution is its density times a
//! function that a polynomial follows closely (the form of Abramowitz and Stegun 1964, 26.2.17; coefficients fitted to
//! SciPy's `erfcx` with the least relative error, 1.5e-7). The exponential serves the derivative too.

use crate::body::per_isa;

/// Of t, t^2, ... in R(t).
const TAIL: [f32; 8] = [
    0.119_629_3,
    0.120_753_97,
    0.099_913_37,
    0.128_562_05,
    -0.053_684_503,
    0.206_354_51,
    -0.157_203_7,
    0.035_674_933,
];

/// Of t in 1 + 0.3 a.
const TAIL_SCALE: f32 = 0.3;

/// Of x^2, x^3, ... in e^x between -ln(2) / 2 and ln(2) / 2 (Cephes 2.8, `expf`).
const EXP: [f32; 6] =
    [0.5, 0.166_666_66, 0.041_665_796, 0.008_333_452, 0.001_398_2, 0.000_198_756_9];

/// 1 / sqrt(2 pi).
const INV_SQRT_TAU: f32 = 0.398_942_3;

/// The polynomial with these coefficients of 1, x, x^2, ...
#[inline(always)]
fn polynomial<const N: usize>(coefficients: [f32; N], x: f32) -> f32 {
    coefficients.into_iter().rev().fold(0.0, |sum, coefficient| sum * x + coefficient)
}

/// e^x for x <= 0; the least normal number instead of a smaller one.
#[inline(always)]
fn exp(x: f32) -> f32 {
    // ln(2) as a number with few digits, whose products with whole numbers are exact, and the rest.
    const LN_2: [f32; 2] = [0.693_359_4, -0.000_212_194_44];
    // 1.5 * 2^23: what is added to it becomes a whole number in the lowest bits.
    const WHOLE: f32 = 12_582_912.0;
    let x = if x < -87.0 { -87.0 } else { x };
    let shifted = x * core::f32::consts::LOG2_E + WHOLE;
    let n = shifted - WHOLE;
    let rest = x - n * LN_2[0] - n * LN_2[1];
    let mantissa = polynomial(EXP, rest) * rest * rest + rest + 1.0;
    // 2^n by its exponent's bits; those of `WHOLE` are shifted out.
    let power = (shifted.to_bits() << 23).wrapping_add(1.0_f32.to_bits());
    mantissa * f32::from_bits(power)
}

/// exp(-x^2 / 2) and Phi(x).
#[inline(always)]
fn normal(x: f32) -> (f32, f32) {
    let a = x.abs();
    let e = exp(-0.5 * x * x);
    let t = 1.0 / (1.0 + TAIL_SCALE * a);
    let tail = polynomial(TAIL, t) * t * e;
    (e, if x < 0.0 { tail } else { 1.0 - tail })
}

per_isa! {
    /// `y[i]` = gelu(`x[i]`).
    pub(crate) fn forward(x: &[f32], y: &mut [f32]) {
        for (y, x) in y.iter_mut().zip(x) {
            *y = *x * normal(*x).1;
        }
    }
}

per_isa! {
    /// `grad_x[i]` = `grad_y[i]` * gelu'(`x[i]`).
    pub(crate) fn backward(x: &[f32], grad_y: &[f32], grad_x: &mut [f32]) {
        for ((grad_x, grad_y), x) in grad_x.iter_mut().zip(grad_y).zip(x) {
            let (e, phi) = normal(*x);
            *grad_x = *grad_y * (phi + *x * (e * INV_SQRT_TAU));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::Isa;

    /// Against libm in f64. The tail's fit and its rounding in fp32 are 5e-7 of a number at most, the sum with 1 rounds once
    /// more, and the rounding of x^2 (6e-8 of it) comes back as a factor of the exponential; numbers below 1e-30 are as
    /// good as none.
    #[test]
    fn agrees_with_the_error_function() {
        let x: Vec<f32> = (-60_000..=60_000).map(|i| i as f32 * 2e-4).collect();
        let (mut y, mut slope) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        forward(Isa::SCALAR, &x, &mut y);
        backward(Isa::SCALAR, &x, &vec![1.0; x.len()], &mut slope);
        for ((x, y), slope) in x.iter().zip(y).zip(slope) {
            let x = f64::from(*x);
            let phi = 0.5 * libm::erfc(-x / core::f64::consts::SQRT_2);
            let density = (-0.5 * x * x).exp() / core::f64::consts::TAU.sqrt();
            let error = 8e-7 + 6e-8 * x * x;
            let distance = (f64::from(y) - x * phi).abs();
            assert!(distance <= error * (x * phi).abs() + 1e-30, "gelu({x}) = {y}");
            let distance = (f64::from(slope) - (phi + x * density)).abs();
            assert!(
                distance <= error * (phi + (x * density).abs()) + 1e-30,
                "gelu'({x}) = {slope}"
            );
        }
    }

    #[test]
    fn infinities_and_nan_pass() {
        let mut y = [0.0; 3];
        forward(Isa::SCALAR, &[f32::INFINITY, f32::NAN, -100.0], &mut y);
        assert!(y[0] == f32::INFINITY && y[1].is_nan() && y[2].abs() < 1e-30, "{y:?}");
    }
}
