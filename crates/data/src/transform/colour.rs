//! Changes of brightness and colour, as torchvision defines them for images of floating-point numbers.
//!
//! An image here is f32 [height, width, channels], black 0 and white 1. Three channels are red, green and blue; an image
//! with another number of them has no colour, and what changes colour leaves it alone.

use super::tones;
use crate::ImageShape;

/// A change of brightness or colour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Tone {
    /// Multiplies by a factor.
    Brightness(f32),
    /// Moves away from the mean grey of the image (a factor above 1) or towards it.
    Contrast(f32),
    /// Moves each pixel away from its own grey or towards it.
    Saturation(f32),
    /// Turns the colour circle by a share of it.
    Hue(f32),
    /// Moves away from the blurred image or towards it.
    Sharpness(f32),
    /// Keeps so many of 8 bits.
    Posterize(u32),
    /// Inverts what is as bright as this or brighter.
    Solarize(f32),
    /// Stretches each channel to the whole range from black to white.
    AutoContrast,
    /// Gives each channel an even histogram.
    Equalize,
}

impl Tone {
    /// Changes the image; `spare` is memory to work in.
    pub(super) fn apply(self, image: &mut [f32], shape: ImageShape, spare: &mut Vec<f32>) {
        match self {
            Self::Brightness(factor) => blend(image, factor, |_| 0.0),
            Self::Contrast(factor) => {
                let mean = mean_grey(image, shape);
                blend(image, factor, |_| mean);
            }
            Self::Saturation(factor) => {
                for pixel in pixels(image, shape) {
                    let grey = grey(*pixel);
                    blend(pixel, factor, |_| grey);
                }
            }
            Self::Hue(turn) => pixels(image, shape).iter_mut().for_each(|p| *p = turned(*p, turn)),
            Self::Sharpness(factor) => tones::sharpen(image, shape, factor, spare),
            Self::Posterize(bits) => tones::posterize(image, bits),
            Self::Solarize(threshold) => tones::solarize(image, threshold),
            Self::AutoContrast => tones::auto_contrast(image, shape),
            Self::Equalize => tones::equalize(image, shape),
        }
    }
}

/// `factor` of each number and 1 - `factor` of its other, within black and white.
pub(super) fn blend(image: &mut [f32], factor: f32, other: impl Fn(usize) -> f32) {
    for (at, x) in image.iter_mut().enumerate() {
        *x = (factor * *x + (1.0 - factor) * other(at)).clamp(0.0, 1.0);
    }
}

/// The pixels of a colour image; none where there is no colour.
fn pixels(image: &mut [f32], shape: ImageShape) -> &mut [[f32; 3]] {
    if shape.channels == 3 { image.as_chunks_mut().0 } else { &mut [] }
}

/// The luma of ITU-R BT.601 with torchvision's digits.
fn grey([red, green, blue]: [f32; 3]) -> f32 {
    0.2989 * red + 0.587 * green + 0.114 * blue
}

fn mean_grey(image: &[f32], shape: ImageShape) -> f32 {
    let sum: f64 = if shape.channels == 3 {
        image.as_chunks().0.iter().map(|pixel| f64::from(grey(*pixel))).sum()
    } else {
        image.iter().map(|x| f64::from(*x) / shape.channels as f64).sum()
    };
    (sum / (shape.height * shape.width) as f64) as f32
}

/// A colour with its hue turned by a share of the circle, -0.5 to 0.5, by way of hue, saturation and value.
fn turned([red, green, blue]: [f32; 3], turn: f32) -> [f32; 3] {
    let value = red.max(green).max(blue);
    let range = value - red.min(green).min(blue);
    if range == 0.0 {
        return [red, green, blue];
    }
    let sixth = if value == red {
        (green - blue) / range
    } else if value == green {
        2.0 + (blue - red) / range
    } else {
        4.0 + (red - green) / range
    };
    // Between -4 and 8; comparing is much faster than a remainder.
    let hue = sixth + 6.0 * turn;
    let hue = if hue < 0.0 { hue + 6.0 } else { hue };
    let hue = if hue >= 6.0 { hue - 6.0 } else { hue };
    let saturation = range / value;
    let within = hue - hue as u32 as f32;
    let low = value * (1.0 - saturation);
    let falling = value * (1.0 - saturation * within);
    let rising = value * (1.0 - saturation * (1.0 - within));
    match hue as u32 {
        1 => [falling, value, low],
        2 => [low, value, rising],
        3 => [low, falling, value],
        4 => [rising, low, value],
        5 => [value, low, falling],
        _ => [value, rising, low],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Fixture {
        cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        name: String,
        shape: [usize; 3],
        change: String,
        parameter: Option<f32>,
        levels: Vec<u8>,
        output: Vec<f32>,
    }

    fn tone(change: &str, parameter: Option<f32>) -> Tone {
        let factor = parameter.unwrap_or_default();
        match change {
            "adjust_brightness" => Tone::Brightness(factor),
            "adjust_contrast" => Tone::Contrast(factor),
            "adjust_saturation" => Tone::Saturation(factor),
            "adjust_hue" => Tone::Hue(factor),
            "adjust_sharpness" => Tone::Sharpness(factor),
            "posterize" => Tone::Posterize(factor as u32),
            "solarize" => Tone::Solarize(factor),
            "autocontrast" => Tone::AutoContrast,
            "equalize" => Tone::Equalize,
            _ => panic!("{change} is no change of colour"),
        }
    }

    /// What torchvision makes of the same images in f64 (see `golden/README.md`).
    #[test]
    fn changes_are_those_of_torchvision() {
        let text = include_str!("../../../../golden/fixtures/colour.json");
        let fixture: Fixture = serde_json::from_str(text).unwrap();
        assert_eq!(fixture.cases.len(), 21);
        for case in fixture.cases {
            let [height, width, channels] = case.shape;
            let shape = ImageShape { height, width, channels };
            let mut image: Vec<f32> =
                case.levels.iter().map(|&level| f32::from(level) / 255.0).collect();
            tone(&case.change, case.parameter).apply(&mut image, shape, &mut Vec::new());
            for (at, (got, want)) in image.iter().zip(&case.output).enumerate() {
                // A few roundings of f32 near 1; a hue is found by dividing by the range of a pixel, which makes more of them.
                assert!((got - want).abs() < 2e-6, "{} at {at}: {got} {want}", case.name);
            }
        }
    }

    /// The last must not run into a hue of one whole circle, nor a range into a division by 0.
    #[test]
    fn colours_at_the_corners_stay_colours() {
        for turn in [0.0, -0.5, 0.5, -1e-9, 1.0 / 6.0] {
            for corner in 0..8 {
                let pixel = [corner & 1, corner >> 1 & 1, corner >> 2].map(|x| x as f32);
                let got = turned(pixel, turn);
                assert!(got.iter().all(|x| (0.0..=1.0).contains(x)), "{pixel:?} {turn} {got:?}");
            }
        }
        // A third from red is green; f32 knows a third to 1e-8, and six times that is the error.
        let green = turned([1.0, 0.0, 0.0], 1.0 / 3.0);
        let close =
            green.iter().zip([0.0, 1.0, 0.0]).all(|(a, b): (&f32, f32)| (a - b).abs() < 1e-6);
        assert!(close, "{green:?}");
    }
}
