//! Training and predicting with the engine, on images in memory.

use bench_protocol::{Peer, Result, Versions, Work};
use percept_kernels::isa::Isa;
use percept_nn::compute::{Compute, Precision};
use percept_nn::engine::{Engine, EngineSettings};
use percept_nn::loss::LossSettings;
use percept_nn::network::Network;
use percept_nn::optim::{OptimizerSpec, Sgd};
use percept_nn::predictor::Predictor;
use percept_nn::source::InMemory;

/// Images that a thread takes at once in training, as in the presets.
const CHUNK: usize = 32;

/// Gradient lanes.
const LANES: usize = 4;

/// Lets percept answer requests.
pub struct Percept {
    isa: Isa,
    threads: usize,
    work: Option<Work>,
    batch: usize,
    engine: Option<Engine>,
    predictor: Option<Predictor>,
}

impl Percept {
    /// With the instruction set that `PERCEPT_ISA` asks for and `PERCEPT_THREADS` threads.
    pub fn new() -> Result<Self> {
        let threads = std::env::var("PERCEPT_THREADS").map_or(Ok(0), |text| text.parse())?;
        let isa = Isa::chosen()?;
        Ok(Self { isa, threads, work: None, batch: 0, engine: None, predictor: None })
    }

    fn network(&self) -> Result<Network> {
        let work = self.work.as_ref().ok_or("nothing is loaded")?;
        let mut network = Network::zeroed(work.spec.clone())?;
        let ((parameters, values), (buffers, buffer_values)) = network.tensors_mut();
        for parameter in parameters {
            values[parameter.range.clone()].copy_from_slice(work.weights.get(&parameter.name));
        }
        for buffer in buffers {
            buffer_values[buffer.range.clone()].copy_from_slice(work.weights.get(&buffer.name));
        }
        Ok(network)
    }
}

/// A precision and the images of a chunk: `fp32`, or `bf16 chunk8` for chunks of 8 images.
fn parts(form: &str) -> Result<(Precision, usize)> {
    let (precision, chunk) = match form.split_once(" chunk") {
        Some((precision, size)) => (precision, size.parse()?),
        None => (form, CHUNK),
    };
    Ok((precision.parse()?, chunk))
}

impl Peer for Percept {
    fn versions(&self) -> Versions {
        Versions {
            version: format!("percept of this commit, {}, {} threads", self.isa, self.threads),
            train: vec![
                "fp32",
                "fp32 chunk8",
                "fp32 chunk16",
                "fp32 chunk64",
                "bf16",
                "bf16 chunk8",
                "bf16 chunk16",
                "bf16 chunk64",
            ],
            predict: vec!["fp32", "bf16"],
        }
    }

    fn load(&mut self, work: Work) -> Result<()> {
        (self.engine, self.predictor) = (None, None);
        self.work = Some(work);
        Ok(())
    }

    fn train_with(&mut self, form: &str, batch: usize, learning_rate: f64) -> Result<()> {
        let sgd = Sgd { learning_rate, momentum: 0.9, nesterov: false, weight_decay: 0.0 };
        let (precision, chunk_size) = parts(form)?;
        let settings = EngineSettings {
            compute: Compute { precision, ..Compute::new(self.isa) },
            threads: self.threads,
            batch_size: batch,
            chunk_size,
            lanes: LANES,
            loss: LossSettings::default(),
            optimizer: OptimizerSpec::Sgd(sgd),
            clip_norm: None,
            average: None,
            seed: 1,
        };
        self.predictor = None;
        self.engine = Some(Engine::new(self.network()?, settings)?);
        self.batch = batch;
        Ok(())
    }

    fn step(&mut self, first: usize, _want_loss: bool) -> Result<Option<f64>> {
        let images = &self.work.as_ref().ok_or("nothing is loaded")?.images;
        let pixels = images.pixels_of(first, self.batch);
        let source = InMemory { pixels, labels: &images.labels[first..][..self.batch] };
        let engine = self.engine.as_mut().ok_or("nothing is trained")?;
        Ok(Some(engine.step(&source, self.batch, 1.0)?.loss))
    }

    fn predict_with(&mut self, form: &str, batch: usize) -> Result<()> {
        let compute = Compute { precision: form.parse()?, ..Compute::new(self.isa) };
        self.engine = None;
        self.predictor = Some(Predictor::new(&self.network()?, compute, self.threads));
        self.batch = batch;
        Ok(())
    }

    fn predict(&mut self, first: usize, logits: &mut Vec<f32>) -> Result<()> {
        let work = self.work.as_ref().ok_or("nothing is loaded")?;
        let predictor = self.predictor.as_mut().ok_or("nothing is predicted")?;
        logits.resize(self.batch * predictor.classes(), 0.0);
        predictor.logits_into(work.images.pixels_of(first, self.batch), logits);
        Ok(())
    }

    fn logits_in_training(&mut self, first: usize, count: usize) -> Result<Vec<f32>> {
        let work = self.work.as_ref().ok_or("nothing is loaded")?;
        let network = self.engine.as_ref().ok_or("nothing is trained")?.network();
        let mut predictor = Predictor::new(network, self.isa, self.threads);
        Ok(predictor.logits(work.images.pixels_of(first, count)))
    }
}
