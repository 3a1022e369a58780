//! Augmentation: a slightly different image each epoch, so that the network learns what does not matter.
//!
//! All changes of one image are composed into one map from output to input positions, and the image is resampled once.

mod affine;
mod elastic;
mod resample;

use percept_kernels::random::Draws;
use serde::{Deserialize, Serialize};

use crate::{Error, ImageShape, Normalisation};
pub use affine::Affine;
pub use resample::Scratch;

/// How far an image may be changed at random. Everything defaults to 0, which means off.
///
/// Each image draws its own values, uniformly between minus and plus the setting (the scale of each axis from
/// `1 - scale` to `1 + scale`). All channels of an image are changed alike.
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
    /// Whether half of the images are mirrored, left to right.
    pub mirror: bool,
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

    /// What suits photographs: mirrored or not, and shifted by up to an eighth of `side`, the shorter side in pixels, as has
    /// been usual for CIFAR-10 since He et al. 2016 (there 4 of 32 pixels); what comes in from outside is a reflection.
    #[must_use]
    pub fn photos(side: usize) -> Self {
        let shift = side as f32 / 8.0;
        Self { shift, mirror: true, outside: Outside::Reflect, ..Self::default() }
    }

    /// Whether images stay as they are.
    #[must_use]
    pub fn is_off(&self) -> bool {
        !self.moves() && self.elastic_strength == 0.0 && !self.mirror
    }

    fn moves(&self) -> bool {
        [self.rotation, self.scale, self.shear, self.shift].iter().any(|&setting| setting != 0.0)
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

    /// The map of one image. Always draws six numbers, so that changing one setting leaves the others' draws alone.
    fn draw_affine(&self, shape: ImageShape, draws: &mut Draws) -> Affine {
        let mut within = |range: f32| draws.uniform_in(-range, range);
        let change = affine::Change {
            rotation: within(self.rotation),
            scale: [1.0 + within(self.scale), 1.0 + within(self.scale)],
            shear: within(self.shear),
            shift: [within(self.shift), within(self.shift)],
        };
        Affine::about_centre(&change, shape)
    }

    /// Writes `image`, changed at random and normalised, into `out`.
    ///
    /// The result depends only on the image, the settings and `draws`. Nothing is allocated once `scratch` has seen an
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
        draws: &mut Draws,
        scratch: &mut Scratch,
        out: &mut [f32],
    ) {
        assert!(image.len() == shape.len() && out.len() == shape.len(), "image is not of {shape}");
        assert_eq!(normalisation.mean.len(), shape.channels, "normalisation has other channels");
        if self.is_off() {
            return normalisation.apply(image, out);
        }
        let mut affine = self.draw_affine(shape, draws);
        let elastic = self.elastic_strength > 0.0;
        if elastic {
            let (strength, smoothness) = (self.elastic_strength, self.elastic_smoothness);
            scratch.elastic.draw(shape, strength, smoothness, draws);
        }
        if self.mirror && draws.below(2) == 1 {
            affine = affine.mirrored(shape);
        }
        let map = resample::Map { affine: &affine, elastic, outside: self.outside };
        resample::resample(image, shape, &map, normalisation, scratch, out);
    }
}
