//! A percept spec as a burn module.

use bench_protocol::{Result, Weights};
use burn::module::{Module, Param, RunningState};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor, TensorData};
use percept_nn::describe::LayerInfo;
use percept_nn::shape::Shape;
use percept_nn::spec::LayerSpec;

/// One layer that has something to learn or to remember.
#[derive(Module, Debug)]
pub enum Layer {
    /// A convolution.
    Conv(Conv2d),
    /// Batch normalisation.
    Norm(BatchNorm),
    /// A dense layer.
    Dense(Linear),
    /// A residual block.
    Residual(Network),
    /// max(x, 0).
    Relu(burn::nn::Relu),
    /// The largest number of each window.
    MaxPool(MaxPool2d),
    /// The mean of each channel.
    GlobalAvgPool(burn::nn::pool::AdaptiveAvgPool2d),
}

/// Layers one after the other, and those beside them that a residual block adds.
#[derive(Module, Debug)]
pub struct Network {
    main: Vec<Layer>,
    shortcut: Vec<Layer>,
}

impl Network {
    /// The layers with their weights.
    pub fn new(layers: &[LayerInfo], weights: &Weights, device: &Device) -> Result<Self> {
        let mut builder = Builder { weights, device, flattened: None };
        Ok(Self { main: builder.list(layers)?, shortcut: Vec::new() })
    }

    /// Images [N, C, H, W] to logits [N, classes].
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        run(&self.main, images).flatten(1, 3)
    }
}

/// Dense layers have their features as channels of one pixel.
fn run(layers: &[Layer], mut x: Tensor<4>) -> Tensor<4> {
    for layer in layers {
        x = match layer {
            Layer::Conv(conv) => conv.forward(x),
            Layer::Norm(norm) => norm.forward(x),
            Layer::Dense(dense) => {
                let features: Tensor<2> = x.flatten(1, 3);
                let out = dense.forward(features);
                let [images, classes] = out.dims();
                out.reshape([images, classes, 1, 1])
            }
            Layer::Residual(block) => {
                let shortcut = run(&block.shortcut, x.clone());
                run(&block.main, x) + shortcut
            }
            Layer::Relu(relu) => relu.forward(x),
            Layer::MaxPool(pool) => pool.forward(x),
            Layer::GlobalAvgPool(pool) => pool.forward(x),
        };
    }
    x
}

struct Builder<'a> {
    weights: &'a Weights,
    device: &'a Device,
    flattened: Option<Shape>,
}

impl Builder<'_> {
    fn list(&mut self, layers: &[LayerInfo]) -> Result<Vec<Layer>> {
        let mut made = Vec::new();
        for info in layers {
            made.extend(self.layer(info)?);
        }
        Ok(made)
    }

    /// Nothing for a flatten: the dense layer reads features.
    fn layer(&mut self, info: &LayerInfo) -> Result<Option<Layer>> {
        Ok(Some(match &info.spec {
            LayerSpec::Conv(_) => Layer::Conv(self.conv(info)),
            LayerSpec::BatchNorm(_) => Layer::Norm(self.norm(info)),
            LayerSpec::Dense(dense) => Layer::Dense(self.dense(info, dense.bias)),
            LayerSpec::Relu(_) => Layer::Relu(burn::nn::Relu::new()),
            LayerSpec::MaxPool(pool) => {
                let size = [pool.kernel_size.height, pool.kernel_size.width];
                Layer::MaxPool(MaxPool2dConfig::new(size).with_strides(size).init())
            }
            LayerSpec::GlobalAvgPool(_) => {
                Layer::GlobalAvgPool(burn::nn::pool::AdaptiveAvgPool2dConfig::new([1, 1]).init())
            }
            LayerSpec::Flatten(_) => {
                self.flattened = Some(info.input);
                return Ok(None);
            }
            LayerSpec::Residual(_) => Layer::Residual(Network {
                main: self.list(&info.main)?,
                shortcut: self.list(&info.shortcut)?,
            }),
            other => return Err(format!("the burn worker has no layer {}", other.kind()).into()),
        }))
    }

    fn conv(&self, info: &LayerInfo) -> Conv2d {
        let LayerSpec::Conv(spec) = &info.spec else { unreachable!("called for convolutions") };
        let (numbers, shape) = self.weights.conv_as_oihw(&format!("{}.weight", info.name));
        let [down, across] = [spec.padding.height, spec.padding.width];
        let mut conv = Conv2dConfig::new([shape[1], shape[0]], [shape[2], shape[3]])
            .with_stride([spec.stride.height, spec.stride.width])
            .with_padding(PaddingConfig2d::Explicit(down, across, down, across))
            .with_bias(spec.bias)
            .init(self.device);
        conv.weight = self.param(numbers, shape);
        conv.bias = spec.bias.then(|| self.vector(info, "bias"));
        conv
    }

    fn norm(&self, info: &LayerInfo) -> BatchNorm {
        let LayerSpec::BatchNorm(spec) = &info.spec else { unreachable!("called for norms") };
        let mut norm = BatchNormConfig::new(info.input.channels)
            .with_epsilon(spec.eps)
            .with_momentum(spec.momentum)
            .init(self.device);
        norm.gamma = self.vector(info, "weight");
        norm.beta = self.vector(info, "bias");
        norm.running_mean = RunningState::new(self.vector(info, "running_mean").val().detach());
        norm.running_var = RunningState::new(self.vector(info, "running_var").val().detach());
        norm
    }

    fn dense(&mut self, info: &LayerInfo, bias: bool) -> Linear {
        let from = self.flattened.take().unwrap_or(info.input);
        let numbers = self.weights.dense_by_channel(&format!("{}.weight", info.name), from);
        let sizes = [info.input.len(), info.output.len()];
        let mut dense = LinearConfig::new(sizes[0], sizes[1]).init(self.device);
        dense.weight = self.param(numbers, sizes);
        dense.bias = bias.then(|| self.vector(info, "bias"));
        dense
    }

    fn vector(&self, info: &LayerInfo, tensor: &str) -> Param<Tensor<1>> {
        let numbers = self.weights.get(&format!("{}.{tensor}", info.name)).to_vec();
        let len = numbers.len();
        self.param(numbers, [len])
    }

    fn param<const D: usize>(&self, numbers: Vec<f32>, shape: [usize; D]) -> Param<Tensor<D>> {
        Param::from_tensor(Tensor::from_data(TensorData::new(numbers, shape), self.device))
    }
}
