//! percept's model and checkpoint files (safetensors).
