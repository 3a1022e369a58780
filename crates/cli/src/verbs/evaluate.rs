//! `percept evaluate`: how good a model is.

use crate::failure::{Exit, Failure};
use crate::{opened_model, output};
use clap::{Args, ValueEnum};
use percept::data::Part;
use percept::eval::render;
use percept::eval::report::Report;
use percept::model::model::Model;
use percept::train::config::Config;
use percept::train::session::LoadedModel;
use percept::train::sources;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  percept evaluate runs/mlp/model.safetensors
  percept evaluate model.safetensors --split validation --json
  percept evaluate model.safetensors --html report.html
  percept evaluate model.safetensors --data my-digits/     on data that it was not trained for";

/// Measure a model: accuracy with its 95 % interval, loss, and precision, recall and F1 of each class
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The model file
    model: PathBuf,
    /// `mnist` or a folder with a data set; by default what the model was trained with
    #[arg(long, value_name = "mnist|DIR")]
    data: Option<String>,
    /// The part of the data
    #[arg(long, value_enum, default_value_t = Split::Test)]
    split: Split,
    /// Threads at work; 0 means one per processor
    #[arg(long, default_value_t = 0, value_name = "N", hide_default_value = true)]
    threads: usize,
    /// Also write the report as a page for a browser
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Split {
    /// Images that neither training nor any choice has seen
    Test,
    /// Images that were set aside to choose by
    Validation,
    /// Images that the network has learned from
    Train,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut model = opened_model::open(&arguments.model, arguments.threads)?;
    let part = part(arguments, &model.model)?;
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

/// The report as a page, with where the model comes from.
fn page(arguments: &Arguments, model: &LoadedModel, data: &str, report: &Report) -> String {
    let origin = &model.model.provenance;
    let facts = [
        ("model", arguments.model.display().to_string()),
        ("trained with", origin.data.description.clone()),
        ("epochs", origin.epochs.to_string()),
        ("seed", origin.seed.to_string()),
        ("percept", origin.percept_version.clone()),
        ("weights (SHA-256)", model.weight_hash()),
    ]
    .map(|(name, value)| (name.to_owned(), value));
    let part = match arguments.split {
        Split::Test => "test",
        Split::Validation => "validation",
        Split::Train => "training",
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

fn part(arguments: &Arguments, model: &Model<()>) -> Result<Part, Failure> {
    let config = Config::from_toml(&model.provenance.config).ok();
    let data = match (&arguments.data, &config) {
        (Some(data), _) => data,
        (None, Some(config)) => &config.data,
        (None, None) => {
            return Err(Failure::usage("the model does not say what it was trained with")
                .hint("name the data: --data mnist, or --data DIR"));
        }
    };
    let opened = sources::open(data)?;
    if arguments.split == Split::Test {
        let Some(test) = opened.test else {
            return Err(Failure::data(format!("`{data}` has no test part"))
                .hint("measure on another part: --split validation, or --split train"));
        };
        return Ok(test.open()?);
    }
    let Some(config) = config else {
        return Err(Failure::usage("the model does not say how its data were split")
            .hint("measure on the test part: --split test"));
    };
    let splits = sources::splits(opened, config.validation, config.seed)?;
    let examples = match arguments.split {
        Split::Train => splits.train(),
        _ => splits.validation(),
    };
    Ok(Part { dataset: splits.dataset().clone(), examples: examples.to_vec() })
}
