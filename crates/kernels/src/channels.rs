//! Sums, scales and normalisations per channel of `[pixels, channels]` data.
//!
//! A narrow row of channels would leave vector lanes idle, so the loops run over several pixels at once: a "strip" of
//! [`strip`] pixels, with the per-channel numbers repeated for each of them.

use crate::body::per_isa;
use crate::element::Element;

/// Pixels that are treated as one row of numbers: enough to fill vectors, few enough to stay in the first cache.
#[must_use]
pub const fn strip(channels: usize) -> usize {
    let pixels = 192 / if channels == 0 { 1 } else { channels };
    if pixels == 0 { 1 } else { pixels }
}

/// Numbers of scratch memory that the functions of this module ask for.
#[must_use]
pub const fn scratch_len(channels: usize) -> usize {
    4 * strip(channels) * channels
}

/// Repeats the numbers of `values` until `row` is full.
#[inline(always)]
fn repeat<T: Element>(values: &[T], row: &mut [T]) {
    row.chunks_exact_mut(values.len()).for_each(|to| to.copy_from_slice(values));
}

/// Adds the strips of `row` into one row of channels.
#[inline(always)]
fn fold<T: Element>(row: &[T], sums: &mut [T]) {
    sums.fill(T::ZERO);
    for part in row.chunks_exact(sums.len()) {
        sums.iter_mut().zip(part).for_each(|(sum, x)| *sum += *x);
    }
}

per_isa! {
    /// `sums[c]` = sum over pixels of `x[pixel, c]`.
    ///
    /// # Shapes
    /// x `[pixels, channels]`, sums `[channels]`, scratch of at least [`scratch_len`] numbers.
    pub fn sum<T>(x: &[T], sums: &mut [T], scratch: &mut [T]) {
        let width = strip(sums.len()) * sums.len();
        let totals = &mut scratch[..width];
        totals.fill(T::ZERO);
        for row in x.chunks(width) {
            totals.iter_mut().zip(row).for_each(|(total, x)| *total += *x);
        }
        fold(totals, sums);
    }
}

per_isa! {
    /// `sums[c]` = sum over pixels of (`x[pixel, c]` - `center[c]`)^2.
    ///
    /// # Shapes
    /// x `[pixels, channels]`, center and sums `[channels]`, scratch of at least [`scratch_len`] numbers.
    pub fn sum_of_squares<T>(x: &[T], center: &[T], sums: &mut [T], scratch: &mut [T]) {
        let width = strip(sums.len()) * sums.len();
        let (totals, rest) = scratch.split_at_mut(width);
        let centers = &mut rest[..width];
        totals.fill(T::ZERO);
        repeat(center, centers);
        for row in x.chunks(width) {
            for ((total, x), center) in totals.iter_mut().zip(row).zip(&*centers) {
                let d = *x - *center;
                *total += d * d;
            }
        }
        fold(totals, sums);
    }
}

per_isa! {
    /// `y[pixel, c]` = `x[pixel, c]` * `scale[c]` + `shift[c]`, then max with 0 where `relu` says so.
    ///
    /// # Shapes
    /// x and y `[pixels, channels]`, scale and shift `[channels]`, scratch of at least [`scratch_len`] numbers.
    pub fn scale_shift<T>(
        x: &[T], scale: &[T], shift: &[T], relu: bool, y: &mut [T], scratch: &mut [T],
    ) {
        let width = strip(scale.len()) * scale.len();
        let (scales, rest) = scratch.split_at_mut(width);
        let shifts = &mut rest[..width];
        repeat(scale, scales);
        repeat(shift, shifts);
        for (x, y) in x.chunks(width).zip(y.chunks_mut(width)) {
            if relu {
                for (((y, x), scale), shift) in y.iter_mut().zip(x).zip(&*scales).zip(&*shifts) {
                    *y = (*x * *scale + *shift).relu();
                }
            } else {
                for (((y, x), scale), shift) in y.iter_mut().zip(x).zip(&*scales).zip(&*shifts) {
                    *y = *x * *scale + *shift;
                }
            }
        }
    }
}

per_isa! {
    /// The two sums of batch norm's backward: `grad_sum[c]` = sum of g, `product_sum[c]` = sum of g * (x - `center[c]`),
    /// where g is grad_y, or 0 where `y` is given and not positive (the ReLU behind it).
    ///
    /// # Shapes
    /// x, y and grad_y `[pixels, channels]`, center and both sums `[channels]`, scratch of at least [`scratch_len`].
    pub fn gradient_sums<T>(
        x: &[T], center: &[T], y: Option<&[T]>, grad_y: &[T], grad_sum: &mut [T], product_sum: &mut [T],
        scratch: &mut [T],
    ) {
        let width = strip(center.len()) * center.len();
        let (totals, rest) = scratch.split_at_mut(width);
        let (products, rest) = rest.split_at_mut(width);
        let centers = &mut rest[..width];
        totals.fill(T::ZERO);
        products.fill(T::ZERO);
        repeat(center, centers);
        for (index, (x, grad_y)) in x.chunks(width).zip(grad_y.chunks(width)).enumerate() {
            let sums = totals.iter_mut().zip(&mut *products);
            if let Some(y) = y {
                let y = &y[index * width..][..x.len()];
                for ((((sums, x), grad_y), center), y) in sums.zip(x).zip(grad_y).zip(&*centers).zip(y) {
                    let g = if *y > T::ZERO { *grad_y } else { T::ZERO };
                    *sums.0 += g;
                    *sums.1 += g * (*x - *center);
                }
            } else {
                for (((sums, x), grad_y), center) in sums.zip(x).zip(grad_y).zip(&*centers) {
                    *sums.0 += *grad_y;
                    *sums.1 += *grad_y * (*x - *center);
                }
            }
        }
        fold(totals, grad_sum);
        fold(products, product_sum);
    }
}

per_isa! {
    /// `grad_x[pixel, c]` = `scale[c]` * g + `slope[c]` * `x[pixel, c]` + `shift[c]`, where g is grad_y, or 0 where `y` is given
    /// and not positive.
    ///
    /// # Shapes
    /// x, y, grad_y and grad_x `[pixels, channels]`, scale, slope and shift `[channels]`, scratch of [`scratch_len`].
    pub fn gradient_combine<T>(
        x: &[T], y: Option<&[T]>, grad_y: &[T], scale: &[T], slope: &[T], shift: &[T], grad_x: &mut [T],
        scratch: &mut [T],
    ) {
        let width = strip(scale.len()) * scale.len();
        let (scales, rest) = scratch.split_at_mut(width);
        let (slopes, rest) = rest.split_at_mut(width);
        let shifts = &mut rest[..width];
        repeat(scale, scales);
        repeat(slope, slopes);
        repeat(shift, shifts);
        let rows = x.chunks(width).zip(grad_y.chunks(width)).zip(grad_x.chunks_mut(width));
        for (index, ((x, grad_y), grad_x)) in rows.enumerate() {
            let factors = scales.iter().zip(&*slopes).zip(&*shifts);
            let numbers = grad_x.iter_mut().zip(x).zip(grad_y).zip(factors);
            if let Some(y) = y {
                let y = &y[index * width..][..x.len()];
                for ((((grad_x, x), grad_y), ((scale, slope), shift)), y) in numbers.zip(y) {
                    let g = if *y > T::ZERO { *grad_y } else { T::ZERO };
                    *grad_x = *scale * g + *slope * *x + *shift;
                }
            } else {
                for (((grad_x, x), grad_y), ((scale, slope), shift)) in numbers {
                    *grad_x = *scale * *grad_y + *slope * *x + *shift;
                }
            }
        }
    }
}
