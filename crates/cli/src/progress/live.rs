//! Progress on a terminal: a line a finished epoch, and below them a bar that moves.

use super::epoch_line;
use crate::number::{grouped, time};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use percept::train::event::{Event, Plan, StepRecord};
use std::time::{Duration, Instant};

/// How far the run is, and below it the numbers of the last step: both fit 80 columns.
const FORM: &str = "{prefix} [{bar:30}] step {pos}/{len}\n{wide_msg}";
const FRAMES_A_SECOND: u8 = 8;
/// Time over which the speed is averaged.
const SPEED_WINDOW: Duration = Duration::from_millis(500);

/// The display; hidden until the run starts.
#[derive(Debug)]
pub(super) struct Live {
    bar: ProgressBar,
    epochs: u32,
    validated: bool,
    validation: Option<f64>,
    done_steps: u64,
    speed: Speed,
}

#[derive(Debug)]
struct Speed {
    since: Instant,
    images: usize,
    images_per_second: f64,
}

impl Default for Live {
    fn default() -> Self {
        let speed = Speed { since: Instant::now(), images: 0, images_per_second: 0.0 };
        Self {
            bar: ProgressBar::hidden(),
            epochs: 0,
            validated: false,
            validation: None,
            done_steps: 0,
            speed,
        }
    }
}

impl Live {
    pub(super) fn notify(&mut self, event: &Event<'_>) {
        match event {
            Event::Started(plan) => self.start(plan),
            Event::Step(step) => self.step(step),
            Event::Epoch(record) => {
                self.validation = self.validated.then_some(record.validation_accuracy);
                self.bar.println(epoch_line(record, self.epochs, self.validated));
            }
            Event::Finished(_) => self.clear(),
            _ => {}
        }
    }

    fn start(&mut self, plan: &Plan<'_>) {
        let style =
            ProgressStyle::with_template(FORM).unwrap_or_else(|_| ProgressStyle::default_bar());
        let target = ProgressDrawTarget::stderr_with_hz(FRAMES_A_SECOND);
        self.bar = ProgressBar::with_draw_target(Some(plan.total_steps), target)
            .with_style(style.progress_chars("=> "))
            .with_position(plan.done_steps);
        self.epochs = plan.config.epochs;
        self.validated = plan.validation_examples > 0;
        self.done_steps = plan.done_steps;
        self.speed.since = Instant::now();
    }

    fn step(&mut self, step: &StepRecord) {
        self.speed.add(step.examples);
        let done = (step.step - self.done_steps).max(1);
        let left = step.elapsed.mul_f64((step.total_steps - step.step) as f64 / done as f64);
        let validation = match self.validation {
            Some(share) => format!("  validation {:.2} %", share * 100.0),
            None => String::new(),
        };
        self.bar.set_prefix(format!("epoch {}/{}", step.epoch, self.epochs));
        self.bar.set_message(format!(
            "loss {:.4}{validation}  {} images/s  learning rate {:.2e}  {} left",
            step.loss,
            grouped(self.speed.images_per_second as u64),
            step.learning_rate,
            time(left)
        ));
        self.bar.set_position(step.step);
    }

    pub(super) fn clear(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl Speed {
    fn add(&mut self, images: usize) {
        self.images += images;
        let time = self.since.elapsed();
        if time >= SPEED_WINDOW || self.images_per_second == 0.0 {
            self.images_per_second = self.images as f64 / time.as_secs_f64().max(1e-9);
            self.since = Instant::now();
            self.images = 0;
        }
    }
}
