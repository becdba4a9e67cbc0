"""What the table answers: AUCs and differences with intervals over data seeds.

A data seed is a study of its own: other patients, other readings, other evaluation cohort. Repeats
of the cross-validation and training seeds are averaged within it and never counted as more
studies. Intervals are Student's over the data seeds; differences are taken within each.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from scipy.stats import t as student

from benchmarks.positive_control import cells
from hepatoclr.learning import experiment, module

DRAWS = 10_000
WITH_LABELS = {"supervised": cells.SUPERVISED, "weak": cells.WEAK}


@dataclass(frozen=True)
class Arm:
    """One encoder in one kind of cell.

    Attributes:
        encoder: Its name.
        patients, noise, labelled: As in `cells.Cell`.
    """

    encoder: str
    patients: int = cells.PATIENTS
    noise: str = cells.DEFAULT
    labelled: float = 1.0


@dataclass(frozen=True)
class Estimate:
    """A mean over data seeds with its 95 % interval, NaN where there are fewer than two."""

    mean: float
    low: float
    high: float
    seeds: int

    @property
    def verdict(self) -> str:
        """What the interval of a difference says."""
        if not np.isfinite(self.low):
            return "not measured yet" if self.seeds == 0 else "one data seed only"
        return "yes" if self.low > 0 else "no, it is worse" if self.high < 0 else "not shown"


def estimate(values: Sequence[float], level: float = 0.95) -> Estimate:
    """Mean and Student's interval of a value per data seed; missing ones are passed over."""
    found = np.asarray(values, float)
    found = found[np.isfinite(found)]
    if len(found) < 2:
        mean = float(found.mean()) if len(found) else np.nan
        return Estimate(mean, np.nan, np.nan, len(found))
    half = student.ppf((1 + level) / 2, len(found) - 1) * found.std(ddof=1) / np.sqrt(len(found))
    return Estimate(
        float(found.mean()), *map(float, found.mean() + half * np.array([-1, 1])), len(found)
    )


def trained(table: pd.DataFrame, arm: Arm, protocol: str) -> pd.Series:
    """AUC of each training of an arm, averaged over repeats, by (data_seed, training_seed)."""
    own = "linear" if arm.encoder == cells.ORACLE else protocol  # its inputs are scaled always
    part = _rows(table, arm)
    return part[part["protocol"] == own].groupby(["data_seed", "training_seed"])["auc"].mean()


def _rows(table: pd.DataFrame, arm: Arm) -> pd.DataFrame:
    return table[
        (table["encoder"] == arm.encoder)
        & (table["patients"] == arm.patients)
        & (table["noise"] == arm.noise)
        & (table["labelled"] == arm.labelled)
    ]


def learnt(table: pd.DataFrame, arm: Arm) -> bool:
    """Whether an arm's last loss is clearly below chance; no training, nothing to ask."""
    part = _rows(table, arm)
    return not part["loss"].mean() >= part["chance"].mean() - module.MARGIN


def by_seed(table: pd.DataFrame, arm: Arm, protocol: str) -> pd.Series:
    """AUC of an arm by data seed, averaged over training seeds and repeats."""
    return trained(table, arm, protocol).groupby("data_seed").mean()


def auc(table: pd.DataFrame, arm: Arm, protocol: str) -> Estimate:
    """AUC of an arm; its interval is symmetric on the logit scale: it stays inside (0, 1)."""
    found = estimate(by_seed(table, arm, protocol))
    if not (np.isfinite(found.low) and 0 < found.mean < 1):
        return found
    half = (found.high - found.mean) / (found.mean * (1 - found.mean))
    ends = expit(logit(found.mean) + half * np.array([-1, 1]))
    return Estimate(found.mean, *map(float, ends), found.seeds)


def difference(table: pd.DataFrame, one: Arm, other: Arm, protocol: str) -> Estimate:
    """How much higher the AUC of one arm is, within the data seeds that have both."""
    return estimate(by_seed(table, one, protocol) - by_seed(table, other, protocol))


def best(table: pd.DataFrame, protocol: str, arms: Sequence[Arm]) -> Arm | None:
    """The arm of the highest mean AUC among those that were measured and learnt something."""
    means = {arm: auc(table, arm, protocol).mean for arm in arms if learnt(table, arm)}
    known = {arm: mean for arm, mean in means.items() if np.isfinite(mean)}
    return max(known, key=known.get) if known else None


def candidates() -> list[Arm]:
    """The arms among which the best is looked for, and whose choice flatters it a little."""
    return [Arm(encoder) for encoder in cells.methods()]


def ceiling(table: pd.DataFrame, protocol: str) -> Arm | None:
    """The better of the arms that were trained on the true stage of all patients."""
    arms = [Arm(encoder, noise="truth") for encoder in (cells.SUPERVISED, cells.WEAK)]
    return best(table, protocol, arms)


def betas(table: pd.DataFrame, protocol: str, seed: int = 0) -> pd.DataFrame:
    """The AUC over beta, and how often each beta is the best.

    A hierarchical bootstrap draws data seeds, then trainings within each; all betas of a training
    stay together.

    Returns:
        A row per measured beta: beta, mean, low, high, best (share of the draws).
    """
    arms = {beta: Arm(experiment.name(experiment.WEIGHTED, beta)) for beta in cells.BETAS}
    wide = pd.DataFrame({beta: trained(table, arm, protocol) for beta, arm in arms.items()})
    wide = wide.dropna(axis="columns", how="all").dropna()
    if wide.empty:
        return pd.DataFrame(columns=["beta", "mean", "low", "high", "best"])
    wins = np.zeros(wide.shape[1])
    for drawn in hierarchical(wide, DRAWS, seed):
        wins += (drawn == drawn.max()) / np.sum(drawn == drawn.max())
    found = {beta: auc(table, arms[beta], protocol) for beta in wide}
    rows = [(beta, e.mean, e.low, e.high) for beta, e in found.items()]
    return pd.DataFrame(rows, columns=["beta", "mean", "low", "high"]).assign(best=wins / DRAWS)


def hierarchical(wide: pd.DataFrame, draws: int, seed: int) -> np.ndarray:
    """Means of each column over drawn data seeds and trainings within them.

    Args:
        wide: A row per training, indexed by (data_seed, training_seed).
        draws: How many.
        seed: Of the draws.

    Returns:
        Shape (draws, columns).
    """
    rng = np.random.default_rng(seed)
    groups = [group.to_numpy(float) for _, group in wide.groupby(level=0)]
    inner = [
        g[rng.integers(len(g), size=(draws, len(groups), len(g)))].mean(axis=2) for g in groups
    ]
    chosen = rng.integers(len(groups), size=(draws, len(groups)))
    stacked = np.stack(inner)  # data seeds, draws, places, columns
    places = np.arange(len(groups))[None]
    return stacked[chosen, np.arange(draws)[:, None], places].mean(axis=1)


def noise_curve(table: pd.DataFrame, protocol: str) -> pd.DataFrame:
    """What weak labels are worth, by how well the radiologist reads, the best reader first.

    Returns:
        A row per level: noise, reader_auc, reader_positive, and of `supervised` and `weak` the AUC
        and (`_gain`) how much it lies above SimCLR's, each followed by `_low` and `_high`.
    """
    simclr, rows = Arm(cells.SIMCLR), []
    for noise in cells.NOISE:
        part = table[(table["noise"] == noise) & (table["patients"] == cells.PATIENTS)]
        part = part[part["labelled"] == 1.0]
        if part.empty:
            continue
        row = {"noise": noise, **part[["reader_auc", "reader_positive"]].mean()}
        for name, encoder in WITH_LABELS.items():
            arm = Arm(encoder, noise=noise)
            row |= _flat(name, auc(table, arm, protocol))
            row |= _flat(f"{name}_gain", difference(table, arm, simclr, protocol))
        rows.append(row)
    found = pd.DataFrame(rows)
    return (
        found
        if found.empty
        else found.sort_values("reader_auc", ascending=False, ignore_index=True)
    )


def _flat(name: str, one: Estimate) -> dict[str, float]:
    return {name: one.mean, f"{name}_low": one.low, f"{name}_high": one.high}


def crossing(x: np.ndarray, y: np.ndarray) -> float:
    """Where y first falls to 0, going along x from its largest; linear between the points.

    Args:
        x: Descending, shape (n,).
        y: Shape (n,); missing ones are passed over.

    Returns:
        NaN where y starts at 0 or below, minus infinity where it never falls so far.
    """
    known = np.isfinite(y)
    x, y = np.asarray(x, float)[known], np.asarray(y, float)[known]
    if not len(y) or y[0] <= 0:
        return np.nan
    below = np.flatnonzero(y <= 0)
    if not len(below):
        return -np.inf
    after = below[0]
    share = y[after - 1] / (y[after - 1] - y[after])
    return float(x[after - 1] + share * (x[after] - x[after - 1]))
