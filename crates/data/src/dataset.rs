//! Images with their labels, immutable.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::origin::Origin;
use crate::{Error, Pixels, Sizing};

/// Size of one image: rows, columns, values a pixel. Pixels are stored [height, width, channels], channels fastest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ImageShape {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Values a pixel: 1 for grey, 3 for RGB.
    pub channels: usize,
}

impl ImageShape {
    /// A grey image.
    #[must_use]
    pub const fn grey(height: usize, width: usize) -> Self {
        Self { height, width, channels: 1 }
    }

    /// An RGB image.
    #[must_use]
    pub const fn colour(height: usize, width: usize) -> Self {
        Self { height, width, channels: 3 }
    }

    /// How many values one image has: height * width * channels.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// Whether an image of this shape has no values.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl std::fmt::Display for ImageShape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}x{}", self.height, self.width, self.channels)
    }
}

/// Images with their labels, class names and origin; immutable.
///
/// # Shapes
/// images u8 [N, height, width, channels], labels u32 `[N]` in 0..class count.
#[derive(Clone, Debug)]
pub struct Dataset {
    shape: ImageShape,
    images: Pixels,
    labels: Vec<u32>,
    class_names: Vec<String>,
    description: String,
    origin: Origin,
    fingerprint: OnceLock<String>,
}

impl Dataset {
    /// Joins images and labels, after checking that they fit each other.
    ///
    /// `description` says for people where the data came from ("MNIST, training part", or a path).
    ///
    /// ```
    /// use percept_data::{Dataset, ImageShape};
    /// let names = vec!["cat".into(), "dog".into()];
    /// let data = Dataset::new("two pixels", ImageShape::grey(1, 1), vec![7, 9], vec![0, 1], names)?;
    /// assert_eq!((data.len(), data.image(1), data.label(1)), (2, &[9][..], 1));
    /// # Ok::<(), percept_data::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Inconsistent`] without images or classes, with an empty image shape, when the number of pixels does not
    /// match the number of labels, or when a label has no class name.
    pub fn new(
        description: impl Into<String>,
        shape: ImageShape,
        images: impl Into<Pixels>,
        labels: Vec<u32>,
        class_names: Vec<String>,
    ) -> Result<Self, Error> {
        let (images, description) = (images.into(), description.into());
        check(shape, &images, &labels, &class_names).map_err(|(expected, found)| {
            Error::Inconsistent { name: description.clone(), expected, found }
        })?;
        let (origin, fingerprint) = (Origin::default(), OnceLock::new());
        Ok(Self { shape, images, labels, class_names, description, origin, fingerprint })
    }

    /// The same examples with what is known of the files that they were read from.
    ///
    /// # Errors
    /// [`Error::Inconsistent`] when `origin` names files, but not one for each example.
    pub fn with_origin(self, origin: Origin) -> Result<Self, Error> {
        if !origin.files.is_empty() && origin.files.len() != self.len() {
            let found = format!("{} files for {} examples", origin.files.len(), self.len());
            let name = self.description;
            return Err(Error::Inconsistent { name, expected: "a file an example".into(), found });
        }
        Ok(Self { origin, ..self })
    }

    /// The same examples with the classes of `names`, in their order: each label is matched by the name of its class.
    ///
    /// # Errors
    /// [`Error::Classes`] when this set has a class that is not among `names`.
    pub fn with_class_names(mut self, names: &[String]) -> Result<Self, Error> {
        if self.class_names == names {
            return Ok(self);
        }
        let places: HashMap<&str, u32> =
            names.iter().enumerate().map(|(at, name)| (name.as_str(), at as u32)).collect();
        let find = |name: &String| places.get(name.as_str()).copied();
        let Some(to) = self.class_names.iter().map(find).collect::<Option<Vec<u32>>>() else {
            return Err(Error::classes(&self.description, names, &self.class_names));
        };
        for label in &mut self.labels {
            *label = to[*label as usize];
        }
        self.class_names = names.to_vec();
        self.fingerprint = OnceLock::new();
        Ok(self)
    }

    /// Takes `fingerprint` as what [`fingerprint`](Self::fingerprint) returns, which then costs nothing: for data that
    /// were held against a checksum already when they were read.
    #[must_use]
    pub fn with_fingerprint(self, fingerprint: &str) -> Self {
        Self { fingerprint: OnceLock::from(fingerprint.to_owned()), ..self }
    }

    /// How many examples there are; never zero.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Always false: a data set has at least one example.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The shape of every image.
    #[must_use]
    pub fn shape(&self) -> ImageShape {
        self.shape
    }

    /// The pixels of one example, [height, width, channels].
    ///
    /// # Panics
    /// When `example` is not in 0..len.
    #[must_use]
    pub fn image(&self, example: usize) -> &[u8] {
        let size = self.shape.len();
        &self.images[example * size..(example + 1) * size]
    }

    /// The label of one example, in 0..class count.
    ///
    /// # Panics
    /// When `example` is not in 0..len.
    #[must_use]
    pub fn label(&self, example: usize) -> u32 {
        self.labels[example]
    }

    /// All images, [N, height, width, channels].
    #[must_use]
    pub fn images(&self) -> &[u8] {
        &self.images
    }

    /// All labels, `[N]`.
    #[must_use]
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// The name of each class, in the order of the labels.
    #[must_use]
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// How many examples each class has.
    #[must_use]
    pub fn class_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.class_names.len()];
        for &label in &self.labels {
            counts[label as usize] += 1;
        }
        counts
    }

    /// Where the data came from, for people.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The files that the examples were read from, as far as that is known.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// How pictures are brought to the shape of these images.
    #[must_use]
    pub fn sizing(&self) -> Sizing {
        Sizing { input: self.shape, fit: self.origin.fit }
    }

    /// What people call an example: its file, or its place.
    ///
    /// # Panics
    /// When `example` is not in 0..len.
    #[must_use]
    pub fn name(&self, example: usize) -> Cow<'_, str> {
        match self.origin.files.get(example) {
            Some(file) => Cow::Borrowed(file),
            None => Cow::Owned(format!("image {example} of {}", self.description)),
        }
    }

    /// SHA-256, in hexadecimal, of shape, class names, labels and pixels: the same data has the same fingerprint wherever
    /// it was read from. Computed on first use and kept.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        self.fingerprint.get_or_init(|| self.hash())
    }

    fn hash(&self) -> String {
        hexadecimal(&self.labelling().chain_update(&*self.images).finalize())
    }

    /// A hash of everything but the pixels. Each length goes before its content, so that different data sets never feed the
    /// same bytes to the hash.
    pub(crate) fn labelling(&self) -> Sha256 {
        let mut hash = Sha256::new();
        let ImageShape { height, width, channels } = self.shape;
        for size in [self.len(), height, width, channels, self.class_names.len()] {
            hash.update((size as u64).to_le_bytes());
        }
        for name in &self.class_names {
            hash.update((name.len() as u64).to_le_bytes());
            hash.update(name.as_bytes());
        }
        for label in &self.labels {
            hash.update(label.to_le_bytes());
        }
        hash
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Says what was expected and found when the parts do not fit.
fn check(
    shape: ImageShape,
    images: &[u8],
    labels: &[u32],
    class_names: &[String],
) -> Result<(), (String, String)> {
    if labels.is_empty() {
        return Err(("at least one example".into(), "none".into()));
    }
    if class_names.is_empty() {
        return Err(("at least one class".into(), "none".into()));
    }
    let size = [shape.height, shape.width, shape.channels, labels.len()]
        .into_iter()
        .try_fold(1usize, usize::checked_mul);
    if size != Some(images.len()) || images.is_empty() {
        let expected = format!("the pixels of {} images of {shape}", labels.len());
        return Err((expected, format!("{} bytes", images.len())));
    }
    match labels.iter().position(|&label| label as usize >= class_names.len()) {
        None => Ok(()),
        Some(at) => Err((
            format!("labels from 0 to {}", class_names.len() - 1),
            format!("label {} at example {at}", labels[at]),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dataset(images: Vec<u8>, labels: Vec<u32>, classes: &[&str]) -> Result<Dataset, Error> {
        let names = classes.iter().map(ToString::to_string).collect();
        Dataset::new("here", ImageShape::grey(2, 2), images, labels, names)
    }

    #[test]
    fn contradictions_are_named() {
        for (images, labels, classes, message) in [
            (vec![], vec![], &["a"][..], "expected at least one example, found none"),
            (vec![0; 4], vec![0], &[], "expected at least one class, found none"),
            (
                vec![0; 5],
                vec![0],
                &["a"],
                "expected the pixels of 1 images of 2x2x1, found 5 bytes",
            ),
            (
                vec![0; 4],
                vec![1],
                &["a"],
                "expected labels from 0 to 0, found label 1 at example 0",
            ),
        ] {
            let error = dataset(images, labels, classes).unwrap_err().to_string();
            assert_eq!(error, format!("the data set `here`: {message}"));
        }
    }

    #[test]
    fn a_shape_too_large_to_count_is_refused() {
        let shape = ImageShape::grey(usize::MAX, 2);
        assert!(Dataset::new("", shape, vec![0], vec![0], vec!["a".into()]).is_err());
    }

    #[test]
    fn the_fingerprint_depends_on_content_not_on_description() {
        let a = dataset(vec![1, 2, 3, 4], vec![0], &["a"]).unwrap();
        let b = Dataset::new("x", a.shape(), vec![1, 2, 3, 4], vec![0], vec!["a".into()]).unwrap();
        let c = dataset(vec![1, 2, 3, 5], vec![0], &["a"]).unwrap();
        let d = dataset(vec![1, 2, 3, 4], vec![0], &["b"]).unwrap();
        assert_eq!(a.fingerprint(), b.fingerprint());
        assert_eq!(a.fingerprint().len(), 64);
        assert!(a.fingerprint() != c.fingerprint() && a.fingerprint() != d.fingerprint());
    }

    #[test]
    fn classes_are_matched_by_name() {
        let names =
            |names: &[&str]| -> Vec<String> { names.iter().map(ToString::to_string).collect() };
        let data = dataset(vec![0; 12], vec![1, 0, 1], &["cat", "dog"]).unwrap();
        let matched = data.clone().with_class_names(&names(&["bird", "dog", "cat"])).unwrap();
        assert_eq!((matched.labels(), matched.class_counts()), (&[1, 2, 1][..], vec![0, 2, 1]));
        let error = data.with_class_names(&names(&["dog", "Cat"])).unwrap_err().to_string();
        let message = "the data set `here` has classes that are not expected (cat): \
                       expected [dog, Cat], found [cat, dog]";
        assert_eq!(error, message);
    }

    #[test]
    fn class_counts_include_classes_without_examples() {
        let data = dataset(vec![0; 12], vec![2, 0, 2], &["a", "b", "c"]).unwrap();
        assert_eq!(data.class_counts(), [1, 0, 2]);
    }
}
