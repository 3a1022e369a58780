"""Two whole networks: logits, loss, every gradient, and ten steps of training, by PyTorch."""

import copy

import torch
import torch.nn.functional as F

from .fixture import array, flat, generator, normal, short, tensor
from .torch_network import Network

CONVOLUTIONAL = {
    "name": "convolutional",
    "input": [6, 5, 2],
    "layers": [
        {"kind": "conv", "out_channels": 4, "kernel_size": 3, "padding": 1, "bias": False},
        {"kind": "batch_norm", "momentum": 0.2},
        {"kind": "relu"},
        {"kind": "max_pool", "kernel_size": 2},
        {"kind": "conv", "out_channels": 5, "kernel_size": 3, "padding": 1},
        {"kind": "batch_norm"},
        {"kind": "relu"},
        {"kind": "flatten"},
        {"kind": "dense", "out_features": 3},
    ],
}

MLP = {
    "name": "mlp",
    "input": [3, 3, 1],
    "layers": [
        {"kind": "flatten"},
        {"kind": "dense", "out_features": 8},
        {"kind": "relu"},
        {"kind": "dense", "out_features": 6},
        {"kind": "tanh"},
        {"kind": "dense", "out_features": 4},
    ],
}

SGD = {"kind": "sgd", "learning_rate": 0.05, "momentum": 0.9, "nesterov": False, "weight_decay": 0.001}
ADAMW = {"kind": "adamw", "learning_rate": 0.01, "beta1": 0.9, "beta2": 0.99, "eps": 1e-8, "weight_decay": 0.05}
STEPS = 10


def optimizer(settings, parameters):
    """PyTorch's optimizer; only the weights of dense and convolution layers decay."""
    decays = [v for v in parameters.values() if v.dim() > 1]
    others = [v for v in parameters.values() if v.dim() <= 1]
    groups = [{"params": decays, "weight_decay": settings["weight_decay"]}, {"params": others, "weight_decay": 0.0}]
    rate = settings["learning_rate"]
    if settings["kind"] == "sgd":
        return torch.optim.SGD(groups, lr=rate, momentum=settings["momentum"], nesterov=settings["nesterov"])
    betas = (settings["beta1"], settings["beta2"])
    return torch.optim.AdamW(groups, lr=rate, betas=betas, eps=settings["eps"])


def loss_of(network, images, labels, smoothing):
    logits = network(images, True).reshape(len(labels), -1)
    return logits, F.cross_entropy(logits, labels, label_smoothing=smoothing)


def training(network, images, labels, smoothing, settings):
    """The losses before each of ten steps, and what the network is afterwards."""
    network = copy.deepcopy(network)
    steps = optimizer(settings, network.parameters)
    losses = []
    for _ in range(STEPS):
        steps.zero_grad()
        loss = loss_of(network, images, labels, smoothing)[1]
        loss.backward()
        steps.step()
        losses.append(short(loss.item()))
    return {
        "optimizer": settings,
        "losses": losses,
        "parameters_after": {k: array(v) for k, v in network.parameters.items()},
        "buffers_after": {k: array(v) for k, v in network.buffers.items()},
    }


def case(spec, batch, smoothing):
    rng = generator(spec["name"])
    network = Network(spec["layers"], spec["input"], rng)
    images = tensor(normal(rng, [batch, *spec["input"]]))
    labels = torch.tensor(rng.integers(0, spec["layers"][-1]["out_features"], batch))
    before = copy.deepcopy(network)
    logits, loss = loss_of(network, images, labels, smoothing)
    loss.backward()
    return {
        "network": spec,
        "loss": {"label_smoothing": smoothing},
        "input_shape": list(images.shape),
        "input": flat(images),
        "labels": labels.tolist(),
        "parameters": {k: array(v) for k, v in before.parameters.items()},
        "buffers": {k: array(v) for k, v in before.buffers.items()},
        "logits": flat(logits),
        "mean_loss": short(loss.item()),
        "grad_parameters": {k: array(v.grad) for k, v in network.parameters.items()},
        "buffers_after": {k: array(v) for k, v in network.buffers.items()},
        "training": [training(before, images, labels, smoothing, s) for s in (SGD, ADAMW)],
    }


def fixture():
    """The whole batch is one chunk, so batch normalisation sees what PyTorch's sees."""
    return {"cases": [case(CONVOLUTIONAL, 6, 0.0), case(MLP, 7, 0.1)]}
