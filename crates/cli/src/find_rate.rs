//! `percept train --find-lr`: looks for a learning rate before any training.

use crate::failure::Failure;
use crate::{output, rate_curve, safe_text, shell};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use percept::train::config::Config;
use percept::train::run::range_test::RangeTest;
use percept::train::sources::Opened;
use serde_json::json;
use std::path::{Path, PathBuf};

/// The picture where nobody gives it a name.
const PICTURE: &str = "learning-rate.png";

/// What to do, and how to tell of it.
pub(crate) struct Search<'a> {
    /// The picture's place.
    pub(crate) out: Option<&'a Path>,
    pub(crate) threads: usize,
    pub(crate) json: bool,
    pub(crate) quiet: bool,
}

impl Search<'_> {
    /// Draws the loss over the learning rate and suggests one.
    ///
    /// # Errors
    /// As training; exit code 1 where the picture cannot be written.
    pub(crate) fn run(&self, config: &Config, opened: Opened) -> Result<(), Failure> {
        let title = format!("{} on {}", config.network.name, opened.train.description());
        let test = self.test(config, opened)?;
        let path = self.picture();
        if let Some(picture) = rate_curve::picture(&test, &title) {
            output::write_png(&path, &picture.into())?;
        }
        if self.json {
            return output::print_json(&as_json(&test, config, &path));
        }
        output::print(&as_text(&test, config, &title, &path))
    }

    /// Where the picture goes.
    fn picture(&self) -> PathBuf {
        self.out.map_or_else(|| PathBuf::from(PICTURE), Path::to_owned)
    }

    fn test(&self, config: &Config, opened: Opened) -> Result<RangeTest, Failure> {
        let bar = ProgressBar::hidden();
        if !self.quiet {
            bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(8));
        }
        let form = "learning rate {msg} [{bar:30}] step {pos}/{len}";
        if let Ok(style) = ProgressStyle::with_template(form) {
            bar.set_style(style.progress_chars("=> "));
        }
        let test = RangeTest::of(config.clone(), opened, self.threads, |point, steps| {
            bar.set_length(u64::from(steps));
            bar.set_message(format!("{:.1e}  loss {:.4}", point.rate, point.smoothed));
            bar.inc(1);
        });
        bar.finish_and_clear();
        Ok(test?)
    }
}

fn as_text(test: &RangeTest, config: &Config, title: &str, path: &Path) -> String {
    let found = match test.suggestion() {
        Some(rate) => format!(
            "suggested            --learning-rate {rate}: a fifth of the rate of the least loss (the line in the plot)\n\
             configured           {}\n",
            config.optimizer.learning_rate()
        ),
        None => "suggested            nothing: the loss did not fall at any rate; look at the data and the network\n"
            .to_owned(),
    };
    format!(
        "Loss (smoothed) over the learning rate: {}\n\n{}\n{found}picture              {}\n",
        safe_text::one_line(title),
        rate_curve::terminal(test, output::width()),
        shell::quoted(path)
    )
}

fn as_json(test: &RangeTest, config: &Config, path: &Path) -> serde_json::Value {
    let points: Vec<_> = test
        .points
        .iter()
        .map(|point| json!({ "learning_rate": point.rate, "loss": point.loss, "smoothed": point.smoothed }))
        .collect();
    json!({
        "suggestion": test.suggestion(),
        "least_at": test.least().map(|point| point.rate),
        "configured": config.optimizer.learning_rate(),
        "picture": path.display().to_string(),
        "points": points,
    })
}
