//! Images that are learned from and measured by.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher};

use crate::{Dataset, Part};

/// How many images of `part` are the same, byte by byte, as one of those `examples` of `dataset`.
#[must_use]
pub fn copies(dataset: &Dataset, examples: &[u32], part: &Part) -> usize {
    let mut known: HashMap<u64, Vec<u32>> = HashMap::with_capacity(examples.len());
    for &example in examples {
        known.entry(hash(dataset.image(example as usize))).or_default().push(example);
    }
    let is_known = |image: &[u8]| {
        let alike = known.get(&hash(image));
        alike.is_some_and(|alike| alike.iter().any(|&other| dataset.image(other as usize) == image))
    };
    let images = part.examples.iter().map(|&example| part.dataset.image(example as usize));
    images.filter(|image| is_known(image)).count()
}

/// A hash of an image; images with the same one have to be compared.
pub(super) fn hash(image: &[u8]) -> u64 {
    let mut hash = DefaultHasher::new();
    hash.write(image);
    hash.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ImageShape;
    use std::sync::Arc;

    fn dataset(pixels: &[u8]) -> Arc<Dataset> {
        let names = ["a", "b"].map(String::from).to_vec();
        let labels = vec![0; pixels.len() / 2];
        let shape = ImageShape::grey(1, 2);
        Arc::new(Dataset::new("pairs", shape, pixels.to_vec(), labels, names).unwrap())
    }

    #[test]
    fn copies_are_counted_once_for_each_image_that_is_measured() {
        let train = dataset(&[1, 2, 3, 4, 1, 2, 5, 6]);
        let test = Part::whole(dataset(&[1, 2, 2, 1, 1, 2, 3, 4]));
        assert_eq!(copies(&train, &[0, 1, 2, 3], &test), 3);
        assert_eq!(copies(&train, &[1, 3], &test), 1);
        let within = Part { dataset: train.clone(), examples: vec![0, 1] };
        assert_eq!(copies(&train, &[2, 3], &within), 1);
    }
}
