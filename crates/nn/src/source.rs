//! Where a batch's examples come from.

/// The examples of one batch (or of one evaluation), by position. Called from several threads at once, each with a
/// worker number of its own; what it gives must not depend on the worker, nor on how the batch is cut.
pub trait Source<T>: Sync {
    /// The label of the example at `position`.
    fn label(&self, position: usize) -> u32;

    /// Writes the examples at `first`, `first + 1`, ...: as many as there are labels.
    ///
    /// # Shapes
    /// `pixels` `[labels, height, width, channels]`, as the network's input.
    fn fill(&self, worker: usize, first: usize, pixels: &mut [T], labels: &mut [u32]);
}

/// Examples that lie in memory.
///
/// ```
/// use percept_nn::source::{InMemory, Source};
/// let source = InMemory { pixels: &[0.5_f32, 1.0], labels: &[3, 4] };
/// let (mut pixels, mut labels) = ([0.0], [0]);
/// source.fill(0, 1, &mut pixels, &mut labels);
/// assert_eq!((pixels, labels), ([1.0], [4]));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct InMemory<'a, T> {
    /// `[labels, height, width, channels]`.
    pub pixels: &'a [T],
    /// One label for each example.
    pub labels: &'a [u32],
}

impl<T: Copy + Sync> Source<T> for InMemory<'_, T> {
    fn label(&self, position: usize) -> u32 {
        self.labels[position]
    }

    fn fill(&self, _worker: usize, first: usize, pixels: &mut [T], labels: &mut [u32]) {
        let len = pixels.len() / labels.len().max(1);
        let count = labels.len();
        pixels.copy_from_slice(&self.pixels[first * len..][..count * len]);
        labels.copy_from_slice(&self.labels[first..][..count]);
    }
}
