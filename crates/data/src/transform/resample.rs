//! Moving the pixels of an image along a map, with bilinear interpolation.

use percept_kernels::isa::Isa;
use percept_kernels::resample as kernel;

use super::Outside;
use super::affine::Affine;
use super::elastic::Field;
use super::scratch::Levels;
use crate::ImageShape;

/// What an image is resampled in.
#[derive(Clone, Debug, Default)]
pub(super) struct Planes {
    shape: Option<ImageShape>,
    /// One channel with a black border: [height + 3, width + 2] and one more.
    padded: Vec<u8>,
    /// Each padded pixel with its right, lower and lower right neighbours: [height + 2, width + 2].
    quads: Vec<u32>,
    pixels: Pixels,
}

/// The output pixels of one channel, [height, width] each.
#[derive(Clone, Debug, Default)]
struct Pixels {
    column: Vec<f32>,
    row: Vec<f32>,
    x: Vec<f32>,
    y: Vec<f32>,
    /// Index of the quad, then the quad itself.
    quads: Vec<u32>,
    fractions: Vec<u32>,
    /// The result, where the channels lie apart.
    values: Vec<f32>,
}

impl Planes {
    fn fit(&mut self, shape: ImageShape) {
        if self.shape == Some(shape) {
            return;
        }
        let ImageShape { height, width, channels } = shape;
        self.shape = Some(shape);
        self.padded = vec![0; (height + 3) * (width + 2) + 1];
        self.quads = vec![0; (height + 2) * (width + 2)];
        let size = height * width;
        let cells = || (0..size).map(|cell| (cell / width, cell % width));
        self.pixels = Pixels {
            column: cells().map(|(_, column)| column as f32).collect(),
            row: cells().map(|(row, _)| row as f32).collect(),
            x: vec![0.0; size],
            y: vec![0.0; size],
            quads: vec![0; size],
            fractions: vec![0; size],
            values: vec![0.0; if channels == 1 { 0 } else { size }],
        };
    }

    /// Only the rows and columns inside are ever written: the border stays black.
    fn pad(&mut self, image: &[u8], shape: ImageShape, channel: usize) {
        let (width, channels) = (shape.width, shape.channels);
        let padded = self.padded.chunks_exact_mut(width + 2).skip(1);
        for (row, padded) in image.chunks_exact(width * channels).zip(padded) {
            let padded = &mut padded[1..=width];
            if channels == 1 {
                padded.copy_from_slice(row);
            } else {
                let of_channel = row[channel..].iter().step_by(channels);
                padded.iter_mut().zip(of_channel).for_each(|(to, from)| *to = *from);
            }
        }
    }
}

/// Where the pixels of an image come from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Map<'a> {
    pub affine: &'a Affine,
    /// What displaces positions.
    pub field: Option<&'a Field>,
    pub outside: Outside,
}

/// Writes into `out` the image as seen through the map, with its grey levels as `levels` makes them.
///
/// A position is rounded to 1/256 of a pixel; from there on the arithmetic is exact (integers below 2^24), so that the
/// result is the same on every processor, and the identity map gives exactly the normalised image.
pub(super) fn resample(
    isa: Isa,
    image: &[u8],
    shape: ImageShape,
    map: &Map<'_>,
    levels: &Levels,
    planes: &mut Planes,
    out: &mut [f32],
) {
    planes.fit(shape);
    let (size, channels) = ([shape.height, shape.width], shape.channels);
    for channel in 0..channels {
        planes.pad(image, shape, channel);
        let Planes { padded, quads, pixels, .. } = &mut *planes;
        kernel::pack(isa, padded, shape.width + 2, quads);
        if channel == 0 {
            pixels.place(isa, map.affine, map.field);
            if map.outside == Outside::Reflect {
                reflect(&mut pixels.x, shape.width);
                reflect(&mut pixels.y, shape.height);
            }
        }
        kernel::locate(isa, size, &pixels.x, &pixels.y, &mut pixels.quads, &mut pixels.fractions);
        for quad in &mut pixels.quads {
            *quad = quads[*quad as usize];
        }
        let (factor, offset) = (levels.factors[channel], levels.offsets[channel]);
        let Pixels { quads, fractions, values, .. } = pixels;
        if channels == 1 {
            kernel::interpolate(isa, quads, fractions, factor, offset, out);
        } else {
            kernel::interpolate(isa, quads, fractions, factor, offset, values);
            let of_channel = out[channel..].iter_mut().step_by(channels);
            of_channel.zip(values).for_each(|(to, from)| *to = *from);
        }
    }
}

impl Pixels {
    /// Where in the image each output pixel is taken from.
    fn place(&mut self, isa: Isa, affine: &Affine, field: Option<&Field>) {
        kernel::place(isa, affine.x, &self.column, &self.row, &mut self.x);
        kernel::place(isa, affine.y, &self.column, &self.row, &mut self.y);
        if let Some((dx, dy)) = field.map(Field::displacements) {
            for (at, d) in self.x.iter_mut().zip(dx).chain(self.y.iter_mut().zip(dy)) {
                *at += d;
            }
        }
    }
}

/// Mirrors positions outside of 0 to `size` - 1 at the ends, until they are inside.
fn reflect(positions: &mut [f32], size: usize) {
    let last = (size - 1) as f32;
    let period = 2.0 * last.max(0.5);
    for at in positions {
        let within = at.abs() - period * (at.abs() / period).floor();
        *at = if within > last { (period - within).min(last) } else { within };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Normalisation;

    const PLAIN: [f32; 2] = [0.0, 1.0 / 255.0];

    fn run(image: &[u8], shape: ImageShape, affine: Affine) -> Vec<f32> {
        run_with(image, shape, affine, Outside::Black)
    }

    fn run_with(image: &[u8], shape: ImageShape, affine: Affine, outside: Outside) -> Vec<f32> {
        let normalisation = Normalisation {
            mean: vec![PLAIN[0]; shape.channels],
            std: vec![PLAIN[1]; shape.channels],
        };
        let mut out = vec![f32::NAN; image.len()];
        let mut levels = Levels::default();
        levels.prepare(&normalisation, shape);
        let map = Map { affine: &affine, field: None, outside };
        let planes = &mut Planes::default();
        resample(Isa::chosen().unwrap(), image, shape, &map, &levels, planes, &mut out);
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

    /// By hand: a row of 10, 20, 30 goes on with 20, 10, 20, 30 at both ends.
    #[test]
    fn reflection_repeats_the_image_but_not_its_edge() {
        let (image, shape) = ([10, 20, 30], ImageShape::grey(1, 3));
        for (map, want) in [
            (shift(0.0, 0.0), [10., 20., 30.]),
            (shift(1.0, 0.0), [20., 30., 20.]),
            (shift(-2.0, 5.0), [30., 20., 10.]),
            (shift(5.0, 0.0), [20., 30., 20.]),
            (shift(-0.5, 0.0), [15., 15., 25.]),
        ] {
            assert_eq!(run_with(&image, shape, map, Outside::Reflect), want, "{map:?}");
        }
        let one = run_with(&[9], ImageShape::grey(1, 1), shift(7.3, -2.0), Outside::Reflect);
        assert_eq!(one, [9.0]);
    }

    #[test]
    fn a_mirrored_image_is_exact() {
        let (image, shape) = ([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], ImageShape::colour(2, 2));
        let mirrored = run(&image, shape, shift(0.0, 0.0).mirrored(shape));
        assert_eq!(mirrored, [4., 5., 6., 1., 2., 3., 10., 11., 12., 7., 8., 9.]);
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
