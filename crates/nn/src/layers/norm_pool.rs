//! Batch normalisation, ReLU and 2x2 max-pooling in one layer (see [`batch_norm`](super::batch_norm) for the formulas): the
//! normalised image is written nowhere; backward goes from the pooled gradient to that by the input in two passes.
//!
//! Parameters and buffers are the batch norm's.

use super::batch_norm::{BatchNormLayer, GradientCoefficients};
use super::{Backward, BatchStatistics, Forward, Layer, Needs};
use percept_kernels::channels;
use percept_kernels::element::Element;
use percept_kernels::norm_pool::{self, Halving};
use percept_kernels::slices;

#[derive(Debug)]
pub(crate) struct NormPoolLayer {
    pub norm: BatchNormLayer,
    /// Columns of the image before pooling.
    pub columns: usize,
}

impl NormPoolLayer {
    fn size(&self) -> Halving {
        Halving { columns: self.columns, channels: self.norm.channels }
    }

    /// Pooled numbers of one image.
    fn pooled_len(&self) -> usize {
        self.norm.pixels * self.norm.channels / 4
    }
}

impl<T: Element> Layer<T> for NormPoolLayer {
    fn needs(&self, chunk: usize) -> Needs {
        let c = self.norm.channels;
        Needs {
            // mean, 1 / sqrt(variance + eps), and for each pooled number its mark and the pixel it was
            saved: 2 * c + 2 * chunk * self.pooled_len(),
            scratch: 5 * c + BatchNormLayer::statistics_scratch_len(c),
            statistics: 2 * c,
            backward_reads_input: true,
            ..Needs::default()
        }
    }

    fn forward(&self, pass: Forward<'_, T>) {
        let c = self.norm.channels;
        let (saved, pooled) = pass.saved.split_at_mut(2 * c);
        let (coefficients, scratch) = pass.scratch.split_at_mut(5 * c);
        let (scale, shift) = coefficients.split_at_mut(c);
        let shift = &mut shift[..c];
        self.norm.take_statistics(pass.isa, pass.input, saved, pass.statistics, scratch);
        self.norm.coefficients(pass.parameters, saved, scale, shift);
        let (marks, chosen) = pooled[..2 * pass.output.len()].split_at_mut(pass.output.len());
        norm_pool::forward(
            pass.isa,
            self.size(),
            pass.input,
            scale,
            shift,
            pass.output,
            marks,
            chosen,
        );
    }

    fn backward(&self, pass: Backward<'_, T>) {
        let c = self.norm.channels;
        let (saved, pooled) = pass.saved.split_at(2 * c);
        let (marks, chosen) = pooled[..2 * pass.grad_output.len()].split_at(pass.grad_output.len());
        let (coefficients, scratch) = pass.scratch.split_at_mut(5 * c);
        let mut coefficients = coefficients.chunks_exact_mut(c);
        let [grad_sum, product_sum, shift, y_scale, y_shift] =
            [(); 5].map(|()| coefficients.next().expect("five rows of channels"));
        let (isa, size, mean) = (pass.isa, self.size(), &saved[..c]);
        let (input, grad_output) = (pass.input, &*pass.grad_output);
        self.norm.coefficients(pass.parameters, saved, y_scale, y_shift);
        channels::gradient_sums(
            isa,
            chosen,
            mean,
            Some((y_scale, y_shift)),
            grad_output,
            grad_sum,
            product_sum,
            scratch,
        );
        let (grad_weight, grad_bias) = pass.gradients.split_at_mut(c);
        self.norm.finish_sums(saved, product_sum);
        slices::add(isa, product_sum, grad_weight);
        slices::add(isa, grad_sum, grad_bias);
        if pass.grad_input.is_empty() {
            return;
        }
        let pixels = T::from_f64((input.len() / c) as f64);
        let coefficients =
            GradientCoefficients { scale: grad_sum, slope: product_sum, shift: &mut *shift };
        self.norm.gradient_coefficients(pass.parameters, saved, pixels, coefficients);
        let (scale, slope) = (&*grad_sum, &*product_sum);
        norm_pool::gradient_combine(
            isa,
            size,
            input,
            marks,
            grad_output,
            scale,
            slope,
            shift,
            pass.grad_input,
        );
    }

    fn merge_statistics(&self, batch: &BatchStatistics<'_, T>, buffers: &mut [T]) {
        self.norm.merge_statistics(batch, buffers);
    }
}
