"""What bench/seeds, bench/sets and bench/pictures share: building percept, one run of `percept train`, numbers in words."""

import json
import pathlib
import statistics
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "target" / "release" / "percept"


def build() -> None:
    subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=ROOT, check=True)


def run(options: list, seed: int, out: pathlib.Path) -> dict:
    """The result that `percept train OPTIONS --seed SEED` prints; the run folder is `out`."""
    command = [PROGRAM, "train", *options, "--seed", str(seed), "--out", out, "--json", "--quiet"]
    text = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(text.splitlines()[-1])


def accuracy(result: dict) -> float:
    """Test accuracy in per cent."""
    return 100 * result["test"]["accuracy"]["value"]


def mean_and_spread(numbers: list[float], digits: int) -> str:
    """Mean and standard deviation; with one number there is no spread."""
    mean = f"{statistics.mean(numbers):.{digits}f} %"
    return f"{mean} ± {statistics.stdev(numbers):.{digits}f}" if len(numbers) > 1 else mean


def each(numbers: list[float]) -> str:
    return ", ".join(f"{number:.2f}" for number in numbers)
