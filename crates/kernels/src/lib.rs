//! Arithmetic on slices for percept: scalar truths, SIMD bodies, aligned memory and the thread crew.
//!
//! The only crate with `unsafe`. Kernels are single-threaded and allocate nothing; [`crew`] is where threads live.
//! Every kernel takes the [`isa::Isa`] it runs on; f64 always runs the scalar truth.
#![allow(unsafe_code)]

pub mod activation;
pub mod aligned;
pub mod bf16;
mod body;
pub mod channels;
pub mod crew;
pub mod descent;
pub mod element;
pub mod exponential;
mod gelu;
pub mod isa;
pub mod levels;
pub mod norm_pool;
pub mod pad;
pub mod peak;
pub mod pixel_conv;
pub mod pool;
pub mod pooled_gradient;
pub mod product;
pub mod random;
pub mod resample;
pub mod slices;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod vector;
pub mod winograd;

pub use body::Bodies;
