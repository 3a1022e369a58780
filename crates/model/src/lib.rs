//! percept's files: a [`Model`](model::Model) to use and a [`Checkpoint`](checkpoint::Checkpoint) to go on from.
//!
//! Both are safetensors files: a JSON header, then plain little-endian f32
//! numbers. What makes them percept's is text in the header's `__metadata__`. Files are replaced as a whole or not at
//! all, and a reader believes nothing that it has not checked.
//!
//! The format is written and read here and not by the `safetensors` crate, because that one writes metadata in a
//! random order (the same model would give other bytes each time) and takes the last of two tensors with one name;
//! tests hold the two against each other.

mod aside;
pub mod atomic;
pub mod checkpoint;
mod container;
pub mod error;
mod metadata;
pub mod model;
pub mod model_file;
pub mod provenance;
pub mod tensor;
