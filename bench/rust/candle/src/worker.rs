//! Training and predicting with candle on images in memory.

use crate::network::Network;
use bench_protocol::{Peer, Result, Versions, Work};
use candle_core::{Device, Tensor};

/// Momentum of the gradient descent; candle's own has none.
const MOMENTUM: f64 = 0.9;

struct Loaded {
    work: Work,
    /// [images, channels, height, width].
    images: Tensor,
    labels: Tensor,
}

/// Lets candle answer requests.
#[derive(Default)]
pub struct Candle {
    loaded: Option<Loaded>,
    network: Option<Network>,
    velocities: Vec<Option<Tensor>>,
    learning_rate: f64,
    batch: usize,
}

impl Candle {
    fn ready(&self) -> Result<(&Loaded, &Network)> {
        match (&self.loaded, &self.network) {
            (Some(loaded), Some(network)) => Ok((loaded, network)),
            _ => Err("nothing is loaded".into()),
        }
    }

    fn build(&mut self, form: &str, batch: usize, train: bool) -> Result<()> {
        if form != "fp32" {
            return Err(format!("candle is measured with fp32, not {form}").into());
        }
        let loaded = self.loaded.as_ref().ok_or("nothing is loaded")?;
        let work = &loaded.work;
        let network = Network::new(&work.description.layers, &work.weights, train)?;
        self.velocities = vec![None; network.vars.len()];
        (self.network, self.batch) = (Some(network), batch);
        Ok(())
    }
}

impl Peer for Candle {
    fn versions(&self) -> Versions {
        Versions { version: "candle 0.11.1".into(), train: vec!["fp32"], predict: vec!["fp32"] }
    }

    fn load(&mut self, work: Work) -> Result<()> {
        let shape = work.description.input;
        let count = work.images.labels.len();
        let sizes = (count, shape.channels, shape.height, shape.width);
        let images = Tensor::from_vec(work.images.as_nchw(shape), sizes, &Device::Cpu)?;
        let labels = Tensor::from_slice(&work.images.labels, count, &Device::Cpu)?;
        self.network = None;
        self.loaded = Some(Loaded { work, images, labels });
        Ok(())
    }

    fn train_with(&mut self, form: &str, batch: usize, learning_rate: f64) -> Result<()> {
        self.learning_rate = learning_rate;
        self.build(form, batch, true)
    }

    fn step(&mut self, first: usize, want_loss: bool) -> Result<Option<f64>> {
        let (loaded, network) = self.ready()?;
        let images = loaded.images.narrow(0, first, self.batch)?;
        let labels = loaded.labels.narrow(0, first, self.batch)?;
        let logits = network.forward(&images, true)?;
        let loss = candle_nn::loss::cross_entropy(&logits, &labels)?;
        let gradients = loss.backward()?;
        let (vars, rate) = (network.vars.clone(), self.learning_rate);
        for (var, velocity) in vars.iter().zip(&mut self.velocities) {
            let gradient = gradients.get(var).ok_or("a parameter has no gradient")?.detach();
            let new = match velocity.take() {
                Some(old) => ((old * MOMENTUM)? + gradient)?,
                None => gradient,
            };
            var.set(&var.sub(&(&new * rate)?)?)?;
            *velocity = Some(new);
        }
        Ok(if want_loss { Some(f64::from(loss.to_scalar::<f32>()?)) } else { None })
    }

    fn predict_with(&mut self, form: &str, batch: usize) -> Result<()> {
        self.build(form, batch, false)
    }

    fn predict(&mut self, first: usize, logits: &mut Vec<f32>) -> Result<()> {
        let (loaded, network) = self.ready()?;
        let images = loaded.images.narrow(0, first, self.batch)?;
        *logits = network.forward(&images, false)?.flatten_all()?.to_vec1()?;
        Ok(())
    }

    fn logits_in_training(&mut self, first: usize, count: usize) -> Result<Vec<f32>> {
        let (loaded, network) = self.ready()?;
        let images = loaded.images.narrow(0, first, count)?;
        Ok(network.forward(&images, false)?.flatten_all()?.to_vec1()?)
    }
}
