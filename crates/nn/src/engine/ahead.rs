//! The first layer's products for the whole batch, before its chunks are gone through.
//!
//! Where a layer's weight is large beside what it makes of a batch, threads that share out the images each read all of it, and
//! each changes a part: half of it travels from one core to the other in every step. Here a thread multiplies all images with
//! the rows of the weight that it will also change; what travels are the sums, which are fewer.

use super::{Cut, Engine, Lane, Worker};
use crate::layers::SumsAhead;
use crate::plan::Plan;
use crate::source::{Source, bring, in_place};
use percept_kernels::aligned::Aligned;
use percept_kernels::element::Element;
use std::ops::Range;

/// The slices of the first layer's weight and the sums that they make.
#[derive(Debug)]
pub(super) struct WorkAhead<T: Element> {
    /// Rows of the weight; none where working ahead does not pay.
    slices: Vec<Range<usize>>,
    /// `[slices, images, columns]`.
    sums: Aligned<T>,
    /// Numbers of a slice's sums.
    pitch: usize,
}

impl<T: Element> WorkAhead<T> {
    pub(super) fn new(plan: &Plan<T>, batch: usize, lanes: usize) -> Self {
        let slices = slices(plan, batch, lanes);
        let pitch = batch * plan.ahead().map_or(0, |layer| layer.weight_shape()[1]);
        Self { sums: Aligned::zeros(sums_len(plan, batch, lanes)), slices, pitch }
    }

    /// Rows of each slice.
    pub(super) fn items(&self) -> Vec<usize> {
        self.slices.iter().map(ExactSizeIterator::len).collect()
    }

    /// The sums, where there are any.
    pub(super) fn sums(&self) -> Option<SumsAhead<'_, T>> {
        let sums = SumsAhead { all: &self.sums, pitch: self.pitch, first: 0 };
        (!self.slices.is_empty()).then_some(sums)
    }
}

/// Numbers of the sums that working ahead holds for such batches.
pub(super) fn sums_len<T: Element>(plan: &Plan<T>, batch: usize, lanes: usize) -> usize {
    let columns = plan.ahead().map_or(0, |layer| layer.weight_shape()[1]);
    slices(plan, batch, lanes).len().saturating_mul(batch).saturating_mul(columns)
}

/// Rows of the first layer's weight: a slice for each lane, but few enough that what threads exchange stays of the weight's
/// size, and none where that takes less than two. A slice is whole blocks, of which threads also make the gradient.
fn slices<T: Element>(plan: &Plan<T>, batch: usize, lanes: usize) -> Vec<Range<usize>> {
    let Some(layer) = plan.ahead() else { return Vec::new() };
    let Some(deferring) = plan.deferring(0) else { return Vec::new() };
    let [rows, columns] = layer.weight_shape();
    let block = deferring.block(lanes) / columns;
    let blocks = rows.div_ceil(block);
    let count = lanes.min(2 * rows / batch).min(blocks);
    if rows < 2 * batch || count < 2 {
        return Vec::new();
    }
    let start = |slice: usize| (slice * blocks / count * block).min(rows);
    (0..count).map(|slice| start(slice)..start(slice + 1)).collect()
}

impl<T: Element> Engine<T> {
    /// Brings the examples of the batch and multiplies them with the first layer's weight, where that pays.
    pub(super) fn work_ahead(&mut self, source: &dyn Source<T>, cut: Cut) {
        if self.ahead.slices.is_empty() {
            return;
        }
        let plan = &self.plan;
        let in_memory = in_place(source, plan);
        if in_memory.is_none() {
            let lanes = &mut self.lanes[..cut.lanes];
            let ranges = &self.arena_ranges[..cut.lanes];
            let fill = |worker: &mut Worker<T>, index, lane: &mut Lane<T>, arena: &mut [T]| {
                let chunk = cut.chunk(index);
                let targets = &mut lane.targets[..chunk.len()];
                bring(source, plan, worker.index, chunk, arena, targets);
            };
            self.crew.for_each_part(&mut self.workers, lanes, &mut self.arenas, ranges, fill);
        }
        let Some(layer) = plan.ahead() else { return };
        let input = plan.input_in_chunks(&self.arenas, in_memory);
        let (isa, images, slices) = (self.settings.compute.isa, &self.images, &self.ahead.slices);
        let parameters = &self.network.values()[plan.nodes()[0].parameters.clone()];
        self.crew.for_each_chunk(
            &mut self.workers,
            (&mut self.ahead.sums, self.ahead.pitch),
            (&mut [(); 0], 1),
            |_, slice, sums, _| {
                layer.multiply_rows(isa, slices[slice].clone(), images, &input, parameters, sums);
            },
        );
    }
}
