"""How long the evaluation takes, from prediction files to all tables and figures.

    python -m benchmarks.evaluation

The predictions are made up, as many as a whole study has: 8 encoders by 2 protocols, 10 repeats of
5 folds of 106 patients with 40 slices each, and three shares of the learning curve; a file per
repeat, or per fold.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import common
from hepatoclr.learning import experiment
from hepatoclr.reporting.plots import plots
from hepatoclr.reporting.tables import common as table_common
from hepatoclr.reporting.tables import tables
from hepatoclr.stats import metrics, predictions

POSITIVE, NEGATIVE, SLICES = 78, 28, 40
METHODS = experiment.by_method(["supervised", "simclr", "supcon", "weak_simclr"], 0.5)
BETAS = experiment.by_beta([0, 0.2, 0.4, 0.5, 0.8, 1])
FRACTIONS = (0.4, 0.6, 0.8)
FOLDS = 5


def jobs(repeats: int) -> list[pd.DataFrame]:
    """Made-up predictions, a table per encoder, protocol, fraction and repeat."""
    names = dict.fromkeys([*METHODS.values(), *BETAS.values()])
    wanted = [(protocol, name, 1.0) for protocol in table_common.PROTOCOLS for name in names]
    wanted += [("finetune", experiment.NONE, fraction) for fraction in FRACTIONS]
    label = np.repeat([1, 0], [POSITIVE, NEGATIVE])
    made = []
    for repeat in range(1, repeats + 1):
        rng = np.random.default_rng(repeat)
        fold = np.concatenate([rng.permutation(np.arange(n) % FOLDS) for n in (POSITIVE, NEGATIVE)])
        for protocol, encoder, fraction in wanted:
            patient = label * fraction + rng.normal(size=len(label))
            slices = patient[:, None] + rng.normal(size=(len(label), SLICES))
            slices = np.round(1 / (1 + np.exp(-slices)), 4)
            facts = {"protocol": protocol, "encoder": encoder, "fraction": fraction}
            columns = {
                "patient_id": [f"p{number:03d}" for number in range(len(label))],
                "label": label,
                "probability": slices.mean(axis=1),
                "threshold": 0.5,
                "slices": SLICES,
                "by_slice": [" ".join(f"{p:.4f}" for p in of) for of in slices],
            }
            facts |= {"seed": 1, "repeat": repeat, "fold": fold + 1}
            made.append(pd.DataFrame(facts | columns))
    return made


def write(made: list[pd.DataFrame], folder: Path, by_fold: bool) -> list[Path]:
    """Write a file per job, or per fold of it."""
    parts = [part for job in made for _, part in job.groupby("fold")] if by_fold else made
    folder.mkdir()
    paths = [folder / f"{number}.csv" for number in range(len(parts))]
    for part, path in zip(parts, paths, strict=True):
        predictions.write([part], path)
    return paths


def evaluate(paths: list[Path], folder: Path) -> dict[str, float]:
    """Seconds of each step of one evaluation."""
    disclaimers = [time.perf_counter()]
    found = predictions.read(paths)
    disclaimers.append(time.perf_counter())
    computed = tables.all(found, METHODS, BETAS)
    for name, table in computed.items():
        formats = [folder / f"{name}.{kind}" for kind in ("csv", "md", "tex")]
        tables.write(table, *formats, tables.TITLES[name], metrics.counts(found))
    disclaimers.append(time.perf_counter())
    drawn = {name: [folder / f"{name}.svg", folder / f"{name}.png"] for name in plots.NAMES}
    plots.all(found, computed, drawn, METHODS)
    disclaimers.append(time.perf_counter())
    steps = dict(zip(("reading", "tables", "figures"), np.diff(disclaimers).tolist(), strict=True))
    return steps | {"all": disclaimers[-1] - disclaimers[0]}


def measure(given: argparse.Namespace) -> list[common.Row]:
    """Evaluate in a fresh process, as a job does, a few times."""
    made = jobs(1 if given.quick else 10)
    with tempfile.TemporaryDirectory() as scratch:
        kinds = {"repeat": False, "fold": True}
        paths = {kind: write(made, Path(scratch) / kind, by) for kind, by in kinds.items()}
        rounds = 1 if given.quick else min(given.rounds, 3)
        found = {
            kind: [common.apart(evaluate, paths[kind], Path(scratch)) for _ in range(rounds)]
            for kind in kinds
        }
    return [
        common.Row(f"{step}, {len(paths[kind])} files", "s", [times[step] for times in found[kind]])
        for kind in kinds
        for step in found[kind][0]
    ]


if __name__ == "__main__":
    common.main("evaluation", __doc__, measure)
