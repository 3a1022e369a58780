//! Batch normalisation (Ioffe and Szegedy 2015): y = (x - mean) / sqrt(variance + eps) * weight + bias per channel, a
//! ReLU behind it where fused.
//!
//! While training, mean and variance are those of the chunk ("ghost batch normalisation", Hoffer, Hubara, Soudry
//! 2017), so a chunk needs nothing from another one. The running statistics are those of the whole batch, merged from
//! its chunks in order, and are what PyTorch computes for a batch of one chunk: running = (1 - momentum) * running +
//! momentum * batch, with the unbiased variance.
//!
//! Backward (n pixels, xhat = (x - mean) * inv, g = grad_output):
//! grad_weight = sum g * xhat, grad_bias = sum g, grad_x = weight * inv * (g - grad_bias / n - xhat * grad_weight / n).
//!
//! Parameters: weight, bias `[channels]`. Buffers: running_mean, running_var `[channels]`.

use super::{Backward, BatchStatistics, Forward, Layer, Needs};
use percept_kernels::channels as kernel;
use percept_kernels::element::Element;
use percept_kernels::slices;

/// The training form: statistics from the chunk.
#[derive(Debug)]
pub(crate) struct BatchNormLayer {
    /// Pixels of one image.
    pub pixels: usize,
    pub channels: usize,
    pub eps: f64,
    pub momentum: f64,
    pub relu: bool,
}

impl<T: Element> Layer<T> for BatchNormLayer {
    fn needs(&self, _chunk: usize) -> Needs {
        Needs {
            // mean and 1 / sqrt(variance + eps)
            saved: 2 * self.channels,
            scratch: 3 * self.channels + kernel::scratch_len(self.channels),
            // mean and variance
            statistics: 2 * self.channels,
            backward_reads_input: true,
            backward_reads_output: self.relu,
            ..Needs::default()
        }
    }

    fn forward(&self, pass: Forward<'_, T>) {
        let c = self.channels;
        let n = T::from_f64((pass.input.len() / c) as f64);
        let (weight, bias) = pass.parameters.split_at(c);
        let (mean, inverse) = pass.saved.split_at_mut(c);
        let (mean_out, variance) = pass.statistics.split_at_mut(c);
        let (coefficients, scratch) = pass.scratch.split_at_mut(3 * c);
        kernel::sum(pass.isa, pass.input, mean, scratch);
        mean.iter_mut().for_each(|mean| *mean /= n);
        kernel::sum_of_squares(pass.isa, pass.input, mean, variance, scratch);
        variance.iter_mut().for_each(|variance| *variance /= n);
        mean_out.copy_from_slice(mean);
        let (scale, shift) = coefficients.split_at_mut(c);
        for i in 0..c {
            inverse[i] = T::ONE / (variance[i] + T::from_f64(self.eps)).sqrt();
            scale[i] = weight[i] * inverse[i];
            shift[i] = bias[i] - mean[i] * scale[i];
        }
        let shift = &shift[..c];
        kernel::scale_shift(pass.isa, pass.input, scale, shift, self.relu, pass.output, scratch);
    }

    fn backward(&self, pass: Backward<'_, T>) {
        let c = self.channels;
        let n = T::from_f64((pass.input.len() / c) as f64);
        let (mean, inverse) = pass.saved.split_at(c);
        let (grad_weight, grad_bias) = pass.gradients.split_at_mut(c);
        let (coefficients, scratch) = pass.scratch.split_at_mut(3 * c);
        let (grad_sum, rest) = coefficients.split_at_mut(c);
        let (product_sum, shift) = rest.split_at_mut(c);
        let y = self.relu.then_some(pass.output);
        kernel::gradient_sums(
            pass.isa,
            pass.input,
            mean,
            y,
            pass.grad_output,
            grad_sum,
            product_sum,
            scratch,
        );
        for i in 0..c {
            product_sum[i] *= inverse[i];
        }
        slices::add(pass.isa, product_sum, grad_weight);
        slices::add(pass.isa, grad_sum, grad_bias);
        if pass.grad_input.is_empty() {
            return;
        }
        // grad_x = scale * g + slope * x + shift with the terms of the formula above collected.
        let (scale, slope) = (grad_sum, product_sum);
        for i in 0..c {
            let weight_inverse = pass.parameters[i] * inverse[i];
            let (grad_sum, product_sum) = (scale[i], slope[i]);
            scale[i] = weight_inverse;
            slope[i] = -(weight_inverse * inverse[i] * product_sum / n);
            shift[i] = -(weight_inverse * grad_sum / n) - slope[i] * mean[i];
        }
        kernel::gradient_combine(
            pass.isa,
            pass.input,
            y,
            pass.grad_output,
            scale,
            slope,
            shift,
            pass.grad_input,
            scratch,
        );
    }

    fn merge_statistics(&self, batch: &BatchStatistics<'_, T>, buffers: &mut [T]) {
        let c = self.channels;
        let (running_mean, running_var) = buffers.split_at_mut(c);
        let total = (batch.total_images() * self.pixels) as f64;
        let unbiased = if total > 1.0 { total / (total - 1.0) } else { 1.0 };
        for i in 0..c {
            let mean = batch.mean(|chunk| chunk[i].to_f64());
            // The mean of the chunks' variances, and the variance of their means.
            let variance =
                batch.mean(|chunk| chunk[c + i].to_f64() + (chunk[i].to_f64() - mean).powi(2));
            running_mean[i] = self.blend(running_mean[i], mean);
            running_var[i] = self.blend(running_var[i], variance * unbiased);
        }
    }
}

impl BatchNormLayer {
    fn blend<T: Element>(&self, running: T, batch: f64) -> T {
        T::from_f64((1.0 - self.momentum) * running.to_f64() + self.momentum * batch)
    }
}

/// The inference form where no layer before it takes it in: y = x * scale + shift from the running statistics.
#[derive(Debug)]
pub(crate) struct FixedNormLayer {
    pub channels: usize,
    pub eps: f64,
    pub relu: bool,
}

impl<T: Element> Layer<T> for FixedNormLayer {
    fn needs(&self, _chunk: usize) -> Needs {
        Needs {
            packed: 2 * self.channels,
            scratch: kernel::scratch_len(self.channels),
            ..Needs::default()
        }
    }

    fn pack(&self, parameters: &[T], buffers: &[T], packed: &mut [T]) {
        let fold = super::fold::Fold::new(None, self.eps, parameters, buffers);
        packed[..self.channels].copy_from_slice(&fold.scale);
        packed[self.channels..].copy_from_slice(&fold.shift);
    }

    fn forward(&self, pass: Forward<'_, T>) {
        let (scale, shift) = pass.packed.split_at(self.channels);
        kernel::scale_shift(
            pass.isa,
            pass.input,
            scale,
            shift,
            self.relu,
            pass.output,
            pass.scratch,
        );
    }

    fn backward(&self, _pass: Backward<'_, T>) {
        unreachable!("the running statistics serve inference, which has no backward");
    }
}
