//! Dropout (Srivastava et al. 2014), inverted: y = x * mask / (1 - rate), mask 0 with probability `rate`.
//!
//! The mask of an example depends on (seed, step, position in the batch, layer) alone. Inference has no such layer.

use super::{Backward, Forward, Layer, Needs};
use percept_kernels::element::Element;
use percept_kernels::random::{Draws, Purpose};
use percept_kernels::slices;

#[derive(Debug)]
pub(crate) struct DropoutLayer {
    /// Numbers of one example.
    pub len: usize,
    pub rate: f64,
    /// Which dropout layer of the network this is.
    pub ordinal: usize,
}

impl<T: Element> Layer<T> for DropoutLayer {
    fn needs(&self, chunk: usize) -> Needs {
        Needs { saved: chunk * self.len, ..Needs::default() }
    }

    fn forward(&self, pass: Forward<'_, T>) {
        let keep = T::from_f64(1.0 / (1.0 - self.rate));
        for (index, mask) in pass.saved.chunks_exact_mut(self.len).take(pass.images).enumerate() {
            let example = (self.ordinal as u64) << 32 | (pass.draw.first + index) as u64;
            let mut draws =
                Draws::new(pass.draw.seed, Purpose::Dropout, pass.draw.step as u32, example);
            for factor in mask {
                let dropped = f64::from(draws.uniform()) < self.rate;
                *factor = if dropped { T::ZERO } else { keep };
            }
        }
        slices::product_of(pass.isa, pass.input, &pass.saved[..pass.input.len()], pass.output);
    }

    fn backward(&self, pass: Backward<'_, T>) {
        if !pass.grad_input.is_empty() {
            let mask = &pass.saved[..pass.grad_output.len()];
            slices::product_of(pass.isa, pass.grad_output, mask, pass.grad_input);
        }
    }
}
