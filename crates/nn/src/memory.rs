//! What the memory of a chunk is used for, to be looked at.

use std::ops::Range;

/// A buffer in the one block of memory in which a thread works on a chunk.
///
/// With n layers (as they are fused), layer i runs forward at moment i, the loss comes at moment n, and layer i runs
/// backward at moment 2n - i. Buffers that are in use at different moments may lie at the same place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedBuffer {
    /// The layer that it belongs to; `input` for the images.
    pub name: String,
    /// What it holds.
    pub what: Use,
    /// Its place, in numbers.
    pub place: Range<usize>,
    /// The first moment of its use.
    pub first: usize,
    /// The last moment of its use.
    pub last: usize,
}

/// What a buffer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// What a layer gives to the next one.
    Value,
    /// The gradient of the loss by a value.
    Gradient,
    /// What a layer keeps from forward to backward.
    Saved,
    /// What a layer needs during one call.
    Scratch,
}
