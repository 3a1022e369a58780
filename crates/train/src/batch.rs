//! A loader's examples as the engine's and predictor's source.

use percept_data::{Loader, LoaderScratch, mirror_images};
use percept_nn::loss::Target;
use percept_nn::source::Source;
use std::sync::{Mutex, PoisonError};

/// Examples of a loader, by position in `examples`: a batch, whose examples may be mixed with each other.
pub(crate) struct LoaderSource<'a> {
    pub loader: &'a Loader,
    pub epoch: u32,
    pub examples: &'a [u32],
    /// Scratch memory of each worker. A worker locks its own alone, so it never waits.
    pub scratch: &'a [Mutex<LoaderScratch>],
}

/// Scratch memory for so many workers.
pub(crate) fn scratch(workers: usize) -> Vec<Mutex<LoaderScratch>> {
    (0..workers).map(|_| Mutex::default()).collect()
}

impl Source<f32> for LoaderSource<'_> {
    fn target(&self, position: usize) -> Target {
        let label = |position: usize| self.loader.dataset().label(self.examples[position] as usize);
        match self.loader.mix(self.epoch, self.examples, position) {
            None => label(position).into(),
            Some(mix) => {
                Target { label: label(position), other: label(mix.partner), share: mix.share }
            }
        }
    }

    fn fill(&self, worker: usize, first: usize, pixels: &mut [f32], targets: &mut [Target]) {
        let mut scratch = self.scratch[worker].lock().unwrap_or_else(PoisonError::into_inner);
        let range = first..first + targets.len();
        self.loader.fill(self.epoch, self.examples, range.clone(), &mut scratch, pixels);
        targets.iter_mut().zip(range).for_each(|(to, position)| *to = self.target(position));
    }
}

/// The examples of another source, mirrored left to right.
pub(crate) struct Mirrored<'a>(pub LoaderSource<'a>);

impl Source<f32> for Mirrored<'_> {
    fn target(&self, position: usize) -> Target {
        self.0.target(position)
    }

    fn fill(&self, worker: usize, first: usize, pixels: &mut [f32], targets: &mut [Target]) {
        self.0.fill(worker, first, pixels, targets);
        mirror_images(pixels, self.0.loader.dataset().shape());
    }
}
