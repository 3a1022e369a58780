//! Progress for files and pipes: plain lines, not too many.

use super::epoch_line;
use crate::number::{grouped, time};
use crate::output;
use percept::train::event::{Event, StepRecord};
use std::time::{Duration, Instant};

/// The least time from one line about steps to the next.
const EVERY: Duration = Duration::from_secs(5);

/// Writes a line for each epoch, and in between one every few seconds.
#[derive(Debug, Default)]
pub(super) struct Lines {
    epochs: u32,
    validated: bool,
    /// When the last line was written, and images since.
    last: Option<Instant>,
    images: usize,
    done_steps: u64,
}

impl Lines {
    pub(super) fn notify(&mut self, event: &Event<'_>) {
        match event {
            Event::Started(plan) => {
                self.epochs = plan.config.epochs;
                self.validated = plan.validation_examples > 0;
                self.done_steps = plan.done_steps;
                self.last = Some(Instant::now());
            }
            Event::Step(step) => self.step(step),
            Event::Epoch(record) => {
                output::tell(&(epoch_line(record, self.epochs, self.validated) + "\n"));
                self.last = Some(Instant::now());
                self.images = 0;
            }
            _ => {}
        }
    }

    fn step(&mut self, step: &StepRecord) {
        self.images += step.examples;
        let Some(since) = self.last.map(|last| last.elapsed()).filter(|since| *since >= EVERY)
        else {
            return;
        };
        let speed = self.images as f64 / since.as_secs_f64();
        let done = (step.step - self.done_steps).max(1);
        let left = step.elapsed.mul_f64((step.total_steps - step.step) as f64 / done as f64);
        output::tell(&format!(
            "epoch {:>3}/{}  step {}/{}  loss {:.4}  learning rate {:.3e}  {} images/s  {} left\n",
            step.epoch,
            self.epochs,
            grouped(step.step),
            grouped(step.total_steps),
            step.loss,
            step.learning_rate,
            grouped(speed as u64),
            time(left)
        ));
        self.last = Some(Instant::now());
        self.images = 0;
    }
}
