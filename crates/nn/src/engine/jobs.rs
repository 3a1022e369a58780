//! The jobs of a step one by one, for who measures what each takes and how a crew of any size would share it.

use super::Engine;
use crate::layers::DrawName;
use crate::source::Source;
use percept_kernels::element::Element;

/// What the crew does together in a step, in this order; each job begins when the one before is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// Brings the parameters into the layout that the layers read, but for those that `Update` does: an item is a layer or a
    /// piece of one.
    Pack,
    /// Multiplies the whole batch with the first layer's weight, where that pays: an item is a slice of the weight's rows.
    Ahead,
    /// Chunks forward and back: an item is a gradient lane with all its chunks.
    Lanes,
    /// Adds up the lanes: an item is a part of the parameters.
    Reduce,
    /// Merges the statistics of batch normalisation: one item.
    Merge,
    /// Steps down the gradient, and packs what is made of one part alone: an item is a part of the parameters.
    Update,
}

impl Job {
    /// All of them, in order.
    pub const ALL: [Self; 6] =
        [Self::Pack, Self::Ahead, Self::Lanes, Self::Reduce, Self::Merge, Self::Update];
}

impl<T: Element> Engine<T> {
    /// The items of a job of a step on `examples` examples, in the order in which the crew takes them: examples of each
    /// lane, numbers of every other item.
    ///
    /// # Panics
    /// When the batch is empty or larger than the settings say.
    pub fn items(&mut self, job: Job, examples: usize) -> Vec<usize> {
        let cut = self.cut(examples);
        match job {
            Job::Pack => self.other_pieces.ranges.iter().map(ExactSizeIterator::len).collect(),
            Job::Ahead => self.ahead.items(),
            Job::Lanes => (0..cut.lanes)
                .map(|lane| cut.of_lane(lane).map(|(_, chunk)| chunk.len()).sum())
                .collect(),
            Job::Reduce | Job::Update => {
                self.part_ranges.iter().map(ExactSizeIterator::len).collect()
            }
            Job::Merge => vec![self.plan.statistics_len() * cut.chunks],
        }
    }

    /// Does one job of the last [`step`](Self::step) once more, to be timed: the numbers it works on are those that the
    /// step left. The weights and the optimizer's state are of no use for training afterwards.
    ///
    /// # Panics
    /// As `step`, and before the first step.
    pub fn repeat(&mut self, job: Job, source: &dyn Source<T>, examples: usize) {
        assert!(self.step > 0, "a job is repeated after a step");
        let cut = self.cut(examples);
        match job {
            Job::Pack => self.pack(),
            Job::Ahead => self.work_ahead(source, cut),
            Job::Lanes => {
                let normaliser = self.normaliser(source, examples);
                let draw = DrawName { seed: self.settings.seed, step: self.step, first: 0 };
                self.run_lanes(source, cut, normaliser, draw);
            }
            Job::Reduce => {
                self.reduce(source, cut);
            }
            Job::Merge => self.merge_statistics(),
            Job::Update => self.update(0.0),
        }
    }
}
