"""Whether every worker computes the same as percept: same logits, same losses over 20 steps."""

import numpy as np

from .settings import Settings
from .worker import Worker

BATCH = 128
STEPS = 20
# Small, so that 20 steps do not blow rounding up: at 0.01 the CNN's losses of two libraries are 1 to 7 % apart after 20 steps.
LEARNING_RATE = 0.001

# Largest difference of log-probabilities, relative to the greatest of percept's where that is above 1 (an untrained ResNet
# makes logits of hundreds, the CNN's are up to 16), and of losses relative to percept's. fp32 has 24 bits; sums of up to
# 3,136 products in another order differ by some 1e-6, and 20 steps multiply that. bf16 has 8 bits: about 0.4 % a number.
TOLERANCES = {"fp32": {"logits": 1e-5, "losses": 2e-3}, "bf16": {"logits": 0.009, "losses": 0.05}}


def log_probabilities(logits: list[float]) -> np.ndarray:
    rows = np.array(logits).reshape(BATCH, -1)
    rows = rows - rows.max(axis=1, keepdims=True)
    return rows - np.log(np.exp(rows).sum(axis=1, keepdims=True))


def logits(worker: Worker, form: str) -> np.ndarray:
    worker.ask({"do": "predict_with", "form": form, "batch": BATCH})
    return log_probabilities(worker.ask({"do": "logits"})["logits"])


def losses(worker: Worker, form: str) -> np.ndarray:
    worker.ask({"do": "train_with", "form": form, "batch": BATCH, "learning_rate": LEARNING_RATE})
    return np.array(worker.ask({"do": "losses", "steps": STEPS})["losses"])


def outcome(network: str, worker: str, what: str, form: str, difference: float) -> dict:
    tolerance = TOLERANCES[form.split()[0]][what]
    return {"network": network, "worker": worker, "what": what, "form": form, "difference": difference,
            "tolerance": tolerance, "ok": bool(difference <= tolerance)}


def expect(network: str, percept: Worker, settings: Settings) -> dict:
    """What percept computes in fp32, all images of a batch in one chunk."""
    percept.load(network, settings)
    return {"network": network, "logits": logits(percept, "fp32"), "losses": losses(percept, f"fp32 chunk{BATCH}")}


def check_worker(worker: Worker, expected: dict, settings: Settings, say) -> list[dict]:
    """Every form of a worker against what is expected."""
    network, found = expected["network"], []
    worker.load(network, settings)
    for form in worker.versions["predict"]:
        scale = max(1.0, float(np.abs(expected["logits"]).max()))
        difference = float(np.abs(logits(worker, form) - expected["logits"]).max()) / scale
        found.append(outcome(network, worker.name, "logits", form, difference))
    for form in dict.fromkeys(whole_batch(worker, form) for form in worker.versions["train"]):
        difference = float(np.abs(losses(worker, form) / expected["losses"] - 1).max())
        found.append(outcome(network, worker.name, "losses", form, difference))
    for check in found:
        mark = "ok" if check["ok"] else "WRONG"
        what = f"{check['what']} differ by {check['difference']:.1e}"
        say(f"  {mark}: {network} {check['worker']} {check['form']}: {what}")
    return found


def whole_batch(worker: Worker, form: str) -> str:
    """percept normalises by chunk: one chunk is the whole batch, as the others have it."""
    return f"{form.split()[0]} chunk{BATCH}" if worker.name == "percept" else form
