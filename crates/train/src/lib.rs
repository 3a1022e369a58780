//! percept's training cycle: configuration, presets, checkpoints, history and observers.

pub mod config;
pub mod error;
pub mod event;
