//! The sum of two paths: the end of a residual block (He et al. 2015).

use super::{Backward, Forward, Layer, Needs};
use percept_kernels::element::Element;
use percept_kernels::slices;

#[derive(Debug)]
pub(crate) struct Add;

impl<T: Element> Layer<T> for Add {
    fn needs(&self, _chunk: usize) -> Needs {
        Needs::default()
    }

    fn forward(&self, pass: Forward<'_, T>) {
        slices::sum_of(pass.isa, pass.input, pass.second, pass.output);
    }

    fn backward(&self, pass: Backward<'_, T>) {
        for grad in [pass.grad_input, pass.grad_second] {
            if !grad.is_empty() {
                grad.copy_from_slice(pass.grad_output);
            }
        }
    }
}
