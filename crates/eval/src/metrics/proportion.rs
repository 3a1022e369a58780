//! A share of counted examples, and how well so many examples can know it.

use serde::{Deserialize, Serialize};

/// The normal distribution's 97.5 % quantile: 95 % lie within this many standard deviations.
const Z_95: f64 = 1.959_963_984_540_054;

/// `correct` of `total` examples with the 95 % Wilson score interval (Wilson 1927).
///
/// With p = correct / total and z = 1.96 the interval is
/// (p + z²/2n ± z sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n). Unlike p ± z sqrt(p(1-p)/n) it stays inside 0 to 1 and is
/// honest near both ends, where good classifiers are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proportion {
    /// Examples counted in favour.
    pub correct: u64,
    /// Examples counted.
    pub total: u64,
    /// `correct / total`, in 0 to 1; 0 where nothing was counted.
    pub value: f64,
    /// Lower end of the 95 % interval, in 0 to `value`.
    pub low: f64,
    /// Upper end of the 95 % interval, in `value` to 1.
    pub high: f64,
}

impl Proportion {
    /// The share and its interval; from 0 to 1 where nothing was counted. `correct` is at most `total`.
    ///
    /// ```
    /// let p = percept_eval::metrics::Proportion::new(9955, 10_000);
    /// assert!(p.low < 0.9955 && 0.9955 < p.high);
    /// ```
    #[must_use]
    pub fn new(correct: u64, total: u64) -> Self {
        if total == 0 {
            return Self { correct, total, value: 0.0, low: 0.0, high: 1.0 };
        }
        let n = total as f64;
        let p = correct as f64 / n;
        let z2 = Z_95 * Z_95;
        let middle = p + z2 / (2.0 * n);
        let reach = Z_95 * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
        let scale = 1.0 + z2 / n;
        // At both ends the formula gives exactly p; rounding must not move the end past it.
        let low = ((middle - reach) / scale).clamp(0.0, p);
        let high = ((middle + reach) / scale).clamp(p, 1.0);
        Self { correct, total, value: p, low, high }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `binomtest(correct, total).proportion_ci(method="wilson")` of SciPy 1.17.1.
    #[test]
    fn agrees_with_scipy() {
        let known = [
            (0, 10, 0.0, 0.277_532_799_862_889_26),
            (10, 10, 0.722_467_200_137_110_9, 1.0),
            (5, 10, 0.236_593_090_512_564, 0.763_406_909_487_436_1),
            (3, 7, 0.158_219_855_251_469_7, 0.749_541_635_472_342_8),
            (9955, 10_000, 0.993_984_428_906_251_3, 0.996_635_028_708_408_1),
        ];
        for (correct, total, low, high) in known {
            let p = Proportion::new(correct, total);
            assert!((p.low - low).abs() < 1e-14, "{correct} of {total}: {} is not {low}", p.low);
            assert!(
                (p.high - high).abs() < 1e-14,
                "{correct} of {total}: {} is not {high}",
                p.high
            );
        }
    }

    #[test]
    fn nothing_counted_is_nothing_known() {
        let p = Proportion::new(0, 0);
        assert_eq!((p.value, p.low, p.high), (0.0, 0.0, 1.0));
    }

    proptest! {
        #[test]
        fn holds_its_value_and_mirrors(total in 1u64..1_000_000, share in 0.0f64..=1.0) {
            let correct = (total as f64 * share) as u64;
            let (p, q) = (Proportion::new(correct, total), Proportion::new(total - correct, total));
            prop_assert!(0.0 <= p.low && p.low <= p.value && p.value <= p.high && p.high <= 1.0);
            prop_assert!((p.low - (1.0 - q.high)).abs() < 1e-9);
        }
    }
}
