//! The memory that augmentation works in.

use percept_kernels::isa::Isa;

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
    pub(super) levels: Levels,
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
}
