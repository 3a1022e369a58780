//! The MNIST handwritten digits inside a crate.
