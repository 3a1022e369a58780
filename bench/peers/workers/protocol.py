"""The worker's side of the line protocol: a request is a line of JSON on stdin, the answer a line of JSON on stdout.

bench/README.md lists the requests. A peer is a class with `versions`, `load`, `train_with`, `train`, `predict_with`,
`predict` and, where it trains, `classify` (the classes that the network in training gives to a slice of the images).
"""

import json
import os
import sys
import time
import traceback
from dataclasses import dataclass

import numpy as np
from safetensors.numpy import load_file

from .. import spec as specs

THREADS = int(os.environ.get("BENCH_THREADS", "2"))


@dataclass
class Work:
    """A network with its first weights and its data, as every worker gets them."""

    spec: dict
    weights: dict[str, np.ndarray]
    pixels: np.ndarray  # f32 [N, height, width, channels]
    labels: np.ndarray  # u32 [N]
    onnx: str
    train_images: int  # the first so many are trained on

    def first(self, step: int, batch: int) -> int:
        """Where a step's batch begins: whole batches in order, then from the first again."""
        return step % (self.train_images // batch) * batch


def read_work(request: dict) -> Work:
    data = load_file(request["data"])
    weights = load_file(request["weights"])
    train_images = request.get("train_images", len(data["labels"]))
    return Work(
        specs.read_file(request["spec"]), weights, data["pixels"], data["labels"], request["onnx"], train_images)


def timed_calls(calls: int, call) -> dict:
    """Seconds of all calls and the median of one; `call` gets its number."""
    each = np.empty(calls)
    begin = time.perf_counter()
    for index in range(calls):
        start = time.perf_counter()
        call(index)
        each[index] = time.perf_counter() - start
    return {"seconds": time.perf_counter() - begin, "median": float(np.median(each))}


def timed_steps(train, steps: int) -> dict:
    """Seconds of `train(steps)`, which returns the last loss and only then is done."""
    begin = time.perf_counter()
    loss = train(steps)
    return {"seconds": time.perf_counter() - begin, "loss": float(loss)}


def answer(peer, request: dict) -> dict:
    match request["do"]:
        case "versions":
            return peer.versions()
        case "load":
            peer.load(read_work(request))
            return {}
        case "train_with":
            peer.train_with(request["form"], request["batch"], request["learning_rate"])
            return {}
        case "train":
            return timed_steps(peer.train, request["steps"])
        case "losses":
            return {"losses": [float(peer.train(1)) for _ in range(request["steps"])]}
        case "predict_with":
            peer.predict_with(request["form"], request["batch"])
            return {}
        case "predict":
            return timed_calls(request["calls"], peer.predict)
        case "logits":
            return {"logits": np.asarray(peer.predict(0), dtype=np.float64).ravel().tolist()}
        case "accuracy":
            part = slice(request["first"], request["first"] + request["count"])
            right = np.asarray(peer.classify(part)) == peer.work.labels[part]
            return {"accuracy": float(right.mean())}
        case other:
            raise ValueError(f"no request {other!r}")


def serve(peer) -> None:
    """Answers requests until there are no more. What the library prints goes to stderr."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        try:
            reply = answer(peer, json.loads(line))
        except Exception as error:  # a worker's failure is its answer
            traceback.print_exc()
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), file=answers, flush=True)
