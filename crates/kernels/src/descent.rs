//! Gradient descent's arithmetic: weights one step down their gradient, number by number.
//!
//! No number depends on another, so a tensor may be updated in parts; and no multiplication is fused with an addition, so
//! every body gives the same bits.

use crate::body::per_isa;
use crate::element::Element;

/// Below this, a momentum or moment is 0. A weight whose gradient stays 0 would else keep the smallest number that there
/// is for ever, since 0.6 times it is rounded to it again, and processors take a hundred times as long for such numbers.
const SMALLEST: f64 = 1e-36;

/// The number, or 0 where it is nearer to that than [`SMALLEST`].
#[inline(always)]
fn flushed<T: Element>(number: T) -> T {
    if number.abs() < T::from_f64(SMALLEST) { T::ZERO } else { number }
}

/// The constants of one [`momentum_step`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MomentumStep {
    /// How far to go.
    pub learning_rate: f64,
    /// What the momentum keeps of itself.
    pub momentum: f64,
    /// Whether the step looks ahead along the momentum.
    pub nesterov: bool,
    /// Coupled decay: this much of the weight joins the gradient.
    pub weight_decay: f64,
}

/// The constants of one [`adam_step`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamStep {
    /// What the first moment keeps of itself.
    pub beta1: f64,
    /// What the second moment keeps of itself.
    pub beta2: f64,
    /// Added to the root.
    pub eps: f64,
    /// The learning rate, with the first moment's bias correction: learning_rate / (1 - beta1^step).
    pub rate: f64,
    /// The second moment's bias correction: 1 / sqrt(1 - beta2^step).
    pub root_scale: f64,
    /// Coupled decay: this much of the weight joins the gradient.
    pub coupled_decay: f64,
    /// Decoupled decay: the weight is multiplied by this before its step.
    pub keep: f64,
}

per_isa! {
    /// weight -= learning_rate * (gradient + weight_decay * weight).
    pub fn plain_step<T>(
        learning_rate: f64,
        weight_decay: f64,
        weights: &mut [T],
        gradient: &[T],
    ) {
        let (rate, decay) = (T::from_f64(learning_rate), T::from_f64(weight_decay));
        for (w, g) in weights.iter_mut().zip(gradient) {
            *w -= rate * (*g + decay * *w);
        }
    }
}

per_isa! {
    /// g = gradient + weight_decay * weight, m = momentum * m + g, weight -= learning_rate * (nesterov ? g + momentum * m : m).
    pub fn momentum_step<T>(
        step: MomentumStep,
        weights: &mut [T],
        gradient: &[T],
        momentum: &mut [T],
    ) {
        let (rate, decay) = (T::from_f64(step.learning_rate), T::from_f64(step.weight_decay));
        let mu = T::from_f64(step.momentum);
        let state = gradient.iter().zip(momentum);
        if step.nesterov {
            for (w, (g, m)) in weights.iter_mut().zip(state) {
                let g = *g + decay * *w;
                *m = flushed(mu * *m + g);
                *w -= rate * (g + mu * *m);
            }
        } else {
            for (w, (g, m)) in weights.iter_mut().zip(state) {
                *m = flushed(mu * *m + (*g + decay * *w));
                *w -= rate * *m;
            }
        }
    }
}

per_isa! {
    /// g = gradient + coupled_decay * weight, m = beta1 * m + (1 - beta1) * g, v = beta2 * v + (1 - beta2) * g * g,
    /// weight = keep * weight - rate * m / (root_scale * sqrt(v) + eps).
    pub fn adam_step<T>(
        step: AdamStep,
        weights: &mut [T],
        gradient: &[T],
        first: &mut [T],
        second: &mut [T],
    ) {
        let (beta1, new1) = (T::from_f64(step.beta1), T::from_f64(1.0 - step.beta1));
        let (beta2, new2) = (T::from_f64(step.beta2), T::from_f64(1.0 - step.beta2));
        let (rate, root_scale) = (T::from_f64(step.rate), T::from_f64(step.root_scale));
        let (eps, decay) = (T::from_f64(step.eps), T::from_f64(step.coupled_decay));
        let keep = T::from_f64(step.keep);
        let moments = first.iter_mut().zip(second);
        for ((w, g), (m, v)) in weights.iter_mut().zip(gradient).zip(moments) {
            let g = *g + decay * *w;
            *m = flushed(beta1 * *m + new1 * g);
            *v = flushed(beta2 * *v + new2 * g * g);
            *w = keep * *w - rate * *m / (v.sqrt() * root_scale + eps);
        }
    }
}

per_isa! {
    /// m = mu * m + gradient, direction = nesterov ? gradient + mu * m : m.
    pub fn momentum_direction<T>(
        mu: f64,
        nesterov: bool,
        gradient: &[T],
        momentum: &mut [T],
        direction: &mut [T],
    ) {
        let mu = T::from_f64(mu);
        let (of_gradient, of_momentum) = if nesterov { (T::ONE, mu) } else { (T::ZERO, T::ONE) };
        for ((g, m), d) in gradient.iter().zip(momentum).zip(direction) {
            *m = flushed(mu * *m + *g);
            *d = of_gradient * *g + of_momentum * *m;
        }
    }
}

per_isa! {
    /// `to[i] = keep * to[i] + factor * from[i]`.
    pub fn blend<T>(keep: f64, to: &mut [T], factor: f64, from: &[T]) {
        let (keep, factor) = (T::from_f64(keep), T::from_f64(factor));
        to.iter_mut().zip(from).for_each(|(to, from)| *to = keep * *to + factor * *from);
    }
}
