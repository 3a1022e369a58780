//! Bilinear interpolation of 8-bit images at positions in 1/256 of a pixel.
//!
//! Once a position is rounded the arithmetic is exact (integers below 2^24 in f32), and before that it multiplies and adds
//! one after the other: every instruction set gives the same bits.

use crate::body::per_isa;

/// Added to a number in 0..2^14, leaves it in the low 22 bits of the sum, in units of 1/256 (1.5 * 2^15 has an ulp of 2^-8).
const TO_FIXED: f32 = 49_152.0;

/// A non-negative number below 2^14, in units of 1/256, rounded to the nearest.
#[inline(always)]
fn to_fixed(value: f32) -> u32 {
    (value + TO_FIXED).to_bits() & 0x3f_ffff
}

per_isa! {
    /// Packs a padded image: `quads[i]` holds pixel i, its right, lower and lower right neighbours, from the lowest byte
    /// up. One load then fetches all four neighbours of a position.
    ///
    /// # Shapes
    /// `padded` has rows of `stride` pixels, and `stride` + 1 more than `quads`.
    ///
    /// # Panics
    /// When `padded` is too short.
    pub fn pack(padded: &[u8], stride: usize, quads: &mut [u32]) {
        let count = quads.len();
        let right = &padded[1..][..count];
        let (lower, lower_right) = (&padded[stride..][..count], &padded[stride + 1..][..count]);
        for (i, quad) in quads.iter_mut().enumerate() {
            let byte = |pixels: &[u8], at: u32| u32::from(pixels[i]) << (8 * at);
            *quad = byte(&padded[..count], 0)
                | byte(right, 1)
                | byte(lower, 2)
                | byte(lower_right, 3);
        }
    }
}

per_isa! {
    /// One coordinate of an affine map: `at[i]` = `map[0]` * `columns[i]` + (`map[1]` * `rows[i]` + `map[2]`).
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn place(map: [f32; 3], columns: &[f32], rows: &[f32], at: &mut [f32]) {
        let (columns, rows) = (&columns[..at.len()], &rows[..at.len()]);
        for ((at, column), row) in at.iter_mut().zip(columns).zip(rows) {
            *at = map[0] * column + (map[1] * row + map[2]);
        }
    }
}

per_isa! {
    /// From positions, in pixels of an image of [height, width] = `size` without its padding of one pixel, to the quad
    /// of each and to its distance from the quad's first pixel: x in the low byte, y in the next. A position outside
    /// goes to the padding.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn locate(size: [usize; 2], x: &[f32], y: &[f32], quads: &mut [u32], fractions: &mut [u32]) {
        let (bottom, right) = (size[0] as f32 + 1.0, size[1] as f32 + 1.0);
        let stride = size[1] as u32 + 2;
        let count = quads.len();
        let (x, y, fractions) = (&x[..count], &y[..count], &mut fractions[..count]);
        for (((quad, fraction), x), y) in quads.iter_mut().zip(fractions).zip(x).zip(y) {
            let x = to_fixed((x + 1.0).max(0.0).min(right));
            let y = to_fixed((y + 1.0).max(0.0).min(bottom));
            *quad = (y >> 8) * stride + (x >> 8);
            *fraction = (x & 0xff) | (y & 0xff) << 8;
        }
    }
}

per_isa! {
    /// Interpolates between the pixels of each quad: `out` = grey level * `factor` + `offset`.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn interpolate(quads: &[u32], fractions: &[u32], factor: f32, offset: f32, out: &mut [f32]) {
        let factor = factor * (1.0 / 65_536.0);
        let (quads, fractions) = (&quads[..out.len()], &fractions[..out.len()]);
        for ((out, &quad), &fraction) in out.iter_mut().zip(quads).zip(fractions) {
            let byte = |word: u32, at: u32| (word >> (8 * at) & 0xff) as i32 as f32;
            let (right, lower) = (byte(fraction, 0), byte(fraction, 1));
            let (left, upper) = (256.0 - right, 256.0 - lower);
            let top = byte(quad, 0) * left + byte(quad, 1) * right;
            let bottom = byte(quad, 2) * left + byte(quad, 3) * right;
            *out = (top * upper + bottom * lower) * factor + offset;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::Isa;
    use crate::random::{Draws, Purpose};

    fn run(isa: Isa) -> Vec<u32> {
        let mut draws = Draws::new(5, Purpose::Test, 0, 0);
        let mut padded = vec![0; 11 * 12 + 1];
        for row in padded[12..108].chunks_exact_mut(12) {
            row[1..11].fill_with(|| draws.below(256) as u8);
        }
        let mut quads = vec![0; 10 * 12];
        pack(isa, &padded, 12, &mut quads);
        let cells = || (0..80).map(|cell| [(cell / 10) as f32, (cell % 10) as f32]);
        let [rows, columns]: [Vec<f32>; 2] = [0, 1].map(|axis| cells().map(|c| c[axis]).collect());
        let [mut x, mut y, mut out] = [[0.0; 80]; 3];
        place(isa, [0.9, 0.3, -1.7], &columns, &rows, &mut x);
        place(isa, [-0.2, 1.1, 0.4], &columns, &rows, &mut y);
        (x[3], y[5]) = (f32::NAN, f32::INFINITY);
        let (mut at, mut fractions) = ([0; 80], [0; 80]);
        locate(isa, [8, 10], &x, &y, &mut at, &mut fractions);
        let fetched = at.map(|at| quads[at as usize]);
        interpolate(isa, &fetched, &fractions, 0.013, -0.42, &mut out);
        out.iter().map(|value| value.to_bits()).collect()
    }

    /// No tolerance: what this module promises.
    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        let truth = run(Isa::SCALAR);
        for isa in Isa::available() {
            assert_eq!(run(isa), truth, "{isa}");
            println!("resampled with {isa}");
        }
    }

    #[test]
    fn quads_hold_pixels_and_neighbours() {
        let mut quads = [0; 2];
        pack(Isa::SCALAR, &[1, 2, 3, 4, 5, 6], 3, &mut quads);
        assert_eq!(quads, [0x0504_0201, 0x0605_0302]);
    }
}
