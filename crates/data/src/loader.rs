//! Hands examples to the network, chunk by chunk.

use std::ops::Range;
use std::sync::Arc;

use percept_kernels::random::{Draws, Purpose};

use crate::mixing::Mix;
use crate::transform::{Scratch, Showing};
use crate::{Augmentation, Dataset, Error, ImageShape, Normalisation, Part};

/// Reads examples in a random order, augmented and normalised.
///
/// Each example's pixels depend on (seed, epoch, example) and on nothing else: any number of threads may fill any chunks in
/// any order.
#[derive(Clone, Debug)]
pub struct Loader {
    part: Part,
    augmentation: Augmentation,
    normalisation: Normalisation,
    seed: u64,
}

/// Memory that one thread works in; reuse it to save allocations.
#[derive(Clone, Debug, Default)]
pub struct LoaderScratch {
    augmentation: Scratch,
    /// The image that another one is mixed with.
    partner: Vec<f32>,
}

impl Loader {
    /// A loader of the examples in `part`.
    ///
    /// # Errors
    /// [`Error::Setting`] when the augmentation is out of range or the normalisation does not fit the images, and
    /// [`Error::Inconsistent`] when an example is not in the data set.
    pub fn new(
        part: Part,
        augmentation: Augmentation,
        normalisation: Normalisation,
        seed: u64,
    ) -> Result<Self, Error> {
        augmentation.check()?;
        check_erased(&augmentation, part.dataset.shape())?;
        normalisation.check(part.dataset.shape().channels)?;
        match part.examples.iter().find(|&&e| e as usize >= part.dataset.len()) {
            None => Ok(Self { part, augmentation, normalisation, seed }),
            Some(example) => Err(Error::Inconsistent {
                name: part.dataset.description().into(),
                expected: format!("examples from 0 to {}", part.dataset.len() - 1),
                found: format!("example {example}"),
            }),
        }
    }

    /// How many examples an epoch has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.part.examples.len()
    }

    /// Whether there are no examples.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.part.examples.is_empty()
    }

    /// The data set that the examples are from.
    #[must_use]
    pub fn dataset(&self) -> &Arc<Dataset> {
        &self.part.dataset
    }

    /// How grey levels become what [`Self::fill`] writes.
    #[must_use]
    pub fn normalisation(&self) -> &Normalisation {
        &self.normalisation
    }

    /// The examples, as indices into the data set, in their own order.
    #[must_use]
    pub fn examples(&self) -> &[u32] {
        &self.part.examples
    }

    /// The examples in the random order of one epoch.
    #[must_use]
    pub fn order(&self, epoch: u32) -> Vec<u32> {
        let mut order = self.part.examples.clone();
        Draws::new(self.seed, Purpose::Shuffle, epoch, 0).shuffle(&mut order);
        order
    }

    /// How the example at a position of a batch is mixed with another one of it; none where images are not mixed.
    ///
    /// # Panics
    /// When the batch has no such position.
    #[must_use]
    pub fn mix(&self, epoch: u32, batch: &[u32], position: usize) -> Option<Mix> {
        let shape = self.part.dataset.shape();
        Mix::draw(&self.augmentation, shape, batch, position, (self.seed, epoch))
    }

    /// Writes the pixels of the examples at the positions `range` of a batch, mixed with others of it where images are mixed
    /// ([`Self::mix`] says how).
    ///
    /// # Shapes
    /// pixels f32 [N, height, width, channels], where N is the length of `range`.
    ///
    /// # Panics
    /// When the lengths do not match, or an example is not in the data set.
    pub fn fill(
        &self,
        epoch: u32,
        batch: &[u32],
        range: Range<usize>,
        scratch: &mut LoaderScratch,
        pixels: &mut [f32],
    ) {
        let shape = self.part.dataset.shape();
        assert_eq!(pixels.len(), range.len() * shape.len(), "room for other than the examples");
        let LoaderScratch { augmentation: scratch, partner } = scratch;
        for (position, pixels) in range.zip(pixels.chunks_exact_mut(shape.len())) {
            self.augment(epoch, batch[position], scratch, pixels);
            if let Some(mix) = self.mix(epoch, batch, position) {
                partner.resize(shape.len(), 0.0);
                self.augment(epoch, batch[mix.partner], scratch, partner);
                mix.apply(pixels, partner, shape);
            }
        }
    }

    fn augment(&self, epoch: u32, example: u32, scratch: &mut Scratch, pixels: &mut [f32]) {
        let (dataset, normalisation) = (&*self.part.dataset, &self.normalisation);
        let image = dataset.image(example as usize);
        let showing = Showing { seed: self.seed, epoch, example: example.into() };
        self.augmentation.augment(image, dataset.shape(), normalisation, showing, scratch, pixels);
    }
}

/// A square that is erased must leave something where the image is larger than it.
fn check_erased(augmentation: &Augmentation, shape: ImageShape) -> Result<(), Error> {
    let side = shape.height.min(shape.width);
    match augmentation.erase as usize > side {
        true => {
            let expected = format!("at most {side} pixels, the shorter side of images of {shape}");
            Err(Error::setting("erase", expected, augmentation.erase))
        }
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loader(augmentation: Augmentation) -> Loader {
        let shape = ImageShape::grey(28, 28);
        let mut draws = Draws::new(3, Purpose::Test, 0, 0);
        let images: Vec<u8> = (0..40 * 784).map(|_| draws.below(256) as u8).collect();
        let labels = (0..40).map(|i| i % 10).collect();
        let names = (0..10).map(|i| i.to_string()).collect();
        let data = Dataset::new("noise", shape, images, labels, names).unwrap();
        let part = Part { dataset: Arc::new(data), examples: (5..35).collect() };
        Loader::new(part, augmentation, Normalisation::mnist(), 9).unwrap()
    }

    fn fill(loader: &Loader, epoch: u32, batch: &[u32], range: Range<usize>) -> Vec<f32> {
        let mut pixels = vec![0.0; range.len() * 784];
        loader.fill(epoch, batch, range, &mut LoaderScratch::default(), &mut pixels);
        pixels
    }

    fn one(loader: &Loader, epoch: u32, example: u32) -> Vec<f32> {
        fill(loader, epoch, &[example], 0..1)
    }

    #[test]
    fn an_erased_square_is_no_larger_than_the_images() {
        let erasing = |erase| {
            let part = loader(Augmentation::default()).part;
            let augmentation = Augmentation { erase, ..Augmentation::default() };
            Loader::new(part, augmentation, Normalisation::mnist(), 9)
        };
        assert!(erasing(28).is_ok());
        let said = erasing(29).unwrap_err().to_string();
        assert!(said.contains("at most 28 pixels") && said.contains("is 29"), "{said}");
    }

    fn elastic() -> Augmentation {
        let digits = Augmentation::digits();
        Augmentation { elastic_strength: 34.0, elastic_smoothness: 4.0, ..digits }
    }

    fn everything() -> Augmentation {
        let strong = Augmentation { mixup: 0.5, cutmix: 1.0, ..Augmentation::strong(28) };
        Augmentation { brightness: 0.3, contrast: 0.3, saturation: 0.3, hue: 0.1, ..strong }
    }

    #[test]
    fn any_chunking_and_thread_gives_the_same_bits() {
        for augmentation in [elastic(), Augmentation::photos(28), everything()] {
            in_pieces_as_whole(&loader(augmentation));
        }
    }

    fn in_pieces_as_whole(loader: &Loader) {
        let batch = &loader.order(1)[..];
        let whole = fill(loader, 1, batch, 0..30);
        for size in [1, 2, 3, 7, 30] {
            let parts: Vec<_> = std::thread::scope(|scope| {
                let piece = |start: usize| {
                    scope.spawn(move || fill(loader, 1, batch, start..(start + size).min(30)))
                };
                let threads: Vec<_> = (0..30).step_by(size).map(piece).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            assert_eq!(parts.concat(), whole);
        }
    }

    #[test]
    fn examples_are_mixed_with_others_of_their_batch() {
        let (mixed, alone) = (loader(everything()), loader(Augmentation::strong(28)));
        let batch = &mixed.order(2)[..20];
        let mixes: Vec<Mix> = (0..20).map(|at| mixed.mix(2, batch, at).unwrap()).collect();
        assert!(mixes.iter().any(|mix| mix.share < 1.0));
        assert_eq!(alone.mix(2, batch, 0), None);
        assert_eq!(mixed.mix(2, &batch[..1], 0), None);
    }

    #[test]
    fn epochs_differ_in_order_and_augmentation() {
        let loader = loader(Augmentation::digits());
        assert_ne!(loader.order(0), loader.order(1));
        let mut sorted = loader.order(0);
        sorted.sort_unstable();
        assert_eq!(sorted, loader.examples());
        assert_ne!(one(&loader, 0, 7), one(&loader, 1, 7));
    }

    #[test]
    fn without_augmentation_pixels_are_only_normalised() {
        let loader = loader(Augmentation::default());
        let pixels = one(&loader, 0, 12);
        let mut want = vec![0.0; 784];
        Normalisation::mnist().apply(loader.dataset().image(12), &mut want);
        assert_eq!(pixels, want);
    }

    #[test]
    fn a_loader_is_shared_between_threads() {
        fn shared<T: Send + Sync>() {}
        shared::<Loader>();
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let part = loader(Augmentation::default()).part;
        let wild = Augmentation { rotation: f32::NAN, ..Augmentation::default() };
        let error = Loader::new(part, wild, Normalisation::mnist(), 0).unwrap_err();
        assert_eq!(error.to_string(), "rotation must be from 0 to 180, but is NaN");
    }
}
