//! `percept data fetch`: gets an image set that has a name.

use super::list::Place;
use crate::failure::Failure;
use crate::number::grouped;
use crate::{output, safe_text};
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use percept::data::named::{Cache, NamedSet};
use percept::fetch::{self, Event, Origin, Patience};
use serde_json::json;
use std::io::{self, IsTerminal};

const EXAMPLES: &str = "\
Examples:
  percept data fetch fashion-mnist
  percept data fetch medmnist/pneumoniamnist
  percept data fetch cifar10 --from https://mirror.example.org/cifar/
  percept data fetch cifar10 --from downloads/    with cifar-10-binary.tar.gz in it

`percept data list` names the sets. What was fetched lies in $XDG_CACHE_HOME/percept/data (by default
~/.cache/percept/data); to get a set anew, remove its folder there. A transfer that was cut off goes on where it stopped.
The environment variables HTTPS_PROXY and NO_PROXY are respected.";

/// Download an image set from its authors' place, and check it
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Fetch {
    /// The set's name: see `percept data list`
    name: String,
    /// A mirror, or a folder, with the files under the names that their authors gave them
    #[arg(long, value_name = "URL|DIR")]
    from: Option<String>,
    /// Say nothing but the result
    #[arg(short, long)]
    quiet: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Says that the set needs no fetching.
fn inside(set: &NamedSet, json: bool) -> Result<(), Failure> {
    if json {
        return output::print_json(&json!({
            "name": set.name,
            "folder": null,
            "was_here": true,
            "licence": set.licence,
            "citation": set.citation,
        }));
    }
    output::print(&format!(
        "{} is inside the program: there is nothing to fetch\nuse it   percept train --data {}\n",
        set.title, set.name
    ))
}

pub(super) fn run(arguments: &Fetch) -> Result<(), Failure> {
    let Some(set) = NamedSet::find(&arguments.name) else {
        let names: Vec<&str> = NamedSet::all().iter().map(|set| set.name).collect();
        return Err(Failure::usage(format!("there is no set `{}`", arguments.name))
            .hint(format!("sets are {}", names.join(", "))));
    };
    if Place::of(set, None) == Place::Inside && arguments.from.is_none() {
        return inside(set, arguments.json);
    }
    let origin = match &arguments.from {
        Some(text) => Origin::parse(text)?,
        None => Origin::Official,
    };
    let cache = Cache::from_environment()?;
    let was_here = cache.has(set);
    let mut told = Told::new(arguments.quiet);
    let fetched =
        fetch::fetch(set, &origin, &cache, &Patience::default(), &mut |event| told.tell(event));
    told.bar.finish_and_clear();
    let folder = fetched?.display().to_string();
    if arguments.json {
        return output::print_json(&json!({
            "name": set.name,
            "folder": folder,
            "was_here": was_here,
            "licence": set.licence,
            "citation": set.citation,
        }));
    }
    let images: u64 = set.images.iter().map(|&count| u64::from(count)).sum();
    let state = if was_here { "is here already" } else { "is here" };
    output::print(&format!(
        "{} {state}: {} images of {}, {} classes, in {}\nlicence  {}\ncite     {}\nuse it   percept train --data {}\n",
        set.title,
        grouped(images),
        set.shape,
        set.classes,
        safe_text::one_line(&folder),
        set.licence,
        set.citation,
        set.name
    ))
}

/// Says what happens: with a bar on a terminal, else with a line for each thing that is worth one.
struct Told {
    bar: ProgressBar,
    quiet: bool,
}

impl Told {
    fn new(quiet: bool) -> Self {
        Self { bar: ProgressBar::hidden(), quiet }
    }

    fn tell(&mut self, event: &Event) {
        if self.quiet {
            return;
        }
        match event {
            Event::Started { from, bytes } => {
                self.line(from);
                self.start(*bytes);
            }
            Event::Received(bytes) => self.bar.set_position(*bytes),
            Event::Waiting { reason, pause } => self.line(&format!(
                "{reason}; trying again in {} s",
                pause.as_secs()
            )),
            Event::NextPlace { reason } => self.line(&format!("{reason}; trying another place")),
            Event::Again => self.line("what was here was not the beginning of it, or only the whole can be had: from the start"),
            Event::Unpacking => {
                self.bar.finish_and_clear();
                self.line("unpacking");
            }
            _ => {}
        }
    }

    fn start(&mut self, bytes: Option<u64>) {
        self.bar.finish_and_clear();
        if !io::stderr().is_terminal() {
            return;
        }
        let form = match bytes {
            Some(_) => "[{bar:30}] {bytes} of {total_bytes}  {bytes_per_sec}  {eta} left",
            None => "{spinner} {bytes}  {bytes_per_sec}",
        };
        let style =
            ProgressStyle::with_template(form).unwrap_or_else(|_| ProgressStyle::default_bar());
        self.bar = ProgressBar::with_draw_target(bytes, ProgressDrawTarget::stderr_with_hz(8))
            .with_style(style.progress_chars("=> "));
    }

    fn line(&self, text: &str) {
        let line = safe_text::one_line(text);
        self.bar.suspend(|| output::tell(&format!("{line}\n")));
    }
}
