//! The dense layer: `y[i, o]` = `bias[o]` + sum over k of `x[i, k]` * `weight[k, o]`, a ReLU behind it where fused.
//!
//! A weight serves once for each image, too seldom for packing to pay in training: forward reads the weights as they are.
//!
//! Parameters: weight `[in_features, out_features]`, bias `[out_features]`.

use super::fold::Fold;
use super::{
    Ahead, Backward, Banded, Deferring, Forward, InChunks, Layer, Needs, Purpose, Sums, SumsAhead,
    WRITING, WholeBatch,
};
use percept_kernels::activation;
use percept_kernels::channels;
use percept_kernels::element::Element;
use percept_kernels::isa::Isa;
use percept_kernels::product::{Finish, Grid, Left, Panels, finish_transposed, multiply};
use percept_kernels::slices;
use std::ops::Range;

/// The most and fewest rows of the weight whose gradient is made at once for a whole batch: four tiles of the product, so that
/// what they have in common stays in the first cache, and one.
const BLOCK_ROWS: [usize; 2] = [56, 14];

#[derive(Debug)]
pub(crate) struct DenseLayer {
    in_features: usize,
    out_features: usize,
    bias: bool,
    /// A batch norm to fold in (inference alone), with its eps.
    norm: Option<f64>,
    relu: bool,
    training: bool,
    /// Plain in training, packed for inference.
    forward: Panels,
    /// The transposed weight, where the gradient by the input is wanted.
    backward: Option<Panels>,
}

impl DenseLayer {
    pub(crate) fn new<T: Element>(
        isa: Isa,
        features: [usize; 2],
        bias: bool,
        norm: Option<f64>,
        relu: bool,
        purpose: Purpose,
    ) -> Self {
        let [in_features, out_features] = features;
        let training = purpose != Purpose::Inference;
        let forward = if training {
            Panels::plain::<T>(isa, in_features, out_features)
        } else {
            Panels::new::<T>(isa, in_features, out_features)
        };
        let backward =
            purpose.wants_grad_input().then(|| Panels::new::<T>(isa, out_features, in_features));
        Self { in_features, out_features, bias, norm, relu, training, forward, backward }
    }

    /// Numbers of the packed weights and biases of forward.
    fn packed_len(&self) -> usize {
        if self.training { 0 } else { self.forward.len() + self.forward.padded_columns() }
    }

    /// First columns of the panels of the transposed weight.
    fn panel_starts(&self, panels: &Panels) -> impl Iterator<Item = usize> + use<> {
        (0..self.in_features).step_by(panels.panel_columns())
    }

    /// One panel, and its place among the packed.
    fn panel(panels: &Panels, start: usize) -> (Panels, Range<usize>) {
        panels.cut(start..(start + panels.panel_columns()).min(panels.n))
    }

    fn weight_len(&self) -> usize {
        self.in_features * self.out_features
    }

    fn pack_forward<T: Element>(&self, parameters: &[T], buffers: &[T], packed: &mut [T]) {
        let (weight, rest) = parameters.split_at(self.weight_len());
        let (bias, norm) = rest.split_at(if self.bias { self.out_features } else { 0 });
        let (forward, packed_bias) = packed.split_at_mut(self.forward.len());
        let at = |k: usize, n: usize| weight[k * self.out_features + n];
        match self.norm {
            Some(eps) => {
                let fold = Fold::new(self.bias.then_some(bias), eps, norm, buffers);
                self.forward.pack(forward, |k, n| at(k, n) * fold.scale[n]);
                packed_bias[..self.out_features].copy_from_slice(&fold.shift);
            }
            None => {
                self.forward.pack(forward, at);
                packed_bias[..bias.len()].copy_from_slice(bias);
            }
        }
    }

    /// The rows of `features` numbers of each image.
    fn rows(images: usize, features: usize) -> Grid {
        Grid::line(images, features)
    }

    /// Multiplies with some columns of the weight, and their bias.
    fn apply<T: Element>(
        &self,
        isa: Isa,
        images: usize,
        input: &[T],
        panels: &Panels,
        (weight, bias): (&[T], Option<&[T]>),
        output: &mut [T],
    ) {
        multiply(
            isa,
            &Self::left(images, self.in_features),
            input,
            panels,
            weight,
            bias,
            if self.relu { Finish::StoreRelu } else { Finish::Store },
            &Self::rows(images, panels.n),
            output,
        );
    }

    fn left(images: usize, features: usize) -> Left {
        Left { rows: Self::rows(images, features), runs: Grid::line(1, 0), run: features }
    }

    /// The gradient by so many rows of the weight as `gradient` has room for; `input` begins with the first one's feature.
    fn by_weight<T: Element>(
        &self,
        isa: Isa,
        [input_rows, output_rows]: [Grid; 2],
        input: &[T],
        grad_output: &[T],
        finish: Finish,
        gradient: &mut [T],
    ) {
        let run = gradient.len() / self.out_features;
        finish_transposed(
            isa,
            &Left { rows: input_rows, runs: Grid::line(1, 0), run },
            input,
            &output_rows,
            grad_output,
            self.out_features,
            finish,
            gradient,
            self.out_features,
        );
    }
}

impl<T: Element> Layer<T> for DenseLayer {
    fn needs(&self, _chunk: usize) -> Needs {
        Needs {
            packed: self.packed_len() + self.backward.map_or(0, |panels| panels.len()),
            scratch: self.out_features + channels::scratch_len(self.out_features),
            backward_reads_input: true,
            backward_reads_output: self.relu,
            writes_gradients: true,
            ..Needs::default()
        }
    }

    fn reads_parameters(&self) -> bool {
        self.training
    }

    fn pack(&self, parameters: &[T], buffers: &[T], packed: &mut [T]) {
        let (forward, backward) = packed.split_at_mut(self.packed_len());
        if !self.training {
            self.pack_forward(parameters, buffers, forward);
        }
        if let Some(panels) = &self.backward {
            panels.pack(backward, |k, n| parameters[n * self.out_features + k]);
        }
    }

    /// In training, the panels of the transposed weight.
    fn pieces(&self) -> Vec<usize> {
        match &self.backward {
            Some(panels) if self.training => {
                self.panel_starts(panels).map(|start| Self::panel(panels, start).0.len()).collect()
            }
            _ => vec![Layer::<T>::needs(self, 1).packed],
        }
    }

    fn pack_piece(&self, piece: usize, parameters: &[T], buffers: &[T], packed: &mut [T]) {
        let start = self.backward.and_then(|panels| self.panel_starts(&panels).nth(piece));
        match (&self.backward, start) {
            (Some(panels), Some(start)) if self.training => {
                let (panel, _) = Self::panel(panels, start);
                panel.pack(packed, |k, n| parameters[(start + n) * self.out_features + k]);
            }
            _ => self.pack(parameters, buffers, packed),
        }
    }

    fn forward(&self, pass: Forward<'_, T>) {
        let from = if self.training { pass.parameters } else { pass.packed };
        let (weight, rest) = from.split_at(self.forward.len());
        let has_bias = self.bias || !self.training;
        let bias = has_bias.then(|| &rest[..self.forward.padded_columns()]);
        self.apply(pass.isa, pass.images, pass.input, &self.forward, (weight, bias), pass.output);
    }

    fn banded(&self) -> Option<&dyn Banded<T>> {
        (!self.training).then_some(self as &dyn Banded<T>)
    }

    fn deferring(&self, _chunk: usize) -> Option<&dyn Deferring<T>> {
        self.training.then_some(self as &dyn Deferring<T>)
    }

    fn ahead(&self) -> Option<&dyn Ahead<T>> {
        self.training.then_some(self as &dyn Ahead<T>)
    }

    fn backward(&self, pass: Backward<'_, T>) {
        let Backward { isa, images, .. } = pass;
        if self.relu {
            activation::relu_mask(isa, pass.output, pass.grad_output);
        }
        let grad_output = &*pass.grad_output;
        let (grad_weight, grad_bias) = pass.gradients.split_at_mut(self.weight_len());
        let finish = if pass.sums == Sums::Add { Finish::Add } else { Finish::Store };
        if pass.sums != Sums::Defer {
            let rows = [self.in_features, self.out_features].map(|len| Self::rows(images, len));
            self.by_weight(isa, rows, pass.input, grad_output, finish, grad_weight);
        }
        if self.bias {
            bias_gradient(isa, pass.sums, grad_output, grad_bias, pass.scratch);
        }
        if let Some(panels) = &self.backward
            && !pass.grad_input.is_empty()
        {
            multiply(
                isa,
                &Self::left(images, self.out_features),
                grad_output,
                panels,
                &pass.packed[self.packed_len()..],
                None,
                Finish::Store,
                &Self::rows(images, self.in_features),
                pass.grad_input,
            );
        }
    }
}

/// The gradient by the bias: begins it, or adds to it.
pub(super) fn bias_gradient<T: Element>(
    isa: Isa,
    sums: Sums,
    grad_output: &[T],
    grad_bias: &mut [T],
    scratch: &mut [T],
) {
    if sums != Sums::Add {
        return channels::sum(isa, grad_output, grad_bias, scratch);
    }
    let (sum, scratch) = scratch.split_at_mut(grad_bias.len());
    channels::sum(isa, grad_output, sum, scratch);
    slices::add(isa, sum, grad_bias);
}

impl<T: Element> Deferring<T> for DenseLayer {
    fn block(&self, threads: usize) -> usize {
        let [most, fewest] = BLOCK_ROWS;
        let rows = (self.in_features / threads).clamp(fewest, most);
        rows / fewest * fewest * self.out_features
    }

    fn weight_gradient(&self, first: usize, batch: &WholeBatch<'_, T>, gradient: &mut [T]) {
        let (mut index, mut finish) = (0, Finish::Store);
        // Neighbouring chunks with as many images are one grid.
        for alike in batch.images.chunk_by(|a, b| a == b) {
            let (input, input_pitch) = batch.input.chunk(index, batch.images, self.in_features);
            let (grad_output, output_pitch) =
                batch.grad_output.chunk(index, batch.images, self.out_features);
            let grid = |outer_pitch, inner_pitch| Grid {
                outer: alike.len(),
                outer_pitch,
                inner: alike[0],
                inner_pitch,
            };
            let rows = [grid(input_pitch, self.in_features), grid(output_pitch, self.out_features)];
            self.by_weight(
                batch.isa,
                rows,
                &input[first / self.out_features..],
                grad_output,
                finish,
                gradient,
            );
            index += alike.len();
            finish = Finish::Add;
        }
    }
}

impl<T: Element> Ahead<T> for DenseLayer {
    fn weight_shape(&self) -> [usize; 2] {
        [self.in_features, self.out_features]
    }

    fn multiply_rows(
        &self,
        isa: Isa,
        rows: Range<usize>,
        images: &[usize],
        input: &InChunks<'_, T>,
        parameters: &[T],
        sums: &mut [T],
    ) {
        let (columns, mut index, mut rest) = (self.out_features, 0, sums);
        let panels = Panels::plain::<T>(isa, rows.len(), columns);
        let weight = &parameters[rows.start * columns..rows.end * columns];
        for alike in images.chunk_by(|a, b| a == b) {
            let (input, pitch) = input.chunk(index, images, self.in_features);
            // Images that follow one another are one loop, which is cut into tiles as a whole.
            let together = pitch == alike[0] * self.in_features;
            let (outer, inner) =
                if together { (1, alike.len() * alike[0]) } else { (alike.len(), alike[0]) };
            let grid = |outer_pitch, inner_pitch| Grid { outer, outer_pitch, inner, inner_pitch };
            let left = Left {
                rows: grid(pitch, self.in_features),
                runs: Grid::line(1, 0),
                run: rows.len(),
            };
            let out_rows = grid(alike[0] * columns, columns);
            let (out, after) = rest.split_at_mut(out_rows.len() * columns);
            let input = &input[rows.start..];
            multiply(isa, &left, input, &panels, weight, None, Finish::Store, &out_rows, out);
            rest = after;
            index += alike.len();
        }
    }

    fn output(&self, isa: Isa, parameters: &[T], sums: &SumsAhead<'_, T>, output: &mut [T]) {
        let start = sums.first * self.out_features;
        let end = start + output.len();
        let mut slices = sums.all.chunks_exact(sums.pitch).map(|all| &all[start..end]);
        if let Some(first) = slices.next() {
            output.copy_from_slice(first);
        }
        slices.for_each(|slice| slices::add(isa, slice, output));
        if self.bias {
            let bias = &parameters[self.weight_len()..];
            channels::add_bias(isa, bias, self.relu, output);
        } else if self.relu {
            output.iter_mut().for_each(|x| *x = x.relu());
        }
    }
}

/// The "rows" are panels of columns.
impl<T: Element> Banded<T> for DenseLayer {
    fn rows(&self) -> usize {
        self.out_features.div_ceil(self.forward.panel_columns())
    }

    fn row_len(&self) -> usize {
        self.forward.panel_columns()
    }

    fn work(&self) -> usize {
        (self.in_features + WRITING).saturating_mul(self.out_features)
    }

    fn forward_band(&self, first: usize, pass: Forward<'_, T>) {
        let start = first * self.forward.panel_columns();
        let (panels, place) = self.forward.cut(start..start + pass.output.len());
        let bias = &pass.packed[self.forward.len() + start..][..panels.padded_columns()];
        self.apply(
            pass.isa,
            1,
            pass.input,
            &panels,
            (&pass.packed[place], Some(bias)),
            pass.output,
        );
    }
}
