//! `percept data`: looks at data, and fetches sets that have a name.

mod cache;
mod check;
#[cfg(feature = "fetch")]
mod fetch;
mod list;

use crate::augmentation::AugmentationSettings;
use crate::caching::CacheSettings;
use crate::failure::Failure;
use crate::progress::data_watcher;
use crate::reading::{FormatSettings, ImageSettings};
use crate::settings::Settings;
use crate::{fitting, output, safe_text};
use clap::{Args, Subcommand};
use percept::data::contact_sheet::{self, Sheet};
use percept::data::{Decoding, Loader, Part};
use percept::train::sources;
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
    /// Settings from a file, such as the config.toml of a run, whose augmentation is shown; what it leaves out is as
    /// `percept train` would choose
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
    let file = arguments.config.as_deref();
    let settings = Settings::of(&arguments.data, arguments.network.as_deref(), file);
    let config = settings.config(&arguments.format, &ImageSettings::default())?;
    let (config, opened) = fitting::fitted(config, &settings, &arguments.augmentation, &decoding)?;
    let (dataset, augmentation) = (opened.train.clone(), config.augmentation);
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
