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
    5 * strip(channels) * channels
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
    /// `x[pixel, c]` += `bias[c]`, then the greater of it and 0 where asked for.
    ///
    /// # Shapes
    /// x `[pixels, channels]`, bias `[channels]`.
    pub fn add_bias<T>(bias: &[T], relu: bool, x: &mut [T]) {
        let rows = x.chunks_exact_mut(bias.len());
        if relu {
            rows.for_each(|row| row.iter_mut().zip(bias).for_each(|(x, b)| *x = (*x + *b).relu()));
        } else {
            rows.for_each(|row| row.iter_mut().zip(bias).for_each(|(x, b)| *x += *b));
        }
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
    /// `y[pixel, c]` = `x[pixel, c]` * `scale[c]` + `shift[c]` + `other[pixel, c]`, then max with 0 where `relu` says so.
    ///
    /// # Shapes
    /// x, other and y `[pixels, channels]`, scale and shift `[channels]`, scratch of at least [`scratch_len`] numbers.
    pub fn scale_shift_add<T>(
        x: &[T], scale: &[T], shift: &[T], other: &[T], relu: bool, y: &mut [T], scratch: &mut [T],
    ) {
        let width = strip(scale.len()) * scale.len();
        let (scales, rest) = scratch.split_at_mut(width);
        let shifts = &mut rest[..width];
        repeat(scale, scales);
        repeat(shift, shifts);
        let least = if relu { T::ZERO } else { T::NEG_INFINITY };
        for ((x, other), y) in x.chunks(width).zip(other.chunks(width)).zip(y.chunks_mut(width)) {
            let factors = scales.iter().zip(&*shifts);
            for (((y, x), other), (scale, shift)) in y.iter_mut().zip(x).zip(other).zip(factors) {
                let sum = *x * *scale + *shift + *other;
                *y = if sum < least { least } else { sum };
            }
        }
    }
}

/// The scale and shift of each channel of a batch norm with a ReLU behind it: y = x * scale + shift.
pub type Normal<'a, T> = (&'a [T], &'a [T]);

per_isa! {
    /// The two sums of batch norm's backward: `grad_sum[c]` = sum of g, `product_sum[c]` = sum of g * (x - `center[c]`),
    /// where g is grad_y, or 0 where `relu` is given and its y is not positive.
    ///
    /// # Shapes
    /// x and grad_y `[pixels, channels]`, center and both sums `[channels]`, scratch of at least [`scratch_len`].
    pub fn gradient_sums<T>(
        x: &[T], center: &[T], relu: Option<Normal<'_, T>>, grad_y: &[T], grad_sum: &mut [T],
        product_sum: &mut [T], scratch: &mut [T],
    ) {
        let width = strip(center.len()) * center.len();
        let (totals, rest) = scratch.split_at_mut(width);
        let (products, rest) = rest.split_at_mut(width);
        let (centers, rest) = rest.split_at_mut(width);
        let (scales, rest) = rest.split_at_mut(width);
        let shifts = &mut rest[..width];
        totals.fill(T::ZERO);
        products.fill(T::ZERO);
        repeat(center, centers);
        if let Some((scale, shift)) = relu {
            repeat(scale, scales);
            repeat(shift, shifts);
        }
        for (x, grad_y) in x.chunks(width).zip(grad_y.chunks(width)) {
            let sums = totals.iter_mut().zip(&mut *products);
            let numbers = sums.zip(x).zip(grad_y).zip(&*centers);
            if relu.is_some() {
                let factors = scales.iter().zip(&*shifts);
                for ((((sums, x), grad_y), center), (scale, shift)) in numbers.zip(factors) {
                    let g = if *x * *scale + *shift > T::ZERO { *grad_y } else { T::ZERO };
                    *sums.0 += g;
                    *sums.1 += g * (*x - *center);
                }
            } else {
                for (((sums, x), grad_y), center) in numbers {
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
    /// `grad_x[pixel, c]` = `scale[c]` * g + `slope[c]` * `x[pixel, c]` + `shift[c]`, where g is grad_y, or 0 where `relu` is given
    /// and its y is not positive.
    ///
    /// # Shapes
    /// x, grad_y and grad_x `[pixels, channels]`, scale, slope and shift `[channels]`, scratch of [`scratch_len`].
    pub fn gradient_combine<T>(
        x: &[T], relu: Option<Normal<'_, T>>, grad_y: &[T], scale: &[T], slope: &[T], shift: &[T],
        grad_x: &mut [T], scratch: &mut [T],
    ) {
        let width = strip(scale.len()) * scale.len();
        let (scales, rest) = scratch.split_at_mut(width);
        let (slopes, rest) = rest.split_at_mut(width);
        let (shifts, rest) = rest.split_at_mut(width);
        let (y_scales, rest) = rest.split_at_mut(width);
        let y_shifts = &mut rest[..width];
        repeat(scale, scales);
        repeat(slope, slopes);
        repeat(shift, shifts);
        if let Some((scale, shift)) = relu {
            repeat(scale, y_scales);
            repeat(shift, y_shifts);
        }
        for ((x, grad_y), grad_x) in x.chunks(width).zip(grad_y.chunks(width)).zip(grad_x.chunks_mut(width)) {
            let factors = scales.iter().zip(&*slopes).zip(&*shifts);
            let numbers = grad_x.iter_mut().zip(x).zip(grad_y).zip(factors);
            if relu.is_some() {
                let normal = y_scales.iter().zip(&*y_shifts);
                for ((((grad_x, x), grad_y), ((scale, slope), shift)), (y_scale, y_shift)) in numbers.zip(normal) {
                    let g = if *x * *y_scale + *y_shift > T::ZERO { *grad_y } else { T::ZERO };
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
