"""Where things are, and what a run was asked to do."""

import os
import pathlib
from dataclasses import dataclass

from . import spec

BENCH = pathlib.Path(__file__).resolve().parent.parent
ROOT = BENCH.parent
# percept is built as it is shipped, the others for this processor.
RUST = BENCH / "rust" / "target" / "release"
NATIVE = BENCH / "rust" / "target" / "native" / "release"
PROGRAM = ROOT / "target" / "release" / "percept"

# What keeps each library to an instruction set. avx512 without AMX: percept has no AMX code.
ISA = {
    "avx2": {
        "PERCEPT_ISA": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2", "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",
    },
    "avx512": {
        "PERCEPT_ISA": "avx512", "ONEDNN_MAX_CPU_ISA": "AVX512_CORE_BF16", "MKL_ENABLE_INSTRUCTIONS": "AVX512",
        "XLA_FLAGS": "--xla_cpu_max_isa=AVX512_BF16",
    },
}


def threads_environment(threads: int) -> dict[str, str]:
    names = ["BENCH_THREADS", "PERCEPT_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS",
             "RAYON_NUM_THREADS", "CANDLE_NUM_THREADS"]
    return dict.fromkeys(names, str(threads))


@dataclass
class Settings:
    folder: pathlib.Path
    threads: int
    isa: str | None
    seconds: float
    rounds: int

    @property
    def processors(self) -> set[int]:
        return set(sorted(os.sched_getaffinity(0))[:self.threads])

    @property
    def environment(self) -> dict[str, str]:
        return {**threads_environment(self.threads), **ISA.get(self.isa, {})}

    def inputs(self, network: str) -> dict[str, str]:
        """The files of a network, as workers are told to load them."""
        return {
            "spec": str(spec.path(network)),
            "weights": str(self.folder / f"{network}.weights.safetensors"),
            "data": str(self.data(network)),
            "onnx": str(self.folder / f"{network}.onnx"),
        }

    def data(self, network: str) -> pathlib.Path:
        shape = spec.read_file(spec.path(network))["input"]
        name = "mnist" if shape == [28, 28, 1] else "noise-" + "x".join(map(str, shape))
        return self.folder / f"{name}.safetensors"
