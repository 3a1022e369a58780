//! Where fetched sets lie: `$XDG_CACHE_HOME/percept` (XDG Base Directory Specification), by default `~/.cache/percept`.

use super::NamedSet;
use crate::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// The folder of fetched sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache(PathBuf);

impl Cache {
    /// The cache below the folder `percept`.
    #[must_use]
    pub fn at(percept: &Path) -> Self {
        Self(percept.to_owned())
    }

    /// The cache of the person who runs this program.
    ///
    /// # Errors
    /// [`Error::NoCache`] when the environment names neither a cache folder nor a home folder.
    pub fn from_environment() -> Result<Self, Error> {
        place(|name| env::var_os(name))
            .map(|caches| Self(caches.join("percept")))
            .ok_or(Error::NoCache)
    }

    /// The folder that a set is in, once it was fetched.
    #[must_use]
    pub fn folder(&self, set: &NamedSet) -> PathBuf {
        self.0.join("data").join(set.name)
    }

    /// The folder of files that are on their way.
    #[must_use]
    pub fn downloads(&self) -> PathBuf {
        self.0.join("downloads")
    }

    /// Whether a set was fetched: its folder is there, and not empty.
    #[must_use]
    pub fn has(&self, set: &NamedSet) -> bool {
        fs::read_dir(self.folder(set)).is_ok_and(|mut entries| entries.next().is_some())
    }

    /// The folder of a set that was fetched.
    ///
    /// # Errors
    /// [`Error::NotFetched`].
    pub fn find(&self, set: &NamedSet) -> Result<PathBuf, Error> {
        match self.has(set) {
            true => Ok(self.folder(set)),
            false => Err(Error::NotFetched { name: set.name, path: self.folder(set) }),
        }
    }
}

/// The folder of caches. A relative path in `XDG_CACHE_HOME` is to be ignored, says the specification.
fn place(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let absolute =
        |name| variable(name).map(PathBuf::from).filter(|path: &PathBuf| path.is_absolute());
    let home = || absolute("HOME").or_else(|| absolute("USERPROFILE"));
    absolute("XDG_CACHE_HOME").or_else(|| home().map(|home| home.join(".cache")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_says_where() {
        let of = |pairs: &[(&str, &str)]| {
            place(|name| {
                pairs.iter().find(|pair| pair.0 == name).map(|pair| OsString::from(pair.1))
            })
        };
        assert_eq!(of(&[("XDG_CACHE_HOME", "/c"), ("HOME", "/h")]), Some("/c".into()));
        assert_eq!(of(&[("XDG_CACHE_HOME", "c"), ("HOME", "/h")]), Some("/h/.cache".into()));
        assert_eq!(of(&[("XDG_CACHE_HOME", ""), ("USERPROFILE", "/u")]), Some("/u/.cache".into()));
        assert_eq!(of(&[]), None);
    }
}
