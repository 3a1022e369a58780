//! A loader's examples as the engine's and predictor's source.

use percept_data::{Loader, LoaderScratch};
use percept_nn::source::Source;
use std::sync::{Mutex, PoisonError};

/// Examples of a loader, by position in `examples`.
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
    fn label(&self, position: usize) -> u32 {
        self.loader.dataset().label(self.examples[position] as usize)
    }

    fn fill(&self, worker: usize, first: usize, pixels: &mut [f32], labels: &mut [u32]) {
        let mut scratch = self.scratch[worker].lock().unwrap_or_else(PoisonError::into_inner);
        let examples = &self.examples[first..first + labels.len()];
        self.loader.fill(self.epoch, examples, &mut scratch, pixels, labels);
    }
}
