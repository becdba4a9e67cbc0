"""A whole SimCLR training step beside lightly's and solo-learn's, on one backbone and head.

    python -m benchmarks.step

Ours is an epoch of `module.fit`, its slices in memory. Theirs is what
their examples do, with the batch in memory: Kornia's chain for each of two views, the network
in plain eager float32, their loss, Adam. Views are what the step draws, two a slice.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import torch

from benchmarks import common, ours, peers

PEERS = {"lightly": peers.lightly_step, "solo-learn": peers.solo_step}


@dataclass(frozen=True)
class Case:
    """What a step is measured on.

    Attributes:
        name: For the table.
        preset: Whose network, augmentation and optimiser.
        size: Rows and columns of the slices.
        batch: Slices a step.
        views: Views at once, where they are measured alone.
        most_rounds: So many rounds are enough, since a step takes long.
        steps: Steps in one of our epochs: what an epoch costs besides is shared by them.
    """

    name: str
    preset: str
    size: int
    batch: int
    views: int
    most_rounds: int
    steps: int

    def ours(self) -> Callable[[], float]:
        """Our competitor, views per second."""
        return ours.fit_rate(self.preset, self.batch, self.size, self.steps)

    def peer(self, make: Callable) -> Callable[[], float]:
        """A peer's, views per second."""
        images = torch.rand(self.batch, 1, self.size, self.size)
        chosen = ours.config(self.preset)["augmentation"]
        return make(ours.network(self.preset), images, chosen, ours.optimiser(self.preset))


def cases(quick: bool) -> list[Case]:
    """The demo's step as it is, and the paper's network on few slices: 92 take minutes here."""
    paper = ("paper network, 2 slices of 512x512", ours.PAPER, 512, 2, 8, 3, 1)
    small = ("paper network, 2 slices of 96x96", ours.PAPER, 96, 2, 8, 2, 1)
    return [
        Case("demo network, 32 slices of 80x80", ours.DEMO, 80, 32, 32, 20, 8),
        Case(*(small if quick else paper)),
    ]


def measure(given: argparse.Namespace) -> list[common.Row]:
    """Both cases beside both peers."""
    rows = []
    for case in cases(given.quick):
        competitors = {"ours": case.ours()}
        competitors |= {name: case.peer(make) for name, make in PEERS.items()}
        found = common.rounds(competitors, min(given.rounds, case.most_rounds))
        rows += [
            common.Row(
                *(f"training step, {case.name}", "views/s", found["ours"], name, found[name]),
                more_is_better=True,
            )
            for name in PEERS
        ]
    return rows


if __name__ == "__main__":
    common.main("step", __doc__, measure)
