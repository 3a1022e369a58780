//! percept's engine: network specs, layers, back propagation, losses, optimizers and schedules.

mod arena;
pub mod average;
pub mod clip;
pub mod compute;
pub mod describe;
pub mod diverged;
pub mod engine;
pub mod error;
#[cfg(test)]
mod golden_layers;
pub mod gradcheck;
mod graph;
pub mod init;
mod layers;
pub mod loss;
pub mod memory;
pub mod network;
pub mod optim;
pub mod parameter;
mod plan;
pub mod predictor;
pub mod schedule;
pub mod shape;
pub mod source;
pub mod spec;
pub mod state;
