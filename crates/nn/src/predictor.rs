//! A network made ready to predict: batch norm folded in, weights packed, dropout gone.

use crate::compute::Compute;
use crate::graph::{Graph, Mode, Node};
use crate::layers::DrawName;
use crate::loss::Target;
use crate::network::Network;
use crate::plan::{Numbers, Passes, Plan};
use crate::source::{Source, bring};
use percept_kernels::aligned::Aligned;
use percept_kernels::crew::Crew;
use percept_kernels::element::Element;
use std::ops::Range;

/// Images that a thread takes at once, where they are not large.
const CHUNK: usize = 16;

/// The most numbers of a chunk between two layers, where it has more than one image.
const CHUNK_NUMBERS: usize = 1 << 24;

/// A network made ready to predict.
///
/// ```
/// use percept_nn::{network::Network, predictor::Predictor, spec::NetworkSpec};
/// let spec = NetworkSpec::from_toml(r#"
///     input = [1, 1, 2]
///     layers = [{ kind = "dense", out_features = 3 }]
/// "#)?;
/// let network = Network::<f32>::new(spec, 1)?;
/// let mut predictor = Predictor::new(&network, percept_kernels::isa::Isa::SCALAR, 1);
/// let logits = predictor.logits(&[0.5, -1.0, 2.0, 0.0]);
/// assert_eq!(logits.len(), 2 * 3);
/// # Ok::<(), percept_nn::error::SpecError>(())
/// ```
#[derive(Debug)]
pub struct Predictor<T: Element = f32> {
    plan: Plan<T>,
    values: Aligned<T>,
    packed: Aligned<T>,
    input_len: usize,
    crew: Crew,
    workers: Vec<Worker<T>>,
    /// Of each thread, for its band of a single image.
    scratch: Vec<Aligned<T>>,
}

#[derive(Debug)]
struct Worker<T: Element> {
    index: usize,
    arena: Aligned<T>,
    targets: Vec<Target>,
}

impl<T: Element> Predictor<T> {
    /// Makes a network ready; `threads` 0 means one per processor.
    #[must_use]
    pub fn new(network: &Network<T>, compute: impl Into<Compute>, threads: usize) -> Self {
        let compute = compute.into();
        let graph = Graph::new(network.description(), compute, Mode::Inference);
        let largest = graph.values.iter().copied().max().unwrap_or(1);
        let chunk = (CHUNK_NUMBERS / largest).clamp(1, CHUNK);
        let plan = Plan::new(graph, compute.isa, chunk, Passes::Forward);
        let crew = Crew::new(threads);
        let workers = (0..crew.threads())
            .map(|index| Worker {
                index,
                arena: Aligned::sparse_zeros(plan.arena_len()),
                targets: vec![Target::default(); chunk],
            })
            .collect();
        let scratch =
            (0..crew.threads()).map(|_| Aligned::sparse_zeros(plan.band_scratch_len())).collect();
        let mut predictor = Self {
            scratch,
            values: Aligned::sparse_zeros(network.values().len()),
            packed: Aligned::zeros(plan.packed_len()),
            input_len: network.description().input.len(),
            plan,
            crew,
            workers,
        };
        predictor.refresh(network);
        predictor
    }

    /// Takes up the numbers of a network of the same spec.
    ///
    /// # Panics
    /// When the network has another number of parameters.
    pub fn refresh(&mut self, network: &Network<T>) {
        assert_eq!(self.values.len(), network.values().len(), "the network's parameters");
        for node in 0..self.plan.nodes().len() {
            // What only its packed form is read of is not copied.
            let Node { layer, parameters, .. } = &self.plan.nodes()[node];
            if layer.reads_parameters() {
                self.values[parameters.clone()]
                    .copy_from_slice(&network.values()[parameters.clone()]);
            }
            let packed = &mut self.packed[self.plan.packed_range(node)];
            self.plan.pack(node, network.values(), network.buffer_values(), packed);
        }
    }

    /// Numbers of one output: the classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.plan.output_len()
    }

    /// Threads at work.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.crew.threads()
    }

    /// The logits of images in memory.
    ///
    /// # Shapes
    /// `pixels` `[N, height, width, channels]`; returns `[N, classes]`.
    ///
    /// # Panics
    /// When `pixels` is not whole images.
    #[must_use]
    pub fn logits(&mut self, pixels: &[T]) -> Vec<T> {
        let mut logits = vec![T::ZERO; pixels.len() / self.input_len * self.classes()];
        self.logits_into(pixels, &mut logits);
        logits
    }

    /// As [`logits`](Self::logits), written where the caller says. Allocates nothing.
    ///
    /// # Panics
    /// When `pixels` is not whole images, or `logits` not as many as they have.
    pub fn logits_into(&mut self, pixels: &[T], logits: &mut [T]) {
        assert_eq!(pixels.len() % self.input_len, 0, "whole images");
        let source = Images { pixels, len: self.input_len };
        self.run(&source, pixels.len() / self.input_len, logits, &mut []);
    }

    /// The logits of the first `examples` examples of a source, with their labels. Allocates nothing.
    ///
    /// # Shapes
    /// `logits` `[examples, classes]`, `labels` `[examples]`.
    ///
    /// # Panics
    /// When the lengths do not fit.
    pub fn logits_of(
        &mut self,
        source: &dyn Source<T>,
        examples: usize,
        logits: &mut [T],
        labels: &mut [u32],
    ) {
        assert_eq!(labels.len(), examples, "labels of {examples} examples");
        self.run(source, examples, logits, labels);
    }

    /// Labels are written where there is room for them.
    fn run(
        &mut self,
        source: &dyn Source<T>,
        examples: usize,
        logits: &mut [T],
        labels: &mut [u32],
    ) {
        let classes = self.classes();
        assert_eq!(logits.len(), examples * classes, "logits of {examples} examples");
        if examples < self.threads() {
            return self.run_one_by_one(source, logits, labels);
        }
        let size = self.chunk_of(examples);
        let plan = &self.plan;
        let numbers = Numbers::new(&self.values, &self.packed);
        self.crew.for_each_chunk(
            &mut self.workers,
            (logits, size * classes),
            (labels, size),
            |worker, chunk, logits, labels| {
                let range = chunk * size..(chunk * size + logits.len() / classes);
                run(plan, numbers, worker, source, range, logits);
                labels.iter_mut().zip(&worker.targets).for_each(|(to, from)| *to = from.label);
            },
        );
    }

    /// All threads work on the same image: for fewer images than threads.
    fn run_one_by_one(&mut self, source: &dyn Source<T>, logits: &mut [T], labels: &mut [u32]) {
        let numbers = Numbers::new(&self.values, &self.packed);
        let Worker { arena, targets, .. } = &mut self.workers[0];
        let classes = self.plan.output_len();
        for (position, logits) in logits.chunks_exact_mut(classes).enumerate() {
            let place = position..position + 1;
            let images = bring(source, &self.plan, 0, place, arena, &mut targets[..1]);
            let numbers = Numbers { images, ..numbers };
            self.plan.forward_alone(&mut self.crew, &mut self.scratch, numbers, arena);
            logits.copy_from_slice(self.plan.output(arena, 1));
            if let Some(to) = labels.get_mut(position) {
                *to = targets[0].label;
            }
        }
    }

    /// Images of a chunk: no more than planned, and so few that there is a chunk for each thread.
    fn chunk_of(&self, examples: usize) -> usize {
        examples.div_ceil(self.threads()).clamp(1, self.plan.chunk())
    }
}

fn run<T: Element>(
    plan: &Plan<T>,
    numbers: Numbers<'_, T>,
    worker: &mut Worker<T>,
    source: &dyn Source<T>,
    range: Range<usize>,
    logits: &mut [T],
) {
    let images = range.len();
    let Worker { index, arena, targets } = worker;
    let lent = bring(source, plan, *index, range, arena, &mut targets[..images]);
    let numbers = Numbers { images: lent, ..numbers };
    plan.forward(images, DrawName::default(), numbers, arena, &mut []);
    logits.copy_from_slice(plan.output(arena, images));
}

/// Images without labels.
struct Images<'a, T> {
    pixels: &'a [T],
    len: usize,
}

impl<T: Copy + Sync> Source<T> for Images<'_, T> {
    fn target(&self, _position: usize) -> Target {
        Target::from(0)
    }

    fn fill(&self, _worker: usize, first: usize, pixels: &mut [T], targets: &mut [Target]) {
        let count = pixels.len();
        pixels.copy_from_slice(&self.pixels[first * self.len..][..count]);
        targets.fill(Target::from(0));
    }

    fn in_memory(&self) -> Option<&[T]> {
        Some(self.pixels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::NetworkSpec;
    use percept_kernels::isa::Isa;

    fn predictor(text: &str) -> Predictor {
        let network = Network::new(NetworkSpec::from_toml(text).unwrap(), 1).unwrap();
        Predictor::new(&network, Isa::chosen().unwrap(), 1)
    }

    /// A spec of a few bytes must not take sixteen of its largest images for each thread.
    #[test]
    fn large_images_come_in_smaller_chunks() {
        let layers =
            "layers = [{ kind = 'tanh' }, { kind = 'max_pool', kernel_size = [2048, 1024] }]";
        let mut large = predictor(&format!("input = [2048, 1024, 2]\n{layers}"));
        assert_eq!(large.plan.chunk(), 4);
        assert_eq!(large.workers[0].arena.len(), 2 * (1 << 24));
        let pixels: Vec<f32> = (0..5).flat_map(|image| vec![image as f32; 1 << 22]).collect();
        let expected = (0..5).flat_map(|image| [Element::tanh(image as f32); 2]);
        assert_eq!(large.logits(&pixels), expected.collect::<Vec<_>>());
    }
}
