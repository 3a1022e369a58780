//! The layers, one file each: what a layer needs, its forward and its backward, for one chunk of images.
//!
//! All data are NHWC. A layer is made for fixed shapes and knows nothing of threads: the plan hands it slices.

pub(crate) mod activation;
pub(crate) mod add;
pub(crate) mod batch_norm;
pub(crate) mod bf16;
pub(crate) mod conv;
mod conv_gradient;
mod conv_overlap;
pub(crate) mod conv_pool;
pub(crate) mod conv_winograd;
pub(crate) mod dense;
pub(crate) mod dropout;
mod fold;
pub(crate) mod layer_norm;
pub(crate) mod norm_pool;
pub(crate) mod pool;
mod pooled_gradient;

use percept_kernels::element::Element;
use percept_kernels::isa::Isa;
use std::fmt::Debug;
use std::ops::Range;

/// What the layers of a chunk may draw random numbers by.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct DrawName {
    /// Seed of the training run.
    pub seed: u64,
    /// The step, counted from 1.
    pub step: u64,
    /// Position of the chunk's first example in its batch.
    pub first: usize,
}

/// The slices of one forward call.
pub(crate) struct Forward<'a, T> {
    pub isa: Isa,
    /// Images in the chunk, at least 1.
    pub images: usize,
    pub draw: DrawName,
    /// The layer's parameters, in the order in which it declares them.
    pub parameters: &'a [T],
    /// What [`Layer::pack`] made of the parameters.
    pub packed: &'a [T],
    pub input: &'a [T],
    /// The second input of layers that have two, else empty.
    pub second: &'a [T],
    pub output: &'a mut [T],
    /// Kept until the backward call.
    pub saved: &'a mut [T],
    /// For what a [`Deferring`] layer needs after all chunks; empty where it does not defer.
    pub kept: &'a mut [T],
    /// Numbers of any value, for use within the call.
    pub scratch: &'a mut [T],
    /// The chunk's statistics for [`Layer::merge_statistics`].
    pub statistics: &'a mut [T],
}

/// The slices of one backward call.
pub(crate) struct Backward<'a, T> {
    pub isa: Isa,
    pub images: usize,
    pub parameters: &'a [T],
    pub packed: &'a [T],
    pub input: &'a [T],
    pub output: &'a [T],
    /// The gradient of the loss by the output; the layer may overwrite it.
    pub grad_output: &'a mut [T],
    /// Receives the gradient by the input; empty where nobody wants it.
    pub grad_input: &'a mut [T],
    /// Receives the gradient by the second input; empty where there is none.
    pub grad_second: &'a mut [T],
    /// The lane's gradients of the layer's parameters, to be added to.
    pub gradients: &'a mut [T],
    pub sums: Sums,
    pub saved: &'a [T],
    /// As in [`Forward::kept`], with what forward has left there.
    pub kept: &'a mut [T],
    pub scratch: &'a mut [T],
}

/// What a backward call does with the gradients by the parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sums {
    /// Begins them: a layer that [writes](Needs::writes_gradients) them finds any numbers there, another one zeros.
    Begin,
    /// Adds to them.
    Add,
    /// Begins them, but for those that a [`Deferring`] layer makes for the whole batch.
    Defer,
}

/// Memory that a layer asks for, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// Once per network: the packed parameters.
    pub packed: usize,
    /// Per chunk, from forward to backward.
    pub saved: usize,
    /// Per chunk, from backward to the end of the step, where the layer is [`Deferring`].
    pub kept: usize,
    /// Within one call.
    pub scratch: usize,
    /// Per chunk of a batch, until the end of the step.
    pub statistics: usize,
    /// Whether backward reads the input.
    pub backward_reads_input: bool,
    /// Whether backward reads the output.
    pub backward_reads_output: bool,
    /// Whether backward writes fresh gradients, where others add to zeros.
    pub writes_gradients: bool,
}

/// What one layer's forward calls wrote to `statistics` for the chunks of a batch.
pub(crate) struct BatchStatistics<'a, T> {
    /// The statistics of all layers, chunk by chunk.
    pub all: &'a [T],
    /// Numbers of one chunk.
    pub pitch: usize,
    /// Where the layer's numbers lie among a chunk's.
    pub offset: usize,
    /// Images of each chunk.
    pub images: &'a [usize],
}

impl<T: Element> BatchStatistics<'_, T> {
    /// Images of the batch.
    pub(crate) fn total_images(&self) -> usize {
        self.images.iter().sum()
    }

    /// The mean over the chunks, weighted by their images, of a number made of the layer's numbers.
    pub(crate) fn mean(&self, number: impl Fn(&[T]) -> f64) -> f64 {
        let chunks = self.all[..self.pitch * self.images.len()].chunks_exact(self.pitch);
        let sum: f64 = chunks
            .zip(self.images)
            .map(|(chunk, images)| *images as f64 * number(&chunk[self.offset..]))
            .sum();
        sum / self.total_images() as f64
    }
}

/// A layer with fixed shapes.
pub(crate) trait Layer<T: Element>: Send + Sync + Debug {
    /// What it needs for chunks of up to `chunk` images.
    fn needs(&self, chunk: usize) -> Needs;

    /// Brings parameters and buffers into the layout that forward and backward read.
    fn pack(&self, _parameters: &[T], _buffers: &[T], _packed: &mut [T]) {}

    /// Numbers of the pieces of `packed`, one after the other, that [`pack_piece`](Self::pack_piece) can make by themselves.
    fn pieces(&self) -> Vec<usize> {
        vec![self.needs(1).packed]
    }

    /// Does the part of [`pack`](Self::pack) that makes a piece.
    fn pack_piece(&self, _piece: usize, parameters: &[T], buffers: &[T], packed: &mut [T]) {
        self.pack(parameters, buffers, packed);
    }

    /// Whether forward reads the parameters as they are, besides what [`pack`](Self::pack) made of them.
    fn reads_parameters(&self) -> bool {
        true
    }

    /// Whether a network's images are better read where they lie in memory than copied into the arena first. Layers with bf16
    /// operands, which round an image and come back to it unless they defer, lose more than the copy takes (5 to 10 %,
    /// measured).
    fn reads_images_in_place(&self, _defers: bool) -> bool {
        true
    }

    /// output = f(input).
    fn forward(&self, pass: Forward<'_, T>);

    /// The layer as one whose output for a single image can be made in bands, where it can.
    fn banded(&self) -> Option<&dyn Banded<T>> {
        None
    }

    /// The layer as one that can make the gradient by its weight for a whole batch, in chunks of up to `chunk` images, where
    /// it can.
    fn deferring(&self, _chunk: usize) -> Option<&dyn Deferring<T>> {
        None
    }

    /// The layer as one that can multiply a whole batch before the chunks are gone through, where it can.
    fn ahead(&self) -> Option<&dyn Ahead<T>> {
        None
    }

    /// grad_input = grad_output * df/dinput, and gradients += grad_output * df/dparameters.
    fn backward(&self, pass: Backward<'_, T>);

    /// Merges the statistics of a batch's chunks, in order, into the layer's buffers.
    fn merge_statistics(&self, _batch: &BatchStatistics<'_, T>, _buffers: &mut [T]) {}
}

/// What a number of the output costs besides its multiply-adds, in these.
pub(crate) const WRITING: usize = 8;

/// A layer whose output for a single image can be made in bands of rows, so that several threads can make it. The numbers
/// are those that [`Layer::forward`] makes, bit for bit.
pub(crate) trait Banded<T: Element>: Sync {
    /// Rows of the output.
    fn rows(&self) -> usize;

    /// Numbers of a row; the last may have fewer.
    fn row_len(&self) -> usize;

    /// Multiply-adds of all rows, and [`WRITING`] for each number that is written.
    fn work(&self) -> usize;

    /// Makes the rows from `first` on that `pass.output` has room for; all else is as in [`Layer::forward`].
    fn forward_band(&self, first: usize, pass: Forward<'_, T>);
}

/// What a layer read and received in the chunks of a batch.
pub(crate) struct WholeBatch<'a, T> {
    pub isa: Isa,
    /// Images of each chunk.
    pub images: &'a [usize],
    pub input: InChunks<'a, T>,
    /// The gradient by the output, as backward has left it.
    pub grad_output: InChunks<'a, T>,
    /// What forward and backward have left in [`Backward::kept`].
    pub kept: InChunks<'a, T>,
}

/// A value of all chunks, from the first one's first number on.
#[derive(Clone, Copy)]
pub(crate) struct InChunks<'a, T> {
    pub numbers: &'a [T],
    /// Numbers from one chunk to the next; none where they follow one another.
    pub pitch: Option<usize>,
}

impl<'a, T> InChunks<'a, T> {
    /// The numbers from a chunk on, and how far it is from there to the next ones of as many images.
    pub(crate) fn chunk(
        &self,
        index: usize,
        images: &[usize],
        features: usize,
    ) -> (&'a [T], usize) {
        let before = images[..index].iter().sum::<usize>();
        let pitch = self.pitch.unwrap_or(images[index] * features);
        let start = self.pitch.map_or(before * features, |pitch| index * pitch);
        (&self.numbers[start..], pitch)
    }
}

/// A layer that can make the gradient by its weight for a whole batch at once, in blocks of rows, instead of one for each
/// chunk that are then added: each number is written once, not once a chunk. The weight is the first of its parameters.
pub(crate) trait Deferring<T: Element>: Sync {
    /// Numbers of the rows of the weight that are best made together, where up to `threads` threads share out the blocks.
    fn block(&self, threads: usize) -> usize;

    /// Makes the gradient by the rows of the weight that begin with number `first`, where a block does: as many as `gradient`
    /// has room for, a block or the rest.
    fn weight_gradient(&self, first: usize, batch: &WholeBatch<'_, T>, gradient: &mut [T]);

    /// Which of the layer's [pieces](Layer::pieces) is made of the block that begins with number `first` and of nothing
    /// else, where one is: whoever changes the block then packs it at once.
    fn piece(&self, _first: usize) -> Option<usize> {
        None
    }

    /// Makes that piece of the block's numbers.
    fn pack_block(&self, _first: usize, _block: &[T], _packed: &mut [T]) {}
}

/// A layer that can multiply the images of a whole batch with some rows of its weight, so that a thread need only read the
/// weights that it changes.
pub(crate) trait Ahead<T: Element>: Sync {
    /// Rows and columns of the weight, which is the first of the parameters.
    fn weight_shape(&self) -> [usize; 2];

    /// `sums[image, column]` = the sum over the rows k of `input[image, k]` * `weight[k, column]`, for all images of the chunks.
    fn multiply_rows(
        &self,
        isa: Isa,
        rows: Range<usize>,
        images: &[usize],
        input: &InChunks<'_, T>,
        parameters: &[T],
        sums: &mut [T],
    );

    /// The output of a chunk from all slices of rows, which are added in their order.
    fn output(&self, isa: Isa, parameters: &[T], sums: &SumsAhead<'_, T>, output: &mut [T]);
}

/// What [`Ahead::multiply_rows`] has written for all slices of rows.
#[derive(Clone, Copy)]
pub(crate) struct SumsAhead<'a, T> {
    /// `[slices, images, columns]`.
    pub all: &'a [T],
    /// Numbers of a slice.
    pub pitch: usize,
    /// The chunk's first image.
    pub first: usize,
}

/// What a layer is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Forward and backward; the first layers need no gradient by their input.
    Training {
        /// Whether the gradient by the input is wanted.
        grad_input: bool,
    },
    /// Forward alone.
    Inference,
}

impl Purpose {
    /// Whether backward will ask for the gradient by the input.
    pub(crate) fn wants_grad_input(self) -> bool {
        matches!(self, Self::Training { grad_input: true })
    }
}
