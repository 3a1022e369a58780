//! Model and checkpoint files as other programs, other people and broken disks leave them.

mod checkpoint;
mod disk;
mod foreign;
mod model;
mod python;
mod sample;
