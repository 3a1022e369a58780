//! The settings of augmentation.

use serde::{Deserialize, Serialize};

use super::{Mirror, rand_augment};
use crate::Error;

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
    /// Side in pixels of a square that is filled with the mean colour (0, once normalised), 0..=1000. Its middle is any pixel
    /// of the image, and what lies outside is cut off: cutout (DeVries and Taylor 2017).
    pub erase: u32,
    /// Brightness: all levels are multiplied by 1 - `brightness` to 1 + `brightness`, 0..=1. This and the next three are
    /// torchvision's `ColorJitter`, in a random order.
    pub brightness: f32,
    /// Contrast: the distance from the image's mean grey is multiplied by 1 - `contrast` to 1 + `contrast`, 0..=1.
    pub contrast: f32,
    /// Saturation: the distance from each pixel's grey is multiplied by 1 - `saturation` to 1 + `saturation`, 0..=1.
    pub saturation: f32,
    /// Hue: colours are turned by -`hue` to `hue` of the colour circle, 0..=0.5.
    pub hue: f32,
    /// How many operations of RandAugment (Cubuk et al. 2019) each image goes through, 0..=10; the paper has 2. They are
    /// drawn from torchvision's list: identity, shear and translation along each axis, rotation, brightness, colour,
    /// contrast, sharpness, posterize, solarize, autocontrast, equalize.
    pub operations: u32,
    /// How strong these are, 0..=30, where 30 is the whole range: shear by 0.3, translation by 150/331 of the side, rotation
    /// by 30 degrees, factors of 0.1 and 1.9, 4 of 8 bits, inversion of all levels.
    pub operations_magnitude: u32,
    /// Mixes images in pairs (mixup, Zhang et al. 2018): one of each pair counts for a share drawn from Beta(`mixup`,
    /// `mixup`), the other for the rest, in pixels and in the label. 0..=100; the paper has 0.1 to 1.
    pub mixup: f32,
    /// Puts a part of another image into each (CutMix, Yun et al. 2019): the share of the label that stays is drawn from
    /// Beta(`cutmix`, `cutmix`) and then counted in pixels. 0..=100; the paper has 1. Where `mixup` is not 0 either, each
    /// batch is mixed in one of the two ways, drawn anew.
    pub cutmix: f32,
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

    /// What suits photographs where training is long or examples are few: [`Self::photos`], two operations of RandAugment of
    /// magnitude 9 and a square of a quarter of `side` erased.
    #[must_use]
    pub fn strong(side: usize) -> Self {
        let erase = (side / 4) as u32;
        Self { erase, operations: 2, operations_magnitude: 9, ..Self::photos(side) }
    }

    /// Whether images stay as they are.
    #[must_use]
    pub fn is_off(&self) -> bool {
        !self.resamples()
            && !self.moves_whole_pixels()
            && !self.jitters()
            && !self.mixes()
            && [self.erase, self.operations] == [0; 2]
    }

    /// Whether images are mixed with each other.
    #[must_use]
    pub fn mixes(&self) -> bool {
        self.mixup > 0.0 || self.cutmix > 0.0
    }

    /// Whether pixels are moved by fractions of a pixel.
    pub(super) fn resamples(&self) -> bool {
        [self.rotation, self.scale, self.shear, self.shift, self.elastic_strength]
            .iter()
            .any(|&setting| setting != 0.0)
    }

    pub(super) fn moves_whole_pixels(&self) -> bool {
        self.crop != 0 || self.mirror != Mirror::Off
    }

    /// Whether brightness or colours are changed.
    pub(super) fn jitters(&self) -> bool {
        [self.brightness, self.contrast, self.saturation, self.hue] != [0.0; 4]
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
            ("erase", self.erase as f32, 1000.0),
            ("brightness", self.brightness, 1.0),
            ("contrast", self.contrast, 1.0),
            ("saturation", self.saturation, 1.0),
            ("hue", self.hue, 0.5),
            ("operations", self.operations as f32, 10.0),
            ("operations-magnitude", self.operations_magnitude as f32, rand_augment::MOST as f32),
            ("mixup", self.mixup, 100.0),
            ("cutmix", self.cutmix, 100.0),
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
}
