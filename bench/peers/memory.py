"""Row `memory/cnn`: peak memory in MiB of training percept's default network: `percept train --epochs 1`, and of the
peers 100 steps of the same network with the same batch, images in memory."""

import tempfile

from . import presets
from .process import peak_memory_of, peak_memory_so_far
from .rounds import spread
from .settings import PROGRAM, Settings
from .worker import Kind, Worker

BATCH, STEPS, LEARNING_RATE = 256, 100, 1e-4
FORMS = {"torch": "fp32 channels_last", "jax": "fp32 step", "candle": "fp32"}


def percept_memory(settings: Settings) -> float:
    with tempfile.TemporaryDirectory() as folder:
        command = [str(PROGRAM), "train", "--epochs", "1", "--quiet", "--threads", str(settings.threads),
                   "--out", f"{folder}/run"]
        return peak_memory_of(Kind(command), settings)


def peer_memory(peer: str, settings: Settings) -> float:
    worker = Worker(peer, settings)
    try:
        worker.ask({"do": "load", **presets.network_of("cnn", settings)})
        worker.ask({"do": "train_with", "form": FORMS[peer], "batch": BATCH, "learning_rate": LEARNING_RATE})
        worker.ask({"do": "train", "steps": STEPS})
        return peak_memory_so_far(worker.process)
    finally:
        worker.end()


def measure(peers: list[str], settings: Settings, say) -> dict:
    ours = percept_memory(settings)
    pairings = []
    for peer in [peer for peer in FORMS if peer in peers]:
        theirs = peer_memory(peer, settings)
        pairings.append({"peer": peer, "form": FORMS[peer], "percept_form": "percept train", "percept": spread([ours]),
                         "value": spread([theirs]), "ratio": spread([theirs / ours])})
        say(f"  {peer}: {theirs:.0f} MiB, percept {ours:.0f} MiB")
    pairings.sort(key=lambda pairing: pairing["ratio"]["median"])
    return {"row": "memory/cnn", "unit": "MiB", "pairings": pairings, "calibrated": []}
