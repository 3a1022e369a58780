//! What happens to a picture before the network sees it; kept in model files.

use serde::{Deserialize, Serialize};

use crate::{Error, Fit, ImageShape, Normalisation, Picture, Sizing, digit};

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

    /// Size and fit alone.
    #[must_use]
    pub fn sizing(&self) -> Sizing {
        Sizing { input: self.input, fit: self.fit }
    }

    /// Checks that the parts fit each other; for values that come from a file.
    ///
    /// # Errors
    /// [`Error::Setting`] naming the part that does not fit.
    pub fn check(&self) -> Result<(), Error> {
        self.sizing().check()?;
        self.normalisation.check(self.input.channels)
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
        self.sizing().prepare(picture)
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
}
