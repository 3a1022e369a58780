//! The transforms of a line of numbers, whole vectors at a time; a two-dimensional transform does the columns, then the
//! rows. [`super::scalar`] has the same transforms as matrices.
#![cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]

use super::block::HALF;
use super::{FAR, NEAR};
use crate::vector::Vector;

/// A linear map from N numbers to P numbers.
pub(super) trait Line<const N: usize, const P: usize> {
    /// # Safety
    /// [`Vector`]'s.
    unsafe fn apply<V: Vector>(x: [V; N]) -> [V; P];

    /// Whether tiles at an edge may be halves of this line's.
    const HAS_HALF: bool = false;

    /// Which of a whole tile's line of points a point of this line is.
    #[inline(always)]
    fn place(point: usize) -> usize {
        point
    }
}

/// The transforms of a tile of OUT pixels that sees IN.
pub(super) trait Scheme<const OUT: usize, const IN: usize> {
    /// Bt: a window to points.
    type Window: Line<IN, IN>;
    /// At: points to pixels.
    type Pixels: Line<IN, OUT>;
    /// A: the gradient by pixels to that by points.
    type Gradient: Line<OUT, IN>;
}

/// F(2, 3).
pub(super) struct Two;
/// F(4, 3).
pub(super) struct Four;
pub(super) struct Window;
pub(super) struct Pixels;
pub(super) struct Gradient;
/// F(2, 3) at four of the points of F(4, 3), with its factors: 0, plus and minus 2/3, infinity.
pub(super) struct HalfWindow;
/// As [`HalfWindow`].
pub(super) struct HalfPixels;
/// As [`HalfWindow`].
pub(super) struct HalfGradient;

impl Scheme<2, 4> for Two {
    type Window = Window;
    type Pixels = Pixels;
    type Gradient = Gradient;
}

impl Scheme<4, 6> for Four {
    type Window = Window;
    type Pixels = Pixels;
    type Gradient = Gradient;
}

/// (1 0 -9/4 0), (0 -65/54 -65/36 0), (0 65/54 -65/36 0), (0 -4/9 0 1): Lagrange's polynomials over the factors that F(4, 3) has
/// for the weights and pixels at these points.
impl Line<4, 4> for HalfWindow {
    #[inline(always)]
    unsafe fn apply<V: Vector>([a, b, c, d]: [V; 4]) -> [V; 4] {
        // SAFETY: the caller's.
        unsafe {
            let factor = |factor: f64| V::splat(factor as f32);
            let even = V::zero().add_product(c, factor(-65.0 / 36.0));
            [
                a.add_product(c, factor(-FAR * FAR)),
                even.add_product(b, factor(-65.0 / 54.0)),
                even.add_product(b, factor(65.0 / 54.0)),
                d.add_product(b, factor(-NEAR * NEAR)),
            ]
        }
    }

    #[inline(always)]
    fn place(point: usize) -> usize {
        HALF[point]
    }
}

/// (1 3/2 -3/2 0), (0 1 1 1).
impl Line<4, 2> for HalfPixels {
    #[inline(always)]
    unsafe fn apply<V: Vector>([a, b, c, d]: [V; 4]) -> [V; 2] {
        // SAFETY: the caller's.
        unsafe { [a.add_product(b.sub(c), V::splat(FAR as f32)), b.add(c).add(d)] }
    }

    #[inline(always)]
    fn place(point: usize) -> usize {
        HALF[point]
    }
}

/// The transpose of [`HalfPixels`].
impl Line<2, 4> for HalfGradient {
    #[inline(always)]
    unsafe fn apply<V: Vector>([a, b]: [V; 2]) -> [V; 4] {
        // SAFETY: the caller's.
        unsafe {
            let [plus, minus] = [FAR, -FAR].map(|x| V::splat(x as f32));
            [a, b.add_product(a, plus), b.add_product(a, minus), b]
        }
    }

    #[inline(always)]
    fn place(point: usize) -> usize {
        HALF[point]
    }
}

impl Line<4, 4> for Window {
    #[inline(always)]
    unsafe fn apply<V: Vector>([a, b, c, d]: [V; 4]) -> [V; 4] {
        // SAFETY: the caller's.
        unsafe { [a.sub(c), b.add(c), c.sub(b), b.sub(d)] }
    }
}

impl Line<4, 2> for Pixels {
    #[inline(always)]
    unsafe fn apply<V: Vector>([a, b, c, d]: [V; 4]) -> [V; 2] {
        // SAFETY: the caller's.
        unsafe { [a.add(b).add(c), b.sub(c).sub(d)] }
    }
}

impl Line<2, 4> for Gradient {
    #[inline(always)]
    unsafe fn apply<V: Vector>([a, b]: [V; 2]) -> [V; 4] {
        // SAFETY: the caller's.
        unsafe { [a, a.add(b), a.sub(b), V::zero().sub(b)] }
    }
}

impl Line<6, 6> for Window {
    const HAS_HALF: bool = true;

    #[inline(always)]
    unsafe fn apply<V: Vector>([a, b, c, d, e, f]: [V; 6]) -> [V; 6] {
        // SAFETY: the caller's.
        unsafe {
            let factor = |factor: f64| V::splat(factor as f32);
            let [minus_near, minus_far] = [-NEAR * NEAR, -FAR * FAR].map(factor);
            let minus_both = factor(-NEAR * NEAR - FAR * FAR);
            let (near_even, near_odd) = (e.add_product(c, minus_far), d.add_product(b, minus_far));
            let (far_even, far_odd) = (e.add_product(c, minus_near), d.add_product(b, minus_near));
            [
                e.add(a).add_product(c, minus_both),
                near_even.add_product(near_odd, factor(NEAR)),
                near_even.add_product(near_odd, factor(-NEAR)),
                far_even.add_product(far_odd, factor(FAR)),
                far_even.add_product(far_odd, factor(-FAR)),
                f.add(b).add_product(d, minus_both),
            ]
        }
    }
}

impl Line<6, 4> for Pixels {
    const HAS_HALF: bool = true;

    #[inline(always)]
    unsafe fn apply<V: Vector>([a, b, c, d, e, f]: [V; 6]) -> [V; 4] {
        // SAFETY: the caller's.
        unsafe {
            let [near, far, square] = [NEAR, FAR, NEAR * NEAR].map(|x| V::splat(x as f32));
            let (near_even, near_odd) = (b.sub(c), b.add(c));
            let (far_even, far_odd) = (d.add(e), d.sub(e));
            [
                a.add_product(near_even, far).add_product(far_even, square),
                near_odd.add_product(far_odd, near),
                far_even.add_product(near_even, near),
                f.add_product(near_odd, square).add_product(far_odd, far),
            ]
        }
    }
}

impl Line<4, 6> for Gradient {
    const HAS_HALF: bool = true;

    #[inline(always)]
    unsafe fn apply<V: Vector>([a, b, c, d]: [V; 4]) -> [V; 6] {
        // SAFETY: the caller's.
        unsafe {
            let factor = |factor: f64| V::splat(factor as f32);
            let [near_square, far_square] = [NEAR * NEAR, FAR * FAR].map(factor);
            let (near_even, near_odd) =
                (a.add_product(c, near_square), b.add_product(d, near_square));
            let (far_even, far_odd) = (c.add_product(a, near_square), b.add_product(d, far_square));
            [
                a,
                near_odd.add_product(near_even, factor(FAR)),
                near_odd.add_product(near_even, factor(-FAR)),
                far_even.add_product(far_odd, factor(NEAR)),
                far_even.add_product(far_odd, factor(-NEAR)),
                d,
            ]
        }
    }
}
