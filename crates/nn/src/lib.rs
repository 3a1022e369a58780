//! percept's engine: network specs, layers, back propagation, losses, optimizers and schedules.
