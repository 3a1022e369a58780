//! Image sets that have a name: who made them, what is in them, and where they lie once they have been fetched.
//!
//! Nothing here touches the network: fetching is the work of the crate `percept-fetch`, and only when a person asks for it.

mod cache;
mod catalogue;

use crate::{Error, ImageShape};
pub use cache::Cache;
use std::path::{Path, PathBuf};

/// An image set that percept knows by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedSet {
    /// What it is called on the command line: `medmnist/pneumoniamnist`.
    pub name: &'static str,
    /// What its authors call it.
    pub title: &'static str,
    /// What is on the images, in a few words.
    pub about: &'static str,
    /// Size of every image.
    pub shape: ImageShape,
    /// Images of the training, validation and test part; 0 where there is no such part.
    pub images: [u32; 3],
    /// Number of classes.
    pub classes: usize,
    /// Names of the classes, in the order of their labels; empty where the files name them, or where they are the numbers from 0.
    pub class_names: &'static [&'static str],
    /// Under what terms its authors give it away.
    pub licence: &'static str,
    /// What to cite.
    pub citation: &'static str,
    /// Addresses that the files are below, the authors' own place first.
    pub places: &'static [&'static str],
    /// The files to fetch.
    pub files: &'static [SetFile],
    /// How the files become a folder that percept reads.
    pub packing: Packing,
}

/// A file as its authors published it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetFile {
    /// Its name.
    pub name: &'static str,
    /// Its size in bytes, where that is known for certain.
    pub bytes: Option<u64>,
    /// MD5, the checksum that the authors publish, in hexadecimal.
    pub md5: &'static str,
    /// SHA-256, where somebody has published it, in hexadecimal.
    pub sha256: Option<&'static str>,
}

/// How the files of a set are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Packing {
    /// They are read as they are.
    Plain,
    /// A gzipped tar archive, of which these files are needed.
    TarGz(&'static [&'static str]),
    /// EMNIST's ZIP archive of gzipped IDX files, whose images lie on their side.
    Emnist {
        /// The part of EMNIST: `letters`.
        split: &'static str,
        /// The label of the first class.
        first_label: u8,
    },
}

impl NamedSet {
    /// Every set, in the order in which they are listed.
    #[must_use]
    pub fn all() -> &'static [Self] {
        catalogue::SETS
    }

    /// The set of that name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        Self::all().iter().find(|set| set.name == name)
    }

    /// The most bytes that one of its files may have: its size, or, where that is not known, what its images take unpacked.
    #[must_use]
    pub fn most_bytes(&self, file: &SetFile) -> u64 {
        let images: u64 = self.images.iter().map(|&count| u64::from(count)).sum();
        // A label takes at most 8 bytes a class; headers fit into the last term.
        let unpacked = images * (self.shape.len() as u64 + 8 * self.classes as u64) + (1 << 20);
        file.bytes.unwrap_or(unpacked)
    }

    /// Size of all its files in bytes, where that is known.
    #[must_use]
    pub fn download_bytes(&self) -> Option<u64> {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

/// Where the data are that a person calls `data`: a path that is there, or else a named set that was fetched. A name that is
/// neither is taken for a path, too.
///
/// # Errors
/// [`Error::NotFetched`] when it names a set that was not fetched yet.
pub fn locate(data: &str) -> Result<PathBuf, Error> {
    let path = Path::new(data);
    match NamedSet::find(data) {
        Some(set) if !path.exists() => Cache::from_environment()?.find(set),
        _ => Ok(path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_catalogue_is_whole() {
        let names: HashSet<&str> = NamedSet::all().iter().map(|set| set.name).collect();
        assert_eq!(names.len(), NamedSet::all().len());
        for set in NamedSet::all() {
            assert!(set.images[0] > 0 && set.images[2] > 0, "{}", set.name);
            assert!([0, set.classes].contains(&set.class_names.len()), "{}", set.name);
            for file in set.files {
                let hexadecimal = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
                assert!(file.md5.len() == 32 && hexadecimal(file.md5), "{}", file.name);
                assert!(file.sha256.is_none_or(|sum| sum.len() == 64 && hexadecimal(sum)));
                assert!(set.most_bytes(file) < 1 << 30, "{}", file.name);
            }
            for place in set.places {
                assert!(place.starts_with("http") && place.ends_with('/'), "{place}");
            }
        }
    }

    #[test]
    fn a_file_of_unknown_size_is_no_larger_than_its_images() {
        let set = NamedSet::find("medmnist/breastmnist").unwrap();
        assert_eq!(set.most_bytes(&set.files[0]), 780 * (784 + 16) + 1_048_576);
        assert_eq!(set.download_bytes(), None);
        let set = NamedSet::find("svhn").unwrap();
        assert_eq!(set.most_bytes(&set.files[1]), 64_275_384);
        assert_eq!(set.download_bytes(), Some(246_316_178));
    }

    #[test]
    fn what_is_no_name_is_a_path() {
        assert_eq!(locate("somewhere/else").unwrap(), Path::new("somewhere/else"));
    }
}
