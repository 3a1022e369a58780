//! Makes the files of a set into a folder that percept reads.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use percept_data::named::{NamedSet, Packing};
use percept_data::sources::idx::{self, IdxImages};
use zip::ZipArchive;

use crate::Error;
use crate::transfer::{Failed, transfer};

/// The largest file that is taken out of an archive, in bytes; CIFAR-100's training part has 153.7 million.
const MOST_BYTES: u64 = 256 << 20;

/// Fills `folder` with what `files` hold. Plain files are moved.
pub(crate) fn unpack(set: &NamedSet, files: &[PathBuf], folder: &Path) -> Result<(), Error> {
    for file in files {
        match set.packing {
            Packing::TarGz(wanted) => tar_gz(file, wanted, folder)?,
            Packing::Emnist { split, first_label } => emnist(file, split, first_label, folder)?,
            _ => {
                let to = folder.join(file.file_name().unwrap_or_default());
                let io = |source| Error::Io { doing: "move", path: file.clone(), source };
                fs::rename(file, to).map_err(io)?;
            }
        }
    }
    if set.class_names.is_empty() {
        return Ok(());
    }
    let path = folder.join("class_names.txt");
    let io = |source| Error::Io { doing: "write", path: path.clone(), source };
    fs::write(&path, set.class_names.join("\n") + "\n").map_err(io)
}

/// Takes some files out of a gzipped tar archive, wherever in it they lie.
fn tar_gz(archive: &Path, wanted: &[&str], folder: &Path) -> Result<(), Error> {
    let malformed = |expected: String, found: String| Error::Archive {
        path: archive.to_owned(),
        expected,
        found,
    };
    let damaged = |error: io::Error| malformed("a whole .tar.gz archive".into(), error.to_string());
    let mut missing = wanted.to_vec();
    let mut tar = tar::Archive::new(GzDecoder::new(open(archive)?));
    for entry in tar.entries().map_err(damaged)? {
        let entry = entry.map_err(damaged)?;
        let path = entry.path().map_err(damaged)?.into_owned();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let Some(at) = missing.iter().position(|wanted| *wanted == name) else { continue };
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let size = entry.size();
        save(entry, size, archive, &folder.join(missing.swap_remove(at)))?;
    }
    match missing.first() {
        None => Ok(()),
        Some(missing) => Err(malformed(format!("a file `{missing}`"), "none".into())),
    }
}

/// Takes one split out of EMNIST's archive, turns its images upright and counts its labels from 0.
fn emnist(archive: &Path, split: &str, first_label: u8, folder: &Path) -> Result<(), Error> {
    let malformed = |expected: String, found: String| Error::Archive {
        path: archive.to_owned(),
        expected,
        found,
    };
    let mut zip = ZipArchive::new(open(archive)?)
        .map_err(|error| malformed("a whole ZIP archive".into(), error.to_string()))?;
    let mut take = |name: &str| -> Result<PathBuf, Error> {
        let entry = zip.by_name(&format!("gzip/{name}"));
        let entry =
            entry.map_err(|error| malformed(format!("a file `gzip/{name}`"), error.to_string()))?;
        let (size, path) = (entry.size(), folder.join(name));
        save(entry, size, archive, &path)?;
        Ok(path)
    };
    for (theirs, ours) in [("train", "train"), ("test", "t10k")] {
        let name = |content: &str| format!("emnist-{split}-{theirs}-{content}-ubyte.gz");
        let (images, labels) = (take(&name("images-idx3"))?, take(&name("labels-idx1"))?);
        let upright = transposed(idx::read_images(&images)?);
        let numbers = idx::read_labels(&labels)?;
        let counted: Option<Vec<u8>> =
            numbers.iter().map(|label| label.checked_sub(first_label)).collect();
        let counted = counted.ok_or_else(|| {
            malformed(format!("labels from {first_label} on"), "a lower one".into())
        })?;
        idx::write_part(folder, ours, &upright, &counted)?;
        for path in [images, labels] {
            let io = |source| Error::Io { doing: "remove", path: path.clone(), source };
            fs::remove_file(&path).map_err(io)?;
        }
    }
    Ok(())
}

/// Images with rows and columns exchanged.
fn transposed(images: IdxImages) -> IdxImages {
    let IdxImages { rows, columns, pixels } = images;
    let one = |image: &[u8]| -> Vec<u8> {
        (0..columns)
            .flat_map(|column| (0..rows).map(move |row| (row, column)))
            .map(|(row, column)| image[row * columns + column])
            .collect()
    };
    let pixels = pixels.chunks_exact(rows * columns).flat_map(one).collect();
    IdxImages { rows: columns, columns: rows, pixels }
}

fn open(path: &Path) -> Result<BufReader<File>, Error> {
    let io = |source| Error::Io { doing: "read", path: path.to_owned(), source };
    File::open(path).map(BufReader::new).map_err(io)
}

/// Writes a file of an archive, which says that it has `size` bytes.
fn save(input: impl Read, size: u64, archive: &Path, path: &Path) -> Result<(), Error> {
    let malformed = |expected: String, found: String| Error::Archive {
        path: archive.to_owned(),
        expected,
        found,
    };
    if size > MOST_BYTES {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        return Err(malformed(format!("at most {MOST_BYTES} bytes in `{name}`"), size.to_string()));
    }
    let io = |source| Error::Io { doing: "write", path: path.to_owned(), source };
    let mut output = File::create(path).map_err(io)?;
    transfer(&mut input.take(MOST_BYTES), &mut output, |_| {}).map_err(|failed| match failed {
        Failed::Reading(error) => malformed("a whole archive".into(), error.to_string()),
        Failed::Writing(source) => io(source),
    })
}
