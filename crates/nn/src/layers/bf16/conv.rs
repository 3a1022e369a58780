//! The convolution of [`conv`](super::super::conv) with bf16 operands, for one group of channels.

use super::super::conv::{Geometry, add_bias_gradient, bias_scratch_len};
use super::super::fold::Fold;
use super::super::{Backward, Forward, Layer, Needs, Purpose};
use super::frame::{Bf16Frame, NOTHING, Segments, span};
use super::input_gradient::InputGradient;
use super::planes::WeightGradient;
use percept_kernels::activation;
use percept_kernels::bf16::arrange::{order, pack};
use percept_kernels::bf16::product::{Output, TileOrder, Windows, multiply, packed_len};
use percept_kernels::bf16::{Bf16, COLUMNS, storage, storage_len, stored};
use percept_kernels::isa::Isa;
use percept_kernels::product::Grid;

#[derive(Debug)]
pub(crate) struct Bf16ConvLayer {
    isa: Isa,
    geometry: Geometry,
    bias: bool,
    /// A batch norm to fold in (inference alone), with its eps.
    norm: Option<f64>,
    relu: bool,
    frame: Bf16Frame,
    segments: Segments,
    rows: Grid,
    /// Images that are prepared at once.
    group: usize,
    weight_gradient: Option<WeightGradient>,
    input_gradient: Option<InputGradient>,
}

impl Bf16ConvLayer {
    pub(crate) fn new(
        isa: Isa,
        geometry: Geometry,
        bias: bool,
        norm: Option<f64>,
        relu: bool,
        purpose: Purpose,
    ) -> Self {
        let Geometry { output, kernel, stride, .. } = geometry;
        let frame = Bf16Frame::of_windows(&geometry);
        Self {
            isa,
            geometry,
            bias,
            norm,
            relu,
            frame,
            segments: frame.segments([kernel.height, kernel.width]),
            rows: frame.rows([output.height, output.width], [stride.height, stride.width]),
            group: super::group(frame.image_pitch()),
            weight_gradient: (purpose != Purpose::Inference)
                .then(|| WeightGradient::new(&geometry)),
            input_gradient: purpose.wants_grad_input().then(|| InputGradient::new(&geometry)),
        }
    }

    fn windows(&self) -> Windows<'_> {
        let image_pitch = self.frame.image_pitch();
        Windows {
            image_pitch,
            rows: self.rows,
            segments: &self.segments.offsets,
            tiles: TileOrder::ByColumns,
        }
    }

    fn output(&self) -> Output {
        Output {
            image_pitch: self.geometry.output.len(),
            rows: self.geometry.out_rows(),
            columns: self.geometry.output.channels,
            relu: self.relu,
        }
    }

    /// bf16 numbers of the packed weights.
    fn weight_len(&self) -> usize {
        packed_len(self.segments.offsets.len(), self.geometry.output.channels)
    }

    fn bias_len(&self) -> usize {
        self.geometry.output.channels.next_multiple_of(COLUMNS)
    }

    /// fp32 numbers of the packed weights and bias of forward.
    pub(super) fn forward_len(&self) -> usize {
        storage_len(self.weight_len()) + self.bias_len()
    }

    /// bf16 numbers of the frames of a group of a chunk.
    fn frames_len(&self, chunk: usize) -> usize {
        let images = self.group.min(chunk);
        span(&self.windows(), images).max(images * self.frame.image_pitch())
    }

    fn scratch_len(&self, chunk: usize) -> usize {
        storage_len(self.frames_len(chunk))
            .max(self.weight_gradient.as_ref().map_or(0, |gradient| gradient.scratch_len(chunk)))
            .max(self.input_gradient.as_ref().map_or(0, |gradient| gradient.scratch_len(chunk)))
            .max(bias_scratch_len(self.geometry.output.channels))
    }
}

impl Layer<f32> for Bf16ConvLayer {
    fn needs(&self, chunk: usize) -> Needs {
        Needs {
            packed: self.forward_len()
                + self.input_gradient.as_ref().map_or(0, InputGradient::packed_len),
            scratch: self.scratch_len(chunk),
            backward_reads_input: true,
            backward_reads_output: self.relu,
            ..Needs::default()
        }
    }

    fn pack(&self, parameters: &[f32], buffers: &[f32], packed: &mut [f32]) {
        let columns = self.geometry.output.channels;
        let (weight, rest) = parameters.split_at(self.geometry.weight_len());
        let (bias, norm) = rest.split_at(if self.bias { columns } else { 0 });
        let (forward, backward) = packed.split_at_mut(self.forward_len());
        let (packed_weight, packed_bias) = forward.split_at_mut(storage_len(self.weight_len()));
        let packed_weight = &mut storage(packed_weight)[..self.weight_len()];
        let segments = self.segments.offsets.len();
        let pack_rows = |weight: &[f32], packed: &mut [Bf16]| {
            let row = |k: usize| match self.segments.cells[k] {
                NOTHING => &[][..],
                cell => &weight[cell as usize * columns..][..columns],
            };
            pack(self.isa, segments, columns, row, packed);
            order(self.isa, columns, 0..columns, packed);
        };
        packed_bias.fill(0.0);
        match self.norm {
            Some(eps) => {
                let fold = Fold::new(self.bias.then_some(bias), eps, norm, buffers);
                pack_rows(&fold.scaled(weight), packed_weight);
                packed_bias[..columns].copy_from_slice(&fold.shift);
            }
            None => {
                pack_rows(weight, packed_weight);
                packed_bias[..bias.len()].copy_from_slice(bias);
            }
        }
        if let Some(gradient) = &self.input_gradient {
            gradient.pack(self.isa, weight, backward);
        }
    }

    fn reads_parameters(&self) -> bool {
        false
    }

    fn reads_images_in_place(&self, _: bool) -> bool {
        false
    }

    fn forward(&self, pass: Forward<'_, f32>) {
        let Geometry { input, output, .. } = self.geometry;
        let (weight, rest) = pass.packed.split_at(storage_len(self.weight_len()));
        let weight = &stored(weight)[..self.weight_len()];
        let framed = &mut storage(pass.scratch)[..self.frames_len(pass.images)];
        let images = pass.input.chunks(self.group * input.len());
        for (images, out) in images.zip(pass.output.chunks_mut(self.group * output.len())) {
            self.frame.place(pass.isa, images, framed);
            multiply(
                pass.isa,
                images.len() / input.len(),
                &self.windows(),
                framed,
                weight,
                &rest[..self.bias_len()],
                &self.output(),
                out,
            );
        }
    }

    fn backward(&self, mut pass: Backward<'_, f32>) {
        if self.relu {
            activation::relu_mask(pass.isa, pass.output, pass.grad_output);
        }
        if let Some(gradient) = &self.weight_gradient {
            let grad_weight = &mut pass.gradients[..self.geometry.weight_len()];
            gradient.add(pass.isa, pass.input, pass.grad_output, grad_weight, pass.scratch);
        }
        if self.bias {
            add_bias_gradient(&mut pass, self.geometry.weight_len());
        }
        if let Some(gradient) = &self.input_gradient
            && !pass.grad_input.is_empty()
        {
            let packed = &pass.packed[self.forward_len()..];
            gradient.run(pass.isa, packed, pass.grad_output, pass.grad_input, pass.scratch);
        }
    }
}
