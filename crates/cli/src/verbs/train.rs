//! `percept train`: learns from images.

use crate::augmentation::AugmentationSettings;
use crate::caching::CacheSettings;
use crate::failure::{Exit, Failure};
use crate::find_rate::Search;
use crate::number::{percent, time};
use crate::progress::{JsonLines, Progress, data_watcher, finished_json};
use crate::reading::{FormatSettings, ImageSettings};
use crate::settings::Settings;
use crate::text_table::{self, Side};
use crate::transfer::TransferSettings;
use crate::{duration, fitting, interrupt, output, run_folder, safe_text, shell};
use clap::Args;
use percept::data::Decoding;
use percept::eval::metrics::Proportion;
use percept::eval::report::Report;
use percept::model::error::ModelError;
use percept::model::model::Model;
use percept::train::error::TrainError;
use percept::train::event::{Observer, Outcome};
use percept::train::run::time_budget::TimeBudget;
use percept::train::run::{Beginning, Run};
use std::fmt::Write;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

const EXAMPLES: &str = "\
Examples:
  percept train                                     the preset `cnn` on MNIST
  percept train --network mlp --epochs 5            a smaller network, for a shorter time
  percept train --network mlp --stop-at 97%         until 97 % of the validation images are right
  percept train --config runs/a/config.toml --seed 2 --out runs/b     an earlier run with another seed
  percept train --data pets/                         pictures in class folders: pets/<class>/*.jpg
  percept train --data my-digits/ --network my-network.toml
  percept train --data pets/ --find-lr               look for a learning rate first; trains nothing
  percept train --data pets/ --time 5m               what can be learned in five minutes
  percept train --from runs/a/model.safetensors --data letters/       what the model has learned serves other classes
  percept train --resume runs/a                     go on with a run that was interrupted

Ctrl-C writes a checkpoint first. A run that goes on from it ends with the weights of one that never stopped.
A run's folder holds config.toml, history.csv, events for TensorBoard, checkpoint/, skipped.csv (where files could not
be read) and, at the end, model.safetensors and report.html.";

/// Train a network and keep the model
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    augmentation: AugmentationSettings,
    #[command(flatten)]
    format: FormatSettings,
    #[command(flatten)]
    images: ImageSettings,
    #[command(flatten)]
    cache: CacheSettings,
    #[command(flatten)]
    transfer: TransferSettings,
    /// The run's folder, which must not exist yet; by default runs/<network>-<date>-<time>. With --find-lr: the picture
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    out: Option<PathBuf>,
    /// Go on with an interrupted run, with its own settings
    #[arg(long, value_name = "DIR", conflicts_with_all = ["settings", "augmentation-settings", "format-settings", "image-settings", "transfer-settings"])]
    resume: Option<PathBuf>,
    /// Draw what the loss does while the learning rate grows, and suggest a rate (Smith 2017); trains nothing and leaves no
    /// run, only the picture learning-rate.png (or --out FILE)
    #[arg(long, conflicts_with_all = ["resume", "transfer-settings"])]
    find_lr: bool,
    /// As much training as fits into this time (`90s`, `5m`, `1h30m`), from opening the data to the result: the speed is
    /// measured first
    #[arg(long, value_name = "TIME", value_parser = duration::parse, conflicts_with_all = ["resume", "epochs", "find_lr"])]
    time: Option<Duration>,
    /// Threads at work; 0 means one per processor. The result is the same for any number
    #[arg(long, default_value_t = 0, value_name = "N", hide_default_value = true, value_parser = crate::threads::parse)]
    threads: usize,
    /// Print a line of JSON for each epoch and for the result
    #[arg(long)]
    json: bool,
    /// Print no progress
    #[arg(short, long)]
    quiet: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.find_lr {
        return find_rate(arguments);
    }
    let asked = Instant::now();
    let stop = interrupt::stop_flag()?;
    let run = prepare(arguments, &stop, asked)?;
    let mut progress = Progress::new(arguments.quiet);
    let mut lines = JsonLines::default();
    let mut observers: Vec<&mut dyn Observer> = vec![&mut progress];
    if arguments.json {
        observers.push(&mut lines);
    }
    let outcome = run.execute(&mut observers, &stop);
    progress.clear();
    let outcome = outcome?;
    if arguments.json {
        let hash = outcome.model.as_deref().map(weight_hash).transpose()?;
        lines.line(&finished_json(&outcome, hash.as_deref()));
        lines.end()?;
    }
    match (&outcome.model, arguments.json) {
        (None, _) => Err(interrupted(&outcome)),
        (Some(_), true) => Ok(()),
        (Some(model), false) => output::print(&result(&outcome, model)),
    }
}

fn prepare(arguments: &Arguments, stop: &Arc<AtomicBool>, asked: Instant) -> Result<Run, Failure> {
    let decoding = decoding(arguments, Some(stop.clone()))?;
    if let Some(folder) = &arguments.resume {
        return Run::resume(folder, decoding).map_err(not_resumed);
    }
    let Arguments { settings, transfer, .. } = arguments;
    let (model, config, opened) = match &transfer.from {
        Some(path) => {
            let (model, config, opened) = transfer.prepared(
                path,
                settings,
                &arguments.augmentation,
                &arguments.format,
                &decoding,
            )?;
            (Some(model), config, opened)
        }
        None => {
            let config = settings.config(&arguments.format, &arguments.images)?;
            let (config, opened) =
                fitting::fitted(config, settings, &arguments.augmentation, &decoding)?;
            (None, config, opened)
        }
    };
    let folder = match &arguments.out {
        Some(folder) => folder.clone(),
        None => run_folder::unused(&config.network.name),
    };
    let time = arguments.time.map(|total| TimeBudget { asked, total });
    let beginning = Beginning { model: model.as_ref(), time };
    Ok(Run::begin(config, opened, folder, arguments.threads, beginning)?)
}

/// Says where a checkpoint is looked for, where there is none.
fn not_resumed(error: TrainError) -> Failure {
    let is_missing = matches!(
        &error,
        TrainError::Model(ModelError::Read { source, .. })
            if matches!(source.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
    );
    let failure = Failure::from(error);
    match is_missing {
        true => {
            failure.hint("give the folder of a run that was interrupted; it has checkpoint/ in it")
        }
        false => failure,
    }
}

/// How pictures are read.
fn decoding(arguments: &Arguments, stop: Option<Arc<AtomicBool>>) -> Result<Decoding, Failure> {
    Ok(Decoding {
        threads: arguments.threads,
        cache: arguments.cache.cache()?,
        watcher: Some(data_watcher(stop, arguments.quiet)),
    })
}

fn find_rate(arguments: &Arguments) -> Result<(), Failure> {
    let settings = &arguments.settings;
    let config = settings.config(&arguments.format, &arguments.images)?;
    let decoding = decoding(arguments, None)?;
    let (config, opened) = fitting::fitted(config, settings, &arguments.augmentation, &decoding)?;
    let search = Search {
        out: arguments.out.as_deref(),
        threads: arguments.threads,
        json: arguments.json,
        quiet: arguments.quiet,
    };
    search.run(&config, opened)
}

fn weight_hash(model: &Path) -> Result<String, Failure> {
    Ok(Model::read(model)?.weight_hash())
}

fn interrupted(outcome: &Outcome) -> Failure {
    let message = format!("interrupted; a checkpoint is in {}", outcome.checkpoint.display());
    let command = format!("percept train --resume {}", shell::quoted(&outcome.folder));
    Failure::new(Exit::Interrupted, message).hint(format!("go on with: {command}"))
}

/// What came of the run, for a person.
fn result(outcome: &Outcome, model: &Path) -> String {
    let mut text = String::new();
    for (name, report) in [("test", &outcome.test), ("validation", &outcome.validation)] {
        if let Some(report) = report {
            let _ = writeln!(text, "{:<21}{}", format!("{name} accuracy"), share(&report.accuracy));
        }
    }
    for note in &outcome.test_notes {
        let _ = writeln!(text, "{:<21}{}", "note", safe_text::one_line(note));
    }
    if let Some(kept) = kept(outcome) {
        let _ = writeln!(text, "{:<21}{kept}", "kept");
    }
    if let Some(report) = outcome.test.as_ref().or(outcome.validation.as_ref()) {
        let _ = writeln!(text, "\n{}", classes(report));
    }
    let quoted = shell::quoted(model);
    let _ = writeln!(text, "{:<21}{}", "trained in", time(outcome.elapsed));
    let _ = writeln!(text, "{:<21}{}", "model", safe_text::one_line(&model.display().to_string()));
    let page = outcome.folder.join("report.html");
    if page.is_file() {
        let _ =
            writeln!(text, "{:<21}{}", "report", safe_text::one_line(&page.display().to_string()));
    }
    let _ = writeln!(text, "{:<21}percept predict {quoted} IMAGE", "use it");
    let _ = writeln!(text, "{:<21}percept evaluate {quoted}", "measure it");
    text
}

/// The epoch that became the model, where it was chosen.
fn kept(outcome: &Outcome) -> Option<String> {
    let (epoch, epochs) = (outcome.kept_epoch?, outcome.history.len());
    let auc = outcome.validation.as_ref().and_then(|report| report.auc);
    let auc = auc.map_or(String::new(), |auc| format!(" (validation AUC {auc:.4})"));
    Some(format!("epoch {epoch} of {epochs}{auc}"))
}

fn share(share: &Proportion) -> String {
    let Proportion { correct, total, value, low, high } = *share;
    let (value, low, high) = (percent(value), percent(low), percent(high));
    format!("{value} ({correct} of {total} right; 95 % interval {low} to {high})")
}

/// The share of each class's images that were right, which is its recall.
fn classes(report: &Report) -> String {
    let mut rows = vec![["class", "accuracy", "images"].map(str::to_owned).to_vec()];
    rows.extend(report.classes.iter().map(|class| {
        vec![
            safe_text::one_line(&class.name),
            class.scores.recall.map_or_else(|| "-".to_owned(), percent),
            class.scores.support.to_string(),
        ]
    }));
    text_table::text(&[Side::Left, Side::Right, Side::Right], &rows)
}
