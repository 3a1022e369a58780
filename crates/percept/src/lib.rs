//! Train, explain and serve image classifiers: the facade crate of percept.
//!
//! The rooms of percept under one roof, and a [`prelude`] with what a program needs to train a network and to use it:
//!
//! ```no_run
#![doc = include_str!("../examples/train_and_predict.rs")]
//! ```

pub use percept_data as data;
pub use percept_eval as eval;
#[cfg(feature = "fetch")]
pub use percept_fetch as fetch;
pub use percept_kernels as kernels;
pub use percept_mnist as mnist;
pub use percept_model as model;
pub use percept_nn as nn;
pub use percept_train as train;

/// What a program needs to train a network and to use it.
pub mod prelude {
    pub use percept_data::{Augmentation, ImageShape, Picture};
    pub use percept_eval::report::Report;
    pub use percept_model::model::Model;
    pub use percept_nn::spec::NetworkSpec;
    pub use percept_train::config::Config;
    pub use percept_train::error::TrainError;
    pub use percept_train::event::{Event, Observer, Outcome};
    pub use percept_train::presets;
    pub use percept_train::run::Run;
    pub use percept_train::session::LoadedModel;
}
