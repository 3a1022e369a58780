//! The dense layer of [`dense`](super::super::dense) with bf16 operands.

use super::super::fold::Fold;
use super::super::{Backward, Forward, Layer, Needs, Purpose};
use percept_kernels::bf16::arrange::{self, Pixels, gather_pairs, gather_planes};
use percept_kernels::bf16::product::{
    Output, Planes, ROWS, RowTile, Tap, Windows, multiply, multiply_transposed, pack, packed_len,
};
use percept_kernels::bf16::{Bf16, COLUMNS, SEGMENT, TILE, storage, storage_len, stored};
use percept_kernels::isa::Isa;
use percept_kernels::product::Grid;
use percept_kernels::{activation, channels, slices};

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
    /// The features as rows, for the gradient by the weights.
    tiles: Vec<RowTile>,
    zeros: Vec<f32>,
}

/// One product: so many features of each image into so many others.
#[derive(Debug)]
struct Side {
    from: usize,
    to: usize,
    segments: Vec<usize>,
}

impl Side {
    fn new(from: usize, to: usize) -> Self {
        Self { from, to, segments: (0..from).step_by(SEGMENT).collect() }
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
        Windows { image_pitch: 0, rows, segments: &self.segments }
    }

    /// bf16 numbers of the rounded rows.
    fn rows_len(&self, images: usize) -> usize {
        self.windows(images).span(1).expect("a checked layer's rows fit into the address space")
    }

    #[allow(clippy::too_many_arguments)]
    fn run(
        &self,
        isa: Isa,
        images: usize,
        from: &[f32],
        packed: &[f32],
        bias: &[f32],
        relu: bool,
        to: &mut [f32],
        scratch: &mut [f32],
    ) {
        let rows = storage(scratch);
        let (rounded, rest) = rows[..self.rows_len(images)].split_at_mut(images * self.pitch());
        arrange::convert(isa, from, self.from, rounded, self.pitch());
        rest.fill(Bf16::ZERO);
        let rows = Grid::line(images, self.to);
        let output = Output { image_pitch: 0, rows, columns: self.to, relu };
        let left = &stored(scratch)[..self.rows_len(images)];
        let right = &stored(packed)[..self.packed_len()];
        multiply(isa, 1, &self.windows(images), left, right, bias, &output, to);
    }
}

/// 16 features as rows, with the one tap.
fn row_tile(index: usize, features: usize) -> RowTile {
    let first = index * ROWS;
    RowTile {
        index,
        rows: ROWS.min(features - first),
        out_rows: core::array::from_fn(|row| (first + row) as u32),
        first_tap: 0,
        taps: 1,
    }
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
            forward: Side::new(in_features, out_features),
            backward: purpose.wants_grad_input().then(|| Side::new(out_features, in_features)),
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
            .max(storage_len(self.planes_len(chunk)) + storage_len(self.pairs_len(chunk)))
            .max(self.out_features + channels::scratch_len(self.out_features))
    }

    fn add_weight_gradient(&self, pass: &mut Backward<'_, f32>) {
        let (isa, images) = (pass.isa, pass.images);
        let (inputs, outputs) = (self.in_features, self.out_features);
        let segments = images.div_ceil(SEGMENT);
        let (planes, pairs) = pass.scratch.split_at_mut(storage_len(self.planes_len(images)));
        let planes = &mut storage(planes)[..self.planes_len(images)];
        let pairs = &mut storage(pairs)[..self.pairs_len(images)];
        let pixels = |pitch: usize| Pixels::Line { pitch, count: images };
        gather_planes(isa, pass.input, pixels(inputs), inputs, segments, planes);
        let count = segments * SEGMENT / 2;
        gather_pairs(isa, pass.grad_output, pixels(outputs), 0, outputs, count, pairs);
        let layout = Planes {
            segments,
            tiles: &self.tiles,
            taps: &[Tap { offset: 0, copy: 0, out_row: 0 }],
            column_pitch: Self::column_len(images),
            copy_pitch: 0,
        };
        let grad_weight = &mut pass.gradients[..self.weight_len()];
        multiply_transposed(isa, &layout, planes, pairs, outputs, grad_weight);
    }

    fn pack_forward(&self, weight: &[f32], packed: &mut [f32]) {
        let (inputs, outputs) = (self.in_features, self.out_features);
        let packed = &mut storage(packed)[..self.forward.packed_len()];
        let row = |k: usize| if k < inputs { &weight[k * outputs..][..outputs] } else { &[][..] };
        pack(self.isa, self.forward.segments.len(), outputs, row, packed);
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
        }
    }
}

impl Layer<f32> for Bf16DenseLayer {
    fn needs(&self, chunk: usize) -> Needs {
        Needs {
            packed: self.forward_len()
                + self.backward.as_ref().map_or(0, |side| storage_len(side.packed_len())),
            scratch: self.scratch_len(chunk),
            backward_reads_input: true,
            backward_reads_output: self.relu,
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

    fn reads_parameters(&self) -> bool {
        false
    }

    fn forward(&self, pass: Forward<'_, f32>) {
        let (weight, rest) = pass.packed.split_at(storage_len(self.forward.packed_len()));
        let bias = &rest[..self.bias_len()];
        let Forward { isa, images, input, output, scratch, .. } = pass;
        self.forward.run(isa, images, input, weight, bias, self.relu, output, scratch);
    }

    fn backward(&self, mut pass: Backward<'_, f32>) {
        if self.relu {
            activation::relu_mask(pass.isa, pass.output, pass.grad_output);
        }
        self.add_weight_gradient(&mut pass);
        if self.bias {
            let grad_bias = &mut pass.gradients[self.weight_len()..];
            let (sums, scratch) = pass.scratch.split_at_mut(self.out_features);
            channels::sum(pass.isa, pass.grad_output, sums, scratch);
            slices::add(pass.isa, sums, grad_bias);
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
