//! The loop over requests.

use crate::{Images, Weights, Work, timed_calls};
use percept_nn::describe::Description;
use percept_nn::spec::NetworkSpec;
use serde::{Deserialize, Serialize};
use std::io::{BufRead as _, Write as _};
use std::time::Instant;

/// What a worker's work returns; an error is sent as `{"error": "..."}`.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// What a worker says of itself.
#[derive(Debug, Serialize)]
pub struct Versions {
    /// The library with its version.
    pub version: String,
    /// The ways in which it trains; the first word of each is the precision.
    pub train: Vec<&'static str>,
    /// The ways in which it predicts.
    pub predict: Vec<&'static str>,
}

/// A library under measurement.
pub trait Peer {
    /// Its version and its ways of working.
    fn versions(&self) -> Versions;

    /// Takes up a network, its weights and its data.
    ///
    /// # Errors
    /// Where it cannot.
    fn load(&mut self, work: Work) -> Result<()>;

    /// Gets ready to train, from the first weights and with no momentum yet.
    ///
    /// # Errors
    /// Where it cannot.
    fn train_with(&mut self, form: &str, batch: usize, learning_rate: f64) -> Result<()>;

    /// One training step on a batch, from image `first`; the loss before the update where `want_loss`.
    ///
    /// # Errors
    /// Where it cannot.
    fn step(&mut self, first: usize, want_loss: bool) -> Result<Option<f64>>;

    /// Gets ready to predict with the first weights.
    ///
    /// # Errors
    /// Where it cannot.
    fn predict_with(&mut self, form: &str, batch: usize) -> Result<()>;

    /// Logits `[batch, classes]` of the images from `first`, into `logits`.
    ///
    /// # Errors
    /// Where it cannot.
    fn predict(&mut self, first: usize, logits: &mut Vec<f32>) -> Result<()>;

    /// Logits `[count, classes]` of the images from `first` by the network in training.
    ///
    /// # Errors
    /// Where it does not train.
    fn logits_in_training(&mut self, first: usize, count: usize) -> Result<Vec<f32>>;
}

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
enum Request {
    Versions,
    Load { spec: String, weights: String, data: String, onnx: String, train_images: Option<usize> },
    TrainWith { form: String, batch: usize, learning_rate: f64 },
    Train { steps: usize },
    Losses { steps: usize },
    PredictWith { form: String, batch: usize },
    Predict { calls: usize },
    Logits,
    Accuracy { first: usize, count: usize },
}

struct Session<P> {
    peer: P,
    images: usize,
    labels: Vec<u32>,
    batch: usize,
    steps: usize,
}

impl<P: Peer> Session<P> {
    fn answer(&mut self, line: &str) -> Result<serde_json::Value> {
        Ok(match serde_json::from_str(line)? {
            Request::Versions => serde_json::to_value(self.peer.versions())?,
            Request::Load { spec, weights, data, onnx, train_images } => {
                let mut work = read_work(&spec, &weights, &data, onnx)?;
                work.train_images = train_images.unwrap_or(work.train_images);
                self.images = work.train_images;
                self.labels.clone_from(&work.images.labels);
                self.peer.load(work)?;
                serde_json::json!({})
            }
            Request::TrainWith { form, batch, learning_rate } => {
                (self.batch, self.steps) = (batch, 0);
                self.peer.train_with(&form, batch, learning_rate)?;
                serde_json::json!({})
            }
            Request::Train { steps } => {
                let begin = Instant::now();
                let losses = self.train(steps, false)?;
                let seconds = begin.elapsed().as_secs_f64();
                serde_json::json!({ "seconds": seconds, "loss": losses.last() })
            }
            Request::Losses { steps } => {
                serde_json::json!({ "losses": self.train(steps, true)? })
            }
            Request::PredictWith { form, batch } => {
                self.batch = batch;
                self.peer.predict_with(&form, batch)?;
                serde_json::json!({})
            }
            Request::Predict { calls } => {
                let mut logits = Vec::new();
                let (images, batch) = (self.images, self.batch);
                let mut outcome = Ok(());
                let (seconds, median) = timed_calls(calls, |call| {
                    let first = crate::first_of_batch(call, batch, images);
                    if outcome.is_ok() {
                        outcome = self.peer.predict(first, &mut logits);
                    }
                });
                outcome?;
                serde_json::json!({ "seconds": seconds, "median": median })
            }
            Request::Logits => {
                let mut logits = Vec::new();
                self.peer.predict(0, &mut logits)?;
                serde_json::json!({ "logits": logits })
            }
            Request::Accuracy { first, count } => {
                let logits = self.peer.logits_in_training(first, count)?;
                let labels = &self.labels[first..first + count];
                serde_json::json!({ "accuracy": accuracy(&logits, labels) })
            }
        })
    }

    /// Steps; the loss of each where `every`, else of the last.
    fn train(&mut self, steps: usize, every: bool) -> Result<Vec<f64>> {
        let mut losses = Vec::new();
        for step in 0..steps {
            let first = crate::first_of_batch(self.steps, self.batch, self.images);
            losses.extend(self.peer.step(first, every || step + 1 == steps)?);
            self.steps += 1;
        }
        Ok(losses)
    }
}

/// The share of images whose largest logit is that of their label.
fn accuracy(logits: &[f32], labels: &[u32]) -> f64 {
    let classes = logits.len() / labels.len();
    let rows = logits.chunks_exact(classes).zip(labels);
    let right = rows.filter(|(row, label)| {
        let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        row[**label as usize] >= largest
    });
    let right = right.count();
    right as f64 / labels.len() as f64
}

fn read_work(spec: &str, weights: &str, data: &str, onnx: String) -> Result<Work> {
    let spec = NetworkSpec::from_toml(&std::fs::read_to_string(spec)?)?;
    let description = Description::new(&spec)?;
    let (weights, images) = (Weights::read(weights)?, Images::read(data)?);
    let train_images = images.labels.len();
    Ok(Work { spec, description, weights, images, train_images, onnx })
}

/// Answers requests until there are no more.
///
/// # Errors
/// Where stdin or stdout fails; a failure of the peer is an answer.
pub fn serve(peer: impl Peer) -> std::io::Result<()> {
    let mut session = Session { peer, images: 0, labels: Vec::new(), batch: 0, steps: 0 };
    let mut stdout = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let answer = session
            .answer(&line?)
            .unwrap_or_else(|error| serde_json::json!({ "error": error.to_string() }));
        writeln!(stdout, "{answer}")?;
        stdout.flush()?;
    }
    Ok(())
}
