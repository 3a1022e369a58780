//! Augmentation: a slightly different image each epoch, so that the network learns what does not matter.
//!
//! All movements of one image are composed into one map from output to input positions, and the image is resampled once.
//! Where every movement is by whole pixels its rows are copied instead, and no grey level changes.

mod affine;
mod elastic;
mod mirror;
mod resample;
mod scratch;
mod showing;
pub(crate) mod whole_pixels;

use percept_kernels::levels;
use percept_kernels::random::{Draws, Purpose};
use serde::{Deserialize, Serialize};

use crate::{Error, ImageShape, Normalisation};
pub use affine::Affine;
pub use mirror::Mirror;
use scratch::Levels;
pub use scratch::Scratch;
pub use showing::Showing;
use whole_pixels::Move;

/// How far an image may be changed at random. Everything defaults to 0, which means off.
///
/// Each image draws its own values anew in each epoch, uniformly between minus and plus the setting (the scale of each axis
/// from `1 - scale` to `1 + scale`). All channels of an image are changed alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Augmentation {
    /// Rotation about the centre in degrees, 0..=180.
    pub rotation: f32,
    /// Stretching or shrinking of each axis on its own, as a share of its size, 0..=0.9.
    pub scale: f32,
    /// Horizontal slant: pixels sideways a pixel down, 0..=2.
    pub shear: f32,
    /// Shift along each axis in pixels, 0..=1000.
    pub shift: f32,
    /// Elastic distortion: how many pixels a random field in -1..=1 moves, before smoothing, 0..=1000. Simard, Steinkraus
    /// and Platt ("Best practices for convolutional neural networks", ICDAR 2003) have 34 for digits of 29x29.
    pub elastic_strength: f32,
    /// Standard deviation of the Gaussian that smooths the elastic field, in pixels, 0..=100; Simard et al. have 4.
    /// Must be positive when `elastic_strength` is.
    pub elastic_smoothness: f32,
    /// Which images are mirrored, left to right.
    pub mirror: Mirror,
    /// Shift along each axis by whole pixels, which blurs nothing, 0..=1000: each number of pixels from `-crop` to `crop` is
    /// as probable. With [`Outside::Reflect`] this is torchvision's
    /// `RandomCrop(size, padding=crop, padding_mode="reflect")`.
    pub crop: u32,
    /// What is seen where a position lies outside the image.
    pub outside: Outside,
}

/// What is seen beyond the edge of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outside {
    /// Black, the background of digits.
    #[default]
    Black,
    /// The image again, mirrored at its edge; the pixels of the edge are not repeated (as `torch.nn.functional.pad` with
    /// `mode="reflect"` has it).
    Reflect,
}

impl Augmentation {
    /// What suits handwritten digits of 28x28: rotation ±10 degrees, scale ±10 % an axis, shear ±0.1, shift ±1.5 pixels.
    #[must_use]
    pub fn digits() -> Self {
        Self { rotation: 10.0, scale: 0.1, shear: 0.1, shift: 1.5, ..Self::default() }
    }

    /// What suits photographs: mirrored in every second epoch, and shifted by up to an eighth of `side`, the shorter side in
    /// pixels, as has been usual for CIFAR-10 since He et al. 2016 (there 4 of 32 pixels); what comes in from outside is a
    /// reflection.
    #[must_use]
    pub fn photos(side: usize) -> Self {
        Self {
            crop: (side / 8) as u32,
            mirror: Mirror::Alternating,
            outside: Outside::Reflect,
            ..Self::default()
        }
    }

    /// Whether images stay as they are.
    #[must_use]
    pub fn is_off(&self) -> bool {
        !self.resamples() && !self.moves_whole_pixels()
    }

    /// Whether pixels are moved by fractions of a pixel.
    fn resamples(&self) -> bool {
        [self.rotation, self.scale, self.shear, self.shift, self.elastic_strength]
            .iter()
            .any(|&setting| setting != 0.0)
    }

    fn moves_whole_pixels(&self) -> bool {
        self.crop != 0 || self.mirror != Mirror::Off
    }

    /// Checks that every setting is within its range.
    ///
    /// # Errors
    /// [`Error::Setting`] naming the first that is not.
    pub fn check(&self) -> Result<(), Error> {
        for (setting, value, limit) in [
            ("rotation", self.rotation, 180.0),
            ("scale", self.scale, 0.9),
            ("shear", self.shear, 2.0),
            ("shift", self.shift, 1000.0),
            ("elastic-strength", self.elastic_strength, 1000.0),
            ("elastic-smoothness", self.elastic_smoothness, 100.0),
            ("crop", self.crop as f32, 1000.0),
        ] {
            if !(0.0..=limit).contains(&value) {
                return Err(Error::setting(setting, format!("from 0 to {limit}"), value));
            }
        }
        if self.elastic_strength > 0.0 && self.elastic_smoothness < 0.1 {
            let expected = "at least 0.1 pixels when elastic-strength is not 0";
            return Err(Error::setting("elastic-smoothness", expected, self.elastic_smoothness));
        }
        Ok(())
    }

    /// How far an image is moved by whole pixels.
    fn draw_move(&self, showing: Showing) -> Move {
        let mut by = [0; 2];
        if self.crop != 0 {
            let mut draws = showing.draws(Purpose::Crop);
            by = by.map(|_: i32| draws.below(2 * self.crop + 1) as i32 - self.crop as i32);
        }
        Move { by, mirrored: self.mirror.is_mirrored(showing), outside: self.outside }
    }

    /// The map of one image. Always draws six numbers, so that changing one setting leaves the others' draws alone.
    fn draw_affine(&self, shape: ImageShape, moved: &Move, draws: &mut Draws) -> Affine {
        let mut within = |range: f32| draws.uniform_in(-range, range);
        let change = affine::Change {
            rotation: within(self.rotation),
            scale: [1.0 + within(self.scale), 1.0 + within(self.scale)],
            shear: within(self.shear),
            shift: moved.by.map(|by| within(self.shift) + by as f32),
        };
        let affine = Affine::about_centre(&change, shape);
        if moved.mirrored { affine.mirrored(shape) } else { affine }
    }

    /// Writes `image`, changed at random and normalised, into `out`.
    ///
    /// The result depends only on the image, the settings and `showing`. Nothing is allocated once `scratch` has seen an
    /// image of this shape.
    ///
    /// # Shapes
    /// image u8 and out f32: [height, width, channels] of `shape`.
    ///
    /// # Panics
    /// When a length does not match `shape`, or `normalisation` has another number of channels.
    pub fn augment(
        &self,
        image: &[u8],
        shape: ImageShape,
        normalisation: &Normalisation,
        showing: Showing,
        scratch: &mut Scratch,
        out: &mut [f32],
    ) {
        assert!(image.len() == shape.len() && out.len() == shape.len(), "image is not of {shape}");
        assert_eq!(normalisation.mean.len(), shape.channels, "normalisation has other channels");
        let moved = self.draw_move(showing);
        if self.resamples() {
            self.resample(image, shape, normalisation, (showing, moved), scratch, out);
        } else {
            scratch.levels.prepare(normalisation, shape);
            let mut source = image;
            if self.moves_whole_pixels() {
                scratch.moved.resize(shape.len(), 0);
                moved.apply(image, shape, &mut scratch.moved);
                source = &scratch.moved;
            }
            let Levels { factors, offsets, .. } = &scratch.levels;
            levels::scale(scratch.isa, source, factors, offsets, out);
        }
    }

    fn resample(
        &self,
        image: &[u8],
        shape: ImageShape,
        normalisation: &Normalisation,
        (showing, moved): (Showing, Move),
        scratch: &mut Scratch,
        out: &mut [f32],
    ) {
        let mut draws = showing.draws(Purpose::Augmentation);
        let affine = self.draw_affine(shape, &moved, &mut draws);
        let elastic = self.elastic_strength > 0.0;
        if elastic {
            let (strength, smoothness) = (self.elastic_strength, self.elastic_smoothness);
            scratch.elastic.draw(shape, strength, smoothness, &mut draws);
        }
        let map = resample::Map { affine: &affine, elastic, outside: self.outside };
        resample::resample(image, shape, &map, normalisation, scratch, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(shape: ImageShape) -> Vec<u8> {
        let mut draws = Draws::new(4, Purpose::Test, 0, 0);
        (0..shape.len()).map(|_| draws.below(256) as u8).collect()
    }

    fn augmented(augmentation: Augmentation, shape: ImageShape, epoch: u32) -> Vec<f32> {
        let mut out = vec![f32::NAN; shape.len()];
        let normalisation = Normalisation {
            mean: [0.1, 0.5, 0.3][..shape.channels].to_vec(),
            std: [0.3, 0.2, 0.25][..shape.channels].to_vec(),
        };
        let showing = Showing { seed: 1, epoch, example: 5 };
        let image = noise(shape);
        let scratch = &mut Scratch::default();
        augmentation.augment(&image, shape, &normalisation, showing, scratch, &mut out);
        out
    }

    /// A rotation by next to nothing takes the way of those who move by fractions of a pixel.
    #[test]
    fn whole_pixels_are_moved_as_by_the_affine_map() {
        let photos = Augmentation { crop: 5, ..Augmentation::photos(9) };
        for outside in [Outside::Black, Outside::Reflect] {
            for channels in 1..=3 {
                let shape = ImageShape { height: 9, width: 12, channels };
                let copied = Augmentation { outside, ..photos };
                let resampled = Augmentation { rotation: 1e-30, ..copied };
                for epoch in 0..20 {
                    let got = augmented(copied, shape, epoch);
                    let want = augmented(resampled, shape, epoch);
                    // Factors may be rounded otherwise: the results are below 4, f32 keeps 2^-22 of them.
                    let close = got.iter().zip(&want).all(|(a, b)| (a - b).abs() < 1e-6);
                    assert!(close, "{outside:?} {shape} epoch {epoch}");
                }
            }
        }
    }

    #[test]
    fn every_offset_is_drawn() {
        let shape = ImageShape::grey(3, 3);
        let crop = Augmentation { crop: 2, ..Augmentation::default() };
        let mut seen: Vec<[i32; 2]> = (0..2500)
            .map(|example| crop.draw_move(Showing { seed: 1, epoch: 0, example }).by)
            .collect();
        let still = seen.iter().filter(|by| **by == [0, 0]).count();
        // 100 expected of 25 kinds; five standard deviations are 49.
        assert!(still.abs_diff(100) < 49, "{still}");
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 25);
        assert_eq!(augmented(crop, shape, 1).len(), 9);
    }
}
