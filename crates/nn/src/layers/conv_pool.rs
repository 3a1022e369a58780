//! Convolution, ReLU and 2x2 max-pooling in one layer: what the convolution gives lives for a few images at a time, in
//! the first caches, and is kept nowhere.
//!
//! Forward keeps a mark for each pooled number: which of its four pixels was the greatest. The ReLU's mask is that of the
//! pooled result, since the greatest of four numbers is positive where any is. Backward adds the windows of the marked
//! pixels alone to the weights' gradient; the gradient by the input is that of the convolution, from the spread gradient.
//!
//! Where channels are few, forward convolves along the pixels ([`PixelConv`]).
//!
//! Parameters: weight `[kernel height, kernel width, in_channels, out_channels]`, bias `[out_channels]`.

use super::conv::{ConvLayer, Geometry, add_bias_gradient, bias_scratch_len};
use super::fold::Fold;
use super::pooled_gradient::PooledGradient;
use super::{Backward, Forward, Layer, Needs, Purpose};
use percept_kernels::activation;
use percept_kernels::element::Element;
use percept_kernels::isa::Isa;
use percept_kernels::pixel_conv::PixelConv;
use percept_kernels::pool::{self, Windows};

/// Numbers of a convolution's result that are worked on together, where one image has not more.
const BLOCK: usize = 1 << 15;

#[derive(Debug)]
pub(crate) struct ConvPoolLayer {
    geometry: Geometry,
    bias: bool,
    /// A batch norm to fold in (inference alone), with its eps.
    norm: Option<f64>,
    conv: ConvLayer,
    pooling: Windows,
    pixels: Option<PixelConv>,
    gradient: PooledGradient,
    training: bool,
}

impl ConvPoolLayer {
    /// Of a convolution in one group and a pooling of 2x2 windows that covers its result.
    pub(crate) fn new<T: Element>(
        isa: Isa,
        geometry: Geometry,
        bias: bool,
        norm: Option<f64>,
        pooling: Windows,
        purpose: Purpose,
    ) -> Self {
        let pixels = pixel_form::<T>(isa, &geometry);
        Self {
            geometry,
            bias,
            norm,
            conv: ConvLayer::new::<T>(isa, geometry, bias, norm, false, purpose),
            pooling,
            pixels,
            gradient: PooledGradient::new(isa, &geometry, &pooling, pixels.is_some()),
            training: purpose != Purpose::Inference,
        }
    }

    /// Pooled numbers of one image.
    fn pooled_len(&self) -> usize {
        self.pooling.output[0] * self.pooling.output[1] * self.pooling.channels
    }

    /// Images whose convolved numbers exist at once.
    fn block(&self, chunk: usize) -> usize {
        (BLOCK / self.geometry.output.len()).clamp(1, chunk)
    }

    /// Numbers of the weights and biases of the pixel form, which come first among the packed ones.
    fn pixels_len(&self) -> usize {
        let columns = self.geometry.output.channels;
        if self.pixels.is_some() { (self.geometry.rows() + 1) * columns } else { 0 }
    }

    fn pack_pixels<T: Element>(&self, parameters: &[T], buffers: &[T], packed: &mut [T]) {
        let columns = self.geometry.output.channels;
        let (weight, rest) = parameters.split_at(self.geometry.rows() * columns);
        let (bias, norm) = rest.split_at(if self.bias { columns } else { 0 });
        let (to, to_bias) = packed.split_at_mut(weight.len());
        to.copy_from_slice(weight);
        if let Some(eps) = self.norm {
            let fold = Fold::new(self.bias.then_some(bias), eps, norm, buffers);
            for row in to.chunks_exact_mut(columns) {
                row.iter_mut().zip(&fold.scale).for_each(|(w, scale)| *w *= *scale);
            }
            to_bias.copy_from_slice(&fold.shift);
        } else if self.bias {
            to_bias.copy_from_slice(bias);
        }
    }

    fn write_input_gradient<T: Element>(&self, pass: &mut Backward<'_, T>) {
        let Geometry { input, output, .. } = self.geometry;
        let (pooled, block) = (self.pooled_len(), self.block(pass.images));
        let (spread, rest) = pass.scratch.split_at_mut(block * output.len());
        let (marks_last, scratch) = rest.split_at_mut(self.marks_len());
        let packed = &pass.packed[self.pixels_len()..];
        let results =
            pass.grad_output.chunks(block * pooled).zip(pass.saved.chunks(block * pooled));
        for (grad_input, (grad, marks)) in
            pass.grad_input.chunks_mut(block * input.len()).zip(results)
        {
            let spread = &mut spread[..grad.len() * 4];
            let images = grad.chunks_exact(pooled).zip(marks.chunks_exact(pooled));
            for ((grad, marks), spread) in images.zip(spread.chunks_exact_mut(output.len())) {
                let marks = self.channels_last(marks, marks_last);
                pool::halve_spread(pass.isa, &self.pooling, marks, grad, spread);
            }
            self.conv.write_input_gradient(pass.isa, packed, spread, grad_input, scratch);
        }
    }

    fn marks_len(&self) -> usize {
        if self.pixels.is_some() { self.pooled_len() } else { 0 }
    }

    /// The marks of one image `[pixels, channels]`: the pixel form has them the other way round.
    fn channels_last<'a, T: Element>(&self, marks: &'a [T], scratch: &'a mut [T]) -> &'a [T] {
        if self.pixels.is_none() {
            return marks;
        }
        let channels = self.pooling.channels;
        for (channel, marks) in marks.chunks_exact(marks.len() / channels).enumerate() {
            let to = scratch[channel..].iter_mut().step_by(channels);
            to.zip(marks).for_each(|(to, mark)| *to = *mark);
        }
        scratch
    }
}

/// The pixel form, where it fills the vectors better than the channels do.
fn pixel_form<T: Element>(isa: Isa, geometry: &Geometry) -> Option<PixelConv> {
    let Geometry { input, output, kernel, stride, padding, .. } = *geometry;
    // The scalar body decides as the widest one, so that what is checked with it is what runs.
    let lanes = Some(T::isa(isa).lanes()).filter(|lanes| *lanes > 1).unwrap_or(16);
    let (pixels, channels) = (output.width / 2, output.channels);
    let fuller =
        channels * pixels.next_multiple_of(lanes) < pixels * channels.next_multiple_of(lanes);
    let few = input.channels <= 4 && channels <= lanes;
    (few && fuller && stride.height == 1 && stride.width == 1).then_some(PixelConv {
        input: [input.height, input.width],
        channels: input.channels,
        outputs: channels,
        kernel: [kernel.height, kernel.width],
        padding: [padding.height, padding.width],
    })
}

impl<T: Element> Layer<T> for ConvPoolLayer {
    fn needs(&self, chunk: usize) -> Needs {
        let block = self.block(chunk);
        let conv = Layer::<T>::needs(&self.conv, block);
        let pixels = self.pixels.map_or(0, |pixels| pixels.scratch_len());
        let forward = pixels.max(block * self.geometry.output.len() + conv.scratch);
        let backward = [
            self.gradient.scratch_len::<T>(),
            block * self.geometry.output.len() + self.marks_len() + conv.scratch,
            bias_scratch_len(self.pooling.channels),
        ];
        Needs {
            packed: self.pixels_len() + conv.packed,
            saved: if self.training { chunk * self.pooled_len() } else { 0 },
            scratch: if self.training {
                backward.into_iter().fold(forward, usize::max)
            } else {
                forward
            },
            backward_reads_input: true,
            backward_reads_output: true,
            ..Needs::default()
        }
    }

    fn pack(&self, parameters: &[T], buffers: &[T], packed: &mut [T]) {
        let (pixels, conv) = packed.split_at_mut(self.pixels_len());
        if self.pixels.is_some() {
            self.pack_pixels(parameters, buffers, pixels);
        }
        self.conv.pack(parameters, buffers, conv);
    }

    fn forward(&self, pass: Forward<'_, T>) {
        let Geometry { input, output, .. } = self.geometry;
        let (own, packed) = pass.packed.split_at(self.pixels_len());
        let marks = if self.training { &mut pass.saved[..pass.output.len()] } else { &mut [] };
        if let Some(pixels) = &self.pixels {
            let (weight, bias) = own.split_at(own.len() - output.channels);
            let marks = self.training.then_some(marks);
            pixels.forward(pass.isa, pass.input, weight, bias, pass.output, marks, pass.scratch);
            return;
        }
        let (pooled, block) = (self.pooled_len(), self.block(pass.images));
        let (convolved, scratch) = pass.scratch.split_at_mut(block * output.len());
        let images = pass.input.chunks(block * input.len());
        for (index, (images, out)) in images.zip(pass.output.chunks_mut(block * pooled)).enumerate()
        {
            let convolved = &mut convolved[..out.len() * 4];
            self.conv.forward(Forward {
                images: out.len() / pooled,
                packed,
                input: images,
                second: &[],
                output: convolved,
                saved: &mut [],
                kept: &mut [],
                scratch,
                statistics: &mut [],
                ..pass
            });
            let first = (index * block * pooled).min(marks.len());
            let marks = &mut marks[first..];
            let count = out.len().min(marks.len());
            pool::halve_marked(pass.isa, &self.pooling, true, convolved, out, &mut marks[..count]);
        }
    }

    fn backward(&self, mut pass: Backward<'_, T>) {
        activation::relu_mask(pass.isa, pass.output, pass.grad_output);
        self.gradient.add(&mut pass);
        if self.bias {
            add_bias_gradient(&mut pass, self.geometry.weight_len());
        }
        if !pass.grad_input.is_empty() {
            self.write_input_gradient(&mut pass);
        }
    }
}
