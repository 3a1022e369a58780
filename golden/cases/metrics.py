"""Metrics of classifications, by scikit-learn and scipy."""

import numpy as np
from scipy.stats import binomtest
from sklearn import metrics

from .fixture import flat, generator, short

AVERAGES = ["macro", "micro", "weighted"]


def probabilities(rng, y_pred, classes):
    """Rows that sum to 1 and whose greatest number is the prediction's."""
    rows = rng.dirichlet(np.ones(classes), len(y_pred))
    for row, predicted in zip(rows, y_pred):
        greatest = row.argmax()
        row[[predicted, greatest]] = row[[greatest, predicted]]
    rows = np.maximum(np.round(rows, 6), 1e-6)
    for row, predicted in zip(rows, y_pred):
        row[predicted] = np.round(1.0 - (row.sum() - row[predicted]), 6)
    assert (rows.argmax(axis=1) == y_pred).all()
    return rows


def labels_of(confusion):
    """The true and the predicted labels that a confusion matrix counts, in its order."""
    pairs = [(t, p) for t, row in enumerate(confusion) for p, count in enumerate(row) for _ in range(count)]
    return tuple(np.array(pairs).T)


def per_class(y_true, y_pred, labels):
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        y_true, y_pred, labels=labels, zero_division=0)
    return {"precision": flat(precision), "recall": flat(recall), "f1": flat(f1), "support": support.tolist()}


def averages(y_true, y_pred, labels):
    found = {}
    for average in AVERAGES:
        # Classes without examples are left out of the mean of classes.
        counted = np.unique(y_true) if average == "macro" else labels
        precision, recall, f1, _ = metrics.precision_recall_fscore_support(
            y_true, y_pred, labels=counted, average=average, zero_division=0)
        found[average] = {"precision": short(precision), "recall": short(recall), "f1": short(f1)}
    return found


def roc_auc(of_class, probability):
    # There is nothing to rank where all examples or none are of the class.
    return short(metrics.roc_auc_score(of_class, probability)) if 0 < of_class.sum() < len(of_class) else None


def wilson(correct, total):
    interval = binomtest(correct, total).proportion_ci(0.95, method="wilson")
    return {"correct": correct, "total": total, "low": short(interval.low), "high": short(interval.high)}


def case(name, confusion):
    y_true, y_pred = labels_of(confusion)
    order = generator(name).permutation(len(y_true))
    y_true, y_pred = y_true[order], y_pred[order]
    labels = list(range(len(confusion)))
    rows = probabilities(generator(f"{name} probabilities"), y_pred, len(labels))
    found = metrics.confusion_matrix(y_true, y_pred, labels=labels)
    assert found.tolist() == confusion
    correct = int((y_true == y_pred).sum())
    return {
        "name": name,
        "classes": len(labels),
        "y_true": y_true.tolist(),
        "y_pred": y_pred.tolist(),
        "probabilities": flat(rows),
        "confusion": found.tolist(),
        "accuracy": short(metrics.accuracy_score(y_true, y_pred)),
        "per_class": per_class(y_true, y_pred, labels),
        "averages": averages(y_true, y_pred, labels),
        "roc_auc": [roc_auc(y_true == k, rows[:, k]) for k in labels],
        "log_loss": short(metrics.log_loss(y_true, rows, labels=labels)),
        "top_2_accuracy": short(metrics.top_k_accuracy_score(y_true, rows, k=2, labels=labels)),
        "wilson_95": wilson(correct, len(y_true)),
    }


def fixture():
    """Confusion matrices [true][predicted] that are asymmetric; one class is never predicted, one has no example."""
    cases = [
        case("asymmetric", [[5, 2, 0], [0, 7, 1], [3, 0, 4]]),
        case("never_predicted_and_no_support", [[6, 0, 1, 2, 0], [1, 0, 3, 0, 0], [0, 0, 4, 1, 1], [0, 0, 0, 0, 0], [2, 0, 0, 0, 9]]),
        case("all_right", [[3, 0, 0], [0, 2, 0], [0, 0, 4]]),
        case("all_wrong", [[0, 3, 1], [2, 0, 2], [0, 5, 0]]),
    ]
    return {"cases": cases, "wilson_95": [wilson(c, n) for c, n in [(0, 10), (1, 10), (9, 10), (10, 10), (9955, 10000), (9961, 10000), (1, 1)]]}
