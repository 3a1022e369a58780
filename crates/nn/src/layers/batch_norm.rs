//! Batch normalisation (Ioffe and Szegedy 2015): y = (x - mean) / sqrt(variance + eps) * weight + bias per channel; behind it,
//! where fused, the sum with the other path of a residual block, and a ReLU.
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
use percept_kernels::activation;
use percept_kernels::channels as kernel;
use percept_kernels::element::Element;
use percept_kernels::isa::Isa;
use percept_kernels::slices;

/// Numbers whose statistics are taken together: 128 KiB, at most half of a second cache.
const TOGETHER: usize = 1 << 15;

/// The fewest pixels whose statistics are taken together.
const LEAST_TOGETHER: usize = 32;

/// The training form: statistics from the chunk.
#[derive(Debug)]
pub(crate) struct BatchNormLayer {
    /// Pixels of one image.
    pub pixels: usize,
    pub channels: usize,
    pub eps: f64,
    pub momentum: f64,
    /// Whether the second input is added.
    pub adds: bool,
    pub relu: bool,
}

/// The factors of g, of x and of 1 in the gradient by the input; before they are made, `scale` holds the sum of g and
/// `slope` that of g * xhat.
pub(super) struct GradientCoefficients<'a, T> {
    pub scale: &'a mut [T],
    pub slope: &'a mut [T],
    pub shift: &'a mut [T],
}

impl BatchNormLayer {
    /// Numbers of scratch memory that [`take_statistics`](Self::take_statistics) takes.
    pub(super) const fn statistics_scratch_len(channels: usize) -> usize {
        2 * channels + kernel::scratch_len(channels)
    }

    /// Takes mean and variance of the chunk: `saved` receives the mean and 1 / sqrt(variance + eps), `statistics` the mean and
    /// the variance.
    ///
    /// They are those of its parts, merged, so that the second pass over a part finds it in the cache (Chan, Golub, LeVeque 1979,
    /// "Updating formulae and a pairwise algorithm for computing sample variances").
    pub(super) fn take_statistics<T: Element>(
        &self,
        isa: Isa,
        input: &[T],
        saved: &mut [T],
        statistics: &mut [T],
        scratch: &mut [T],
    ) {
        let c = self.channels;
        let part = (TOGETHER / c).max(LEAST_TOGETHER) * c;
        let mut before = 0;
        for pixels in input.chunks(part) {
            self.add_part(isa, pixels, before, statistics, scratch);
            before += pixels.len() / c;
        }
        let n = T::from_f64(before as f64);
        let (mean, inverse) = saved.split_at_mut(c);
        let (mean_out, variance) = statistics.split_at_mut(c);
        mean.copy_from_slice(mean_out);
        for (inverse, variance) in inverse.iter_mut().zip(variance) {
            *variance /= n;
            *inverse = T::ONE / (*variance + T::from_f64(self.eps)).sqrt();
        }
    }

    /// Adds pixels to the mean, and the sum of squared distances from it, of so many pixels before.
    fn add_part<T: Element>(
        &self,
        isa: Isa,
        pixels: &[T],
        before: usize,
        statistics: &mut [T],
        scratch: &mut [T],
    ) {
        let c = self.channels;
        let (mean, squares) = statistics.split_at_mut(c);
        if before == 0 {
            return mean_and_squares(isa, pixels, mean, squares, scratch);
        }
        let (own, scratch) = scratch.split_at_mut(2 * c);
        let (own_mean, own_squares) = own.split_at_mut(c);
        mean_and_squares(isa, pixels, own_mean, own_squares, scratch);
        let count = pixels.len() / c;
        let share = count as f64 / (before + count) as f64;
        let (share, between) = (T::from_f64(share), T::from_f64(share * before as f64));
        for i in 0..c {
            let distance = own_mean[i] - mean[i];
            mean[i] += distance * share;
            squares[i] += own_squares[i] + distance * distance * between;
        }
    }

    /// y = x * scale + shift; the same bits whenever they are asked for.
    pub(super) fn coefficients<T: Element>(
        &self,
        parameters: &[T],
        saved: &[T],
        scale: &mut [T],
        shift: &mut [T],
    ) {
        let (weight, bias) = parameters.split_at(self.channels);
        let (mean, inverse) = saved.split_at(self.channels);
        for i in 0..self.channels {
            scale[i] = weight[i] * inverse[i];
            shift[i] = bias[i] - mean[i] * scale[i];
        }
    }

    /// The sums of g * (x - mean) become those of g * xhat.
    pub(super) fn finish_sums<T: Element>(&self, saved: &[T], product_sum: &mut [T]) {
        let inverse = &saved[self.channels..];
        product_sum.iter_mut().zip(inverse).for_each(|(sum, inverse)| *sum *= *inverse);
    }

    /// grad_x = scale * g + slope * x + shift with the terms of the formula collected.
    pub(super) fn gradient_coefficients<T: Element>(
        &self,
        parameters: &[T],
        saved: &[T],
        n: T,
        coefficients: GradientCoefficients<'_, T>,
    ) {
        let (mean, inverse) = saved.split_at(self.channels);
        let GradientCoefficients { scale, slope, shift } = coefficients;
        for i in 0..self.channels {
            let weight_inverse = parameters[i] * inverse[i];
            let (grad_sum, product_sum) = (scale[i], slope[i]);
            scale[i] = weight_inverse;
            slope[i] = -(weight_inverse * inverse[i] * product_sum / n);
            shift[i] = -(weight_inverse * grad_sum / n) - slope[i] * mean[i];
        }
    }
}

/// Each channel's mean, and sum of squared distances from it.
fn mean_and_squares<T: Element>(
    isa: Isa,
    pixels: &[T],
    mean: &mut [T],
    squares: &mut [T],
    scratch: &mut [T],
) {
    let n = T::from_f64((pixels.len() / mean.len()) as f64);
    kernel::sum(isa, pixels, mean, scratch);
    mean.iter_mut().for_each(|mean| *mean /= n);
    kernel::sum_of_squares(isa, pixels, mean, squares, scratch);
}

impl<T: Element> Layer<T> for BatchNormLayer {
    fn needs(&self, _chunk: usize) -> Needs {
        Needs {
            // mean and 1 / sqrt(variance + eps)
            saved: 2 * self.channels,
            scratch: 5 * self.channels + Self::statistics_scratch_len(self.channels),
            // mean and variance
            statistics: 2 * self.channels,
            backward_reads_input: true,
            backward_reads_output: self.adds && self.relu,
            ..Needs::default()
        }
    }

    fn forward(&self, pass: Forward<'_, T>) {
        let c = self.channels;
        let (coefficients, scratch) = pass.scratch.split_at_mut(5 * c);
        self.take_statistics(pass.isa, pass.input, pass.saved, pass.statistics, scratch);
        let (scale, shift) = coefficients.split_at_mut(c);
        let shift = &mut shift[..c];
        self.coefficients(pass.parameters, pass.saved, scale, shift);
        let Forward { isa, input, second, output, .. } = pass;
        if self.adds {
            kernel::scale_shift_add(isa, input, scale, shift, second, self.relu, output, scratch);
        } else {
            kernel::scale_shift(isa, input, scale, shift, self.relu, output, scratch);
        }
    }

    fn backward(&self, mut pass: Backward<'_, T>) {
        let c = self.channels;
        if self.adds {
            self.split(&mut pass);
        }
        let mean = &pass.saved[..c];
        let (coefficients, scratch) = pass.scratch.split_at_mut(5 * c);
        let (sums, rest) = coefficients.split_at_mut(2 * c);
        let (grad_sum, product_sum) = sums.split_at_mut(c);
        let (shift, rest) = rest.split_at_mut(c);
        let (y_scale, y_shift) = rest.split_at_mut(c);
        // The ReLU behind: y is made again, which is cheaper than to read it.
        self.coefficients(pass.parameters, pass.saved, y_scale, y_shift);
        let relu = (self.relu && !self.adds).then_some((&*y_scale, &*y_shift));
        let isa = pass.isa;
        // Behind a sum, the gradient is that by the other path.
        let grad_output =
            if pass.grad_second.is_empty() { pass.grad_output } else { pass.grad_second };
        let grad_output = &*grad_output;
        kernel::gradient_sums(
            isa,
            pass.input,
            mean,
            relu,
            grad_output,
            grad_sum,
            product_sum,
            scratch,
        );
        self.finish_sums(pass.saved, product_sum);
        let (grad_weight, grad_bias) = pass.gradients.split_at_mut(c);
        slices::add(isa, product_sum, grad_weight);
        slices::add(isa, grad_sum, grad_bias);
        if pass.grad_input.is_empty() {
            return;
        }
        let n = T::from_f64((pass.input.len() / c) as f64);
        let coefficients =
            GradientCoefficients { scale: grad_sum, slope: product_sum, shift: &mut *shift };
        self.gradient_coefficients(pass.parameters, pass.saved, n, coefficients);
        kernel::gradient_combine(
            isa,
            pass.input,
            relu,
            grad_output,
            grad_sum,
            product_sum,
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
    /// The gradient by the sum of both paths, which is that by the other path: to there, or in place where nobody wants it.
    fn split<T: Element>(&self, pass: &mut Backward<'_, T>) {
        let Backward { isa, output: y, ref mut grad_output, ref mut grad_second, .. } = *pass;
        match (self.relu, grad_second.is_empty()) {
            (true, true) => activation::relu_mask(isa, y, grad_output),
            (true, false) => activation::relu_backward(isa, y, grad_output, grad_second),
            (false, true) => {}
            (false, false) => grad_second.copy_from_slice(grad_output),
        }
    }

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

#[cfg(test)]
mod tests {
    use super::*;
    use percept_kernels::random::{Draws, Purpose};

    /// Several parts, the last one shorter, of numbers far from 0 beside their spread: a sum of squares would keep none of it.
    #[test]
    fn statistics_of_many_pixels_are_those_in_f64() {
        let mut draws = Draws::new(1, Purpose::Test, 0, 0);
        for channels in [1, 3, 16, 2048] {
            let pixels = 3 * (TOGETHER / channels).max(LEAST_TOGETHER) + 17;
            let norm = BatchNormLayer {
                pixels,
                channels,
                eps: 0.0,
                momentum: 0.1,
                adds: false,
                relu: false,
            };
            let x: Vec<f32> = (0..pixels * channels).map(|_| 1000.0 + draws.normal()).collect();
            let wide: Vec<f64> = x.iter().copied().map(f64::from).collect();
            let mut scratch = vec![f64::NAN; BatchNormLayer::statistics_scratch_len(channels)];
            let [mut expected, mut saved] = [0; 2].map(|_| vec![f64::NAN; 2 * channels]);
            norm.take_statistics(Isa::SCALAR, &wide, &mut saved, &mut expected, &mut scratch);
            let columns = |c: usize| wide.iter().skip(c).step_by(channels);
            for isa in Isa::available() {
                let mut scratch = vec![f32::NAN; BatchNormLayer::statistics_scratch_len(channels)];
                let [mut found, mut saved] = [0; 2].map(|_| vec![f32::NAN; 2 * channels]);
                norm.take_statistics(isa, &x, &mut saved, &mut found, &mut scratch);
                for c in 0..channels.min(40) {
                    let mean = columns(c).sum::<f64>() / pixels as f64;
                    let squares: f64 = columns(c).map(|x| (x - mean).powi(2)).sum();
                    let variance = squares / pixels as f64;
                    for (found, expected, tolerance) in [
                        (expected[c], mean, 1e-9),
                        (expected[channels + c], variance, 1e-9),
                        (f64::from(found[c]), mean, 1e-2),
                        (f64::from(found[channels + c]), variance, 1e-3),
                        (f64::from(saved[channels + c]), 1.0 / variance.sqrt(), 1e-3),
                    ] {
                        let what = format!("{isa} {channels} channels, {c}");
                        assert!((found - expected).abs() < tolerance, "{what}: {found} {expected}");
                    }
                }
            }
        }
    }
}
