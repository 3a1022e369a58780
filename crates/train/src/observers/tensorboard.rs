//! TensorBoard event files.

mod record;
mod summary;

use crate::error::TrainError;
use crate::event::{EpochRecord, Event, Observer, Plan, StepRecord};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// About as many points of each per-step curve as a screen can show.
const MAX_POINTS: u64 = 2000;

/// Writes `events.out.tfevents.<seconds>.percept` in the run's folder, which TensorBoard shows while the run goes on.
///
/// Per step, thinned to about 2,000 points a run: `loss/step`, `accuracy/step`, `learning_rate` and `gradient_norm`.
/// Per epoch: `loss/train` and `accuracy/train`, and `loss/validation` and `accuracy/validation` where there are
/// validation examples, and `auc/validation` where they are of two classes or more. The horizontal axis is always the step.
///
/// A resumed run writes a second file; it tells TensorBoard to forget the steps that are repeated. TensorBoard's own
/// files carry the name of the machine; these do not, because a run's folder is often given away.
#[derive(Debug, Default)]
pub struct TensorBoard {
    log: Option<Log>,
}

#[derive(Debug)]
struct Log {
    path: PathBuf,
    file: BufWriter<File>,
    /// Steps from one point to the next.
    every: u64,
    validates: bool,
}

impl Observer for TensorBoard {
    fn notify(&mut self, event: &Event<'_>) -> Result<(), TrainError> {
        if let Event::Started(plan) = event {
            self.log = Some(Log::open(plan)?);
        }
        let Some(log) = &mut self.log else { return Ok(()) };
        let result = match event {
            Event::Step(record) if record.step.is_multiple_of(log.every) => log.step(record),
            Event::Epoch(record) => log.epoch(record),
            Event::Started(_) | Event::Finished(_) => log.file.flush(),
            _ => Ok(()),
        };
        result.map_err(|cause| failed("write", &log.path, cause))
    }
}

impl Log {
    fn open(plan: &Plan<'_>) -> Result<Self, TrainError> {
        let (path, file) = create(plan.folder)?;
        let mut log = Self {
            path,
            file: BufWriter::new(file),
            every: plan.total_steps.div_ceil(MAX_POINTS).max(1),
            validates: plan.validation_examples > 0,
        };
        log.begin(plan.done_steps).map_err(|cause| failed("write", &log.path, cause))?;
        Ok(log)
    }

    fn begin(&mut self, done_steps: u64) -> io::Result<()> {
        self.write(&summary::version(now()))?;
        if done_steps > 0 {
            self.write(&summary::restart(now(), done_steps + 1))?;
        }
        Ok(())
    }

    fn step(&mut self, record: &StepRecord) -> io::Result<()> {
        let values = [
            ("loss/step", record.loss),
            ("accuracy/step", record.accuracy),
            ("learning_rate", record.learning_rate),
            ("gradient_norm", record.gradient_norm),
        ];
        self.write(&summary::scalars(now(), record.step, &values))
    }

    fn epoch(&mut self, record: &EpochRecord) -> io::Result<()> {
        let mut values =
            vec![("loss/train", record.train_loss), ("accuracy/train", record.train_accuracy)];
        if self.validates {
            values.push(("loss/validation", record.validation_loss));
            values.push(("accuracy/validation", record.validation_accuracy));
            values.extend(record.validation_auc.map(|auc| ("auc/validation", auc)));
        }
        self.write(&summary::scalars(now(), record.step, &values))?;
        self.file.flush()
    }

    fn write(&mut self, event: &[u8]) -> io::Result<()> {
        record::write(&mut self.file, event)
    }
}

/// A new file whose name sorts after those of earlier parts of the run: TensorBoard reads them in that order.
fn create(folder: &Path) -> Result<(PathBuf, File), TrainError> {
    let mut seconds = now() as u64;
    loop {
        let path = folder.join(format!("events.out.tfevents.{seconds}.percept"));
        match File::create_new(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => seconds += 1,
            Err(cause) => return Err(failed("create", &path, cause)),
        }
    }
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs_f64()
}

fn failed(action: &'static str, path: &Path, cause: io::Error) -> TrainError {
    TrainError::Io { action, path: path.to_owned(), cause }
}

#[cfg(test)]
mod tests;
