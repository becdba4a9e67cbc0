"""Views per second beside Kornia's transforms one after the other, and their share of a step.

    python -m benchmarks.augment

The paper's slices (512x512) and the demo's (80x80). The share is that of two views of the batch
in a whole SimCLR step: ours in `module.fit`, theirs in the plain step of `peers.lightly_step`.
"""

import argparse
from itertools import count

import torch

from benchmarks import common, ours, peers, step


def measure(given: argparse.Namespace) -> list[common.Row]:
    """Both sizes."""
    return [row for case in step.cases(given.quick) for row in compared(case, given.rounds)]


def compared(case: step.Case, rounds: int) -> list[common.Row]:
    """The views of one case, and their share of its step."""
    images = torch.rand(case.views, 1, case.size, case.size)
    draw, seeds = ours.augmentation(case.preset), count()
    chain = peers.kornia_chain(case.size, ours.config(case.preset)["augmentation"])
    competitors = {
        "ours": common.timed(lambda: draw(images, [next(seeds)]), len(images), 0.5),
        "Kornia": common.timed(lambda: chain(images), len(images), 0.5),
        "our step": case.ours(),
        "plain step": case.peer(peers.lightly_step),
    }
    found = common.rounds(competitors, min(rounds, case.most_rounds))
    own = _share(found["our step"], found["ours"])
    other = _share(found["plain step"], found["Kornia"])
    size = f"{case.size}x{case.size}"
    return [
        common.Row(
            *(f"views of {size}, {len(images)} at once", "views/s", found["ours"]),
            *("Kornia, chained", found["Kornia"]),
            more_is_better=True,
        ),
        common.Row(
            *(f"views in a step, {case.name}", "% of its time", own, "Kornia, chained", other),
            remarks="ours of our step, Kornia's of the plain step",
        ),
    ]


def _share(steps: list[float], views: list[float]) -> list[float]:
    """Percent of a step's time that its views take, from the rates of both."""
    return [100 * whole / part for whole, part in zip(steps, views, strict=True)]


if __name__ == "__main__":
    common.main("augment", __doc__, measure)
