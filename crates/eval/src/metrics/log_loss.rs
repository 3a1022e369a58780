//! The mean surprise at the truth.

use crate::error::EvalError;
use crate::predictions::Predictions;

/// Mean over all examples of -ln(probability of the true class), in nats: 0 is certain and right, ln K is guessing.
///
/// Where the predictions carry losses their mean is taken. Otherwise the probabilities are clipped at f64's epsilon,
/// as scikit-learn's `log_loss` does with float64, so that one certain mistake costs 36 nats and not infinity.
///
/// # Errors
/// [`EvalError::NoLabels`] where neither losses nor labels are known.
pub fn log_loss(predictions: &Predictions) -> Result<f64, EvalError> {
    let examples = predictions.len() as f64;
    if let Some(losses) = predictions.losses() {
        return Ok(losses.iter().sum::<f64>() / examples);
    }
    let surprise = |(row, &label): (&[f32], &usize)| -f64::from(row[label]).max(f64::EPSILON).ln();
    let sum: f64 = predictions.rows().zip(predictions.labels()?).map(surprise).sum();
    // -ln 1 is -0.
    Ok((sum / examples).max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_classes(probabilities: Vec<f32>) -> Predictions {
        Predictions::new(vec!["a".to_owned(), "b".to_owned()], probabilities).expect("valid")
    }

    #[test]
    fn is_the_mean_of_minus_ln() {
        let predictions =
            two_classes(vec![0.5, 0.5, 0.25, 0.75]).with_labels(&[0, 0]).expect("valid");
        // (ln 2 + ln 4) / 2 = 1.5 ln 2
        let expected = 1.5 * std::f64::consts::LN_2;
        assert!((log_loss(&predictions).expect("labelled") - expected).abs() < 1e-15);
    }

    #[test]
    fn a_certain_mistake_costs_a_finite_price() {
        let predictions = two_classes(vec![0.0, 1.0]).with_labels(&[0]).expect("valid");
        assert_eq!(log_loss(&predictions), Ok(-f64::EPSILON.ln()));
        let right = two_classes(vec![0.0, 1.0]).with_labels(&[1]).expect("valid");
        assert_eq!(log_loss(&right).map(f64::to_bits), Ok(0));
    }

    #[test]
    fn given_losses_come_first() {
        let predictions = two_classes(vec![0.0, 1.0]).with_losses(vec![80.0]).expect("valid");
        assert_eq!(log_loss(&predictions), Ok(80.0));
        assert_eq!(log_loss(&two_classes(vec![0.0, 1.0])), Err(EvalError::NoLabels));
    }
}
