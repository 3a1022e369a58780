//! What Muon does to its matrices: singular values of about 1, by Newton-Schulz iteration.

use super::matrix::{frobenius, multiply, transpose};
use super::rounded::Rounded;
use crate::compute::{Compute, Precision};
use percept_kernels::element::Element;
use percept_kernels::isa::Isa;
use percept_kernels::slices;

/// The quintic's coefficients, which have the steepest slope at zero (Jordan 2024).
const COEFFICIENTS: [f64; 3] = [3.4445, -4.7750, 2.0315];

/// The least norm that a matrix is divided by, as in PyTorch.
const EPS: f64 = 1e-7;

/// Numbers of a matrix of norm 1 that are below this would stay below 1e-11, and their squares be so small that processors
/// take a hundred times as long for them: what is left of the momentum of a filter that has died.
const NEGLIGIBLE: f64 = 1e-15;

/// Numbers of a matrix from which on bf16 operands are worth their rounding and packing.
const LARGE: usize = 1 << 16;

/// The sizes of a matrix, which is computed on as it stands or transposed, so that it has no more rows than columns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    rows: usize,
    columns: usize,
}

impl Sizes {
    pub(super) fn new((rows, columns): (usize, usize)) -> Self {
        Self { rows, columns }
    }

    fn side(self) -> usize {
        self.rows.min(self.columns)
    }

    fn length(self) -> usize {
        self.rows.max(self.columns)
    }

    fn len(self) -> usize {
        self.rows * self.columns
    }

    fn may_be_rounded(self) -> bool {
        self.len() >= LARGE && Rounded::fits(self.side(), self.length())
    }

    /// Numbers of scratch memory of [`orthogonalise`]: another matrix, two squares, and what is rounded.
    pub(super) fn scratch_len(self) -> usize {
        let rounded =
            if self.may_be_rounded() { Rounded::len(self.side(), self.length()) } else { 0 };
        self.len() + 2 * self.side() * self.side() + rounded
    }
}

/// Replaces the singular values of `matrix` [rows, columns] by about 1.
///
/// In bf16 the operands of the three products of a step are rounded where the matrix is large; sums stay fp32.
pub(super) fn orthogonalise<T: Element>(
    compute: Compute,
    sizes: Sizes,
    steps: u32,
    matrix: &mut [T],
    scratch: &mut [T],
) {
    let isa = compute.isa;
    slices::scale(isa, T::from_f64(1.0 / frobenius(isa, matrix).max(EPS)), matrix);
    slices::zero_below(isa, T::from_f64(NEGLIGIBLE), matrix);
    if compute.precision == Precision::Bf16
        && sizes.may_be_rounded()
        && let Some(matrix) = T::as_f32_mut(matrix)
        && let Some(scratch) = T::as_f32_mut(scratch)
    {
        return in_bf16(isa, sizes, steps, matrix, scratch);
    }
    in_full(isa, sizes, steps, matrix, scratch);
}

fn in_full<T: Element>(isa: Isa, sizes: Sizes, steps: u32, matrix: &mut [T], scratch: &mut [T]) {
    let (side, length, stands) = (sizes.side(), sizes.length(), sizes.rows > sizes.columns);
    let (other, squares) = scratch.split_at_mut(sizes.len());
    let (gram, square) = squares[..2 * side * side].split_at_mut(side * side);
    // `wide` is X [side, length] of the formula, `tall` its transpose.
    let (wide, tall) = if stands { (other, matrix) } else { (matrix, other) };
    if stands {
        transpose(length, side, tall, wide);
    }
    for step in 0..steps {
        if step > 0 || !stands {
            transpose(side, length, wide, tall);
        }
        multiply(isa, length, tall, tall, gram);
        multiply(isa, side, gram, gram, square);
        quintic(side, gram, square);
        // `square` is symmetric, and `tall` is free to take the product in `wide`'s layout.
        multiply(isa, side, square, wide, tall);
        wide.copy_from_slice(tall);
    }
    if stands {
        transpose(side, length, wide, tall);
    }
}

fn in_bf16(isa: Isa, sizes: Sizes, steps: u32, matrix: &mut [f32], scratch: &mut [f32]) {
    let (side, length, stands) = (sizes.side(), sizes.length(), sizes.rows > sizes.columns);
    let (other, rest) = scratch.split_at_mut(sizes.len());
    let (squares, rest) = rest.split_at_mut(2 * side * side);
    let (gram, square) = squares.split_at_mut(side * side);
    let mut rounded = Rounded::new(isa, side, length, rest);
    if stands {
        transpose(length, side, matrix, other);
    } else {
        other.copy_from_slice(matrix);
    }
    for _ in 0..steps {
        rounded.gram(length, other, gram);
        rounded.gram(side, gram, square);
        quintic(side, gram, square);
        rounded.product(square, other, matrix);
        other.copy_from_slice(matrix);
    }
    if stands {
        transpose(side, length, other, matrix);
    }
}

/// square = a I + b gram + c square, so that square * X is the iteration's next X.
fn quintic<T: Element>(side: usize, gram: &[T], square: &mut [T]) {
    let [a, b, c] = COEFFICIENTS.map(T::from_f64);
    for (s, g) in square.iter_mut().zip(gram) {
        *s = b * *g + c * *s;
    }
    square.iter_mut().step_by(side + 1).for_each(|diagonal| *diagonal += a);
}
