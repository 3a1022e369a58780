"""What the cases share: reproducible numbers, and files that are small and diff well."""

import json
import math
import zlib

import numpy as np
import torch

SEED = 20_241

# Expected values are written with 14 significant digits: tests compare with a tolerance of 1e-11 or more.
DIGITS = 14


def generator(name):
    """A generator of its own for each case, so that a new case does not change the others."""
    return np.random.default_rng([SEED, zlib.crc32(name.encode())])


def normal(rng, shape, scale=1.0):
    """Normal numbers with three decimals: short in the file, and exactly the same in every language."""
    return np.round(rng.standard_normal(shape) * scale, 3)


def distinct(rng, shape):
    """Numbers of which no two are the same, so that a window's greatest is one number."""
    count = math.prod(shape)
    return np.round((rng.permutation(count) - count / 2) / 16, 4).reshape(shape)


def tensor(values, learned=False):
    """A float64 tensor; `learned` ones collect gradients."""
    return torch.tensor(np.asarray(values), dtype=torch.float64, requires_grad=learned)


def flat(values):
    """A tensor or array as a flat list of short numbers."""
    if isinstance(values, torch.Tensor):
        values = values.detach().numpy()
    return [short(x) for x in np.asarray(values, dtype=np.float64).reshape(-1)]


def short(value):
    """A number with no more digits than it needs."""
    value = float(f"{value:.{DIGITS}g}")
    return int(value) if value.is_integer() and abs(value) < 1e15 else value


def array(values):
    """A tensor with its shape."""
    return {"shape": list(values.shape), "values": flat(values)}


def write(folder, name, fixture):
    """Writes one file: objects over several lines, lists of numbers on one."""
    path = folder / f"{name}.json"
    path.write_text(text(fixture, "") + "\n", encoding="utf-8")
    return path


def text(value, indent):
    """JSON with one line for each key, and for each list that holds no objects."""
    inner = indent + " "
    if isinstance(value, dict) and any(isinstance(v, (dict, list)) for v in value.values()):
        lines = (f"{inner}{json.dumps(k)}: {text(v, inner)}" for k, v in value.items())
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(v, dict) for v in value):
        return "[\n" + ",\n".join(inner + text(v, inner) for v in value) + f"\n{indent}]"
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
