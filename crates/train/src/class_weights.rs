//! Weights for classes of which some have many more examples than others.

/// Weights in inverse proportion to how many examples each class has: n / (K * `examples[k]`) for n examples of K classes, so
/// that the classes count alike and the weights of all examples add up to n. scikit-learn's `class_weight="balanced"` (King
/// and Zeng, "Logistic regression in rare events data", 2001).
///
/// A class without examples has weight 0, and is none of the K.
///
/// ```
/// use percept_train::class_weights::balanced;
/// assert_eq!(balanced(&[30, 10]), [40.0 / 60.0, 40.0 / 20.0]);
/// ```
#[must_use]
pub fn balanced(examples: &[usize]) -> Vec<f64> {
    let total: usize = examples.iter().sum();
    let classes = examples.iter().filter(|count| **count > 0).count();
    let weight = |count: &usize| match *count {
        0 => 0.0,
        count => total as f64 / (classes * count) as f64,
    };
    examples.iter().map(weight).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers by scikit-learn 1.9.1:
    /// `compute_class_weight("balanced", classes=[0, 1, 3], y=[0] * 7 + [1] * 2 + [3] * 11)`.
    #[test]
    fn weights_are_those_of_scikit_learn() {
        let expected =
            [0.952_380_952_380_952_3, 3.333_333_333_333_333_5, 0.0, 0.606_060_606_060_606_1];
        for (got, want) in balanced(&[7, 2, 0, 11]).iter().zip(expected) {
            // One division, rounded; written with 16 digits.
            assert!((got - want).abs() < 1e-15 * 4.0, "{got} {want}");
        }
        assert_eq!(balanced(&[5, 5, 5]), [1.0; 3]);
        assert_eq!(balanced(&[0, 0]), [0.0; 2]);
    }
}
