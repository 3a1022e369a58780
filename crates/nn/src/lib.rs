//! percept's engine: network specs, layers, back propagation, losses, optimizers and schedules.

pub mod error;
pub mod init;
pub mod parameter;
pub mod shape;
pub mod spec;
