//! The sum of two paths, the end of a residual block (He et al. 2015), and the ReLU behind it or none.

use super::{Backward, Forward, Layer, Needs};
use percept_kernels::activation;
use percept_kernels::element::Element;
use percept_kernels::slices;

#[derive(Debug)]
pub(crate) struct Add {
    pub relu: bool,
}

impl<T: Element> Layer<T> for Add {
    fn needs(&self, _chunk: usize) -> Needs {
        Needs { backward_reads_output: self.relu, ..Needs::default() }
    }

    fn forward(&self, pass: Forward<'_, T>) {
        let sum = if self.relu { activation::relu_of_sum } else { slices::sum_of };
        sum(pass.isa, pass.input, pass.second, pass.output);
    }

    fn backward(&self, pass: Backward<'_, T>) {
        if self.relu {
            activation::relu_mask(pass.isa, pass.output, pass.grad_output);
        }
        for grad in [pass.grad_input, pass.grad_second] {
            if !grad.is_empty() {
                grad.copy_from_slice(pass.grad_output);
            }
        }
    }
}
