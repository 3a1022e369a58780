//! Moving the pixels of an image along a map, with bilinear interpolation.

use super::affine::Affine;
use super::elastic::Field;
use crate::{ImageShape, Normalisation};

/// Memory that [`super::Augmentation::augment`] works in; reuse it to save allocations.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    /// The elastic displacement of each output pixel.
    pub(super) elastic: Field,
    shape: Option<ImageShape>,
    /// Each padded pixel with its right neighbour: [height + 3, width + 2].
    pairs: Vec<u16>,
    /// Each padded pixel with its right, lower and lower right neighbours: [height + 2, width + 2].
    quads: Vec<u32>,
    row: Row,
}

/// One row of output pixels.
#[derive(Clone, Debug, Default)]
struct Row {
    x: Vec<f32>,
    y: Vec<f32>,
    /// Index of the quad, then the quad itself.
    quads: Vec<u32>,
    /// Distance from the quad's first pixel in 1/256 pixels: x in the low byte, y in the next.
    fractions: Vec<u32>,
}

impl Scratch {
    fn fit(&mut self, shape: ImageShape) {
        if self.shape == Some(shape) {
            return;
        }
        let ImageShape { height, width, .. } = shape;
        self.shape = Some(shape);
        self.pairs = vec![0; (height + 3) * (width + 2)];
        self.quads = vec![0; (height + 2) * (width + 2)];
        self.row.x = vec![0.0; width];
        self.row.y = vec![0.0; width];
        self.row.quads = vec![0; width];
        self.row.fractions = vec![0; width];
    }

    /// Packs one channel: quad (y + 1, x + 1) holds the pixels (y, x), (y, x+1), (y+1, x), (y+1, x+1), from the lowest
    /// byte up; pixels outside are 0. One load then fetches all four neighbours of a position.
    fn pack(&mut self, image: &[u8], shape: ImageShape, channel: usize) {
        let (width, channels, stride) = (shape.width, shape.channels, shape.width + 2);
        // Only the rows and columns inside are ever written: the border stays 0.
        let rows = image.chunks_exact(width * channels);
        for (row, pairs) in rows.zip(self.pairs.chunks_exact_mut(stride).skip(1)) {
            if channels == 1 {
                pack_pairs(row, pairs);
            } else {
                pack_pairs_strided(&row[channel..], channels, pairs);
            }
        }
        let upper = &self.pairs[..self.quads.len()];
        let lower = &self.pairs[stride..][..self.quads.len()];
        for ((quad, &upper), &lower) in self.quads.iter_mut().zip(upper).zip(lower) {
            *quad = u32::from(upper) | u32::from(lower) << 16;
        }
    }
}

fn pack_pairs(row: &[u8], pairs: &mut [u16]) {
    let width = row.len();
    pairs[0] = u16::from(row[0]) << 8;
    for ((pair, &left), &right) in pairs[1..width].iter_mut().zip(row).zip(&row[1..]) {
        *pair = u16::from(left) | u16::from(right) << 8;
    }
    pairs[width] = u16::from(row[width - 1]);
}

fn pack_pairs_strided(row: &[u8], channels: usize, pairs: &mut [u16]) {
    let mut left = 0;
    let width = pairs.len() - 2;
    for (pair, &right) in pairs.iter_mut().zip(row.iter().step_by(channels)) {
        *pair = left | u16::from(right) << 8;
        left = u16::from(right);
    }
    pairs[width] = left;
}

/// Writes into `out` the image as seen through the map (and the elastic field in `scratch`), normalised.
///
/// A position is rounded to 1/256 of a pixel; from there on the arithmetic is exact (integers below 2^24), so that the
/// result is the same on every processor, and the identity map gives exactly the normalised image.
pub(super) fn resample(
    image: &[u8],
    shape: ImageShape,
    affine: &Affine,
    elastic: bool,
    normalisation: &Normalisation,
    scratch: &mut Scratch,
    out: &mut [f32],
) {
    scratch.fit(shape);
    let (width, channels) = (shape.width, shape.channels);
    for channel in 0..channels {
        scratch.pack(image, shape, channel);
        let (factor, offset) = normalisation.factor_and_offset(channel);
        for (y, out) in out.chunks_exact_mut(width * channels).enumerate() {
            let row = &mut scratch.row;
            row.place(affine, y);
            if elastic {
                row.displace(scratch.elastic.row(y, width));
            }
            row.locate(shape);
            row.fetch(&scratch.quads);
            let out = &mut out[channel..];
            match channels {
                1 => row.interpolate(factor, offset, out.iter_mut()),
                _ => row.interpolate(factor, offset, out.iter_mut().step_by(channels)),
            }
        }
    }
}

/// Added to a number in 0..2^14, leaves it in the low 22 bits of the sum, in units of 1/256 (1.5 * 2^15 has an ulp of 2^-8).
const TO_FIXED: f32 = 49_152.0;

/// A non-negative number below 2^14, in units of 1/256, rounded to the nearest.
fn to_fixed(value: f32) -> u32 {
    (value + TO_FIXED).to_bits() & 0x3f_ffff
}

impl Row {
    fn place(&mut self, Affine { x, y }: &Affine, row: usize) {
        let (from_x, from_y) = (x[1] * row as f32 + x[2], y[1] * row as f32 + y[2]);
        for (column, (at_x, at_y)) in self.x.iter_mut().zip(&mut self.y).enumerate() {
            let column = column as i32 as f32;
            *at_x = x[0] * column + from_x;
            *at_y = y[0] * column + from_y;
        }
    }

    fn displace(&mut self, (dx, dy): (&[f32], &[f32])) {
        for (at, d) in self.x.iter_mut().zip(dx).chain(self.y.iter_mut().zip(dy)) {
            *at += d;
        }
    }

    /// From positions to quads and fractions. A position outside goes to the black border, which is one pixel wide.
    fn locate(&mut self, shape: ImageShape) {
        let (right, bottom) = (shape.width as f32 + 1.0, shape.height as f32 + 1.0);
        let stride = shape.width as u32 + 2;
        let positions = self.x.iter().zip(&self.y);
        for ((quad, fraction), (x, y)) in
            self.quads.iter_mut().zip(&mut self.fractions).zip(positions)
        {
            let x = to_fixed((x + 1.0).max(0.0).min(right));
            let y = to_fixed((y + 1.0).max(0.0).min(bottom));
            *quad = (y >> 8) * stride + (x >> 8);
            *fraction = (x & 0xff) | (y & 0xff) << 8;
        }
    }

    fn fetch(&mut self, quads: &[u32]) {
        for quad in &mut self.quads {
            *quad = quads[*quad as usize];
        }
    }

    fn interpolate<'a>(&self, factor: f32, offset: f32, out: impl Iterator<Item = &'a mut f32>) {
        let factor = factor * (1.0 / 65_536.0);
        for ((&quad, &fraction), out) in self.quads.iter().zip(&self.fractions).zip(out) {
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

    const PLAIN: [f32; 2] = [0.0, 1.0 / 255.0];

    fn run(image: &[u8], shape: ImageShape, affine: Affine) -> Vec<f32> {
        let normalisation = Normalisation {
            mean: vec![PLAIN[0]; shape.channels],
            std: vec![PLAIN[1]; shape.channels],
        };
        let mut out = vec![f32::NAN; image.len()];
        let mut scratch = Scratch::default();
        resample(image, shape, &affine, false, &normalisation, &mut scratch, &mut out);
        out
    }

    fn shift(x: f32, y: f32) -> Affine {
        Affine { x: [1.0, 0.0, x], y: [0.0, 1.0, y] }
    }

    #[test]
    fn whole_and_half_pixels_by_hand() {
        let (image, shape) = ([10, 20, 30, 40, 50, 60], ImageShape::grey(2, 3));
        for (map, want) in [
            (shift(0.0, 0.0), [10., 20., 30., 40., 50., 60.]),
            (shift(1.0, 0.0), [20., 30., 0., 50., 60., 0.]),
            (shift(0.0, -1.0), [0., 0., 0., 10., 20., 30.]),
            (shift(-0.5, 0.0), [5., 15., 25., 20., 45., 55.]),
            (shift(0.25, 0.5), [27.5, 37.5, 33.75, 21.25, 26.25, 22.5]),
            (shift(100.0, 0.0), [0.0; 6]),
            (shift(f32::NAN, f32::INFINITY), [0.0; 6]),
        ] {
            let got = run(&image, shape, map);
            let close = got.iter().zip(&want).all(|(a, b): (&f32, &f32)| (a - b).abs() < 1e-4);
            assert!(close, "{map:?}: {got:?}, expected {want:?}");
        }
    }

    #[test]
    fn each_channel_is_resampled_like_a_grey_image() {
        let shape = ImageShape::colour(5, 4);
        let image: Vec<u8> = (0..60).map(|i| (i * 37 % 251) as u8).collect();
        let map = Affine { x: [0.9, 0.2, -0.3], y: [-0.2, 1.1, 0.7] };
        let all = run(&image, shape, map);
        for channel in 0..3 {
            let pick = |values: &[u8]| -> Vec<u8> {
                values.iter().skip(channel).step_by(3).copied().collect()
            };
            let one = run(&pick(&image), ImageShape::grey(5, 4), map);
            let of_all: Vec<f32> = all.iter().skip(channel).step_by(3).copied().collect();
            assert_eq!(one, of_all);
        }
    }

    #[test]
    fn an_image_of_one_pixel_works() {
        assert_eq!(run(&[9], ImageShape::grey(1, 1), shift(0.0, 0.0)), [9.0]);
    }
}
