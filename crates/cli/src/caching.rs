//! Where decoded pixels are kept, from the command line and the environment.

use crate::failure::Failure;
use clap::Args;
use percept::data::pixel_cache::PixelCache;
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What the cache may have where nobody says.
const MOST_BYTES: u64 = 16 << 30;

/// What a person can say of the cache.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct CacheSettings {
    /// Where decoded pixels of picture files are kept for the next time, or `off`; by default $PERCEPT_CACHE, or a folder `percept`
    /// where the system has its caches
    #[arg(long, value_name = "DIR|off")]
    cache: Option<OsString>,
    /// The most that is kept, such as 500M or 20G; by default $PERCEPT_CACHE_SIZE, or 16G
    #[arg(long, value_name = "SIZE", value_parser = size)]
    cache_size: Option<u64>,
}

impl CacheSettings {
    /// The cache; `None` where it is switched off or has no place.
    ///
    /// # Errors
    /// Exit code 2 for a size in the environment that is none.
    pub(crate) fn cache(&self) -> Result<Option<PixelCache>, Failure> {
        let given = self.cache.clone().or_else(|| env::var_os("PERCEPT_CACHE"));
        let folder = match given.filter(|given| !given.is_empty()) {
            Some(given) if given == "off" => None,
            Some(given) => Some(PathBuf::from(given)),
            None => default_folder(),
        };
        let Some(folder) = folder else { return Ok(None) };
        let most_bytes = match (self.cache_size, env::var("PERCEPT_CACHE_SIZE")) {
            (Some(size), _) => size,
            (None, Ok(text)) if !text.is_empty() => size(&text).map_err(|reason| {
                Failure::usage(format!("PERCEPT_CACHE_SIZE is `{text}`")).hint(reason)
            })?,
            _ => MOST_BYTES,
        };
        Ok(Some(PixelCache { folder: folder.join("pixels"), most_bytes }))
    }
}

/// The folder `percept` where the system has its caches: as the XDG Base Directory Specification says, or as is usual on macOS and
/// Windows.
fn default_folder() -> Option<PathBuf> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = if cfg!(windows) {
        absolute("LOCALAPPDATA")?
    } else if cfg!(target_os = "macos") {
        absolute("HOME")?.join("Library/Caches")
    } else {
        absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?
    };
    Some(caches.join(Path::new("percept")))
}

/// `500M` or `20G`, in powers of 1024; without a letter it is bytes.
fn size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let (number, shift) = match text.chars().last().map(|unit| unit.to_ascii_uppercase()) {
        Some('K') => (&text[..text.len() - 1], 10),
        Some('M') => (&text[..text.len() - 1], 20),
        Some('G') => (&text[..text.len() - 1], 30),
        Some('T') => (&text[..text.len() - 1], 40),
        _ => (text, 0),
    };
    let size = number.trim().parse::<u64>().ok().and_then(|size| size.checked_mul(1 << shift));
    size.ok_or_else(|| "expected a size such as 500M or 20G".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!(
            ["7", "2k", "500M", "20 G", "1t"].map(size),
            [7, 2048, 500 << 20, 20 << 30, 1 << 40].map(Ok)
        );
        for wrong in ["", "G", "-1M", "1.5G", "20GB", "99999999T"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
