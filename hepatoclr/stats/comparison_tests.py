"""Statistics of comparing classifiers on the same patients: intervals, tests, power.

Arrays in, numbers out; nothing here knows tables. Throughout:

- `labels`: 0 or 1 per patient, shape (patients,); both classes present.
- `scores`: shape (models, evaluations, patients). An *evaluation* tests every patient once: one
  repeat of the cross-validation with one pretraining seed.
- `folds`: the fold that tests each patient, shape (evaluations, patients).
- `weights`: how often each bootstrap draw holds each patient, shape (draws, patients).

The patient is the unit: repeats and seeds test the same patients again and add no patients, so
they are averaged and never counted. What each number means, and how often its interval covers
the truth, is in docs/statistics.md.

scikit-learn, statsmodels and most of scipy are imported inside the functions: they are slow to
import, and what only draws or formats a finished table should not wait for them.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logit, ndtr, ndtri, stdtr, stdtrit

from hepatoclr.base.errors import UserError

# AUCs and variances (of the order 1e-3) closer than this are the same.
ROUNDING = 1e-12


def delong(
    labels: ArrayLike, scores: ArrayLike, folds: ArrayLike | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """AUCs of several models on the same patients, with their covariance (DeLong et al. 1988).

    The AUC is that of `fold_auc`. A patient's contribution to it (the structural component) is
    averaged over evaluations, so one formula serves one test and repeated cross-validation.

    The published formula counts the chance of a single pair twice, once with its positive and
    once with its negative. That is negligible where all pairs are compared, not for the few
    pairs within a fold, so with folds it is taken off once (as for two-way clustered data).

    Args:
        labels: Shape (patients,).
        scores: Shape (models, evaluations, patients).
        folds: Shape (evaluations, patients) for the mean over folds; None pools each evaluation
            over its folds, as published.

    Returns:
        AUCs, shape (models,), and their covariance, shape (models, models); the covariance is NaN
        where a class has one patient only, all is NaN where no fold holds both classes.

    Raises:
        UserError: One class only, or a score is missing.

    Source: DeLong, DeLong, Clarke-Pearson, Biometrics 44:837 (1988); Cameron, Gelbach, Miller,
        Journal of Business & Economic Statistics 29:238 (2011).
    """
    positive, negative = classes(labels)
    scores = check_no_missing(scores)
    share = fold_shares(folds, scores.shape[1], positive, negative)
    pairs = ranked_pairs(scores[..., positive], scores[..., negative])
    aucs = np.sum(share * pairs, axis=(1, 2, 3))
    excess = np.sum(share * (pairs - aucs[:, None, None, None]), axis=1)
    covariance = _sum_of_products(excess.sum(axis=2)) + _sum_of_products(excess.sum(axis=1))
    if folds is not None:
        covariance = covariance - np.einsum("apn,bpn->ab", excess, excess)
    return aucs, covariance


def auc_interval(auc: ArrayLike, variance: ArrayLike, level: float = 0.95) -> tuple:
    """Interval of an AUC or another share, symmetric on the logit scale: it stays inside (0, 1).

    Args:
        auc: AUC, balanced accuracy, sensitivity ..., any shape.
        variance: Its variance, from `delong` or of its bootstrap draws, same shape.
        level: Confidence level.

    Returns:
        Lower and upper limit; NaN where the share is 0 or 1, as its variance cannot be estimated.

    Source: Pepe, The Statistical Evaluation of Medical Tests (2003), section 5.2.
    """
    auc = np.asarray(auc, float)
    inside = np.where((auc > ROUNDING) & (auc < 1 - ROUNDING), auc, np.nan)
    half = ndtri((1 + level) / 2) * _error(variance) / (inside * (1 - inside))
    return expit(logit(inside) - half), expit(logit(inside) + half)


def variance_of_difference(covariance: np.ndarray, a: int, b: int) -> float:
    """Variance of the difference of models a and b, from their covariance (models, models)."""
    return float(covariance[a, a] + covariance[b, b] - 2 * covariance[a, b])


def difference_interval(
    difference: float, variance: float, level: float = 0.95
) -> tuple[float, float]:
    """Normal interval of a difference, given its variance (`delong`, or bootstrap draws)."""
    half = ndtri((1 + level) / 2) * _error(variance)
    return float(difference - half), float(difference + half)


def delong_test(aucs: np.ndarray, covariance: np.ndarray, a: int, b: int) -> float:
    """Two-sided p value of equal AUCs of models a and b, both as `delong` returns them.

    Returns:
        p; 1 where the models rank alike, NaN where the difference varies in no way.
    """
    difference = aucs[a] - aucs[b]
    variance = variance_of_difference(covariance, a, b)
    if variance < ROUNDING:
        return 1.0 if abs(difference) < ROUNDING else np.nan
    return float(2 * ndtr(-abs(difference) / np.sqrt(variance)))


def stratified_bootstrap(labels: ArrayLike, draws: int, seed: int) -> np.ndarray:
    """Draw patients with replacement, as many of each class as there are.

    Use the same draws for all models: differences between models are then paired. The variance
    of a measure's draws goes into `auc_interval` (a share) or `difference_interval`.

    Args:
        labels: Shape (patients,).
        draws: Number of draws.
        seed: Seed of the draws.

    Returns:
        How often each patient is drawn, shape (draws, patients).

    Raises:
        UserError: One class only.
    """
    return drawn(classes(labels), draws, seed)


def drawn(classes: Sequence[np.ndarray], draws: int, seed: int) -> np.ndarray:
    """Draw patients with replacement within each of any number of classes.

    Args:
        classes: Indices of the patients of each class; together every patient once.
        draws, seed: As in `stratified_bootstrap`.

    Returns:
        How often each patient is drawn, shape (draws, patients).
    """
    rng = np.random.default_rng(seed)
    counts = np.zeros((draws, sum(map(len, classes))), int)
    for patients in classes:
        even = np.full(len(patients), 1 / len(patients))
        counts[:, patients] = rng.multinomial(len(patients), even, size=draws)
    return counts


def fold_auc(
    labels: ArrayLike,
    scores: ArrayLike,
    folds: ArrayLike | None = None,
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """Mean over folds and evaluations of the AUC within each fold.

    A fold that holds one class only is ignored. In a bootstrap draw a fold counts by the share
    of its pairs that were drawn: not at all where it lost a class. (Counting all folds alike
    would hide how much folds differ, and the interval would be too narrow.)

    Args:
        labels: Shape (patients,).
        scores: Shape (models, evaluations, patients).
        folds: Shape (evaluations, patients); None pools each evaluation over its folds.
        weights: Counts of bootstrap draws, shape (draws, patients); None for the patients as
            they are.

    Returns:
        Shape (models,), or (draws, models) where weights are given; NaN where no fold is left.

    Raises:
        UserError: One class only, or a score is missing.
    """
    positive, negative = classes(labels)
    scores = check_no_missing(scores)
    share = fold_shares(folds, scores.shape[1], positive, negative)
    right = np.sum(share * ranked_pairs(scores[..., positive], scores[..., negative]), axis=1)
    if weights is None:
        return right.sum(axis=(1, 2))
    p, n = weights[:, positive].astype(float), weights[:, negative].astype(float)
    part = np.einsum("dp,mpn,dn->dm", p, right, n, optimize=True)
    return _ratio(part, np.einsum("dp,pn,dn->d", p, share.sum(axis=0), n, optimize=True)[:, None])


def fold_mean(
    values: ArrayLike, folds: ArrayLike | None = None, weights: np.ndarray | None = None
) -> np.ndarray:
    """Mean over folds and evaluations of the mean over a fold's patients of any value.

    With 1 for a right and 0 for a wrong call, and NaN for the patients of the other class, it is
    sensitivity or specificity (their mean: balanced accuracy); with the label of the patients
    called positive, the predictive value; with squared errors, the Brier score.

    Args:
        values: Shape (models, evaluations, patients); NaN where a patient does not count.
        folds, weights: As in `fold_auc`; in a draw a fold counts by the share of its patients
            that were drawn.

    Returns:
        Shape (models,), or (draws, models) where weights are given; NaN where no patient counts.
    """
    values = np.asarray(values, float)
    folds = np.zeros(values.shape[1:]) if folds is None else np.asarray(folds)
    counts = np.isfinite(values)
    together = folds[:, :, None] == folds[:, None, :]
    share = counts / np.maximum(np.einsum("eij,mej->mei", together, counts.astype(float)), 1)
    held = np.ones((1, len(folds.T))) if weights is None else np.asarray(weights, float)
    mean = _ratio(
        held @ np.sum(share * np.nan_to_num(values), axis=1).T, held @ share.sum(axis=1).T
    )
    return mean[0] if weights is None else mean


def interval(draws: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Percentile interval of bootstrap draws.

    Args:
        draws: Shape (draws, ...); NaN draws are ignored.
        level: Confidence level.

    Returns:
        Lower and upper limit, each of shape (...); NaN where all draws are NaN.
    """
    draws = np.asarray(draws, float)
    empty = np.isnan(draws).all(axis=0)
    tails = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.nanquantile(np.where(empty, 0, draws), tails, axis=0)
    return np.where(empty, np.nan, low), np.where(empty, np.nan, high)


def nadeau_bengio(
    differences: ArrayLike, test_share: float, level: float = 0.95
) -> tuple[float, float, float, float]:
    """Corrected resampled t test of the differences between two models over the same folds.

    Folds share training patients, so their differences are correlated; the correction adds the
    ratio of tested to training patients to the variance. Average over seeds first: they share
    the folds.

    Args:
        differences: Difference in each fold of each repeat, shape (folds,); NaN is ignored.
        test_share: Share of the patients that a fold tests, in (0, 1): 0.2 for 5 folds.
        level: Confidence level.

    Returns:
        t, two-sided p, and the interval of the mean difference; NaN for fewer than two
        differences or where they are all the same.

    Source: Nadeau, Bengio, Machine Learning 52:239 (2003).
    """
    differences = np.asarray(differences, float)
    differences = differences[np.isfinite(differences)]
    count = len(differences)
    if count < 2 or np.ptp(differences) < ROUNDING:
        return np.nan, np.nan, np.nan, np.nan
    mean, variance = differences.mean(), differences.var(ddof=1)
    error = np.sqrt((1 / count + test_share / (1 - test_share)) * variance)
    half = stdtrit(count - 1, (1 + level) / 2) * error
    p = 2 * stdtr(count - 1, -abs(mean / error))
    return float(mean / error), float(p), float(mean - half), float(mean + half)


def holm(p: ArrayLike) -> np.ndarray:
    """P values adjusted for their number (Holm 1979); NaN stays NaN and is not counted."""
    from statsmodels.stats.multitest import multipletests

    adjusted = np.array(p, float)
    known = np.isfinite(adjusted)
    if known.any():
        adjusted[known] = multipletests(adjusted[known], method="holm")[1]
    return adjusted


def minimum_detectable_difference(
    variance: float, alpha: float = 0.05, power: float = 0.8
) -> float:
    """The smallest true difference that a two-sided test finds with the given power.

    Args:
        variance: Variance of the difference, see `variance_of_difference`.
        alpha: Level of the test.
        power: Probability to find the difference.
    """
    return float((ndtri(1 - alpha / 2) + ndtri(power)) * _error(variance))


def classes(labels: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Give the indices of the positive and of the negative patients.

    Raises:
        UserError: One class only.
    """
    labels = np.asarray(labels)
    positive, negative = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    if not len(positive) or not len(negative):
        raise UserError(
            f"found {len(positive)} patients with label 1 and {len(negative)} with label 0; "
            "comparing models needs both"
        )
    return positive, negative


def check_no_missing(scores: ArrayLike) -> np.ndarray:
    """Give scores as numbers.

    Raises:
        UserError: Some are missing.
    """
    scores = np.asarray(scores, float)
    if np.isnan(scores).any():
        raise UserError(
            f"{int(np.isnan(scores).sum())} of {scores.size} predictions are missing; "
            "predict every patient by every model"
        )
    return scores


def ranked_pairs(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """1 where a positive scores above a negative, 1/2 for a tie, else 0: shape (..., p, n)."""
    return (1 + np.sign(positive[..., :, None] - negative[..., None, :])) / 2


def _sum_of_products(contributions: np.ndarray) -> np.ndarray:
    """Covariance of sums over patients of one class; contributions: (models, patients)."""
    patients = contributions.shape[1]
    return contributions @ contributions.T * (patients / (patients - 1) if patients > 1 else np.nan)


def _error(variance: ArrayLike) -> np.ndarray:
    """Standard error; NaN where the variance is negative, as it may be for a handful of pairs."""
    variance = np.asarray(variance, float)
    return np.sqrt(np.where(variance > -ROUNDING, np.maximum(variance, 0), np.nan))


def fold_shares(
    folds: ArrayLike | None, evaluations: int, positive: np.ndarray, negative: np.ndarray
) -> np.ndarray:
    """What each pair counts for in the mean over folds: shape (evaluations, p, n), sum 1."""
    if folds is None:
        folds = np.zeros((evaluations, len(positive) + len(negative)))
    folds = np.asarray(folds)
    together = folds[:, positive, None] == folds[:, None, negative]
    pairs = together.sum(axis=2, keepdims=True) * together.sum(axis=1, keepdims=True)
    share = together / np.maximum(pairs, 1)
    return _ratio(share, share.sum())


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Part / whole; NaN where the whole is empty."""
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=np.asarray(whole) > 0)
