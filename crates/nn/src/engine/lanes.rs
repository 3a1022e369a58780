//! A lane's chunks forward and back, and the lanes added up.

use super::{Cut, Lane};
use crate::layers::{DrawName, Sums, SumsAhead};
use crate::loss::{Loss, LossSettings, cross_entropy};
use crate::plan::{Numbers, Plan};
use crate::source::{Source, bring, in_place};
use percept_kernels::element::Element;
use percept_kernels::isa::Isa;
use percept_kernels::slices;
use std::ops::Range;

/// What all lanes of a step have in common.
pub(super) struct LanePass<'a, T: Element> {
    pub plan: &'a Plan<T>,
    pub numbers: Numbers<'a, T>,
    pub isa: Isa,
    pub loss: &'a LossSettings,
    pub last: usize,
    pub source: &'a dyn Source<T>,
    pub cut: Cut,
    pub normaliser: f64,
    pub draw: DrawName,
}

impl<T: Element> LanePass<'_, T> {
    /// The chunks of one lane forward and back.
    pub(super) fn run(&self, worker: usize, index: usize, lane: &mut Lane<T>, arena: &mut [T]) {
        let Self { plan, numbers, loss, .. } = *self;
        let pitch = plan.statistics_len();
        lane.loss = Loss::default();
        for (place, chunk) in self.cut.of_lane(index) {
            let (images, first) = (chunk.len(), chunk.start);
            let statistics = &mut lane.statistics[place * pitch..][..pitch];
            let targets = &mut lane.targets[..images];
            let ahead = numbers.ahead.map(|sums| SumsAhead { first, ..sums });
            let brought = ahead.is_some() && in_place(self.source, plan).is_none();
            let lent = (!brought)
                .then(|| bring(self.source, plan, worker, chunk, arena, targets))
                .flatten();
            let numbers = Numbers { images: lent, ahead, ..numbers };
            let draw = DrawName { first, ..self.draw };
            plan.forward(images, draw, numbers, arena, statistics);
            let (logits, gradient) = plan.output_and_gradient(arena, images);
            let classes = plan.output_len();
            let chunk_loss =
                cross_entropy(self.isa, loss, classes, logits, targets, self.normaliser, gradient);
            lane.loss.sum += chunk_loss.sum;
            lane.loss.correct += chunk_loss.correct;
            let sums = match place {
                _ if plan.defers() => Sums::Defer,
                0 => Sums::Begin,
                _ => Sums::Add,
            };
            plan.backward(self.last, images, numbers, arena, &mut lane.gradient, sums);
        }
    }
}

/// Adds up one part of the lanes' gradients, in their order.
pub(super) fn add_lanes<T: Element>(
    isa: Isa,
    lanes: &[Lane<T>],
    part: Range<usize>,
    gradient: &mut [T],
) {
    let lane = |lane: usize| &lanes[lane].gradient[part.clone()];
    if lanes.len() == 1 {
        gradient.copy_from_slice(lane(0));
    } else {
        slices::sum_of(isa, lane(0), lane(1), gradient);
    }
    (2..lanes.len()).for_each(|index| slices::add(isa, lane(index), gradient));
}
