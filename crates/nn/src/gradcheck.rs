//! Gradient checks: what backward computes against central differences, in f64 on the scalar bodies.
//!
//! The loss is the sum of the outputs times random numbers (a plain sum would prove nothing for layers whose outputs
//! have a constant sum).

use crate::error::SpecError;
use crate::graph::{Graph, Mode};
use crate::layers::{DrawName, Sums};
use crate::network::Network;
use crate::plan::{Numbers, Passes, Plan};
use crate::spec::NetworkSpec;
use percept_kernels::isa::Isa;
use percept_kernels::random::{Draws, Purpose};
use std::fmt;

/// How a network's gradients are checked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GradientCheck {
    /// Images of the chunk.
    pub images: usize,
    /// Seed of the parameters, the input and the factors of the loss.
    pub seed: u64,
    /// Half the distance of the central difference.
    pub eps: f64,
    /// The absolute error that is accepted.
    pub atol: f64,
    /// The relative error that is accepted on top.
    pub rtol: f64,
    /// Whether neighbouring layers are fused, as they are in training.
    pub fuse: bool,
}

impl Default for GradientCheck {
    fn default() -> Self {
        Self { images: 3, seed: 1, eps: 1e-6, atol: 1e-5, rtol: 1e-3, fuse: true }
    }
}

/// What a check found.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// Numbers compared: every parameter and every input.
    pub numbers: usize,
    /// The greatest distance between the two gradients.
    pub worst: f64,
}

/// A gradient that backward has wrong.
#[derive(Clone, Debug, PartialEq)]
pub enum WrongGradient {
    /// There is no such network.
    Spec(SpecError),
    /// The two gradients differ.
    Mismatch {
        /// Tensor and place: `conv1.weight[3]`, `input[0]`.
        place: String,
        /// By backward.
        computed: f64,
        /// By central differences.
        expected: f64,
    },
}

impl fmt::Display for WrongGradient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spec(error) => error.fmt(f),
            Self::Mismatch { place, computed, expected } => write!(
                f,
                "the gradient by {place} is {expected} by central differences, backward says {computed}"
            ),
        }
    }
}

impl std::error::Error for WrongGradient {}

impl GradientCheck {
    /// Checks the gradients by every parameter and every input of a network.
    ///
    /// # Errors
    /// [`WrongGradient`] with the first number that differs.
    pub fn run(&self, spec: &NetworkSpec) -> Result<Checked, WrongGradient> {
        let network = Network::<f64>::new(spec.clone(), self.seed).map_err(WrongGradient::Spec)?;
        let mut trial = Trial::new(network, self);
        let (by_parameters, by_input) = trial.backward();
        let mut checked = Checked { numbers: 0, worst: 0.0 };
        let tensors: Vec<_> =
            trial.network.parameters().iter().map(|p| (p.name.clone(), p.range.clone())).collect();
        for (name, range) in tensors {
            for index in range.clone() {
                let place = || format!("{name}[{}]", index - range.start);
                let expected = trial.difference(self.eps, |trial| &mut trial.parameters[index]);
                self.compare(place, by_parameters[index], expected, &mut checked)?;
            }
        }
        for (index, computed) in by_input.into_iter().enumerate() {
            let expected = trial.difference(self.eps, |trial| &mut trial.input[index]);
            self.compare(|| format!("input[{index}]"), computed, expected, &mut checked)?;
        }
        Ok(checked)
    }

    fn compare(
        &self,
        place: impl Fn() -> String,
        computed: f64,
        expected: f64,
        checked: &mut Checked,
    ) -> Result<(), WrongGradient> {
        let distance = (computed - expected).abs();
        checked.numbers += 1;
        checked.worst = checked.worst.max(distance);
        // Written so that NaN on either side is a mismatch.
        if distance <= self.atol + self.rtol * expected.abs() {
            return Ok(());
        }
        Err(WrongGradient::Mismatch { place: place(), computed, expected })
    }
}

/// A network with an input and a loss.
struct Trial {
    network: Network<f64>,
    plan: Plan<f64>,
    images: usize,
    parameters: Vec<f64>,
    input: Vec<f64>,
    factors: Vec<f64>,
    arena: Vec<f64>,
    packed: Vec<f64>,
    statistics: Vec<f64>,
}

impl Trial {
    fn new(network: Network<f64>, check: &GradientCheck) -> Self {
        let mode = Mode::Training { fuse: check.fuse, input_gradient: true };
        let graph = Graph::new(network.description(), Isa::SCALAR.into(), mode);
        let passes = Passes::ForwardAndBackward { input_gradient: true };
        let plan = Plan::new(graph, Isa::SCALAR, check.images, passes);
        let random = |len: usize, example: u64| -> Vec<f64> {
            let mut draws = Draws::new(check.seed, Purpose::Test, 0, example);
            (0..len).map(|_| f64::from(draws.normal())).collect()
        };
        let description = network.description();
        // Biases and normalisations start at 0 and 1, where mistakes can hide: all parameters are moved.
        let moves = random(network.values().len(), 0);
        let parameters = network.values().iter().zip(moves).map(|(p, m)| p + 0.2 * m).collect();
        Self {
            images: check.images,
            parameters,
            input: random(check.images * description.input.len(), 1),
            factors: random(check.images * description.output.len(), 2),
            arena: vec![0.0; plan.arena_len()],
            packed: vec![0.0; plan.packed_len()],
            statistics: vec![0.0; plan.statistics_len()],
            network,
            plan,
        }
    }

    fn forward(&mut self) -> f64 {
        let Self { plan, network, images, parameters, packed, arena, .. } = self;
        for node in 0..plan.nodes().len() {
            let packed = &mut packed[plan.packed_range(node)];
            plan.pack(node, parameters, network.buffer_values(), packed);
        }
        plan.input(arena, *images).copy_from_slice(&self.input);
        let numbers = Numbers::new(parameters, packed);
        plan.forward(*images, DrawName::default(), numbers, arena, &mut self.statistics);
        let outputs = plan.output(arena, *images).iter();
        outputs.zip(&self.factors).map(|(output, factor)| output * factor).sum()
    }

    /// The gradients by the parameters and by the input. The former are begun by one pass, where nothing but NaN stood,
    /// and a second one adds as much.
    fn backward(&mut self) -> (Vec<f64>, Vec<f64>) {
        let mut gradients = vec![f64::NAN; self.parameters.len()];
        for sums in [Sums::Begin, Sums::Add] {
            self.forward();
            let Self { plan, images, parameters, packed, arena, factors, .. } = self;
            plan.output_and_gradient(arena, *images).1.copy_from_slice(factors);
            let numbers = Numbers::new(parameters, packed);
            plan.backward(0, *images, numbers, arena, &mut gradients, sums);
        }
        gradients.iter_mut().for_each(|gradient| *gradient /= 2.0);
        (gradients, self.plan.gradient(&self.arena, 0, self.images).to_vec())
    }

    fn difference(&mut self, eps: f64, number: impl Fn(&mut Self) -> &mut f64) -> f64 {
        let before = *number(self);
        *number(self) = before + eps;
        let above = self.forward();
        *number(self) = before - eps;
        let below = self.forward();
        *number(self) = before;
        (above - below) / (2.0 * eps)
    }
}
