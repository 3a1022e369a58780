//! Arithmetic on slices for percept: scalar truths, SIMD bodies, aligned memory and the thread crew.

pub mod random;
