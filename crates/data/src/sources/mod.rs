//! Image sets, one file a format.
//!
//! To add a format: write its file here, give [`Format`] a variant with its name, and let [`recognise`] tell it from the others
//! by what a folder or a file holds. A format of pictures in files of their own makes a [`Listing`]; one of raw pixels gets a
//! variant of [`Source`].

mod cached;
pub mod cifar;
mod class_names;
mod decode;
mod folders;
pub mod idx;
mod listing;
mod matlab;
pub mod npy;
pub mod npz;
#[cfg(feature = "parquet")]
mod parquet;
mod shards;
mod survey;
pub mod svhn;
mod table;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::{Deserialize, Serialize};

use crate::{Dataset, Decoding, Error, Fit, Sizing, TestPart};
pub(crate) use decode::reason;
pub use listing::Listing;
pub(crate) use listing::{Entry, Place};
pub use survey::Decided;

/// A kind of image set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Format {
    /// IDX files under MNIST's names.
    Idx,
    /// Folders of pictures, one a class.
    Folders,
    /// A table (CSV or TSV) of files and labels.
    Table,
    /// An `.npz` file with MedMNIST's keys.
    Npz,
    /// The binary files of CIFAR-10 or CIFAR-100.
    Cifar,
    /// Tar shards in the convention of WebDataset.
    Shards,
    /// The MATLAB files of SVHN.
    Svhn,
    /// Parquet files with pictures, as Hugging Face's data sets are. Read only with the feature `parquet`.
    Parquet,
}

impl Format {
    /// Every format, in the order in which they are tried.
    pub const ALL: [Self; 8] = [
        Self::Idx,
        Self::Cifar,
        Self::Svhn,
        Self::Folders,
        Self::Table,
        Self::Npz,
        Self::Shards,
        Self::Parquet,
    ];

    /// What it is called: `folders`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Idx => "idx",
            Self::Folders => "folders",
            Self::Table => "table",
            Self::Npz => "npz",
            Self::Cifar => "cifar",
            Self::Shards => "shards",
            Self::Svhn => "svhn",
            Self::Parquet => "parquet",
        }
    }

    /// The format of that name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}

/// How an image set is read. What is left open is found out, from the files and from some of the pictures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reading {
    /// The format.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// Columns of a table, by name or counted from 1: file, label and, where there is one, part. Of Parquet files: image and
    /// label, by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// Height and width of the images; for pictures in files of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<[usize; 2]>,
    /// How pictures are brought to that size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fit: Option<Fit>,
    /// Whether images have colour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub colour: Option<bool>,
}

impl Reading {
    /// This reading with nothing left open.
    #[must_use]
    pub fn decided(&self, format: Format, sizing: Option<Sizing>) -> Self {
        let mut reading = Self { format: Some(format), ..self.clone() };
        if let Some(Sizing { input, fit }) = sizing {
            reading.size = Some([input.height, input.width]);
            reading.fit = Some(fit);
            reading.colour = Some(input.channels == 3);
        }
        reading
    }
}

/// An image set, recognised. Nothing but names (and tables of names) has been read yet.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Source {
    /// IDX files, as MNIST has them.
    Idx(idx::IdxFolder),
    /// An `.npz` file.
    Npz(npz::NpzFile),
    /// CIFAR's binary files.
    Cifar(cifar::CifarFolder),
    /// SVHN's MATLAB files.
    Svhn(svhn::SvhnFolder),
    /// Pictures in files of their own.
    Pictures(Listing),
}

/// What there is to learn from.
#[derive(Clone, Debug)]
pub struct Training {
    /// All examples.
    pub dataset: Dataset,
    /// Those that the source sets aside for validation, where it does.
    pub validation: Option<Range<u32>>,
}

impl Training {
    /// A data set that says nothing of validation.
    fn whole(dataset: Dataset) -> Self {
        Self { dataset, validation: None }
    }
}

impl Source {
    /// The format.
    #[must_use]
    pub fn format(&self) -> Format {
        match self {
            Self::Idx(_) => Format::Idx,
            Self::Npz(_) => Format::Npz,
            Self::Cifar(_) => Format::Cifar,
            Self::Svhn(_) => Format::Svhn,
            Self::Pictures(listing) => listing.format,
        }
    }

    /// What a person should know of how the files were understood, a line each.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        match self {
            Self::Pictures(listing) => &listing.notes,
            _ => &[],
        }
    }

    /// Checks that something can be learned: that there are two classes, and images to measure by.
    ///
    /// # Errors
    /// [`Error::Inconsistent`] saying what is missing.
    pub fn check_learnable(&self) -> Result<(), Error> {
        match self {
            Self::Pictures(listing) => listing.check_learnable(),
            _ => Ok(()),
        }
    }

    /// Decides the size of the images where `reading` leaves it open, by looking at some pictures. `None` for formats whose images have their size.
    ///
    /// # Errors
    /// When no picture can be read; [`Error::Setting`] when `reading` asks for a size that cannot be, or for any of a format
    /// that has its own.
    pub fn decide(
        &self,
        reading: &Reading,
        decoding: impl Into<Decoding>,
    ) -> Result<Option<Decided>, Error> {
        let Self::Pictures(listing) = self else {
            return match (reading.size, reading.fit, reading.colour) {
                (None, None, None) => Ok(None),
                _ => Err(Error::setting(
                    "size, fit and colour",
                    format!(
                        "left out for data in the format {}, which has its own",
                        self.format().name()
                    ),
                    "given",
                )),
            };
        };
        survey::decide(listing, reading, &decoding.into()).map(Some)
    }

    /// Reads the training part, and the validation part where there is one. Pictures are brought to `sizing`; by default to
    /// what [`decide`](Self::decide) says.
    ///
    /// # Errors
    /// When files are missing, malformed or contradict each other. A picture that cannot be read is none: it is listed in the
    /// data set's [origin](Dataset::origin).
    pub fn train(
        &self,
        sizing: Option<Sizing>,
        decoding: impl Into<Decoding>,
    ) -> Result<Training, Error> {
        let decoding = decoding.into();
        let cache = decoding.cache.as_ref();
        match self {
            Self::Idx(folder) => folder.train(cache).map(Training::whole),
            Self::Npz(file) => file.train(cache),
            Self::Cifar(folder) => folder.train(cache).map(Training::whole),
            Self::Svhn(folder) => folder.train().map(Training::whole),
            Self::Pictures(listing) => {
                listing.train(chosen(listing, sizing, &decoding)?, &decoding)
            }
        }
    }

    /// The test part, not read yet; `None` when there is none.
    ///
    /// # Errors
    /// As [`decide`](Self::decide), for pictures without `sizing`.
    pub fn test(
        &self,
        sizing: Option<Sizing>,
        decoding: impl Into<Decoding>,
    ) -> Result<Option<TestPart>, Error> {
        let decoding = decoding.into();
        Ok(match self {
            Self::Idx(folder) => folder.test(decoding.cache),
            Self::Npz(file) => file.test(decoding.cache),
            Self::Cifar(folder) => folder.test(decoding.cache),
            Self::Svhn(folder) => folder.test(),
            Self::Pictures(listing) => listing.test(chosen(listing, sizing, &decoding)?, &decoding),
        })
    }
}

fn chosen(listing: &Listing, sizing: Option<Sizing>, decoding: &Decoding) -> Result<Sizing, Error> {
    match sizing {
        Some(sizing) => Ok(sizing),
        None => Ok(survey::decide(listing, &Reading::default(), decoding)?.sizing),
    }
}

/// How much a packed file of so many bytes may unpack to: 64 MiB whatever its size, and a hundred times its size beyond.
/// (MNIST's images pack 5 to 1, its labels 2 to 1.)
fn most_unpacked(packed: u64) -> u64 {
    packed.saturating_mul(100).saturating_add(64 << 20)
}

/// What stands in a folder, in the order of names. Hidden entries are left out.
struct Contents {
    path: PathBuf,
    /// Names of files, or of links to files.
    files: Vec<String>,
    /// Names of folders, or of links to folders.
    folders: Vec<String>,
    /// What has names that are not UTF-8, as well as they can be written.
    unnameable: Vec<String>,
}

impl Contents {
    fn of(path: &Path) -> Result<Self, Error> {
        let io = |source| Error::Io { doing: "list", path: path.to_owned(), source };
        let (mut files, mut folders, mut unnameable) = (Vec::new(), Vec::new(), Vec::new());
        for entry in fs::read_dir(path).map_err(io)? {
            let entry = entry.map_err(io)?;
            let name = entry.file_name();
            if name.as_encoded_bytes().starts_with(b".") || name == "__MACOSX" {
                continue;
            }
            let name = match name.into_string() {
                Ok(name) => name,
                Err(name) => {
                    unnameable.push(name.to_string_lossy().into_owned());
                    continue;
                }
            };
            let kind = entry.file_type().map_err(io)?;
            // A link counts as what it leads to; one that leads nowhere is a file that cannot be read.
            let folder = kind.is_dir() || kind.is_symlink() && entry.path().is_dir();
            if folder { &mut folders } else { &mut files }.push(name);
        }
        files.sort_unstable();
        folders.sort_unstable();
        unnameable.sort_unstable();
        Ok(Self { path: path.to_owned(), files, folders, unnameable })
    }
}

/// Names that pictures end with.
pub const PICTURE_ENDINGS: [&str; 15] = [
    "png", "jpg", "jpeg", "jpe", "jfif", "webp", "bmp", "gif", "tif", "tiff", "pnm", "pbm", "pgm",
    "ppm", "pam",
];

/// Whether a file's name is that of a picture.
#[must_use]
pub fn is_picture_name(name: &str) -> bool {
    has_ending(name, &PICTURE_ENDINGS)
}

fn has_ending(name: &str, endings: &[&str]) -> bool {
    let ending = Path::new(name).extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| endings.iter().any(|known| known.eq_ignore_ascii_case(ending)))
}

/// Finds out what kind of image set `path` is: a folder, or a file that holds a whole set.
///
/// # Errors
/// [`Error::Missing`] when there is nothing, [`Error::Unfit`] when it is a file of no known kind, [`Error::UnknownFolder`]
/// when a folder holds nothing known, [`Error::OtherFormat`] when it holds nothing of the format that `reading` names, and whatever the format's own opening finds wrong with the names.
pub fn recognise(path: &Path, reading: &Reading) -> Result<Source, Error> {
    recognise_with(path, reading, &Decoding::default())
}

/// As [`recognise`]; on so many threads, and telling who watches, as `decoding` says.
///
/// # Errors
/// As [`recognise`].
pub fn recognise_with(
    path: &Path,
    reading: &Reading,
    decoding: &Decoding,
) -> Result<Source, Error> {
    let metadata = fs::metadata(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => Error::Missing {
            path: path.to_owned(),
            expected: "a folder or file with a data set, or the name of one (`percept data list`)"
                .into(),
        },
        _ => Error::Io { doing: "read", path: path.to_owned(), source },
    })?;
    if !metadata.is_dir() {
        return recognise_file(path, reading, decoding);
    }
    let contents = Contents::of(path)?;
    let found = match reading.format {
        Some(format) => as_format(format, &contents, reading, decoding)?,
        None => {
            let mut found = None;
            for format in Format::ALL {
                found = as_format(format, &contents, reading, decoding)?;
                if found.is_some() {
                    break;
                }
            }
            found
        }
    };
    found.ok_or_else(|| match reading.format {
        Some(format) if format != Format::Folders => Error::OtherFormat {
            path: path.to_owned(),
            format: format.name(),
            found: describe_names(&contents),
        },
        _ => Error::UnknownFolder { path: path.to_owned(), found: describe(&contents) },
    })
}

fn as_format(
    format: Format,
    contents: &Contents,
    reading: &Reading,
    decoding: &Decoding,
) -> Result<Option<Source>, Error> {
    let only_file = |endings| only(contents, endings).map(|name| contents.path.join(name));
    Ok(match format {
        Format::Idx => idx::IdxFolder::recognise(&contents.path, &contents.files)?.map(Source::Idx),
        Format::Cifar => cifar::CifarFolder::recognise(contents)?.map(Source::Cifar),
        Format::Svhn => svhn::SvhnFolder::recognise(contents).map(Source::Svhn),
        Format::Npz => {
            only_file(&["npz"]).map(|file| npz::NpzFile::open(&file)).transpose()?.map(Source::Npz)
        }
        Format::Table => match only_file(&table::ENDINGS) {
            Some(file) => Some(Source::Pictures(table::list(&file, reading, decoding)?)),
            None => None,
        },
        Format::Shards => shards::list_folder(contents)?.map(Source::Pictures),
        #[cfg(feature = "parquet")]
        Format::Parquet => parquet::list_folder(contents, reading)?.map(Source::Pictures),
        #[cfg(not(feature = "parquet"))]
        Format::Parquet => {
            match contents.files.iter().find(|name| has_ending(name, &["parquet"])) {
                Some(name) => return Err(without_parquet(&contents.path.join(name))),
                None => None,
            }
        }
        Format::Folders => {
            // A single folder of pictures beside a table is what the table speaks of.
            let beside_table = reading.format.is_none() && only_file(&table::ENDINGS).is_some();
            folders::list(contents, beside_table, decoding)?.map(Source::Pictures)
        }
    })
}

/// The file with one of these endings, if there is exactly one.
fn only<'a>(contents: &'a Contents, endings: &[&str]) -> Option<&'a String> {
    let mut found = contents.files.iter().filter(|name| has_ending(name, endings));
    found.next().filter(|_| found.next().is_none())
}

fn recognise_file(path: &Path, reading: &Reading, decoding: &Decoding) -> Result<Source, Error> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let format = reading.format.or_else(|| match () {
        () if has_ending(&name, &table::ENDINGS) => Some(Format::Table),
        () if has_ending(&name, &["npz"]) => Some(Format::Npz),
        () if has_ending(&name, &shards::ENDINGS) => Some(Format::Shards),
        () if has_ending(&name, &["parquet"]) => Some(Format::Parquet),
        () => None,
    });
    match format {
        Some(Format::Table) => table::list(path, reading, decoding).map(Source::Pictures),
        Some(Format::Npz) => npz::NpzFile::open(path).map(Source::Npz),
        Some(Format::Shards) => shards::list(path, &[path.to_owned()]).map(Source::Pictures),
        #[cfg(feature = "parquet")]
        Some(Format::Parquet) => {
            parquet::list(path, &[path.to_owned()], reading).map(Source::Pictures)
        }
        #[cfg(not(feature = "parquet"))]
        Some(Format::Parquet) => Err(without_parquet(path)),
        _ => Err(Error::unfit(
            path.display().to_string(),
            "a folder with a data set, a table (.csv, .tsv), an .npz file, a tar shard or a Parquet file",
            "a single file of another kind (give the folder that it is in)",
        )),
    }
}

/// Parquet files are not read by this build.
#[cfg(not(feature = "parquet"))]
fn without_parquet(path: &Path) -> Error {
    Error::unfit(
        path.display().to_string(),
        "another format, or a percept that was built with `--features parquet`",
        "a Parquet file",
    )
}

fn count(count: usize, one: &str, more: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        count => format!("{count} {more}"),
    }
}

/// What a folder holds, where nobody has looked into the folders in it.
fn describe_names(contents: &Contents) -> String {
    let files = count(contents.files.len(), "file", "files");
    let folders = count(contents.folders.len(), "folder", "folders");
    match (contents.files.len(), contents.folders.len()) {
        (0, 0) => "nothing at all".into(),
        (_, 0) => format!("{files} of other names"),
        (0, _) => folders,
        _ => format!("{folders}, and {files} of other names"),
    }
}

fn describe(contents: &Contents) -> String {
    let pictures = contents.files.iter().filter(|name| is_picture_name(name)).count();
    let folders = count(contents.folders.len(), "folder", "folders");
    match (pictures, contents.files.len() - pictures, contents.folders.len()) {
        (0, 0, 0) => "nothing at all".into(),
        (0, files, 0) => count(files, "other file", "other files"),
        (0, 0, _) => format!("{folders} without pictures"),
        (0, files, _) => {
            format!("{folders} without pictures and {}", count(files, "other file", "other files"))
        }
        (pictures, _, 0) => format!(
            "{} but no class folders (put the pictures of each class into a folder of their own)",
            count(pictures, "picture", "pictures")
        ),
        (pictures, _, _) => {
            format!("{} and {folders} without pictures", count(pictures, "picture", "pictures"))
        }
    }
}
