"""The contrastive losses beside those of lightly, solo-learn and pytorch-metric-learning.

    python -m benchmarks.losses

The same projections, a batch of 92 slices and length 128: forward and backward, and how far
values and gradients differ. All are means over the 2n anchors, so no factor stands between them.
lightly has no SupCon; solo-learn's is its SimCLR loss, given the further positives.
"""

import argparse

import torch
from torch import Tensor

from benchmarks import common, peers
from hepatoclr.learning import losses

BATCH, LENGTH, TEMPERATURE = 92, 128, 0.1


def value_and_gradient(loss: peers.Loss, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """The loss, and its gradient with respect to the first view."""
    first.grad = second.grad = None
    value = loss(first, second)
    value.backward()
    return value.detach(), first.grad


def measure(given: argparse.Namespace) -> list[common.Row]:
    """Compare both losses with each peer that has them."""
    random = torch.Generator().manual_seed(1)
    views = [torch.randn(BATCH, LENGTH, generator=random, requires_grad=True) for _ in range(2)]
    labels = torch.randint(0, 2, (BATCH,), generator=random)
    nt_xent = {
        "lightly": peers.lightly_nt_xent(TEMPERATURE),
        "solo-learn": peers.solo_nt_xent(TEMPERATURE),
        "pytorch-metric-learning": peers.metric_nt_xent(TEMPERATURE),
    }
    sup_con = {
        "solo-learn": peers.solo_sup_con(labels, TEMPERATURE),
        "pytorch-metric-learning": peers.metric_sup_con(labels, TEMPERATURE),
    }
    return [
        *compared("NT-Xent", lambda a, b: losses.nt_xent(a, b, TEMPERATURE), nt_xent, views, given),
        *compared(
            *("SupCon", lambda a, b: losses.sup_con(a, b, labels, TEMPERATURE)),
            *(sup_con, views, given),
        ),
    ]


def compared(
    name: str,
    ours: peers.Loss,
    theirs: dict[str, peers.Loss],
    views: list[Tensor],
    given: argparse.Namespace,
) -> list[common.Row]:
    """One loss beside the peers': a row each."""

    def milliseconds(loss: peers.Loss):
        run = common.timed(lambda: value_and_gradient(loss, *views), seconds=0.3)
        return lambda: run() * 1e3

    both = {"ours": ours, **theirs}
    found = common.rounds({key: milliseconds(loss) for key, loss in both.items()}, given.rounds)
    value, gradient = value_and_gradient(ours, *views)
    rows = []
    for peer, loss in theirs.items():
        other, slope = value_and_gradient(loss, *views)
        apart = abs(float(value - other)), float((gradient - slope).abs().max())
        rows.append(
            common.Row(
                *(f"{name}, forward and backward, {BATCH} slices", "ms", found["ours"], peer),
                found[peer],
                remarks=f"values at most {apart[0]:.1g} apart, gradients {apart[1]:.1g}",
            )
        )
    return rows


if __name__ == "__main__":
    common.main("losses", __doc__, measure)
