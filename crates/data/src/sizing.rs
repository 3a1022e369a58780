//! How a picture of any size becomes an image of one size.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::resize::resize;
use crate::{Error, ImageShape, Picture, digit};

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
    /// The whole picture is scaled, with its own proportions, into the middle; what stays free is black.
    Letterbox,
}

/// The size of a network's input, and how pictures are brought to it. Training and prediction prepare pictures by the same
/// `Sizing`, and so to the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizing {
    /// The network's input.
    pub input: ImageShape,
    /// How pictures are brought to that size.
    pub fit: Fit,
}

impl Sizing {
    /// Checks that the parts fit each other; for values that come from a file or a person.
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
        Ok(())
    }

    /// What the network sees of a picture: u8 [height, width, channels] of [`Self::input`].
    ///
    /// # Errors
    /// [`Error::Blank`] when a digit was expected and nothing is drawn; [`Error::Setting`] as [`Self::check`].
    pub fn prepare(&self, picture: &Picture) -> Result<Vec<u8>, Error> {
        self.check()?;
        if let (3, 1) = (self.input.channels, picture.shape().channels) {
            // Three equal channels are scaled like one: so nothing of the picture's own size is held three times.
            let input = ImageShape { channels: 1, ..self.input };
            let grey = Self { input, ..*self }.prepare(picture)?;
            return Ok(grey.into_iter().flat_map(|grey| [grey; 3]).collect());
        }
        let picture = match (self.input.channels, picture.shape().channels) {
            (1, 3) => Cow::Owned(picture.to_grey()),
            _ => Cow::Borrowed(picture),
        };
        let (height, width) = (self.input.height, self.input.width);
        match self.fit {
            Fit::Digit => digit::prepare(&picture),
            Fit::Stretch => Ok(scaled(picture.pixels(), picture.shape(), height, width)),
            Fit::Crop => {
                let (shape, pixels) = self.cut_middle(&picture);
                Ok(scaled(&pixels, shape, height, width))
            }
            Fit::Letterbox => Ok(self.letterbox(&picture)),
        }
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

    fn letterbox(&self, picture: &Picture) -> Vec<u8> {
        let ImageShape { height, width, channels } = self.input;
        let shape = picture.shape();
        let side = |of: usize, by: usize, over: usize| {
            ((of as f64 * by as f64 / over as f64).round() as usize).clamp(1, of.max(by))
        };
        // The side that fills the input, and the other in proportion.
        let (h, w) = match shape.height * width > shape.width * height {
            true => (height, side(shape.width, height, shape.height).min(width)),
            false => (side(shape.height, width, shape.width).min(height), width),
        };
        let inner = scaled(picture.pixels(), shape, h, w);
        let (top, left) = ((height - h) / 2, (width - w) / 2);
        let mut out = vec![0; self.input.len()];
        let rows = out.chunks_exact_mut(width * channels).skip(top);
        for (row, inner) in rows.zip(inner.chunks_exact(w * channels)) {
            row[left * channels..(left + w) * channels].copy_from_slice(inner);
        }
        out
    }
}

fn scaled(pixels: &[u8], shape: ImageShape, height: usize, width: usize) -> Vec<u8> {
    if (shape.height, shape.width) == (height, width) {
        return pixels.to_vec();
    }
    let resized = resize(pixels, shape, height, width);
    resized.into_iter().map(|p| p.round() as u8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepare(fit: Fit, input: ImageShape, picture: &Picture) -> Vec<u8> {
        Sizing { input, fit }.prepare(picture).unwrap()
    }

    #[test]
    fn crop_keeps_the_middle_and_stretch_keeps_all() {
        let wide = Picture::new(ImageShape::grey(2, 4), vec![0, 8, 16, 99, 0, 8, 16, 99]).unwrap();
        let input = ImageShape::grey(1, 1);
        assert_eq!(prepare(Fit::Crop, input, &wide), [12]);
        assert_eq!(prepare(Fit::Stretch, input, &wide), [31]); // 123 / 4
    }

    #[test]
    fn grey_becomes_three_equal_channels() {
        let shape = ImageShape::grey(7, 9);
        let grey = Picture::new(shape, (0..63).map(|at| at * 4).collect()).unwrap();
        for fit in [Fit::Stretch, Fit::Crop, Fit::Letterbox] {
            let input = ImageShape::colour(4, 5);
            assert_eq!(prepare(fit, input, &grey), prepare(fit, input, &grey.to_colour()));
        }
    }

    #[test]
    fn letterbox_keeps_proportions_and_fills_with_black() {
        let wide = Picture::new(ImageShape::grey(2, 4), vec![2, 8, 16, 90, 4, 10, 18, 92]).unwrap();
        // Halved to one row of two: the means of the left and of the right four, under and over a black row.
        let seen = prepare(Fit::Letterbox, ImageShape::grey(3, 2), &wide);
        assert_eq!(seen, [0, 0, 6, 54, 0, 0]);
        // A column of colour in a square: as high as the square, a third of it wide.
        let red = Picture::new(ImageShape::colour(3, 1), [255, 0, 0].repeat(3)).unwrap();
        let seen = prepare(Fit::Letterbox, ImageShape::colour(3, 3), &red);
        assert_eq!(seen, [[0, 0, 0], [255, 0, 0], [0, 0, 0]].concat().repeat(3));
        // However thin, something is seen.
        let thin = Picture::new(ImageShape::grey(1000, 1), vec![200; 1000]).unwrap();
        let seen = prepare(Fit::Letterbox, ImageShape::grey(4, 4), &thin);
        assert_eq!(seen.iter().filter(|&&p| p == 200).count(), 4);
    }

    #[test]
    fn colour_and_grey_follow_the_network() {
        let red = Picture::new(ImageShape::colour(1, 1), vec![255, 0, 0]).unwrap();
        assert_eq!(prepare(Fit::Stretch, ImageShape::grey(1, 1), &red), [76]);
        let grey = Picture::new(ImageShape::grey(1, 1), vec![7]).unwrap();
        assert_eq!(prepare(Fit::Stretch, ImageShape::colour(1, 1), &grey), [7, 7, 7]);
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        let check = |fit, input| Sizing { input, fit }.check();
        let error = check(Fit::Digit, ImageShape::grey(32, 32)).unwrap_err();
        assert_eq!(error.to_string(), "the input shape for digits must be 28x28x1, but is 32x32x1");
        assert!(check(Fit::Stretch, ImageShape::grey(0, 1)).is_err());
        let two = ImageShape { height: 1, width: 1, channels: 2 };
        assert!(check(Fit::Stretch, two).is_err());
    }
}
