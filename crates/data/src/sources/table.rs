//! Tables of files and labels: CSV or TSV, with or without a line of names, and perhaps a column that says the part.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::class_names::check_known;
use super::listing::{Entry, Listing, Part, Pictures, Place};
use super::{Format, Reading, is_picture_name};
use crate::{Decoding, Doing, Error, Skipped};

/// What tables' names end with.
pub(super) const ENDINGS: [&str; 2] = ["csv", "tsv"];

const FILE_NAMES: &[&str] = &[
    "file",
    "filename",
    "file_name",
    "filepath",
    "file_path",
    "path",
    "image",
    "image_path",
    "image_name",
    "image_file",
    "img",
    "img_path",
    "picture",
    "image_id",
    "id",
];
const LABEL_NAMES: &[&str] = &[
    "label",
    "class",
    "class_name",
    "label_name",
    "target",
    "category",
    "diagnosis",
    "species",
    "breed",
    "y",
];
const PART_NAMES: &[&str] = &["split", "part", "set", "subset", "partition"];

/// Rows by which it is found out where the files are.
const TRIED: usize = 50;
/// Folders that the files may be in, beside the table, and endings that the table may leave out.
const FOLDERS: [&str; 4] = ["", "images", "imgs", "train"];
const LEFT_OUT: [&str; 4] = ["", ".jpg", ".png", ".jpeg"];

/// Lists the pictures that a table names.
pub(super) fn list(path: &Path, reading: &Reading, decoding: &Decoding) -> Result<Listing, Error> {
    let table = Table::read(path)?;
    let columns = table.columns(&reading.columns)?;
    let place = table.place(columns.file);
    let mut notes = vec![table.describe(&columns)];
    if let Some(words) = place.describe() {
        notes.push(words);
    }
    let rows = decoding.map(Doing::Listing, &table.rows, |row| Row::of(row, &columns, &place));
    let class_names = class_names(&rows);
    if let Some(row) = rows.iter().find(|row| row.part.is_none()) {
        let expected = "train, validation or test in the column of parts";
        let found = format!(
            "`{}` for `{}`; --columns FILE,LABEL leaves that column out",
            row.part_as_written, row.file
        );
        return Err(Error::unfit(path.display().to_string(), expected, found));
    }
    let of = |part| -> Result<Option<Pictures>, Error> {
        match rows.iter().any(|row| row.part == Some(part)) {
            true => pictures_of(part, &rows, &class_names, path).map(Some),
            false => Ok(None),
        }
    };
    let (train, validation, test) = (of(Part::Train)?, of(Part::Validation)?, of(Part::Test)?);
    Listing::new(Format::Table, path, class_names, [train, validation, test], notes)
}

/// The labels of the training rows, or of all where there are none, in the order of their names.
fn class_names(rows: &[Row<'_>]) -> Vec<String> {
    let of = |part: Option<Part>| -> BTreeSet<&str> {
        let rows = rows.iter().filter(|row| part.is_none() || row.part == part);
        rows.map(|row| row.label).filter(|label| !label.is_empty()).collect()
    };
    let train = of(Some(Part::Train));
    let names = if train.is_empty() { of(None) } else { train };
    names.into_iter().map(str::to_owned).collect()
}

fn pictures_of(
    part: Part,
    rows: &[Row<'_>],
    class_names: &[String],
    path: &Path,
) -> Result<Pictures, Error> {
    let mut pictures = Pictures::default();
    let mut found = BTreeSet::new();
    for row in rows.iter().filter(|row| row.part == Some(part)) {
        let file = row.path.clone();
        let skip =
            |reason: &str| Skipped { file: file.display().to_string(), reason: reason.into() };
        match class_names.binary_search_by(|name| name.as_str().cmp(row.label)) {
            _ if row.label.is_empty() => pictures.skipped.push(skip("the table gives it no label")),
            _ if row.file.is_empty() => pictures.skipped.push(skip("the table names no file")),
            Err(_) => {}
            Ok(_) if !row.is_there => {
                pictures.skipped.push(skip("the table names it, but it is not there"));
            }
            Ok(label) => {
                pictures.entries.push(Entry { place: Place::File(file), label: label as u32 });
            }
        }
        if !row.label.is_empty() {
            found.insert(row.label.to_owned());
        }
    }
    check_known(path, class_names, found)?;
    Ok(pictures)
}

/// One picture as the table has it.
struct Row<'a> {
    file: &'a str,
    label: &'a str,
    /// `None` when what is written is no part.
    part: Option<Part>,
    part_as_written: &'a str,
    /// Where the file is, or should be.
    path: PathBuf,
    is_there: bool,
}

impl<'a> Row<'a> {
    fn of(row: &'a [String], columns: &Columns, place: &Files) -> Self {
        let file = row[columns.file].trim();
        let path = place.of(file);
        let part_as_written = columns.part.map_or("train", |part| row[part].trim());
        let part = Part::named(part_as_written);
        Self {
            file,
            label: row[columns.label].trim(),
            part,
            part_as_written,
            is_there: path.is_file(),
            path,
        }
    }
}

/// Which columns say what, counted from 0.
#[derive(Debug, PartialEq, Eq)]
struct Columns {
    file: usize,
    label: usize,
    part: Option<usize>,
    /// How they were found.
    how: &'static str,
}

/// A table in memory.
struct Table {
    path: PathBuf,
    /// The names of the columns; none when the first line is a row like the others.
    names: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    fn read(path: &Path) -> Result<Self, Error> {
        let io = |source| Error::Io { doing: "read", path: path.to_owned(), source };
        let mut file = BufReader::new(File::open(path).map_err(io)?);
        let separator = separator(file.fill_buf().map_err(io)?);
        let mut reader =
            csv::ReaderBuilder::new().has_headers(false).delimiter(separator).from_reader(file);
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|error| {
                let expected = match error.kind() {
                    csv::ErrorKind::Utf8 { .. } => "a table in UTF-8",
                    _ => "a table with as many columns in every row",
                };
                Error::malformed(path.display().to_string(), expected, error.to_string())
            })?;
            rows.push(record.iter().map(str::to_owned).collect::<Vec<_>>());
        }
        if let Some(first) = rows.first_mut().and_then(|row| row.first_mut()) {
            *first = first.trim_start_matches('\u{feff}').to_owned();
        }
        let mut table = Self { path: path.to_owned(), names: Vec::new(), rows };
        if table.rows.first().is_some_and(|first| table.are_names(first)) {
            table.names = table.rows.remove(0);
        }
        match table.rows.is_empty() {
            false => Ok(table),
            true => Err(table.unfit("rows of files and labels", "no row")),
        }
    }

    /// Whether a first row names the columns: it has a name that is known, or nothing that could be a picture's file.
    fn are_names(&self, first: &[String]) -> bool {
        let known = |value: &String| {
            let value = value.trim().to_lowercase();
            [FILE_NAMES, LABEL_NAMES, PART_NAMES].iter().any(|names| names.contains(&&*value))
        };
        let is_picture = |value: &String| is_picture_name(value.trim());
        !first.iter().any(|value| self.is_file(value))
            && (first.iter().any(known) || !first.iter().any(is_picture))
    }

    fn unfit(&self, expected: impl Into<String>, found: impl Into<String>) -> Error {
        Error::unfit(self.path.display().to_string(), expected, found)
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// Whether a value of the table names a file.
    fn is_file(&self, value: &str) -> bool {
        let value = value.trim();
        !value.is_empty() && self.places().any(|place| place.of(value).is_file())
    }

    /// Where the files may be.
    fn places(&self) -> impl Iterator<Item = Files> + '_ {
        let of =
            |(folder, ending)| Files { folder: self.folder().join(folder), inner: folder, ending };
        FOLDERS.into_iter().flat_map(|folder| LEFT_OUT.map(|ending| (folder, ending))).map(of)
    }

    /// Where most of the first files are.
    fn place(&self, column: usize) -> Files {
        let found = |place: &Files| {
            let rows = self.rows.iter().take(TRIED);
            rows.filter(|row| place.of(row[column].trim()).is_file()).count()
        };
        // Of equals the first, which is the plainest.
        let places = self.places().map(|place| (found(&place), place));
        let best = places.reduce(|best, next| if next.0 > best.0 { next } else { best });
        best.map_or(
            Files { folder: self.folder().to_owned(), inner: "", ending: "" },
            |(_, place)| place,
        )
    }

    /// The columns asked for, or those that their names or contents tell.
    fn columns(&self, wanted: &[String]) -> Result<Columns, Error> {
        match wanted {
            [] => self.guess(),
            [file, label] => Ok(Columns {
                file: self.column(file)?,
                label: self.column(label)?,
                part: None,
                how: "as asked for",
            }),
            [file, label, part] => Ok(Columns {
                file: self.column(file)?,
                label: self.column(label)?,
                part: Some(self.column(part)?),
                how: "as asked for",
            }),
            _ => Err(Error::setting(
                "columns",
                "two or three: FILE,LABEL or FILE,LABEL,PART",
                wanted.join(","),
            )),
        }
    }

    fn column(&self, wanted: &str) -> Result<usize, Error> {
        let width = self.rows[0].len();
        let named = self.names.iter().position(|name| name.trim() == wanted.trim());
        let counted = || {
            wanted.trim().parse().ok().filter(|at| (1..=width).contains(at)).map(|at: usize| at - 1)
        };
        named.or_else(counted).ok_or_else(|| {
            Error::setting(
                "columns",
                format!("among {}", self.all_columns()),
                format!("`{wanted}`"),
            )
        })
    }

    fn guess(&self) -> Result<Columns, Error> {
        let named = |known: &[&str]| {
            let lower: Vec<String> =
                self.names.iter().map(|name| name.trim().to_lowercase()).collect();
            known.iter().find_map(|known| lower.iter().position(|name| name == known))
        };
        let part = named(PART_NAMES);
        let holds_files =
            |column: &usize| self.rows.iter().take(TRIED).any(|row| self.is_file(&row[*column]));
        let width = self.rows[0].len();
        let by_name = named(FILE_NAMES);
        let Some(file) =
            by_name.filter(holds_files).or_else(|| (0..width).find(holds_files)).or(by_name)
        else {
            return Err(self.unfit(
                "a column with the pictures' files, beside the table or in `images/`",
                format!(
                    "none among {}; name the columns: --columns FILE,LABEL",
                    self.all_columns()
                ),
            ));
        };
        let rest: Vec<usize> =
            (0..width).filter(|column| *column != file && Some(*column) != part).collect();
        let (label, how) =
            match (named(LABEL_NAMES).filter(|label| *label != file), rest.as_slice()) {
                (Some(label), _) => (label, "by their names"),
                (None, [only]) => (*only, "the only ones there are"),
                (None, []) => {
                    let found = format!("none beside {}", self.name_of(file));
                    return Err(self.unfit("a column with the labels", found));
                }
                (None, _) => {
                    return Err(self.unfit(
                    "a column with the labels",
                    format!(
                        "several that might be, among {}; name the columns: --columns FILE,LABEL",
                        self.all_columns()
                    ),
                ));
                }
            };
        Ok(Columns { file, label, part, how })
    }

    fn all_columns(&self) -> String {
        let width = self.rows[0].len();
        let names: Vec<String> = (0..width).map(|column| self.name_of(column)).collect();
        names.join(", ")
    }

    fn name_of(&self, column: usize) -> String {
        match self.names.get(column) {
            Some(name) => format!("`{}`", name.trim()),
            None => format!("column {}", column + 1),
        }
    }

    fn describe(&self, columns: &Columns) -> String {
        let part = columns
            .part
            .map_or(String::new(), |part| format!(", parts from {}", self.name_of(part)));
        format!(
            "files from {}, labels from {}{part}: {} (--columns FILE,LABEL changes it)",
            self.name_of(columns.file),
            self.name_of(columns.label),
            columns.how
        )
    }
}

/// Where the files of a table are.
struct Files {
    folder: PathBuf,
    inner: &'static str,
    ending: &'static str,
}

impl Files {
    fn of(&self, value: &str) -> PathBuf {
        self.folder.join(format!("{value}{}", self.ending))
    }

    fn describe(&self) -> Option<String> {
        match (self.inner, self.ending) {
            ("", "") => None,
            (inner, "") => Some(format!("the files are in {inner}/")),
            ("", ending) => Some(format!("the files' names go on with {ending}")),
            (inner, ending) => {
                Some(format!("the files are in {inner}/, and their names go on with {ending}"))
            }
        }
    }
}

/// What separates the columns of the first line: whatever there is most of.
fn separator(start: &[u8]) -> u8 {
    let line = start.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let count = |separator: u8| line.iter().filter(|&&byte| byte == separator).count();
    let separators = [b',', b'\t', b';'];
    separators
        .into_iter()
        .reduce(|best, next| if count(next) > count(best) { next } else { best })
        .unwrap_or(b',')
}
