//! From grey levels to what a network reads.

use serde::{Deserialize, Serialize};

use crate::Error;

/// Mean and standard deviation of each channel, in units where black is 0 and white is 1.
///
/// A network reads `(x / 255 - mean) / std`, computed as one multiplication and one addition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalisation {
    /// Mean of each channel, usually in 0..=1.
    pub mean: Vec<f32>,
    /// Standard deviation of each channel; positive.
    pub std: Vec<f32>,
}

impl Normalisation {
    /// The mean and standard deviation of MNIST's training pixels.
    #[must_use]
    pub fn mnist() -> Self {
        Self { mean: vec![0.1307], std: vec![0.3081] }
    }

    /// Measures each channel over `pixels` ([.., channels], channels fastest). A channel that never varies gets std 1.
    ///
    /// # Panics
    /// When `channels` is zero.
    #[must_use]
    pub fn measure<'a>(images: impl Iterator<Item = &'a [u8]>, channels: usize) -> Self {
        assert!(channels > 0, "an image has at least one channel");
        let (mut count, mut sums) = (0u64, vec![(0u64, 0u64); channels]);
        for image in images {
            count += (image.len() / channels) as u64;
            for pixel in image.chunks_exact(channels) {
                for (sum, &value) in sums.iter_mut().zip(pixel) {
                    sum.0 += u64::from(value);
                    sum.1 += u64::from(value) * u64::from(value);
                }
            }
        }
        let count = count.max(1) as f64;
        let mean_and_std = |&(sum, squares): &(u64, u64)| {
            let mean = sum as f64 / count;
            let std = (squares as f64 / count - mean * mean).max(0.0).sqrt();
            ((mean / 255.0) as f32, if std > 0.0 { (std / 255.0) as f32 } else { 1.0 })
        };
        let (mean, std) = sums.iter().map(mean_and_std).unzip();
        Self { mean, std }
    }

    /// Checks that this fits images of `channels` channels.
    ///
    /// # Errors
    /// [`Error::Setting`] when a mean or std is missing, not finite, or a std is not positive.
    pub fn check(&self, channels: usize) -> Result<(), Error> {
        let expected = format!("{channels} finite numbers, one a channel");
        if self.mean.len() != channels || !self.mean.iter().all(|m| m.is_finite()) {
            return Err(Error::setting("mean", expected, format!("{:?}", self.mean)));
        }
        if self.std.len() != channels || !self.std.iter().all(|&s| s.is_finite() && s > 1e-6) {
            let expected = format!("{channels} positive numbers, one a channel");
            return Err(Error::setting("std", expected, format!("{:?}", self.std)));
        }
        Ok(())
    }

    /// Factor and offset of a channel: a grey level x in 0..=255 becomes `x * factor + offset`.
    #[must_use]
    pub fn factor_and_offset(&self, channel: usize) -> (f32, f32) {
        (1.0 / (255.0 * self.std[channel]), -self.mean[channel] / self.std[channel])
    }

    /// Writes the normalised values of `pixels` ([.., channels]) into `out`, of the same length.
    ///
    /// # Panics
    /// When the lengths differ or are not a multiple of the number of channels.
    pub fn apply(&self, pixels: &[u8], out: &mut [f32]) {
        let channels = self.mean.len();
        assert!(
            pixels.len() == out.len() && pixels.len().is_multiple_of(channels),
            "lengths differ"
        );
        if channels == 1 {
            let (factor, offset) = self.factor_and_offset(0);
            for (value, &pixel) in out.iter_mut().zip(pixels) {
                *value = f32::from(pixel) * factor + offset;
            }
            return;
        }
        for channel in 0..channels {
            let (factor, offset) = self.factor_and_offset(channel);
            let of_channel = pixels[channel..].iter().step_by(channels);
            for (value, &pixel) in out[channel..].iter_mut().step_by(channels).zip(of_channel) {
                *value = f32::from(pixel) * factor + offset;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_formula() {
        let norm = Normalisation { mean: vec![0.5, 0.1, 0.0], std: vec![0.5, 0.2, 1.0] };
        let mut out = [0.0; 6];
        norm.apply(&[0, 51, 255, 255, 0, 0], &mut out);
        // (x/255 - mean) / std by hand; the difference is the rounding of one multiplication and one addition.
        for (got, want) in out.iter().zip([-1.0, 0.5, 1.0, 1.0, -0.5, 0.0]) {
            assert!((got - want).abs() < 1e-6, "{got} {want}");
        }
    }

    #[test]
    fn measures_each_channel() {
        let images: [&[u8]; 2] = [&[0, 10], &[255, 10]];
        let norm = Normalisation::measure(images.into_iter(), 2);
        assert_eq!(norm, Normalisation { mean: vec![0.5, 10.0 / 255.0], std: vec![0.5, 1.0] });
    }

    #[test]
    fn nonsense_is_refused() {
        for (mean, std) in [(vec![], vec![]), (vec![f32::NAN], vec![1.0]), (vec![0.0], vec![0.0])] {
            assert!(Normalisation { mean, std }.check(1).is_err());
        }
        assert!(Normalisation::mnist().check(1).is_ok());
    }
}
