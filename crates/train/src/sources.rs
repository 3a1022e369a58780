//! Opens data by what a person calls it: a name such as `mnist` or `cifar10`, or where it is.

use crate::error::TrainError;
use percept_data::named;
use percept_data::sources::{self, Format, Reading, Source, Training};
use percept_data::{
    Dataset, Decoding, HoldOut, ImageShape, Normalisation, Preprocessing, Sizing, Skipped, Splits,
    TestPart,
};
use std::ops::Range;
use std::sync::Arc;

/// SHA-256 fingerprint that [`Dataset::fingerprint`] gives for MNIST's training images, wherever they were read from. For
/// those inside the program it need not be computed: unpacking them checks a checksum.
const MNIST_FINGERPRINT: &str = "e291ff1b756fc702d13d0dfc71d2ff15766896eb6068c78b0bbc477901d7c03e";

/// Images of MNIST's test part.
const MNIST_TEST_IMAGES: usize = 10_000;

/// A data set, found. Its images are read when they are asked for.
#[derive(Debug)]
pub struct Found {
    place: Place,
    sizing: Option<Sizing>,
    decoding: Decoding,
    /// How it is read, with nothing left open.
    pub reading: Reading,
    /// What was found out and decided, a line each.
    pub notes: Vec<String>,
}

#[derive(Debug)]
enum Place {
    /// The digits inside the program.
    Mnist,
    Source(Box<Source>),
}

/// A data set, opened: training examples in memory, the test part unread.
#[derive(Debug)]
pub struct Opened {
    /// The examples to learn from, those for validation among them.
    pub train: Arc<Dataset>,
    /// The examples that the data set itself has for validation, where it has such a part.
    pub validation: Option<Range<u32>>,
    /// The test part, where there is one.
    pub test: Option<TestPart>,
    /// How it was read, with nothing left open.
    pub reading: Reading,
    /// What was found out and decided, a line each.
    pub notes: Vec<String>,
}

/// Finds `mnist` (the digits inside the program), a folder or file of a format that [`sources::recognise`] knows, or a named
/// set that was fetched. Pictures are read as `decoding` says; a number of threads will do.
///
/// # Errors
/// [`TrainError::Data`] naming what was expected and what was found.
pub fn find(
    data: &str,
    reading: &Reading,
    decoding: impl Into<Decoding>,
) -> Result<Found, TrainError> {
    find_sized(data, reading, None, decoding.into())
}

/// As [`find`]; pictures are brought to `sizing`, whatever `reading` says.
///
/// # Errors
/// As [`find`].
pub fn find_for(
    data: &str,
    reading: &Reading,
    sizing: Sizing,
    decoding: impl Into<Decoding>,
) -> Result<Found, TrainError> {
    find_sized(data, reading, Some(sizing), decoding.into())
}

fn find_sized(
    data: &str,
    reading: &Reading,
    sizing: Option<Sizing>,
    decoding: Decoding,
) -> Result<Found, TrainError> {
    if data == "mnist" {
        if *reading != Reading::default() {
            let reason = "the digits inside the program have their format and size: leave out format, columns, size, \
                          fit and colour";
            return Err(TrainError::Config { reason: reason.to_owned() });
        }
        let (place, reading, notes) = (Place::Mnist, Reading::default(), Vec::new());
        return Ok(Found { place, sizing: None, decoding, reading, notes });
    }
    let source = sources::recognise_with(&named::locate(data)?, reading, &decoding)?;
    check_columns(&reading.columns, source.format())?;
    let mut notes = source.notes().to_vec();
    let sizing = match (sizing, &source) {
        (Some(sizing), Source::Pictures(_)) => Some(sizing),
        (Some(_), _) => None,
        (None, _) => source.decide(reading, &decoding)?.map(|decided| {
            notes.extend(decided.notes);
            decided.sizing
        }),
    };
    let reading = reading.decided(source.format(), sizing);
    Ok(Found { place: Place::Source(Box::new(source)), sizing, decoding, reading, notes })
}

/// Checks that columns are named only where there are any.
fn check_columns(columns: &[String], format: Format) -> Result<(), TrainError> {
    if columns.is_empty() || matches!(format, Format::Table | Format::Parquet) {
        return Ok(());
    }
    let reason = format!(
        "only tables and Parquet files have columns, and these data have the format `{}`: leave out `{}` (--columns)",
        format.name(),
        columns.join(",")
    );
    Err(TrainError::Config { reason })
}

/// `reading` with the size and the channels of `input` where it leaves them open, for data whose pictures have no size of
/// their own.
///
/// # Errors
/// As [`find`].
pub fn for_input(
    data: &str,
    reading: &Reading,
    input: ImageShape,
    decoding: &Decoding,
) -> Result<Reading, TrainError> {
    let mut reading = reading.clone();
    if data == "mnist" {
        return Ok(reading);
    }
    let source = sources::recognise_with(&named::locate(data)?, &reading, decoding)?;
    if let Source::Pictures(_) = source {
        reading.size.get_or_insert([input.height, input.width]);
        reading.colour.get_or_insert(input.channels == 3);
    }
    Ok(reading)
}

impl Found {
    /// Reads the training part, and a validation part with it.
    ///
    /// # Errors
    /// [`TrainError::Data`] where the images cannot be read.
    pub fn training(&self) -> Result<Training, TrainError> {
        match &self.place {
            Place::Source(source) => Ok(source.train(self.sizing, &self.decoding)?),
            Place::Mnist => {
                let dataset = mnist("MNIST, training part", percept_mnist::train()?)?
                    .with_fingerprint(MNIST_FINGERPRINT);
                Ok(Training { dataset, validation: None })
            }
        }
    }

    /// The test part, not read yet.
    ///
    /// # Errors
    /// [`TrainError::Data`] where it is decided then how pictures are read, and none can be.
    pub fn test(&self) -> Result<Option<TestPart>, TrainError> {
        match &self.place {
            Place::Source(source) => Ok(source.test(self.sizing, &self.decoding)?),
            Place::Mnist => Ok(Some(TestPart::separate_of(MNIST_TEST_IMAGES, mnist_test))),
        }
    }

    /// Reads what there is to learn from.
    ///
    /// # Errors
    /// As [`training`](Self::training) and [`test`](Self::test).
    pub fn open(self) -> Result<Opened, TrainError> {
        let Training { dataset, validation } = self.training()?;
        let mut notes = self.notes.clone();
        let origin = dataset.origin();
        if origin.turned > 0 {
            notes.push(match origin.turned {
                1 => "1 picture turned upright, as its EXIF data say".to_owned(),
                count => format!("{count} pictures turned upright, as their EXIF data say"),
            });
        }
        notes.extend(left_out(&origin.skipped));
        notes.extend(origin.notes.iter().cloned());
        let (train, test) = (Arc::new(dataset), self.test()?);
        Ok(Opened { train, validation, test, reading: self.reading, notes })
    }
}

/// A line on the files that could not be read, where there are any.
#[must_use]
pub fn left_out(skipped: &[Skipped]) -> Option<String> {
    let Skipped { file, reason } = skipped.first()?;
    Some(match skipped.len() {
        1 => format!("1 file left out, which could not be read: {file}: {reason}"),
        count => format!(
            "{count} files left out, which could not be read; the first is {file}: {reason}"
        ),
    })
}

/// Finds and opens data to learn from: see [`find`].
///
/// # Errors
/// As [`find`] and [`Found::open`]; [`TrainError::Data`] where there are not two classes, or no images to measure by.
pub fn open(
    data: &str,
    reading: &Reading,
    decoding: impl Into<Decoding>,
) -> Result<Opened, TrainError> {
    open_found(find(data, reading, decoding)?)
}

/// As [`open`]; pictures are brought to `sizing`, whatever `reading` says.
///
/// # Errors
/// As [`open`].
pub fn open_for(
    data: &str,
    reading: &Reading,
    sizing: Sizing,
    decoding: impl Into<Decoding>,
) -> Result<Opened, TrainError> {
    open_found(find_for(data, reading, sizing, decoding)?)
}

fn open_found(found: Found) -> Result<Opened, TrainError> {
    if let Place::Source(source) = &found.place {
        source.check_learnable()?;
    }
    let opened = found.open()?;
    check_classes(&opened)?;
    Ok(opened)
}

/// Checks that there are images of two classes, and that not every class has one image alone where some must be set aside to measure
/// by: of formats whose labels are read with the images, and of pictures of which some could not be read.
fn check_classes(opened: &Opened) -> Result<(), TrainError> {
    let train = &opened.train;
    let counts = train.class_counts();
    let present: Vec<usize> = (0..counts.len()).filter(|&class| counts[class] > 0).collect();
    let refuse = |expected: &str, found: String| {
        let name = train.description().to_owned();
        Err(percept_data::Error::Inconsistent { name, expected: expected.into(), found }.into())
    };
    match present.as_slice() {
        &[class] => refuse(
            "images of at least two classes",
            format!("only `{}` ({} images)", train.class_names()[class], counts[class]),
        ),
        all if opened.test.is_none()
            && opened.validation.is_none()
            && all.iter().all(|&class| counts[class] == 1) =>
        {
            refuse(
                "at least two images of some class: one to learn from and one to measure by",
                format!("one image of each of {} classes", all.len()),
            )
        }
        _ => Ok(()),
    }
}

fn mnist_test() -> Result<Dataset, percept_data::Error> {
    let digits = percept_mnist::test().map_err(|error| percept_data::Error::Inconsistent {
        name: "MNIST, test part".into(),
        expected: "the digits inside the program".into(),
        found: error.to_string(),
    })?;
    mnist("MNIST, test part", digits)
}

fn mnist(name: &str, digits: percept_mnist::Digits) -> Result<Dataset, percept_data::Error> {
    let labels = digits.labels.iter().map(|label| u32::from(*label)).collect();
    let class_names = (0..10).map(|digit: u32| digit.to_string()).collect();
    Dataset::new(name, ImageShape::grey(28, 28), digits.images, labels, class_names)
}

/// What is done to pictures for a network that learns from this data set: as MNIST was made where it is MNIST, else as
/// the set's own pictures were brought to size. The normalisation is measured on the training examples.
#[must_use]
pub fn preprocessing(splits: &Splits) -> Preprocessing {
    let dataset = splits.dataset();
    if dataset.fingerprint() == MNIST_FINGERPRINT {
        return Preprocessing::mnist();
    }
    let images = splits.train().iter().map(|example| dataset.image(*example as usize));
    let Sizing { input, fit } = dataset.sizing();
    let normalisation = Normalisation::measure(images, input.channels);
    Preprocessing { input, fit, normalisation }
}

/// The splits of a run. A validation part and a test part of the data set's own are taken as they are; else `validation`
/// examples and `test` examples are set aside, chosen by `seed`.
///
/// # Errors
/// [`TrainError::Config`] where there are not more than so many examples.
pub fn splits(
    opened: Opened,
    validation: usize,
    test: usize,
    seed: u64,
) -> Result<Splits, TrainError> {
    check_left(&opened, validation, test)?;
    let Opened { train, validation: own, test: own_test, .. } = opened;
    let (validation, test) = (HoldOut::Count(validation), HoldOut::Count(test));
    Ok(match (own, own_test) {
        (Some(own), own_test) => Splits::with_own_validation(train, own, own_test, test, seed)?,
        (None, None) if test != HoldOut::Count(0) => {
            Splits::with_test_within(train, validation, test, seed)?
        }
        (None, own_test) => Splits::new(train, validation, own_test, seed)?,
    })
}

/// Checks that something is left to learn from when so many examples are set aside.
fn check_left(opened: &Opened, validation: usize, test: usize) -> Result<(), TrainError> {
    let (mut asked, mut total) = (Vec::new(), 0_usize);
    for (count, own, words) in [
        (test, opened.test.is_some(), "for the test (--test)"),
        (validation, opened.validation.is_some(), "for validation (--validation)"),
    ] {
        if !own && count > 0 {
            asked.push(format!("{count} {words}"));
            total = total.saturating_add(count);
        }
    }
    let images = opened.train.len() - opened.validation.as_ref().map_or(0, ExactSizeIterator::len);
    if total < images || total == 0 {
        return Ok(());
    }
    let reason = format!(
        "images to set aside: {}; but there are {images} in all, and some must be left to learn from",
        asked.join(" and ")
    );
    Err(TrainError::Config { reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn something_must_be_left_to_learn_from() {
        let opened = |validation| {
            let labels = (0..240).map(|index| index % 2).collect();
            let names = ["a", "b"].map(str::to_owned).to_vec();
            let shape = ImageShape::grey(1, 1);
            let train = Dataset::new("made up", shape, vec![7; 240], labels, names).unwrap();
            Opened {
                train: Arc::new(train),
                validation,
                test: None,
                reading: Reading::default(),
                notes: Vec::new(),
            }
        };
        assert_eq!(splits(opened(None), 24, 215, 1).unwrap().train().len(), 1);
        let said = splits(opened(None), 24, 239, 1).unwrap_err().to_string();
        let words = "239 for the test (--test) and 24 for validation (--validation); but there are 240 in all";
        assert!(said.contains(words), "{said}");
        let said = splits(opened(Some(0..40)), 24, 200, 1).unwrap_err().to_string();
        assert!(said.contains("200 for the test (--test); but there are 200"), "{said}");
        assert!(splits(opened(None), usize::MAX, usize::MAX, 1).is_err());
    }

    #[test]
    fn mnist_is_known_by_its_fingerprint() {
        let computed = mnist("made anew", percept_mnist::train().unwrap()).unwrap();
        assert_eq!(computed.fingerprint(), MNIST_FINGERPRINT);
        let opened = open("mnist", &Reading::default(), 1).unwrap();
        assert_eq!(opened.train.fingerprint(), MNIST_FINGERPRINT);
        assert_eq!(opened.test.as_ref().unwrap().expected(), Some(mnist_test().unwrap().len()));
        assert_eq!((opened.train.len(), opened.train.shape()), (60_000, ImageShape::grey(28, 28)));
        let splits = splits(opened, 5000, 0, 1).unwrap();
        assert_eq!(preprocessing(&splits), Preprocessing::mnist());
    }
}
