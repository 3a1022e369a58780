//! Writing results to stdout and files.

use crate::failure::{Exit, Failure};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

/// Writes text to stdout, as it is.
///
/// # Errors
/// [`Failure::reader_gone`] where nobody reads any more (`percept ... | head`), else why it cannot be written.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    print_bytes(text.as_bytes())
}

/// Writes bytes to stdout.
///
/// # Errors
/// As [`print`].
pub(crate) fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
    written.map_err(|cause| match cause.kind() {
        ErrorKind::BrokenPipe => Failure::reader_gone(),
        _ => Failure::output("cannot write to stdout").caused_by(&cause),
    })
}

/// Writes text to stderr. That nobody reads it is no reason to stop what is being told about.
pub(crate) fn tell(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Writes a value to stdout as one line of JSON.
///
/// # Errors
/// As [`print`].
pub(crate) fn print_json_line(value: &serde_json::Value) -> Result<(), Failure> {
    print(&format!("{value}\n"))
}

/// Writes a value to stdout as indented JSON.
///
/// # Errors
/// As [`print`].
pub(crate) fn print_json(value: &serde_json::Value) -> Result<(), Failure> {
    print(&format!("{value:#}\n"))
}

/// Writes a file as a whole or not at all, replacing an earlier one.
///
/// # Errors
/// A failure with exit code 1.
pub(crate) fn write_file(path: &Path, content: &[u8]) -> Result<(), Failure> {
    let written = percept::model::atomic::replace(path, |file| file.write_all(content));
    written.map_err(|error| Failure::of(Exit::Output, &error).hint(error.hint()))
}

/// Writes an image as a PNG file.
///
/// # Errors
/// As [`write_file`].
pub(crate) fn write_png(path: &Path, image: &image::DynamicImage) -> Result<(), Failure> {
    let mut bytes = io::Cursor::new(Vec::new());
    image
        .write_to(&mut bytes, image::ImageFormat::Png)
        .map_err(|cause| Failure::output("cannot make a PNG picture").caused_by(&cause))?;
    write_file(path, bytes.get_ref())
}

/// Columns of the terminal; 80 where there is none.
pub(crate) fn width() -> usize {
    terminal_size::terminal_size().map_or(80, |(columns, _)| usize::from(columns.0))
}
