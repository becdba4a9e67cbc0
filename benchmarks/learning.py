"""What is learned in equally many steps, beside a plain SimCLR of Kornia and lightly's loss.

    python -m benchmarks.learning [--run results/demo] [--seeds 3]

The demo's synthetic cohorts, from a finished run or made once. For each seed both start from
the same weights and draw the same slices in the same order, with the demo's optimiser, number
of steps and cosine schedule; views, loss and loop are each one's own. Then our linear protocol,
the same folds for both: the mean AUC of five. Synthetic patients: this says that nothing is
lost, not what is gained on real ones.
"""

import argparse
import itertools
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from benchmarks import common, ours, peers


def batches(cohort: ours.Cohort, seed: int) -> Iterator[Tensor]:
    """The batches of all epochs, as our training draws them."""
    plan, draws = ours.optimiser(ours.DEMO), cohort.sampler(seed)
    for epoch in range(plan.epochs):
        for batch in draws.batches(epoch, plan.batch_size):
            yield cohort.slices.fetch(batch)


def by_peer(net: torch.nn.Module, cohort: ours.Cohort, seed: int) -> None:
    """Plain SimCLR, in place."""
    chosen, plan = ours.config(ours.DEMO), ours.optimiser(ours.DEMO)
    chain = peers.kornia_chain(chosen["tensors"]["size"], chosen["augmentation"])
    loss = peers.lightly_nt_xent(chosen["pretraining"]["temperature"])
    step = peers.Step(net, loss, chain, plan.learning_rate, plan.weight_decay)
    steps = plan.epochs * (len(cohort.sampler(seed)) // plan.batch_size)
    torch.manual_seed(seed)
    peers.train(step, batches(cohort, seed), steps)


def measure(given: argparse.Namespace) -> list[common.Row]:
    """Train and evaluate for each seed."""
    run = given.run or Path(common.RESULTS, "demo")
    if not given.run:
        ours.demo_cohorts(run)
    radio, histo = (ours.Cohort(run, name) for name in ("radio", "histo"))
    ways = {"ours": ours.pretrain, "theirs": by_peer, "none": lambda *_: None}
    auc, seconds = ({name: [] for name in ways} for _ in range(2))
    names = itertools.cycle([list(ways), list(ways)[::-1]])  # in turn, as rounds are
    for seed in range(1, (1 if given.quick else given.seeds) + 1):
        for name in next(names):
            net, start = ours.network(ours.DEMO, seed), time.perf_counter()
            ways[name](net, radio, seed)
            seconds[name].append(time.perf_counter() - start)
            auc[name].append(ours.linear_auc(net, histo, seed))
    plain = "Kornia, lightly's loss"
    people = histo.cases["patient_id"].nunique()
    about = f"{people} synthetic patients; {_mean_sd(auc)}"
    return [
        common.Row(
            *("linear AUC after equal steps", "AUC", auc["ours"], plain, auc["theirs"]),
            *(True, True, about),
        ),
        common.Row(
            *("linear AUC, beside random weights", "AUC", auc["ours"], "none", auc["none"]),
            more_is_better=True,
            difference=True,
        ),
        common.Row("pretraining of the demo", "s", seconds["ours"], plain, seconds["theirs"]),
    ]


def _mean_sd(auc: dict[str, list[float]]) -> str:
    """Mean and standard deviation over the seeds."""
    parts = []
    for name in ("ours", "theirs"):
        sd = statistics.stdev(auc[name]) if len(auc[name]) > 1 else 0
        parts.append(f"{name} {statistics.mean(auc[name]):.3f} ± {sd:.3f}")
    return f"{', '.join(parts)} over {len(auc['ours'])} seeds"


if __name__ == "__main__":
    common.main("learning", __doc__, measure)
