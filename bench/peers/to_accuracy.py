"""Row `to-96/mlp`: seconds from the start of the process until the mlp preset's network is right on 96 % of 5,000
images that it is not trained on. percept runs `percept train`; the peers train the same network with SGD and are asked every
quarter of an epoch, percept at the end of each epoch."""

import json
import subprocess
import tempfile
import time

from . import presets
from .process import start
from .rounds import spread
from .settings import PROGRAM, Settings
from .worker import Kind, Worker

TARGET = 0.96
TRAIN, VALIDATION = 55_000, 5_000
BATCH, LEARNING_RATE = 128, 0.1
QUARTER = TRAIN // BATCH // 4
MOST_QUARTERS = 40
FORMS = {"torch": "fp32 eager", "jax": "fp32 loop", "burn": "fp32", "candle": "fp32", "sklearn": "fp32"}


def percept_seconds(settings: Settings) -> float:
    with tempfile.TemporaryDirectory() as folder:
        command = [str(PROGRAM), "train", "--network", "mlp", "--json", "--threads", str(settings.threads),
                   "--out", f"{folder}/run"]
        begin = time.perf_counter()
        process = start(Kind(command), settings, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for line in process.stdout:
            event = json.loads(line)
            if event.get("event") == "epoch" and event["validation_accuracy"] >= TARGET:
                seconds = time.perf_counter() - begin
                break
        else:
            raise RuntimeError("percept did not reach the target")
        process.kill()
        process.wait()
        return seconds


def peer_seconds(peer: str, settings: Settings) -> float:
    begin = time.perf_counter()
    worker = Worker(peer, settings)
    try:
        worker.ask({"do": "load", **presets.network_of("mlp", settings), "train_images": TRAIN})
        worker.ask({"do": "train_with", "form": FORMS[peer], "batch": BATCH, "learning_rate": LEARNING_RATE})
        for _ in range(MOST_QUARTERS):
            worker.ask({"do": "train", "steps": QUARTER})
            reached = worker.ask({"do": "accuracy", "first": TRAIN, "count": VALIDATION})["accuracy"]
            if reached >= TARGET:
                return time.perf_counter() - begin
        raise RuntimeError(f"{peer} reached only {reached:.4f}")
    finally:
        worker.end()


def measure(peers: list[str], settings: Settings, say) -> dict:
    pairings = []
    for peer in [peer for peer in FORMS if peer in peers]:
        ours, theirs = [], []
        for _ in range(settings.rounds):
            ours.append(percept_seconds(settings))
            theirs.append(peer_seconds(peer, settings))
        ratios = [b / a for a, b in zip(ours, theirs)]
        pairings.append({"peer": peer, "form": FORMS[peer], "percept_form": "percept train", "percept": spread(ours),
                         "value": spread(theirs), "ratio": spread(ratios)})
        say(f"  {peer}: {pairings[-1]['value']['median']:.2f} s, percept {pairings[-1]['percept']['median']:.2f} s")
    pairings.sort(key=lambda pairing: pairing["ratio"]["median"])
    return {"row": "to-96/mlp", "unit": "s", "pairings": pairings, "calibrated": []}
