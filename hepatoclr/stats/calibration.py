"""Whether probabilities mean what they say: calibration, and the net benefit of acting on them."""

import warnings

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logit

from hepatoclr.stats.comparison_tests import check_no_missing, classes

# Probabilities are kept this far from 0 and 1 before their logit is taken.
CLIP = 1e-6


def net_benefit(
    labels: ArrayLike, probabilities: ArrayLike, thresholds: ArrayLike
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Net benefit of treating by the model, treating all and treating none.

    Net benefit = true positives / n - false positives / n * threshold / (1 - threshold).

    Args:
        labels: Shape (patients,).
        probabilities: In [0, 1], shape (patients,) or (evaluations, patients), then averaged.
        thresholds: Probabilities in [0, 1) from which a patient is treated, shape (points,).

    Returns:
        Three arrays of shape (points,): model, treat all, treat none (always 0).

    Source: Vickers, Elkin, Medical Decision Making 26:565 (2006).
    """
    labels, thresholds = np.asarray(labels), np.asarray(thresholds, float)
    odds = thresholds / (1 - thresholds)
    # What treating one patient brings: 1 for a positive, the odds lost for a negative.
    gain = np.where(labels == 1, 1.0, -odds[:, None])
    evaluations = np.atleast_2d(probabilities)
    treated = np.mean(evaluations[None] >= thresholds[:, None, None], axis=1)
    return np.mean(treated * gain, axis=1), gain.mean(axis=1), np.zeros_like(odds)


def calibration(labels: ArrayLike, probabilities: ArrayLike) -> tuple[float, float]:
    """Calibration slope, and intercept (calibration in the large), on the logit scale.

    A slope below 1: probabilities too extreme. An intercept above 0: probabilities too low.

    Args:
        labels: Shape (patients,).
        probabilities: In [0, 1], shape (patients,) or (evaluations, patients); evaluations are
            fitted together.

    Returns:
        Slope and intercept. The slope is NaN where one probability separates the classes or all
        probabilities are the same.

    Raises:
        UserError: One class only, or a probability is missing.

    Source: Cox, Biometrika 45:562 (1958); Van Calster et al., BMC Medicine 17:230 (2019).
    """
    from scipy.optimize import brentq
    from statsmodels.api import GLM, add_constant
    from statsmodels.genmod.families import Binomial

    x, y = _logits(labels, probabilities)
    # The regression with offset x and a constant: its score equation, which has one root.
    intercept = brentq(lambda constant: np.mean(expit(x + constant) - y), -50, 50)
    ones, zeros = x[y == 1], x[y == 0]
    if zeros.max() <= ones.min() or ones.max() <= zeros.min():
        return np.nan, float(intercept)
    # Steps towards the solution may overflow; whether it was found is asked afterwards.
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        fit = GLM(y, add_constant(x), family=Binomial()).fit()
    return float(fit.params[1]) if fit.converged else np.nan, float(intercept)


def calibration_interval(
    labels: ArrayLike, probabilities: ArrayLike, level: float = 0.95
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Intervals of calibration slope and intercept, the patient being the unit.

    Args:
        labels, probabilities: As in `calibration`.
        level: Confidence level.

    Returns:
        Lower and upper limit of the slope, and of the intercept: normal, with errors clustered by
        patient, so that repeats do not pass for further patients. Those of the slope are NaN
        where it is.

    Raises:
        UserError: One class only, or a probability is missing.

    Source: Liang, Zeger, Biometrika 73:13 (1986).
    """
    from statsmodels.api import GLM, add_constant
    from statsmodels.genmod.families import Binomial

    x, y = _logits(labels, probabilities)
    patients = np.tile(np.arange(np.size(labels)), len(y) // np.size(labels))
    by_patient = {"cov_type": "cluster", "cov_kwds": {"groups": patients}}
    intercept = GLM(y, np.ones_like(x), family=Binomial(), offset=x).fit(**by_patient)
    slopes = (np.nan, np.nan)
    if np.isfinite(calibration(labels, probabilities)[0]):
        fit = GLM(y, add_constant(x), family=Binomial()).fit(**by_patient)
        slopes = tuple(map(float, fit.conf_int(1 - level)[1]))
    return slopes, tuple(map(float, intercept.conf_int(1 - level)[0]))


def _logits(labels: ArrayLike, probabilities: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Logits and labels of all evaluations, one after the other."""
    classes(labels)
    evaluations = np.atleast_2d(check_no_missing(probabilities))
    x = logit(np.clip(evaluations, CLIP, 1 - CLIP)).ravel()
    return x, np.tile(np.asarray(labels, float), len(evaluations))
