//! What `bench/run` and its Rust workers say to each other: a request is a line of JSON on stdin, the answer a line of JSON
//! on stdout. `bench/README.md` lists the requests.

mod serve;
mod tensors;
mod timing;

pub use serve::{Peer, Result, Versions, serve};
pub use tensors::{Images, Weights};
pub use timing::timed_calls;

use percept_nn::describe::Description;
use percept_nn::spec::NetworkSpec;

/// A network with its first weights and its data, as every worker gets them.
#[derive(Debug)]
pub struct Work {
    /// The network.
    pub spec: NetworkSpec,
    /// Its layers with their names and shapes.
    pub description: Description,
    /// The weights that every peer begins with.
    pub weights: Weights,
    /// What it trains on.
    pub images: Images,
    /// The first so many are trained on.
    pub train_images: usize,
    /// The same network with the same weights as an ONNX file, for those that read such.
    pub onnx: String,
}

/// Which images the step takes: whole batches, one after the other, from the first again when they are used up.
#[must_use]
pub fn first_of_batch(step: usize, batch: usize, images: usize) -> usize {
    step % (images / batch) * batch
}
