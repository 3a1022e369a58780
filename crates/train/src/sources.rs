//! Opens data by what a person calls it: `mnist`, or a folder.

use crate::error::TrainError;
use percept_data::{
    Dataset, Fit, HoldOut, ImageShape, Normalisation, Preprocessing, Splits, TestPart, sources,
};
use std::path::Path;
use std::sync::Arc;

/// SHA-256 fingerprint that [`Dataset::fingerprint`] gives for MNIST's training images, wherever they were read from. For
/// those inside the program it need not be computed: unpacking them checks a checksum.
const MNIST_FINGERPRINT: &str = "e291ff1b756fc702d13d0dfc71d2ff15766896eb6068c78b0bbc477901d7c03e";

/// A data set, opened: training examples in memory, the test part unread.
#[derive(Debug)]
pub struct Opened {
    /// The examples to learn from, those for validation among them.
    pub train: Arc<Dataset>,
    /// The test part, where there is one.
    pub test: Option<TestPart>,
}

/// Opens `mnist` (the digits inside the program) or a folder of a format that [`sources::recognise`] knows.
///
/// # Errors
/// [`TrainError::Data`] naming what was expected in the folder and what was found.
pub fn open(data: &str) -> Result<Opened, TrainError> {
    if data == "mnist" {
        let train = mnist("MNIST, training part", percept_mnist::train()?)?;
        let train = Arc::new(train.with_fingerprint(MNIST_FINGERPRINT));
        let test = TestPart::separate(|| {
            let digits =
                percept_mnist::test().map_err(|error| percept_data::Error::Inconsistent {
                    name: "MNIST, test part".into(),
                    expected: "the digits inside the program".into(),
                    found: error.to_string(),
                })?;
            mnist("MNIST, test part", digits)
        });
        return Ok(Opened { train, test: Some(test) });
    }
    let source = sources::recognise(Path::new(data))?;
    Ok(Opened { train: Arc::new(source.train()?), test: source.test() })
}

fn mnist(name: &str, digits: percept_mnist::Digits) -> Result<Dataset, percept_data::Error> {
    let labels = digits.labels.iter().map(|label| u32::from(*label)).collect();
    let class_names = (0..10).map(|digit: u32| digit.to_string()).collect();
    Dataset::new(name, ImageShape::grey(28, 28), digits.images, labels, class_names)
}

/// What is done to pictures for a network that learns from this data set: as MNIST was made where it is MNIST, else
/// scaled to the size of its images. The normalisation is measured on the training examples.
#[must_use]
pub fn preprocessing(splits: &Splits) -> Preprocessing {
    let dataset = splits.dataset();
    if dataset.fingerprint() == MNIST_FINGERPRINT {
        return Preprocessing::mnist();
    }
    let images = splits.train().iter().map(|example| dataset.image(*example as usize));
    let input = dataset.shape();
    let normalisation = Normalisation::measure(images, input.channels);
    Preprocessing { input, fit: Fit::Stretch, normalisation }
}

/// The splits of a run: `validation` training examples are set aside, chosen by `seed`.
///
/// # Errors
/// [`TrainError::Data`] where there are not more than so many examples.
pub fn splits(opened: Opened, validation: usize, seed: u64) -> Result<Splits, TrainError> {
    Ok(Splits::new(opened.train, HoldOut::Count(validation), opened.test, seed)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mnist_is_known_by_its_fingerprint() {
        let computed = mnist("made anew", percept_mnist::train().unwrap()).unwrap();
        assert_eq!(computed.fingerprint(), MNIST_FINGERPRINT);
        let opened = open("mnist").unwrap();
        assert_eq!(opened.train.fingerprint(), MNIST_FINGERPRINT);
        assert_eq!((opened.train.len(), opened.train.shape()), (60_000, ImageShape::grey(28, 28)));
        let splits = splits(opened, 5000, 1).unwrap();
        assert_eq!(preprocessing(&splits), Preprocessing::mnist());
    }
}
