//! Named arrays of f32, and whether they are the ones that a network needs.

use crate::error::ModelError;
use percept_nn::network::Network;
use percept_nn::parameter::{Buffer, Parameter};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// The most axes that a tensor in a file may have; images need four.
pub const MAX_AXES: usize = 8;

/// The longest name that a tensor in a file may have, in bytes.
pub const MAX_NAME: usize = 512;

/// A named array.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Layer and tensor: `conv1.weight`.
    pub name: String,
    /// Sizes, slowest axis first: `[kernel height, kernel width, in_channels, out_channels]`; empty for one number.
    pub shape: Vec<usize>,
    /// The numbers, as many as the sizes multiply to, last axis fastest.
    pub data: Vec<f32>,
}

impl Tensor {
    /// The parameters of a network as tensors, from its flat list of numbers.
    ///
    /// # Panics
    /// Where a parameter's range lies outside `values`.
    #[must_use]
    pub fn from_parameters(parameters: &[Parameter], values: &[f32]) -> Vec<Self> {
        parameters.iter().map(|p| Self::cut(&p.name, &p.shape, &values[p.range.clone()])).collect()
    }

    /// The buffers of a network as tensors, from its flat list of numbers.
    ///
    /// # Panics
    /// Where a buffer's range lies outside `values`.
    #[must_use]
    pub fn from_buffers(buffers: &[Buffer], values: &[f32]) -> Vec<Self> {
        buffers.iter().map(|b| Self::cut(&b.name, &b.shape, &values[b.range.clone()])).collect()
    }

    /// Name, shape and numbers, wherever these lie.
    pub(crate) fn view(&self) -> View<'_> {
        View { name: &self.name, shape: &self.shape, data: &self.data }
    }

    fn cut(name: &str, shape: &[usize], data: &[f32]) -> Self {
        Self { name: name.to_owned(), shape: shape.to_vec(), data: data.to_vec() }
    }

    /// Checks that the numbers fill the shape and are finite, and that name and axes keep to the limits.
    pub(crate) fn check(&self, origin: &str) -> Result<(), ModelError> {
        let within_limits = self.shape.len() <= MAX_AXES && self.name.len() <= MAX_NAME;
        if !within_limits || element_count(&self.shape) != Some(self.data.len()) {
            return Err(ModelError::TensorLength {
                origin: origin.to_owned(),
                tensor: self.name.clone(),
                shape: self.shape.clone(),
                found: self.data.len(),
            });
        }
        check_finite(origin, &self.name, &self.data)
    }
}

/// A named array whose numbers lie elsewhere.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) name: &'a str,
    pub(crate) shape: &'a [usize],
    pub(crate) data: &'a [f32],
}

/// Checks that a tensor's numbers are finite.
pub(crate) fn check_finite(origin: &str, tensor: &str, data: &[f32]) -> Result<(), ModelError> {
    // Without an early exit the compiler makes this a few vector instructions; the search below is rarely needed.
    if data.iter().fold(true, |finite, value| finite & value.is_finite()) {
        return Ok(());
    }
    match data.iter().enumerate().find(|(_, value)| !value.is_finite()) {
        Some((index, &value)) => Err(ModelError::NotFinite {
            origin: origin.to_owned(),
            tensor: tensor.to_owned(),
            index,
            value,
        }),
        None => Ok(()),
    }
}

/// Numbers in a tensor of this shape, unless there are more than can be counted.
pub(crate) fn element_count(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1_usize, |count, &size| count.checked_mul(size))
}

/// Finds the tensors that a network needs, in its order, and makes sure that there are no others.
///
/// `expected` gives names and shapes; `origin` says in errors where the tensors came from, usually a path.
///
/// # Errors
/// [`ModelError::DuplicateTensor`], [`ModelError::MissingTensor`], [`ModelError::TensorShape`], or
/// [`ModelError::UnknownTensor`], each naming the tensor.
pub fn fit<'t, 'e>(
    origin: &str,
    tensors: impl IntoIterator<Item = &'t Tensor>,
    expected: impl IntoIterator<Item = (&'e str, &'e [usize])>,
) -> Result<Vec<&'t Tensor>, ModelError> {
    let tensors: Vec<&Tensor> = tensors.into_iter().collect();
    check_names(origin, tensors.iter().map(|tensor| tensor.name.as_str()))?;
    let mut left: BTreeMap<&str, &Tensor> = tensors.iter().map(|t| (t.name.as_str(), *t)).collect();
    let mut found = Vec::new();
    for (name, shape) in expected {
        found.push(take(origin, &mut left, name, shape)?);
    }
    match left.into_values().next() {
        Some(unknown) => Err(ModelError::UnknownTensor {
            origin: origin.to_owned(),
            tensor: unknown.name.clone(),
            found: unknown.shape.clone(),
        }),
        None => Ok(found),
    }
}

fn take<'t>(
    origin: &str,
    left: &mut BTreeMap<&str, &'t Tensor>,
    name: &str,
    shape: &[usize],
) -> Result<&'t Tensor, ModelError> {
    let (origin, expected) = (origin.to_owned(), shape.to_vec());
    match left.remove(name) {
        None => Err(ModelError::MissingTensor { origin, tensor: name.to_owned(), expected }),
        Some(tensor) if tensor.shape != shape => Err(ModelError::TensorShape {
            origin,
            tensor: name.to_owned(),
            expected,
            found: tensor.shape.clone(),
        }),
        Some(tensor) => Ok(tensor),
    }
}

/// Copies tensors into a network's flat lists of parameters and buffers, if these are exactly the tensors it needs.
///
/// # Errors
/// As [`fit`]; then nothing has been copied.
///
/// # Panics
/// Where a range lies outside its list, or does not match its shape.
pub fn restore(
    origin: &str,
    tensors: &[Tensor],
    (parameters, parameter_values): (&[Parameter], &mut [f32]),
    (buffers, buffer_values): (&[Buffer], &mut [f32]),
) -> Result<(), ModelError> {
    let names = parameters.iter().map(|p| (p.name.as_str(), p.shape.as_slice()));
    let names = names.chain(buffers.iter().map(|b| (b.name.as_str(), b.shape.as_slice())));
    let found = fit(origin, tensors, names)?;
    let (for_parameters, for_buffers) = found.split_at(parameters.len());
    for (parameter, tensor) in parameters.iter().zip(for_parameters) {
        parameter_values[parameter.range.clone()].copy_from_slice(&tensor.data);
    }
    for (buffer, tensor) in buffers.iter().zip(for_buffers) {
        buffer_values[buffer.range.clone()].copy_from_slice(&tensor.data);
    }
    Ok(())
}

/// Checks that no name comes twice.
pub(crate) fn check_names<'n>(
    origin: &str,
    names: impl IntoIterator<Item = &'n str>,
) -> Result<(), ModelError> {
    let mut seen = BTreeSet::new();
    match names.into_iter().find(|name| !seen.insert(*name)) {
        Some(name) => {
            Err(ModelError::DuplicateTensor { origin: origin.to_owned(), tensor: name.to_owned() })
        }
        None => Ok(()),
    }
}

/// The SHA-256 over names, shapes and the bits of all numbers, as 64 lower-case hexadecimal digits: equal exactly where
/// the weights are bit for bit the same, in whatever order they are listed.
#[must_use]
pub fn weight_hash<'t>(tensors: impl IntoIterator<Item = &'t Tensor>) -> String {
    view_hash(tensors.into_iter().map(Tensor::view))
}

/// The [`weight_hash`] of a network's parameters and buffers.
#[must_use]
pub fn network_hash(network: &Network) -> String {
    view_hash(views(network))
}

/// The parameters and buffers of a network.
pub(crate) fn views(network: &Network) -> impl Iterator<Item = View<'_>> {
    let parameters = network.parameters().iter().map(|p| (&p.name, &p.shape, &p.range));
    let parameters =
        parameters.map(|(name, shape, range)| (name, shape, &network.values()[range.clone()]));
    let buffers = network.buffers().iter().map(|b| (&b.name, &b.shape, &b.range));
    let buffers =
        buffers.map(|(name, shape, range)| (name, shape, &network.buffer_values()[range.clone()]));
    parameters.chain(buffers).map(|(name, shape, data)| View { name, shape, data })
}

pub(crate) fn view_hash<'t>(views: impl IntoIterator<Item = View<'t>>) -> String {
    let mut sorted: Vec<View<'_>> = views.into_iter().collect();
    sorted.sort_by_key(|view| view.name);
    let mut hash = Sha256::new();
    for View { name, shape, data } in sorted {
        hash_text(&mut hash, name);
        hash.update((shape.len() as u64).to_le_bytes());
        for &size in shape {
            hash.update((size as u64).to_le_bytes());
        }
        hash_numbers(&mut hash, data);
    }
    hexadecimal(&hash.finalize())
}

/// Text with its length before it, so that `ab`, `c` and `a`, `bc` differ.
pub(crate) fn hash_text(hash: &mut Sha256, text: &str) {
    hash.update((text.len() as u64).to_le_bytes());
    hash.update(text);
}

fn hash_numbers(hash: &mut Sha256, numbers: &[f32]) {
    let mut bytes = [0; 4096];
    for part in numbers.chunks(bytes.len() / 4) {
        for (place, number) in bytes.chunks_exact_mut(4).zip(part) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        hash.update(&bytes[..part.len() * 4]);
    }
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
