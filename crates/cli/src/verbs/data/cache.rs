//! `percept data cache`: what is kept of decoded pictures.

use crate::caching::CacheSettings;
use crate::failure::{Exit, Failure};
use crate::number::{counted, grouped, time};
use crate::text_table::{self, Side};
use crate::{output, safe_text};
use clap::Args;
use percept::data::pixel_cache::{Cached, PixelCache};
use serde_json::json;
use std::time::{SystemTime, UNIX_EPOCH};

const EXAMPLES: &str = "\
Examples:
  percept data cache                        what is kept, and where
  percept data cache --clear                remove all of it
  percept train --data pets/ --cache off    neither use nor fill it

Pictures of a data set are decoded and brought to size once; the next run finds them here, unless a file has changed. What
was not used for the longest time goes first when there is no room.";

/// Show what is kept of decoded pictures, or remove it
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Cache {
    #[command(flatten)]
    cache: CacheSettings,
    /// Remove everything that is kept
    #[arg(long)]
    clear: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Cache) -> Result<(), Failure> {
    let Some(cache) = arguments.cache.cache()? else {
        return Err(Failure::usage(
            "there is no cache: it is switched off, or the system has no place for it",
        )
        .hint("name a folder: --cache DIR"));
    };
    match arguments.clear {
        true => clear(&cache, arguments.json),
        false => show(&cache, arguments.json),
    }
}

fn clear(cache: &PixelCache, as_json: bool) -> Result<(), Failure> {
    let (files, bytes) = cache.clear().map_err(|cause| {
        let words = format!("cannot clear {}", cache.folder.display());
        Failure::output(words).caused_by(&cause).hint("check that the folder may be written to")
    })?;
    match as_json {
        true => output::print_json(&json!({ "removed_files": files, "removed_bytes": bytes })),
        false => {
            let files = counted(files as u64, "file");
            output::print(&format!("removed {files} with {}\n", mib(bytes)))
        }
    }
}

fn show(cache: &PixelCache, as_json: bool) -> Result<(), Failure> {
    let all = cache.list().map_err(|cause| {
        let words = format!("cannot list {}", cache.folder.display());
        Failure::of(Exit::Output, &cause).about(&words).hint("check that the folder may be read")
    })?;
    let bytes = all.iter().map(|cached| cached.bytes).sum::<u64>();
    if as_json {
        let files: Vec<_> = all.iter().map(as_value).collect();
        let folder = cache.folder.display().to_string();
        return output::print_json(
            &json!({ "folder": folder, "bytes": bytes, "most_bytes": cache.most_bytes, "files": files }),
        );
    }
    let folder = safe_text::one_line(&cache.folder.display().to_string());
    let (used, most) = (mib(bytes), mib(cache.most_bytes));
    let mut text = format!("{folder}: {} files, {used} of at most {most}\n", all.len());
    if !all.is_empty() {
        text = format!("{text}\n{}", table(&all));
    }
    output::print(&text)
}

fn table(all: &[Cached]) -> String {
    let head = ["data", "images", "size", "last used"].map(str::to_owned);
    let mut rows = vec![head.to_vec()];
    rows.extend(all.iter().map(|cached| {
        let about = cached.about.as_deref().unwrap_or("damaged");
        let ago = SystemTime::now().duration_since(cached.used).unwrap_or_default();
        let images = grouped(cached.images as u64);
        vec![safe_text::one_line(about), images, mib(cached.bytes), format!("{} ago", time(ago))]
    }));
    text_table::text(&[Side::Left, Side::Right, Side::Right, Side::Right], &rows)
}

fn as_value(cached: &Cached) -> serde_json::Value {
    let used = cached.used.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let path = cached.path.display().to_string();
    json!({ "file": path, "about": cached.about, "images": cached.images, "bytes": cached.bytes, "used": used })
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", grouped(bytes.div_ceil(1 << 20)))
}
