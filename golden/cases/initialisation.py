"""How weights start, by PyTorch."""

import math

import torch

from .fixture import flat

# Kernel height and width, input channels, output channels, groups.
DIRAC = [(3, 3, 2, 4, 1), (3, 3, 4, 2, 1), (2, 4, 3, 3, 1), (5, 5, 4, 6, 2), (1, 3, 4, 4, 4), (3, 3, 3, 6, 3)]

SHAPES = [("conv_weight", [5, 5, 16, 48]), ("dense_weight", [300, 64])]


def dirac(height, width, in_channels, out_channels, groups):
    weight = torch.zeros(out_channels, in_channels // groups, height, width, dtype=torch.float64)
    torch.nn.init.dirac_(weight, groups)
    weight = weight.permute(2, 3, 1, 0)
    return {"shape": list(weight.shape), "groups": groups, "values": flat(weight)}


def moments(role, shape):
    """Variances from PyTorch's fans and gains; its default for layers is `kaiming_uniform_(a=sqrt(5))`."""
    inputs, outputs = shape[-2:]
    window = shape[:-2]
    fan_in, fan_out = torch.nn.init._calculate_fan_in_and_fan_out(torch.zeros(outputs, inputs, *window))
    relu, default = torch.nn.init.calculate_gain("relu"), torch.nn.init.calculate_gain("leaky_relu", math.sqrt(5))
    variances = {"kaiming": relu**2 / fan_in, "xavier": 2 / (fan_in + fan_out), "uniform_fan_in": default**2 / fan_in}
    return {"role": role, "shape": shape, "fan_in": fan_in, "fan_out": fan_out, "variances": variances}


def fixture():
    """Dirac weights exactly; the variance of the others."""
    return {"dirac": [dirac(*case) for case in DIRAC], "moments": [moments(*case) for case in SHAPES]}
