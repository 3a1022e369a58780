//! Everything that is said about one list of predictions, as a value; [`crate::render`] says it.

use crate::confusion::Confusion;
use crate::error::EvalError;
use crate::metrics::{self, Averages, ClassScores, Proportion};
use crate::predictions::Predictions;
use serde::{Deserialize, Serialize};

/// The k for which top-k accuracy is reported, where there are more classes than that.
const TOP_K: [usize; 2] = [3, 5];

/// The most kinds of mistakes that a report lists.
const MOST_CONFUSED: usize = 10;

/// What a classifier is worth on one list of labelled examples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Share of right answers; its `total` is the number of examples.
    pub accuracy: Proportion,
    /// Mean loss in nats, see [`metrics::log_loss`].
    pub loss: f64,
    /// Area under the ROC curve, the mean over the classes of each against the rest, see [`metrics::roc_auc`].
    #[serde(default)]
    pub auc: Option<f64>,
    /// Top-k accuracy for some k.
    pub top_k: Vec<TopK>,
    /// Every class in the order of the labels.
    pub classes: Vec<ClassReport>,
    /// Precision, recall and F1 over all classes.
    pub averages: Averages,
    /// Counts, `confusion[true][predicted]`.
    pub confusion: Confusion,
    /// The most frequent kinds of mistakes, at most ten.
    pub most_confused: Vec<ConfusedPair>,
}

/// Accuracy where the truth may be among the k most probable classes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TopK {
    /// How many answers are allowed.
    pub k: usize,
    /// The share of examples whose truth is among them.
    pub accuracy: Proportion,
}

/// One class by name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassReport {
    /// The class's name.
    pub name: String,
    /// Its scores.
    #[serde(flatten)]
    pub scores: ClassScores,
    /// Area under the ROC curve of this class against the rest.
    #[serde(default)]
    pub auc: Option<f64>,
}

/// Examples of one class that were taken for another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfusedPair {
    /// Name of the true class.
    pub class: String,
    /// Name of the class that was predicted instead.
    pub taken_for: String,
    /// How often.
    pub count: u64,
    /// Examples of the true class.
    pub support: u64,
}

impl Report {
    /// Measures `predictions`.
    ///
    /// # Errors
    /// [`EvalError::NoLabels`] where the truth is unknown.
    pub fn new(predictions: &Predictions) -> Result<Self, EvalError> {
        let confusion = Confusion::new(predictions)?;
        let scores = metrics::per_class(&confusion);
        let areas = metrics::roc_auc(predictions)?;
        let top_k = TOP_K
            .into_iter()
            .filter(|&k| k < predictions.classes())
            .map(|k| Ok(TopK { k, accuracy: metrics::top_k_accuracy(predictions, k)? }))
            .collect::<Result<_, EvalError>>()?;
        Ok(Self {
            accuracy: metrics::accuracy(&confusion),
            loss: metrics::log_loss(predictions)?,
            auc: metrics::mean_auc(&areas),
            top_k,
            averages: metrics::averages(&scores),
            most_confused: most_confused(&confusion, predictions.class_names()),
            classes: named(predictions.class_names(), scores, &areas),
            confusion,
        })
    }
}

fn named(names: &[String], scores: Vec<ClassScores>, areas: &[Option<f64>]) -> Vec<ClassReport> {
    let classes = names.iter().zip(scores).zip(areas);
    classes
        .map(|((name, scores), auc)| ClassReport { name: name.clone(), scores, auc: *auc })
        .collect()
}

fn most_confused(confusion: &Confusion, names: &[String]) -> Vec<ConfusedPair> {
    let support = confusion.true_counts();
    let pair = |mistake: crate::confusion::Mistake| ConfusedPair {
        class: names[mistake.label].clone(),
        taken_for: names[mistake.predicted].clone(),
        count: mistake.count,
        support: support[mistake.label],
    };
    confusion.mistakes().into_iter().take(MOST_CONFUSED).map(pair).collect()
}
