//! How far the reading of data is: nothing for the first second, then a bar on a terminal, a line every few seconds elsewhere.

use crate::failure::Exit;
use crate::number::{grouped, time};
use crate::output;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use percept::data::{Doing, Progress, Watcher};
use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const FORM: &str = "{prefix} [{bar:30}] {msg}";
/// What takes less is not worth a word.
const QUIET: Duration = Duration::from_secs(1);
/// The least time between two lines, and between two states of the bar.
const LINES: Duration = Duration::from_secs(5);
const FRAMES: Duration = Duration::from_millis(100);

/// Tells stderr how far the reading of data is, unless `quiet`; ends the program when `stop` is set, for nothing is lost then.
pub(crate) fn data_watcher(stop: Option<Arc<AtomicBool>>, quiet: bool) -> Watcher {
    let dumb = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
    let live = std::io::stderr().is_terminal() && !dumb;
    let display = Mutex::new(Display::new(live));
    Arc::new(move |progress| {
        let mut display = display.lock().unwrap_or_else(PoisonError::into_inner);
        if stop.as_ref().is_some_and(|stop| stop.load(Ordering::Relaxed)) {
            display.clear();
            output::tell("interrupted while data were read: there is nothing to go on with\n");
            std::process::exit(Exit::Interrupted as i32);
        }
        if !quiet && let Some(line) = display.show(progress, Instant::now()) {
            output::tell(&(line + "\n"));
        }
    })
}

struct Display {
    live: bool,
    bar: Option<ProgressBar>,
    doing: Option<Doing>,
    start: Instant,
    next: Instant,
}

impl Display {
    fn new(live: bool) -> Self {
        let now = Instant::now();
        Self { live, bar: None, doing: None, start: now, next: now }
    }

    /// Moves the bar, or gives a line to write.
    fn show(&mut self, progress: &Progress, now: Instant) -> Option<String> {
        if self.doing != Some(progress.doing) {
            self.clear();
            (self.doing, self.start, self.next) = (Some(progress.doing), now, now + QUIET);
        }
        if progress.done >= progress.total {
            self.clear();
            self.doing = None;
            return None;
        }
        if now < self.next {
            return None;
        }
        let elapsed = now.duration_since(self.start);
        let left =
            elapsed.mul_f64((progress.total - progress.done) as f64 / progress.done.max(1) as f64);
        let (done, total) = (grouped(progress.done as u64), grouped(progress.total as u64));
        let words = format!("{done} of {total}  {} left", time(left));
        if self.live {
            self.next = now + FRAMES;
            let bar = self.bar.get_or_insert_with(|| bar(progress.total));
            bar.set_prefix(name(progress.doing));
            bar.set_message(words);
            bar.set_position(progress.done as u64);
            return None;
        }
        self.next = now + LINES;
        Some(format!("{}: {words}", name(progress.doing)))
    }

    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn bar(total: usize) -> ProgressBar {
    let style = ProgressStyle::with_template(FORM).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(Some(total as u64), ProgressDrawTarget::stderr())
        .with_style(style.progress_chars("=> "))
}

fn name(doing: Doing) -> &'static str {
    match doing {
        Doing::Listing => "listing files",
        Doing::Looking => "looking at pictures",
        Doing::Decoding => "reading pictures",
        Doing::Comparing => "comparing files with the cache",
        Doing::Verifying => "checking MiB of the cache",
        _ => "reading data",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_long_is_told_with_the_time_left() {
        let mut display = Display::new(false);
        let start = Instant::now();
        let mut at = |seconds: f64, done| {
            let progress = Progress { doing: Doing::Decoding, done, total: 60_000 };
            display.show(&progress, start + Duration::from_secs_f64(seconds))
        };
        assert_eq!(at(0.0, 16), None);
        assert_eq!(at(0.9, 9000), None);
        // A fifth in two seconds: four times as long for the rest.
        assert_eq!(
            at(2.0, 12_000).as_deref(),
            Some("reading pictures: 12,000 of 60,000  8.0 s left")
        );
        assert_eq!(at(6.9, 41_400), None);
        assert!(at(7.1, 42_600).is_some());
        assert_eq!(at(10.0, 60_000), None);
        // The next part begins anew.
        assert_eq!(at(10.1, 16), None);
        assert_eq!(at(11.0, 100), None);
    }
}
