//! SVHN, the Street View House Numbers (Netzer et al. 2011), in its form of cropped digits: `train_32x32.mat` and
//! `test_32x32.mat`, MATLAB files with `X`, the pixels [32, 32, 3, N], first index fastest, and `y`, the labels [N, 1], where 10
//! stands for the digit 0.

use std::path::{Path, PathBuf};

use super::{Contents, class_names, matlab};
use crate::{Dataset, Error, ImageShape, TestPart};

const SHAPE: ImageShape = ImageShape::colour(32, 32);
const TRAIN: &str = "train_32x32.mat";
const TEST: &str = "test_32x32.mat";
const CLASSES: usize = 10;

/// A folder with SVHN's files.
#[derive(Clone, Debug)]
pub struct SvhnFolder {
    folder: PathBuf,
    train: bool,
    test: bool,
}

impl SvhnFolder {
    /// Whether the names are SVHN's; `None` when neither is.
    pub(super) fn recognise(contents: &Contents) -> Option<Self> {
        let has = |name: &str| contents.files.iter().any(|file| file == name);
        let (train, test) = (has(TRAIN), has(TEST));
        (train || test).then(|| Self { folder: contents.path.clone(), train, test })
    }

    /// Reads the training part.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is a test part only; [`Error::Malformed`] when the file is damaged or holds other arrays;
    /// [`Error::Bomb`] when it would unpack to too much; [`Error::Io`].
    pub fn train(&self) -> Result<Dataset, Error> {
        match self.train {
            true => read(&self.folder.join(TRAIN), "training part"),
            false => Err(Error::Missing {
                path: self.folder.join(TRAIN),
                expected: "the training part; this folder has a test part only".into(),
            }),
        }
    }

    /// The test part, not read yet; `None` when the folder has a training part only.
    #[must_use]
    pub fn test(&self) -> Option<TestPart> {
        let path = self.folder.join(TEST);
        self.test.then(|| TestPart::separate(move || read(&path, "test part")))
    }
}

fn read(path: &Path, part: &str) -> Result<Dataset, Error> {
    let malformed = |expected: &str, found: String| {
        Error::malformed(path.display().to_string(), expected, found)
    };
    let mut arrays = matlab::read(path, &["X", "y"])?;
    let mut take = |name: &str| {
        let at = arrays.iter().position(|array| array.name == name);
        at.map(|at| arrays.swap_remove(at))
            .ok_or_else(|| malformed("the arrays `X` and `y` of SVHN", format!("no `{name}`")))
    };
    let (pixels, labels) = (take("X")?, take("y")?);
    let [32, 32, 3, count] = pixels.sizes[..] else {
        return Err(malformed("pixels [32, 32, 3, N] in `X`", format!("sizes {:?}", pixels.sizes)));
    };
    if labels.numbers.len() != count {
        let found = format!("{count} images and {} labels", labels.numbers.len());
        return Err(malformed("one label an image", found));
    }
    let label = |(at, &number): (usize, &u8)| match number {
        1..=10 => Ok(u32::from(number) % CLASSES as u32),
        _ => Err(malformed("labels from 1 to 10 in `y`", format!("{number} at image {at}"))),
    };
    let labels = labels.numbers.iter().enumerate().map(label).collect::<Result<_, _>>()?;
    let description = format!("{} ({part} of SVHN)", path.parent().unwrap_or(path).display());
    let images = upright(pixels.numbers);
    Dataset::new(description, SHAPE, images, labels, class_names::numbers(CLASSES))
}

/// Images [row fastest, column, channel] as [row, column, channel fastest], each in its place.
fn upright(mut images: Vec<u8>) -> Vec<u8> {
    let ImageShape { height, width, channels } = SHAPE;
    let mut turned = vec![0; SHAPE.len()];
    for image in images.chunks_exact_mut(SHAPE.len()) {
        for (at, &value) in image.iter().enumerate() {
            let (row, column, channel) = (at % height, at / height % width, at / (height * width));
            turned[(row * width + column) * channels + channel] = value;
        }
        image.copy_from_slice(&turned);
    }
    images
}
