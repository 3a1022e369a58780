//! Max and average pooling as layers; global pooling is one window of the whole image.

use super::{Backward, Forward, Layer, Needs};
use percept_kernels::element::Element;
use percept_kernels::pool::{self, Windows};

#[derive(Debug)]
pub(crate) struct MaxPoolLayer(pub Windows);

#[derive(Debug)]
pub(crate) struct AvgPoolLayer(pub Windows);

impl<T: Element> Layer<T> for MaxPoolLayer {
    fn needs(&self, _chunk: usize) -> Needs {
        Needs {
            scratch: self.0.output[0] * self.0.output[1] * self.0.channels,
            backward_reads_input: true,
            backward_reads_output: true,
            ..Needs::default()
        }
    }

    fn forward(&self, pass: Forward<'_, T>) {
        pool::max_forward(pass.isa, &self.0, pass.input, pass.output);
    }

    fn backward(&self, pass: Backward<'_, T>) {
        if !pass.grad_input.is_empty() {
            pool::max_backward(
                pass.isa,
                &self.0,
                pass.input,
                pass.output,
                pass.grad_output,
                pass.grad_input,
                pass.scratch,
            );
        }
    }
}

impl<T: Element> Layer<T> for AvgPoolLayer {
    fn needs(&self, _chunk: usize) -> Needs {
        Needs::default()
    }

    fn forward(&self, pass: Forward<'_, T>) {
        pool::average_forward(pass.isa, &self.0, pass.input, pass.output);
    }

    fn backward(&self, pass: Backward<'_, T>) {
        if !pass.grad_input.is_empty() {
            pool::average_backward(pass.isa, &self.0, pass.grad_output, pass.grad_input);
        }
    }
}
