"""The machine that a record belongs to."""

import os
import platform
import re
import subprocess

from .settings import ROOT

# Instruction sets that decide the speed of arithmetic.
FLAGS = ["avx2", "fma", "avx512f", "avx512bw", "avx512vl", "avx512_vnni", "avx512_bf16", "avx512_fp16", "avx_vnni",
         "amx_tile", "amx_bf16", "amx_int8"]


def describe() -> dict:
    text = open("/proc/cpuinfo").read()
    field = lambda name: (re.search(rf"^{name}\s*:\s*(.+)$", text, re.M) or [None, "unknown"])[1]
    flags = set(field("flags").split())
    memory = int(re.search(r"MemTotal:\s+(\d+)", open("/proc/meminfo").read())[1])
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True)
    return {
        "cpu": field("model name"), "vendor": field("vendor_id"), "family": field("cpu family"),
        "model": field("model"), "cores": os.cpu_count(), "flags": [flag for flag in FLAGS if flag in flags],
        "memory_gib": round(memory / 2**20, 1), "kernel": platform.release(), "system": platform.system(),
        "python": platform.python_version(), "commit": commit.stdout.strip(),
    }


def slug(machine: dict) -> str:
    """The processor's name for a file's name."""
    words = re.sub(r"\((r|tm)\)|processor|cpu|@.*", "", machine["cpu"].lower())
    return "-".join(re.findall(r"[a-z0-9.]+", words)) or "unknown"
