//! A network as data: what a person writes in TOML, and what a model file carries.

use crate::error::SpecError;
use crate::init::Init;
use crate::shape::{Shape, Size};
use serde::{Deserialize, Serialize};

/// The most layers (counting those inside residual blocks) that a spec may have.
pub const MAX_LAYERS: usize = 4096;

/// The deepest nesting of residual blocks that a spec may have.
pub const MAX_NESTING: usize = 16;

/// A network: the shape of one input example and a list of layers.
///
/// ```
/// let spec = percept_nn::spec::NetworkSpec::from_toml(r#"
///     name = "tiny"
///     input = [28, 28, 1]
///     layers = [
///         { kind = "conv", out_channels = 4, kernel_size = 3, padding = 1 },
///         { kind = "relu" },
///         { kind = "flatten" },
///         { kind = "dense", out_features = 10 },
///     ]
/// "#)?;
/// assert_eq!(spec.layers.len(), 4);
/// # Ok::<(), percept_nn::error::SpecError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkSpec {
    /// What people call the network; free text.
    #[serde(default)]
    pub name: String,
    /// Shape of one input example.
    pub input: Shape,
    /// The layers, from input to output.
    pub layers: Vec<LayerSpec>,
}

/// One layer of a [`NetworkSpec`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LayerSpec {
    /// Every output is a weighted sum of every input.
    Dense(Dense),
    /// Two-dimensional convolution (cross-correlation, as the field has it).
    Conv(Conv),
    /// Batch normalisation (Ioffe and Szegedy 2015), statistics per chunk while training.
    BatchNorm(BatchNorm),
    /// Layer normalisation (Ba, Kiros, Hinton 2016) over all numbers of an example.
    LayerNorm(LayerNorm),
    /// max(x, 0).
    Relu(Plain),
    /// x where positive, slope * x elsewhere.
    LeakyRelu(LeakyRelu),
    /// x * Phi(x) with the exact normal distribution (Hendrycks and Gimpel 2016).
    Gelu(Plain),
    /// x * sigmoid(x).
    Silu(Plain),
    /// Hyperbolic tangent.
    Tanh(Plain),
    /// 1 / (1 + exp(-x)).
    Sigmoid(Plain),
    /// The largest value of each window.
    MaxPool(Pool),
    /// The mean of each window; padding counts as zeros, as PyTorch's default does.
    AvgPool(Pool),
    /// The mean over all pixels of each channel.
    GlobalAvgPool(Plain),
    /// While training, zeroes each number with probability `rate` and scales the others by 1 / (1 - rate).
    Dropout(Dropout),
    /// Reads an image as one vector of features (height, width, channels order).
    Flatten(Plain),
    /// `layers(x) + shortcut(x)` (He et al. 2015); an empty shortcut is the identity.
    Residual(Residual),
}

/// Settings of [`LayerSpec::Dense`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dense {
    /// Numbers that leave the layer.
    pub out_features: usize,
    /// Whether a learned bias is added.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub bias: bool,
    /// How the weights start.
    #[serde(default, skip_serializing_if = "is_default")]
    pub init: Init,
}

/// Settings of [`LayerSpec::Conv`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conv {
    /// Channels that leave the layer.
    pub out_channels: usize,
    /// Height and width of the kernel.
    pub kernel_size: Size,
    /// Pixels from one window to the next.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub stride: Size,
    /// Zero pixels added at each border.
    #[serde(default = "zero", skip_serializing_if = "is_zero")]
    pub padding: Size,
    /// Groups of channels that do not see each other; both channel counts must be multiples.
    #[serde(default = "one_group", skip_serializing_if = "is_one_group")]
    pub groups: usize,
    /// Whether a learned bias is added.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub bias: bool,
    /// How the weights start.
    #[serde(default, skip_serializing_if = "is_default")]
    pub init: Init,
}

/// Settings of [`LayerSpec::BatchNorm`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchNorm {
    /// Added to the variance before its root is taken.
    #[serde(default = "norm_eps")]
    pub eps: f64,
    /// PyTorch's: running = (1 - momentum) * running + momentum * batch.
    #[serde(default = "batch_norm_momentum")]
    pub momentum: f64,
}

/// Settings of [`LayerSpec::LayerNorm`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerNorm {
    /// Added to the variance before its root is taken.
    #[serde(default = "norm_eps")]
    pub eps: f64,
}

/// Settings of [`LayerSpec::LeakyRelu`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeakyRelu {
    /// Factor of negative numbers.
    #[serde(default = "leaky_slope")]
    pub slope: f64,
}

/// Settings of [`LayerSpec::MaxPool`] and [`LayerSpec::AvgPool`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pool {
    /// Height and width of the window.
    pub kernel_size: Size,
    /// Pixels from one window to the next; the window's size where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stride: Option<Size>,
    /// Pixels added at each border; at most half the window.
    #[serde(default = "zero", skip_serializing_if = "is_zero")]
    pub padding: Size,
}

/// Settings of [`LayerSpec::Dropout`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dropout {
    /// Probability of zeroing a number, in [0, 1).
    pub rate: f64,
}

/// Settings of [`LayerSpec::Residual`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Residual {
    /// The main path.
    pub layers: Vec<LayerSpec>,
    /// The other path; the identity where empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shortcut: Vec<LayerSpec>,
}

/// A layer without settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plain {}

impl LayerSpec {
    /// The kind as it is written in TOML, which also begins the layer's name: `conv`, `batch_norm`, ...
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Dense(_) => "dense",
            Self::Conv(_) => "conv",
            Self::BatchNorm(_) => "batch_norm",
            Self::LayerNorm(_) => "layer_norm",
            Self::Relu(_) => "relu",
            Self::LeakyRelu(_) => "leaky_relu",
            Self::Gelu(_) => "gelu",
            Self::Silu(_) => "silu",
            Self::Tanh(_) => "tanh",
            Self::Sigmoid(_) => "sigmoid",
            Self::MaxPool(_) => "max_pool",
            Self::AvgPool(_) => "avg_pool",
            Self::GlobalAvgPool(_) => "global_avg_pool",
            Self::Dropout(_) => "dropout",
            Self::Flatten(_) => "flatten",
            Self::Residual(_) => "residual",
        }
    }
}

impl NetworkSpec {
    /// Reads a spec from TOML. The shapes are checked when a [`Network`](crate::network::Network) is made of it.
    ///
    /// # Errors
    /// [`SpecError::Syntax`] where the text is not TOML or a top-level key is wrong; [`SpecError::Layer`] naming the
    /// first layer that cannot be read.
    pub fn from_toml(text: &str) -> Result<Self, SpecError> {
        let syntax = |e: toml::de::Error| SpecError::Syntax { reason: e.to_string() };
        let mut table: toml::Table = text.parse().map_err(syntax)?;
        let layers = match table.remove("layers") {
            Some(toml::Value::Array(layers)) => layers,
            Some(other) => {
                return Err(SpecError::Syntax {
                    reason: format!(
                        "`layers` must be a list of layers, found {}",
                        other.type_str()
                    ),
                });
            }
            None => return Err(SpecError::NoLayers),
        };
        table.insert("layers".into(), toml::Value::Array(Vec::new()));
        let mut spec: Self = table.try_into().map_err(syntax)?;
        for (index, value) in layers.into_iter().enumerate() {
            spec.layers.push(read_layer(index, value)?);
        }
        Ok(spec)
    }

    /// Writes the spec as TOML that [`from_toml`](Self::from_toml) reads back to an equal spec.
    ///
    /// # Panics
    /// Never: every spec can be written as TOML.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a spec has only tables, lists, numbers and text")
    }
}

fn read_layer(index: usize, value: toml::Value) -> Result<LayerSpec, SpecError> {
    let kind = value.get("kind").and_then(toml::Value::as_str).unwrap_or("?").to_owned();
    value.try_into().map_err(|e: toml::de::Error| SpecError::Layer {
        layer: format!("layer {} ({kind})", index + 1),
        reason: e.message().to_owned(),
    })
}

fn yes() -> bool {
    true
}
fn one() -> Size {
    Size::square(1)
}
fn zero() -> Size {
    Size::square(0)
}
fn one_group() -> usize {
    1
}
fn norm_eps() -> f64 {
    1e-5
}
fn batch_norm_momentum() -> f64 {
    0.1
}
fn leaky_slope() -> f64 {
    0.01
}
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_true(value: &bool) -> bool {
    *value
}
fn is_one(size: &Size) -> bool {
    *size == one()
}
fn is_zero(size: &Size) -> bool {
    *size == zero()
}
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_one_group(groups: &usize) -> bool {
    *groups == 1
}
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
