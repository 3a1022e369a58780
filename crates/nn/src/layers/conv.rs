//! Convolution: `y[i, oy, ox, o]` = `bias[o]` + sum over ky, kx, c of `x[i, oy * stride + ky - padding, .., c]` * weight[ky,
//! kx, c, o], zero outside the image; a ReLU behind it where fused.
//!
//! The image is copied into a zero frame; the product kernels then read every window where it lies, so nothing is
//! unfolded ("im2col") and all four kinds of data stay in the first caches.
//!
//! Parameters: weight `[kernel height, kernel width, in_channels / groups, out_channels]`, bias `[out_channels]`.

use super::conv_gradient::InputGradient;
use super::fold::Fold;
use super::{Backward, Banded, Forward, Layer, Needs, Purpose, WRITING};
use crate::shape::{Shape, Size};
use crate::spec::Conv;
use percept_kernels::activation;
use percept_kernels::channels;
use percept_kernels::element::Element;
use percept_kernels::isa::Isa;
use percept_kernels::pad::Frame;
use percept_kernels::product::{Finish, Grid, Left, Panels, multiply, multiply_transposed};
use percept_kernels::slices;

/// The sizes of a convolution, checked to fit together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    pub input: Shape,
    pub output: Shape,
    pub kernel: Size,
    pub stride: Size,
    pub padding: Size,
    pub groups: usize,
}

impl Geometry {
    /// The sizes of a layer that was checked.
    pub(crate) fn new(conv: &Conv, input: Shape, output: Shape) -> Self {
        let Conv { kernel_size: kernel, stride, padding, groups, .. } = *conv;
        // A longer stride than the framed image has one window too, so the numbers stay small whatever was written.
        let stride = Size {
            height: stride.height.min(input.height + 2 * padding.height),
            width: stride.width.min(input.width + 2 * padding.width),
        };
        Self { input, output, kernel, stride, padding, groups }
    }

    /// Input channels that one output channel sees.
    pub(super) fn group_inputs(&self) -> usize {
        self.input.channels / self.groups
    }

    /// Output channels of one group.
    pub(super) fn group_outputs(&self) -> usize {
        self.output.channels / self.groups
    }

    /// Rows of the weight matrix: what one output number sums over.
    pub(super) fn rows(&self) -> usize {
        self.kernel.height * self.kernel.width * self.group_inputs()
    }

    pub(super) fn weight_len(&self) -> usize {
        self.rows() * self.output.channels
    }

    pub(super) fn frame(&self) -> Frame {
        Frame {
            height: self.input.height,
            width: self.input.width,
            channels: self.input.channels,
            top: self.padding.height.cast_signed(),
            left: self.padding.width.cast_signed(),
            frame_height: self.input.height + 2 * self.padding.height,
            frame_width: self.input.width + 2 * self.padding.width,
        }
    }

    /// The windows of one group over the framed image.
    fn windows(&self) -> Left {
        let channels = self.input.channels;
        let pitch = self.frame().frame_width * channels;
        let rows = Grid {
            outer: self.output.height,
            outer_pitch: self.stride.height * pitch,
            inner: self.output.width,
            inner_pitch: self.stride.width * channels,
        };
        let Size { height, width } = self.kernel;
        if self.groups == 1 {
            return Left { rows, runs: Grid::line(height, pitch), run: width * channels };
        }
        let runs = Grid { outer: height, outer_pitch: pitch, inner: width, inner_pitch: channels };
        Left { rows, runs, run: self.group_inputs() }
    }

    pub(super) fn out_rows(&self) -> Grid {
        let channels = self.output.channels;
        Grid {
            outer: self.output.height,
            outer_pitch: self.output.width * channels,
            inner: self.output.width,
            inner_pitch: channels,
        }
    }
}

#[derive(Debug)]
pub(crate) struct ConvLayer {
    geometry: Geometry,
    bias: bool,
    /// A batch norm to fold in (inference alone), with its eps.
    norm: Option<f64>,
    relu: bool,
    frame: Frame,
    windows: Left,
    out_rows: Grid,
    /// One group's weights.
    panels: Panels,
    input_gradient: Option<InputGradient>,
}

impl ConvLayer {
    pub(crate) fn new<T: Element>(
        isa: Isa,
        geometry: Geometry,
        bias: bool,
        norm: Option<f64>,
        relu: bool,
        purpose: Purpose,
    ) -> Self {
        Self {
            geometry,
            bias,
            norm,
            relu,
            frame: geometry.frame(),
            windows: geometry.windows(),
            out_rows: geometry.out_rows(),
            panels: Panels::new::<T>(isa, geometry.rows(), geometry.group_outputs()),
            input_gradient: purpose
                .wants_grad_input()
                .then(|| InputGradient::new::<T>(isa, &geometry)),
        }
    }

    /// Numbers of one group's packed weights with their bias.
    fn group_len(&self) -> usize {
        self.panels.len() + self.panels.padded_columns()
    }

    /// Numbers of the frame's scratch memory: none where the frame is the image.
    fn frame_len(&self) -> usize {
        if self.frame.is_identity() { 0 } else { self.frame.len() }
    }

    /// Writes the gradient by every image, in a layer that was made for it.
    pub(super) fn write_input_gradient<T: Element>(
        &self,
        isa: Isa,
        packed: &[T],
        grad_output: &[T],
        grad_input: &mut [T],
        scratch: &mut [T],
    ) {
        if let Some(gradient) = &self.input_gradient {
            let packed = &packed[self.geometry.groups * self.group_len()..];
            gradient.run(isa, packed, grad_output, grad_input, scratch);
        }
    }

    fn finish(&self) -> Finish {
        if self.relu { Finish::StoreRelu } else { Finish::Store }
    }

    /// The image in its frame.
    fn framed<'a, T: Element>(&self, image: &'a [T], scratch: &'a mut [T]) -> &'a [T] {
        if self.frame.is_identity() {
            return image;
        }
        self.frame.place(image, T::ZERO, scratch);
        &scratch[..self.frame.len()]
    }

    /// Makes the first `rows` rows of the output of a framed image.
    fn convolve<T: Element>(
        &self,
        isa: Isa,
        rows: usize,
        framed: &[T],
        packed: &[T],
        out: &mut [T],
    ) {
        let windows = Left { rows: Grid { outer: rows, ..self.windows.rows }, ..self.windows };
        let out_rows = Grid { outer: rows, ..self.out_rows };
        for group in 0..self.geometry.groups {
            let packed = &packed[group * self.group_len()..][..self.group_len()];
            let (weight, bias) = packed.split_at(self.panels.len());
            multiply(
                isa,
                &windows,
                &framed[group * self.geometry.group_inputs()..],
                &self.panels,
                weight,
                Some(bias),
                self.finish(),
                &out_rows,
                &mut out[group * self.geometry.group_outputs()..],
            );
        }
    }

    /// Packs each group's weights with their bias: element (k, o) of the weight is `at(k, o)`, of the bias `shift[o]`.
    fn pack_forward<T: Element>(
        &self,
        at: impl Fn(usize, usize) -> T,
        shift: &[T],
        packed: &mut [T],
    ) {
        let outputs = self.geometry.group_outputs();
        for (group, packed) in packed.chunks_exact_mut(self.group_len()).enumerate() {
            let first = group * outputs;
            let (panels, bias) = packed.split_at_mut(self.panels.len());
            self.panels.pack(panels, |k, n| at(k, first + n));
            if !shift.is_empty() {
                bias[..outputs].copy_from_slice(&shift[first..first + outputs]);
            }
        }
    }

    fn add_weight_gradient<T: Element>(&self, pass: &mut Backward<'_, T>) {
        let Geometry { input, output, .. } = self.geometry;
        let outputs = self.geometry.group_outputs();
        let grad_weight = &mut pass.gradients[..self.geometry.weight_len()];
        let images = pass.input.chunks_exact(input.len());
        for (image, grad) in images.zip(pass.grad_output.chunks_exact(output.len())) {
            let framed = self.framed(image, pass.scratch);
            for group in 0..self.geometry.groups {
                multiply_transposed(
                    pass.isa,
                    &self.windows,
                    &framed[group * self.geometry.group_inputs()..],
                    &self.out_rows,
                    &grad[group * outputs..],
                    outputs,
                    &mut grad_weight[group * outputs..],
                    output.channels,
                );
            }
        }
    }
}

/// Adds the gradient by a layer's bias, which follows `weight_len` numbers of weights; takes [`bias_scratch_len`] of scratch.
pub(super) fn add_bias_gradient<T: Element>(pass: &mut Backward<'_, T>, weight_len: usize) {
    let grad_bias = &mut pass.gradients[weight_len..];
    let (sums, scratch) = pass.scratch.split_at_mut(grad_bias.len());
    channels::sum(pass.isa, pass.grad_output, sums, scratch);
    slices::add(pass.isa, sums, grad_bias);
}

/// Numbers of scratch memory that [`add_bias_gradient`] takes.
pub(super) fn bias_scratch_len(out_channels: usize) -> usize {
    out_channels + channels::scratch_len(out_channels)
}

impl<T: Element> Layer<T> for ConvLayer {
    fn needs(&self, chunk: usize) -> Needs {
        let gradient = self.input_gradient.as_ref();
        Needs {
            packed: self.geometry.groups * self.group_len()
                + gradient.map_or(0, InputGradient::packed_len::<T>),
            scratch: self
                .frame_len()
                .max(gradient.map_or(0, |gradient| gradient.scratch_len(chunk)))
                .max(bias_scratch_len(self.geometry.output.channels)),
            backward_reads_input: true,
            backward_reads_output: self.relu,
            ..Needs::default()
        }
    }

    fn reads_parameters(&self) -> bool {
        false
    }

    fn pack(&self, parameters: &[T], buffers: &[T], packed: &mut [T]) {
        let columns = self.geometry.output.channels;
        let (weight, rest) = parameters.split_at(self.geometry.weight_len());
        let (bias, norm) = rest.split_at(if self.bias { columns } else { 0 });
        let (forward, backward) = packed.split_at_mut(self.geometry.groups * self.group_len());
        match self.norm {
            Some(eps) => {
                let fold = Fold::new(self.bias.then_some(bias), eps, norm, buffers);
                let at = |k: usize, n: usize| weight[k * columns + n] * fold.scale[n];
                self.pack_forward(at, &fold.shift, forward);
            }
            None => self.pack_forward(|k, n| weight[k * columns + n], bias, forward),
        }
        if let Some(gradient) = &self.input_gradient {
            gradient.pack(weight, backward);
        }
    }

    fn forward(&self, pass: Forward<'_, T>) {
        let Geometry { input, output, .. } = self.geometry;
        let images = pass.input.chunks_exact(input.len());
        for (image, out) in images.zip(pass.output.chunks_exact_mut(output.len())) {
            let framed = self.framed(image, pass.scratch);
            self.convolve(pass.isa, output.height, framed, pass.packed, out);
        }
    }

    fn banded(&self) -> Option<&dyn Banded<T>> {
        Some(self)
    }

    fn backward(&self, mut pass: Backward<'_, T>) {
        if self.relu {
            activation::relu_mask(pass.isa, pass.output, pass.grad_output);
        }
        self.add_weight_gradient(&mut pass);
        if self.bias {
            add_bias_gradient(&mut pass, self.geometry.weight_len());
        }
        if !pass.grad_input.is_empty() {
            let Backward { isa, packed, grad_output, grad_input, scratch, .. } = pass;
            self.write_input_gradient(isa, packed, grad_output, grad_input, scratch);
        }
    }
}

impl<T: Element> Banded<T> for ConvLayer {
    fn rows(&self) -> usize {
        self.geometry.output.height
    }

    fn row_len(&self) -> usize {
        self.geometry.output.width * self.geometry.output.channels
    }

    fn work(&self) -> usize {
        self.geometry.output.len().saturating_mul(self.geometry.rows() + WRITING)
    }

    fn forward_band(&self, first: usize, pass: Forward<'_, T>) {
        let rows = pass.output.len() / Banded::<T>::row_len(self);
        let above = first * self.geometry.stride.height;
        let framed = if self.frame.is_identity() {
            &pass.input[above * self.frame.width * self.frame.channels..]
        } else {
            // The rows of the whole frame that the band's windows see.
            let frame = Frame {
                top: self.frame.top - above.cast_signed(),
                frame_height: (rows - 1) * self.geometry.stride.height
                    + self.geometry.kernel.height,
                ..self.frame
            };
            frame.place(pass.input, T::ZERO, pass.scratch);
            &pass.scratch[..frame.len()]
        };
        self.convolve(pass.isa, rows, framed, pass.packed, pass.output);
    }
}
