"""A worker process: started once, asked many things, and stopped (SIGSTOP) whenever it is not its turn."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field

from .settings import BENCH, NATIVE, ROOT, RUST, Settings


class WorkerError(Exception):
    """What a worker answered instead of a result, or that it ended."""


@dataclass(frozen=True)
class Kind:
    """How a worker is started."""

    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)


def python(module: str) -> Kind:
    return Kind([sys.executable, "-m", f"peers.workers.{module}"], {"PYTHONPATH": str(BENCH)})


KINDS = {
    "percept": Kind([str(RUST / "percept-worker")]),
    "torch": python("torch_worker"),
    "jax": python("jax_worker"),
    "onnxruntime": python("onnxruntime_worker"),
    "burn": Kind([str(NATIVE / "burn-worker")]),
    "candle": Kind([str(NATIVE / "candle-worker")]),
    "tract": Kind([str(NATIVE / "tract-worker")]),
    "sklearn": python("sklearn_worker"),
}


class Worker:
    def __init__(self, name: str, settings: Settings):
        self.name = name
        environment = {**os.environ, **settings.environment, **KINDS[name].environment}
        self.log = open(settings.folder / f"{name}.log", "w")
        self.process = subprocess.Popen(
            KINDS[name].command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self.log, preexec_fn=lambda: os.sched_setaffinity(0, settings.processors))
        self.buffer = b""
        self.loaded = None
        self.versions = self.ask({"do": "versions"})

    def ask(self, request: dict, limit: float = 900.0) -> dict:
        """Sends a request and waits for the answer; only meanwhile does the process run."""
        self.process.send_signal(signal.SIGCONT)
        try:
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()
            reply = json.loads(self.line(time.monotonic() + limit))
        except BrokenPipeError:
            raise WorkerError(f"{self.name} has ended; see {self.log.name}") from None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGSTOP)
        if "error" in reply:
            raise WorkerError(f"{self.name}: {request['do']}: {reply['error']}")
        return reply

    def line(self, deadline: float) -> bytes:
        while b"\n" not in self.buffer:
            left = max(0.0, deadline - time.monotonic())
            if not select.select([self.process.stdout], [], [], left)[0]:
                raise WorkerError(f"{self.name} did not answer in time; see {self.log.name}")
            more = os.read(self.process.stdout.fileno(), 1 << 20)
            if not more:
                raise WorkerError(f"{self.name} has ended; see {self.log.name}")
            self.buffer += more
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line

    def load(self, network: str, settings: Settings) -> None:
        if self.loaded != network:
            self.ask({"do": "load", **settings.inputs(network)})
            self.loaded = network

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.log.close()
