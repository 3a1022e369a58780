//! Progress for programs: a line of JSON for each thing that happens, on stdout.

use crate::failure::{Exit, Failure};
use crate::{layer_table, output};
use percept::train::error::TrainError;
use percept::train::event::{Event, Observer, Outcome, Plan};
use serde_json::{Value, json};

/// Writes the lines. When nobody reads them any more, training goes on.
#[derive(Debug, Default)]
pub(crate) struct JsonLines {
    lost: Option<Failure>,
}

impl JsonLines {
    /// Writes a line, unless one could not be written before.
    pub(crate) fn line(&mut self, value: &Value) {
        if self.lost.is_none() {
            self.lost = output::print_json_line(value).err();
        }
    }

    /// Whether all lines were written, or nobody wanted them.
    ///
    /// # Errors
    /// Exit code 1 where they could not be written.
    pub(crate) fn end(self) -> Result<(), Failure> {
        match self.lost {
            Some(failure) if failure.exit() != Exit::ReaderGone => Err(failure),
            _ => Ok(()),
        }
    }
}

impl Observer for JsonLines {
    fn notify(&mut self, event: &Event<'_>) -> Result<(), TrainError> {
        let value = match event {
            Event::Started(plan) => started(plan),
            Event::Epoch(record) => {
                let mut value = serde_json::to_value(record).unwrap_or_default();
                value["event"] = "epoch".into();
                value
            }
            Event::Checkpoint { path } => json!({ "event": "checkpoint", "path": path }),
            _ => return Ok(()),
        };
        self.line(&value);
        Ok(())
    }
}

fn started(plan: &Plan<'_>) -> Value {
    json!({
        "event": "started",
        "data": plan.data,
        "notes": plan.notes,
        "class_names": plan.class_names,
        "train_examples": plan.train_examples,
        "validation_examples": plan.validation_examples,
        "total_steps": plan.total_steps,
        "done_steps": plan.done_steps,
        "threads": plan.threads,
        "instruction_set": plan.isa,
        "folder": plan.folder,
        "config": plan.config,
        "network": layer_table::json(plan.network),
    })
}

/// The last line of a run.
pub(crate) fn finished_json(outcome: &Outcome, weight_hash: Option<&str>) -> Value {
    json!({
        "event": "finished",
        "complete": outcome.complete,
        "folder": outcome.folder,
        "model": outcome.model,
        "checkpoint": outcome.checkpoint,
        "kept_epoch": outcome.kept_epoch,
        "weight_hash": weight_hash,
        "validation": outcome.validation,
        "test": outcome.test,
        "test_notes": outcome.test_notes,
        "elapsed_seconds": outcome.elapsed.as_secs_f64(),
    })
}
