//! A spec with everything that follows from it: names, shapes, parameters, buffers and operations of each layer.

use crate::error::SpecError;
use crate::graph::windows;
use crate::init::Init;
use crate::parameter::{Buffer, Parameter, Role};
use crate::shape::{Shape, Size};
use crate::spec::{Conv, Dense, LayerSpec, MAX_LAYERS, MAX_NESTING, NetworkSpec, Pool, Residual};
use std::collections::BTreeMap;
use std::ops::Range;

/// The most numbers that one example may have between two layers.
pub const MAX_ACTIVATIONS: usize = 1 << 24;

/// The most parameters that a network may have.
pub const MAX_PARAMETERS: usize = 1 << 30;

/// The most floating-point operations that one layer may take for one example: some seconds of work.
pub const MAX_OPERATIONS: usize = 1 << 40;

/// The most pixels from one window of a convolution to the next, down times across: its backward makes a product of
/// each of them.
pub const MAX_PHASES: usize = 1 << 16;

/// A layer as it stands in a network.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerInfo {
    /// Kind and number among its kind: `conv2`; inside residual blocks `residual1.conv2`.
    pub name: String,
    /// What was written. Of a residual block, the lists stand in `main` and `shortcut` too.
    pub spec: LayerSpec,
    /// Shape of what arrives.
    pub input: Shape,
    /// Shape of what leaves.
    pub output: Shape,
    /// Its parameters among [`Description::parameters`].
    pub parameters: Range<usize>,
    /// Its buffers among [`Description::buffers`].
    pub buffers: Range<usize>,
    /// Floating-point operations of one example's forward pass: two for each multiply-add of dense and convolution
    /// layers, one for each number that another layer makes.
    pub operations: u64,
    /// The main path of a residual block.
    pub main: Vec<Self>,
    /// The other path of a residual block; empty for the identity.
    pub shortcut: Vec<Self>,
}

impl LayerInfo {
    fn convolves(&self) -> bool {
        let inside = || self.main.iter().chain(&self.shortcut).any(Self::convolves);
        matches!(self.spec, LayerSpec::Conv(_)) || inside()
    }
}

/// A checked network without its numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// Shape of one input example.
    pub input: Shape,
    /// Shape of one output, usually the class scores (logits).
    pub output: Shape,
    /// The layers.
    pub layers: Vec<LayerInfo>,
    /// Every parameter, in the order of its layers.
    pub parameters: Vec<Parameter>,
    /// Every buffer, in the order of its layers.
    pub buffers: Vec<Buffer>,
}

impl Description {
    /// Checks a spec and works out what follows from it.
    ///
    /// # Errors
    /// [`SpecError`] naming the first layer that does not fit, what arrives there and what would fit.
    pub fn new(spec: &NetworkSpec) -> Result<Self, SpecError> {
        let input = spec.input;
        check_input(input)?;
        if spec.layers.is_empty() {
            return Err(SpecError::NoLayers);
        }
        let mut describer = Describer::default();
        let (layers, output) = describer.list("", &spec.layers, input, 0)?;
        let Describer { parameters, buffers, .. } = describer;
        Ok(Self { input, output, layers, parameters, buffers })
    }

    /// Numbers of all parameters.
    #[must_use]
    pub fn parameter_len(&self) -> usize {
        self.parameters.last().map_or(0, |parameter| parameter.range.end)
    }

    /// Numbers of all buffers.
    #[must_use]
    pub fn buffer_len(&self) -> usize {
        self.buffers.last().map_or(0, |buffer| buffer.range.end)
    }

    /// Floating-point operations of one example's forward pass.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.layers.iter().map(|layer| layer.operations).sum()
    }

    /// Whether a layer is a convolution, inside a residual block too.
    #[must_use]
    pub fn convolves(&self) -> bool {
        self.layers.iter().any(LayerInfo::convolves)
    }

    /// Whether there are convolutions, and all are followed by a 2x2 max-pooling, with or without a ReLU between.
    #[must_use]
    pub fn pools_convolutions(&self) -> bool {
        let is_pooled = |at: usize| {
            let mut behind = self.layers[at + 1..].iter();
            let next = behind.find(|layer| !matches!(layer.spec, LayerSpec::Relu(_)));
            let halves = |layer: &LayerInfo| match &layer.spec {
                LayerSpec::MaxPool(pool) => windows(pool, layer).are_pairs(),
                _ => false,
            };
            matches!(self.layers[at].spec, LayerSpec::Conv(_)) && next.is_some_and(halves)
        };
        let mut convolutions = (0..self.layers.len()).filter(|at| self.layers[*at].convolves());
        self.convolves() && convolutions.all(is_pooled)
    }

    /// Numbers that the parameters of a layer have.
    #[must_use]
    pub fn parameters_of(&self, layer: &LayerInfo) -> usize {
        self.parameters[layer.parameters.clone()]
            .iter()
            .map(|parameter| parameter.range.len())
            .sum()
    }

    /// Where the numbers of a layer's parameters lie.
    pub(crate) fn parameter_range(&self, layer: &LayerInfo) -> Range<usize> {
        let parameters = &self.parameters[layer.parameters.clone()];
        span(parameters.iter().map(|parameter| parameter.range.clone()))
    }

    /// Where the numbers of a layer's buffers lie.
    pub(crate) fn buffer_range(&self, layer: &LayerInfo) -> Range<usize> {
        span(self.buffers[layer.buffers.clone()].iter().map(|buffer| buffer.range.clone()))
    }
}

/// From the start of the first to the end of the last of neighbouring ranges.
fn span(ranges: impl Iterator<Item = Range<usize>>) -> Range<usize> {
    ranges.reduce(|all, next| all.start..next.end).unwrap_or(0..0)
}

fn check_input(input: Shape) -> Result<(), SpecError> {
    let refuse = |reason: &str| {
        let Shape { height, width, channels } = input;
        let shape = format!("[{height}, {width}, {channels}]");
        Err(SpecError::Input { shape, reason: reason.to_owned() })
    };
    if input.is_empty() {
        return refuse("height, width and channels must each be at least 1");
    }
    if input.len() > MAX_ACTIVATIONS {
        return refuse(&format!("an example may have at most {MAX_ACTIVATIONS} numbers"));
    }
    Ok(())
}

/// What is collected while a spec is walked.
#[derive(Default)]
struct Describer {
    parameters: Vec<Parameter>,
    buffers: Vec<Buffer>,
    layers: usize,
}

/// A layer's outcome: where its data go, and what it costs.
struct Outcome {
    output: Shape,
    operations: u64,
    main: Vec<LayerInfo>,
    shortcut: Vec<LayerInfo>,
}

impl Outcome {
    fn new(output: Shape, operations: usize) -> Self {
        Self { output, operations: operations as u64, main: Vec::new(), shortcut: Vec::new() }
    }

    /// One operation for each number that leaves.
    fn of_numbers(output: Shape) -> Self {
        Self::new(output, output.len())
    }
}

impl Describer {
    fn list(
        &mut self,
        prefix: &str,
        specs: &[LayerSpec],
        input: Shape,
        nesting: usize,
    ) -> Result<(Vec<LayerInfo>, Shape), SpecError> {
        let mut ordinals = BTreeMap::new();
        let mut layers = Vec::with_capacity(specs.len());
        let mut shape = input;
        for spec in specs {
            let ordinal = ordinals.entry(spec.kind()).or_insert(0);
            *ordinal += 1;
            let name = format!("{prefix}{}{ordinal}", spec.kind());
            let layer = self.layer(name, spec, shape, nesting)?;
            shape = layer.output;
            layers.push(layer);
        }
        Ok((layers, shape))
    }

    fn layer(
        &mut self,
        name: String,
        spec: &LayerSpec,
        input: Shape,
        nesting: usize,
    ) -> Result<LayerInfo, SpecError> {
        self.layers += 1;
        if self.layers > MAX_LAYERS || nesting > MAX_NESTING {
            let reason = format!(
                "at most {MAX_LAYERS} layers, residual blocks nested at most {MAX_NESTING} deep, are accepted; `{name}` is one too many"
            );
            return Err(SpecError::TooLarge { reason });
        }
        let (first_parameter, first_buffer) = (self.parameters.len(), self.buffers.len());
        let outcome =
            self.outcome(&name, spec, input, nesting).map_err(|refusal| refusal.at(&name))?;
        self.check_size(&name, outcome.output)?;
        Ok(LayerInfo {
            name,
            spec: spec.clone(),
            input,
            output: outcome.output,
            parameters: first_parameter..self.parameters.len(),
            buffers: first_buffer..self.buffers.len(),
            operations: outcome.operations,
            main: outcome.main,
            shortcut: outcome.shortcut,
        })
    }

    fn check_size(&self, name: &str, output: Shape) -> Result<(), SpecError> {
        let reason = if output.len() > MAX_ACTIVATIONS {
            format!(
                "`{name}` makes {output} numbers of one example; at most {MAX_ACTIVATIONS} are accepted"
            )
        } else if self.parameter_end() > MAX_PARAMETERS {
            format!("with `{name}` the parameters pass {MAX_PARAMETERS}, the most that is accepted")
        } else {
            return Ok(());
        };
        Err(SpecError::TooLarge { reason })
    }

    fn outcome(
        &mut self,
        name: &str,
        spec: &LayerSpec,
        input: Shape,
        nesting: usize,
    ) -> Result<Outcome, Refusal> {
        match spec {
            LayerSpec::Dense(dense) => self.dense(name, dense, input),
            LayerSpec::Conv(conv) => self.conv(name, conv, input),
            LayerSpec::BatchNorm(norm) => {
                check_eps(norm.eps)?;
                check_unit("momentum", norm.momentum, norm.momentum <= 1.0)?;
                self.norm_parameters(name, input.channels);
                self.buffer(name, "running_mean", input.channels, 0.0);
                self.buffer(name, "running_var", input.channels, 1.0);
                Ok(Outcome::of_numbers(input))
            }
            LayerSpec::LayerNorm(norm) => {
                check_eps(norm.eps)?;
                self.norm_parameters(name, input.len());
                Ok(Outcome::of_numbers(input))
            }
            LayerSpec::LeakyRelu(leaky) if !leaky.slope.is_finite() => {
                refuse(format!("the slope must be a finite number, found {}", leaky.slope))
            }
            LayerSpec::Relu(_)
            | LayerSpec::LeakyRelu(_)
            | LayerSpec::Gelu(_)
            | LayerSpec::Silu(_)
            | LayerSpec::Tanh(_)
            | LayerSpec::Sigmoid(_) => Ok(Outcome::of_numbers(input)),
            LayerSpec::MaxPool(pool) | LayerSpec::AvgPool(pool) => {
                Ok(Outcome::of_numbers(pool_output(pool, input)?))
            }
            LayerSpec::GlobalAvgPool(_) => {
                Ok(Outcome::new(Shape::features(input.channels), input.len()))
            }
            LayerSpec::Dropout(dropout) => {
                check_unit("rate", dropout.rate, dropout.rate < 1.0)?;
                Ok(Outcome::of_numbers(input))
            }
            LayerSpec::Flatten(_) => Ok(Outcome::new(Shape::features(input.len()), 0)),
            LayerSpec::Residual(residual) => self.residual(name, residual, input, nesting),
        }
    }

    fn dense(&mut self, name: &str, dense: &Dense, input: Shape) -> Result<Outcome, Refusal> {
        let Dense { out_features, bias, init } = *dense;
        if input.pixels() != 1 {
            return refuse(format!(
                "takes a vector of features, but {input} arrives; put a `flatten` or `global_avg_pool` layer before it"
            ));
        }
        if out_features == 0 {
            return refuse("out_features must be at least 1".to_owned());
        }
        if let Init::Dirac | Init::Whitening = init {
            return refuse(
                "`dirac` and `whitening` initialise convolutions; use kaiming, xavier or uniform_fan_in"
                    .to_owned(),
            );
        }
        let fans = [input.channels, out_features];
        self.parameter(name, "weight", &fans, Role::DenseWeight, fans, init);
        if bias {
            self.parameter(name, "bias", &[out_features], Role::Bias, fans, init);
        }
        let multiply_adds = input.channels.saturating_mul(out_features);
        Ok(Outcome::new(Shape::features(out_features), multiply_adds.saturating_mul(2)))
    }

    fn conv(&mut self, name: &str, conv: &Conv, input: Shape) -> Result<Outcome, Refusal> {
        let output = conv_output(conv, input)?;
        let (Size { height, width }, groups) = (conv.kernel_size, conv.groups);
        let group_inputs = input.channels / groups;
        let window = height.saturating_mul(width);
        let fan_in = window.saturating_mul(group_inputs);
        let fans = [fan_in, window.saturating_mul(conv.out_channels / groups)];
        let shape = [height, width, group_inputs, conv.out_channels];
        self.parameter(name, "weight", &shape, Role::ConvWeight, fans, conv.init);
        if conv.bias {
            self.parameter(name, "bias", &[conv.out_channels], Role::Bias, fans, conv.init);
        }
        let operations = output.len().saturating_mul(fan_in).saturating_mul(2);
        Ok(Outcome::new(output, check_operations(operations)?))
    }

    fn residual(
        &mut self,
        name: &str,
        residual: &Residual,
        input: Shape,
        nesting: usize,
    ) -> Result<Outcome, Refusal> {
        if residual.layers.is_empty() {
            return refuse("a residual block needs at least one layer in `layers`".to_owned());
        }
        let (main, output) =
            self.list(&format!("{name}."), &residual.layers, input, nesting + 1)?;
        let prefix = format!("{name}.shortcut.");
        let (shortcut, other) = self.list(&prefix, &residual.shortcut, input, nesting + 1)?;
        if output != other {
            return refuse(format!(
                "its paths cannot be added: `layers` makes {output}, the shortcut {other}; give the shortcut a 1x1 `conv` with out_channels = {} and the same stride",
                output.channels
            ));
        }
        let inner = main.iter().chain(&shortcut).map(|layer| layer.operations).sum::<u64>();
        Ok(Outcome { output, operations: inner + output.len() as u64, main, shortcut })
    }

    fn norm_parameters(&mut self, name: &str, len: usize) {
        let init = Init::default();
        self.parameter(name, "weight", &[len], Role::NormWeight, [1, 1], init);
        self.parameter(name, "bias", &[len], Role::NormBias, [1, 1], init);
    }

    fn parameter(
        &mut self,
        layer: &str,
        tensor: &str,
        shape: &[usize],
        role: Role,
        [fan_in, fan_out]: [usize; 2],
        init: Init,
    ) {
        let start = self.parameter_end();
        let len = shape.iter().fold(1_usize, |len, size| len.saturating_mul(*size));
        self.parameters.push(Parameter {
            name: format!("{layer}.{tensor}"),
            shape: shape.to_vec(),
            role,
            fan_in,
            fan_out,
            init,
            range: start..start.saturating_add(len),
        });
    }

    fn buffer(&mut self, layer: &str, tensor: &str, len: usize, start_value: f64) {
        let start = self.buffers.last().map_or(0, |buffer| buffer.range.end);
        let name = format!("{layer}.{tensor}");
        self.buffers.push(Buffer {
            name,
            shape: vec![len],
            start: start_value,
            range: start..start + len,
        });
    }

    fn parameter_end(&self) -> usize {
        self.parameters.last().map_or(0, |parameter| parameter.range.end)
    }
}

/// Why a layer cannot be: a reason that still wants the layer's name, or an error of a layer within it.
enum Refusal {
    Reason(String),
    Inner(SpecError),
}

impl Refusal {
    fn at(self, layer: &str) -> SpecError {
        match self {
            Self::Reason(reason) => SpecError::Layer { layer: layer.to_owned(), reason },
            Self::Inner(error) => error,
        }
    }
}

impl From<SpecError> for Refusal {
    fn from(error: SpecError) -> Self {
        Self::Inner(error)
    }
}

fn refuse<T>(reason: String) -> Result<T, Refusal> {
    Err(Refusal::Reason(reason))
}

fn check_eps(eps: f64) -> Result<(), Refusal> {
    if eps.is_finite() && eps > 0.0 {
        return Ok(());
    }
    refuse(format!("eps must be a positive number, found {eps}"))
}

fn check_unit(what: &str, value: f64, below_end: bool) -> Result<(), Refusal> {
    if value >= 0.0 && below_end {
        return Ok(());
    }
    refuse(format!("{what} must be at least 0 and at most 1 (a rate below 1), found {value}"))
}

/// Positions of a window along one axis; `None` where not even one fits.
fn positions(size: usize, kernel: usize, stride: usize, padding: usize) -> Option<usize> {
    let room = size.checked_add(padding.checked_mul(2)?)?.checked_sub(kernel)?;
    Some(room / stride + 1)
}

/// The positions of a window over an image, or why there are none.
fn window_output(
    input: Shape,
    kernel: Size,
    stride: Size,
    padding: Size,
) -> Result<[usize; 2], Refusal> {
    if kernel.height == 0 || kernel.width == 0 {
        return refuse(format!("kernel_size must be at least 1, found {kernel}"));
    }
    if stride.height == 0 || stride.width == 0 {
        return refuse(format!("stride must be at least 1, found {stride}"));
    }
    let height = positions(input.height, kernel.height, stride.height, padding.height);
    let width = positions(input.width, kernel.width, stride.width, padding.width);
    match (height, width) {
        (Some(height), Some(width)) => Ok([height, width]),
        _ => refuse(format!(
            "a window of {kernel} does not fit into the {input} that arrives (with padding {padding}); use a smaller kernel_size or fewer pooling layers before"
        )),
    }
}

/// The shape that leaves a convolution over `input`.
fn conv_output(conv: &Conv, input: Shape) -> Result<Shape, Refusal> {
    let Conv { out_channels, kernel_size, stride, padding, groups, .. } = *conv;
    if out_channels == 0 {
        return refuse("out_channels must be at least 1".to_owned());
    }
    if groups == 0 || !input.channels.is_multiple_of(groups) || !out_channels.is_multiple_of(groups)
    {
        return refuse(format!(
            "groups = {groups} must divide the {} channels that arrive and out_channels = {out_channels}",
            input.channels
        ));
    }
    let [height, width] = window_output(input, kernel_size, stride, padding)?;
    let framed = Shape::new(
        input.height.saturating_add(padding.height.saturating_mul(2)),
        input.width.saturating_add(padding.width.saturating_mul(2)),
        input.channels,
    );
    if framed.len() > MAX_ACTIVATIONS {
        return refuse(format!(
            "with padding {padding} the image has {framed} numbers; at most {MAX_ACTIVATIONS} are accepted"
        ));
    }
    let phases = stride.height.min(framed.height).saturating_mul(stride.width.min(framed.width));
    if phases > MAX_PHASES {
        return refuse(format!(
            "stride {stride} is too large; down times across may be at most {MAX_PHASES}"
        ));
    }
    Ok(Shape::new(height, width, out_channels))
}

/// Refuses a layer that would take too long.
fn check_operations(operations: usize) -> Result<usize, Refusal> {
    if operations <= MAX_OPERATIONS {
        return Ok(operations);
    }
    refuse(format!(
        "takes {operations} operations for one example; at most {MAX_OPERATIONS} are accepted"
    ))
}

/// The shape that leaves a pooling layer over `input`.
fn pool_output(pool: &Pool, input: Shape) -> Result<Shape, Refusal> {
    let Pool { kernel_size: kernel, padding, .. } = *pool;
    if padding.height > kernel.height / 2 || padding.width > kernel.width / 2 {
        return refuse(format!(
            "padding {padding} is more than half of the window {kernel}; such windows could see padding alone"
        ));
    }
    let [height, width] = window_output(input, kernel, pool.stride.unwrap_or(kernel), padding)?;
    let output = Shape::new(height, width, input.channels);
    check_operations(output.len().saturating_mul(kernel.height).saturating_mul(kernel.width))?;
    Ok(output)
}
