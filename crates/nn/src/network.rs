//! A spec made real: its description and the numbers of its parameters and buffers.

use crate::describe::Description;
use crate::error::SpecError;
use crate::init::initialise;
use crate::parameter::{Buffer, Parameter};
use crate::spec::NetworkSpec;
use percept_kernels::aligned::Aligned;
use percept_kernels::element::Element;

/// A network with its numbers.
///
/// Every parameter and buffer stands in one list that all else walks: [`parameters`](Self::parameters) and
/// [`buffers`](Self::buffers) describe them, [`values`](Self::values) and [`buffer_values`](Self::buffer_values) hold
/// their numbers.
///
/// ```
/// use percept_nn::{network::Network, spec::NetworkSpec};
/// let spec = NetworkSpec::from_toml(r#"
///     input = [1, 1, 3]
///     layers = [{ kind = "dense", out_features = 2 }]
/// "#)?;
/// let network = Network::<f32>::new(spec, 7)?;
/// assert_eq!(network.parameters()[0].name, "dense1.weight");
/// assert_eq!(network.values().len(), 3 * 2 + 2);
/// # Ok::<(), percept_nn::error::SpecError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Network<T: Element = f32> {
    spec: NetworkSpec,
    description: Description,
    values: Aligned<T>,
    buffers: Aligned<T>,
}

impl<T: Element> Network<T> {
    /// A network with its parameters initialised from `seed`.
    ///
    /// # Errors
    /// [`SpecError`] where the spec cannot be a network.
    pub fn new(spec: NetworkSpec, seed: u64) -> Result<Self, SpecError> {
        let mut network = Self::zeroed(spec)?;
        for (index, parameter) in network.description.parameters.iter().enumerate() {
            initialise(parameter, index, seed, &mut network.values[parameter.range.clone()]);
        }
        Ok(network)
    }

    /// A network whose parameters are zero, for numbers that come from elsewhere.
    ///
    /// # Errors
    /// [`SpecError`] where the spec cannot be a network.
    pub fn zeroed(spec: NetworkSpec) -> Result<Self, SpecError> {
        let description = Description::new(&spec)?;
        let values = Aligned::zeros(description.parameter_len());
        let mut buffers = Aligned::zeros(description.buffer_len());
        for buffer in &description.buffers {
            buffers[buffer.range.clone()].fill(T::from_f64(buffer.start));
        }
        Ok(Self { spec, description, values, buffers })
    }

    /// What was written.
    #[must_use]
    pub fn spec(&self) -> &NetworkSpec {
        &self.spec
    }

    /// What follows from it: shapes, names, operations.
    #[must_use]
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// The parameters, in order.
    #[must_use]
    pub fn parameters(&self) -> &[Parameter] {
        &self.description.parameters
    }

    /// The buffers, in order.
    #[must_use]
    pub fn buffers(&self) -> &[Buffer] {
        &self.description.buffers
    }

    /// The numbers of all parameters; those of one are at its `range`.
    #[must_use]
    pub fn values(&self) -> &[T] {
        &self.values
    }

    /// The numbers of all parameters.
    pub fn values_mut(&mut self) -> &mut [T] {
        &mut self.values
    }

    /// What the parameters are, and their numbers.
    pub fn parameters_and_values(&mut self) -> (&[Parameter], &mut [T]) {
        (&self.description.parameters, &mut self.values)
    }

    /// What the parameters and what the buffers are, each with their numbers.
    #[allow(clippy::type_complexity)]
    pub fn tensors_mut(&mut self) -> ((&[Parameter], &mut [T]), (&[Buffer], &mut [T])) {
        let Description { parameters, buffers, .. } = &self.description;
        ((parameters, &mut self.values), (buffers, &mut self.buffers))
    }

    /// The numbers of all buffers; those of one are at its `range`.
    #[must_use]
    pub fn buffer_values(&self) -> &[T] {
        &self.buffers
    }

    /// The numbers of all buffers.
    pub fn buffer_values_mut(&mut self) -> &mut [T] {
        &mut self.buffers
    }
}
