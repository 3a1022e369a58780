//! Gradient clipping by norm (Pascanu, Mikolov, Bengio 2013): a gradient that is too long is shortened, its direction kept.
//!
//! The norm is that of all the network's gradients together. The engine adds the squares of each part in f64
//! ([`norm_squared`](percept_kernels::slices::norm_squared)), and the parts in their order, so that the norm does not
//! depend on threads.

/// Added to the norm before it divides, as PyTorch's `clip_grad_norm_` does.
const EPS: f64 = 1e-6;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_gradients_are_shortened() {
        assert_eq!(clip_factor(0.0, 1.0), 1.0);
        assert_eq!(clip_factor(0.5, 1.0), 1.0);
        let factor = clip_factor(10.0, 1.0);
        // EPS shortens by a ten-millionth more.
        assert!(10.0 * factor <= 1.0 && 10.0 * factor > 1.0 - 1e-6, "{factor}");
    }

    #[test]
    fn what_is_not_finite_stays_visible() {
        assert!(clip_factor(f64::NAN, 1.0).is_nan());
        assert!((clip_factor(f64::INFINITY, 1.0) * f64::INFINITY).is_nan());
    }
}
