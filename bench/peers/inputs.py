"""The files that every worker reads: images, first weights, ONNX files, a model file of percept."""

import pathlib
import subprocess

import numpy as np
from safetensors.numpy import save_file

from . import onnx_file, presets, spec
from .initial_weights import initial_weights
from .settings import RUST, Settings

NOISE_IMAGES = 1024


def prepare(networks: set[str], settings: Settings) -> None:
    """Writes the files of the networks and of percept's presets; the images only where they are not there yet."""
    for network in sorted(networks):
        prepare_network(settings.inputs(network))
    for preset in ("mlp", "cnn"):
        prepare_network(presets.network_of(preset, settings))


def prepare_network(files: dict[str, str]) -> None:
    network_spec = spec.read_file(files["spec"])
    weights = initial_weights(network_spec)
    save_file(weights, files["weights"])
    onnx_file.write(network_spec, weights, files["onnx"])
    if not pathlib.Path(files["data"]).exists():
        write_images(network_spec["input"], files["data"])


def write_images(shape: list[int], path: str) -> None:
    if shape == [28, 28, 1]:
        subprocess.run([RUST / "percept-worker", "images", path], check=True)
    else:
        save_file(noise(shape), path)


def noise(shape: list[int]) -> dict[str, np.ndarray]:
    """Pixels from a normal distribution and labels by chance: speed does not depend on them."""
    rng = np.random.default_rng(2)
    pixels = rng.standard_normal((NOISE_IMAGES, *shape), dtype=np.float32)
    return {"pixels": pixels, "labels": rng.integers(0, 10, NOISE_IMAGES).astype(np.uint32)}
