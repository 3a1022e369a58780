"""Commands measured from outside: wall time and peak memory."""

import os
import subprocess
import time

from .settings import ROOT, Settings
from .worker import Kind


def environment(kind: Kind, settings: Settings) -> dict[str, str]:
    return {**os.environ, **settings.environment, **kind.environment}


def start(kind: Kind, settings: Settings, **pipes) -> subprocess.Popen:
    """Starts the command on the processors of the settings, which it inherits: a function to call in the child would make Python copy
    its own page tables for it, milliseconds that are no command's."""
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, settings.processors)
    try:
        return subprocess.Popen(kind.command, cwd=ROOT, env=environment(kind, settings), **pipes)
    finally:
        os.sched_setaffinity(0, own)


def first_line(kind: Kind, settings: Settings) -> float:
    """Milliseconds from the start of the command until it has printed a line."""
    begin = time.perf_counter()
    process = start(kind, settings, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    with process:
        line = process.stdout.readline()
        milliseconds = 1e3 * (time.perf_counter() - begin)
    if process.returncode or not line:
        raise RuntimeError(f"{kind.command} ended with {process.returncode} and printed {line!r}")
    return milliseconds


def peak_memory_of(kind: Kind, settings: Settings) -> float:
    """Peak resident memory of the command in MiB, read until it ends. What wait4 tells of it would count the memory of this Python,
    whose copy the process is until it becomes the command."""
    process = start(kind, settings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, peak_memory_so_far(process))
        time.sleep(0.005)
    if process.returncode:
        raise RuntimeError(f"{kind.command} ended with {process.returncode}")
    return peak


def peak_memory_so_far(process: subprocess.Popen) -> float:
    """Peak resident memory of a process in MiB; 0 where it has ended."""
    with open(f"/proc/{process.pid}/status") as status:
        line = next((line for line in status if line.startswith("VmHWM")), None)
    return int(line.split()[1]) / 1024 if line else 0.0
