//! The gradient by the weights of a convolution with a 2x2 max-pooling behind, from the marked pixels' windows alone.

use super::Backward;
use super::conv::Geometry;
use crate::arena::LINE;
use percept_kernels::element::Element;
use percept_kernels::isa::Isa;
use percept_kernels::pad::Frame;
use percept_kernels::pool::Windows;
use percept_kernels::pooled_gradient::PooledWindows;

#[derive(Debug)]
pub(super) struct PooledGradient {
    isa: Isa,
    geometry: Geometry,
    frame: Frame,
    windows: PooledWindows,
}

impl PooledGradient {
    /// Of a convolution in one group and a pooling that covers its result; marks are `[channels, pixels]` or the other way round.
    pub(super) fn new(
        isa: Isa,
        geometry: &Geometry,
        pooling: &Windows,
        channels_first: bool,
    ) -> Self {
        let Geometry { input, output, kernel, stride, .. } = *geometry;
        let frame = geometry.frame();
        let row_pitch = frame.frame_width * input.channels;
        let windows = PooledWindows {
            output: pooling.output,
            outputs: output.channels,
            rows: kernel.height,
            run: kernel.width * input.channels,
            row_pitch,
            frame_len: frame.len(),
            steps: [stride.height * row_pitch, stride.width * input.channels],
            channels_first,
        };
        Self { isa, geometry: *geometry, frame, windows }
    }

    /// Whether images are small, and their windows so placed, that they are copied to be read faster.
    pub(super) fn copies<T: Element>(&self) -> bool {
        self.windows.copies::<T>(self.isa)
    }

    /// Numbers of the frame: none where the images themselves are read.
    fn frame_len<T: Element>(&self) -> usize {
        if self.frame.is_identity() && self.copies::<T>() {
            0
        } else {
            self.windows.framed_len::<T>(self.isa).next_multiple_of(LINE)
        }
    }

    pub(super) fn scratch_len<T: Element>(&self) -> usize {
        self.windows.sums_len::<T>(self.isa).next_multiple_of(LINE)
            + self.frame_len::<T>()
            + self.windows.scratch_len::<T>(self.isa)
    }

    /// Adds the gradient by the weights, which come first among the parameters; `saved` begins with the marks.
    pub(super) fn add<T: Element>(&self, pass: &mut Backward<'_, T>) {
        let (input, pooled) = (self.geometry.input.len(), pass.grad_output.len() / pass.images);
        let sums_len = self.windows.sums_len::<T>(self.isa);
        let (sums, scratch) = pass.scratch.split_at_mut(sums_len.next_multiple_of(LINE));
        let (frame, scratch) = scratch.split_at_mut(self.frame_len::<T>());
        let sums = &mut sums[..sums_len];
        sums.fill(T::ZERO);
        frame.fill(T::ZERO);
        self.windows.prepare(self.isa, scratch);
        let results = pass.grad_output.chunks_exact(pooled).zip(pass.saved.chunks_exact(pooled));
        for (image, (grad, marks)) in pass.input.chunks_exact(input).zip(results) {
            let image = if frame.is_empty() {
                image
            } else {
                self.frame.place(image, T::ZERO, frame);
                &*frame
            };
            self.windows.add(self.isa, image, grad, marks, sums, scratch);
        }
        self.gather(sums, &mut pass.gradients[..self.geometry.weight_len()]);
    }

    /// Adds the sums, channel by channel, to the gradient of the weights.
    fn gather<T: Element>(&self, sums: &[T], grad_weight: &mut [T]) {
        let PooledWindows { rows, run, outputs, .. } = self.windows;
        let padded = self.windows.padded_run::<T>(self.isa);
        for (k, grads) in grad_weight.chunks_exact_mut(outputs).enumerate() {
            let place = k / run * padded + k % run;
            let column = sums[place..].iter().step_by(rows * padded);
            grads.iter_mut().zip(column).for_each(|(grad, sum)| *grad += *sum);
        }
    }
}
