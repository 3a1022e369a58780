"""One prediction: spec, weights, file of f32 pixels."""

import sys

import numpy as np
import torch
from safetensors.numpy import load_file

from .. import spec
from .torch_network import build

network = build(spec.read_file(sys.argv[1]), load_file(sys.argv[2])).eval()
image = torch.from_numpy(np.fromfile(sys.argv[3], dtype="<f4")).reshape(1, 1, 28, 28)
with torch.inference_mode():
    print(network(image).argmax().item(), flush=True)
