//! Where a step's numbers stopped being numbers.

use super::{Cut, Engine, Worker};
use crate::diverged::{Culprit, Diverged};
use crate::layers::{DrawName, Sums};
use crate::loss::cross_entropy;
use crate::plan::Numbers;
use crate::source::Source;
use percept_kernels::element::Element;
use percept_kernels::slices;
use std::ops::Range;

impl<T: Element> Engine<T> {
    /// Runs the chunks again, one after the other, and finds the first layer with a number that is not finite.
    pub(super) fn diagnose(
        &mut self,
        source: &dyn Source<T>,
        cut: Cut,
        normaliser: f64,
        draw: DrawName,
    ) -> Diverged {
        let step = self.step + 1;
        let culprit = (0..cut.chunks)
            .find_map(|chunk| self.diagnose_chunk(source, cut.chunk(chunk), normaliser, draw))
            .unwrap_or(Culprit::SumOfGradients);
        Diverged { step, culprit }
    }

    fn diagnose_chunk(
        &mut self,
        source: &dyn Source<T>,
        chunk: Range<usize>,
        normaliser: f64,
        draw: DrawName,
    ) -> Option<Culprit> {
        let plan = &self.plan;
        let (images, first) = (chunk.len(), chunk.start);
        let numbers = Numbers::new(self.network.values(), &self.packed);
        let Worker { arena, index, .. } = &mut self.workers[0];
        let arena = if plan.defers() { &mut self.arenas } else { arena };
        let arena = &mut arena[..plan.arena_len()];
        let lane = &mut self.lanes[0];
        let targets = &mut lane.targets[..images];
        source.fill(*index, first, plan.input(arena, images), targets);
        if slices::first_not_finite(plan.value(arena, 0, images)).is_some() {
            return Some(Culprit::Input);
        }
        let draw = DrawName { first, ..draw };
        for (index, node) in plan.nodes().iter().enumerate() {
            let parameters = &numbers.parameters[node.parameters.clone()];
            if slices::first_not_finite(parameters).is_some() {
                return Some(Culprit::Parameters { layer: node.name.clone() });
            }
            plan.forward_node(index, images, draw, numbers, arena, &mut lane.statistics);
            if slices::first_not_finite(plan.value(arena, node.output, images)).is_some() {
                return Some(Culprit::Output { layer: node.name.clone() });
            }
        }
        let (logits, gradient) = plan.output_and_gradient(arena, images);
        let settings = &self.settings.loss;
        let classes = plan.output_len();
        let loss = cross_entropy(
            self.settings.compute.isa,
            settings,
            classes,
            logits,
            targets,
            normaliser,
            gradient,
        );
        if !loss.sum.is_finite() {
            return Some(Culprit::Loss);
        }
        for (index, node) in plan.nodes().iter().enumerate().rev() {
            plan.backward_node(index, images, numbers, arena, &mut lane.gradient, Sums::Begin);
            let by_parameters = &lane.gradient[node.parameters.clone()];
            let by_input = plan.gradient(arena, node.input, images);
            if [by_parameters, by_input].into_iter().any(|g| slices::first_not_finite(g).is_some())
            {
                return Some(Culprit::Gradient { layer: node.name.clone() });
            }
        }
        None
    }
}
