"""From the evaluation cohort to other hospitals: the drop, recalibration, the next hospital."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import expit, logit
from scipy.stats import t as student

from hepatoclr.stats import calibration, comparison_tests

HOSPITALS = 3  # from as many on they are summarised
UPDATES = ("intercept", "intercept and slope")
MEASURES = ("brier", "calibration_slope", "calibration_intercept", "observed_expected")


def drop(
    inside: tuple[float, float], outside: tuple[float, float], level: float = 0.95
) -> tuple[float, float, float]:
    """How much lower an AUC is in an independent sample, with its interval.

    The limits are put together from those of the two AUCs (MOVER), which are symmetric on the
    logit scale: near 1 a normal interval of the difference would be too narrow on one side.

    Args:
        inside, outside: AUC and its variance.
        level: Confidence level.

    Returns:
        Inside less outside, lower and upper limit; the limits are NaN where an AUC has none.

    Source: Zou, Donner, Statistics in Medicine 27:1693 (2008).
    """
    (first, second) = (float(auc) for auc, _ in (inside, outside))
    (low1, high1), (low2, high2) = (
        map(float, comparison_tests.auc_interval(*one, level)) for one in (inside, outside)
    )
    found = first - second
    below = np.hypot(first - low1, high2 - second)
    above = np.hypot(high1 - first, second - low2)
    return found, float(found - below), float(found + above)


@dataclass(frozen=True)
class Summary:
    """AUC over hospitals: its mean, and where that of the next hospital is expected.

    Attributes:
        hospitals: How many.
        mean, low, high: Mean and its 95 % interval.
        next_low, next_high: Prediction interval.
        tau: SD between hospitals, on the logit scale.
    """

    hospitals: int
    mean: float
    low: float
    high: float
    next_low: float
    next_high: float
    tau: float


def over_hospitals(
    aucs: Sequence[float], variances: Sequence[float], level: float = 0.95
) -> Summary | None:
    """Summarise the AUCs of independent hospitals by random effects on the logit scale.

    The variance between hospitals is Paule and Mandel's, the interval of the mean Hartung and
    Knapp's, the prediction interval Student's with two degrees of freedom less than hospitals.

    Args:
        aucs, variances: Of each hospital; those without a variance, or of 0 or 1, are left out.
        level: Confidence level.

    Returns:
        None of fewer than `HOSPITALS`.

    Source: Paule, Mandel, J Res Natl Bur Stand 87:377 (1982); Hartung, Knapp, Statistics in
        Medicine 20:3875 (2001); Higgins, Thompson, Spiegelhalter, JRSS A 172:137 (2009).
    """
    from statsmodels.stats.meta_analysis import combine_effects

    aucs, variances = np.asarray(aucs, float), np.asarray(variances, float)
    known = np.isfinite(variances) & (variances > 0) & (aucs > 0) & (aucs < 1)
    if (count := int(known.sum())) < HOSPITALS:
        return None
    aucs, variances = aucs[known], variances[known]
    effects = logit(aucs)
    found = combine_effects(
        effects, variances / (aucs * (1 - aucs)) ** 2, method_re="iterated", use_t=True
    )
    tau2 = max(0.0, float(found.tau2))
    error = np.sqrt(found.var_hksj_re)
    centre = float(found.mean_effect_re)
    half = student.ppf((1 + level) / 2, count - 1) * error
    reach = student.ppf((1 + level) / 2, count - 2) * np.sqrt(tau2 + error**2)
    ends = expit([centre, centre - half, centre + half, centre - reach, centre + reach])
    return Summary(count, *map(float, ends), float(np.sqrt(tau2)))


def observed_expected(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Positive patients over the sum of their probabilities: above 1, these are too low."""
    return float(np.mean(labels) / np.mean(probabilities))


def update(labels: ArrayLike, probabilities: ArrayLike, kind: str) -> tuple[float, float] | None:
    """Fit a recalibration on the logit scale, from patients who are not evaluated afterwards.

    Args:
        labels: 0 or 1, shape (patients,).
        probabilities: As the model gives them, shape (patients,).
        kind: Of `UPDATES`.

    Returns:
        Intercept and slope of the new logit, the slope 1 for the intercept alone; None where the
        patients are of one class, or are told apart without error so that no slope is finite.

    Source: Steyerberg et al., Statistics in Medicine 23:2567 (2004).
    """
    if len(set(np.asarray(labels).tolist())) < 2:
        return None
    slope, shift = calibration.calibration(labels, probabilities)
    if kind == "intercept":
        return shift, 1.0
    if not np.isfinite(slope):
        return None
    x = slope * logit(np.clip(probabilities, calibration.CLIP, 1 - calibration.CLIP))
    return calibration.calibration(labels, expit(x))[1], slope


def updated(probabilities: ArrayLike, intercept: float, slope: float) -> np.ndarray:
    """Recalibrated probabilities, see `update`."""
    inner = np.clip(probabilities, calibration.CLIP, 1 - calibration.CLIP)
    return expit(intercept + slope * logit(inner))


def calibrated(labels: ArrayLike, probabilities: ArrayLike) -> dict[str, float]:
    """The measures of `MEASURES`."""
    labels, probabilities = np.asarray(labels, float), np.asarray(probabilities, float)
    slope, intercept = calibration.calibration(labels, probabilities)
    values = (
        float(np.mean((probabilities - labels) ** 2)),
        slope,
        intercept,
        observed_expected(labels, probabilities),
    )
    return dict(zip(MEASURES, values, strict=True))


def recalibration(
    labels: ArrayLike,
    probabilities: ArrayLike,
    patients: Sequence[int],
    draws: int,
    seed: int,
) -> pd.DataFrame:
    """What recalibrating on some patients of a hospital does for its others.

    Args:
        labels: 0 or 1, shape (patients,).
        probabilities: As the model gives them, shape (patients,).
        patients: Numbers of patients to recalibrate on.
        draws: How often they are drawn, without regard to their class.
        seed: Of the draws.

    Returns:
        A row without recalibration, then one per kind and size that leaves patients of both
        classes: update (`none` or of `UPDATES`), patients, draws (those in which it could be
        fitted and the others hold both classes), then of each of `MEASURES` its mean over the
        draws, and the ends of its middle 95 % (`_low`, `_high`); a measure that is missing in
        some of them is that of the others.
    """
    labels, probabilities = np.asarray(labels, int), np.asarray(probabilities, float)
    rng = np.random.default_rng(seed)
    rows = [{"update": "none", "patients": 0, "draws": 1, **calibrated(labels, probabilities)}]
    for size in patients:
        if size >= len(labels):
            continue
        orders = [rng.permutation(len(labels)) for _ in range(draws)]
        for kind in UPDATES:
            once = partial(_once, labels, probabilities, size, kind)
            found = [one for order in orders if (one := once(order))]
            row = {"update": kind, "patients": size, "draws": len(found)}
            rows.append(row | _middle(pd.DataFrame(found, columns=MEASURES)))
    return pd.DataFrame(rows, columns=["update", "patients", "draws", *_columns()])


def _once(
    labels: np.ndarray, probabilities: np.ndarray, size: int, kind: str, order: np.ndarray
) -> dict[str, float] | None:
    """Recalibrate on the first patients of an order, evaluate on the others."""
    own, others = order[:size], order[size:]
    fit = update(labels[own], probabilities[own], kind)
    if fit is None or len(set(labels[others].tolist())) < 2:
        return None
    return calibrated(labels[others], updated(probabilities[others], *fit))


def _middle(found: pd.DataFrame) -> dict[str, float]:
    """Mean and middle 95 % of each measure."""
    if found.empty:
        return {}
    ends = found.quantile([0.025, 0.975])
    return {
        key: value
        for name in MEASURES
        for key, value in (
            (name, found[name].mean()),
            (f"{name}_low", ends.loc[0.025, name]),
            (f"{name}_high", ends.loc[0.975, name]),
        )
    }


def _columns() -> list[str]:
    return [f"{name}{end}" for name in MEASURES for end in ("", "_low", "_high")]
