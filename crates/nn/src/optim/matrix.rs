//! The matrix arithmetic of Muon: row-major matrices in slices, no allocation.

use percept_kernels::element::Element;
use percept_kernels::isa::Isa;
use percept_kernels::product::{Grid, Left, multiply_transposed};
use percept_kernels::slices;

/// `out = left^T right`: `out[k, n] = sum over m of left[m, k] * right[m, n]`.
///
/// # Shapes
/// left [rows, k], right [rows, n], out [k, n].
pub(super) fn multiply<T: Element>(isa: Isa, rows: usize, left: &[T], right: &[T], out: &mut [T]) {
    let (k, n) = (left.len() / rows, right.len() / rows);
    let geometry = Left { rows: Grid::line(rows, k), runs: Grid::line(1, 0), run: k };
    out.fill(T::ZERO);
    multiply_transposed(isa, &geometry, left, &Grid::line(rows, n), right, n, out, n);
}

/// `to[column, row] = from[row, column]`.
///
/// # Shapes
/// from [rows, columns], to [columns, rows].
pub(super) fn transpose<T: Element>(rows: usize, columns: usize, from: &[T], to: &mut [T]) {
    debug_assert_eq!((from.len(), to.len()), (rows * columns, rows * columns));
    // Blocks, so that each cache line that is read is read once.
    for first in (0..rows).step_by(BLOCK) {
        let count = BLOCK.min(rows - first);
        for column in 0..columns {
            let from = from[first * columns + column..].iter().step_by(columns);
            let to = &mut to[column * rows + first..][..count];
            to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
        }
    }
}

/// Rows that are transposed together: a cache line of fp32 numbers.
const BLOCK: usize = 16;

/// The square root of the sum of squares, in f64.
pub(super) fn frobenius<T: Element>(isa: Isa, matrix: &[T]) -> f64 {
    slices::norm_squared(isa, matrix).sqrt()
}
