"""A whole pretraining step beside what its convolutions alone would take: the ceiling.

    python -m benchmarks.ceiling

The ceiling is forward, backward and optimiser of the bare backbone on random tensors in memory,
with the batch, views, precision, layout and threads of the step (one thread, as the rules give a
training). Ours is the second epoch of
`module.fit`: drawing, reading, augmentation, network with heads, losses, optimiser. On a GPU
both run compiled, in bfloat16.
"""

import argparse
import tempfile
import time
from collections.abc import Callable

import torch

from benchmarks import common, ours
from hepatoclr.learning import data, module, trainers
from hepatoclr.learning.methods import base as methods

HALF = {"32-true": torch.float32, "bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def ceiling(preset: str, batch: int, size: int, views: int) -> Callable[[], float]:
    """Measure the bare backbone; views per second."""
    plan = ours.optimiser(preset)
    backbone = ours.network(preset).backbone.to(DEVICE)
    forward = torch.compile(backbone) if module.compiles(plan, DEVICE) else backbone
    half = HALF[trainers.precision(trainers.DEFAULTS, DEVICE)]
    optimiser = torch.optim.Adam(backbone.parameters(), lr=plan.learning_rate, fused=True)
    images = torch.rand(views, batch, 1, size, size, device=DEVICE)

    def competitor() -> float:
        start = _now()
        with torch.autocast(DEVICE.type, half, enabled=half != torch.float32):
            loss = sum(forward(view).float().square().sum() for view in images)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return views * batch / (_now() - start)

    return competitor


def whole(preset: str, method: str, batch: int, size: int, steps: int) -> Callable[[], float]:
    """Measure our step; views per second."""
    folder = tempfile.TemporaryDirectory()
    paths = ours.caches(ours.phantoms(2, batch, size), folder.name)
    collection = data.collect(paths, ours.WINDOW, "gpu", DEVICE)
    objective = methods.load(method)
    plan = ours.optimiser(preset, epochs=2, batch_size=batch)
    draws = ours.sampler(collection, steps * batch, "weighted")
    net, views = ours.network(preset), ours.augmentation(preset)

    def competitor() -> float:
        ends = ours.Ends()
        module.fit(net, objective, collection, draws, views, plan, DEVICE, 1, more=[ends])
        return len(objective.views) * batch * steps / (ends.times[1] - ends.times[0])

    return competitor


def _now() -> float:
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def measure(given: argparse.Namespace) -> list[common.Row]:
    """Three methods at both sizes."""
    torch.set_num_threads(1)
    large = 2 if DEVICE.type == "cpu" else 92
    cases = {
        "demo network, 32 slices of 80x80": (ours.DEMO, 32, 80, 8),
        f"paper network, {large} slices of 512x512": (ours.PAPER, large, 512, 1),
    }
    rows = []
    for name, (preset, batch, size, steps) in list(cases.items())[: 1 if given.quick else 2]:
        for method in ("simclr", "supcon", "weak_simclr"):
            count = len(methods.load(method).views)
            found = common.rounds(
                {
                    "ours": whole(preset, method, batch, size, steps),
                    "ceiling": ceiling(preset, batch, size, count),
                },
                given.rounds * (2 if preset == ours.DEMO else 1),
            )
            rows.append(
                common.Row(
                    *(f"{method} step, {name}", "views/s", found["ours"]),
                    *("bare backbone", found["ceiling"]),
                    more_is_better=True,
                )
            )
    return rows


if __name__ == "__main__":
    common.main("ceiling", __doc__, measure)
