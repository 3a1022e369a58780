//! The transforms of a line of numbers, whole vectors at a time; a two-dimensional transform does the columns, then the
//! rows. [`super::scalar`] has the same transforms as matrices.
#![cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]

use crate::vector::Vector;

/// A linear map from N numbers to P numbers.
pub(super) trait Line<const N: usize, const P: usize> {
    /// # Safety
    /// [`Vector`]'s.
    unsafe fn apply<V: Vector>(x: [V; N]) -> [V; P];
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
    #[inline(always)]
    unsafe fn apply<V: Vector>([a, b, c, d, e, f]: [V; 6]) -> [V; 6] {
        // SAFETY: the caller's.
        unsafe {
            let [two, minus_two, four, minus_four, minus_five] =
                [2.0, -2.0, 4.0, -4.0, -5.0].map(|factor| V::splat(factor));
            let (near_even, near_odd) =
                (e.add_product(c, minus_four), d.add_product(b, minus_four));
            let (far_even, far_odd) = (e.sub(c), d.sub(b));
            [
                e.add_product(c, minus_five).add_product(a, four),
                near_even.add(near_odd),
                near_even.sub(near_odd),
                far_even.add_product(far_odd, two),
                far_even.add_product(far_odd, minus_two),
                f.add_product(d, minus_five).add_product(b, four),
            ]
        }
    }
}

impl Line<6, 4> for Pixels {
    #[inline(always)]
    unsafe fn apply<V: Vector>([a, b, c, d, e, f]: [V; 6]) -> [V; 4] {
        // SAFETY: the caller's.
        unsafe {
            let [two, four, eight] = [2.0, 4.0, 8.0].map(|factor| V::splat(factor));
            let (near_even, near_odd) = (b.add(c), b.sub(c));
            let (far_even, far_odd) = (d.add(e), d.sub(e));
            [
                a.add(near_even).add(far_even),
                near_odd.add_product(far_odd, two),
                near_even.add_product(far_even, four),
                near_odd.add(f).add_product(far_odd, eight),
            ]
        }
    }
}

impl Line<4, 6> for Gradient {
    #[inline(always)]
    unsafe fn apply<V: Vector>([a, b, c, d]: [V; 4]) -> [V; 6] {
        // SAFETY: the caller's.
        unsafe {
            let [two, minus_two, four] = [2.0, -2.0, 4.0].map(|factor| V::splat(factor));
            let (near_even, near_odd) = (a.add(c), b.add(d));
            let (far_even, far_odd) = (a.add_product(c, four), b.add_product(d, four));
            [
                a,
                near_even.add(near_odd),
                near_even.sub(near_odd),
                far_even.add_product(far_odd, two),
                far_even.add_product(far_odd, minus_two),
                d,
            ]
        }
    }
}
