"""Initial weights of a network by numpy, in percept's names and layout: the same for every worker."""

import math

import numpy as np

from .spec import named, pair


def initial_weights(spec: dict, seed: int = 1) -> dict[str, np.ndarray]:
    """Kaiming-uniform weights; biases and batch-norm statistics that are not 0 and 1, so that a mix-up shows."""
    rng = np.random.default_rng(seed)
    tensors = {}
    walk(spec["layers"], list(spec["input"]), "", rng, tensors)
    return {name: tensor.astype(np.float32) for name, tensor in tensors.items()}


def walk(layers, shape, scope, rng, tensors):
    for name, layer in named(layers, scope):
        shape = LAYERS[layer["kind"]](name, layer, shape, rng, tensors)
    return shape


def uniform(rng, shape, fan_in):
    bound = math.sqrt(6 / fan_in)
    return rng.uniform(-bound, bound, shape)


def conv(name, layer, shape, rng, tensors):
    kernel, stride, padding = pair(layer["kernel_size"]), pair(layer.get("stride", 1)), pair(layer.get("padding", 0))
    out = layer["out_channels"]
    fan_in = kernel[0] * kernel[1] * shape[2]
    tensors[f"{name}.weight"] = uniform(rng, (*kernel, shape[2], out), fan_in)
    if layer.get("bias", True):
        tensors[f"{name}.bias"] = rng.uniform(-0.1, 0.1, out)
    return [(shape[axis] + 2 * padding[axis] - kernel[axis]) // stride[axis] + 1 for axis in (0, 1)] + [out]


def dense(name, layer, shape, rng, tensors):
    fan_in, out = math.prod(shape), layer["out_features"]
    tensors[f"{name}.weight"] = uniform(rng, (fan_in, out), fan_in)
    if layer.get("bias", True):
        tensors[f"{name}.bias"] = rng.uniform(-0.1, 0.1, out)
    return [1, 1, out]


def batch_norm(name, _layer, shape, rng, tensors):
    channels = shape[2]
    tensors[f"{name}.weight"] = rng.uniform(0.8, 1.2, channels)
    tensors[f"{name}.bias"] = rng.uniform(-0.1, 0.1, channels)
    tensors[f"{name}.running_mean"] = rng.uniform(-0.2, 0.2, channels)
    tensors[f"{name}.running_var"] = rng.uniform(0.7, 1.3, channels)
    return shape


def residual(name, layer, shape, rng, tensors):
    walk(layer.get("shortcut", []), shape, f"{name}.shortcut.", rng, tensors)
    return walk(layer["layers"], shape, f"{name}.", rng, tensors)


def max_pool(_name, layer, shape, _rng, _tensors):
    height, width = pair(layer["kernel_size"])
    return [shape[0] // height, shape[1] // width, shape[2]]


LAYERS = {
    "conv": conv,
    "dense": dense,
    "batch_norm": batch_norm,
    "residual": residual,
    "max_pool": max_pool,
    "relu": lambda _name, _layer, shape, _rng, _tensors: shape,
    "flatten": lambda _name, _layer, shape, _rng, _tensors: [1, 1, math.prod(shape)],
    "global_avg_pool": lambda _name, _layer, shape, _rng, _tensors: [1, 1, shape[2]],
}
