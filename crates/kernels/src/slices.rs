//! Whole slices added, multiplied and measured.

use crate::body::per_isa;
use crate::element::Element;

per_isa! {
    /// `to[i]` += `from[i]`.
    pub fn add<T>(from: &[T], to: &mut [T]) {
        to.iter_mut().zip(from).for_each(|(to, from)| *to += *from);
    }
}

per_isa! {
    /// `out[i]` = `a[i]` + `b[i]`.
    pub fn sum_of<T>(a: &[T], b: &[T], out: &mut [T]) {
        for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
            *out = *a + *b;
        }
    }
}

per_isa! {
    /// `out[i]` = `a[i]` * `b[i]`.
    pub fn product_of<T>(a: &[T], b: &[T], out: &mut [T]) {
        for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
            *out = *a * *b;
        }
    }
}

per_isa! {
    /// `values[i]` *= factor.
    pub fn scale<T>(factor: T, values: &mut [T]) {
        values.iter_mut().for_each(|value| *value *= factor);
    }
}

per_isa! {
    /// The sum of squares in f64, added in 16 interleaved sums and then in order: the same for every body.
    pub fn norm_squared<T>(values: &[T]) -> f64 {
        let mut sums = [0.0_f64; 16];
        let rows = values.chunks_exact(16);
        let tail = rows.remainder();
        for row in rows {
            for (sum, value) in sums.iter_mut().zip(row) {
                let value = value.to_f64();
                *sum += value * value;
            }
        }
        sums.iter().sum::<f64>() + tail.iter().map(|x| x.to_f64() * x.to_f64()).sum::<f64>()
    }
}

per_isa! {
    /// `values[i]` = 0 where its absolute value is below `bound`.
    pub fn zero_below<T>(bound: T, values: &mut [T]) {
        values.iter_mut().for_each(|value| *value = if value.abs() < bound { T::ZERO } else { *value });
    }
}

/// The place of the first number that is infinite or NaN.
#[must_use]
pub fn first_not_finite<T: Element>(values: &[T]) -> Option<usize> {
    values.iter().position(|value| !value.is_finite())
}
