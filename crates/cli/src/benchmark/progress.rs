//! How far the measurements are: a bar on a terminal, a line every few seconds elsewhere.

use crate::number::time;
use crate::{output, safe_text};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

const FORM: &str = "[{bar:30}] {wide_msg}";

/// The least time from one line to the next.
const EVERY: Duration = Duration::from_secs(5);

/// What is told on stderr.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    start: Instant,
    /// When the last line was written.
    told: Option<Instant>,
    /// What all was thought to take, and what is behind of it.
    planned: Duration,
    done: Duration,
    /// What is being measured was thought to take.
    current: Duration,
}

impl Progress {
    pub(super) fn new(planned: Duration) -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
        let bar = (std::io::stderr().is_terminal() && !dumb).then(|| {
            let style =
                ProgressStyle::with_template(FORM).unwrap_or_else(|_| ProgressStyle::default_bar());
            let target = ProgressDrawTarget::stderr();
            ProgressBar::with_draw_target(Some(planned.as_millis() as u64), target)
                .with_style(style.progress_chars("=> "))
        });
        let (done, current) = (Duration::ZERO, Duration::ZERO);
        Self { bar, start: Instant::now(), told: None, planned, done, current }
    }

    /// The next measurement begins, and the one before is done.
    pub(super) fn begin(&mut self, what: &str, threads: usize, planned: Duration) {
        self.done += self.current;
        self.current = planned;
        let unit = if threads == 1 { "thread" } else { "threads" };
        let words = safe_text::one_line(what);
        let message = format!("{words}, {threads} {unit}  {} left", time(self.left()));
        match &self.bar {
            Some(bar) => {
                bar.set_position(self.done.as_millis() as u64);
                bar.set_message(message);
                bar.tick();
            }
            None if self.told.is_none_or(|told| told.elapsed() >= EVERY) => {
                output::tell(&(message + "\n"));
                self.told = Some(Instant::now());
            }
            None => {}
        }
    }

    /// What is planned yet, longer or shorter as what is done took longer or shorter than planned.
    fn left(&self) -> Duration {
        let left = self.planned.saturating_sub(self.done);
        if self.done.is_zero() {
            return left;
        }
        left.mul_f64(self.start.elapsed().as_secs_f64() / self.done.as_secs_f64())
    }

    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
