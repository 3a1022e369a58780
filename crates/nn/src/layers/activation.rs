//! Activations as layers: f(x) for each number.

use super::{Backward, Forward, Layer, Needs};
use percept_kernels::activation::Activation;
use percept_kernels::element::Element;

#[derive(Debug)]
pub(crate) struct ActivationLayer(pub Activation);

impl<T: Element> Layer<T> for ActivationLayer {
    fn needs(&self, _chunk: usize) -> Needs {
        Needs { backward_reads_input: true, backward_reads_output: true, ..Needs::default() }
    }

    fn forward(&self, pass: Forward<'_, T>) {
        self.0.forward(pass.isa, pass.input, pass.output);
    }

    fn backward(&self, pass: Backward<'_, T>) {
        if !pass.grad_input.is_empty() {
            self.0.backward(pass.isa, pass.input, pass.output, pass.grad_output, pass.grad_input);
        }
    }
}
