"""Whether a CT is like those that the models have seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

FOLDS = 5
SHARE = 0.99  # of the known patients, held out, who lie within the limit of the distance
RANGES = {  # column of a cohort's table: name, unit, decimals
    "slice_mm": ("slice spacing", "mm", 2),
    "pixel_mm": ("pixel spacing", "mm", 2),
    "liver_ml": ("liver volume", "ml", 0),
    "liver_hu": ("liver density", "HU", 0),
}


def ranges(cohorts: Sequence[pd.DataFrame]) -> dict[str, list[float]]:
    """Lowest and highest value of each of `RANGES` among the used cases of some cohorts."""
    used = pd.concat([table[table["included"]] for table in cohorts])
    return {
        name: [float(used[name].min()), float(used[name].max())]
        for name in RANGES
        if used[name].notna().any()
    }


def outside(facts: Mapping[str, float | None], limits: Mapping[str, Sequence[float]]) -> list[str]:
    """Say what of a CT lies beyond what the models have seen, a sentence each.

    Args:
        facts: Its value of each of `RANGES`, where known.
        limits: What `ranges` returns.
    """
    found = []
    for name, (low, high) in limits.items():
        value, (words, unit, decimals) = facts.get(name), RANGES[name]
        if pd.notna(value) and not low <= value <= high:
            ends = f"{low:.{decimals}f} to {high:.{decimals}f}"
            found.append(f"{words} {value:.{decimals}f} {unit}: the models have seen {ends} {unit}")
    return found


@dataclass(frozen=True)
class Space:
    """The features of known patients, and how far from their middle a new one may lie.

    Attributes:
        mean: Of each feature, shape (channels,).
        precision: Inverse covariance, shape (channels, channels).
        limit: Mahalanobis distance within which `SHARE` of known patients lie, each measured from
            the others.
    """

    mean: np.ndarray
    precision: np.ndarray
    limit: float

    def distance(self, vector: np.ndarray) -> float:
        """Mahalanobis distance of a patient's mean features, shape (channels,)."""
        away = vector - self.mean
        return float(np.sqrt(max(0.0, away @ self.precision @ away)))


def space(vectors: np.ndarray) -> Space:
    """Describe the mean features of known patients, shape (patients, channels).

    The covariance is shrunk, since there are seldom many more patients than features (Ledoit,
    Wolf, J Multivariate Analysis 88:365, 2004).
    """
    fold = np.arange(len(vectors)) % FOLDS
    held_out = [
        distance
        for number in range(min(FOLDS, len(vectors)))
        if len(others := vectors[fold != number])
        for distance in map(_space(others).distance, vectors[fold == number])
    ]
    limit = float(np.quantile(held_out, SHARE, method="higher")) if held_out else np.inf
    found = _space(vectors)
    return Space(found.mean, found.precision, limit)


def _space(vectors: np.ndarray) -> Space:
    from sklearn.covariance import LedoitWolf

    found = LedoitWolf().fit(vectors)
    return Space(found.location_, found.precision_, np.inf)
