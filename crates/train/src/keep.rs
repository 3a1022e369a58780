//! Which epoch's weights become the model.

use crate::error::TrainError;
use crate::saved;
use percept_eval::report::Report;
use percept_model::checkpoint::Checkpoint;
use percept_nn::network::Network;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Which weights become the model: those of the last epoch, or those after the epoch with the best result on the validation
/// examples (Prechelt, "Early Stopping - But When?", 1998; the training script of Yang et al., "MedMNIST v2", 2023, looks for the best AUC).
/// All epochs are trained in either case. Of equally good epochs the last one counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// The last epoch.
    #[default]
    Last,
    /// The highest validation accuracy.
    Accuracy,
    /// The largest area under the ROC curve on the validation examples, the mean over the classes.
    Auc,
    /// The lowest validation loss.
    Loss,
}

impl Keep {
    /// How good a result is, more being better. `None` where that does not count, or cannot be told: without examples of two
    /// classes there is no AUC.
    #[must_use]
    pub fn score(self, report: &Report) -> Option<f64> {
        match self {
            Self::Last => None,
            Self::Accuracy => Some(report.accuracy.value),
            Self::Auc => report.auc,
            Self::Loss => Some(-report.loss),
        }
    }
}

/// As in "the best validation ...".
impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Last => "last",
            Self::Accuracy => "accuracy",
            Self::Auc => "AUC",
            Self::Loss => "loss",
        })
    }
}

/// The best epoch so far.
#[derive(Clone, Debug)]
pub(crate) struct Best {
    epoch: u32,
    score: f64,
    network: Network,
}

const EPOCH: &str = "best_epoch";
const SCORE: &str = "best_score";

impl Best {
    /// Makes the epoch that has ended the best one, where its score is as high as that of the best so far.
    pub(crate) fn update(best: &mut Option<Self>, epoch: u32, score: f64, network: Network) {
        if best.as_ref().is_none_or(|best| score >= best.score) {
            *best = Some(Self { epoch, score, network });
        }
    }

    /// The epoch, counted from 1.
    pub(crate) fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Its weights.
    pub(crate) fn network(&self) -> &Network {
        &self.network
    }

    /// Adds itself to a checkpoint.
    pub(crate) fn put(&self, checkpoint: &mut Checkpoint) {
        checkpoint.best = saved::tensors(&self.network);
        checkpoint.numbers.insert(EPOCH.to_owned(), f64::from(self.epoch));
        checkpoint.numbers.insert(SCORE.to_owned(), self.score);
    }

    /// What a checkpoint has of it; `network` is one with the same layers.
    ///
    /// # Errors
    /// [`TrainError::Model`] where the tensors are not those of the network.
    pub(crate) fn of(
        checkpoint: &Checkpoint,
        origin: &str,
        network: &Network,
    ) -> Result<Option<Self>, TrainError> {
        let number = |name| checkpoint.numbers.get(name).copied();
        let (Some(epoch), Some(score)) = (number(EPOCH), number(SCORE)) else { return Ok(None) };
        let mut network = network.clone();
        saved::fill(&mut network, &checkpoint.best, origin)?;
        Ok(Some(Self { epoch: epoch as u32, score, network }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use percept_eval::predictions::Predictions;
    use percept_nn::spec::NetworkSpec;

    /// By hand: both are right, the first with the lower loss; one class alone has no area.
    #[test]
    fn a_score_is_higher_where_a_result_is_better() {
        let report = |probabilities: &[f32], labels: &[u32]| {
            let names = ["a", "b"].map(str::to_owned).into();
            let predictions = Predictions::new(names, probabilities.to_vec()).unwrap();
            Report::new(&predictions.with_labels(labels).unwrap()).unwrap()
        };
        let (sure, unsure) = (report(&[0.9, 0.1], &[0]), report(&[0.6, 0.4], &[0]));
        assert!(Keep::Loss.score(&sure) > Keep::Loss.score(&unsure));
        assert_eq!(Keep::Accuracy.score(&sure), Some(1.0));
        assert_eq!((Keep::Auc.score(&sure), Keep::Last.score(&sure)), (None, None));
        let both = report(&[0.9, 0.1, 0.6, 0.4], &[0, 1]);
        assert_eq!((Keep::Auc.score(&both), Keep::Accuracy.score(&both)), (Some(1.0), Some(0.5)));
    }

    #[test]
    fn the_later_of_equals_is_the_best() {
        let text = "input = [2, 2, 1]\nlayers = [{ kind = 'flatten' }, { kind = 'dense', out_features = 2 }]";
        let spec = NetworkSpec::from_toml(text).unwrap();
        let mut best = None;
        for (epoch, score) in [(1, 0.5), (2, 0.75), (3, 0.75), (4, 0.5)] {
            let network = Network::new(spec.clone(), u64::from(epoch)).unwrap();
            Best::update(&mut best, epoch, score, network);
        }
        let best = best.unwrap();
        assert_eq!(best.epoch(), 3);
        let third: Network = Network::new(spec, 3).unwrap();
        assert_eq!(best.network().values(), third.values());
    }
}
