//! percept's training cycle: configuration, presets, checkpoints, history and observers.

pub mod automatic;
mod batch;
pub mod benchmark;
pub mod class_weights;
pub mod config;
pub mod error;
pub mod evaluator;
pub mod event;
pub mod keep;
pub mod observers;
pub mod presets;
mod progress;
pub mod run;
mod saved;
pub mod session;
mod skipped;
pub mod sources;
pub mod transfer;
mod whitening;
