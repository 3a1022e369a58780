//! What a person should know of a data set before training: files that cannot be read, duplicates, classes with few images,
//! pictures on which there is nothing to see.

mod copies;
mod duplicates;
mod findings;
mod look;
mod quick;
mod sheet;

use std::borrow::Cow;

use crate::sources::{Listing, Source};
use crate::{Dataset, Decoding, Doing, Error, Picture, Skipped, StoredPicture};
pub use copies::copies;
pub use findings::{Counted, Example, Findings, Pair, PartFindings};
use look::Look;
pub use quick::quick;
pub use sheet::{ClassSheet, class_sheets};

/// One part of a data set, with what was seen of each of its pictures.
struct Part {
    name: &'static str,
    looks: Vec<Look>,
    /// What people call each picture.
    names: Vec<String>,
    unreadable: Vec<Skipped>,
}

/// Decodes every picture once and says what was found. Some 700 bytes are
/// kept of each picture.
///
/// # Errors
/// When the data themselves cannot be read; a picture that cannot be is a finding.
pub fn examine(source: &Source, decoding: impl Into<Decoding>) -> Result<Findings, Error> {
    let (parts, class_names) = match source {
        Source::Pictures(listing) => look_at_pictures(listing, &decoding.into()),
        _ => look_at_pixels(source)?,
    };
    Ok(Findings::new(&parts, class_names))
}

fn look_at_pictures(listing: &Listing, decoding: &Decoding) -> (Vec<Part>, Vec<String>) {
    let mut parts = Vec::new();
    for (name, pictures) in listing.parts() {
        let looks = decoding.map(Doing::Decoding, &pictures.entries, |entry| {
            entry.place.picture().map(|stored| Look::at(&stored, entry.label)).map_err(|error| {
                let file = entry.place.name();
                let reason = crate::sources::reason(&error, &file);
                Skipped { file, reason }
            })
        });
        let mut part = Part {
            name,
            looks: Vec::new(),
            names: Vec::new(),
            unreadable: pictures.skipped.clone(),
        };
        for (look, entry) in looks.into_iter().zip(&pictures.entries) {
            match look {
                Ok(look) => {
                    part.looks.push(look);
                    part.names.push(entry.place.name());
                }
                Err(skipped) => part.unreadable.push(skipped),
            }
        }
        parts.push(part);
    }
    (parts, listing.class_names().to_vec())
}

fn look_at_pixels(source: &Source) -> Result<(Vec<Part>, Vec<String>), Error> {
    let mut parts = Vec::new();
    let mut class_names = Vec::new();
    let training = match source.train(None, 1) {
        // A test part alone can be looked at as well.
        Err(Error::Missing { .. }) => None,
        training => Some(training?),
    };
    if let Some(training) = training {
        let (data, all) = (&training.dataset, 0..training.dataset.len() as u32);
        let own = training.validation.unwrap_or(all.end..all.end);
        parts.push(part_of("training", data, 0..own.start));
        if !own.is_empty() {
            parts.push(part_of("validation", data, own));
        }
        class_names = data.class_names().to_vec();
    }
    if let Some(test) = source.test(None, 1)? {
        let test = test.open()?.dataset;
        parts.push(part_of("test", &test, 0..test.len() as u32));
        if class_names.is_empty() {
            class_names = test.class_names().to_vec();
        }
    }
    Ok((parts, class_names))
}

fn part_of(name: &'static str, data: &Dataset, examples: std::ops::Range<u32>) -> Part {
    let first = examples.start;
    let mut part = Part { name, looks: Vec::new(), names: Vec::new(), unreadable: Vec::new() };
    for example in examples {
        let pixels = data.image(example as usize).to_vec();
        let mode = if data.shape().channels == 1 { "grey" } else { "colour" };
        // A data set's images are whole pictures: see `Dataset::new`.
        let Ok(picture) = Picture::new(data.shape(), pixels) else { continue };
        let stored = StoredPicture { picture, format: "pixels", mode, turned: false };
        part.looks.push(Look::at(&stored, data.label(example as usize)));
        part.names.push(format!("{name} image {}", example - first));
    }
    part
}

/// A picture in colour, whatever it was.
fn in_colour(picture: &Picture) -> Cow<'_, Picture> {
    match picture.shape().channels {
        3 => Cow::Borrowed(picture),
        _ => Cow::Owned(picture.to_colour()),
    }
}
