//! Training and predicting with burn on images in memory.

use crate::network::Network;
use bench_protocol::{Peer, Result, Versions, Work};
use burn::module::Module as _;
use burn::nn::loss::{CrossEntropyLoss, CrossEntropyLossConfig};
use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::{Device, Int, Tensor, TensorData};

struct Loaded {
    work: Work,
    /// [images, channels, height, width].
    images: Tensor<4>,
    labels: Tensor<1, Int>,
}

struct Training {
    optimizer: ModuleOptimizer,
    loss: CrossEntropyLoss,
    learning_rate: f64,
}

/// Lets burn answer requests.
#[derive(Default)]
pub struct Burn {
    loaded: Option<Loaded>,
    network: Option<Network>,
    training: Option<Training>,
    batch: usize,
}

impl Burn {
    fn load_on(&mut self, work: Work, device: &Device) {
        let shape = work.description.input;
        let count = work.images.labels.len();
        let sizes = [count, shape.channels, shape.height, shape.width];
        let images = TensorData::new(work.images.as_nchw(shape), sizes);
        let labels: Vec<i64> = work.images.labels.iter().map(|&label| i64::from(label)).collect();
        self.loaded = Some(Loaded {
            images: Tensor::from_data(images, device),
            labels: Tensor::from_data(TensorData::new(labels, [count]), device),
            work,
        });
    }

    fn build(&mut self, form: &str, batch: usize, device: &Device) -> Result<Network> {
        if form != "fp32" {
            return Err(format!("burn is measured with fp32, not {form}").into());
        }
        let work = &self.loaded.as_ref().ok_or("nothing is loaded")?.work;
        self.batch = batch;
        Network::new(&work.description.layers, &work.weights, device)
    }
}

impl Peer for Burn {
    fn versions(&self) -> Versions {
        Versions { version: "burn 0.22.1 flex".into(), train: vec!["fp32"], predict: vec!["fp32"] }
    }

    fn load(&mut self, work: Work) -> Result<()> {
        (self.network, self.training) = (None, None);
        self.load_on(work, &Device::flex());
        Ok(())
    }

    fn train_with(&mut self, form: &str, batch: usize, learning_rate: f64) -> Result<()> {
        let device = Device::flex().autodiff();
        self.network = Some(self.build(form, batch, &device)?);
        let momentum = MomentumConfig::new().with_momentum(0.9).with_dampening(0.0);
        self.training = Some(Training {
            optimizer: SgdConfig::new().with_momentum(Some(momentum)).init(),
            loss: CrossEntropyLossConfig::new().init(&device),
            learning_rate,
        });
        Ok(())
    }

    fn step(&mut self, first: usize, want_loss: bool) -> Result<Option<f64>> {
        let loaded = self.loaded.as_ref().ok_or("nothing is loaded")?;
        let training = self.training.as_mut().ok_or("nothing is trained")?;
        let network = self.network.take().ok_or("nothing is trained")?;
        let range = first..first + self.batch;
        let images = loaded.images.clone().slice([range.clone()]).autodiff();
        let labels = loaded.labels.clone().slice([range]).autodiff();
        let loss = training.loss.forward(network.forward(images), labels);
        let value = want_loss.then(|| f64::from(loss.clone().into_scalar::<f32>()));
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        self.network = Some(training.optimizer.step(training.learning_rate, network, gradients));
        Ok(value)
    }

    fn predict_with(&mut self, form: &str, batch: usize) -> Result<()> {
        self.network = Some(self.build(form, batch, &Device::flex())?.valid());
        self.training = None;
        Ok(())
    }

    fn predict(&mut self, first: usize, logits: &mut Vec<f32>) -> Result<()> {
        let loaded = self.loaded.as_ref().ok_or("nothing is loaded")?;
        let network = self.network.as_ref().ok_or("nothing is predicted")?;
        let images = loaded.images.clone().slice([first..first + self.batch]);
        *logits = network.forward(images).into_data().try_to_vec()?;
        Ok(())
    }

    fn logits_in_training(&mut self, first: usize, count: usize) -> Result<Vec<f32>> {
        let loaded = self.loaded.as_ref().ok_or("nothing is loaded")?;
        let network = self.network.as_ref().ok_or("nothing is trained")?.valid();
        let images = loaded.images.clone().slice([first..first + count]);
        Ok(network.forward(images).into_data().try_to_vec()?)
    }
}
