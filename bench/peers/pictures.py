"""percept's recipe for pictures in PyTorch: the network of a config.toml, Muon, averaged weights, whole-pixel augmentation.

PyTorch in its fastest form here: channels_last, bf16 autocast, every operation on two threads.
"""

import pathlib
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


def read(folder: pathlib.Path) -> dict:
    """uint8 [N, C, H, W] and labels of both parts."""
    from PIL import Image

    classes = sorted(entry.name for entry in (folder / "train").iterdir() if entry.is_dir())
    parts = {}
    for part in ("train", "test"):
        files = [(path, label) for label, name in enumerate(classes) for path in sorted((folder / part / name).iterdir())]
        pixels = np.stack([np.asarray(Image.open(path).convert("RGB")) for path, _ in files])
        labels = torch.tensor([label for _, label in files])
        parts[part] = (torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous(), labels)
    return parts


def layer(spec: dict, channels: int) -> tuple[nn.Module, int]:
    kind = spec["kind"]
    if kind == "conv":
        size, out = spec["kernel_size"], spec["out_channels"]
        conv = nn.Conv2d(channels, out, size, padding=spec.get("padding", 0), bias=spec.get("bias", True))
        if spec.get("init") == "dirac":
            nn.init.dirac_(conv.weight.data[: min(channels, out)])
        conv.whitens = spec.get("init") == "whitening"
        return conv, out
    if kind == "batch_norm":
        return nn.BatchNorm2d(channels, momentum=spec["momentum"]), channels
    if kind == "max_pool":
        return nn.MaxPool2d(spec["kernel_size"]), channels
    if kind == "dense":
        return nn.LazyLinear(spec["out_features"], bias=spec.get("bias", True)), spec["out_features"]
    plain = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU, "flatten": nn.Flatten}
    return plain[kind](), channels


def network(spec: dict) -> nn.Sequential:
    channels, layers = spec["input"][2], []
    for entry in spec["layers"]:
        module, channels = layer(entry, channels)
        layers.append(module)
    made = nn.Sequential(*layers)
    made(torch.zeros(2, spec["input"][2], *spec["input"][:2]))
    return made


def whiten(conv: nn.Conv2d, images: torch.Tensor, eps: float) -> None:
    size, rows = conv.kernel_size[0], conv.weight[0].numel()
    patches = F.unfold(images, size).transpose(1, 2).reshape(-1, rows).double()
    values, vectors = torch.linalg.eigh(torch.cov(patches.T))
    filters = (vectors / (values + eps).sqrt()).T.flip(0).float()
    conv.weight.data.copy_(torch.cat([filters, -filters]).reshape(conv.weight.shape))
    conv.weight.requires_grad_(False)


def orthogonal(matrix: torch.Tensor) -> torch.Tensor:
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrix.bfloat16() / (matrix.norm() + 1e-7)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    for _ in range(5):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return (x.T if tall else x).float()


class Muon:
    """Orthogonal momentum with normalised weights, as airbench has it."""

    def __init__(self, weights: list[nn.Parameter], momentum: float):
        self.weights, self.momentum = weights, momentum
        self.buffers = [torch.zeros_like(weight) for weight in weights]

    @torch.no_grad()
    def step(self, rate: float) -> None:
        for weight, buffer in zip(self.weights, self.buffers):
            buffer.mul_(self.momentum).add_(weight.grad)
            update = weight.grad + self.momentum * buffer
            weight.mul_(len(weight) ** 0.5 / weight.norm())
            weight.add_(orthogonal(update.flatten(1)).view(weight.shape), alpha=-rate)


def augmented(images: torch.Tensor, indices: torch.Tensor, mirrored: torch.Tensor, crop: int) -> torch.Tensor:
    """Whole-pixel shifts with reflection, each image by its own, and mirrors where `mirrored` says so."""
    batch, side = images[indices], images.shape[-1]
    if crop:
        padded = F.pad(batch, (crop,) * 4, "reflect")
        rows = torch.randint(2 * crop + 1, (len(batch), 1)) + torch.arange(side)
        columns = torch.randint(2 * crop + 1, (len(batch), 1)) + torch.arange(side)
        batch = padded[torch.arange(len(batch))[:, None, None], :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
    return torch.where(mirrored[indices, None, None, None], batch.flip(3), batch).contiguous(memory_format=torch.channels_last)


def factor(step: int, steps: int, schedule: dict) -> float:
    """The learning rate's factor: up over the first share of the steps, then straight down to 0."""
    up, start = schedule["warm_up"]["length"], schedule["warm_up"]["start"]
    done = step / steps
    return start + (1 - start) * done / up if done < up else (1 - done) / (1 - up)


def train(config: dict, parts: dict, seed: int) -> dict:
    torch.manual_seed(seed)
    torch.set_num_threads(2)
    pixels, labels = parts["train"]
    mean, std = (f(pixels.float().div(255).transpose(0, 1).flatten(1), 1).view(-1, 1, 1) for f in (torch.mean, torch.std))
    normalised = {part: ((images.float() / 255 - mean) / std) for part, (images, _) in parts.items()}
    order = torch.randperm(len(pixels))[config["validation"]:]
    started = time.monotonic()
    net = network(config["network"]).to(memory_format=torch.channels_last)
    for module in net:
        if getattr(module, "whitens", False):
            whiten(module, normalised["train"][order[:5000]], 5e-4)
    matrices = [m.weight for m in net if isinstance(m, nn.Conv2d) and m.weight.requires_grad]
    known = {id(weight) for weight in matrices}
    others = [p for p in net.parameters() if p.requires_grad and id(p) not in known]
    settings = config["optimizer"]
    muon = Muon(matrices, settings["momentum"])
    betas = (settings["others"]["beta1"], settings["others"]["beta2"])
    adam = torch.optim.AdamW(others, settings["others"]["learning_rate"], betas=betas, weight_decay=0.0)
    average = {name: value.clone() for name, value in net.state_dict().items()}
    mirrored = torch.rand(len(pixels)) < 0.5
    batch, step, averaged = config["batch_size"], 0, 0
    steps = config["epochs"] * -(-len(order) // batch)
    for epoch in range(config["epochs"]):
        if epoch:
            mirrored = ~mirrored
        for indices in order[torch.randperm(len(order))].split(batch):
            step += 1
            images = augmented(normalised["train"], indices, mirrored, config["augmentation"].get("crop", 0))
            with torch.autocast("cpu", torch.bfloat16):
                logits = net(images)
            loss = F.cross_entropy(logits.float(), labels[indices], label_smoothing=config["loss"]["label_smoothing"])
            net.zero_grad()
            loss.backward()
            now = factor(step, steps, config["schedule"])
            muon.step(settings["learning_rate"] * now)
            adam.param_groups[0]["lr"] = settings["others"]["learning_rate"] * now
            adam.step()
            if step % config["average"]["every"] == 0:
                averaged += 1
                decay = min(config["average"]["decay"], 1 - 1 / (averaged / 4 + 1))
                for name, value in net.state_dict().items():
                    average[name] = average[name].lerp(value, 1 - decay) if value.is_floating_point() else value.clone()
    net.load_state_dict(average)
    seconds = time.monotonic() - started
    net.eval()
    with torch.inference_mode():
        right = sum(
            int((net(images.contiguous(memory_format=torch.channels_last)).argmax(1) == truth).sum())
            for images, truth in zip(normalised["test"].split(500), parts["test"][1].split(500))
        )
    return {"accuracy": 100 * right / len(parts["test"][1]), "seconds": seconds}
