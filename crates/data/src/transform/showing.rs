//! What names the random numbers of one image.

use percept_kernels::random::{Draws, Purpose};

/// One showing of an example to the network: what its random changes depend on, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Showing {
    /// The run's seed.
    pub seed: u64,
    /// The epoch, counted from 0.
    pub epoch: u32,
    /// The example's index in its data set.
    pub example: u64,
}

impl Showing {
    pub(crate) fn draws(self, purpose: Purpose) -> Draws {
        Draws::new(self.seed, purpose, self.epoch, self.example)
    }
}
