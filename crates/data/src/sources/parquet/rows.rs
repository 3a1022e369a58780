//! One Parquet file: its labels, and the bytes of its pictures some rows at a time.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use ::parquet::basic::Type;
use ::parquet::column::reader::{ColumnReader, get_column_reader};
use ::parquet::data_type::ByteArray;
use ::parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use ::parquet::file::page_index::offset_index::PageLocation;
use ::parquet::file::serialized_reader::SerializedPageReader;
use serde_json::Value;

use super::pages;
use crate::Error;

/// Rows whose pictures are read at once.
const STRETCH: usize = 16;
/// The longest footer that is read, in bytes.
const LONGEST_FOOTER: u64 = 16 << 20;

/// Names of the two columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Columns {
    pub image: String,
    pub label: String,
}

/// What a row says of its class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Label {
    None,
    Number(i64),
    Text(Box<str>),
}

impl Label {
    pub(super) fn number(&self) -> Option<i64> {
        if let Self::Number(number) = self { Some(*number) } else { None }
    }

    pub(super) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

/// A file whose labels have been read.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(super) path: PathBuf,
    pub(super) columns: Columns,
    /// A label a row.
    pub(super) labels: Vec<Label>,
    /// Names of the classes, where the metadata have them.
    pub(super) class_names: Option<Vec<String>>,
    metadata: ParquetMetaData,
    /// Index of the leaf column with the bytes of the pictures.
    image: usize,
    groups: Vec<Group>,
    /// The stretches read last, the latest at the end.
    read: Mutex<VecDeque<Stretch>>,
}

/// A row group.
#[derive(Debug)]
struct Group {
    first_row: usize,
    rows: usize,
    /// Where its pictures are.
    pages: Vec<PageLocation>,
}

/// Some pictures that lie together.
#[derive(Clone, Debug)]
struct Stretch {
    first_row: usize,
    pictures: Arc<Vec<Option<ByteArray>>>,
}

impl Rows {
    /// Opens a file and reads its labels. `columns` are the names of the image column and the label column, where they are given.
    pub(super) fn open(path: &Path, columns: &[String]) -> Result<Self, Error> {
        let opened = catch_unwind(AssertUnwindSafe(|| Self::open_trusting(path, columns)));
        opened.unwrap_or_else(|_| Err(malformed(path, "a whole Parquet file", "damage")))
    }

    fn open_trusting(path: &Path, columns: &[String]) -> Result<Self, Error> {
        let io = |source| Error::Io { doing: "read", path: path.to_owned(), source };
        let mut file = File::open(path).map_err(io)?;
        let len = file.metadata().map_err(io)?.len();
        check_footer(path, &mut file, len)?;
        let metadata = ParquetMetaDataReader::new().parse_and_finish(&file);
        let metadata = metadata.map_err(|error| damaged(path, &error))?;
        let total = metadata.file_metadata().num_rows();
        if total < 0 || total as u64 > len {
            let expected = format!("at most a row for each of its {len} bytes");
            return Err(malformed(path, expected, format!("{total} rows")));
        }
        let features = features(&metadata);
        let (columns, image, label) = find_columns(path, &metadata, columns, features.as_ref())?;
        let class_names =
            features.as_ref().and_then(|features| class_names(features, &columns.label));
        let mut rows = Self {
            path: path.to_owned(),
            columns,
            labels: Vec::new(),
            class_names,
            metadata,
            image,
            groups: Vec::new(),
            read: Mutex::default(),
        };
        for group in 0..rows.metadata.num_row_groups() {
            let first_row = rows.labels.len();
            let count = rows.metadata.row_group(group).num_rows();
            let count =
                usize::try_from(count).ok().filter(|&count| (first_row + count) as u64 <= len);
            let count = count.ok_or_else(|| {
                malformed(path, "at most a row a byte", "a row group that says that it has more")
            })?;
            let pages = rows.locate(&mut file, group, label, count)?;
            rows.read_labels(group, label, pages, count)?;
            let pages = rows.locate(&mut file, group, image, count)?;
            rows.groups.push(Group { first_row, rows: count, pages });
        }
        Ok(rows)
    }

    /// The pages of a column in a row group.
    fn locate(
        &self,
        file: &mut File,
        group: usize,
        column: usize,
        rows: usize,
    ) -> Result<Vec<PageLocation>, Error> {
        let chunk = self.metadata.row_group(group).column(column);
        let start = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
        let (start, size) = (u64::try_from(start), u64::try_from(chunk.compressed_size()));
        let io = |source| Error::Io { doing: "read", path: self.path.clone(), source };
        let len = file.metadata().map_err(io)?.len();
        let range =
            start.ok().zip(size.ok()).map(|(start, size)| start..start.saturating_add(size));
        let range = range.filter(|range| range.end <= len).ok_or_else(|| {
            malformed(
                &self.path,
                format!("columns within its {len} bytes"),
                "one beyond (the file is cut off or damaged)",
            )
        })?;
        let found = pages::locate(&mut std::io::BufReader::new(file), range, rows as u64);
        found.map_err(|(expected, found)| malformed(&self.path, expected, found))
    }

    fn reader(
        &self,
        group: usize,
        column: usize,
        pages: Vec<PageLocation>,
        rows: usize,
    ) -> Result<ColumnReader, Error> {
        let io = |source| Error::Io { doing: "read", path: self.path.clone(), source };
        let file = Arc::new(File::open(&self.path).map_err(io)?);
        let chunk = self.metadata.row_group(group).column(column);
        let pages = SerializedPageReader::new(file, chunk, rows, Some(pages));
        let pages = pages.map_err(|error| damaged(&self.path, &error))?;
        Ok(get_column_reader(chunk.column_descr_ptr(), Box::new(pages)))
    }

    fn read_labels(
        &mut self,
        group: usize,
        column: usize,
        pages: Vec<PageLocation>,
        rows: usize,
    ) -> Result<(), Error> {
        let most = self.metadata.row_group(group).column(column).column_descr().max_def_level();
        let mut levels = Vec::new();
        let damaged = |error| damaged(&self.path, &error);
        let labels: Vec<Label> = match self.reader(group, column, pages, rows)? {
            ColumnReader::Int64ColumnReader(mut reader) => {
                let mut values = Vec::new();
                reader.read_records(rows, Some(&mut levels), None, &mut values).map_err(damaged)?;
                values.into_iter().map(Label::Number).collect()
            }
            ColumnReader::Int32ColumnReader(mut reader) => {
                let mut values = Vec::new();
                reader.read_records(rows, Some(&mut levels), None, &mut values).map_err(damaged)?;
                values.into_iter().map(|value| Label::Number(value.into())).collect()
            }
            ColumnReader::ByteArrayColumnReader(mut reader) => {
                let mut values: Vec<ByteArray> = Vec::new();
                reader.read_records(rows, Some(&mut levels), None, &mut values).map_err(damaged)?;
                let text = |value: &ByteArray| String::from_utf8_lossy(value.data()).into();
                values.iter().map(|value| Label::Text(text(value))).collect()
            }
            _ => {
                let found = format!("another type in `{}`", self.columns.label);
                return Err(malformed(&self.path, "labels that are whole numbers or texts", found));
            }
        };
        let spread = spread(labels, &levels, most).into_iter();
        self.labels.extend(spread.map(|label| label.unwrap_or(Label::None)).take(rows));
        Ok(())
    }

    /// What people call a row.
    pub(crate) fn name(&self, row: usize) -> String {
        format!("{}: row {row}", self.path.display())
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The bytes of the picture in a row.
    ///
    /// # Errors
    /// [`Error::Malformed`] when there is none, or when the file is damaged; [`Error::Io`].
    pub(crate) fn picture(&self, row: usize) -> Result<Vec<u8>, Error> {
        let stretch = self.stretch(row)?;
        let picture = stretch.pictures.get(row - stretch.first_row).and_then(Option::as_ref);
        let none = || Error::malformed(self.name(row), "the bytes of a picture", "none");
        picture.map(|bytes| bytes.data().to_vec()).ok_or_else(none)
    }

    /// The stretch that a row is in.
    fn stretch(&self, row: usize) -> Result<Stretch, Error> {
        let group = self.groups.partition_point(|group| group.first_row <= row).saturating_sub(1);
        let first_row = self.groups[group].first_row;
        let first_row = first_row + (row - first_row) / STRETCH * STRETCH;
        let read = || self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stretch) = read().iter().find(|stretch| stretch.first_row == first_row) {
            return Ok(stretch.clone());
        }
        let pictures = catch_unwind(AssertUnwindSafe(|| self.read_stretch(group, first_row)));
        let pictures =
            pictures.unwrap_or_else(|_| Err(malformed(&self.path, "whole pages", "damage")))?;
        let stretch = Stretch { first_row, pictures: Arc::new(pictures) };
        let mut kept = read();
        kept.push_back(stretch.clone());
        let most = 2 * thread::available_parallelism().map_or(1, usize::from);
        while kept.len() > most {
            kept.pop_front();
        }
        Ok(stretch)
    }

    fn read_stretch(
        &self,
        group: usize,
        first_row: usize,
    ) -> Result<Vec<Option<ByteArray>>, Error> {
        let Group { first_row: start, rows, pages } = &self.groups[group];
        let damaged = |error| damaged(&self.path, &error);
        let reader = self.reader(group, self.image, pages.clone(), *rows)?;
        let ColumnReader::ByteArrayColumnReader(mut reader) = reader else {
            let found = format!("another type in `{}`", self.columns.image);
            return Err(malformed(&self.path, "pictures in bytes", found));
        };
        reader.skip_records(first_row - start).map_err(damaged)?;
        let (mut values, mut levels) = (Vec::new(), Vec::new());
        reader.read_records(STRETCH, Some(&mut levels), None, &mut values).map_err(damaged)?;
        let most = self.metadata.row_group(group).column(self.image).column_descr().max_def_level();
        Ok(spread(values, &levels, most))
    }
}

/// Values with `None` where a row has none: where its definition level is less than the column's.
fn spread<T>(values: Vec<T>, levels: &[i16], most: i16) -> Vec<Option<T>> {
    let mut values = values.into_iter();
    match most {
        0 => values.map(Some).collect(),
        _ => levels.iter().map(|&level| if level == most { values.next() } else { None }).collect(),
    }
}

/// Checks the length of the footer before room is made for what it says.
fn check_footer(path: &Path, file: &mut File, len: u64) -> Result<(), Error> {
    let io = |source| Error::Io { doing: "read", path: path.to_owned(), source };
    let mut end = [0; 8];
    if len >= 12 {
        file.seek(SeekFrom::End(-8)).and_then(|_| file.read_exact(&mut end)).map_err(io)?;
    }
    let [a, b, c, d, b'P', b'A', b'R', b'1'] = end else {
        return Err(malformed(
            path,
            "a Parquet file (it ends with PAR1)",
            "another end (the file is cut off or of another kind)",
        ));
    };
    let footer = u64::from(u32::from_le_bytes([a, b, c, d]));
    let most = LONGEST_FOOTER.min(len - 12);
    match footer <= most {
        true => Ok(()),
        false => {
            Err(malformed(path, format!("a footer of at most {most} bytes"), footer.to_string()))
        }
    }
}

/// Names of leaf columns, as they are written for people: `image.bytes`.
fn leaves(metadata: &ParquetMetaData) -> Vec<String> {
    let schema = metadata.file_metadata().schema_descr();
    schema.columns().iter().map(|column| column.path().string()).collect()
}

/// The names of both columns, and the indices of the leaves that hold the pictures' bytes and the labels.
fn find_columns(
    path: &Path,
    metadata: &ParquetMetaData,
    given: &[String],
    features: Option<&Value>,
) -> Result<(Columns, usize, usize), Error> {
    let leaves = leaves(metadata);
    let schema = metadata.file_metadata().schema_descr();
    let flat = |at: usize| schema.column(at).max_rep_level() == 0;
    let missing = |what: &str| {
        let found = format!("columns [{}]", leaves.join(", "));
        Error::unfit(path.display().to_string(), what, found)
    };
    let image_leaf = |name: &str| {
        let wanted = [format!("{name}.bytes"), name.to_owned()];
        let bytes =
            |at: &usize| schema.column(*at).physical_type() == Type::BYTE_ARRAY && flat(*at);
        wanted.iter().find_map(|wanted| leaves.iter().position(|leaf| leaf == wanted)).filter(bytes)
    };
    let label_leaf =
        |name: &str| leaves.iter().position(|leaf| leaf == name).filter(|&at| flat(at));
    let first = |names: Vec<&str>, leaf: &dyn Fn(&str) -> Option<usize>| {
        names.into_iter().find_map(|name| leaf(name).map(|at| (name.to_owned(), at)))
    };
    let image = match given.first() {
        Some(name) => first(vec![name], &image_leaf),
        None => {
            let structs = leaves.iter().filter_map(|leaf| leaf.strip_suffix(".bytes"));
            first(["image", "img"].into_iter().chain(structs).collect(), &image_leaf)
        }
    };
    let label = match given.get(1) {
        Some(name) => first(vec![name], &label_leaf),
        None => {
            let usual = ["label", "labels", "fine_label", "class"].into_iter();
            first(usual.chain(class_labels(features)).collect(), &label_leaf)
        }
    };
    let (image, image_at) = image.ok_or_else(|| {
        missing("a column of pictures, `image: struct<bytes, path>` (--columns names another)")
    })?;
    let (label, label_at) =
        label.ok_or_else(|| missing("a column of labels, `label` (--columns names another)"))?;
    Ok((Columns { image, label }, image_at, label_at))
}

/// What Hugging Face's library wrote of the columns: JSON under `huggingface`.
fn features(metadata: &ParquetMetaData) -> Option<Value> {
    let pairs = metadata.file_metadata().key_value_metadata()?;
    let text = pairs.iter().find(|pair| pair.key == "huggingface")?.value.as_deref()?;
    let mut value: Value = serde_json::from_str(text).ok()?;
    Some(value.pointer_mut("/info/features")?.take())
}

/// Names of columns that are class labels.
fn class_labels(features: Option<&Value>) -> impl Iterator<Item = &str> {
    let features = features.and_then(Value::as_object).into_iter().flatten();
    features.filter(|(_, feature)| feature["_type"] == "ClassLabel").map(|(name, _)| name.as_str())
}

fn class_names(features: &Value, label: &str) -> Option<Vec<String>> {
    let names = features.get(label)?.get("names")?.as_array()?;
    names.iter().map(|name| name.as_str().map(str::to_owned)).collect()
}

fn malformed(path: &Path, expected: impl Into<String>, found: impl Into<String>) -> Error {
    Error::malformed(path.display().to_string(), expected, found)
}

fn damaged(path: &Path, error: &::parquet::errors::ParquetError) -> Error {
    malformed(
        path,
        "a whole Parquet file, its columns not compressed or by Snappy or gzip",
        error.to_string(),
    )
}
