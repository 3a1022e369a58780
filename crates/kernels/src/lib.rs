//! Arithmetic on slices for percept: scalar truths, SIMD bodies, aligned memory and the thread crew.

pub mod body;
pub mod element;
pub mod isa;
pub mod random;
