//! The quick form: what can be said of images in memory, without looking at their files.

use std::collections::HashMap;

use super::copies::hash;
use super::findings::{FEW, imbalance};
use crate::Dataset;

/// What a person should know before training on these images, a line each; nothing where all is well. The images are those
/// that the network would see.
#[must_use]
pub fn quick(dataset: &Dataset) -> Vec<String> {
    let mut lines = Vec::new();
    let counts = dataset.class_counts();
    let names = dataset.class_names();
    let few: Vec<String> = names
        .iter()
        .zip(&counts)
        .filter(|(_, count)| **count < FEW)
        .map(|(name, count)| format!("{name} ({count})"))
        .collect();
    if !few.is_empty() {
        let classes = if few.len() == 1 { "class has" } else { "classes have" };
        let shown = few[..few.len().min(5)].join(", ");
        let more = if few.len() > 5 { ", ..." } else { "" };
        lines.push(format!("{} {classes} fewer than {FEW} images: {shown}{more}", few.len()));
    }
    if let Some(ratio) = imbalance(&counts) {
        lines
            .push(format!("the largest class has {ratio:.1} times as many images as the smallest"));
    }
    let (repeated, contradictions) = repeated(dataset);
    if repeated > 0 {
        let images = images_are(repeated);
        lines.push(format!("{repeated} {images} the same as another"));
    }
    if contradictions > 0 {
        let have = if contradictions == 1 { "has" } else { "have" };
        lines.push(format!(
            "{contradictions} of them {have} another class there: one of the two is wrong"
        ));
    }
    let channels = dataset.shape().channels;
    let blank = (0..dataset.len()).filter(|&at| is_blank(dataset.image(at), channels)).count();
    if blank > 0 {
        let images = images_are(blank);
        lines.push(format!("{blank} {images} of one colour: there is nothing to see there"));
    }
    if !lines.is_empty() {
        lines.push("`percept data check` says which, and more".into());
    }
    lines
}

fn images_are(count: usize) -> &'static str {
    if count == 1 { "image is" } else { "images are" }
}

/// How many images are the same as an earlier one, and how many of them have another class.
fn repeated(dataset: &Dataset) -> (usize, usize) {
    let mut seen: HashMap<u64, Vec<usize>> = HashMap::with_capacity(dataset.len());
    let (mut repeated, mut contradictions) = (0, 0);
    for at in 0..dataset.len() {
        let alike = seen.entry(hash(dataset.image(at))).or_default();
        match alike.iter().find(|&&other| dataset.image(other) == dataset.image(at)) {
            Some(&other) => {
                repeated += 1;
                contradictions += usize::from(dataset.label(other) != dataset.label(at));
            }
            None => alike.push(at),
        }
    }
    (repeated, contradictions)
}

fn is_blank(image: &[u8], channels: usize) -> bool {
    image.len() > channels && image[channels..].iter().zip(image).all(|(a, b)| a == b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ImageShape;

    #[test]
    fn what_stands_out_is_told() {
        let shape = ImageShape::grey(1, 2);
        let names = || vec!["a".to_owned(), "b".to_owned()];
        let mut labels = vec![0; 100];
        labels.extend([1; 25]);
        let mut images: Vec<u8> = (0..125u8).flat_map(|i| [i, 255 - i]).collect();
        let data = |images: &[u8]| {
            Dataset::new("x", shape, images.to_vec(), labels.clone(), names()).unwrap()
        };
        assert_eq!(
            quick(&data(&images)),
            [
                "the largest class has 4.0 times as many images as the smallest",
                "`percept data check` says which, and more",
            ]
        );
        images[2..4].copy_from_slice(&[0, 255]);
        images[248..250].copy_from_slice(&[0, 255]);
        images[4..6].copy_from_slice(&[9, 9]);
        assert_eq!(
            quick(&data(&images))[1..4],
            [
                "2 images are the same as another",
                "1 of them has another class there: one of the two is wrong",
                "1 image is of one colour: there is nothing to see there",
            ]
        );
        let even =
            Dataset::new("x", shape, images[..80].to_vec(), [[0; 20], [1; 20]].concat(), names());
        assert_eq!(quick(&even.unwrap()).len(), 3);
        let few = Dataset::new("x", shape, vec![1, 2, 3, 4], vec![0, 1], names()).unwrap();
        assert_eq!(quick(&few)[0], "2 classes have fewer than 20 images: a (1), b (1)");
    }
}
