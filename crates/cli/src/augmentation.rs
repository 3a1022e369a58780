//! How training images are changed, from the command line.

use clap::{Args, ValueEnum};
use percept::data::{Augmentation, ImageShape, Mirror};
use percept::train::presets::augmentation_of_signs;

/// What a person can say of the changes; everything else is in a configuration's `[augmentation]`.
#[derive(Clone, Debug, Default, PartialEq, Args)]
#[group(id = "augmentation-settings", multiple = true)]
#[command(next_help_heading = "Augmentation")]
pub(crate) struct AugmentationSettings {
    /// Change the training images a little at random, each time anew
    #[arg(long, value_enum, value_name = "KIND")]
    pub(crate) augmentation: Option<Kind>,
    /// Mirror images left to right
    #[arg(long, value_enum)]
    mirror: Option<MirrorName>,
    /// Shift images by up to so many whole pixels
    #[arg(long, value_name = "PIXELS")]
    crop: Option<u32>,
    /// Erase a square of this side
    #[arg(long, value_name = "PIXELS")]
    erase: Option<u32>,
    /// So many operations of RandAugment on each image, and how strong (0 to 30, by default 9)
    #[arg(long, value_name = "COUNT[,MAGNITUDE]", value_parser = operations)]
    rand_augment: Option<[u32; 2]>,
    /// Mix images in pairs, in shares from Beta(ALPHA, ALPHA); 0.2 is usual
    #[arg(long, value_name = "ALPHA")]
    mixup: Option<f32>,
    /// Put a part of another image into each, in shares from Beta(ALPHA, ALPHA); 1 is usual
    #[arg(long, value_name = "ALPHA")]
    cutmix: Option<f32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Images stay as they are, but for what other options say
    Off,
    /// What the settings have; where that is nothing, what suits: photos for colour images, digits for grey ones
    On,
    /// Turned, scaled, slanted and shifted a little
    Digits,
    /// Mirrored in every second epoch and shifted by whole pixels
    Photos,
    /// As photos, with two operations of RandAugment and a square erased
    Strong,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum MirrorName {
    /// None
    Off,
    /// Half of them, drawn anew in each epoch
    Random,
    /// Each in every second epoch
    Alternating,
}

impl AugmentationSettings {
    /// These settings over `augmentation`, for images of a shape.
    pub(crate) fn over(&self, augmentation: Augmentation, shape: ImageShape) -> Augmentation {
        let side = shape.height.min(shape.width);
        let mut augmentation = match self.augmentation {
            Some(Kind::Off) => Augmentation::default(),
            Some(Kind::On) if augmentation.is_off() && shape.channels == 3 => {
                Augmentation::photos(side)
            }
            Some(Kind::On) if augmentation.is_off() => augmentation_of_signs(side),
            Some(Kind::Digits) => augmentation_of_signs(side),
            Some(Kind::Photos) => Augmentation::photos(side),
            Some(Kind::Strong) => Augmentation::strong(side),
            Some(Kind::On) | None => augmentation,
        };
        if let Some(mirror) = self.mirror {
            augmentation.mirror = match mirror {
                MirrorName::Off => Mirror::Off,
                MirrorName::Random => Mirror::Random,
                MirrorName::Alternating => Mirror::Alternating,
            };
        }
        augmentation.crop = self.crop.unwrap_or(augmentation.crop);
        augmentation.erase = self.erase.unwrap_or(augmentation.erase);
        if let Some([count, magnitude]) = self.rand_augment {
            (augmentation.operations, augmentation.operations_magnitude) = (count, magnitude);
        }
        augmentation.mixup = self.mixup.unwrap_or(augmentation.mixup);
        augmentation.cutmix = self.cutmix.unwrap_or(augmentation.cutmix);
        augmentation
    }
}

/// `2`, or `2,9`.
fn operations(text: &str) -> Result<[u32; 2], String> {
    let (count, magnitude) = text.split_once(',').unwrap_or((text, "9"));
    let number = |text: &str| text.trim().parse::<u32>();
    match (number(count), number(magnitude)) {
        (Ok(count), Ok(magnitude)) => Ok([count, magnitude]),
        _ => Err("expected a count such as `2`, or count and magnitude such as `2,9`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHOTO: ImageShape = ImageShape { height: 32, width: 40, channels: 3 };

    fn with(kind: Kind) -> AugmentationSettings {
        AugmentationSettings { augmentation: Some(kind), ..AugmentationSettings::default() }
    }

    #[test]
    fn kinds_fit_the_images() {
        let (off, digits) = (Augmentation::default(), Augmentation::digits());
        assert_eq!(with(Kind::On).over(off, PHOTO), Augmentation::photos(32));
        let grey = with(Kind::On).over(off, ImageShape::grey(56, 60));
        assert_eq!(grey, Augmentation { shift: 3.0, ..digits });
        assert_eq!(with(Kind::On).over(digits, PHOTO), digits);
        assert_eq!(with(Kind::Strong).over(digits, PHOTO), Augmentation::strong(32));
        assert!(with(Kind::Off).over(digits, PHOTO).is_off());
        assert_eq!(AugmentationSettings::default().over(digits, PHOTO), digits);
    }

    #[test]
    fn single_settings_come_on_top() {
        let settings = AugmentationSettings {
            mirror: Some(MirrorName::Random),
            crop: Some(2),
            mixup: Some(0.2),
            rand_augment: Some([1, 5]),
            ..with(Kind::Off)
        };
        let expected = Augmentation {
            mirror: Mirror::Random,
            crop: 2,
            mixup: 0.2,
            operations: 1,
            operations_magnitude: 5,
            ..Augmentation::default()
        };
        assert_eq!(settings.over(Augmentation::digits(), PHOTO), expected);
    }

    #[test]
    fn operations_are_one_number_or_two() {
        assert_eq!((operations("2"), operations("3, 14")), (Ok([2, 9]), Ok([3, 14])));
        for wrong in ["", "2,", "-1", "2,9,1", "two"] {
            assert!(operations(wrong).is_err(), "{wrong}");
        }
    }
}
