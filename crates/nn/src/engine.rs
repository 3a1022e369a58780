//! The training step: a batch forward and back through the network, and the weights one step down the gradient.
//!
//! A batch is cut into chunks and the chunks are dealt to "lanes", each a gradient of its own: chunk c goes to lane c
//! mod lanes. A thread takes a whole lane at a time, so a lane's sums are made in the order of its chunks, and the lanes
//! are added in their order. Chunks and lanes depend on the settings alone: any number of threads gives the same bits.

use crate::average::{AverageSettings, take_in};
use crate::clip::clip_factor;
use crate::compute::Compute;
use crate::describe::LayerInfo;
use crate::diverged::Diverged;
use crate::error::EngineError;
use crate::graph::{Graph, Mode};
use crate::layers::DrawName;
use crate::loss::{Loss, LossSettings, Target};
use crate::memory::PlannedBuffer;
use crate::network::Network;
use crate::optim::OptimizerSpec;
use crate::plan::{Numbers, Passes, Plan};
use crate::source::{Source, in_place};
use percept_kernels::aligned::Aligned;
use percept_kernels::crew::Crew;
use percept_kernels::element::Element;
use percept_kernels::slices;
use std::ops::Range;

mod ahead;
mod check;
mod diagnosis;
pub mod jobs;
mod lanes;
mod rest;
mod trunk;

use ahead::WorkAhead;
use lanes::{LanePass, add_lanes};
use trunk::Learning;
pub use trunk::Trunk;

/// How a network is trained; what decides the result, apart from `compute` (rounding) and `threads` (nothing).
#[derive(Clone, Debug)]
pub struct EngineSettings {
    /// How the arithmetic is done.
    pub compute: Compute,
    /// Threads; 0 means one per processor.
    pub threads: usize,
    /// The most examples of a step.
    pub batch_size: usize,
    /// The most examples of a chunk: what batch normalisation sees at once.
    pub chunk_size: usize,
    /// The most gradient lanes: what up to so many threads can work on at once.
    pub lanes: usize,
    /// The loss.
    pub loss: LossSettings,
    /// The optimizer with its learning rate.
    pub optimizer: OptimizerSpec,
    /// The greatest norm of the gradient; longer ones are shortened.
    pub clip_norm: Option<f64>,
    /// The moving average of the weights, where one is kept.
    pub average: Option<AverageSettings>,
    /// Seed of the dropout masks.
    pub seed: u64,
}

/// The most examples of a step that [`Engine::new`] accepts.
pub const MAX_BATCH_SIZE: usize = 1 << 20;

/// The most bytes that [`Engine::new`] asks for.
pub const MAX_MEMORY: u64 = 1 << 36;

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepReport {
    /// The step, counted from 1.
    pub step: u64,
    /// Examples of the batch.
    pub examples: usize,
    /// Mean loss of the batch, before the update.
    pub loss: f64,
    /// Examples that the network had right, before the update.
    pub correct: usize,
    /// Norm of the gradient, before clipping.
    pub gradient_norm: f64,
}

/// A network in training.
#[derive(Debug)]
pub struct Engine<T: Element = f32> {
    network: Network<T>,
    settings: EngineSettings,
    plan: Plan<T>,
    crew: Crew,
    workers: Vec<Worker<T>>,
    lanes: Vec<Lane<T>>,
    /// Where the plan defers gradients: the arena of each lane, and where it lies.
    arenas: Aligned<T>,
    arena_ranges: Vec<Range<usize>>,
    ahead: WorkAhead<T>,
    all_pieces: Pieces,
    /// Those that are not made of one part of the parameters alone.
    other_pieces: Pieces,
    /// Of each part of the parameters, the packed numbers that are made of it alone, when it has changed.
    part_pieces: Vec<Range<usize>>,
    /// Whether these are those of the parameters as they are now.
    parts_are_packed: bool,
    packed: Aligned<T>,
    parts: Vec<Part<T>>,
    part_ranges: Vec<Range<usize>>,
    gradient: Aligned<T>,
    average_buffers: Aligned<T>,
    statistics: Aligned<T>,
    /// Images of each chunk of the last batch.
    images: Vec<usize>,
    trunk: Option<Trunk>,
    step: u64,
}

/// What belongs to a thread.
#[derive(Debug)]
struct Worker<T: Element> {
    index: usize,
    /// Empty where the lanes have their own.
    arena: Aligned<T>,
    scratch: Aligned<T>,
}

/// What belongs to a lane.
#[derive(Debug)]
struct Lane<T: Element> {
    gradient: Aligned<T>,
    /// Of each of its chunks.
    statistics: Aligned<T>,
    /// Of the chunk that it is at.
    targets: Vec<Target>,
    loss: Loss,
}

/// Parts of the packed numbers, each made at once: its node and which of the node's it is, and where it lies.
#[derive(Debug)]
struct Pieces {
    items: Vec<(usize, usize)>,
    ranges: Vec<Range<usize>>,
}

impl Pieces {
    fn new(pieces: Vec<((usize, usize), Range<usize>)>) -> Self {
        let (items, ranges) = pieces.into_iter().unzip();
        Self { items, ranges }
    }
}

/// Packed numbers that one thread has made before another one has come.
const FEW: usize = 4096;

/// A part of the parameters that is updated at once: a whole tensor or a piece of one.
#[derive(Debug)]
struct Part<T: Element> {
    parameter: usize,
    /// The node that makes its gradient for the whole batch, and the first number in its weight.
    deferred: Option<(usize, usize)>,
    state: Aligned<T>,
    average: Aligned<T>,
    norm_squared: f64,
}

/// Numbers of a part of a tensor that may be cut.
const PART: usize = 4096;

/// The most bytes of a chunk's memory that is kept until the end of a step.
const MOST_KEPT: usize = 1 << 19;

/// A batch cut into chunks that differ by at most one example.
#[derive(Clone, Copy)]
struct Cut {
    examples: usize,
    chunks: usize,
    lanes: usize,
}

impl Cut {
    fn chunk(&self, index: usize) -> Range<usize> {
        index * self.examples / self.chunks..(index + 1) * self.examples / self.chunks
    }

    /// The chunks of a lane, with their place among the lane's.
    fn of_lane(self, lane: usize) -> impl Iterator<Item = (usize, Range<usize>)> {
        (lane..self.chunks).step_by(self.lanes).map(move |chunk| self.chunk(chunk)).enumerate()
    }
}

impl<T: Element> Engine<T> {
    /// An engine for a network.
    ///
    /// # Errors
    /// [`EngineError`] where a setting is out of range.
    pub fn new(network: Network<T>, settings: EngineSettings) -> Result<Self, EngineError> {
        check::settings(&network, &settings)?;
        let chunk = settings.chunk_size.min(settings.batch_size);
        let most_chunks = settings.batch_size.div_ceil(chunk);
        let lane_count = settings.lanes.min(most_chunks);
        let plan = plan_for(&network, &settings, chunk, lane_count == most_chunks);
        let crew = Crew::new(settings.threads);
        let parameters = network.parameters();
        let scratch = parameters.iter().map(|p| settings.optimizer.scratch_len(p)).max();
        check::memory(&network, &settings, &plan, crew.threads())?;
        let (own_arenas, lane_arenas) = if plan.defers() { (0, lane_count) } else { (1, 0) };
        let workers = (0..crew.threads())
            .map(|index| Worker {
                index,
                arena: Aligned::zeros(own_arenas * plan.arena_len()),
                scratch: Aligned::zeros(scratch.unwrap_or(0)),
            })
            .collect();
        let lanes = (0..lane_count)
            .map(|_| Lane {
                gradient: Aligned::zeros(network.values().len()),
                statistics: Aligned::zeros(
                    plan.statistics_len() * most_chunks.div_ceil(lane_count),
                ),
                targets: vec![Target::default(); chunk],
                loss: Loss::default(),
            })
            .collect();
        let (parts, part_ranges) = parts(&network, &settings, &plan);
        let (all_pieces, other_pieces, part_pieces) = pieces(&plan, &parts);
        Ok(Self {
            workers,
            lanes,
            ahead: WorkAhead::new(&plan, settings.batch_size, lane_count),
            arenas: Aligned::zeros(lane_arenas * plan.arena_len()),
            arena_ranges: (0..lane_arenas)
                .map(|lane| lane * plan.arena_len()..(lane + 1) * plan.arena_len())
                .collect(),
            all_pieces,
            other_pieces,
            part_pieces,
            parts_are_packed: false,
            packed: Aligned::zeros(plan.packed_len()),
            parts,
            part_ranges,
            gradient: Aligned::zeros(network.values().len()),
            average_buffers: Aligned::from_slice(network.buffer_values()),
            statistics: Aligned::zeros(plan.statistics_len() * most_chunks),
            images: Vec::with_capacity(most_chunks),
            trunk: None,
            step: 0,
            network,
            settings,
            plan,
            crew,
        })
    }

    /// The network as it is now.
    #[must_use]
    pub fn network(&self) -> &Network<T> {
        &self.network
    }

    /// The gradient of the last step, before clipping unless it was clipped: in the order of the network's values.
    #[must_use]
    pub fn gradient(&self) -> &[T] {
        &self.gradient
    }

    /// The memory in which a thread works on a chunk: every buffer, where it lies and when it is in use.
    #[must_use]
    pub fn memory_plan(&self) -> &[PlannedBuffer] {
        self.plan.memory()
    }

    /// Steps done.
    #[must_use]
    pub fn step_count(&self) -> u64 {
        self.step
    }

    /// Threads at work.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.crew.threads()
    }

    /// The network with averaged weights and buffers where an average is kept and has begun, else as it is now.
    #[must_use]
    pub fn averaged(&self) -> Network<T> {
        let mut network = self.network.clone();
        if self.settings.average.is_some_and(|average| self.step >= average.every) {
            for (part, range) in self.parts.iter().zip(&self.part_ranges) {
                network.values_mut()[range.clone()].copy_from_slice(&part.average);
            }
            network.buffer_values_mut().copy_from_slice(&self.average_buffers);
        }
        network
    }

    /// One step on a batch of `examples` examples of `source`; `factor` (the schedule's) multiplies the learning rate.
    /// Allocates nothing.
    ///
    /// # Errors
    /// [`Diverged`] where a number is not finite, naming where that began; the weights and all else are as before.
    ///
    /// # Panics
    /// When the batch is empty or larger than the settings say, or a label is not below the network's outputs.
    pub fn step(
        &mut self,
        source: &dyn Source<T>,
        examples: usize,
        factor: f64,
    ) -> Result<StepReport, Diverged> {
        let report = self.compute_gradient(source, examples)?;
        let shortened =
            self.settings.clip_norm.map_or(1.0, |most| clip_factor(report.gradient_norm, most));
        if shortened < 1.0 {
            slices::scale(self.settings.compute.isa, T::from_f64(shortened), &mut self.gradient);
        }
        self.step = report.step;
        self.merge_statistics();
        self.update(factor);
        Ok(report)
    }

    /// Forward and backward of a batch without an update; [`gradient`](Self::gradient) then holds the gradient.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    ///
    /// # Panics
    /// As [`step`](Self::step).
    pub fn compute_gradient(
        &mut self,
        source: &dyn Source<T>,
        examples: usize,
    ) -> Result<StepReport, Diverged> {
        let cut = self.cut(examples);
        let normaliser = self.normaliser(source, examples);
        let draw = DrawName { seed: self.settings.seed, step: self.step + 1, first: 0 };
        self.pack();
        self.work_ahead(source, cut);
        self.run_lanes(source, cut, normaliser, draw);
        let norm = self.reduce(source, cut);
        let loss = self.lanes[..cut.lanes].iter().map(|lane| lane.loss.sum).sum::<f64>();
        let loss = if normaliser > 0.0 { loss / normaliser } else { 0.0 };
        if !loss.is_finite() || !norm.is_finite() {
            return Err(self.diagnose(source, cut, normaliser, draw));
        }
        Ok(StepReport {
            step: self.step + 1,
            examples,
            loss,
            correct: self.lanes[..cut.lanes].iter().map(|lane| lane.loss.correct).sum(),
            gradient_norm: norm,
        })
    }

    fn cut(&mut self, examples: usize) -> Cut {
        let most = self.settings.batch_size;
        assert!(examples > 0 && examples <= most, "a batch has 1 to {most} examples");
        let chunks = examples.div_ceil(self.plan.chunk());
        let cut = Cut { examples, chunks, lanes: self.lanes.len().min(chunks) };
        self.images.clear();
        self.images.extend((0..chunks).map(|chunk| cut.chunk(chunk).len()));
        cut
    }

    fn normaliser(&self, source: &dyn Source<T>, examples: usize) -> f64 {
        if self.settings.loss.class_weights.is_empty() {
            return examples as f64;
        }
        (0..examples)
            .map(|position| self.settings.loss.normaliser(&[source.target(position)]))
            .sum()
    }

    fn pack(&mut self) {
        let (plan, network) = (&self.plan, &self.network);
        let Pieces { items, ranges } =
            if self.parts_are_packed { &mut self.other_pieces } else { &mut self.all_pieces };
        let pack = |(node, piece): (usize, usize), packed: &mut [T]| {
            plan.pack_piece(node, piece, network.values(), network.buffer_values(), packed);
        };
        if ranges.iter().map(ExactSizeIterator::len).sum::<usize>() <= FEW {
            let places = items.iter().zip(&*ranges);
            places.for_each(|(piece, place)| pack(*piece, &mut self.packed[place.clone()]));
        } else {
            let job = |_: &mut Worker<T>, _, piece: &mut _, packed: &mut _| pack(*piece, packed);
            self.crew.for_each_part(&mut self.workers, items, &mut self.packed, ranges, job);
        }
        self.parts_are_packed = true;
    }

    fn run_lanes(&mut self, source: &dyn Source<T>, cut: Cut, normaliser: f64, draw: DrawName) {
        let pass = LanePass {
            plan: &self.plan,
            numbers: Numbers {
                ahead: self.ahead.sums(),
                ..Numbers::new(self.network.values(), &self.packed)
            },
            isa: self.settings.compute.isa,
            loss: &self.settings.loss,
            last: self.last_backward(),
            source,
            cut,
            normaliser,
            draw,
        };
        let lanes = &mut self.lanes[..cut.lanes];
        if !self.plan.defers() {
            return self.crew.for_each(&mut self.workers, lanes, |worker, index, lane| {
                pass.run(worker.index, index, lane, &mut worker.arena);
            });
        }
        let ranges = &self.arena_ranges[..cut.lanes];
        let job = |worker: &mut Worker<T>, index, lane: &mut Lane<T>, arena: &mut [T]| {
            pass.run(worker.index, index, lane, arena);
        };
        self.crew.for_each_part(&mut self.workers, lanes, &mut self.arenas, ranges, job);
    }

    /// Adds the lanes in order; returns the norm of the sum. What is frozen has no gradient.
    fn reduce(&mut self, source: &dyn Source<T>, cut: Cut) -> f64 {
        let (trunk, step) = (self.trunk, self.step + 1);
        let (isa, lanes, ranges) =
            (self.settings.compute.isa, &self.lanes[..cut.lanes], &self.part_ranges);
        let (plan, arenas) = (&self.plan, (&self.arenas[..], &self.images[..]));
        let images = in_place(source, plan);
        let parameters = self.network.parameters();
        self.crew.for_each_part(
            &mut self.workers,
            &mut self.parts,
            &mut self.gradient,
            ranges,
            |_, index, part, gradient| {
                let parameter = &parameters[part.parameter];
                if Learning::of(parameter, part.parameter, trunk, step) == Learning::Frozen {
                    gradient.fill(T::ZERO);
                    part.norm_squared = 0.0;
                    return;
                }
                match part.deferred {
                    Some((node, first)) => {
                        plan.weight_gradient(node, first, arenas, images, gradient);
                    }
                    None => add_lanes(isa, lanes, ranges[index].clone(), gradient),
                }
                part.norm_squared = slices::norm_squared(isa, gradient);
            },
        );
        self.parts.iter().map(|part| part.norm_squared).sum::<f64>().sqrt()
    }

    fn merge_statistics(&mut self) {
        let pitch = self.plan.statistics_len();
        if pitch == 0 {
            return;
        }
        let lanes = self.lanes.len().min(self.images.len());
        for chunk in 0..self.images.len() {
            let from = &self.lanes[chunk % lanes].statistics[chunk / lanes * pitch..][..pitch];
            self.statistics[chunk * pitch..][..pitch].copy_from_slice(from);
        }
        let buffers = self.network.buffer_values_mut();
        self.plan.merge_statistics(&self.statistics, &self.images, buffers);
    }

    fn update(&mut self, factor: f64) {
        let (settings, now, ranges) = (&self.settings, self.step, &self.part_ranges);
        let decay = settings.average.and_then(|average| average.decay_after(now));
        let trunk = self.trunk;
        let gradient = &self.gradient;
        let (parameters, values) = self.network.parameters_and_values();
        let plan = &self.plan;
        self.crew.for_each_part_of_two(
            &mut self.workers,
            &mut self.parts,
            [(values, ranges), (&mut self.packed, &self.part_pieces)],
            |worker, index, part, [weights, packed]| {
                let parameter = &parameters[part.parameter];
                let learning = Learning::of(parameter, part.parameter, trunk, now);
                let Learning::Steps { step, rate } = learning else { return };
                let learning_rate =
                    settings.optimizer.learning_rate_for(parameter) * (factor * rate);
                let gradient = &gradient[ranges[index].clone()];
                let scratch = &mut worker.scratch;
                settings.optimizer.update(
                    settings.compute,
                    parameter,
                    step,
                    learning_rate,
                    weights,
                    gradient,
                    &mut part.state,
                    scratch,
                );
                if let Some(decay) = decay {
                    take_in(decay, &mut part.average, weights);
                }
                if let Some((node, first)) = part.deferred.filter(|_| !packed.is_empty()) {
                    plan.pack_block(node, first, weights, packed);
                }
            },
        );
        if let Some(decay) = decay {
            take_in(decay, &mut self.average_buffers, self.network.buffer_values());
        }
    }

    /// Puts other numbers into the network, as when a checkpoint is read.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn set_numbers(&mut self, values: &[T], buffers: &[T]) {
        self.network.values_mut().copy_from_slice(values);
        self.network.buffer_values_mut().copy_from_slice(buffers);
        self.parts_are_packed = false;
    }

    /// The layers, for those who watch.
    #[must_use]
    pub fn layers(&self) -> &[LayerInfo] {
        &self.network.description().layers
    }
}

/// The plan of a network's training; one that defers gradients where every chunk has a lane to itself and a chunk's
/// memory is small: it then lies in the caches still when the gradients are made.
fn plan_for<T: Element>(
    network: &Network<T>,
    settings: &EngineSettings,
    chunk: usize,
    lane_each: bool,
) -> Plan<T> {
    let optimizer = &settings.optimizer;
    let in_parts = network.parameters().iter().all(|p| optimizer.is_elementwise(p));
    let plan = |passes| {
        let mode = Mode::Training { fuse: true, input_gradient: false };
        let graph = Graph::new(network.description(), settings.compute, mode);
        Plan::new(graph, settings.compute.isa, chunk, passes)
    };
    let deferring = (lane_each && in_parts).then(|| plan(Passes::Deferring));
    let pays =
        |plan: &Plan<T>| plan.has_deferring() && plan.arena_len() * size_of::<T>() <= MOST_KEPT;
    deferring
        .filter(pays)
        .unwrap_or_else(|| plan(Passes::ForwardAndBackward { input_gradient: false }))
}

/// The parameters cut into parts, and where each lies.
fn parts<T: Element>(
    network: &Network<T>,
    settings: &EngineSettings,
    plan: &Plan<T>,
) -> (Vec<Part<T>>, Vec<Range<usize>>) {
    let (mut parts, mut ranges) = (Vec::new(), Vec::new());
    for (index, parameter) in network.parameters().iter().enumerate() {
        let whole = parameter.range.clone();
        let elementwise = settings.optimizer.is_elementwise(parameter);
        let deferring = (0..plan.nodes().len())
            .filter(|node| plan.nodes()[*node].parameters.start == whole.start)
            .find_map(|node| Some((node, plan.deferring(node)?.block(settings.lanes))));
        let len = match deferring {
            _ if !elementwise => whole.len().max(1),
            Some((_, block)) => block,
            None => PART,
        };
        for start in whole.clone().step_by(len) {
            let range = start..(start + len).min(whole.end);
            parts.push(Part {
                parameter: index,
                deferred: deferring.map(|(node, _)| (node, start - whole.start)),
                state: Aligned::zeros(settings.optimizer.state_arrays(parameter) * range.len()),
                average: Aligned::from_slice(&network.values()[range.clone()]),
                norm_squared: 0.0,
            });
            ranges.push(range);
        }
    }
    (parts, ranges)
}

/// All pieces of the packed numbers; those that are not made of one part of the parameters alone; and of each part where the
/// piece lies that is: it is packed by the thread that has just changed the part.
fn pieces<T: Element>(plan: &Plan<T>, parts: &[Part<T>]) -> (Pieces, Pieces, Vec<Range<usize>>) {
    let all: Vec<_> = plan.pieces().collect();
    let (mut others, mut of_parts, mut end) = (all.clone(), Vec::new(), 0);
    for part in parts {
        let made = part.deferred.and_then(|(node, first)| {
            let piece = plan.deferring(node)?.piece(first)?;
            all.iter().find(|(name, _)| *name == (node, piece))
        });
        // Parts of a block are handed out in order; a piece that lies before those of earlier parts stays with the others.
        match made.filter(|(_, range)| range.start >= end) {
            Some((name, range)) => {
                others.retain(|(other, _)| other != name);
                end = range.end;
                of_parts.push(range.clone());
            }
            None => of_parts.push(end..end),
        }
    }
    (Pieces::new(all), Pieces::new(others), of_parts)
}
