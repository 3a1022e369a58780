//! Train, explain and serve image classifiers: the facade crate of percept.
