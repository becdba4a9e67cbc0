"""Views per second beside Kornia's transforms one after the other, and their share of a step.

    python -m benchmarks.augment

The paper's slices (512x512) and the demo's (80x80). The share is that of two views of the batch
in a whole SimCLR step: ours in `training.fit`, theirs in the plain step of `peers.lightly_step`.
"""

import argparse
from itertools import count

import torch

from benchmarks import common, ours, peers, step


def measure(given: argparse.Namespace) -> list[common.Row]:
    """Both sizes."""
    rows = []
    for case in step.cases(given.quick):
        images = torch.rand(case.views, 1, case.size, case.size)
        settings = ours.config(case.preset)["augmentation"]
        draw, seeds = ours.augmentation(case.preset), count()
        chain = peers.kornia_chain(case.size, settings)
        found = common.rounds(
            {
                "ours": common.timed(lambda: draw(images, next(seeds)), len(images), 0.5),
                "Kornia": common.timed(lambda: chain(images), len(images), 0.5),
                "our step": case.ours(),
                "plain step": case.peer(peers.lightly_step),
            },
            min(given.rounds, case.most_rounds),
        )
        own = _share(found["our step"], found["ours"])
        other = _share(found["plain step"], found["Kornia"])
        size = f"{case.size}x{case.size}"
        rows += [
            common.Row(
                *(f"views of {size}, {len(images)} at once", "views/s", found["ours"]),
                *("Kornia, chained", found["Kornia"]),
                more_is_better=True,
            ),
            common.Row(
                *(f"views in a step, {case.name}", "% of its time", own, "Kornia, chained", other),
                remarks="of the plain step, for Kornia",
            ),
        ]
    return rows


def _share(steps: list[float], views: list[float]) -> list[float]:
    """Percent of a step's time that its views take, from the rates of both."""
    return [100 * whole / part for whole, part in zip(steps, views, strict=True)]


if __name__ == "__main__":
    common.main("augment", __doc__, measure)
