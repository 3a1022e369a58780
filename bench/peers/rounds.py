"""Slices of about a second, percept and a peer in turn (A B A B), and what follows from them."""

import statistics
from dataclasses import dataclass

from .rows import Row
from .settings import Settings
from .worker import Worker, WorkerError

LEARNING_RATE = 1e-4  # so small that nothing diverges however long a slice trains
# Of a peer's forms, those are measured in full that came within this share of its fastest when calibrated.
NEARLY_FASTEST = 0.9
# percept is measured in one form: the best of those that came within this share.
OWN_SHARE = 0.8


@dataclass
class Calibrated:
    worker: Worker
    form: str
    count: int  # steps or calls of a slice
    value: float


@dataclass
class Pairing:
    """percept against one form of a peer; values in the row's unit, ratios above 1 where percept is faster."""

    peer: str
    form: str
    percept_form: str
    percept: list[float]
    values: list[float]
    ratios: list[float]

    def summary(self) -> dict:
        return {
            "peer": self.peer, "form": self.form, "percept_form": self.percept_form,
            "percept": spread(self.percept), "value": spread(self.values), "ratio": spread(self.ratios),
        }


def spread(values: list[float]) -> dict:
    return {"median": statistics.median(values), "low": min(values), "high": max(values), "all": values}


def is_training(row: Row) -> bool:
    return row.kind == "train"


def prepare(worker: Worker, form: str, row: Row) -> None:
    request = {"form": form, "batch": row.batch}
    if is_training(row):
        worker.ask({"do": "train_with", **request, "learning_rate": LEARNING_RATE})
    else:
        worker.ask({"do": "predict_with", **request})


def slice_of(worker: Worker, row: Row, count: int) -> tuple[float, float]:
    """Seconds of `count` steps or calls, and the value in the row's unit."""
    if is_training(row):
        reply = worker.ask({"do": "train", "steps": count})
    else:
        reply = worker.ask({"do": "predict", "calls": count})
    if row.kind == "latency":
        return reply["seconds"], 1e6 * reply["median"]
    return reply["seconds"], count * row.batch / reply["seconds"]


def calibrate(worker: Worker, form: str, row: Row, settings: Settings) -> Calibrated:
    """Finds how many steps a slice takes. The first call compiles and warms up."""
    prepare(worker, form, row)
    slice_of(worker, row, 2)
    count = 1
    while True:
        seconds, value = slice_of(worker, row, count)
        if seconds >= settings.seconds / 4:
            return Calibrated(worker, form, max(1, round(count * settings.seconds / seconds)), value)
        count = max(2 * count, round(0.3 * count * settings.seconds / max(seconds, 1e-9)))


def forms(worker: Worker, row: Row) -> list[str]:
    known = worker.versions["train" if is_training(row) else "predict"]
    return [form for form in known if row.precision == "any" or form.split()[0] == row.precision]


def calibrate_forms(worker: Worker, row: Row, settings: Settings, say) -> list[Calibrated]:
    """Every form, fastest first. A form that fails is said and left out."""
    found = []
    for form in forms(worker, row):
        try:
            found.append(calibrate(worker, form, row, settings))
        except WorkerError as error:
            say(f"  {worker.name} {form} left out: {error}")
            continue
        say(f"  {worker.name} {form}: about {found[-1].value:,.1f} {row.unit}")
    return sorted(found, key=lambda c: c.value, reverse=row.kind != "latency")


def nearly_fastest(found: list[Calibrated], row: Row, least: float = NEARLY_FASTEST) -> list[Calibrated]:
    best = found[0].value
    share = lambda c: best / c.value if row.kind == "latency" else c.value / best
    return [c for c in found if share(c) >= least]


def fastest(found: list[Calibrated], row: Row, settings: Settings, say) -> Calibrated:
    """The form with the best median of slices in turns: calibration alone is a few steps long."""
    candidates = nearly_fastest(found, row, OWN_SHARE)
    if len(candidates) == 1:
        return candidates[0]
    values = [[] for _ in candidates]
    for _ in range(settings.rounds):
        for candidate, of_form in zip(candidates, values):
            prepare(candidate.worker, candidate.form, row)
            slice_of(candidate.worker, row, 2)
            of_form.append(slice_of(candidate.worker, row, candidate.count)[1])
    medians = [statistics.median(of_form) for of_form in values]
    best = medians.index((min if row.kind == "latency" else max)(medians))
    say(f"  {candidates[best].worker.name} takes {candidates[best].form}")
    return candidates[best]


def pair_up(percept: Calibrated, peer: Calibrated, row: Row, settings: Settings) -> Pairing:
    """Rounds of a slice of percept, then a slice of the peer."""
    prepare(peer.worker, peer.form, row)
    slice_of(peer.worker, row, 2)
    pairing = Pairing(peer.worker.name, peer.form, percept.form, [], [], [])
    for _ in range(settings.rounds):
        ours = slice_of(percept.worker, row, percept.count)[1]
        theirs = slice_of(peer.worker, row, peer.count)[1]
        pairing.percept.append(ours)
        pairing.values.append(theirs)
        pairing.ratios.append(theirs / ours if row.kind == "latency" else ours / theirs)
    return pairing


def measure(row: Row, percept: Worker, peers: list[Worker], settings: Settings, say) -> dict:
    """All pairings of a row; the ratio of the row is that to the peer that does best."""
    for worker in (percept, *peers):
        worker.load(row.network, settings)
    ours = fastest(calibrate_forms(percept, row, settings, say), row, settings, say)
    prepare(percept, ours.form, row)
    slice_of(percept, row, 2)
    pairings, calibrated = [], []
    for peer in peers:
        found = calibrate_forms(peer, row, settings, say)
        calibrated += [{"peer": peer.name, "form": c.form, "value": c.value} for c in found]
        for candidate in nearly_fastest(found, row) if found else []:
            pairings.append(pair_up(ours, candidate, row, settings).summary())
            say(f"  percept / {peer.name} {candidate.form}: {pairings[-1]['ratio']['median']:.2f}")
    pairings.sort(key=lambda pairing: pairing["ratio"]["median"])
    return {"row": row.name, "unit": row.unit, "pairings": pairings, "calibrated": calibrated}
