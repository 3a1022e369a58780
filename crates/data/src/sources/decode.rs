//! Decoding the pictures of a data set to images of one size, in memory or in the pixel cache.

use std::path::{Path, PathBuf};

use super::cached;
use super::listing::{Entry, Pictures};
use crate::pixel_cache::{Facts, Record, Unfinished};
use crate::{Dataset, Decoding, Doing, Error, Origin, Pixels, Sizing, Skipped, StoredPicture};

/// Pictures that a thread takes at once.
pub(super) const BLOCK: usize = 16;

/// Pictures to decode.
pub(super) struct Job<'a> {
    /// The folder or file that the data set was recognised in.
    pub path: &'a Path,
    /// What the parts are together called.
    pub part: &'static str,
    /// The parts, which come one behind the other.
    pub parts: &'a [&'a Pictures],
    pub sizing: Sizing,
    pub decoding: &'a Decoding,
}

impl Job<'_> {
    pub(super) fn entries(&self) -> Vec<&Entry> {
        self.parts.iter().flat_map(|part| &part.entries).collect()
    }

    pub(super) fn describe(&self) -> String {
        format!("{} ({})", self.path.display(), self.part)
    }
}

/// What came of a picture: whether it was turned, or why it cannot be read.
pub(super) type Outcome = Result<bool, String>;

/// Images of the pictures that could be read, in their order.
pub(super) struct Images {
    pub pixels: Pixels,
    /// What came of each picture.
    pub outcomes: Vec<Outcome>,
    pub kept: Kept,
    /// What a person should know of the cache.
    pub note: Option<String>,
}

/// Whether pixels are kept for the next time.
pub(super) enum Kept {
    No,
    /// They were found in the cache, with these facts.
    Found(Facts),
    /// They will be, when the fingerprint is known.
    New(Box<New>),
}

/// A cache file without its end.
pub(super) struct New {
    pub file: Unfinished,
    pub path: PathBuf,
    pub records: Vec<Record>,
    pub facts: Facts,
}

/// Pictures decoded to images of one size.
pub(super) struct Decoded {
    images: Images,
    labels: Vec<u32>,
    origin: Origin,
    /// How many images there are up to the end of each part.
    pub ends: Vec<usize>,
}

/// Decodes the pictures of some parts. Those that cannot be read are left out and listed.
pub(super) fn decode(job: &Job<'_>) -> Result<Decoded, Error> {
    job.sizing.check()?;
    let images = match &job.decoding.cache {
        None => in_memory(job)?,
        Some(cache) => match cached::images(job, cache) {
            Ok(images) => images,
            Err(error) => {
                let words = format!(
                    "the pixels are held in memory, because they cannot be kept in {}",
                    cache.folder.display()
                );
                Images { note: Some(format!("{words}: {error}")), ..in_memory(job)? }
            }
        },
    };
    Ok(gather(job, images))
}

fn in_memory(job: &Job<'_>) -> Result<Images, Error> {
    let entries = job.entries();
    let size = job.sizing.input.len();
    let mut images = zeros(entries.len(), job.sizing)?;
    let mut outcomes: Vec<Outcome> = vec![Ok(false); entries.len()];
    let counter = job.decoding.counter(Doing::Decoding, entries.len());
    let blocks = entries.chunks(BLOCK).zip(images.chunks_mut(BLOCK * size));
    job.decoding.each(blocks.zip(outcomes.chunks_mut(BLOCK)), |((entries, images), outcomes)| {
        let rooms = images.chunks_exact_mut(size).zip(outcomes);
        for (entry, (image, outcome)) in entries.iter().zip(rooms) {
            *outcome = entry
                .place
                .read()
                .and_then(|bytes| prepare(entry, &bytes, job.sizing, image))
                .map_err(|error| reason(&error, &entry.place.name()));
            counter.add(1);
        }
    });
    let mut read = 0;
    for (at, _) in outcomes.iter().enumerate().filter(|(_, outcome)| outcome.is_ok()) {
        images.copy_within(at * size..(at + 1) * size, read * size);
        read += 1;
    }
    images.truncate(read * size);
    Ok(Images { pixels: images.into(), outcomes, kept: Kept::No, note: None })
}

/// Memory for so many images, or an error instead of an abort.
fn zeros(count: usize, sizing: Sizing) -> Result<Vec<u8>, Error> {
    let bytes = count.saturating_mul(sizing.input.len());
    let mut images = Vec::new();
    images.try_reserve_exact(bytes).map_err(|_| {
        let expected = format!("so small that {count} images fit into memory");
        let found = format!("{} ({} MiB in all)", sizing.input, bytes >> 20);
        Error::setting("the input shape", expected, found)
    })?;
    images.resize(bytes, 0);
    Ok(images)
}

/// Decodes the bytes of a picture's file.
pub(super) fn prepare(
    entry: &Entry,
    bytes: &[u8],
    sizing: Sizing,
    image: &mut [u8],
) -> Result<bool, Error> {
    let stored = StoredPicture::from_bytes(bytes, &entry.place.name())?;
    image.copy_from_slice(&sizing.prepare(&stored.picture)?);
    Ok(stored.turned)
}

fn gather(job: &Job<'_>, images: Images) -> Decoded {
    let mut origin = Origin { fit: job.sizing.fit, ..Origin::default() };
    let (mut labels, mut ends) = (Vec::with_capacity(images.outcomes.len()), Vec::new());
    let mut outcomes = images.outcomes.iter();
    for part in job.parts {
        origin.skipped.extend_from_slice(&part.skipped);
        for (entry, outcome) in part.entries.iter().zip(outcomes.by_ref()) {
            match outcome {
                Ok(turned) => {
                    labels.push(entry.label);
                    origin.files.push(entry.place.name().into());
                    origin.turned += usize::from(*turned);
                }
                Err(reason) => {
                    let (file, reason) = (entry.place.name(), reason.clone());
                    origin.skipped.push(Skipped { file, reason });
                }
            }
        }
        ends.push(labels.len());
    }
    Decoded { images, labels, origin, ends }
}

impl Decoded {
    /// The data set, and the end of a new cache file.
    pub(super) fn dataset(
        mut self,
        job: &Job<'_>,
        class_names: Vec<String>,
    ) -> Result<Dataset, Error> {
        if let (true, Some(first)) = (self.labels.is_empty(), self.origin.skipped.first()) {
            return Err(Error::Inconsistent {
                name: job.describe(),
                expected: "at least one picture that can be read".into(),
                found: format!(
                    "{} that cannot, the first `{}`: {}",
                    self.origin.skipped.len(),
                    first.file,
                    first.reason
                ),
            });
        }
        let (input, pixels) = (job.sizing.input, self.images.pixels.clone());
        let mut dataset = Dataset::new(job.describe(), input, pixels, self.labels, class_names)?;
        let mut note = self.images.note;
        match self.images.kept {
            Kept::No => {}
            Kept::Found(facts) => dataset = cached::with_fingerprint(dataset, &facts),
            Kept::New(new) => {
                let kept = cached::keep(*new, &self.images.pixels, &dataset, job.decoding);
                note = note.or(kept
                    .err()
                    .map(|error| format!("the pixels are not kept for the next time: {error}")));
            }
        }
        self.origin.notes.extend(note);
        dataset.with_origin(self.origin)
    }
}

/// An error with its causes on one line, without the name of its file, which stands beside it. Decoders often repeat their cause in
/// their own words: what was said already is not said again.
pub(crate) fn reason(error: &Error, name: &str) -> String {
    let text = error.to_string();
    let rest = text.strip_prefix(&format!("`{name}`: ")).unwrap_or(&text);
    let mut text = one_line(&rest.replace(&format!(" `{name}`"), ""));
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let words = one_line(&error.to_string());
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = error.source();
    }
    text
}

/// A text with one space for each run of white space and control characters.
fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `image` 0.25 and `zune-jpeg` say of a JPEG file that ends in its tables: "Format error decoding Jpeg: I/O errors Not enough
    /// bytes, expected 162 but found 26\n", and the same again as its cause.
    #[test]
    fn a_reason_is_one_line_and_said_once() {
        let own = "I/O errors Not enough bytes, expected 162 but found 26\n";
        let decoding = image::error::DecodingError::new(image::ImageFormat::Jpeg.into(), own);
        let source = image::ImageError::Decoding(decoding);
        let error = Error::Decode { name: "a/b.jpg".into(), format: "JPEG".into(), source };
        let reason = reason(&error, "a/b.jpg");
        assert_eq!(reason.matches("Not enough bytes, expected 162 but found 26").count(), 1);
        assert!(!reason.contains(char::is_control) && !reason.contains("a/b.jpg"), "{reason}");
    }

    #[test]
    fn control_characters_and_runs_of_spaces_are_one_space() {
        assert_eq!(one_line(" two\r\n\twords \u{1b}[2J and\0more\n"), "two words [2J and more");
    }
}
