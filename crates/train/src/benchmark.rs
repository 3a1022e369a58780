//! How fast this machine trains and runs networks: a workload on random images in memory.
//!
//! What is timed is the engine: whole steps (forward, backward, optimizer) and whole predictions. Reading and changing
//! images, which a training run does besides, are not in it.

mod workload;

use crate::config::Config;
use crate::error::TrainError;
use percept_kernels::isa::Isa;
use percept_kernels::random::{Draws, Purpose};
use percept_nn::compute::{Compute, Precision};
use percept_nn::describe::{Description, LayerInfo};
use percept_nn::network::Network;
use percept_nn::predictor::Predictor;
use percept_nn::source::InMemory;
use percept_nn::spec::LayerSpec;
use std::time::{Duration, Instant};
pub use workload::{Kind, Workload};

/// Windows that a measurement is cut into; the median counts.
const WINDOWS: usize = 5;

/// The factor on the learning rate of timed steps: random images teach nothing, so the weights hardly move.
const FACTOR: f64 = 1e-6;

/// A workload with its images, ready to be timed.
#[derive(Debug)]
pub struct Bench {
    workload: Workload,
    network: Network,
    isa: Isa,
    pixels: Vec<f32>,
    labels: Vec<u32>,
}

impl Bench {
    /// Makes the network and images for its batches, and for predictions of up to `images` images.
    ///
    /// # Errors
    /// [`TrainError::Spec`] where the spec cannot be a network.
    pub fn new(workload: Workload, isa: Isa, images: usize) -> Result<Self, TrainError> {
        let network = Network::<f32>::new(workload.config.network.clone(), workload.config.seed)?;
        let Description { input, output, .. } = network.description();
        let images = images.max(workload.config.batch_size);
        let mut draws = Draws::new(1, Purpose::Test, 0, 0);
        let pixels = (0..images * input.len()).map(|_| draws.uniform_in(-1.0, 1.0)).collect();
        let classes = u32::try_from(output.len()).unwrap_or(u32::MAX);
        let labels = (0..classes).cycle().take(images).collect();
        Ok(Self { workload, network, isa, pixels, labels })
    }

    /// What is timed.
    #[must_use]
    pub fn workload(&self) -> &Workload {
        &self.workload
    }

    /// Its network.
    #[must_use]
    pub fn description(&self) -> &Description {
        self.network.description()
    }

    /// The precision of training: the configuration's, or the faster one.
    #[must_use]
    pub fn precision(&self) -> Precision {
        self.workload.config.compute(self.isa).precision
    }

    /// Seconds of one training step on `threads` threads (0: one per processor), measured for about `time`.
    ///
    /// # Errors
    /// [`TrainError::Engine`] where a setting is out of range, [`TrainError::Diverged`] where a number is not finite.
    pub fn training_step(&self, threads: usize, time: Duration) -> Result<f64, TrainError> {
        let config = &self.workload.config;
        let network = self.network.clone();
        let mut engine = config.engine(network, config.batch_size, self.isa, threads)?;
        let source = InMemory { pixels: &self.pixels, labels: &self.labels };
        let step = || {
            let report = engine.step(&source, config.batch_size, FACTOR);
            report.map_err(|diverged| TrainError::Diverged { diverged, checkpoint: None })
        };
        seconds_of(time, step)
    }

    /// Seconds of one prediction of `images` images at once on `threads` threads (0: one per processor), measured for
    /// about `time`: in the configuration's precision, or in fp32.
    ///
    /// # Panics
    /// When there are more images than the bench was made for.
    #[must_use]
    pub fn prediction(&self, images: usize, threads: usize, time: Duration) -> f64 {
        let Config { precision, winograd, .. } = self.workload.config;
        let precision = precision.unwrap_or_default();
        let compute = Compute { isa: self.isa, precision, winograd };
        let mut predictor = Predictor::new(&self.network, compute, threads);
        let mut logits = vec![0.0; images * predictor.classes()];
        let mut labels = vec![0; images];
        let source = InMemory { pixels: &self.pixels, labels: &self.labels };
        let predict = || {
            predictor.logits_of(&source, images, &mut logits, &mut labels);
            Ok::<(), std::convert::Infallible>(())
        };
        let Ok(seconds) = seconds_of(time, predict);
        seconds
    }
}

/// Floating-point operations of one example's training step in its products: forward, and the gradients by weights and
/// input, of convolutions and dense layers; the first of them needs no gradient by its input.
#[must_use]
pub fn training_operations(description: &Description) -> u64 {
    let mut products = Vec::new();
    collect_products(&description.layers, &mut products);
    let all: u64 = products.iter().sum();
    3 * all - products.first().copied().unwrap_or(0)
}

/// Floating-point operations of one example's prediction in its products.
#[must_use]
pub fn prediction_operations(description: &Description) -> u64 {
    let mut products = Vec::new();
    collect_products(&description.layers, &mut products);
    products.iter().sum()
}

/// The operations of each convolution and dense layer, in order.
fn collect_products(layers: &[LayerInfo], products: &mut Vec<u64>) {
    for layer in layers {
        if matches!(layer.spec, LayerSpec::Conv(_) | LayerSpec::Dense(_)) {
            products.push(layer.operations);
        }
        collect_products(&layer.main, products);
        collect_products(&layer.shortcut, products);
    }
}

/// Seconds of one call: the median of windows that take about `time` together, at least one call each, behind calls
/// that are not counted.
fn seconds_of<T, E>(time: Duration, mut call: impl FnMut() -> Result<T, E>) -> Result<f64, E> {
    let window = time / (WINDOWS as u32 + 1);
    let mut timed = || {
        let (start, mut calls) = (Instant::now(), 0_u32);
        loop {
            call()?;
            calls += 1;
            let taken = start.elapsed();
            if taken >= window {
                return Ok(taken.as_secs_f64() / f64::from(calls));
            }
        }
    };
    timed()?;
    let mut seconds = [0.0; WINDOWS];
    for window in &mut seconds {
        *window = timed()?;
    }
    seconds.sort_by(f64::total_cmp);
    Ok(seconds[WINDOWS / 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: the MLP 784-128-10 multiplies 2 * 784 * 128 + 2 * 128 * 10 = 203,264 operations forward; training takes
    /// three times as many less the 200,704 of the first layer's gradient by its input.
    #[test]
    fn operations_by_hand() {
        let mlp = Workload::find("bench-mlp").unwrap();
        let description = Description::new(&mlp.config.network).unwrap();
        assert_eq!(prediction_operations(&description), 203_264);
        assert_eq!(training_operations(&description), 3 * 203_264 - 200_704);
    }

    /// The shortcuts of ResNet-20 count: 40.8 million multiply-adds with 1x1 convolutions in them (He et al. 2016 tell
    /// 40.55 million for identity shortcuts; the two projections add 16 * 32 * 16 * 16 + 32 * 64 * 8 * 8 = 262,144).
    #[test]
    fn blocks_are_counted_with_their_shortcuts() {
        let network = Workload::find("bench-resnet20").unwrap();
        let description = Description::new(&network.config.network).unwrap();
        let products = prediction_operations(&description) / 2;
        assert_eq!(products - 262_144, 40_551_040);
    }

    #[test]
    fn a_small_network_is_timed() {
        let workload = Workload::find("bench-mlp").unwrap();
        let bench = Bench::new(workload, Isa::SCALAR, 3).unwrap();
        let time = Duration::from_millis(6);
        for seconds in [bench.training_step(1, time).unwrap(), bench.prediction(3, 2, time)] {
            assert!(seconds > 0.0 && seconds < 10.0, "{seconds}");
        }
    }

    #[test]
    fn the_median_window_counts() {
        let mut calls = 0;
        // One call a window; the first is not counted, and the slowest of the others is not the median.
        let seconds = seconds_of(Duration::ZERO, || {
            calls += 1;
            std::thread::sleep(Duration::from_millis(if calls == 1 || calls == 3 {
                200
            } else {
                1
            }));
            Ok::<(), ()>(())
        });
        assert_eq!(calls, 1 + WINDOWS);
        assert!(seconds.unwrap() < 0.2);
    }
}
