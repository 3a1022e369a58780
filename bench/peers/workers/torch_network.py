"""A percept spec as a PyTorch module; weights go from percept's layout (NHWC, HWIO) to PyTorch's (NCHW, OIHW)."""

import torch
from torch import nn

from ..spec import named, pair


class Residual(nn.Module):
    def __init__(self, main: nn.Module, shortcut: nn.Module):
        super().__init__()
        self.main, self.shortcut = main, shortcut

    def forward(self, x):
        return self.main(x) + self.shortcut(x)


class Builder:
    """Makes the modules of a spec in order, following the shape of one image."""

    def __init__(self, spec: dict, weights: dict):
        height, width, channels = spec["input"]
        self.shape, self.weights = (channels, height, width), weights
        self.flattened, self.flat = None, False
        self.module = self.sequence(spec["layers"])

    def sequence(self, layers, scope="") -> nn.Sequential:
        return nn.Sequential(*(self.layer(name, layer) for name, layer in named(layers, scope)))

    def layer(self, name, layer) -> nn.Module:
        return getattr(self, layer["kind"])(name, layer)

    def windows(self, kernel, stride, padding):
        sizes = zip(self.shape[1:], kernel, stride, padding)
        return tuple((size + 2 * p - k) // s + 1 for size, k, s, p in sizes)

    def tensor(self, name):
        return torch.from_numpy(self.weights[name].copy())

    def conv(self, name, layer):
        kernel, stride = pair(layer["kernel_size"]), pair(layer.get("stride", 1))
        padding, bias = pair(layer.get("padding", 0)), layer.get("bias", True)
        conv = nn.Conv2d(self.shape[0], layer["out_channels"], kernel, stride, padding, bias=bias)
        conv.weight.data = self.tensor(f"{name}.weight").permute(3, 2, 0, 1).contiguous()
        if bias:
            conv.bias.data = self.tensor(f"{name}.bias")
        self.shape = (layer["out_channels"], *self.windows(kernel, stride, padding))
        return conv

    def batch_norm(self, name, layer):
        kind = nn.BatchNorm1d if self.flat else nn.BatchNorm2d
        norm = kind(self.shape[0], layer.get("eps", 1e-5), layer.get("momentum", 0.1))
        norm.weight.data, norm.bias.data = self.tensor(f"{name}.weight"), self.tensor(f"{name}.bias")
        norm.running_mean.data = self.tensor(f"{name}.running_mean")
        norm.running_var.data = self.tensor(f"{name}.running_var")
        return norm

    def relu(self, _name, _layer):
        return nn.ReLU()

    def max_pool(self, _name, layer):
        kernel = pair(layer["kernel_size"])
        self.shape = (self.shape[0], *self.windows(kernel, kernel, (0, 0)))
        return nn.MaxPool2d(kernel)

    def global_avg_pool(self, _name, _layer):
        self.shape = (self.shape[0], 1, 1)
        return nn.AdaptiveAvgPool2d(1)

    def flatten(self, _name, _layer):
        self.flattened, self.flat = self.shape, True
        return nn.Flatten()

    def dense(self, name, layer):
        weight, bias = self.tensor(f"{name}.weight"), layer.get("bias", True)
        if self.flattened:
            channels, height, width = self.flattened
            by_pixel = weight.reshape(height, width, channels, -1)
            weight, self.flattened = by_pixel.permute(2, 0, 1, 3).reshape(weight.shape), None
        dense = nn.Linear(*weight.shape, bias=bias)
        dense.weight.data = weight.T.contiguous()
        if bias:
            dense.bias.data = self.tensor(f"{name}.bias")
        self.shape = (weight.shape[1], 1, 1)
        return dense

    def residual(self, name, layer):
        before = self.shape
        main = self.sequence(layer["layers"], f"{name}.")
        after, self.shape = self.shape, before
        shortcut = self.sequence(layer.get("shortcut", []), f"{name}.shortcut.")
        self.shape = after
        return Residual(main, shortcut)


def build(spec: dict, weights: dict) -> nn.Module:
    return Builder(spec, weights).module
