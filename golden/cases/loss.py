"""Softmax cross-entropy with smoothing and class weights, by PyTorch."""

import numpy as np
import torch
import torch.nn.functional as F

from .fixture import flat, generator, normal, short, tensor

WEIGHTS = [0.5, 2.0, 1.0, 0.25, 3.0]

# name, examples, classes, scale of the logits, smoothing, class weights
CASES = [
    ("plain", 6, 5, 2.0, 0.0, None),
    ("one_example", 1, 5, 2.0, 0.0, None),
    ("two_classes", 4, 2, 1.0, 0.0, None),
    ("many_classes", 3, 37, 3.0, 0.1, None),
    ("smoothing", 6, 5, 2.0, 0.2, None),
    ("weights", 7, 5, 2.0, 0.0, WEIGHTS),
    ("weights_with_zero", 7, 5, 2.0, 0.1, [1.0, 0.0, 2.0, 0.5, 1.0]),
    ("weights_and_smoothing", 9, 5, 2.0, 0.05, WEIGHTS),
    ("large_logits", 6, 5, 300.0, 0.0, None),
    ("large_logits_smoothing", 6, 5, 300.0, 0.1, WEIGHTS),
]

# name, examples, classes, scale of the logits, smoothing, class weights
MIXED = [
    ("mixed", 7, 5, 2.0, 0.0, None),
    ("mixed_smoothing", 6, 5, 2.0, 0.1, None),
    ("mixed_weights", 9, 5, 2.0, 0.0, [1.0, 0.0, 2.0, 0.5, 1.0]),
    ("mixed_weights_and_smoothing", 9, 5, 2.0, 0.2, WEIGHTS),
    ("mixed_large_logits", 6, 3, 300.0, 0.05, WEIGHTS[:3]),
]

EXTREME = [[1e4, -1e4, 0], [-1e4, -1e4, -1e4], [1e4, 1e4, -1e4], [0, 1e4, 1e4], [0, 0, 0], [-1e4, 0, 1e-3]]


def case(name, logits, labels, smoothing, weights):
    logits, labels = tensor(logits, learned=True), torch.tensor(labels)
    class_weights = None if weights is None else tensor(weights)
    loss = F.cross_entropy(logits, labels, weight=class_weights, label_smoothing=smoothing)
    loss.backward()
    return {
        "name": name,
        "classes": logits.shape[1],
        "settings": {"label_smoothing": smoothing, **({"class_weights": weights} if weights else {})},
        "logits": flat(logits),
        "labels": labels.tolist(),
        "probabilities": flat(F.softmax(logits, dim=1)),
        "mean_loss": short(loss.item()),
        "grad_logits": flat(logits.grad),
        "correct": int((logits.argmax(dim=1) == labels).sum()),
    }


def mixed_case(name, examples, classes, scale, smoothing, weights):
    """Two labels an example, with probabilities for targets; the first example has one label twice, the second one alone."""
    rng = generator(name)
    logits = tensor(normal(rng, [examples, classes], scale), learned=True)
    labels, others = (torch.tensor(rng.integers(0, classes, examples)) for _ in range(2))
    shares = rng.integers(1, 16, examples) / 16
    others[0], shares[1] = labels[0], 1.0
    rows, first = torch.arange(examples), tensor(shares)
    targets = torch.zeros(examples, classes, dtype=torch.float64)
    targets.index_put_((rows, labels), first, accumulate=True)
    targets.index_put_((rows, others), 1 - first, accumulate=True)
    class_weights = None if weights is None else tensor(weights)
    loss = F.cross_entropy(logits, targets, weight=class_weights, label_smoothing=smoothing, reduction="sum")
    loss.backward()
    return {
        "name": name,
        "classes": classes,
        "settings": {"label_smoothing": smoothing, **({"class_weights": weights} if weights else {})},
        "logits": flat(logits),
        "labels": labels.tolist(),
        "others": others.tolist(),
        "shares": flat(first),
        "sum_loss": short(loss.item()),
        "grad_logits": flat(logits.grad),
    }


def fixture():
    """Mean losses (of mixed examples their sums), and their gradients with respect to the logits."""
    cases = []
    for name, examples, classes, scale, smoothing, weights in CASES:
        rng = generator(name)
        logits = normal(rng, [examples, classes], scale)
        cases.append(case(name, logits, rng.integers(0, classes, examples), smoothing, weights))
    for label in range(3):
        labels = np.full(len(EXTREME), label)
        cases.append(case(f"extreme_{label}", EXTREME, labels, 0.0, None))
        cases.append(case(f"extreme_{label}_smoothing", EXTREME, labels, 0.1, WEIGHTS[:3]))
    return {"cases": cases, "mixed": [mixed_case(*row) for row in MIXED]}
