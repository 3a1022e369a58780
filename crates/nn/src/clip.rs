//! Gradient clipping by norm (Pascanu, Mikolov, Bengio 2013): a gradient that is too long is shortened, its direction kept.

use percept_kernels::element::Element;

/// Added to the norm before it divides, as PyTorch's `clip_grad_norm_` does.
const EPS: f64 = 1e-6;

/// Partial sums that run side by side, so that the loop fills vector registers.
const LANES: usize = 8;

/// The sum of the squares of all numbers, in f64.
///
/// The order of the additions is fixed: number i goes to partial sum i mod 8, and the partial sums are added in order.
/// The squared norm of many tensors is the sum of theirs, added in the network's order.
#[must_use]
pub fn squared_norm<T: Element>(gradient: &[T]) -> f64 {
    let mut sums = [0.0; LANES];
    let chunks = gradient.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        add_squares(&mut sums, chunk);
    }
    add_squares(&mut sums, rest);
    sums.iter().sum()
}

#[inline]
fn add_squares<T: Element>(sums: &mut [f64; LANES], numbers: &[T]) {
    for (sum, x) in sums.iter_mut().zip(numbers) {
        *sum += x.to_f64() * x.to_f64();
    }
}

/// What a gradient of norm `norm` is multiplied by so that its norm is at most `max_norm`:
/// min(1, max_norm / (norm + 1e-6)).
///
/// A norm that is not finite gives a factor that keeps the trouble visible: NaN for NaN, 0 for infinity (and
/// 0 * infinity is NaN).
#[must_use]
pub fn clip_factor(norm: f64, max_norm: f64) -> f64 {
    let factor = max_norm / (norm + EPS);
    if factor > 1.0 { 1.0 } else { factor }
}
