"""Every layer, forward and backward, by PyTorch."""

import numpy as np
import torch

from .fixture import array, distinct, flat, generator, normal, tensor
from .torch_network import Network

EXTREMES = [-1e4, -800.0, -100.0, -20.0, -5.0, -1.0, -1e-3, -1e-8, 0.0, 1e-8, 1e-3, 0.5, 1.0, 3.0, 20.0, 100.0, 800.0, 1e4]


def conv(out_channels, kernel_size, **settings):
    return {"kind": "conv", "out_channels": out_channels, "kernel_size": kernel_size, **settings}


def pool(kind, kernel_size, **settings):
    return {"kind": kind, "kernel_size": kernel_size, **settings}


# name, layer, input shape, train
CASES = [
    ("dense", {"kind": "dense", "out_features": 4}, [3, 1, 1, 5], True),
    ("dense_without_bias", {"kind": "dense", "out_features": 1, "bias": False}, [2, 1, 1, 7], True),
    ("dense_many", {"kind": "dense", "out_features": 19}, [5, 1, 1, 33], True),
    ("conv_1x1", conv(3, 1), [2, 4, 5, 2], True),
    ("conv_3x3", conv(4, 3), [2, 5, 6, 3], True),
    ("conv_3x3_same", conv(4, 3, padding=1), [2, 5, 4, 3], True),
    ("conv_3x3_same_many", conv(17, 3, padding=1, bias=False), [1, 7, 5, 9], True),
    ("conv_3x3_one_pixel", conv(2, 3, padding=1), [2, 1, 1, 3], True),
    ("conv_5x5_same", conv(3, 5, padding=2, bias=False), [2, 6, 7, 2], True),
    ("conv_5x5_same_stride_2", conv(4, 5, padding=2, stride=2), [2, 7, 8, 1], True),
    ("conv_stride_2", conv(3, 3, stride=2, padding=1), [2, 7, 6, 2], True),
    ("conv_stride_beyond_kernel", conv(2, 2, stride=3), [2, 7, 8, 2], True),
    ("conv_even_kernel", conv(3, 2), [2, 4, 5, 2], True),
    ("conv_even_kernel_padded", conv(3, 4, padding=2), [1, 5, 4, 2], True),
    ("conv_rectangular", conv(3, [1, 3], padding=[0, 1]), [2, 4, 5, 2], True),
    ("conv_rectangular_tall", conv(2, [5, 2], stride=[1, 2], padding=[2, 1]), [2, 6, 5, 3], True),
    ("conv_wide_padding", conv(2, 3, padding=3), [1, 3, 2, 2], True),
    ("conv_whole_image", conv(3, [4, 5]), [2, 4, 5, 2], True),
    ("conv_groups", conv(6, 3, padding=1, groups=2), [2, 5, 4, 4], True),
    ("conv_groups_stride_2", conv(9, [2, 3], stride=2, groups=3, bias=False), [2, 5, 6, 6], True),
    ("conv_depthwise", conv(4, 3, padding=1, groups=4), [2, 5, 5, 4], True),
    ("conv_depthwise_double", conv(6, 5, padding=2, stride=2, groups=3, bias=False), [2, 6, 5, 3], True),
    ("batch_norm_train", {"kind": "batch_norm"}, [4, 3, 2, 3], True),
    ("batch_norm_train_momentum", {"kind": "batch_norm", "momentum": 0.2, "eps": 0.01}, [3, 4, 3, 5], True),
    ("batch_norm_train_features", {"kind": "batch_norm"}, [6, 1, 1, 5], True),
    ("batch_norm_eval", {"kind": "batch_norm", "eps": 0.001}, [3, 3, 2, 4], False),
    ("layer_norm", {"kind": "layer_norm"}, [3, 1, 1, 6], True),
    ("layer_norm_image", {"kind": "layer_norm", "eps": 0.01}, [2, 3, 4, 2], True),
    ("max_pool", pool("max_pool", 2), [2, 4, 6, 3], True),
    ("max_pool_odd", pool("max_pool", 2), [2, 5, 7, 2], True),
    ("max_pool_overlap", pool("max_pool", 3, stride=2), [2, 7, 6, 2], True),
    ("max_pool_padding", pool("max_pool", 3, stride=2, padding=1), [2, 6, 5, 2], True),
    ("max_pool_stride_1", pool("max_pool", 3, stride=1, padding=1), [1, 5, 4, 2], True),
    ("max_pool_rectangular", pool("max_pool", [1, 3], stride=[2, 1], padding=[0, 1]), [2, 5, 4, 2], True),
    ("max_pool_gap", pool("max_pool", 2, stride=3), [1, 8, 7, 2], True),
    ("max_pool_many", pool("max_pool", 2), [1, 4, 4, 19], True),
    ("avg_pool", pool("avg_pool", 2), [2, 4, 5, 3], True),
    ("avg_pool_padding", pool("avg_pool", 3, stride=2, padding=1), [2, 5, 6, 2], True),
    ("avg_pool_overlap", pool("avg_pool", [3, 2], stride=1, padding=[1, 0]), [2, 4, 5, 2], True),
    ("global_avg_pool", {"kind": "global_avg_pool"}, [2, 3, 5, 3], True),
    ("flatten", {"kind": "flatten"}, [2, 2, 3, 2], True),
    ("dropout_eval", {"kind": "dropout", "rate": 0.3}, [2, 2, 2, 3], False),
    ("residual_identity", {"kind": "residual", "layers": [
        conv(3, 3, padding=1), {"kind": "tanh"}, conv(3, 3, padding=1, bias=False)]}, [2, 4, 3, 3], True),
    ("residual_shortcut", {"kind": "residual",
        "layers": [conv(4, 3, padding=1, stride=2, bias=False), {"kind": "batch_norm"}, {"kind": "silu"},
                   conv(4, 3, padding=1, bias=False), {"kind": "batch_norm"}],
        "shortcut": [conv(4, 1, stride=2, bias=False), {"kind": "batch_norm"}]}, [3, 5, 4, 2], True),
    ("residual_nested", {"kind": "residual", "layers": [
        {"kind": "dense", "out_features": 4}, {"kind": "gelu"},
        {"kind": "residual", "layers": [{"kind": "dense", "out_features": 4}, {"kind": "tanh"}]},
        {"kind": "dense", "out_features": 5}]}, [3, 1, 1, 5], True),
]

ACTIVATIONS = [
    {"kind": "relu"},
    {"kind": "leaky_relu"},
    {"kind": "leaky_relu", "slope": 0.2},
    {"kind": "gelu"},
    {"kind": "silu"},
    {"kind": "tanh"},
    {"kind": "sigmoid"},
]


def case(name, layer, input_shape, values, train):
    rng = generator(name)
    values = distinct(rng, input_shape) if values is None else values
    network = Network([layer], input_shape[1:], rng)
    before = {k: array(v) for k, v in network.buffers.items()}
    images = tensor(values, learned=True)
    output = network(images, train)
    grad_output = tensor(normal(rng, output.shape))
    output.backward(grad_output)
    assert torch.isfinite(output).all() and torch.isfinite(images.grad).all(), name
    parameters = network.parameters
    return {
        "name": name,
        "layer": layer,
        "train": train,
        "input_shape": list(input_shape),
        "input": flat(images),
        "parameters": {k: array(v) for k, v in parameters.items()},
        "buffers": before,
        "output_shape": list(output.shape),
        "output": flat(output),
        "grad_output": flat(grad_output),
        "grad_input": flat(images.grad),
        "grad_parameters": {k: array(v.grad) for k, v in parameters.items()},
        "buffers_after": {k: array(v) for k, v in network.buffers.items()},
    }


def activation_cases():
    for layer in ACTIVATIONS:
        name = layer["kind"] + (f"_{layer['slope']}" if "slope" in layer else "")
        shape = [2, 2, 3, 3]
        yield case(name, layer, shape, normal(generator(f"{name} input"), shape, 2.0), True)
        yield case(f"{name}_extremes", layer, [1, 3, 3, 2], np.reshape(EXTREMES, [1, 3, 3, 2]), True)


def fixture():
    """For each case: a layer, its input, parameters, output and gradients."""
    cases = []
    for name, layer, shape, train in CASES:
        values = None if layer["kind"] == "max_pool" else normal(generator(f"{name} input"), shape)
        cases.append(case(name, layer, shape, values, train))
    return {"cases": cases + list(activation_cases())}
