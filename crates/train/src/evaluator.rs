//! A network and its preprocessing, ready to be measured and asked.

use crate::batch::{LoaderSource, Mirrored, scratch};
use crate::error::TrainError;
use percept_data::{
    Augmentation, ImageShape, Loader, LoaderScratch, Normalisation, Part, mirror_images,
};
use percept_eval::predictions::Predictions;
use percept_nn::compute::Compute;
use percept_nn::loss::softmax;
use percept_nn::network::Network;
use percept_nn::predictor::Predictor;
use std::sync::Mutex;

/// A network ready to be measured on data sets and asked about single images.
#[derive(Debug)]
pub struct Evaluator {
    predictor: Predictor,
    shape: ImageShape,
    normalisation: Normalisation,
    scratch: Vec<Mutex<LoaderScratch>>,
    mirror: bool,
}

impl Evaluator {
    /// Makes a network ready; `threads` 0 means one per processor.
    #[must_use]
    pub fn new(
        network: &Network,
        normalisation: Normalisation,
        compute: impl Into<Compute>,
        threads: usize,
    ) -> Self {
        let predictor = Predictor::new(network, compute, threads);
        let scratch = scratch(predictor.threads());
        let [height, width, channels] = network.description().input.into();
        let shape = ImageShape { height, width, channels };
        Self { predictor, shape, normalisation, scratch, mirror: false }
    }

    /// Whether each image is shown twice, as it is and mirrored left to right, and the mean of the two logits is what the
    /// network says (as in Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", 2024). Off at first.
    pub fn set_mirror(&mut self, mirror: bool) {
        self.mirror = mirror;
    }

    /// Takes up other weights of the same network.
    pub fn refresh(&mut self, network: &Network) {
        self.predictor.refresh(network);
    }

    /// Probabilities of images that are normalised already.
    ///
    /// # Shapes
    /// `pixels` [N, height, width, channels]; returns [N, classes].
    ///
    /// # Panics
    /// When `pixels` is not whole images.
    #[must_use]
    pub fn probabilities(&mut self, pixels: &[f32]) -> Vec<f32> {
        let mut logits = self.predictor.logits(pixels);
        if self.mirror {
            let mut mirrored = pixels.to_vec();
            mirror_images(&mut mirrored, self.shape);
            take_mean(&mut logits, &self.predictor.logits(&mirrored));
        }
        let mut probabilities = vec![0.0; logits.len()];
        softmax(self.predictor.classes(), &logits, &mut probabilities);
        probabilities
    }

    /// What the network says of the examples of a part, with their labels and losses (the natural logarithm of 1 over
    /// the probability of the true class).
    ///
    /// # Errors
    /// [`TrainError::Data`] where the images do not fit the normalisation; [`TrainError::Eval`] where a label is not
    /// one of the classes.
    pub fn predictions(
        &mut self,
        part: Part,
        class_names: &[String],
    ) -> Result<Predictions, TrainError> {
        let loader = Loader::new(part, Augmentation::default(), self.normalisation.clone(), 0)?;
        let (classes, count) = (self.predictor.classes(), loader.len());
        let (mut logits, mut labels) = (vec![0.0; count * classes], vec![0; count]);
        let examples = loader.examples();
        let source = LoaderSource { loader: &loader, epoch: 0, examples, scratch: &self.scratch };
        self.predictor.logits_of(&source, count, &mut logits, &mut labels);
        if self.mirror {
            let mut mirrored = vec![0.0; logits.len()];
            self.predictor.logits_of(&Mirrored(source), count, &mut mirrored, &mut labels);
            take_mean(&mut logits, &mirrored);
        }
        let losses = logits
            .chunks_exact(classes)
            .zip(&labels)
            .map(|(logits, label)| cross_entropy(logits, *label as usize))
            .collect();
        let mut probabilities = vec![0.0; logits.len()];
        softmax(classes, &logits, &mut probabilities);
        Ok(Predictions::new(class_names.to_vec(), probabilities)?
            .with_labels(&labels)?
            .with_losses(losses)?)
    }
}

/// The mean of logits and others, in place of the first.
fn take_mean(logits: &mut [f32], others: &[f32]) {
    logits.iter_mut().zip(others).for_each(|(z, other)| *z = 0.5 * (*z + other));
}

/// ln(sum of exp) - logit of the label, in f64 and safe for great logits.
fn cross_entropy(logits: &[f32], label: usize) -> f64 {
    let Some(true_logit) = logits.get(label) else { return f64::INFINITY };
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|z| f64::from(z - most).exp()).sum();
    sum.ln() + f64::from(most - true_logit)
}
