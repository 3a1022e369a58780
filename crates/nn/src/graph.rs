//! A description lowered to a list of layers over numbered values, with neighbours fused where that saves a pass.

use crate::compute::{Compute, Precision};
use crate::describe::{Description, LayerInfo};
use crate::layers::activation::ActivationLayer;
use crate::layers::add::Add;
use crate::layers::batch_norm::{BatchNormLayer, FixedNormLayer};
use crate::layers::bf16::as_layer_of;
use crate::layers::bf16::conv::Bf16ConvLayer;
use crate::layers::bf16::conv_pool::Bf16ConvPoolLayer;
use crate::layers::bf16::dense::Bf16DenseLayer;
use crate::layers::conv::{ConvLayer, Geometry};
use crate::layers::conv_pool::ConvPoolLayer;
use crate::layers::conv_winograd::{WinogradConvLayer, fastest_tile};
use crate::layers::dense::DenseLayer;
use crate::layers::dropout::DropoutLayer;
use crate::layers::layer_norm::LayerNormLayer;
use crate::layers::norm_pool::NormPoolLayer;
use crate::layers::pool::{AvgPoolLayer, MaxPoolLayer};
use crate::layers::{Layer, Purpose};
use crate::shape::Shape;
use crate::spec::{BatchNorm, LayerSpec, Pool};
use percept_kernels::activation::Activation;
use percept_kernels::element::Element;
use percept_kernels::isa::Bf16Unit;
use percept_kernels::pool::Windows;
use percept_kernels::winograd::{Operands, Tile};
use std::any::TypeId;
use std::ops::Range;

/// One layer between its values.
#[derive(Debug)]
pub(crate) struct Node<T: Element> {
    /// The layer's name; of fused layers, all joined by `+`.
    pub name: String,
    pub layer: Box<dyn Layer<T>>,
    /// The value that it reads.
    pub input: usize,
    /// The second value that it reads, where there is one.
    pub second: Option<usize>,
    /// The value that it makes.
    pub output: usize,
    /// Its parameters among the network's numbers.
    pub parameters: Range<usize>,
    /// Its buffers among the network's numbers.
    pub buffers: Range<usize>,
}

/// Layers in the order in which they run, over values counted from 0, the network's input.
#[derive(Debug)]
pub(crate) struct Graph<T: Element> {
    pub nodes: Vec<Node<T>>,
    /// Numbers of each value in one example.
    pub values: Vec<usize>,
    /// The value that leaves the network.
    pub output: usize,
}

/// What a graph is lowered for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Forward and backward.
    Training {
        /// Whether neighbours may be fused; without, every layer's value can be looked at.
        fuse: bool,
        /// Whether the gradient by the network's input is wanted too.
        input_gradient: bool,
    },
    /// Forward with the running statistics, batch norm folded, no dropout.
    Inference,
}

impl Mode {
    fn fuses(self) -> bool {
        !matches!(self, Self::Training { fuse: false, .. })
    }
}

impl<T: Element> Graph<T> {
    /// Lowers a description.
    pub(crate) fn new(description: &Description, compute: Compute, mode: Mode) -> Self {
        let mut lowering = Lowering {
            description,
            compute,
            mode,
            graph: Self { nodes: Vec::new(), values: vec![description.input.len()], output: 0 },
            dropouts: 0,
        };
        let output = lowering.list(&description.layers, 0);
        lowering.graph.output = output;
        lowering.graph
    }
}

struct Lowering<'a, T: Element> {
    description: &'a Description,
    compute: Compute,
    mode: Mode,
    graph: Graph<T>,
    dropouts: usize,
}

/// Input channels up to which a convolution is faster in fp32, whatever the precision asked for: along the pixels where it takes a
/// pooling in, and everywhere where bf16 comes in pairs.
const FEW_CHANNELS: usize = 3;

/// How many layers are lowered together, and what the first takes in of the others.
#[derive(Clone, Copy, Default)]
struct Fused {
    count: usize,
    /// eps of a batch norm behind.
    norm: Option<f64>,
    relu: bool,
    /// A max-pooling behind that halves the image.
    pool: Option<Windows>,
}

impl<T: Element> Lowering<'_, T> {
    /// Lowers a list of layers that begins at value `input`; returns the value that leaves it.
    fn list(&mut self, layers: &[LayerInfo], input: usize) -> usize {
        let mut value = input;
        let mut rest = layers;
        while !rest.is_empty() {
            let fused = self.fused(rest, value);
            value = self.layers(&rest[..fused.count], fused, value);
            rest = &rest[fused.count..];
        }
        value
    }

    /// What the first layers of a list can be fused to: the folded norm (inference alone), the ReLU, and the max-pooling
    /// behind a convolution.
    fn fused(&self, layers: &[LayerInfo], value: usize) -> Fused {
        let mut fused = Fused { count: 1, ..Fused::default() };
        let takes_relu = match &layers[0].spec {
            LayerSpec::Dense(_) | LayerSpec::Conv(_) => {
                if let (Mode::Inference, Some(LayerSpec::BatchNorm(norm))) =
                    (self.mode, layers.get(1).map(|layer| &layer.spec))
                {
                    fused.norm = Some(norm.eps);
                    fused.count = 2;
                }
                true
            }
            LayerSpec::BatchNorm(_) | LayerSpec::Residual(_) => true,
            _ => false,
        };
        let next = layers.get(fused.count).map(|layer| &layer.spec);
        if takes_relu && self.mode.fuses() && matches!(next, Some(LayerSpec::Relu(_))) {
            fused.relu = true;
            fused.count += 1;
        }
        if let Some(info) = layers.get(fused.count)
            && let LayerSpec::MaxPool(pool) = &info.spec
            && self.takes_pool(&layers[0], windows(pool, info), fused.relu, value)
        {
            fused.pool = Some(windows(pool, info));
            fused.count += 1;
        }
        fused
    }

    /// Whether a layer at value `value`, behind which there is a ReLU or none, takes in the pooling behind them.
    fn takes_pool(&self, info: &LayerInfo, pool: Windows, relu: bool, value: usize) -> bool {
        match &info.spec {
            LayerSpec::Conv(conv) if self.mode.fuses() && conv.groups == 1 => {
                let geometry = Geometry::new(conv, info.input, info.output);
                if self.winograd(&geometry, self.purpose(value)).is_some() {
                    return false;
                }
                if self.pools_in_bf16(&geometry) {
                    return pool.are_pairs() && !pool.output.contains(&0);
                }
                relu && pool.is_halving()
            }
            LayerSpec::BatchNorm(_) => relu && pool.is_halving() && self.mode != Mode::Inference,
            _ => false,
        }
    }

    fn layers(&mut self, layers: &[LayerInfo], fused: Fused, value: usize) -> usize {
        let info = &layers[0];
        if let LayerSpec::Residual(_) = &info.spec {
            return self.residual(layers, fused, value);
        }
        // Nothing is computed: a flatten (the numbers already lie in that order) or a dropout at inference.
        let Some(layer) = self.make(info, fused, value) else { return value };
        self.push(&layers.iter().collect::<Vec<_>>(), layers, layer, value, None)
    }

    /// A residual block, with the ReLU behind it where that is fused to it. While training, a batch norm that its main path ends
    /// with takes in the sum.
    fn residual(&mut self, layers: &[LayerInfo], fused: Fused, value: usize) -> usize {
        let (info, relu) = (&layers[0], fused.relu);
        if let Some((last, main)) = info.main.split_last()
            && let LayerSpec::BatchNorm(norm) = &last.spec
            && self.mode.fuses()
            && self.mode != Mode::Inference
        {
            let main = self.list(main, value);
            let other = self.list(&info.shortcut, value);
            let norm = training_norm(norm, last.input, true, relu);
            let names: Vec<_> = [last].into_iter().chain(layers).collect();
            let own = core::slice::from_ref(last);
            return self.push(&names, own, Box::new(norm), main, Some(other));
        }
        let main = self.list(&info.main, value);
        let other = self.list(&info.shortcut, value);
        let names: Vec<_> = layers.iter().collect();
        self.push(&names, &[], Box::new(Add { relu }), main, Some(other))
    }

    /// Adds a node with the parameters of some layers.
    fn push(
        &mut self,
        layers: &[&LayerInfo],
        own: &[LayerInfo],
        layer: Box<dyn Layer<T>>,
        input: usize,
        second: Option<usize>,
    ) -> usize {
        let output = self.graph.values.len();
        self.graph.values.push(layers[layers.len() - 1].output.len());
        let names: Vec<&str> = layers.iter().map(|layer| layer.name.as_str()).collect();
        let span = |range: fn(&Description, &LayerInfo) -> Range<usize>| {
            own.iter()
                .map(|layer| range(self.description, layer))
                .filter(|range| !range.is_empty())
                .reduce(|all, next| all.start..next.end)
                .unwrap_or(0..0)
        };
        self.graph.nodes.push(Node {
            name: names.join("+"),
            layer,
            input,
            second,
            output,
            parameters: span(Description::parameter_range),
            buffers: span(Description::buffer_range),
        });
        output
    }

    fn purpose(&self, value: usize) -> Purpose {
        match self.mode {
            Mode::Training { input_gradient, .. } => {
                Purpose::Training { grad_input: value != 0 || input_gradient }
            }
            Mode::Inference => Purpose::Inference,
        }
    }

    /// Products in bf16 are for f32 alone: f64 checks gradients.
    fn is_bf16(&self) -> bool {
        self.compute.precision == Precision::Bf16 && TypeId::of::<T>() == TypeId::of::<f32>()
    }

    fn dense(
        &self,
        features: [usize; 2],
        bias: bool,
        fused: Fused,
        purpose: Purpose,
    ) -> Box<dyn Layer<T>> {
        let (isa, Fused { norm, relu, .. }) = (self.compute.isa, fused);
        let bf16 = || Bf16DenseLayer::new(isa, features, bias, norm, relu, purpose);
        let bf16 = self.is_bf16().then(|| as_layer_of(Box::new(bf16())));
        bf16.flatten().unwrap_or_else(|| {
            Box::new(DenseLayer::new::<T>(isa, features, bias, norm, relu, purpose))
        })
    }

    /// The form of Winograd's algorithm that a convolution takes, where it takes one. Of bf16 operands it does in training alone
    /// (predictions keep the precision that direct products have), and where they are multiplied in pairs: tiles are faster
    /// directly.
    fn winograd(&self, geometry: &Geometry, purpose: Purpose) -> Option<(Tile, Operands)> {
        let isa = self.compute.isa;
        let operands = if self.is_bf16() { Operands::Bf16 } else { Operands::Exact };
        let is_served = operands == Operands::Exact
            || purpose != Purpose::Inference && isa.bf16_unit() == Bf16Unit::Dot;
        let tile = || fastest_tile::<T>(isa, operands, geometry, purpose);
        Some(((self.compute.winograd && is_served).then(tile)??, operands))
    }

    /// Whether a convolution in one group that takes a pooling in multiplies bf16 operands. Those of few channels do not: they
    /// are too small for bf16's tiles.
    fn pools_in_bf16(&self, geometry: &Geometry) -> bool {
        self.is_bf16() && geometry.input.channels > FEW_CHANNELS
    }

    fn conv(
        &self,
        geometry: Geometry,
        bias: bool,
        fused: Fused,
        purpose: Purpose,
    ) -> Box<dyn Layer<T>> {
        let (isa, Fused { norm, relu, pool, .. }) = (self.compute.isa, fused);
        if let Some(pool) = pool {
            let bf16 = || Bf16ConvPoolLayer::new(isa, geometry, bias, norm, relu, pool, purpose);
            let bf16 = self.pools_in_bf16(&geometry).then(|| as_layer_of(Box::new(bf16())));
            return bf16.flatten().unwrap_or_else(|| {
                Box::new(ConvPoolLayer::new::<T>(isa, geometry, bias, norm, pool, purpose))
            });
        }
        if let Some(form) = self.winograd(&geometry, purpose) {
            return Box::new(WinogradConvLayer::new::<T>(
                isa, geometry, form, bias, norm, relu, purpose,
            ));
        }
        let bf16 = || Bf16ConvLayer::new(isa, geometry, bias, norm, relu, purpose);
        // Pairs of few channels are slower than fp32; tiles were not measured.
        let suits = geometry.input.channels > FEW_CHANNELS || isa.bf16_unit() != Bf16Unit::Dot;
        let takes_bf16 = self.is_bf16() && geometry.groups == 1 && suits;
        let bf16 = takes_bf16.then(|| as_layer_of(Box::new(bf16())));
        bf16.flatten().unwrap_or_else(|| {
            Box::new(ConvLayer::new::<T>(isa, geometry, bias, norm, relu, purpose))
        })
    }

    /// The layer that computes, or none.
    fn make(&mut self, info: &LayerInfo, fused: Fused, value: usize) -> Option<Box<dyn Layer<T>>> {
        let relu = fused.relu;
        let activation =
            |activation| Some(Box::new(ActivationLayer(activation)) as Box<dyn Layer<T>>);
        match &info.spec {
            LayerSpec::Dense(dense) => {
                let features = [info.input.channels, dense.out_features];
                Some(self.dense(features, dense.bias, fused, self.purpose(value)))
            }
            LayerSpec::Conv(conv) => {
                let geometry = Geometry::new(conv, info.input, info.output);
                Some(self.conv(geometry, conv.bias, fused, self.purpose(value)))
            }
            LayerSpec::BatchNorm(norm) => {
                let (channels, eps) = (info.input.channels, norm.eps);
                if self.mode == Mode::Inference {
                    return Some(Box::new(FixedNormLayer { channels, eps, relu }));
                }
                let norm = training_norm(norm, info.input, false, relu);
                Some(match fused.pool {
                    Some(_) => Box::new(NormPoolLayer { norm, columns: info.input.width }),
                    None => Box::new(norm),
                })
            }
            LayerSpec::LayerNorm(norm) => {
                Some(Box::new(LayerNormLayer { len: info.input.len(), eps: norm.eps }))
            }
            LayerSpec::Relu(_) => activation(Activation::Relu),
            LayerSpec::LeakyRelu(leaky) => activation(Activation::LeakyRelu { slope: leaky.slope }),
            LayerSpec::Gelu(_) => activation(Activation::Gelu),
            LayerSpec::Silu(_) => activation(Activation::Silu),
            LayerSpec::Tanh(_) => activation(Activation::Tanh),
            LayerSpec::Sigmoid(_) => activation(Activation::Sigmoid),
            LayerSpec::MaxPool(pool) => Some(Box::new(MaxPoolLayer(windows(pool, info)))),
            LayerSpec::AvgPool(pool) => Some(Box::new(AvgPoolLayer(windows(pool, info)))),
            LayerSpec::GlobalAvgPool(_) => Some(Box::new(AvgPoolLayer(global_window(info)))),
            LayerSpec::Dropout(dropout) if self.mode != Mode::Inference => {
                self.dropouts += 1;
                let (len, ordinal) = (info.input.len(), self.dropouts);
                Some(Box::new(DropoutLayer { len, rate: dropout.rate, ordinal }))
            }
            LayerSpec::Dropout(_) | LayerSpec::Flatten(_) | LayerSpec::Residual(_) => None,
        }
    }
}

/// A batch norm of images of a shape, with the sum with another path behind it or none, and a ReLU or none.
fn training_norm(norm: &BatchNorm, image: Shape, adds: bool, relu: bool) -> BatchNormLayer {
    let BatchNorm { eps, momentum } = *norm;
    BatchNormLayer { pixels: image.pixels(), channels: image.channels, eps, momentum, adds, relu }
}

/// The windows of a pooling layer that was checked.
pub(crate) fn windows(pool: &Pool, info: &LayerInfo) -> Windows {
    let stride = pool.stride.unwrap_or(pool.kernel_size);
    Windows {
        input: [info.input.height, info.input.width],
        output: [info.output.height, info.output.width],
        kernel: [pool.kernel_size.height, pool.kernel_size.width],
        stride: [stride.height, stride.width],
        padding: [pool.padding.height, pool.padding.width],
        channels: info.input.channels,
    }
}

/// One window of the whole image.
fn global_window(info: &LayerInfo) -> Windows {
    let size = [info.input.height, info.input.width];
    Windows {
        input: size,
        output: [1, 1],
        kernel: size,
        stride: size,
        padding: [0, 0],
        channels: info.input.channels,
    }
}
