"""percept's network specs, run by PyTorch in float64.

Images are NCHW here and NHWC in the fixtures; parameters are kept in percept's layout and permuted where PyTorch reads them,
so that autograd gives the gradients in percept's layout.
"""

from collections import Counter

import torch
import torch.nn.functional as F

from .fixture import normal, tensor


def pair(size):
    return (size, size) if isinstance(size, int) else tuple(size)


def to_nchw(images):
    return images.permute(0, 3, 1, 2)


def to_nhwc(images):
    return images.permute(0, 2, 3, 1)


def features(x):
    """All numbers of each example, in height, width, channels order."""
    return to_nhwc(x).reshape(len(x), -1)


def as_pixel(x):
    """Features as an image of one pixel."""
    return x[:, :, None, None]


def scoped(layers, scope=""):
    """Each layer with its name: kind and ordinal within its list."""
    ordinals = Counter()
    for layer in layers:
        ordinals[layer["kind"]] += 1
        yield f"{scope}{layer['kind']}{ordinals[layer['kind']]}", layer


class Network:
    """A spec with parameters and buffers, made for inputs of one shape."""

    def __init__(self, layers, input_shape, rng):
        self.layers, self.rng = layers, rng
        self.parameters, self.buffers = {}, {}
        height, width, channels = input_shape
        probe = torch.zeros(2, channels, height, width, dtype=torch.float64)
        self.making = True
        self.run(layers, probe, train=False)
        self.making = False

    def __call__(self, images, train):
        return to_nhwc(self.run(self.layers, to_nchw(images), train))

    def run(self, layers, x, train, scope=""):
        for name, layer in scoped(layers, scope):
            x = getattr(self, layer["kind"])(name, layer, x, train)
        return x

    def parameter(self, name, shape, scale, centre=0.0):
        if self.making:
            self.parameters[name] = tensor(centre + normal(self.rng, shape, scale), learned=True)
        return self.parameters[name]

    def buffer(self, name, shape, centre):
        if self.making:
            self.buffers[name] = tensor(centre + abs(normal(self.rng, shape, 0.3)))
        return self.buffers[name]

    def bias(self, name, layer, size):
        return self.parameter(f"{name}.bias", [size], 0.5) if layer.get("bias", True) else None

    def dense(self, name, layer, x, train):
        x = features(x)
        weight = self.parameter(f"{name}.weight", [x.shape[1], layer["out_features"]], 0.5)
        return as_pixel(F.linear(x, weight.T, self.bias(name, layer, layer["out_features"])))

    def conv(self, name, layer, x, train):
        groups, out = layer.get("groups", 1), layer["out_channels"]
        shape = [*pair(layer["kernel_size"]), x.shape[1] // groups, out]
        weight = self.parameter(f"{name}.weight", shape, 0.5).permute(3, 2, 0, 1)
        stride, padding = pair(layer.get("stride", 1)), pair(layer.get("padding", 0))
        return F.conv2d(x, weight, self.bias(name, layer, out), stride, padding, groups=groups)

    def norm_parameters(self, name, size):
        weight = self.parameter(f"{name}.weight", [size], 0.3, centre=1.0)
        return weight, self.parameter(f"{name}.bias", [size], 0.3)

    def batch_norm(self, name, layer, x, train):
        channels = x.shape[1]
        weight, bias = self.norm_parameters(name, channels)
        mean = self.buffer(f"{name}.running_mean", [channels], centre=-0.2)
        variance = self.buffer(f"{name}.running_var", [channels], centre=0.7)
        momentum, eps = layer.get("momentum", 0.1), layer.get("eps", 1e-5)
        return F.batch_norm(x, mean, variance, weight, bias, train, momentum, eps)

    def layer_norm(self, name, layer, x, train):
        values = features(x)
        weight, bias = self.norm_parameters(name, values.shape[1])
        out = F.layer_norm(values, [values.shape[1]], weight, bias, layer.get("eps", 1e-5))
        return to_nchw(out.reshape(to_nhwc(x).shape))

    def relu(self, name, layer, x, train):
        return F.relu(x)

    def leaky_relu(self, name, layer, x, train):
        return F.leaky_relu(x, layer.get("slope", 0.01))

    def gelu(self, name, layer, x, train):
        return F.gelu(x)

    def silu(self, name, layer, x, train):
        return F.silu(x)

    def tanh(self, name, layer, x, train):
        return torch.tanh(x)

    def sigmoid(self, name, layer, x, train):
        return torch.sigmoid(x)

    def pool(self, function, layer, x):
        kernel = pair(layer["kernel_size"])
        stride, padding = pair(layer.get("stride", kernel)), pair(layer.get("padding", 0))
        return function(x, kernel, stride, padding)

    def max_pool(self, name, layer, x, train):
        return self.pool(F.max_pool2d, layer, x)

    def avg_pool(self, name, layer, x, train):
        return self.pool(F.avg_pool2d, layer, x)

    def global_avg_pool(self, name, layer, x, train):
        return x.mean(dim=(2, 3), keepdim=True)

    def dropout(self, name, layer, x, train):
        assert not train, "masks come from percept's own random numbers"
        return x

    def flatten(self, name, layer, x, train):
        return as_pixel(features(x))

    def residual(self, name, layer, x, train):
        main = self.run(layer["layers"], x, train, f"{name}.")
        return main + self.run(layer.get("shortcut", []), x, train, f"{name}.shortcut.")
