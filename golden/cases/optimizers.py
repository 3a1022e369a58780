"""Ten steps of each optimizer with fixed gradients, by PyTorch; Muon by PyTorch's own and by the airbench formula."""

from unittest import mock

import numpy as np
import torch

from .fixture import flat, generator, normal, short, tensor

STEPS = 10
# The schedule's factor of each step: an optimizer must not assume a constant learning rate.
FACTORS = [1.0, 1.0, 0.5, 0.5, 0.75, 1.0, 0.25, 0.1, 0.05, 0.5]

TENSORS = {
    "conv": {"role": "conv_weight", "shape": [3, 2, 2, 5]},
    "conv_wide": {"role": "conv_weight", "shape": [1, 1, 3, 8]},
    "conv_first": {"role": "conv_weight", "shape": [2, 2, 1, 3]},
    "dense": {"role": "dense_weight", "shape": [7, 4]},
    "bias": {"role": "bias", "shape": [9]},
}


def sgd(**settings):
    return {"kind": "sgd", "learning_rate": 0.1, "momentum": 0.0, "nesterov": False, "weight_decay": 0.0, **settings}


def adam(kind, **settings):
    return {"kind": kind, "learning_rate": 0.01, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0, **settings}


def muon(**settings):
    others = adam("adamw", beta2=0.99)
    del others["kind"]
    return {"kind": "muon", "learning_rate": 0.1, "momentum": 0.6, "nesterov": True, "newton_schulz_steps": 5,
            "normalise_weights": False, "weight_decay": 0.0, "dense": True, "others": others, **settings}


# name, optimizer, tensors
CASES = [
    ("sgd", sgd(), ["conv", "bias"]),
    ("sgd_momentum", sgd(momentum=0.9), ["conv", "dense"]),
    ("sgd_nesterov", sgd(momentum=0.8, nesterov=True), ["conv", "dense"]),
    ("sgd_decay", sgd(weight_decay=0.1), ["dense", "bias"]),
    ("sgd_nesterov_decay", sgd(momentum=0.9, nesterov=True, weight_decay=0.05), ["conv", "dense", "bias"]),
    ("adam", adam("adam"), ["conv", "dense"]),
    ("adam_decay", adam("adam", beta1=0.8, beta2=0.95, eps=1e-3, weight_decay=0.1), ["conv", "dense", "bias"]),
    ("adamw", adam("adamw"), ["conv", "dense"]),
    ("adamw_decay", adam("adamw", beta2=0.99, weight_decay=0.1), ["conv", "dense", "bias"]),
    ("muon", muon(), ["conv", "dense", "conv_first", "bias"]),
    ("muon_decay", muon(nesterov=False, momentum=0.95, weight_decay=0.1), ["conv", "dense"]),
    ("muon_three_steps", muon(newton_schulz_steps=3), ["conv"]),
    ("muon_normalised", muon(normalise_weights=True), ["conv", "conv_wide", "dense"]),
    ("muon_normalised_without_nesterov", muon(normalise_weights=True, nesterov=False), ["conv", "conv_wide"]),
    ("muon_convolutions", muon(normalise_weights=True, dense=False), ["dense"]),
]


def numbers(name):
    rng = generator(name)
    shape = TENSORS[name]["shape"]
    return normal(rng, shape), normal(rng, [STEPS, *shape], 0.5)


def torch_optimizer(settings, parameter, decays):
    rate, decay = settings["learning_rate"], settings["weight_decay"] if decays else 0.0
    if settings["kind"] == "sgd":
        return torch.optim.SGD([parameter], lr=rate, momentum=settings["momentum"],
                               nesterov=settings["nesterov"], weight_decay=decay)
    betas, eps = (settings["beta1"], settings["beta2"]), settings["eps"]
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[settings["kind"]]
    return kind([parameter], lr=rate, betas=betas, eps=eps, weight_decay=decay)


def run(optimizer, rate, parameter, gradients):
    """The parameter after each step."""
    for gradient, factor in zip(gradients, FACTORS):
        for group in optimizer.param_groups:
            group["lr"] = rate * factor
        parameter.grad = gradient.clone()
        optimizer.step()
        yield parameter.detach().clone()


def elementwise(settings, start, gradients, decays):
    parameter = tensor(start, learned=True)
    optimizer = torch_optimizer(settings, parameter, decays)
    yield from run(optimizer, settings["learning_rate"], parameter, tensor(gradients))


def outputs_first(values):
    """A weight as PyTorch's matrix: (outputs, inputs of one output)."""
    return tensor(np.moveaxis(values, -1, 0).reshape(values.shape[-1], -1))


def outputs_last(matrix, shape):
    return np.moveaxis(matrix.numpy().reshape(shape[-1], *shape[:-1]), 0, -1)


def torch_muon(settings, start, gradients):
    """PyTorch's Muon, made to compute in float64 where it says bfloat16."""
    parameter = outputs_first(start).requires_grad_()
    assert parameter.shape[0] <= parameter.shape[1], "PyTorch scales the learning rate of wide weights"
    optimizer = torch.optim.Muon(
        [parameter], lr=settings["learning_rate"], momentum=settings["momentum"], nesterov=settings["nesterov"],
        ns_steps=settings["newton_schulz_steps"], weight_decay=settings["weight_decay"])
    with mock.patch.object(torch, "bfloat16", torch.float64):
        after = run(optimizer, settings["learning_rate"], parameter, [outputs_first(g) for g in gradients])
        yield from (outputs_last(matrix, start.shape) for matrix in after)


def newton_schulz(matrix, steps):
    """`zeropower_via_newtonschulz5` of Jordan's airbench, in float64."""
    a, b, c = (3.4445, -4.7750, 2.0315)
    x = matrix / (matrix.norm() + 1e-7)
    if matrix.shape[0] > matrix.shape[1]:
        x = x.T
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if matrix.shape[0] > matrix.shape[1] else x


def airbench_muon(settings, start, gradients):
    """`Muon.step` of Jordan's airbench, which normalises the weights."""
    weight, momentum = outputs_first(start), 0.0
    for gradient, factor in zip(gradients, FACTORS):
        gradient = outputs_first(gradient)
        momentum = settings["momentum"] * momentum + gradient
        update = gradient + settings["momentum"] * momentum if settings["nesterov"] else momentum
        weight = weight * (len(weight) ** 0.5 / weight.norm())
        weight = weight - settings["learning_rate"] * factor * newton_schulz(update, settings["newton_schulz_steps"])
        yield outputs_last(weight, start.shape)


def is_matrix(settings, name):
    role, shape = TENSORS[name]["role"], TENSORS[name]["shape"]
    if role == "dense_weight":
        return settings["dense"]
    return role == "conv_weight" and shape[2] > 1


def updated(settings, name):
    start, gradients = numbers(name)
    decays = TENSORS[name]["role"].endswith("weight")
    if settings["kind"] != "muon":
        return elementwise(settings, start, gradients, decays)
    if not is_matrix(settings, name):
        return elementwise({"kind": "adamw", **settings["others"]}, start, gradients, decays)
    muon_of = airbench_muon if settings["normalise_weights"] else torch_muon
    return muon_of(settings, start, gradients)


def clipping():
    """Factors by which `clip_grad_norm_` shortens a gradient."""
    gradient = normal(generator("clipping"), [21])
    for max_norm in (0.1, 2.0, 100.0):
        parameter = tensor(np.zeros(21), learned=True)
        parameter.grad = tensor(gradient)
        norm = torch.nn.utils.clip_grad_norm_([parameter], max_norm)
        yield {"gradient": flat(gradient), "max_norm": max_norm, "norm": short(norm.item()), "clipped": flat(parameter.grad)}


def fixture():
    """Tensors with ten gradients each, and what each optimizer makes of them after the first and the last step."""
    tensors = {}
    for name, what in TENSORS.items():
        start, gradients = numbers(name)
        tensors[name] = {**what, "start": flat(start), "gradients": [flat(g) for g in gradients]}
    cases = []
    for name, settings, names in CASES:
        for tensor_name in names:
            after = list(updated(settings, tensor_name))
            cases.append({"name": name, "optimizer": settings, "tensor": tensor_name,
                          "after_first": flat(after[0]), "after_last": flat(after[-1])})
    return {"factors": FACTORS, "tensors": tensors, "cases": cases, "clipping": list(clipping())}
