//! `percept data`: looks at data, and fetches sets that have a name.

mod cache;
mod check;
#[cfg(feature = "fetch")]
mod fetch;
mod list;

use crate::augmentation::AugmentationSettings;
use crate::caching::CacheSettings;
use crate::failure::Failure;
use crate::network_source::read_text;
use crate::progress::data_watcher;
use crate::reading::FormatSettings;
use crate::{output, safe_text};
use clap::{Args, Subcommand};
use percept::data::contact_sheet::{self, Sheet};
use percept::data::{Augmentation, Decoding, Loader, Part};
use percept::train::automatic::{self, Quality};
use percept::train::presets::{self, Preset};
use percept::train::sources::{self, Opened};
use std::path::PathBuf;

/// Look at data, and fetch image sets by name
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Cache(cache::Cache),
    Check(check::Check),
    #[cfg(feature = "fetch")]
    Fetch(fetch::Fetch),
    List(list::List),
    Preview(Preview),
}

const EXAMPLES: &str = "\
Examples:
  percept data preview --out digits.png
  percept data preview --data my-digits/ --network mlp --count 20 --seed 7
  percept data preview --data pets/ --augmentation strong --mixup 0.2";

/// Draw images as they are and as augmentation changes them, as a PNG
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
struct Preview {
    /// The name of a data set (`percept data list`), or a folder or file with one
    #[arg(long, value_name = "NAME|DIR|FILE", default_value = "mnist")]
    data: String,
    #[command(flatten)]
    format: FormatSettings,
    #[command(flatten)]
    cache: CacheSettings,
    /// The preset whose augmentation is shown, fitted to the data; by default what `percept train` would choose
    #[arg(long, value_name = "PRESET")]
    network: Option<String>,
    /// Settings from a file, such as the config.toml of a run, whose augmentation is shown
    #[arg(short, long, value_name = "FILE", conflicts_with = "network")]
    config: Option<PathBuf>,
    #[command(flatten)]
    augmentation: AugmentationSettings,
    /// The picture to write
    #[arg(long, value_name = "FILE", default_value = "preview.png")]
    out: PathBuf,
    /// How many images
    #[arg(long, value_name = "N", default_value_t = 10)]
    count: usize,
    /// Seed of the choice of images and of their changes
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.verb {
        Verb::Cache(arguments) => cache::run(arguments),
        Verb::Check(arguments) => check::run(arguments),
        #[cfg(feature = "fetch")]
        Verb::Fetch(arguments) => fetch::run(arguments),
        Verb::List(arguments) => list::run(arguments),
        Verb::Preview(arguments) => preview(arguments),
    }
}

fn preview(arguments: &Preview) -> Result<(), Failure> {
    let cache = arguments.cache.cache()?;
    let decoding = Decoding { threads: 0, cache, watcher: Some(data_watcher(None, false)) };
    let opened = sources::open(&arguments.data, &arguments.format.reading(), decoding)?;
    let dataset = opened.train.clone();
    let augmentation =
        arguments.augmentation.over(augmentation(arguments, &opened)?, dataset.shape());
    let splits = sources::splits(opened, 0, 0, arguments.seed)?;
    let normalisation = sources::preprocessing(&splits).normalisation;
    let loader = Loader::new(Part::whole(dataset), augmentation, normalisation, arguments.seed)?;
    let sheet = Sheet { examples: arguments.count, ..Sheet::default() };
    let picture = contact_sheet::draw(&loader, &sheet)?;
    output::write_png(&arguments.out, &picture.into())?;
    let (shown, out) = (arguments.count.min(loader.len()), arguments.out.display().to_string());
    output::print(&format!(
        "{}: {shown} images of {}, as they are and as training sees them in {} epochs\n",
        safe_text::one_line(&out),
        safe_text::one_line(loader.dataset().description()),
        sheet.versions
    ))
}

/// What training would do to the images with this network or these settings.
fn augmentation(arguments: &Preview, opened: &Opened) -> Result<Augmentation, Failure> {
    if let Some(path) = &arguments.config {
        let (preset, text) = (preset(presets::DEFAULT)?.config(), read_text(path)?);
        return Ok(preset.overlaid(&text)?.augmentation);
    }
    let digits = arguments.data == "mnist";
    let Some(name) = &arguments.network else {
        return Ok(match digits {
            true => preset(presets::DEFAULT)?.config().augmentation,
            false => automatic::choose(Quality::default(), opened).config.augmentation,
        });
    };
    let (preset, classes) = (preset(name)?, opened.train.class_names().len());
    Ok(match digits {
        true => preset.config().augmentation,
        false => preset.fitted(opened.train.shape(), classes).augmentation,
    })
}

fn preset(name: &str) -> Result<&'static Preset, Failure> {
    presets::find(name).ok_or_else(|| {
        let names: Vec<&str> = presets::all().iter().map(|preset| preset.name).collect();
        Failure::usage(format!("there is no preset `{name}`"))
            .hint(format!("presets are {}", names.join(", ")))
    })
}
