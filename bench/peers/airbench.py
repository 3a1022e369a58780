#!/usr/bin/env python3
"""airbench94 (Jordan 2024, "94% on CIFAR-10 in 3.29 seconds", with Muon) in PyTorch on the CPU, on folders of pictures.

    bench/.venv/bin/python bench/peers/airbench.py DIR --epochs 8

DIR has train/<class>/ and test/<class>/ with pictures of 32x32 pixels. It differs from percept's `colour` in what that paper has
and percept has not: GELU, normalisations without weights, a scaled output, SGD with its own learning rates for everything but the
convolutions, a moving average that the weights are set back to. 5,000 training images are held out; the test images are read
once, with and without their mirror images.
"""

import argparse
import pathlib
import time

import torch
from torch import nn
from torch.nn import functional as F

import pictures

MUON = {"rate": 0.24, "momentum": 0.6}
BIAS_RATE, HEAD_RATE, DECAY = 0.053, 0.67, 2e-6
WHITENING_EPOCHS = 3


def norm(channels: int) -> nn.BatchNorm2d:
    layer = nn.BatchNorm2d(channels, eps=1e-12, momentum=0.4)
    layer.weight.requires_grad_(False)
    return layer


def conv(inputs: int, outputs: int) -> nn.Conv2d:
    layer = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    nn.init.dirac_(layer.weight.data[:inputs])
    return layer


def group(inputs: int, outputs: int) -> list:
    first = [conv(inputs, outputs), nn.MaxPool2d(2), norm(outputs), nn.GELU()]
    return [*first, conv(outputs, outputs), norm(outputs), nn.GELU()]


class Airbench(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.whitening = nn.Conv2d(3, 24, 2)
        self.trunk = nn.Sequential(nn.GELU(), *group(24, 64), *group(64, 256), *group(256, 256), nn.MaxPool2d(3))
        self.head = nn.Linear(256, 10, bias=False)
        self.head.weight.data.div_(self.head.weight.data.std())

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.trunk(self.whitening(images)).flatten(1)) / 256


class Optimizers:
    """Muon for the convolutions, SGD for the rest; every rate falls to 0 in a straight line."""

    def __init__(self, net: Airbench, batch: int, steps: int, whitening_steps: int):
        matrices = [p for p in net.trunk.parameters() if p.ndim == 4]
        biases = [p for p in net.trunk.parameters() if p.ndim == 1 and p.requires_grad]
        rates = [([net.whitening.bias], BIAS_RATE, whitening_steps), (biases, BIAS_RATE, steps), ([net.head.weight], HEAD_RATE, steps)]
        groups = [{"params": p, "lr": rate, "weight_decay": DECAY * batch / rate} for p, rate, _ in rates]
        self.sgd = torch.optim.SGD(groups, momentum=0.85, nesterov=True)
        self.rates = [(rate, length) for _, rate, length in rates]
        self.muon, self.steps = pictures.Muon(matrices, MUON["momentum"]), steps

    def step(self, done: int) -> None:
        for entry, (rate, length) in zip(self.sgd.param_groups, self.rates):
            entry["lr"] = rate * max(0.0, 1 - done / length)
        self.muon.step(MUON["rate"] * (1 - done / self.steps))
        self.sgd.step()


@torch.no_grad()
def look_ahead(net: Airbench, average: dict, keep: float) -> None:
    """The average takes a share of the weights, and the weights become the average."""
    for name, value in net.state_dict().items():
        if value.is_floating_point():
            average[name].lerp_(value, 1 - keep)
            value.copy_(average[name])


@torch.inference_mode()
def accuracy(net: Airbench, images: torch.Tensor, labels: torch.Tensor, mirrored: bool) -> float:
    net.eval()
    right = 0
    for batch, truth in zip(images.split(500), labels.split(500)):
        batch = batch.contiguous(memory_format=torch.channels_last)
        logits = net(batch) + net(batch.flip(3)) if mirrored else net(batch)
        right += int((logits.argmax(1) == truth).sum())
    net.train()
    return 100 * right / len(labels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dir", type=pathlib.Path, metavar="DIR")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--batch-size", type=int, default=1000)
    parser.add_argument("--crop", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    torch.set_num_threads(2)
    parts = pictures.read(arguments.dir)
    pixels, labels = parts["train"]
    mean, std = (f(pixels.float().div(255).transpose(0, 1).flatten(1), 1).view(-1, 1, 1) for f in (torch.mean, torch.std))
    images, tests = ((p.float() / 255 - mean) / std for p in (pixels, parts["test"][0]))
    held_out, order = torch.randperm(len(images)).split([5000, len(images) - 5000])
    net = Airbench().to(memory_format=torch.channels_last)
    pictures.whiten(net.whitening, images[order[:5000]], 5e-4)
    batch = arguments.batch_size
    per_epoch = len(order) // batch
    steps = arguments.epochs * per_epoch
    optimizers = Optimizers(net, batch, steps, min(WHITENING_EPOCHS, arguments.epochs) * per_epoch)
    average = {name: value.clone() for name, value in net.state_dict().items()}
    mirrored, done, started = torch.rand(len(images)) < 0.5, 0, time.monotonic()
    for epoch in range(arguments.epochs):
        mirrored = ~mirrored
        for indices in order[torch.randperm(len(order))].split(batch)[:per_epoch]:
            shown = pictures.augmented(images, indices, mirrored, arguments.crop)
            with torch.autocast("cpu", torch.bfloat16):
                logits = net(shown)
            loss = F.cross_entropy(logits.float(), labels[indices], label_smoothing=0.2, reduction="sum")
            net.zero_grad()
            loss.backward()
            optimizers.step(done)
            done += 1
            if done % 5 == 0:
                look_ahead(net, average, 0.95**5 * (done / steps) ** 3)
        print(f"epoch {epoch + 1}: validation {accuracy(net, images[held_out], labels[held_out], False):.2f} %, {time.monotonic() - started:.0f} s", flush=True)
    look_ahead(net, average, 1.0)
    plain, both = (accuracy(net, tests, parts["test"][1], mirror) for mirror in (False, True))
    print(f"test {plain:.2f} %, with mirror images {both:.2f} %")


if __name__ == "__main__":
    main()
