//! Batch normalisation, ReLU and 2x2 max-pooling in one pass over `[rows, columns, channels]` images with an even number of
//! rows and columns: what is normalised is pooled at once and written nowhere.
//!
//! A mark of each pooled number says which of its four pixels was the first greatest (0 to 3, row by row), or that none
//! was positive ([`NONE`]), so that no gradient passes the ReLU. The sums of batch norm's backward need x at the marked pixels
//! alone: [`gradient_sums`](crate::channels::gradient_sums) of those that forward has written.

use crate::body::per_isa;

/// The mark of a pooled number that is 0.
pub const NONE: f64 = 4.0;

/// The sizes of the images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Halving {
    /// Columns of an image; rows of all images may be taken as one image.
    pub columns: usize,
    /// Channels.
    pub channels: usize,
}

/// The four pixels of a window.
#[inline(always)]
fn window<'a, T>(upper: &'a [T], lower: &'a [T], channels: usize) -> [&'a [T]; 4] {
    let (a, b) = upper.split_at(channels);
    let (c, d) = lower.split_at(channels);
    [a, &b[..channels], c, &d[..channels]]
}

per_isa! {
    /// `y[window, c]` = the greatest of max(`x[pixel, c]` * `scale[c]` + `shift[c]`, 0) over the window, NaN if one is, the
    /// `marks` of the windows, and x at the first greatest pixel, `chosen`.
    ///
    /// # Shapes
    /// x `[rows, columns, channels]`, y, marks and chosen `[rows / 2, columns / 2, channels]`, scale and shift `[channels]`.
    pub fn forward<T>(
        size: Halving, x: &[T], scale: &[T], shift: &[T], y: &mut [T], marks: &mut [T], chosen: &mut [T],
    ) {
        let Halving { columns, channels } = size;
        let row = columns * channels;
        let places = [0.0, 1.0, 2.0, 3.0].map(T::from_f64);
        let pooled = y.chunks_exact_mut(row / 2).zip(marks.chunks_exact_mut(row / 2));
        let pooled = pooled.zip(chosen.chunks_exact_mut(row / 2));
        for (rows, ((y, marks), chosen)) in x.chunks_exact(2 * row).zip(pooled) {
            let (upper, lower) = rows.split_at(row);
            let pairs = upper.chunks_exact(2 * channels).zip(lower.chunks_exact(2 * channels));
            let pooled = y.chunks_exact_mut(channels).zip(marks.chunks_exact_mut(channels));
            let pooled = pooled.zip(chosen.chunks_exact_mut(channels));
            for ((upper, lower), ((y, marks), chosen)) in pairs.zip(pooled) {
                let [a, b, c, d] = window(upper, lower, channels);
                let (scale, shift) = (&scale[..channels], &shift[..channels]);
                for i in 0..channels {
                    let normal = |x: T| (x * scale[i] + shift[i]).relu();
                    let (mut best, mut mark, mut from) = (normal(a[i]), places[0], a[i]);
                    for (x, place) in [(b[i], places[1]), (c[i], places[2]), (d[i], places[3])] {
                        let y = normal(x);
                        let greater = (y > best) | y.is_nan();
                        best = if greater { y } else { best };
                        mark = if greater { place } else { mark };
                        from = if greater { x } else { from };
                    }
                    (y[i], chosen[i]) = (best, from);
                    marks[i] = if best == T::ZERO { T::from_f64(NONE) } else { mark };
                }
            }
        }
    }
}

per_isa! {
    /// `grad_x[pixel, c]` = `scale[c]` * g + `slope[c]` * `x[pixel, c]` + `shift[c]`, where g is grad_y at the
    /// marked pixel of each window and 0 elsewhere.
    ///
    /// # Shapes
    /// As [`forward`]; grad_y as y, grad_x as x; scale, slope and shift `[channels]`.
    pub fn gradient_combine<T>(
        size: Halving, x: &[T], marks: &[T], grad_y: &[T], scale: &[T], slope: &[T], shift: &[T], grad_x: &mut [T],
    ) {
        let Halving { columns, channels } = size;
        let row = columns * channels;
        let places = [0.0, 1.0, 2.0, 3.0].map(T::from_f64);
        let (scale, slope, shift) = (&scale[..channels], &slope[..channels], &shift[..channels]);
        let pooled = marks.chunks_exact(row / 2).zip(grad_y.chunks_exact(row / 2));
        let images = x.chunks_exact(2 * row).zip(grad_x.chunks_exact_mut(2 * row));
        for ((x, grad_x), (marks, grad_y)) in images.zip(pooled) {
            let (upper, lower) = grad_x.split_at_mut(row);
            for (side, grad_x) in [upper, lower].into_iter().enumerate() {
                let x = x[side * row..][..row].chunks_exact(2 * channels);
                let [left, right] = [places[2 * side], places[2 * side + 1]];
                let pooled = marks.chunks_exact(channels).zip(grad_y.chunks_exact(channels));
                let pairs = x.zip(grad_x.chunks_exact_mut(2 * channels));
                for ((x, grad_x), (marks, grad_y)) in pairs.zip(pooled) {
                    let (x_left, x_right) = x.split_at(channels);
                    let (grad_left, grad_right) = grad_x.split_at_mut(channels);
                    for i in 0..channels {
                        let g = scale[i] * grad_y[i];
                        let (mark, rest) = (marks[i], shift[i]);
                        let at_left = if mark == left { g } else { T::ZERO };
                        let at_right = if mark == right { g } else { T::ZERO };
                        grad_left[i] = at_left + slope[i] * x_left[i] + rest;
                        grad_right[i] = at_right + slope[i] * x_right[i] + rest;
                    }
                }
            }
        }
    }
}
