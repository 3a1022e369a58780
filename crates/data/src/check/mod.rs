//! What a person should know of a data set before training: files that cannot be read, duplicates, classes with few images,
//! pictures on which there is nothing to see.

mod copies;
mod duplicates;
mod findings;
mod look;
mod quick;
mod sheet;

use std::ops::Range;

use crate::sources::{Listing, Source};
use crate::{Dataset, Decoding, Doing, Error, Picture, Skipped, StoredPicture};
pub use copies::copies;
pub use findings::{Counted, Example, Findings, Leak, Pair, PartFindings};
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

/// Decodes every picture once, on all threads, and says what was found. About a kilobyte is kept of each picture, whatever its size;
/// pixels of formats that are arrays of pixels lie in a file of the cache's folder when they are more than 64 MiB.
///
/// # Errors
/// When the data themselves cannot be read; a picture that cannot be is a finding.
pub fn examine(source: &Source, decoding: impl Into<Decoding>) -> Result<Findings, Error> {
    let decoding = decoding.into();
    let (parts, class_names) = match source {
        Source::Pictures(listing) => look_at_pictures(listing, &decoding),
        _ => look_at_pixels(source, &decoding)?,
    };
    Ok(Findings::new(&parts, class_names, decoding.threads))
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

fn look_at_pixels(source: &Source, decoding: &Decoding) -> Result<(Vec<Part>, Vec<String>), Error> {
    let mut parts = Vec::new();
    let mut class_names = Vec::new();
    let training = match source.train(None, decoding) {
        // A test part alone can be looked at as well.
        Err(Error::Missing { .. }) => None,
        training => Some(training?),
    };
    if let Some(training) = training {
        let (data, all) = (&training.dataset, 0..training.dataset.len() as u32);
        let own = training.validation.unwrap_or(all.end..all.end);
        parts.push(part_of("training", decoding, data, 0..own.start));
        if !own.is_empty() {
            parts.push(part_of("validation", decoding, data, own));
        }
        class_names = data.class_names().to_vec();
    }
    if let Some(test) = source.test(None, decoding)? {
        let test = test.open()?.dataset;
        parts.push(part_of("test", decoding, &test, 0..test.len() as u32));
        if class_names.is_empty() {
            class_names = test.class_names().to_vec();
        }
    }
    Ok((parts, class_names))
}

fn part_of(name: &'static str, decoding: &Decoding, data: &Dataset, examples: Range<u32>) -> Part {
    let first = examples.start;
    let mode = if data.shape().channels == 1 { "grey" } else { "colour" };
    let examples: Vec<u32> = examples.collect();
    let looks = decoding.map(Doing::Decoding, &examples, |&example| {
        let pixels = data.image(example as usize).to_vec();
        // A data set's images are whole pictures: see `Dataset::new`.
        let picture = Picture::new(data.shape(), pixels).ok()?;
        let stored = StoredPicture { picture, format: "pixels", mode, turned: false };
        Some(Look::at(&stored, data.label(example as usize)))
    });
    let names = examples.iter().map(|example| format!("{name} image {}", example - first));
    let (looks, names) =
        looks.into_iter().zip(names).filter_map(|(look, name)| Some((look?, name))).unzip();
    Part { name, looks, names, unreadable: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ImageShape;

    #[test]
    fn what_is_seen_does_not_depend_on_the_number_of_threads() {
        let (shape, names) = (ImageShape::grey(9, 8), vec!["a".to_owned(), "b".to_owned()]);
        let pixels: Vec<u8> = (0..100 * 72u32).map(|at| (at * at / 7 % 251) as u8).collect();
        let labels = (0..100).map(|at| at % 2).collect();
        let data = Dataset::new("x", shape, pixels, labels, names).unwrap();
        let seen = |threads: usize| part_of("test", &threads.into(), &data, 20..90);
        let (one, three) = (seen(1), seen(3));
        assert_eq!((one.looks.len(), &one.names[0][..]), (70, "test image 0"));
        assert_eq!(one.names, three.names);
        let told = |part: &Part| -> Vec<_> {
            part.looks.iter().map(|look| (look.exact, look.label)).collect()
        };
        assert_eq!(told(&one), told(&three));
        assert_eq!(one.looks[3].label, 1);
    }
}
