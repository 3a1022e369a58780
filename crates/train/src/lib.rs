//! percept's training cycle: configuration, presets, checkpoints, history and observers.
