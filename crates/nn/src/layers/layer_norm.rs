//! Layer normalisation (Ba, Kiros, Hinton 2016) over all numbers of an example:
//! y = (x - mean) / sqrt(variance + eps) * weight + bias, mean and variance of the example, weight and bias per number.
//!
//! Backward (n numbers, xhat = (x - mean) * inv, h = grad_output * weight):
//! grad_weight = sum over examples of g * xhat, grad_bias = sum of g,
//! grad_x = inv * (h - mean(h) - xhat * mean(h * xhat)).
//!
//! Parameters: weight, bias `[height * width * channels]`.

use super::{Backward, Forward, Layer, Needs};
use percept_kernels::element::Element;

#[derive(Debug)]
pub(crate) struct LayerNormLayer {
    /// Numbers of one example.
    pub len: usize,
    pub eps: f64,
}

impl<T: Element> Layer<T> for LayerNormLayer {
    fn needs(&self, chunk: usize) -> Needs {
        // mean and 1 / sqrt(variance + eps) of each example
        Needs { saved: 2 * chunk, backward_reads_input: true, ..Needs::default() }
    }

    fn forward(&self, pass: Forward<'_, T>) {
        let (weight, bias) = pass.parameters.split_at(self.len);
        let examples =
            pass.input.chunks_exact(self.len).zip(pass.output.chunks_exact_mut(self.len));
        for ((x, y), saved) in examples.zip(pass.saved.chunks_exact_mut(2)) {
            let n = self.len as f64;
            let mean = x.iter().map(|x| x.to_f64()).sum::<f64>() / n;
            let variance = x.iter().map(|x| (x.to_f64() - mean).powi(2)).sum::<f64>() / n;
            let inverse = 1.0 / (variance + self.eps).sqrt();
            saved.copy_from_slice(&[T::from_f64(mean), T::from_f64(inverse)]);
            let (mean, inverse) = (saved[0], saved[1]);
            for (((y, x), weight), bias) in y.iter_mut().zip(x).zip(weight).zip(bias) {
                *y = (*x - mean) * inverse * *weight + *bias;
            }
        }
    }

    fn backward(&self, mut pass: Backward<'_, T>) {
        for image in 0..pass.images {
            self.backward_one(&mut pass, image);
        }
    }
}

impl LayerNormLayer {
    fn backward_one<T: Element>(&self, pass: &mut Backward<'_, T>, image: usize) {
        let range = image * self.len..(image + 1) * self.len;
        let (mean, inverse) = (pass.saved[2 * image], pass.saved[2 * image + 1]);
        let (x, g) = (&pass.input[range.clone()], &pass.grad_output[range.clone()]);
        let weight = &pass.parameters[..self.len];
        let (grad_weight, grad_bias) = pass.gradients.split_at_mut(self.len);
        let (mut sum, mut product) = (0.0, 0.0);
        for i in 0..self.len {
            let xhat = (x[i] - mean) * inverse;
            grad_weight[i] += g[i] * xhat;
            grad_bias[i] += g[i];
            sum += (g[i] * weight[i]).to_f64();
            product += (g[i] * weight[i] * xhat).to_f64();
        }
        if pass.grad_input.is_empty() {
            return;
        }
        let n = self.len as f64;
        let (sum, product) = (T::from_f64(sum / n), T::from_f64(product / n));
        for (i, grad_x) in pass.grad_input[range].iter_mut().enumerate() {
            let xhat = (x[i] - mean) * inverse;
            *grad_x = inverse * (g[i] * weight[i] - sum - xhat * product);
        }
    }
}
