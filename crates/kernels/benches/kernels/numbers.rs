//! Numbers to compute with.

use percept_kernels::aligned::Aligned;
use percept_kernels::random::{Draws, Purpose};

/// Images that go through a kernel at once, as a chunk of a training step does.
pub(crate) const IMAGES: usize = 8;

/// So many numbers between -1 and 1.
pub(crate) fn some(len: usize) -> Aligned<f32> {
    let mut draws = Draws::new(1, Purpose::Test, 0, len as u64);
    let mut numbers = Aligned::zeros(len);
    numbers.iter_mut().for_each(|number| *number = draws.uniform_in(-1.0, 1.0));
    numbers
}
