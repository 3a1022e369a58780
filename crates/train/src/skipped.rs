//! `skipped.csv` in a run's folder: the files of the data that could not be read, each with its reason.

use crate::error::TrainError;
use percept_data::{Dataset, Skipped};
use std::path::Path;

const FILE: &str = "skipped.csv";

/// What of a data set could not be read, with the name of its part.
pub(crate) fn of(part: &'static str, dataset: &Dataset) -> Vec<(&'static str, Skipped)> {
    dataset.origin().skipped.iter().map(|skipped| (part, skipped.clone())).collect()
}

/// Writes the list, if anything is on it.
pub(crate) fn write(folder: &Path, skipped: &[(&str, Skipped)]) -> Result<(), TrainError> {
    if skipped.is_empty() {
        return Ok(());
    }
    let path = folder.join(FILE);
    percept_model::atomic::replace(&path, |file| {
        let mut table = csv::Writer::from_writer(file);
        table.write_record(["part", "file", "reason"])?;
        for (part, Skipped { file, reason }) in skipped {
            table.write_record([part, file.as_str(), reason.as_str()])?;
        }
        table.flush()
    })?;
    Ok(())
}
