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


def run(kind: Kind, settings: Settings) -> tuple[float, str]:
    """Milliseconds from start to end, and what the command printed."""
    begin = time.perf_counter()
    process = start(kind, settings, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    text = process.communicate()[0]
    milliseconds = 1e3 * (time.perf_counter() - begin)
    if process.returncode:
        raise RuntimeError(f"{kind.command} ended with {process.returncode}")
    return milliseconds, text


def peak_memory_of(kind: Kind, settings: Settings) -> float:
    """Peak resident memory of the command in MiB."""
    process = start(kind, settings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{kind.command} ended with {process.returncode}")
    return usage.ru_maxrss / 1024


def peak_memory_so_far(process: subprocess.Popen) -> float:
    """Peak resident memory of a process that still runs, in MiB."""
    with open(f"/proc/{process.pid}/status") as status:
        line = next(line for line in status if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024
