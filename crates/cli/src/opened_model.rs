//! Opens model files: whatever is wrong with one is the model's fault (exit code 5).

use crate::failure::{Exit, Failure};
use percept::data::Preprocessing;
use percept::train::error::TrainError;
use percept::train::evaluator::Evaluator;
use percept::train::session::LoadedModel;
use std::path::Path;

/// A model ready to be used.
///
/// # Errors
/// Exit code 5 where the file is not a sound model.
pub(crate) fn open(path: &Path, threads: usize) -> Result<LoadedModel, Failure> {
    Ok(open_and(path, threads, |_, _| ())?.0)
}

/// A model ready to be used, and what `work` makes of it while the file's checksum is computed.
///
/// # Errors
/// As [`open`].
pub(crate) fn open_and<R>(
    path: &Path,
    threads: usize,
    work: impl FnOnce(&Preprocessing, &mut Evaluator) -> R,
) -> Result<(LoadedModel, R), Failure> {
    LoadedModel::open_and(path, threads, work).map_err(|error| match error {
        error @ (TrainError::Spec(_) | TrainError::Data(_)) => {
            let origin = path.display();
            Failure::new(Exit::Model, format!("{origin} is not a sound model"))
                .caused_by(&error)
                .hint("use the file as `percept train` wrote it")
        }
        error => error.into(),
    })
}
