//! The matrix arithmetic of Muon: row-major matrices in slices, no allocation.

use percept_kernels::element::Element;

/// Columns of the right matrix that one pass works on, so that they stay in the fastest cache.
const BLOCK: usize = 256;

/// out[m, n] = sum over k of left[m, k] * right[k, n]; every sum runs over k in order.
///
/// # Shapes
/// left [rows, inner], right [inner, columns], out [rows, columns].
pub(super) fn multiply<T: Element>(
    rows: usize,
    inner: usize,
    columns: usize,
    left: &[T],
    right: &[T],
    out: &mut [T],
) {
    debug_assert_eq!((left.len(), right.len()), (rows * inner, inner * columns));
    debug_assert_eq!(out.len(), rows * columns);
    out.fill(T::ZERO);
    for start in (0..columns).step_by(BLOCK) {
        let end = columns.min(start + BLOCK);
        for (left, out) in left.chunks_exact(inner).zip(out.chunks_exact_mut(columns)) {
            let out = &mut out[start..end];
            for (x, right) in left.iter().zip(right.chunks_exact(columns)) {
                let right = &right[start..end];
                out.iter_mut().zip(right).for_each(|(sum, y)| *sum += *x * *y);
            }
        }
    }
}

/// to[column, row] = from[row, column].
///
/// # Shapes
/// from [rows, columns], to [columns, rows].
pub(super) fn transpose<T: Element>(rows: usize, columns: usize, from: &[T], to: &mut [T]) {
    debug_assert_eq!((from.len(), to.len()), (rows * columns, rows * columns));
    for (column, to) in to.chunks_exact_mut(rows).enumerate() {
        let from = from.iter().skip(column).step_by(columns);
        to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
    }
}

/// The square root of the sum of squares, in f64.
pub(super) fn frobenius<T: Element>(matrix: &[T]) -> f64 {
    crate::clip::squared_norm(matrix).sqrt()
}
