//! The text entries of a file's header, read with errors that name them.

use crate::error::{Kind, ModelError, quoted};
use crate::tensor::{Tensor, View, hash_text, hexadecimal, view_hash};
use percept_nn::spec::NetworkSpec;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Display;
use std::str::FromStr;

/// The version of the format that is written and read.
pub(crate) const FORMAT_VERSION: u32 = 1;

const FORMAT: &str = "format";
const VERSION: &str = "format_version";
const CHECKSUM: &str = "content_sha256";

/// Metadata entries, written in the order of their keys.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Metadata {
    pub(crate) entries: BTreeMap<String, String>,
}

impl Metadata {
    /// Entries of a new file: what it is.
    pub(crate) fn of_kind(kind: Kind) -> Self {
        let mut metadata = Self::default();
        metadata.put(FORMAT, kind.format());
        metadata.put(VERSION, FORMAT_VERSION);
        metadata
    }

    pub(crate) fn put(&mut self, key: &str, value: impl Display) {
        self.entries.insert(key.to_owned(), value.to_string());
    }

    pub(crate) fn put_json(&mut self, key: &str, value: &impl Serialize) {
        let text = serde_json::to_string(value).expect("text, numbers and lists can be JSON");
        self.entries.insert(key.to_owned(), text);
    }

    /// Adds the checksum over everything; nothing may be put afterwards.
    pub(crate) fn seal(&mut self, tensors: &[Tensor]) {
        let checksum = self.checksum(tensors.iter().map(Tensor::view));
        self.put(CHECKSUM, checksum);
    }

    /// Whether this is percept's, of the wanted kind and version.
    pub(crate) fn check_kind(
        &self,
        origin: &str,
        expected: Kind,
        tensor_names: &[String],
    ) -> Result<(), ModelError> {
        let foreign = |found| ModelError::Foreign { origin: origin.to_owned(), expected, found };
        match self.entries.get(FORMAT).map(String::as_str) {
            Some(format) if format == expected.format() => {}
            Some(format) if format == Kind::Model.format() => {
                return Err(foreign(Kind::Model.to_string()));
            }
            Some(format) if format == Kind::Checkpoint.format() => {
                return Err(foreign(Kind::Checkpoint.to_string()));
            }
            _ => return Err(foreign(other_program(tensor_names))),
        }
        let found = self.text(origin, VERSION)?;
        if found != FORMAT_VERSION.to_string() {
            let (origin, found) = (origin.to_owned(), quoted(found));
            return Err(ModelError::Version { origin, found, supported: FORMAT_VERSION });
        }
        Ok(())
    }

    /// Whether entries and weights are those that were written. A file without checksum passes: somebody who edits
    /// a model on purpose takes the entry out.
    pub(crate) fn check_seal<'t>(
        &self,
        origin: &str,
        tensors: impl IntoIterator<Item = View<'t>>,
    ) -> Result<(), ModelError> {
        let Some(expected) = self.entries.get(CHECKSUM) else { return Ok(()) };
        let found = self.checksum(tensors);
        if *expected == found {
            return Ok(());
        }
        Err(ModelError::Damaged {
            origin: origin.to_owned(),
            reason: format!("its SHA-256 should be {}, found {found}", quoted(expected)),
            source: None,
        })
    }

    fn checksum<'t>(&self, tensors: impl IntoIterator<Item = View<'t>>) -> String {
        let mut hash = Sha256::new();
        for (key, value) in self.entries.iter().filter(|(key, _)| *key != CHECKSUM) {
            hash_text(&mut hash, key);
            hash_text(&mut hash, value);
        }
        hash_text(&mut hash, &view_hash(tensors));
        hexadecimal(&hash.finalize())
    }

    pub(crate) fn text(&self, origin: &str, key: &str) -> Result<&str, ModelError> {
        match self.entries.get(key) {
            Some(value) => Ok(value),
            None => Err(wrong(origin, key, "expected an entry, found none".to_owned(), None)),
        }
    }

    pub(crate) fn number<T: FromStr>(&self, origin: &str, key: &str) -> Result<T, ModelError>
    where
        T::Err: Error + Send + Sync + 'static,
    {
        let text = self.text(origin, key)?;
        text.parse().map_err(|cause: T::Err| {
            wrong(
                origin,
                key,
                format!("expected a number, found {}", quoted(text)),
                Some(cause.into()),
            )
        })
    }

    pub(crate) fn json<T: DeserializeOwned>(
        &self,
        origin: &str,
        key: &str,
    ) -> Result<T, ModelError> {
        serde_json::from_str(self.text(origin, key)?).map_err(|cause| {
            wrong(origin, key, "its JSON cannot be used".to_owned(), Some(cause.into()))
        })
    }

    /// The network described by `spec`.
    pub(crate) fn spec(&self, origin: &str) -> Result<NetworkSpec, ModelError> {
        NetworkSpec::from_toml(self.text(origin, "spec")?).map_err(|cause| {
            wrong(origin, "spec", "it describes no network".to_owned(), Some(cause.into()))
        })
    }

    /// All entries whose keys begin with `prefix`, without it.
    pub(crate) fn group(&self, prefix: &str) -> impl Iterator<Item = (&str, &str)> {
        self.entries
            .iter()
            .filter_map(move |(key, value)| Some((key.strip_prefix(prefix)?, value.as_str())))
    }
}

/// The error of an entry that cannot be used.
pub(crate) fn wrong(
    origin: &str,
    key: &str,
    reason: String,
    source: Option<Box<dyn Error + Send + Sync>>,
) -> ModelError {
    ModelError::Metadata { origin: origin.to_owned(), key: key.to_owned(), reason, source }
}

fn other_program(tensor_names: &[String]) -> String {
    let shown: Vec<String> = tensor_names.iter().take(3).map(|name| quoted(name)).collect();
    let more = if tensor_names.len() > 3 { ", ..." } else { "" };
    match shown.as_slice() {
        [] => "an empty safetensors file of another program".to_owned(),
        _ => format!("a safetensors file of another program (tensors {}{more})", shown.join(", ")),
    }
}
