//! Predictions turned into metrics, intervals and reports for percept.
//!
//! This crate never sees a network: [`Predictions`](predictions::Predictions) are plain numbers, a
//! [`Report`](report::Report) is a value made of them, and [`render`] turns a report into text or JSON.
//!
//! ```
//! use percept_eval::{predictions::Predictions, render, report::Report};
//!
//! let names = vec!["cat".to_owned(), "dog".to_owned()];
//! let predictions = Predictions::new(names, vec![0.9, 0.1, 0.2, 0.8, 0.6, 0.4])?.with_labels(&[0, 1, 1])?;
//! let report = Report::new(&predictions)?;
//! assert_eq!(report.accuracy.correct, 2);
//! assert!(render::text(&report, 80).contains("dog was taken for cat in 1 of 2 images"));
//! # Ok::<(), percept_eval::error::EvalError>(())
//! ```

pub mod confusion;
pub mod error;
pub mod metrics;
pub mod predictions;
pub mod render;
pub mod report;
pub mod spread;
