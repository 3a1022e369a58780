//! A percept spec as candle layers.

use bench_protocol::{Result, Weights};
use candle_core::{Device, Tensor, Var};
use candle_nn::{BatchNorm, Conv2d, Conv2dConfig, Linear, Module as _};
use percept_nn::describe::LayerInfo;
use percept_nn::shape::Shape;
use percept_nn::spec::LayerSpec;

enum Layer {
    Conv(Conv2d),
    Norm(BatchNorm),
    Dense(Linear),
    Relu,
    MaxPool(usize),
    GlobalAvgPool,
    Flatten,
    Residual(Vec<Self>, Vec<Self>),
}

/// A network and what of it is learned.
pub struct Network {
    layers: Vec<Layer>,
    /// The parameters.
    pub vars: Vec<Var>,
}

impl Network {
    /// The layers with their weights. To predict, batch norm is folded into the convolution before it.
    pub fn new(layers: &[LayerInfo], weights: &Weights, train: bool) -> Result<Self> {
        let mut builder = Builder { weights, flattened: None, vars: Vec::new(), train };
        let layers = builder.list(layers)?;
        Ok(Self { layers, vars: builder.vars })
    }

    /// Images [N, C, H, W] to logits [N, classes].
    pub fn forward(&self, images: &Tensor, train: bool) -> candle_core::Result<Tensor> {
        run(&self.layers, images.clone(), train)
    }
}

fn run(layers: &[Layer], mut x: Tensor, train: bool) -> candle_core::Result<Tensor> {
    for layer in layers {
        x = match layer {
            Layer::Conv(conv) => conv.forward(&x)?,
            Layer::Norm(norm) if train => norm.forward_train(&x)?,
            Layer::Norm(norm) => candle_nn::ModuleT::forward_t(norm, &x, false)?,
            Layer::Dense(dense) => dense.forward(&x)?,
            Layer::Relu => x.relu()?,
            Layer::MaxPool(size) if train => max_pool(&x, *size)?,
            Layer::MaxPool(size) => x.max_pool2d(*size)?,
            Layer::GlobalAvgPool => x.mean_keepdim((2, 3))?,
            Layer::Flatten => x.flatten_from(1)?,
            Layer::Residual(main, shortcut) => {
                (run(main, x.clone(), train)? + run(shortcut, x, train)?)?
            }
        };
    }
    Ok(x)
}

/// Max pooling by the larger of two, again and again. The gradient of candle 0.11.1's own is wrong: it multiplies by the
/// share of a window's numbers that are the largest (a quarter, or one where the background is even) instead of dividing
/// by their count.
fn max_pool(x: &Tensor, size: usize) -> candle_core::Result<Tensor> {
    let (images, channels, height, width) = x.dims4()?;
    let (rows, columns) = (height / size, width / size);
    let windows = x.reshape(&[images, channels, rows, size, columns, size][..])?;
    let pooled = largest(&largest(&windows, 5, size)?, 3, size)?;
    pooled.reshape((images, channels, rows, columns))
}

/// The largest number along an axis of `size` numbers, which is kept with one.
fn largest(x: &Tensor, axis: usize, size: usize) -> candle_core::Result<Tensor> {
    let first = x.narrow(axis, 0, 1)?;
    (1..size).try_fold(first, |most, at| most.maximum(&x.narrow(axis, at, 1)?))
}

struct Builder<'a> {
    weights: &'a Weights,
    flattened: Option<Shape>,
    vars: Vec<Var>,
    train: bool,
}

impl Builder<'_> {
    fn list(&mut self, layers: &[LayerInfo]) -> Result<Vec<Layer>> {
        let mut made: Vec<Layer> = Vec::new();
        for info in layers {
            let layer = self.layer(info)?;
            match (made.last_mut(), &layer) {
                (Some(Layer::Conv(conv)), Layer::Norm(norm)) if !self.train => {
                    *conv = conv.absorb_bn(norm)?;
                }
                _ => made.push(layer),
            }
        }
        Ok(made)
    }

    fn layer(&mut self, info: &LayerInfo) -> Result<Layer> {
        Ok(match &info.spec {
            LayerSpec::Conv(conv) => {
                let (numbers, shape) = self.weights.conv_as_oihw(&format!("{}.weight", info.name));
                let weight = self.var(&numbers, &shape)?;
                let bias = conv.bias.then(|| self.vector(&info.name, "bias")).transpose()?;
                let (padding, stride) = (conv.padding.height, conv.stride.height);
                let config = Conv2dConfig { padding, stride, ..Conv2dConfig::default() };
                Layer::Conv(Conv2d::new(weight, bias, config))
            }
            LayerSpec::BatchNorm(norm) => {
                let mean = self.constant(&info.name, "running_mean")?;
                let variance = self.constant(&info.name, "running_var")?;
                let weight = self.vector(&info.name, "weight")?;
                let bias = self.vector(&info.name, "bias")?;
                let channels = info.input.channels;
                let (eps, momentum) = (norm.eps, norm.momentum);
                Layer::Norm(BatchNorm::new_with_momentum(
                    channels, mean, variance, weight, bias, eps, momentum,
                )?)
            }
            LayerSpec::Dense(dense) => Layer::Dense(self.dense(info, dense.bias)?),
            LayerSpec::Relu(_) => Layer::Relu,
            LayerSpec::MaxPool(pool) => Layer::MaxPool(pool.kernel_size.height),
            LayerSpec::GlobalAvgPool(_) => Layer::GlobalAvgPool,
            LayerSpec::Flatten(_) => {
                self.flattened = Some(info.input);
                Layer::Flatten
            }
            LayerSpec::Residual(_) => {
                Layer::Residual(self.list(&info.main)?, self.list(&info.shortcut)?)
            }
            other => return Err(format!("the candle worker has no layer {}", other.kind()).into()),
        })
    }

    fn dense(&mut self, info: &LayerInfo, bias: bool) -> Result<Linear> {
        let from = self.flattened.take().unwrap_or(info.input);
        let numbers = self.weights.dense_by_channel(&format!("{}.weight", info.name), from);
        let (inputs, outputs) = (info.input.len(), info.output.len());
        let weight = Tensor::from_slice(&numbers, (inputs, outputs), &Device::Cpu)?;
        let weight = Var::from_tensor(&weight.t()?.contiguous()?)?;
        self.vars.push(weight.clone());
        let bias = bias.then(|| self.vector(&info.name, "bias")).transpose()?;
        Ok(Linear::new(weight.as_tensor().clone(), bias))
    }

    fn var(&mut self, numbers: &[f32], shape: &[usize]) -> Result<Tensor> {
        let var = Var::from_slice(numbers, shape, &Device::Cpu)?;
        self.vars.push(var.clone());
        Ok(var.as_tensor().clone())
    }

    fn vector(&mut self, layer: &str, tensor: &str) -> Result<Tensor> {
        let numbers = self.weights.get(&format!("{layer}.{tensor}"));
        self.var(numbers, &[numbers.len()])
    }

    fn constant(&self, layer: &str, tensor: &str) -> Result<Tensor> {
        let numbers = self.weights.get(&format!("{layer}.{tensor}"));
        Ok(Tensor::from_slice(numbers, numbers.len(), &Device::Cpu)?)
    }
}
