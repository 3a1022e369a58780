//! What happens to a picture before the network sees it; kept in model files.

use serde::{Deserialize, Serialize};

use crate::resize::resize;
use crate::{Error, ImageShape, Normalisation, Picture, digit};

/// How a picture of any size is brought to the network's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fit {
    /// As MNIST was made: light ink on black, cropped to the ink, centred. Needs an input of 28x28 grey.
    Digit,
    /// Height and width are scaled on their own.
    Stretch,
    /// The largest part in the middle with the input's proportions is cut out and scaled.
    Crop,
}

/// Everything between a picture and the network's input. It is stored with a model, and applied to whatever the model is shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    /// The network's input.
    pub input: ImageShape,
    /// How pictures are brought to that size.
    pub fit: Fit,
    /// How grey levels become the network's numbers.
    pub normalisation: Normalisation,
}

impl Preprocessing {
    /// For networks trained on MNIST.
    #[must_use]
    pub fn mnist() -> Self {
        let input = ImageShape::grey(digit::SIDE, digit::SIDE);
        Self { input, fit: Fit::Digit, normalisation: Normalisation::mnist() }
    }

    /// Checks that the parts fit each other; for values that come from a file.
    ///
    /// # Errors
    /// [`Error::Setting`] naming the part that does not fit.
    pub fn check(&self) -> Result<(), Error> {
        let ImageShape { height, width, channels } = self.input;
        let sides = 1..=crate::MAX_SIDE as usize;
        if !sides.contains(&height) || !sides.contains(&width) || !matches!(channels, 1 | 3) {
            let expected = format!("at most {0}x{0} pixels, with 1 or 3 channels", crate::MAX_SIDE);
            return Err(Error::setting("the input shape", expected, self.input));
        }
        if self.fit == Fit::Digit && self.input != ImageShape::grey(digit::SIDE, digit::SIDE) {
            return Err(Error::setting("the input shape for digits", "28x28x1", self.input));
        }
        self.normalisation.check(channels)
    }

    /// What the network sees of a picture, before normalisation: u8 [height, width, channels] of [`Self::input`].
    ///
    /// ```
    /// use percept_data::{ImageShape, Picture, Preprocessing};
    /// let mut pixels = vec![255; 50 * 50]; // black ink on white paper: a vertical stroke
    /// (10..40).for_each(|y| pixels[y * 50 + 20..y * 50 + 24].fill(0));
    /// let picture = Picture::new(ImageShape::grey(50, 50), pixels)?;
    /// let seen = Preprocessing::mnist().prepare(&picture)?;
    /// assert_eq!((seen[14 * 28 + 14], seen[0]), (255, 0)); // light ink on black, centred
    /// # Ok::<(), percept_data::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Blank`] when a digit was expected and nothing is drawn; [`Error::Setting`] as [`Self::check`].
    pub fn prepare(&self, picture: &Picture) -> Result<Vec<u8>, Error> {
        self.check()?;
        let picture = match self.input.channels {
            1 => picture.to_grey(),
            _ => picture.to_colour(),
        };
        match self.fit {
            Fit::Digit => digit::prepare(&picture),
            Fit::Stretch => Ok(self.stretch(picture.pixels(), picture.shape())),
            Fit::Crop => {
                let (shape, pixels) = self.cut_middle(&picture);
                Ok(self.stretch(&pixels, shape))
            }
        }
    }

    /// [`Self::prepare`], then normalised: f32 [height, width, channels].
    ///
    /// # Errors
    /// As [`Self::prepare`].
    pub fn prepare_normalised(&self, picture: &Picture) -> Result<Vec<f32>, Error> {
        let pixels = self.prepare(picture)?;
        let mut out = vec![0.0; pixels.len()];
        self.normalisation.apply(&pixels, &mut out);
        Ok(out)
    }

    fn stretch(&self, pixels: &[u8], shape: ImageShape) -> Vec<u8> {
        if shape == self.input {
            return pixels.to_vec();
        }
        let pixels: Vec<f32> = pixels.iter().map(|&p| f32::from(p)).collect();
        let resized = resize(&pixels, shape, self.input.height, self.input.width);
        resized.into_iter().map(|p| p.round() as u8).collect()
    }

    fn cut_middle(&self, picture: &Picture) -> (ImageShape, Vec<u8>) {
        let ImageShape { height, width, channels } = picture.shape();
        let (h, w) = (self.input.height, self.input.width);
        let (h, w) = match height * w > width * h {
            true => ((width * h / w).max(1), width),
            false => (height, (height * w / h).max(1)),
        };
        let (top, left) = ((height - h) / 2, (width - w) / 2);
        let rows = picture.pixels().chunks_exact(width * channels).skip(top).take(h);
        let pixels = rows.flat_map(|row| &row[left * channels..(left + w) * channels]).copied();
        (ImageShape { height: h, width: w, channels }, pixels.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(fit: Fit, input: ImageShape) -> Preprocessing {
        let mean = vec![0.0; input.channels];
        let std = vec![1.0; input.channels];
        Preprocessing { input, fit, normalisation: Normalisation { mean, std } }
    }

    #[test]
    fn crop_keeps_the_middle_and_stretch_keeps_all() {
        let wide = Picture::new(ImageShape::grey(2, 4), vec![0, 8, 16, 99, 0, 8, 16, 99]).unwrap();
        let prepare = |f| fit(f, ImageShape::grey(1, 1)).prepare(&wide).unwrap();
        assert_eq!(prepare(Fit::Crop), [12]);
        assert_eq!(prepare(Fit::Stretch), [31]); // 123 / 4
    }

    #[test]
    fn colour_and_grey_follow_the_network() {
        let red = Picture::new(ImageShape::colour(1, 1), vec![255, 0, 0]).unwrap();
        assert_eq!(fit(Fit::Stretch, ImageShape::grey(1, 1)).prepare(&red).unwrap(), [76]);
        let grey = Picture::new(ImageShape::grey(1, 1), vec![7]).unwrap();
        let seen = fit(Fit::Stretch, ImageShape::colour(1, 1)).prepare(&grey).unwrap();
        assert_eq!(seen, [7, 7, 7]);
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        let error = fit(Fit::Digit, ImageShape::grey(32, 32)).check().unwrap_err();
        assert_eq!(error.to_string(), "the input shape for digits must be 28x28x1, but is 32x32x1");
        assert!(fit(Fit::Stretch, ImageShape::grey(0, 1)).check().is_err());
        assert!(
            fit(Fit::Stretch, ImageShape { height: 1, width: 1, channels: 2 }).check().is_err()
        );
    }
}
