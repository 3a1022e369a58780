//! A convolution with bf16 operands, a ReLU where there is one, and 2x2 max-pooling in one layer, as in
//! [`conv_pool`](super::super::conv_pool): what the convolution gives lives for a few images at a time, in the second cache.
//!
//! Windows next to each other may leave a row and a column of the convolution's result; these are not computed. Forward
//! keeps a mark for each pooled number, and backward spreads the gradient by the marks, for a few images again.

use super::super::conv::{Geometry, add_bias_gradient};
use super::super::{Backward, Forward, Layer, Needs, Purpose};
use super::conv::Bf16ConvLayer;
use super::marked::MarkedGradients;
use crate::arena::LINE;
use crate::shape::Shape;
use percept_kernels::activation;
use percept_kernels::isa::Isa;
use percept_kernels::pool::{self, Windows};

/// Bytes of a convolution's result that exist at once: they leave room in the second cache for frames and weights.
const CONVOLVED_BYTES: usize = 1 << 19;

#[derive(Debug)]
pub(crate) struct Bf16ConvPoolLayer {
    conv: Bf16ConvLayer,
    /// That of the pixels that are pooled.
    geometry: Geometry,
    relu: bool,
    pooling: Windows,
    training: bool,
    /// The gradients, where they do not want the spread one in fp32.
    marked: Option<MarkedGradients>,
    bias: bool,
    /// Images that are convolved, and whose gradients are spread, at once.
    block: usize,
}

impl Bf16ConvPoolLayer {
    /// Of a convolution in one group and a pooling of [pairs](Windows::are_pairs) of its result.
    pub(crate) fn new(
        isa: Isa,
        geometry: Geometry,
        bias: bool,
        norm: Option<f64>,
        relu: bool,
        pooling: Windows,
        purpose: Purpose,
    ) -> Self {
        let [height, width] = pooling.output.map(|pixels| 2 * pixels);
        let output = Shape { height, width, ..geometry.output };
        let geometry = Geometry { output, ..geometry };
        let training = purpose != Purpose::Inference;
        let pooling = Windows { input: [height, width], ..pooling };
        let gradients =
            || MarkedGradients::new(isa, &geometry, &pooling, purpose.wants_grad_input());
        let marked = training.then(gradients).flatten();
        let forward = if marked.is_some() { Purpose::Inference } else { purpose };
        Self {
            // Without marks the sums are rectified before they leave their registers.
            conv: Bf16ConvLayer::new(isa, geometry, bias, norm, relu && !training, forward),
            geometry,
            relu,
            pooling,
            training,
            marked,
            bias,
            block: (CONVOLVED_BYTES / size_of::<f32>() / output.len()).max(1),
        }
    }

    /// Pooled numbers of one image.
    fn pooled_len(&self) -> usize {
        self.geometry.output.len() / 4
    }

    /// Numbers of the convolution's result, or of the gradient by it, that exist at once.
    fn convolved_len(&self, chunk: usize) -> usize {
        self.block.min(chunk) * self.geometry.output.len()
    }

    fn backward_by_marks(&self, marked: &MarkedGradients, pass: &mut Backward<'_, f32>) {
        marked.add_weights(pass);
        if self.bias {
            add_bias_gradient(pass, self.geometry.weight_len());
        }
        if !pass.grad_input.is_empty() {
            marked.write_input(&pass.packed[self.conv.forward_len()..], pass);
        }
    }
}

impl Layer<f32> for Bf16ConvPoolLayer {
    fn needs(&self, chunk: usize) -> Needs {
        let conv = self.conv.needs(self.block.min(chunk));
        Needs {
            saved: if self.training { chunk * self.pooled_len() } else { 0 },
            scratch: (self.convolved_len(chunk).next_multiple_of(LINE) + conv.scratch)
                .max(self.marked.as_ref().map_or(0, |marked| marked.scratch_len(chunk))),
            packed: conv.packed + self.marked.as_ref().map_or(0, MarkedGradients::packed_len),
            backward_reads_input: true,
            backward_reads_output: self.relu,
            ..conv
        }
    }

    fn pack(&self, parameters: &[f32], buffers: &[f32], packed: &mut [f32]) {
        let Some(marked) = &self.marked else {
            return self.conv.pack(parameters, buffers, packed);
        };
        let (forward, backward) = packed.split_at_mut(self.conv.forward_len());
        self.conv.pack(parameters, buffers, forward);
        marked.pack(&parameters[..self.geometry.weight_len()], backward);
    }

    fn reads_parameters(&self) -> bool {
        false
    }

    fn reads_images_in_place(&self, _: bool) -> bool {
        false
    }

    fn forward(&self, pass: Forward<'_, f32>) {
        let (input, pooled) = (self.geometry.input.len(), self.pooled_len());
        let convolved_len = self.convolved_len(pass.images);
        let (convolved, scratch) = pass.scratch.split_at_mut(convolved_len.next_multiple_of(LINE));
        let mut marks = pass.saved.chunks_mut(self.block * pooled);
        let images = pass.input.chunks(self.block * input);
        for (images, out) in images.zip(pass.output.chunks_mut(self.block * pooled)) {
            let convolved = &mut convolved[..4 * out.len()];
            self.conv.forward(Forward {
                images: out.len() / pooled,
                input: images,
                second: &[],
                output: convolved,
                saved: &mut [],
                kept: &mut [],
                scratch,
                statistics: &mut [],
                ..pass
            });
            if !self.training {
                pool::max_forward(pass.isa, &self.pooling, convolved, out);
            } else if let Some(marks) = marks.next() {
                let marks = &mut marks[..out.len()];
                pool::halve_marked(pass.isa, &self.pooling, self.relu, convolved, out, marks);
            }
        }
    }

    fn backward(&self, mut pass: Backward<'_, f32>) {
        let (input, pooled) = (self.geometry.input.len(), self.pooled_len());
        if self.relu {
            activation::relu_mask(pass.isa, pass.output, pass.grad_output);
        }
        if let Some(marked) = &self.marked {
            return self.backward_by_marks(marked, &mut pass);
        }
        let convolved_len = self.convolved_len(pass.images);
        let (spread, scratch) = pass.scratch.split_at_mut(convolved_len.next_multiple_of(LINE));
        let results = pass.grad_output.chunks(self.block * pooled);
        let results = results.zip(pass.saved.chunks(self.block * pooled));
        let mut grad_input = pass.grad_input.chunks_mut(self.block * input);
        for (images, (grad, marks)) in pass.input.chunks(self.block * input).zip(results) {
            let spread = &mut spread[..4 * grad.len()];
            pool::halve_spread(pass.isa, &self.pooling, &marks[..grad.len()], grad, spread);
            self.conv.backward(Backward {
                images: grad.len() / pooled,
                input: images,
                output: &[],
                kept: &mut [],
                grad_output: spread,
                grad_input: grad_input.next().unwrap_or_default(),
                grad_second: &mut [],
                gradients: pass.gradients,
                saved: &[],
                scratch,
                ..pass
            });
        }
    }
}
