//! A sheet of pictures for each class, to look at.

use image::RgbImage;

use crate::contact_sheet;
use crate::sources::{Entry, Source};
use crate::{Decoding, Doing, Error, Fit, ImageShape, Picture, Sizing};

/// Side of a picture on a sheet.
const SIDE: usize = 64;

/// Pictures of one class.
#[derive(Clone, Debug)]
pub struct ClassSheet {
    /// The class's name.
    pub class: String,
    /// The sheet.
    pub picture: RgbImage,
}

/// Draws a sheet for each class with up to `count` pictures of the training part (of another where there is none), which
/// lie evenly over the class. A picture that cannot be read is left out.
///
/// # Errors
/// When the data cannot be read.
pub fn class_sheets(
    source: &Source,
    count: usize,
    decoding: impl Into<Decoding>,
) -> Result<Vec<ClassSheet>, Error> {
    let decoding = decoding.into();
    let sizing = Sizing { input: ImageShape::colour(SIDE, SIDE), fit: Fit::Letterbox };
    let count = count.max(1);
    let sheet = |class: &String, images: Vec<Vec<u8>>| ClassSheet {
        class: class.clone(),
        picture: contact_sheet::grid(class, &images, sizing.input),
    };
    if let Source::Pictures(listing) = source {
        let names = listing.class_names().iter();
        let mut classes: Vec<Vec<&Entry>> = vec![Vec::new(); names.len()];
        for entry in listing.deciding() {
            classes[entry.label as usize].push(entry);
        }
        let read = |entry: &Entry| sizing.prepare(&entry.place.picture().ok()?.picture).ok();
        let images = |entries: &[&Entry]| -> Vec<Vec<u8>> {
            let chosen: Vec<Entry> = evenly(entries, count).copied().cloned().collect();
            decoding.map(Doing::Looking, &chosen, read).into_iter().flatten().collect()
        };
        return Ok(names
            .zip(&classes)
            .map(|(name, entries)| sheet(name, images(entries)))
            .collect());
    }
    let dataset = match source.train(None, &decoding) {
        Err(Error::Missing { path, expected }) => match source.test(None, &decoding)? {
            Some(test) => test.open()?.dataset,
            None => return Err(Error::Missing { path, expected }),
        },
        training => training?.dataset.into(),
    };
    let mut classes: Vec<Vec<usize>> = vec![Vec::new(); dataset.class_names().len()];
    for (at, &label) in dataset.labels().iter().enumerate() {
        classes[label as usize].push(at);
    }
    let sheets = dataset.class_names().iter().zip(&classes).map(|(name, examples)| {
        let image = |&at: &usize| {
            let picture = Picture::new(dataset.shape(), dataset.image(at).to_vec()).ok()?;
            sizing.prepare(&picture).ok()
        };
        sheet(name, evenly(examples, count).filter_map(image).collect())
    });
    Ok(sheets.collect())
}

/// Up to `count` of these.
fn evenly<T>(all: &[T], count: usize) -> impl Iterator<Item = &T> {
    all.iter().step_by(all.len().div_ceil(count).max(1))
}
