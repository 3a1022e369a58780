//! A graph compiled for chunks of a size: every buffer has its place in one arena, and a chunk runs forward and back
//! without an allocation.
//!
//! Node i of n runs forward at moment i, the loss comes at moment n, and node i runs backward at moment 2n - i. A
//! buffer lives from its first to its last use; see [`crate::arena`].

use crate::arena::{LINE, Lifetime, place};
use crate::graph::{Graph, Node};
use crate::layers::{
    Ahead, Backward, Banded, BatchStatistics, Deferring, DrawName, Forward, InChunks, Needs, Sums,
    SumsAhead, WholeBatch,
};
use crate::memory::{PlannedBuffer, Use};
use percept_kernels::aligned::Aligned;
use percept_kernels::crew::Crew;
use percept_kernels::element::Element;
use percept_kernels::isa::Isa;
use percept_kernels::slices;
use std::ops::Range;

/// The work from which on a layer's output for a single image is worth the meeting of several threads: some microseconds
/// of one, measured.
const BANDED_WORK: usize = 300_000;

/// A graph, the places of its buffers, and how to run it.
#[derive(Debug)]
pub(crate) struct Plan<T: Element> {
    isa: Isa,
    chunk: usize,
    defers: bool,
    graph: Graph<T>,
    steps: Vec<Step>,
    /// Place of each value in the arena.
    values: Vec<Range<usize>>,
    /// Place of each value's gradient; empty where it is not wanted.
    gradients: Vec<Range<usize>>,
    arena_len: usize,
    packed_len: usize,
    statistics_len: usize,
    memory: Vec<PlannedBuffer>,
}

/// The places that belong to one node.
#[derive(Clone, Debug, Default)]
struct Step {
    saved: Range<usize>,
    kept: Range<usize>,
    forward_scratch: Range<usize>,
    backward_scratch: Range<usize>,
    /// Where the gradient by an input goes that another node has written already: it is added from here.
    extra: [Range<usize>; 2],
    packed: Range<usize>,
    statistics: Range<usize>,
    /// Whether backward reads the input and the output; their memory may serve others where it does not.
    reads_input: bool,
    reads_output: bool,
    writes_gradients: bool,
}

/// The numbers outside its arena that a chunk reads.
#[derive(Clone, Copy)]
pub(crate) struct Numbers<'a, T> {
    /// The network's.
    pub parameters: &'a [T],
    pub packed: &'a [T],
    /// The chunk's images, where they are not in the arena.
    pub images: Option<&'a [T]>,
    /// What the first node has multiplied [`Ahead`] of the chunk, if it has.
    pub ahead: Option<SumsAhead<'a, T>>,
}

impl<'a, T> Numbers<'a, T> {
    /// Images in the arena, and nothing ahead.
    pub(crate) fn new(parameters: &'a [T], packed: &'a [T]) -> Self {
        Self { parameters, packed, images: None, ahead: None }
    }

    fn images_as(self, value: usize) -> Option<&'a [T]> {
        self.images.filter(|_| value == 0)
    }
}

/// What a plan is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passes {
    Forward,
    ForwardAndBackward {
        /// Whether the gradient by the network's input is kept.
        input_gradient: bool,
    },
    /// Forward and backward of one chunk in an arena of its own, which keeps what [`Deferring`] layers need afterwards.
    Deferring,
}

impl Passes {
    fn keeps_input_gradient(self) -> bool {
        self == Self::ForwardAndBackward { input_gradient: true }
    }
}

impl<T: Element> Plan<T> {
    /// Plans a graph for chunks of up to `chunk` images.
    pub(crate) fn new(graph: Graph<T>, isa: Isa, chunk: usize, passes: Passes) -> Self {
        let needs: Vec<Needs> = graph.nodes.iter().map(|node| node.layer.needs(chunk)).collect();
        let mut buffers = Buffers { graph: &graph, needs: &needs, chunk, passes, all: Vec::new() };
        let values: Vec<usize> = (0..graph.values.len()).map(|v| buffers.value(v)).collect();
        let gradients: Vec<usize> = (0..graph.values.len()).map(|v| buffers.gradient(v)).collect();
        let own: Vec<[usize; 6]> = (0..graph.nodes.len()).map(|i| buffers.node(i)).collect();
        let (places, arena_len) = place(&buffers.all);
        let arena_len = arena_len.next_multiple_of(LINE);
        let memory = buffers.described(&places, [&values, &gradients], &own);
        let at = |buffer: usize| places[buffer].clone();
        let (mut packed_len, mut statistics_len) = (0_usize, 0);
        let steps = own
            .iter()
            .zip(&needs)
            .map(|([saved, kept, forward, backward, first, second], needs)| {
                packed_len = packed_len.next_multiple_of(LINE) + needs.packed;
                statistics_len += needs.statistics;
                Step {
                    saved: at(*saved),
                    kept: at(*kept),
                    forward_scratch: at(*forward),
                    backward_scratch: at(*backward),
                    extra: [at(*first), at(*second)],
                    packed: packed_len - needs.packed..packed_len,
                    statistics: statistics_len - needs.statistics..statistics_len,
                    reads_input: needs.backward_reads_input,
                    reads_output: needs.backward_reads_output,
                    writes_gradients: needs.writes_gradients,
                }
            })
            .collect();
        let values = values.into_iter().map(at).collect();
        let gradients = gradients.into_iter().map(at).collect();
        Self {
            isa,
            chunk,
            defers: passes == Passes::Deferring,
            steps,
            values,
            gradients,
            arena_len,
            packed_len,
            statistics_len,
            memory,
            graph,
        }
    }

    /// Numbers of the arena of one worker.
    pub(crate) fn arena_len(&self) -> usize {
        self.arena_len
    }

    /// The buffers of the arena and when they are in use.
    pub(crate) fn memory(&self) -> &[PlannedBuffer] {
        &self.memory
    }

    /// Numbers of the packed parameters.
    pub(crate) fn packed_len(&self) -> usize {
        self.packed_len
    }

    /// Numbers of one chunk's statistics.
    pub(crate) fn statistics_len(&self) -> usize {
        self.statistics_len
    }

    /// The most images of a chunk.
    pub(crate) fn chunk(&self) -> usize {
        self.chunk
    }

    /// Some of the images that lie one after the other.
    pub(crate) fn images<'a>(&self, all: &'a [T], which: Range<usize>) -> &'a [T] {
        let len = self.graph.values[0];
        &all[which.start * len..which.end * len]
    }

    /// Numbers of one output.
    pub(crate) fn output_len(&self) -> usize {
        self.graph.values[self.graph.output]
    }

    pub(crate) fn nodes(&self) -> &[Node<T>] {
        &self.graph.nodes
    }

    /// The layer of a node as one whose gradient by the weight is left to [`weight_gradient`](Self::weight_gradient).
    pub(crate) fn deferring(&self, node: usize) -> Option<&dyn Deferring<T>> {
        self.graph.nodes[node].layer.deferring(self.chunk).filter(|_| self.defers)
    }

    /// Whether an arena serves one chunk of a batch alone.
    pub(crate) fn defers(&self) -> bool {
        self.defers
    }

    /// Whether any gradient is left to [`weight_gradient`](Self::weight_gradient).
    pub(crate) fn has_deferring(&self) -> bool {
        (0..self.graph.nodes.len()).any(|node| self.deferring(node).is_some())
    }

    /// The first layer as one that can multiply the whole batch before the chunks are gone through, where that can be.
    pub(crate) fn ahead(&self) -> Option<&dyn Ahead<T>> {
        let (first, others) = self.graph.nodes.split_first()?;
        let alone = others.iter().all(|node| node.input != 0 && node.second != Some(0));
        first.layer.ahead().filter(|_| self.defers && alone)
    }

    /// The network's input in the arenas of a batch's chunks, or where it lies in memory.
    pub(crate) fn input_in_chunks<'a>(
        &self,
        arenas: &'a [T],
        images: Option<&'a [T]>,
    ) -> InChunks<'a, T> {
        match images {
            Some(numbers) => InChunks { numbers, pitch: None },
            None => self.in_arenas(arenas, &self.values[0]),
        }
    }

    fn in_arenas<'a>(&self, arenas: &'a [T], place: &Range<usize>) -> InChunks<'a, T> {
        InChunks { numbers: &arenas[place.start..], pitch: Some(self.arena_len) }
    }

    /// Makes the gradient by a block of a node's weight, from number `first` on, for the whole batch. `arenas` are those of its
    /// chunks, one after the other; `counts` are each chunk's images, `images` all of them where they are not in the arenas.
    ///
    /// # Panics
    /// When the node's layer is not [`deferring`](Self::deferring).
    pub(crate) fn weight_gradient(
        &self,
        node: usize,
        first: usize,
        (arenas, counts): (&[T], &[usize]),
        images: Option<&[T]>,
        gradient: &mut [T],
    ) {
        let Node { input, output, .. } = &self.graph.nodes[node];
        let layer = self.deferring(node).expect("a node that defers");
        let batch = WholeBatch {
            isa: self.isa,
            images: counts,
            input: match *input {
                0 => self.input_in_chunks(arenas, images),
                input => self.in_arenas(arenas, &self.values[input]),
            },
            grad_output: self.in_arenas(arenas, &self.gradients[*output]),
            kept: self.in_arenas(arenas, &self.steps[node].kept),
        };
        layer.weight_gradient(first, &batch, gradient);
    }

    /// Packs a block of a node's weight, from number `first` on, that makes a [piece](Deferring::piece) by itself.
    ///
    /// # Panics
    /// When the node's layer is not [`deferring`](Self::deferring).
    pub(crate) fn pack_block(&self, node: usize, first: usize, block: &[T], packed: &mut [T]) {
        self.deferring(node).expect("a node that defers").pack_block(first, block, packed);
    }

    /// Place of the packed parameters of a node.
    pub(crate) fn packed_range(&self, node: usize) -> Range<usize> {
        self.steps[node].packed.clone()
    }

    /// The network's input in the arena.
    pub(crate) fn input<'a>(&self, arena: &'a mut [T], images: usize) -> &'a mut [T] {
        &mut arena[self.value_range(0, images)]
    }

    /// Whether the images are read outside the arena, where that can be: they must not be the network's output as well.
    pub(crate) fn takes_images(&self) -> bool {
        let reads = |node: &Node<T>| node.input == 0 || node.second == Some(0);
        let mut nodes = self.graph.nodes.iter().enumerate();
        let in_place = |index, node: &Node<T>| {
            node.layer.reads_images_in_place(self.deferring(index).is_some())
        };
        self.graph.output != 0 && nodes.all(|(index, node)| !reads(node) || in_place(index, node))
    }

    /// The network's output in the arena.
    pub(crate) fn output<'a>(&self, arena: &'a [T], images: usize) -> &'a [T] {
        &arena[self.value_range(self.graph.output, images)]
    }

    /// The output, and the gradient by it, for the loss to read and write.
    pub(crate) fn output_and_gradient<'a>(
        &self,
        arena: &'a mut [T],
        images: usize,
    ) -> (&'a [T], &'a mut [T]) {
        let value = self.value_range(self.graph.output, images);
        let gradient = self.gradient_range(self.graph.output, images);
        let [value, gradient] = disjoint(arena, [value, gradient]);
        (value, gradient)
    }

    /// A value of the arena; 0 is the input.
    pub(crate) fn value<'a>(&self, arena: &'a [T], value: usize, images: usize) -> &'a [T] {
        &arena[self.value_range(value, images)]
    }

    /// The gradient by a value in the arena.
    pub(crate) fn gradient<'a>(&self, arena: &'a [T], value: usize, images: usize) -> &'a [T] {
        &arena[self.gradient_range(value, images)]
    }

    fn value_range(&self, value: usize, images: usize) -> Range<usize> {
        let start = self.values[value].start;
        start..start + images * self.graph.values[value]
    }

    /// Empty where the gradient is not wanted.
    fn gradient_range(&self, value: usize, images: usize) -> Range<usize> {
        let whole = &self.gradients[value];
        if whole.is_empty() {
            return 0..0;
        }
        whole.start..whole.start + images * self.graph.values[value]
    }

    /// Every piece of the packed parameters: its node, which of the node's it is, and its place.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = ((usize, usize), Range<usize>)> {
        self.graph.nodes.iter().zip(&self.steps).enumerate().flat_map(|(index, (node, step))| {
            let lens = node.layer.pieces().into_iter().enumerate();
            let places = lens.scan(step.packed.start, move |end, (piece, len)| {
                *end += len;
                Some(((index, piece), *end - len..*end))
            });
            places.filter(|(_, place)| !place.is_empty())
        })
    }

    /// Does a part of [`pack`](Self::pack).
    pub(crate) fn pack_piece(
        &self,
        node: usize,
        piece: usize,
        parameters: &[T],
        buffers: &[T],
        packed: &mut [T],
    ) {
        let Node { layer, parameters: own, buffers: own_buffers, .. } = &self.graph.nodes[node];
        layer.pack_piece(piece, &parameters[own.clone()], &buffers[own_buffers.clone()], packed);
    }

    /// Brings the parameters of one node into the layout that its layer reads.
    pub(crate) fn pack(&self, node: usize, parameters: &[T], buffers: &[T], packed: &mut [T]) {
        let Node { layer, parameters: own, buffers: own_buffers, .. } = &self.graph.nodes[node];
        layer.pack(&parameters[own.clone()], &buffers[own_buffers.clone()], packed);
    }

    /// Runs one node forward.
    pub(crate) fn forward_node(
        &self,
        node: usize,
        images: usize,
        draw: DrawName,
        numbers: Numbers<'_, T>,
        arena: &mut [T],
        statistics: &mut [T],
    ) {
        let (step, Node { layer, input, second, output, parameters, .. }) =
            (&self.steps[node], &self.graph.nodes[node]);
        let second = second.filter(|second| second != input);
        let [first, other, output, saved, kept, scratch] = disjoint(
            arena,
            [
                self.value_range(*input, images),
                second.map_or(0..0, |second| self.value_range(second, images)),
                self.value_range(*output, images),
                step.saved.clone(),
                step.kept.clone(),
                step.forward_scratch.clone(),
            ],
        );
        let first = numbers.images_as(*input).unwrap_or(first);
        let other = second.and_then(|second| numbers.images_as(second)).unwrap_or(other);
        let parameters = &numbers.parameters[parameters.clone()];
        if node == 0
            && let Some(sums) = numbers.ahead
            && let Some(ahead) = self.ahead()
        {
            return ahead.output(self.isa, parameters, &sums, output);
        }
        let statistics = statistics.get_mut(step.statistics.clone()).unwrap_or_default();
        layer.forward(Forward {
            isa: self.isa,
            images,
            draw,
            parameters,
            packed: &numbers.packed[step.packed.clone()],
            second: if second.is_some() { other } else { first },
            input: first,
            output,
            saved,
            kept,
            scratch,
            statistics,
        });
    }

    /// Runs one node backward; `sums` says what it does with the lane's gradients.
    pub(crate) fn backward_node(
        &self,
        node: usize,
        images: usize,
        numbers: Numbers<'_, T>,
        arena: &mut [T],
        lane: &mut [T],
        sums: Sums,
    ) {
        let (step, Node { layer, input, second, output, parameters, .. }) =
            (&self.steps[node], &self.graph.nodes[node]);
        let to = |value: usize, extra: &Range<usize>| {
            if extra.is_empty() {
                self.gradient_range(value, images)
            } else {
                extra.start..extra.start + images * self.graph.values[value]
            }
        };
        let read = |wanted: bool, value: usize| {
            if wanted { self.value_range(value, images) } else { 0..0 }
        };
        let [first, result, grad_output, grad_input, grad_second, saved, kept, scratch] = disjoint(
            arena,
            [
                read(step.reads_input, *input),
                read(step.reads_output, *output),
                self.gradient_range(*output, images),
                to(*input, &step.extra[0]),
                second.map_or(0..0, |second| to(second, &step.extra[1])),
                step.saved.clone(),
                step.kept.clone(),
                step.backward_scratch.clone(),
            ],
        );
        let sums = match sums {
            Sums::Defer if self.deferring(node).is_none() => Sums::Begin,
            sums => sums,
        };
        let lent = numbers.images_as(*input).filter(|_| step.reads_input);
        let first = lent.unwrap_or(first);
        if sums != Sums::Add && !step.writes_gradients {
            lane[parameters.clone()].fill(T::ZERO);
        }
        layer.backward(Backward {
            isa: self.isa,
            sums,
            images,
            parameters: &numbers.parameters[parameters.clone()],
            packed: &numbers.packed[step.packed.clone()],
            input: first,
            output: result,
            grad_output,
            grad_input,
            grad_second,
            gradients: &mut lane[parameters.clone()],
            saved,
            kept,
            scratch,
        });
        for (value, extra) in [Some(*input), *second].into_iter().zip(&step.extra) {
            if let (Some(value), false) = (value, extra.is_empty()) {
                let gradient = self.gradient_range(value, images);
                let [gradient, extra] = disjoint(arena, [gradient, to(value, extra)]);
                slices::add(self.isa, extra, gradient);
            }
        }
    }

    /// Runs every node forward.
    pub(crate) fn forward(
        &self,
        images: usize,
        draw: DrawName,
        numbers: Numbers<'_, T>,
        arena: &mut [T],
        statistics: &mut [T],
    ) {
        for node in 0..self.graph.nodes.len() {
            self.forward_node(node, images, draw, numbers, arena, statistics);
        }
    }

    /// Runs every node forward for a single image, as [`forward`](Self::forward) does, the large ones on all threads of
    /// the crew. `scratch` has [`band_scratch_len`](Self::band_scratch_len) numbers for each.
    pub(crate) fn forward_alone(
        &self,
        crew: &mut Crew,
        scratch: &mut [Aligned<T>],
        numbers: Numbers<'_, T>,
        arena: &mut [T],
    ) {
        for (index, node) in self.graph.nodes.iter().enumerate() {
            match node.layer.banded().filter(|banded| banded.work() >= BANDED_WORK) {
                Some(banded) => self.forward_bands(index, banded, crew, scratch, numbers, arena),
                None => {
                    self.forward_node(index, 1, DrawName::default(), numbers, arena, &mut []);
                }
            }
        }
    }

    fn forward_bands(
        &self,
        index: usize,
        banded: &dyn Banded<T>,
        crew: &mut Crew,
        scratch: &mut [Aligned<T>],
        numbers: Numbers<'_, T>,
        arena: &mut [T],
    ) {
        let (step, node) = (&self.steps[index], &self.graph.nodes[index]);
        let [input, output] =
            disjoint(arena, [self.value_range(node.input, 1), self.value_range(node.output, 1)]);
        let input = numbers.images_as(node.input).unwrap_or(input);
        let rows = banded.rows().div_ceil(crew.threads());
        crew.for_each_chunk(
            scratch,
            (output, rows * banded.row_len()),
            (&mut [(); 0], 1),
            |scratch, band, output, _| {
                banded.forward_band(
                    band * rows,
                    Forward {
                        isa: self.isa,
                        images: 1,
                        draw: DrawName::default(),
                        parameters: &numbers.parameters[node.parameters.clone()],
                        packed: &numbers.packed[step.packed.clone()],
                        input,
                        second: &[],
                        output,
                        saved: &mut [],
                        kept: &mut [],
                        scratch,
                        statistics: &mut [],
                    },
                );
            },
        );
    }

    /// Numbers of scratch memory that a thread needs for its bands.
    pub(crate) fn band_scratch_len(&self) -> usize {
        let nodes = self.graph.nodes.iter().zip(&self.steps);
        let banded = nodes.filter(|(node, _)| node.layer.banded().is_some());
        banded.map(|(_, step)| step.forward_scratch.len()).max().unwrap_or(0)
    }

    /// Runs the nodes backward, from the last to node `last`; `sums` says what they do with the lane's gradients.
    pub(crate) fn backward(
        &self,
        last: usize,
        images: usize,
        numbers: Numbers<'_, T>,
        arena: &mut [T],
        lane: &mut [T],
        sums: Sums,
    ) {
        for node in (last..self.graph.nodes.len()).rev() {
            self.backward_node(node, images, numbers, arena, lane, sums);
        }
    }

    /// Merges the statistics of a batch's chunks into the network's buffers.
    pub(crate) fn merge_statistics(&self, all: &[T], images: &[usize], buffers: &mut [T]) {
        for (step, node) in self.steps.iter().zip(&self.graph.nodes) {
            if step.statistics.is_empty() {
                continue;
            }
            let offset = step.statistics.start;
            let batch = BatchStatistics { all, pitch: self.statistics_len, offset, images };
            node.layer.merge_statistics(&batch, &mut buffers[node.buffers.clone()]);
        }
    }
}

/// Slices of one block that do not overlap, as planned.
fn disjoint<T, const N: usize>(block: &mut [T], ranges: [Range<usize>; N]) -> [&mut [T]; N] {
    block.get_disjoint_mut(ranges).expect("planned buffers lie apart and inside the arena")
}

/// The buffers of a plan and their lives.
struct Buffers<'a, T: Element> {
    graph: &'a Graph<T>,
    needs: &'a [Needs],
    chunk: usize,
    passes: Passes,
    all: Vec<Lifetime>,
}

impl<T: Element> Buffers<'_, T> {
    fn add(&mut self, len: usize, first: usize, last: usize) -> usize {
        self.all.push(Lifetime { len, first, last });
        self.all.len() - 1
    }

    fn is_training(&self) -> bool {
        self.passes != Passes::Forward
    }

    /// The moment of the loss.
    fn loss(&self) -> usize {
        self.graph.nodes.len()
    }

    /// The moment at which a node runs backward.
    fn backward(&self, node: usize) -> usize {
        2 * self.graph.nodes.len() - node
    }

    /// The nodes that read a value, in order.
    fn readers(&self, value: usize) -> impl Iterator<Item = usize> {
        let reads = move |node: &Node<T>| node.input == value || node.second == Some(value);
        let nodes = self.graph.nodes.iter().enumerate();
        nodes.filter(move |(_, node)| reads(node)).map(|(index, _)| index)
    }

    /// The node that makes a value; none makes the input.
    fn maker(&self, value: usize) -> Option<usize> {
        self.graph.nodes.iter().position(|node| node.output == value)
    }

    /// Whether what a node reads and receives is needed after all chunks.
    fn defers(&self, node: usize) -> bool {
        self.passes == Passes::Deferring
            && self.graph.nodes[node].layer.deferring(self.chunk).is_some()
    }

    /// The moment behind all others.
    fn end(&self) -> usize {
        self.backward(0) + 1
    }

    fn value(&mut self, value: usize) -> usize {
        let maker = self.maker(value);
        let mut last = maker.unwrap_or(0);
        if value == self.graph.output {
            last = self.loss();
        }
        for reader in self.readers(value) {
            last = last.max(reader);
            if self.is_training() && self.needs[reader].backward_reads_input {
                last = last.max(self.backward(reader));
            }
            if self.defers(reader) {
                last = self.end();
            }
        }
        if let Some(maker) = maker
            && self.is_training()
            && self.needs[maker].backward_reads_output
        {
            last = last.max(self.backward(maker));
        }
        self.add(self.chunk * self.graph.values[value], maker.unwrap_or(0), last)
    }

    fn gradient(&mut self, value: usize) -> usize {
        let wanted = match self.passes {
            Passes::Forward => false,
            // The output's receives what the loss writes, even where the output is the input.
            _ => value != 0 || self.passes.keeps_input_gradient() || value == self.graph.output,
        };
        if !wanted {
            return self.add(0, 0, 0);
        }
        let last_reader = self.readers(value).last();
        let written = last_reader.map_or(self.loss(), |reader| self.backward(reader));
        let first = if value == self.graph.output { self.loss() } else { written };
        let maker = self.maker(value);
        let kept = maker.is_some_and(|maker| self.defers(maker));
        let last = if kept { self.end() } else { self.backward(maker.unwrap_or(0)) };
        self.add(self.chunk * self.graph.values[value], first, last)
    }

    /// saved, kept, scratch of forward and backward, and the extra gradients of a node.
    fn node(&mut self, index: usize) -> [usize; 6] {
        let Needs { saved, kept, scratch, .. } = self.needs[index];
        if !self.is_training() {
            let nothing = self.add(0, 0, 0);
            let [saved, scratch] = [saved, scratch].map(|len| self.add(len, index, index));
            return [saved, nothing, scratch, nothing, nothing, nothing];
        }
        let back = self.backward(index);
        let node = &self.graph.nodes[index];
        let (input, second) = (node.input, node.second);
        let first_extra = self.extra_len(index, input, false);
        let second_extra =
            second.map_or(0, |second| self.extra_len(index, second, second == input));
        let kept = if self.defers(index) { kept } else { 0 };
        [
            self.add(saved, index, back),
            self.add(kept, index, self.end()),
            self.add(scratch, index, index),
            self.add(scratch, back, back),
            self.add(first_extra, back, back),
            self.add(second_extra, back, back),
        ]
    }

    /// Every buffer that takes memory, with its place and what it is for.
    fn described(
        &self,
        places: &[Range<usize>],
        [values, gradients]: [&[usize]; 2],
        nodes: &[[usize; 6]],
    ) -> Vec<PlannedBuffer> {
        let name = |value: usize| {
            let maker = self.maker(value).map(|node| self.graph.nodes[node].name.as_str());
            maker.unwrap_or("input").to_owned()
        };
        let of_value = |value: usize| {
            [(values[value], Use::Value), (gradients[value], Use::Gradient)]
                .map(|(buffer, what)| (buffer, what, name(value)))
        };
        let of_node = |node: usize| {
            let uses =
                [Use::Saved, Use::Saved, Use::Scratch, Use::Scratch, Use::Gradient, Use::Gradient];
            let name = &self.graph.nodes[node].name;
            nodes[node]
                .into_iter()
                .zip(uses)
                .map(move |(buffer, what)| (buffer, what, name.clone()))
        };
        let all = (0..values.len()).flat_map(of_value).chain((0..nodes.len()).flat_map(of_node));
        let described = all.map(|(buffer, what, name)| PlannedBuffer {
            name,
            what,
            place: places[buffer].clone(),
            first: self.all[buffer].first,
            last: self.all[buffer].last,
        });
        described.filter(|buffer| !buffer.place.is_empty()).collect()
    }

    /// Numbers of the buffer for a gradient that an earlier backward call has begun; 0 where there is none.
    fn extra_len(&self, node: usize, value: usize, begun_by_itself: bool) -> usize {
        let is_input = value == 0 && self.is_training() && !self.passes.keeps_input_gradient();
        let begun = begun_by_itself || self.readers(value).any(|reader| reader > node);
        if begun && !is_input { self.chunk * self.graph.values[value] } else { 0 }
    }
}
