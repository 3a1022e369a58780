//! Dense and convolution layers whose products take bf16 operands (`--precision bf16`); values, gradients, weights and
//! sums stay fp32.
//!
//! Forward and the gradient by the input read the image (or the gradient of the output) from a frame of bf16 numbers,
//! [`frame`]; the gradient by the weights reads planes of pixels, [`planes`]. A dense layer is the same with the images of
//! the chunk for pixels.

pub(crate) mod conv;
pub(crate) mod conv_pool;
pub(crate) mod dense;
mod frame;
mod input_gradient;
mod marked;
mod planes;
#[cfg(test)]
mod tests;

use super::Layer;
use percept_kernels::element::Element;
use std::any::Any;

/// Bytes of bf16 numbers that are prepared at once: so many images as leave room in the second cache for their values.
const GROUP_BYTES: usize = 1 << 18;

/// Images of `len` bf16 numbers each that are prepared at once.
fn group(len: usize) -> usize {
    (GROUP_BYTES / 2 / len.max(1)).max(1)
}

/// A layer of f32 as one of `T`, where that is f32.
pub(crate) fn as_layer_of<T: Element>(layer: Box<dyn Layer<f32>>) -> Option<Box<dyn Layer<T>>> {
    let any: Box<dyn Any> = Box::new(layer);
    any.downcast::<Box<dyn Layer<T>>>().ok().map(|layer| *layer)
}
