//! The dense layer of [`dense`](super::super::dense) with bf16 operands.

use super::super::dense::bias_gradient;
use super::super::fold::Fold;
use super::super::{
    Backward, Deferring, Forward, InChunks, Layer, Needs, Purpose, Sums, WholeBatch,
};
use percept_kernels::bf16::arrange::{self, Pixels, gather_pairs, gather_planes, order, pack};
use percept_kernels::bf16::product::{
    Output, Planes, ROWS, RowTile, Tap, TileOrder, Windows, multiply, multiply_transposed,
    packed_len,
};
use percept_kernels::bf16::{Bf16, COLUMNS, SEGMENT, TILE, storage, storage_len, stored};
use percept_kernels::isa::{Bf16Unit, Isa};
use percept_kernels::product::Grid;
use percept_kernels::{activation, channels};
use std::ops::Range;

#[derive(Debug)]
pub(crate) struct Bf16DenseLayer {
    isa: Isa,
    in_features: usize,
    out_features: usize,
    bias: bool,
    /// A batch norm to fold in (inference alone), with its eps.
    norm: Option<f64>,
    relu: bool,
    forward: Side,
    /// The transposed weight, where the gradient by the input is wanted.
    backward: Option<Side>,
    /// The features as rows, for the gradient by the weights: output rows count from the tile's [block](BLOCK_TILES).
    tiles: Vec<RowTile>,
    zeros: Vec<f32>,
}

/// Row tiles whose gradient is made at once for a whole batch.
const BLOCK_TILES: usize = 4;

/// Rows of the weight in a block.
const BLOCK_ROWS: usize = BLOCK_TILES * ROWS;

/// One product: so many features of each image into so many others.
#[derive(Debug)]
struct Side {
    from: usize,
    to: usize,
    segments: Vec<usize>,
    tiles: TileOrder,
}

impl Side {
    fn new(from: usize, to: usize, tiles: TileOrder) -> Self {
        Self { from, to, segments: (0..from).step_by(SEGMENT).collect(), tiles }
    }

    /// Numbers of an image's row, whole segments.
    fn pitch(&self) -> usize {
        self.from.next_multiple_of(SEGMENT)
    }

    /// bf16 numbers of the packed weights.
    fn packed_len(&self) -> usize {
        packed_len(self.segments.len(), self.to)
    }

    fn windows(&self, images: usize) -> Windows<'_> {
        let rows = Grid::line(images, self.pitch());
        Windows { image_pitch: 0, rows, segments: &self.segments, tiles: self.tiles }
    }

    /// bf16 numbers of the rounded rows.
    fn rows_len(&self, images: usize) -> usize {
        self.windows(images).span(1).expect("a checked layer's rows fit into the address space")
    }

    /// The product; returns the rounded rows.
    #[allow(clippy::too_many_arguments)]
    fn run<'a>(
        &self,
        isa: Isa,
        images: usize,
        from: &[f32],
        packed: &[f32],
        bias: &[f32],
        relu: bool,
        to: &mut [f32],
        scratch: &'a mut [f32],
    ) -> &'a [Bf16] {
        let rows = storage(scratch);
        let (rounded, rest) = rows[..self.rows_len(images)].split_at_mut(images * self.pitch());
        arrange::convert(isa, from, self.from, rounded, self.pitch());
        rest.fill(Bf16::ZERO);
        let rows = Grid::line(images, self.to);
        let output = Output { image_pitch: 0, rows, columns: self.to, relu };
        let left = &stored(scratch)[..self.rows_len(images)];
        let right = &stored(packed)[..self.packed_len()];
        multiply(isa, 1, &self.windows(images), left, right, bias, &output, to);
        left
    }
}

/// 16 features as rows, with the one tap.
fn row_tile(index: usize, features: usize) -> RowTile {
    let first = index * ROWS;
    RowTile {
        index,
        rows: ROWS.min(features - first),
        out_rows: core::array::from_fn(|row| (first % BLOCK_ROWS + row) as u32),
        first_tap: 0,
        taps: 1,
    }
}

/// The forward weight's tiles: by segments, so that the thread that changes rows of the weight packs them and no number of
/// the weight itself goes from one core to another; by columns for AMX, where that was not measured.
fn forward_order(isa: Isa) -> TileOrder {
    match isa.bf16_unit() {
        Bf16Unit::Tiles => TileOrder::ByColumns,
        Bf16Unit::Dot | Bf16Unit::Widened => TileOrder::BySegments,
    }
}

/// What [`Bf16DenseLayer::gather`] has written: all segments of a chunk together, or each by itself, `pitch` bf16 numbers apart.
struct Gathered<'a> {
    numbers: &'a [f32],
    segments: usize,
    pitch: Option<usize>,
}

impl Bf16DenseLayer {
    pub(crate) fn new(
        isa: Isa,
        features: [usize; 2],
        bias: bool,
        norm: Option<f64>,
        relu: bool,
        purpose: Purpose,
    ) -> Self {
        let [in_features, out_features] = features;
        Self {
            isa,
            in_features,
            out_features,
            bias,
            norm,
            relu,
            forward: Side::new(in_features, out_features, forward_order(isa)),
            backward: purpose
                .wants_grad_input()
                .then(|| Side::new(out_features, in_features, TileOrder::ByColumns)),
            tiles: (0..in_features.div_ceil(ROWS))
                .map(|index| row_tile(index, in_features))
                .collect(),
            zeros: vec![0.0; in_features.next_multiple_of(COLUMNS)],
        }
    }

    fn bias_len(&self) -> usize {
        self.out_features.next_multiple_of(COLUMNS)
    }

    /// fp32 numbers of the packed weights and bias of forward.
    fn forward_len(&self) -> usize {
        storage_len(self.forward.packed_len()) + self.bias_len()
    }

    fn weight_len(&self) -> usize {
        self.in_features * self.out_features
    }

    /// bf16 numbers that hold the input's features as planes of images.
    fn planes_len(&self, images: usize) -> usize {
        self.tiles.len() * images.div_ceil(SEGMENT) * TILE
    }

    /// bf16 numbers that hold 16 columns of the output gradient as pairs of images.
    fn column_len(images: usize) -> usize {
        images.next_multiple_of(SEGMENT) * COLUMNS
    }

    fn pairs_len(&self, images: usize) -> usize {
        self.out_features.div_ceil(COLUMNS) * Self::column_len(images)
    }

    fn scratch_len(&self, chunk: usize) -> usize {
        storage_len(self.forward.rows_len(chunk))
            .max(self.backward.as_ref().map_or(0, |side| storage_len(side.rows_len(chunk))))
            .max(self.operands_len(chunk))
            .max(self.out_features + channels::scratch_len(self.out_features))
    }

    /// fp32 numbers that hold what the gradient by the weight is made of.
    fn operands_len(&self, images: usize) -> usize {
        storage_len(self.planes_len(images)) + storage_len(self.pairs_len(images))
    }

    /// Gathers what the gradient by the weight is made of.
    fn gather(&self, isa: Isa, input: &[f32], grad_output: &[f32], to: &mut [f32]) {
        let (inputs, outputs) = (self.in_features, self.out_features);
        let images = grad_output.len() / outputs;
        let segments = images.div_ceil(SEGMENT);
        let (planes, pairs) = to.split_at_mut(storage_len(self.planes_len(images)));
        let planes = &mut storage(planes)[..self.planes_len(images)];
        let pixels = Pixels::Line { pitch: inputs, count: images };
        gather_planes(isa, input, pixels, inputs, segments, planes);
        self.gather_pairs(isa, grad_output, pairs);
    }

    /// The output's part of [`gather`](Self::gather).
    fn gather_pairs(&self, isa: Isa, grad_output: &[f32], to: &mut [f32]) {
        let images = grad_output.len() / self.out_features;
        let pairs = &mut storage(to)[..self.pairs_len(images)];
        let pixels = Pixels::Line { pitch: self.out_features, count: images };
        let count = images.next_multiple_of(SEGMENT) / 2;
        gather_pairs(isa, grad_output, pixels, 0, self.out_features, count, pairs);
    }

    /// Writes or adds the gradient by the block of the weight that begins with a tile.
    fn block_gradient(
        &self,
        isa: Isa,
        first_tile: usize,
        from: &Gathered<'_>,
        adds: bool,
        gradient: &mut [f32],
    ) {
        let Gathered { numbers, segments, pitch } = *from;
        let together = if pitch.is_some() { 1 } else { segments };
        let layout = Planes {
            segments,
            segment_pitch: pitch.unwrap_or(TILE),
            tiles: &self.tiles[first_tile..(first_tile + BLOCK_TILES).min(self.tiles.len())],
            tile_pitch: together * TILE,
            taps: &[Tap { offset: 0, copy: 0, out_row: 0 }],
            column_pitch: together * TILE,
            copy_pitch: 0,
        };
        let pairs = &numbers[storage_len(self.tiles.len() * together * TILE)..];
        let (planes, pairs) = (stored(numbers), stored(pairs));
        multiply_transposed(isa, &layout, planes, pairs, self.out_features, adds, gradient);
    }

    fn add_weight_gradient(&self, pass: &mut Backward<'_, f32>) {
        let segments = pass.images.div_ceil(SEGMENT);
        self.gather(pass.isa, pass.input, pass.grad_output, pass.scratch);
        let gradient = &mut pass.gradients[..self.weight_len()];
        let adds = pass.sums != Sums::Begin;
        let from = Gathered { numbers: pass.scratch, segments, pitch: None };
        for (index, block) in gradient.chunks_mut(BLOCK_ROWS * self.out_features).enumerate() {
            let first_tile = index * BLOCK_TILES;
            self.block_gradient(pass.isa, first_tile, &from, adds, block);
        }
    }

    /// The parts in which the forward weight is packed: segments and columns of each, in the order of the tiles.
    fn parts(&self) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
        let (segments, columns) = (self.forward.segments.len(), self.out_features);
        let (rows, width) = match self.forward.tiles {
            TileOrder::ByColumns => (segments.max(1), COLUMNS),
            TileOrder::BySegments => (BLOCK_ROWS / SEGMENT, columns),
        };
        let end = |start: usize, step: usize, end: usize| end.min(start + step);
        (0..columns).step_by(width).flat_map(move |column| {
            (0..segments).step_by(rows).map(move |segment| {
                (segment..end(segment, rows, segments), column..end(column, width, columns))
            })
        })
    }

    /// Packs some rows (as segments) and columns of the weight, of which `weight` has those from `first_row` on.
    fn pack_part(
        &self,
        (first_row, weight): (usize, &[f32]),
        part: (Range<usize>, Range<usize>),
        packed: &mut [f32],
    ) {
        let ((segments, columns), outputs) = (part, self.out_features);
        let packed = &mut storage(packed)[..packed_len(segments.len(), columns.len())];
        let together = match self.forward.tiles {
            TileOrder::ByColumns => segments.len(),
            TileOrder::BySegments => 1,
        };
        let tiles = packed.chunks_exact_mut(packed_len(together, columns.len()).max(1));
        for (segment, tiles) in segments.step_by(together.max(1)).zip(tiles) {
            let row = |k: usize| match segment * SEGMENT + k {
                k if k < self.in_features => &weight[(k - first_row) * outputs..][columns.clone()],
                _ => &[][..],
            };
            pack(self.isa, together, columns.len(), row, tiles);
            order(self.isa, outputs, columns.clone(), tiles);
        }
    }

    /// Packs the forward weight.
    fn pack_forward(&self, weight: &[f32], mut packed: &mut [f32]) {
        for part in self.parts() {
            let len = storage_len(packed_len(part.0.len(), part.1.len()));
            let (here, rest) = packed.split_at_mut(len);
            self.pack_part((0, weight), part, here);
            packed = rest;
        }
    }

    /// Packs the transposed weight.
    fn pack_backward(&self, side: &Side, weight: &[f32], packed: &mut [f32]) {
        let tiles = storage(packed)[..side.packed_len()].chunks_exact_mut(TILE);
        let starts = (0..side.to).step_by(COLUMNS);
        let places = starts.flat_map(|to| side.segments.iter().map(move |from| (to, *from)));
        for ((to, from), tile) in places.zip(tiles) {
            let (rows, columns) = (COLUMNS.min(side.to - to), SEGMENT.min(side.from - from));
            let weight = &weight[to * side.from + from..];
            arrange::turn(self.isa, weight, side.from, rows, columns, tile);
            order(self.isa, side.to, to..to + rows, tile);
        }
    }
}

impl Layer<f32> for Bf16DenseLayer {
    fn needs(&self, chunk: usize) -> Needs {
        Needs {
            packed: self.forward_len()
                + self.backward.as_ref().map_or(0, |side| storage_len(side.packed_len())),
            kept: self.operands_len(chunk),
            scratch: self.scratch_len(chunk),
            backward_reads_input: true,
            backward_reads_output: self.relu,
            writes_gradients: true,
            ..Needs::default()
        }
    }

    fn pack(&self, parameters: &[f32], buffers: &[f32], packed: &mut [f32]) {
        let (weight, rest) = parameters.split_at(self.weight_len());
        let (bias, norm) = rest.split_at(if self.bias { self.out_features } else { 0 });
        let (forward, backward) = packed.split_at_mut(self.forward_len());
        let split = storage_len(self.forward.packed_len());
        let (packed_weight, packed_bias) = forward.split_at_mut(split);
        packed_bias.fill(0.0);
        match self.norm {
            Some(eps) => {
                let fold = Fold::new(self.bias.then_some(bias), eps, norm, buffers);
                self.pack_forward(&fold.scaled(weight), packed_weight);
                packed_bias[..self.out_features].copy_from_slice(&fold.shift);
            }
            None => {
                self.pack_forward(weight, packed_weight);
                packed_bias[..bias.len()].copy_from_slice(bias);
            }
        }
        if let Some(side) = &self.backward {
            self.pack_backward(side, weight, backward);
        }
    }

    /// The parts of the forward weight, and the rest.
    fn pieces(&self) -> Vec<usize> {
        let len = |(segments, columns): (Range<usize>, Range<usize>)| {
            storage_len(packed_len(segments.len(), columns.len()))
        };
        let mut pieces: Vec<_> = self.parts().map(len).collect();
        pieces.push(self.needs(1).packed - pieces.iter().sum::<usize>());
        pieces
    }

    fn pack_piece(&self, piece: usize, parameters: &[f32], _: &[f32], packed: &mut [f32]) {
        let (weight, bias) = parameters.split_at(self.weight_len());
        if let Some(part) = self.parts().nth(piece) {
            return self.pack_part((0, weight), part, packed);
        }
        let (packed_bias, backward) = packed.split_at_mut(self.bias_len());
        packed_bias[..bias.len()].copy_from_slice(bias);
        if let Some(side) = &self.backward {
            self.pack_backward(side, weight, backward);
        }
    }

    fn reads_parameters(&self) -> bool {
        false
    }

    /// Where a chunk is one segment, which is multiplied where it lies.
    fn deferring(&self, chunk: usize) -> Option<&dyn Deferring<f32>> {
        (chunk <= SEGMENT).then_some(self as &dyn Deferring<f32>)
    }

    fn reads_images_in_place(&self, defers: bool) -> bool {
        defers
    }

    fn forward(&self, pass: Forward<'_, f32>) {
        let (weight, rest) = pass.packed.split_at(storage_len(self.forward.packed_len()));
        let bias = &rest[..self.bias_len()];
        let Forward { isa, images, input, output, scratch, .. } = pass;
        let rows = self.forward.run(isa, images, input, weight, bias, self.relu, output, scratch);
        if !pass.kept.is_empty() {
            let planes = &mut storage(pass.kept)[..self.planes_len(images)];
            arrange::turn_rows(isa, rows, self.forward.pitch(), images, planes);
        }
    }

    fn backward(&self, mut pass: Backward<'_, f32>) {
        if self.relu {
            activation::relu_mask(pass.isa, pass.output, pass.grad_output);
        }
        match pass.sums {
            Sums::Defer => {
                let pairs = &mut pass.kept[storage_len(self.planes_len(pass.images))..];
                self.gather_pairs(pass.isa, pass.grad_output, pairs);
            }
            Sums::Begin | Sums::Add => self.add_weight_gradient(&mut pass),
        }
        if self.bias {
            let grad_bias = &mut pass.gradients[self.weight_len()..];
            bias_gradient(pass.isa, pass.sums, pass.grad_output, grad_bias, pass.scratch);
        }
        if let Some(side) = &self.backward
            && !pass.grad_input.is_empty()
        {
            let packed = &pass.packed[self.forward_len()..];
            let Backward { isa, images, grad_output, grad_input, scratch, .. } = pass;
            side.run(isa, images, grad_output, packed, &self.zeros, false, grad_input, scratch);
        }
    }
}

impl Deferring<f32> for Bf16DenseLayer {
    fn block(&self, _threads: usize) -> usize {
        BLOCK_ROWS * self.out_features
    }

    fn piece(&self, first: usize) -> Option<usize> {
        let by_rows = self.forward.tiles == TileOrder::BySegments && self.norm.is_none();
        by_rows.then_some(first / self.out_features / BLOCK_ROWS)
    }

    fn pack_block(&self, first: usize, block: &[f32], packed: &mut [f32]) {
        let first_row = first / self.out_features;
        if let Some(part) = self.parts().nth(first_row / BLOCK_ROWS) {
            self.pack_part((first_row, block), part, packed);
        }
    }

    fn weight_gradient(&self, first: usize, batch: &WholeBatch<'_, f32>, gradient: &mut [f32]) {
        let first_tile = first / self.out_features / ROWS;
        let InChunks { numbers, pitch } = batch.kept;
        let pitch = pitch.map(|pitch| 2 * pitch);
        let from = Gathered { numbers, segments: batch.images.len(), pitch };
        self.block_gradient(batch.isa, first_tile, &from, false, gradient);
    }
}
