"""Factors of the learning rate, by PyTorch's schedulers."""

import torch
from torch.optim.lr_scheduler import (
    ConstantLR, CosineAnnealingLR, LinearLR, MultiStepLR, OneCycleLR, SequentialLR, StepLR)

from .fixture import short


def warm_up(length, start):
    return {"warm_up": {"length": length, "start": start}}


def after(length, start, scheduler):
    """A linear warm-up, then another scheduler."""
    return lambda o: SequentialLR(o, [LinearLR(o, start, 1.0, length), scheduler(o)], [length])


# name, schedule, steps, scheduler
CASES = [
    ("constant_warm_up", {"kind": "constant", **warm_up(7, 0.25)}, 20, lambda o: LinearLR(o, 0.25, 1.0, 7)),
    ("constant", {"kind": "constant"}, 3, lambda o: ConstantLR(o, 1.0, 1)),
    ("step", {"kind": "step", "every": 6, "factor": 0.5}, 25, lambda o: StepLR(o, 6, 0.5)),
    ("step_fraction", {"kind": "step", "every": 0.25, "factor": 0.1}, 24, lambda o: StepLR(o, 6, 0.1)),
    ("milestones", {"kind": "milestones", "at": [5, 0.5, 18], "factor": 0.2}, 24, lambda o: MultiStepLR(o, [5, 12, 18], 0.2)),
    ("cosine", {"kind": "cosine"}, 30, lambda o: CosineAnnealingLR(o, 30)),
    ("cosine_end", {"kind": "cosine", "end": 0.1}, 17, lambda o: CosineAnnealingLR(o, 17, 0.1)),
    ("cosine_warm_up", {"kind": "cosine", **warm_up(0.2, 0.01)}, 30, after(6, 0.01, lambda o: CosineAnnealingLR(o, 24))),
    ("one_cycle", {"kind": "one_cycle"}, 40, lambda o: OneCycleLR(o, 1.0, 40)),
    ("one_cycle_settings", {"kind": "one_cycle", "rise": 0.45, "start": 0.1, "end": 0.025}, 31,
        lambda o: OneCycleLR(o, 1.0, 31, pct_start=0.45, div_factor=10.0, final_div_factor=4.0)),
    ("linear", {"kind": "linear"}, 16, lambda o: LinearLR(o, 1.0, 0.0, 16)),
    ("linear_end", {"kind": "linear", "end": 0.2}, 16, lambda o: LinearLR(o, 1.0, 0.2, 16)),
    ("linear_warm_up", {"kind": "linear", **warm_up(0.2, 0.1)}, 40, after(8, 0.1, lambda o: LinearLR(o, 1.0, 0.0, 32))),
]


def factors(scheduler, steps):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = scheduler(optimizer)
    for _ in range(steps):
        yield short(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()


def fixture():
    """The factor of each step, from the first on."""
    return {"cases": [
        {"name": name, "schedule": schedule, "total_steps": steps, "factors": list(factors(scheduler, steps))}
        for name, schedule, steps, scheduler in CASES]}
