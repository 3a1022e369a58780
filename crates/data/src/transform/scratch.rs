//! The memory that augmentation works in.

use percept_kernels::isa::Isa;

use super::colour::Tone;
use super::elastic::Field;
use super::resample::Planes;
use crate::{ImageShape, Normalisation};

/// Memory that [`super::Augmentation::augment`] works in; reuse it to save allocations.
#[derive(Clone, Debug)]
pub struct Scratch {
    pub(super) isa: Isa,
    /// The elastic displacement of each output pixel.
    pub(super) elastic: Field,
    pub(super) planes: Planes,
    /// An image that was moved by whole pixels.
    pub(super) moved: Vec<u8>,
    /// From grey levels to what a network reads.
    pub(super) levels: Levels,
    /// From grey levels to shares of white, in which colours are changed.
    pub(super) shares: Levels,
    /// The changes of colour of one image.
    pub(super) tones: Vec<Tone>,
    /// An image that is still needed while it is changed.
    pub(super) spare: Vec<f32>,
}

impl Default for Scratch {
    fn default() -> Self {
        Self {
            // Which one it is decides the time alone, so a wrong name in the environment is left for others to report.
            isa: Isa::chosen().unwrap_or(Isa::SCALAR),
            elastic: Field::default(),
            planes: Planes::default(),
            moved: Vec::new(),
            levels: Levels::default(),
            shares: Levels::default(),
            tones: Vec::new(),
            spare: Vec::new(),
        }
    }
}

/// Factors and offsets of a row of grey levels: those of its pixels' channels, over and over.
#[derive(Clone, Debug, Default)]
pub(super) struct Levels {
    made_for: Option<(Normalisation, usize)>,
    pub factors: Vec<f32>,
    pub offsets: Vec<f32>,
}

impl Levels {
    pub(super) fn prepare(&mut self, normalisation: &Normalisation, shape: ImageShape) {
        if self.made_for.as_ref().is_some_and(|(n, w)| n == normalisation && *w == shape.width) {
            return;
        }
        let channels = (0..shape.channels).map(|channel| normalisation.factor_and_offset(channel));
        let row = channels.cycle().take(shape.width * shape.channels);
        (self.factors, self.offsets) = row.unzip();
        self.made_for = Some((normalisation.clone(), shape.width));
    }

    /// Shares of white.
    pub(super) fn prepare_shares(&mut self, shape: ImageShape) {
        self.factors.resize(shape.width * shape.channels, 1.0 / 255.0);
        self.offsets.resize(shape.width * shape.channels, 0.0);
    }

    /// Makes of shares of white what a network reads.
    pub(super) fn apply_to_shares(&self, image: &mut [f32]) {
        for row in image.chunks_exact_mut(self.factors.len()) {
            for ((x, factor), offset) in row.iter_mut().zip(&self.factors).zip(&self.offsets) {
                *x = *x * (255.0 * factor) + offset;
            }
        }
    }
}
