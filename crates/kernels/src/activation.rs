//! Activations: y = f(x) for each number, and grad_input = grad_output * f'(x).

use crate::body::per_isa;
use crate::element::Element;
use crate::gelu;
use crate::isa::Isa;

/// A function that is applied to each number by itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// max(x, 0); the gradient at 0 is 0.
    Relu,
    /// x where positive, slope * x elsewhere; the gradient at 0 is the slope.
    LeakyRelu {
        /// Factor of numbers that are not positive.
        slope: f64,
    },
    /// x * Phi(x) (Hendrycks and Gimpel 2016), with the exact normal distribution.
    Gelu,
    /// x * sigmoid(x) (Elfwing, Uchibe, Doya 2017).
    Silu,
    /// Hyperbolic tangent.
    Tanh,
    /// 1 / (1 + exp(-x)).
    Sigmoid,
}

impl Activation {
    /// `y[i]` = f(`x[i]`).
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn forward<T: Element>(self, isa: Isa, x: &[T], y: &mut [T]) {
        assert_eq!(x.len(), y.len(), "lengths of x and y");
        match self {
            Self::Relu => relu(isa, x, y),
            Self::LeakyRelu { slope } => leaky_relu(isa, T::from_f64(slope), x, y),
            Self::Gelu => match (T::as_f32(x), T::as_f32_mut(y)) {
                (Some(x), Some(y)) => gelu::forward(isa, x, y),
                _ => each(x, y, |x| x * phi(x)),
            },
            Self::Silu => each(x, y, |x| x * sigmoid(x)),
            Self::Tanh => each(x, y, T::tanh),
            Self::Sigmoid => each(x, y, sigmoid),
        }
    }

    /// `grad_x[i]` = `grad_y[i]` * f'(`x[i]`), given also y = f(x).
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn backward<T: Element>(self, isa: Isa, x: &[T], y: &[T], grad_y: &[T], grad_x: &mut [T]) {
        let lengths = [y.len(), grad_y.len(), grad_x.len()];
        assert!(lengths.iter().all(|len| *len == x.len()), "lengths of x, y and their gradients");
        match self {
            Self::Relu => relu_backward(isa, y, grad_y, grad_x),
            Self::LeakyRelu { slope } => {
                leaky_relu_backward(isa, T::from_f64(slope), x, grad_y, grad_x);
            }
            Self::Gelu => match (T::as_f32(x), T::as_f32(grad_y), T::as_f32_mut(grad_x)) {
                (Some(x), Some(grad_y), Some(grad_x)) => gelu::backward(isa, x, grad_y, grad_x),
                _ => each_backward(x, grad_y, grad_x, |x| {
                    let density = (T::from_f64(-0.5) * x * x).exp() * T::from_f64(INV_SQRT_TAU);
                    phi(x) + x * density
                }),
            },
            Self::Silu => each_backward(x, grad_y, grad_x, |x| {
                let s = sigmoid(x);
                s * (T::ONE + x * (T::ONE - s))
            }),
            Self::Tanh => each_backward(y, grad_y, grad_x, |y| T::ONE - y * y),
            Self::Sigmoid => each_backward(y, grad_y, grad_x, |y| y * (T::ONE - y)),
        }
    }
}

/// 1 / sqrt(2 pi).
const INV_SQRT_TAU: f64 = 0.398_942_280_401_432_7;

/// The normal distribution function.
fn phi<T: Element>(x: T) -> T {
    let half = T::from_f64(0.5);
    half * (T::ONE + (x * T::from_f64(core::f64::consts::FRAC_1_SQRT_2)).erf())
}

/// Never overflows: exp is only taken of numbers that are not positive.
fn sigmoid<T: Element>(x: T) -> T {
    let e = (-x.abs()).exp();
    if x < T::ZERO { e / (T::ONE + e) } else { T::ONE / (T::ONE + e) }
}

fn each<T: Element>(x: &[T], y: &mut [T], f: impl Fn(T) -> T) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y = f(*x));
}

fn each_backward<T: Element>(at: &[T], grad_y: &[T], grad_x: &mut [T], slope: impl Fn(T) -> T) {
    for ((grad_x, grad_y), at) in grad_x.iter_mut().zip(grad_y).zip(at) {
        *grad_x = *grad_y * slope(*at);
    }
}

per_isa! {
    /// `y[i]` = max(`x[i]`, 0).
    pub fn relu<T>(x: &[T], y: &mut [T]) {
        for (y, x) in y.iter_mut().zip(x) {
            *y = x.relu();
        }
    }
}

per_isa! {
    /// `y[i]` = max(`a[i]` + `b[i]`, 0).
    pub fn relu_of_sum<T>(a: &[T], b: &[T], y: &mut [T]) {
        for ((y, a), b) in y.iter_mut().zip(a).zip(b) {
            *y = (*a + *b).relu();
        }
    }
}

per_isa! {
    /// `grad_x[i]` = `grad_y[i]` where `y[i]` > 0, else 0.
    pub fn relu_backward<T>(y: &[T], grad_y: &[T], grad_x: &mut [T]) {
        for ((grad_x, grad_y), y) in grad_x.iter_mut().zip(grad_y).zip(y) {
            *grad_x = if *y > T::ZERO { *grad_y } else { T::ZERO };
        }
    }
}

per_isa! {
    /// `y[i]` = `x[i]` where positive, slope * `x[i]` elsewhere.
    pub fn leaky_relu<T>(slope: T, x: &[T], y: &mut [T]) {
        for (y, x) in y.iter_mut().zip(x) {
            *y = if *x > T::ZERO { *x } else { slope * *x };
        }
    }
}

per_isa! {
    /// `grad_x[i]` = `grad_y[i]` where `x[i]` > 0, else slope * `grad_y[i]`.
    pub fn leaky_relu_backward<T>(slope: T, x: &[T], grad_y: &[T], grad_x: &mut [T]) {
        for ((grad_x, grad_y), x) in grad_x.iter_mut().zip(grad_y).zip(x) {
            *grad_x = if *x > T::ZERO { *grad_y } else { slope * *grad_y };
        }
    }
}

per_isa! {
    /// `grad[i]` = 0 where `y[i]` is not positive: ReLU's backward in place.
    pub fn relu_mask<T>(y: &[T], grad: &mut [T]) {
        for (grad, y) in grad.iter_mut().zip(y) {
            *grad = if *y > T::ZERO { *grad } else { T::ZERO };
        }
    }
}
