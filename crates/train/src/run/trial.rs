//! Steps outside the cycle: what they learn is thrown away.

use super::Run;
use crate::batch::LoaderSource;
use percept_nn::diverged::Diverged;
use percept_nn::engine::StepReport;

/// Batch after batch of a run's training examples, for as long as anybody asks.
#[derive(Debug, Default)]
pub(super) struct Trial {
    /// Epochs begun.
    epochs: u32,
    order: Vec<u32>,
    /// Examples of `order` that were taken.
    taken: usize,
}

impl Trial {
    /// A step on the next batch, with `factor` times the configured learning rate.
    pub(super) fn step(&mut self, run: &mut Run, factor: f64) -> Result<StepReport, Diverged> {
        if self.taken == self.order.len() {
            (self.order, self.taken) = (run.loader.order(self.epochs), 0);
            self.epochs += 1;
        }
        let rest = &self.order[self.taken..];
        let examples = &rest[..rest.len().min(run.config.batch_size)];
        self.taken += examples.len();
        let (loader, scratch) = (&run.loader, &run.scratch);
        let source = LoaderSource { loader, epoch: self.epochs - 1, examples, scratch };
        run.engine.step(&source, examples.len(), factor)
    }
}
