"""The networks as data: percept's own TOML specs, which every worker builds its network from."""

import pathlib
import tomllib
from collections import Counter

FOLDER = pathlib.Path(__file__).resolve().parent / "networks"


def path(network: str) -> pathlib.Path:
    return FOLDER / f"{network}.toml"


def read_file(file) -> dict:
    return tomllib.loads(pathlib.Path(file).read_text())


def pair(size) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else tuple(size)


def named(layers: list[dict], scope: str = ""):
    """Each layer with percept's name for it: kind and ordinal within its list."""
    ordinals = Counter()
    for layer in layers:
        ordinals[layer["kind"]] += 1
        yield f"{scope}{layer['kind']}{ordinals[layer['kind']]}", layer
