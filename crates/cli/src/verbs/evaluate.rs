//! `percept evaluate`: how good a model is.

use crate::caching::CacheSettings;
use crate::failure::{Exit, Failure};
use crate::progress::data_watcher;
use crate::reading::{FormatSettings, Switch, no_part};
use crate::{opened_model, output, safe_text};
use clap::{Args, ValueEnum};
use percept::data::sources::Reading;
use percept::data::{Decoding, Part, Splits};
use percept::eval::render;
use percept::eval::report::Report;
use percept::train::config::Config;
use percept::train::session::LoadedModel;
use percept::train::sources::{self, Opened};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  percept evaluate runs/mlp/model.safetensors
  percept evaluate model.safetensors --split validation --json
  percept evaluate model.safetensors --html report.html
  percept evaluate model.safetensors --data more-pets/     on pictures that it was not trained with";

/// Measure a model: accuracy with its 95 % interval, loss, and precision, recall and F1 of each class
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The model file
    model: PathBuf,
    /// The name of a data set (`percept data list`), or a folder or file with one; by default what the model was trained with
    #[arg(long, value_name = "NAME|DIR|FILE")]
    data: Option<String>,
    #[command(flatten)]
    format: FormatSettings,
    #[command(flatten)]
    cache: CacheSettings,
    /// The part of the data; data that have no parts and that the model does not know are measured whole
    #[arg(long, value_enum, default_value_t = Split::Test)]
    split: Split,
    /// Threads at work; 0 means one per processor
    #[arg(long, default_value_t = 0, value_name = "N", hide_default_value = true, value_parser = crate::threads::parse)]
    threads: usize,
    /// Show each image twice, as it is and mirrored left to right, and take the mean of the two logits: better on photos, twice
    /// the time. Off by default
    #[arg(long, value_enum, default_value_t = Switch::Off, hide_default_value = true)]
    mirror: Switch,
    /// Also write the report as a page for a browser
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How the figures came about, where that is not the usual way.
const MIRRORED: &str = "each image was shown as it is and mirrored, and the mean of the two logits taken (--mirror on)\n";

/// A part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Split {
    /// Images that neither training nor any choice has seen
    Test,
    /// Images that were set aside to choose by
    Validation,
    /// Images that the network has learned from
    Train,
    /// All images but those of a test part
    All,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut model = opened_model::open(&arguments.model, arguments.threads)?;
    let part = part(arguments, &model)?;
    tell_skipped(&part);
    if arguments.mirror == Switch::On {
        model.set_mirror(true);
        output::tell(MIRRORED);
    }
    let data = part.dataset.description().to_owned();
    let predictions = model.evaluate(part)?;
    let report = Report::new(&predictions)
        .map_err(|error| Failure::of(Exit::Data, &error).hint("check the data set"))?;
    if let Some(path) = &arguments.html {
        let page = page(arguments, &model, &data, &report);
        output::write_file(path, page.as_bytes())?;
    }
    match arguments.json {
        true => output::print(&(render::json(&report) + "\n")),
        false => output::print(&render::text(&report, output::width())),
    }
}

/// Tells on stderr how many files could not be read.
fn tell_skipped(part: &Part) {
    if let Some(words) = sources::left_out(&part.dataset.origin().skipped) {
        output::tell(&(safe_text::one_line(&words) + "\n"));
    }
}

/// The report as a page, with where the model comes from.
fn page(arguments: &Arguments, model: &LoadedModel, data: &str, report: &Report) -> String {
    let origin = &model.model.provenance;
    let mut facts = [
        ("model", arguments.model.display().to_string()),
        ("trained with", origin.data.description.clone()),
        ("epochs", origin.epochs.to_string()),
        ("seed", origin.seed.to_string()),
        ("percept", origin.percept_version.clone()),
        ("weights (SHA-256)", model.weight_hash()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec();
    if arguments.mirror == Switch::On {
        facts.push(("shown".to_owned(), "as it is and mirrored, mean of the logits".to_owned()));
    }
    let part = match arguments.split {
        Split::Test => "test",
        Split::Validation => "validation",
        Split::Train => "training",
        Split::All => "all",
    };
    let title = format!("{} on {data}", model.model.spec.name);
    render::html::html(&render::html::Page {
        title: &title,
        part,
        report,
        charts: &[],
        facts: &facts,
    })
}

fn part(arguments: &Arguments, model: &LoadedModel) -> Result<Part, Failure> {
    let config = Config::from_toml(&model.model.provenance.config).ok();
    let (data, reading) = match (&arguments.data, &config) {
        (Some(data), _) => (data, Reading::default()),
        (None, Some(config)) => (&config.data, config.images.clone()),
        (None, None) => {
            return Err(Failure::usage("the model does not say what it was trained with")
                .hint("name the data: --data mnist, or --data DIR"));
        }
    };
    let reading = arguments.format.over(&reading);
    let sizing = model.preprocessing.sizing();
    let decoding = Decoding {
        threads: arguments.threads,
        cache: arguments.cache.cache()?,
        watcher: Some(data_watcher(None, false)),
    };
    let found = sources::find_for(data, &reading, sizing, decoding)?;
    if arguments.split == Split::All {
        return Ok(Part::whole(found.training()?.dataset.into()));
    }
    if arguments.split == Split::Test
        && let Some(test) = found.test()?
    {
        return Ok(test.open()?);
    }
    let opened = found.open()?;
    let known = opened.train.fingerprint() == model.model.provenance.data.sha256;
    if arguments.data.is_some() && !known {
        return part_of_other_data(arguments.split, data, opened);
    }
    let Some(config) = &config else {
        return Err(Failure::usage("the model does not say how its data were split")
            .hint("measure on the test part: --split test"));
    };
    let mut splits = sources::splits(opened, config.validation, config.test, config.seed)?;
    match arguments.split {
        Split::Train => Ok(of(&splits, splits.train())),
        Split::Validation if splits.validation().is_empty() => Err(no_part(data, "validation")),
        Split::Validation => Ok(of(&splits, splits.validation())),
        Split::Test | Split::All => {
            let test = splits.take_test().ok_or_else(|| no_part(data, "test"))?;
            Ok(test.open()?)
        }
    }
}

/// A part of other data than the model's, which have no parts but their own. Where they have no test part, all is new to
/// the model.
fn part_of_other_data(split: Split, data: &str, opened: Opened) -> Result<Part, Failure> {
    let divided = opened.validation.is_some() || opened.test.is_some();
    match split {
        Split::Test | Split::All => Ok(Part::whole(opened.train)),
        Split::Validation if opened.validation.is_none() => Err(no_own_part(data, "validation")),
        Split::Train if !divided => Err(no_own_part(data, "training")),
        Split::Validation | Split::Train => {
            let splits = sources::splits(opened, 0, 0, 0)?;
            let is_train = split == Split::Train;
            Ok(of(&splits, if is_train { splits.train() } else { splits.validation() }))
        }
    }
}

fn no_own_part(data: &str, part: &str) -> Failure {
    Failure::data(format!(
        "`{data}` has no {part} part of its own, and it is not what the model was trained with, which percept divided"
    ))
    .hint("measure on all of its images: --split all")
}

fn of(splits: &Splits, examples: &[u32]) -> Part {
    Part { dataset: splits.dataset().clone(), examples: examples.to_vec() }
}
