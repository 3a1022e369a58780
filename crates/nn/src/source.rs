//! Where a batch's examples come from.

use crate::loss::Target;
use crate::plan::Plan;
use percept_kernels::element::Element;
use std::ops::Range;

/// The examples of one batch (or of one evaluation), by position. Called from several threads at once, each with a
/// worker number of its own; what it gives must not depend on the worker, nor on how the batch is cut.
pub trait Source<T>: Sync {
    /// What is true of the example at `position`.
    fn target(&self, position: usize) -> Target;

    /// Writes the examples at `first`, `first + 1`, ...: as many as there are targets.
    ///
    /// # Shapes
    /// `pixels` `[targets, height, width, channels]`, as the network's input.
    fn fill(&self, worker: usize, first: usize, pixels: &mut [T], targets: &mut [Target]);

    /// The pixels of all examples, one after the other, where they lie in memory as [`fill`](Self::fill) would write them:
    /// they are then read there.
    fn in_memory(&self) -> Option<&[T]> {
        None
    }
}

/// Brings examples to a plan: their pixels into the arena, or, where they can be read in memory, none; those are returned.
pub(crate) fn bring<'a, T: Element>(
    source: &'a dyn Source<T>,
    plan: &Plan<T>,
    worker: usize,
    examples: Range<usize>,
    arena: &mut [T],
    targets: &mut [Target],
) -> Option<&'a [T]> {
    let Some(pixels) = in_place(source, plan) else {
        source.fill(worker, examples.start, plan.input(arena, examples.len()), targets);
        return None;
    };
    for (target, position) in targets.iter_mut().zip(examples.clone()) {
        *target = source.target(position);
    }
    Some(plan.images(pixels, examples))
}

/// The pixels of all examples, where a plan reads them where they lie.
pub(crate) fn in_place<'a, T: Element>(
    source: &'a dyn Source<T>,
    plan: &Plan<T>,
) -> Option<&'a [T]> {
    source.in_memory().filter(|_| plan.takes_images())
}

/// Examples that lie in memory.
///
/// ```
/// use percept_nn::loss::Target;
/// use percept_nn::source::{InMemory, Source};
/// let source = InMemory { pixels: &[0.5_f32, 1.0], labels: &[3, 4] };
/// let (mut pixels, mut targets) = ([0.0], [Target::default()]);
/// source.fill(0, 1, &mut pixels, &mut targets);
/// assert_eq!((pixels, targets), ([1.0], [Target::from(4)]));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct InMemory<'a, T> {
    /// `[labels, height, width, channels]`.
    pub pixels: &'a [T],
    /// One label for each example.
    pub labels: &'a [u32],
}

impl<T: Copy + Sync> Source<T> for InMemory<'_, T> {
    fn target(&self, position: usize) -> Target {
        self.labels[position].into()
    }

    fn fill(&self, _worker: usize, first: usize, pixels: &mut [T], targets: &mut [Target]) {
        let count = targets.len();
        let len = pixels.len() / count.max(1);
        pixels.copy_from_slice(&self.pixels[first * len..][..count * len]);
        let labels = &self.labels[first..][..count];
        targets.iter_mut().zip(labels).for_each(|(target, label)| *target = (*label).into());
    }

    fn in_memory(&self) -> Option<&[T]> {
        Some(self.pixels)
    }
}
