"""Writes the fixtures: golden values by PyTorch, torchvision, scikit-learn and scipy.

    python golden/generate.py [FOLDER]

FOLDER is `golden/fixtures` where it is not given.
"""

import importlib
import pathlib
import sys

import torch

HERE = pathlib.Path(__file__).parent
CASES = ["colour", "initialisation", "layers", "loss", "metrics", "networks", "optimizers", "schedules"]


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "fixtures"
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    sys.path.insert(0, str(HERE))
    write = importlib.import_module("cases.fixture").write
    for name in CASES:
        path = write(folder, name, importlib.import_module(f"cases.{name}").fixture())
        print(f"{path.name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
