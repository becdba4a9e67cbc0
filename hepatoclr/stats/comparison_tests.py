"""Statistics of comparing classifiers on the same patients: intervals, tests, power, calibration.

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

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logit, ndtr, ndtri, stdtr, stdtrit

from hepatoclr.base.errors import UserError

# AUCs and variances (of the order 1e-3) closer than this are the same.
ROUNDING = 1e-12
# Probabilities are kept this far from 0 and 1 before their logit is taken.
CLIP = 1e-6


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
    positive, negative = _classes(labels)
    scores = _check_no_missing(scores)
    share = _shares(folds, scores.shape[1], positive, negative)
    pairs = _pairs(scores[..., positive], scores[..., negative])
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
    return drawn(_classes(labels), draws, seed)


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

    A fold that holds one class only is left out. In a bootstrap draw a fold counts by the share
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
    positive, negative = _classes(labels)
    scores = _check_no_missing(scores)
    share = _shares(folds, scores.shape[1], positive, negative)
    right = np.sum(share * _pairs(scores[..., positive], scores[..., negative]), axis=1)
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
        draws: Shape (draws, ...); NaN draws are left out.
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
        differences: Difference in each fold of each repeat, shape (folds,); NaN is left out.
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


def permutation(
    labels: ArrayLike,
    scores_a: ArrayLike,
    scores_b: ArrayLike,
    draws: int,
    seed: int,
    folds: ArrayLike | None = None,
) -> float:
    """Paired permutation test of equal AUC: swap the two models' ranks patient by patient.

    Scores are first ranked within model and fold (or evaluation, without folds), so that their
    scales do not matter. The statistic is the difference of the AUC of `fold_auc`; a swap takes
    all evaluations of a patient together.

    Args:
        labels: Shape (patients,).
        scores_a: Scores of one model, shape (evaluations, patients).
        scores_b: Scores of the other, same shape.
        draws: Number of random permutations.
        seed: Seed of the permutations.
        folds: As in `fold_auc`.

    Returns:
        Two-sided p, at least 1 / (draws + 1); NaN where no fold holds both classes.

    Raises:
        UserError: One class only, or a score is missing.

    Source: Bandos, Rockette, Gur, Statistics in Medicine 24:2873 (2005).
    """
    positive, negative = _classes(labels)
    ranks = [_ranks(_check_no_missing(scores), folds) for scores in (scores_a, scores_b)]
    share = _shares(folds, len(ranks[0]), positive, negative)
    # Pairs of a positive ranked by one model and a negative ranked by the same or the other.
    aa, ab, ba, bb = (
        np.sum(share * _pairs(of[..., positive], against[..., negative]), axis=0)
        for of in ranks
        for against in ranks
    )
    # With the sign s of a patient (-1: swapped), the difference of a pair (i, j) is
    # (s_i + s_j) / 2 * (aa - bb) + (s_i - s_j) / 2 * (ab - ba): linear in the signs.
    parts = np.zeros(np.size(labels))
    parts[positive] = np.sum(aa - bb + ab - ba, axis=1) / 2
    parts[negative] = np.sum(aa - bb - ab + ba, axis=0) / 2
    if np.isnan(parts).any():
        return np.nan
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(draws, len(parts)))
    as_far = np.abs(signs @ parts) >= abs(parts.sum()) - ROUNDING
    return float((1 + as_far.sum()) / (draws + 1))


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


def power_law(sizes: ArrayLike, aucs: ArrayLike, errors: ArrayLike | None = None) -> np.ndarray:
    """Fit the learning curve auc(n) = a - b * n**-c, with a in [0, 1] and b, c > 0.

    Args:
        sizes: Numbers of training patients, shape (points,).
        aucs: AUC at each size, shape (points,).
        errors: Standard error of each AUC, shape (points,); None weighs all alike.

    Returns:
        a, b, c; NaN where there are fewer than three points or the fit does not converge.
    """
    from scipy.optimize import OptimizeWarning, curve_fit

    sizes, aucs = np.asarray(sizes, float), np.asarray(aucs, float)
    if len(sizes) < 3 or not np.isfinite(aucs).all():
        return np.full(3, np.nan)

    def curve(n: np.ndarray, *free: float) -> np.ndarray:
        return _power_law(n, *bounded(*free))

    def bounded(u: float, v: float, w: float) -> tuple:
        """a, b, c of three free numbers; v sets how far the smallest size is below a."""
        return expit(u), np.exp(v + np.exp(w) * np.log(sizes.min())), np.exp(w)

    start = [logit(np.clip(aucs.max() + 0.02, 0.02, 0.98)), np.log(0.1), np.log(0.5)]
    # Several curves may fit alike: no covariance then, which is not asked for.
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", OptimizeWarning)
        try:
            found = np.array(bounded(*curve_fit(curve, sizes, aucs, start, errors, maxfev=2000)[0]))
        except RuntimeError:
            return np.full(3, np.nan)
    return found if np.isfinite(found).all() else np.full(3, np.nan)


def power_law_curve(
    sizes: ArrayLike,
    aucs: ArrayLike,
    draws: np.ndarray,
    at: ArrayLike,
    level: float = 0.95,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The fitted learning curve with its bootstrap interval.

    Args:
        sizes: Numbers of training patients, shape (points,).
        aucs: AUC at each size, shape (points,).
        draws: Bootstrap draws of these AUCs, shape (draws, points); their sd weighs the points.
        at: Numbers of training patients to evaluate the curve at, shape (places,).
        level: Confidence level.

    Returns:
        Fitted AUC, lower and upper limit, each of shape (places,); NaN as in `power_law`.
    """
    errors = np.std(draws, axis=0)
    errors = errors if np.all(errors > 0) else None
    at = np.asarray(at, float)
    fitted = _power_law(at, *power_law(sizes, aucs, errors))
    low, high = interval([_power_law(at, *power_law(sizes, draw, errors)) for draw in draws], level)
    known = np.isfinite(fitted)
    return fitted, np.where(known, low, np.nan), np.where(known, high, np.nan)


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
    _classes(labels)
    evaluations = np.atleast_2d(_check_no_missing(probabilities))
    x = logit(np.clip(evaluations, CLIP, 1 - CLIP)).ravel()
    return x, np.tile(np.asarray(labels, float), len(evaluations))


def _classes(labels: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the positive and of the negative patients."""
    labels = np.asarray(labels)
    positive, negative = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    if not len(positive) or not len(negative):
        raise UserError(
            f"found {len(positive)} patients with label 1 and {len(negative)} with label 0; "
            "comparing models needs both"
        )
    return positive, negative


def _check_no_missing(scores: ArrayLike) -> np.ndarray:
    """The scores as numbers, none missing."""
    scores = np.asarray(scores, float)
    if np.isnan(scores).any():
        raise UserError(
            f"{int(np.isnan(scores).sum())} of {scores.size} predictions are missing; "
            "predict every patient by every model"
        )
    return scores


def _pairs(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
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


def _shares(
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


def _ranks(scores: np.ndarray, folds: ArrayLike | None) -> np.ndarray:
    """Ranks within each fold, ties sharing their mean; scores: (evaluations, patients)."""
    from scipy.stats import rankdata

    folds = np.zeros(scores.shape) if folds is None else np.asarray(folds)
    ranks = np.empty(scores.shape)
    for each, dealt, ranked in zip(scores, folds, ranks, strict=True):
        for fold in np.unique(dealt):
            ranked[dealt == fold] = rankdata(each[dealt == fold])
    return ranks


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Part / whole; NaN where the whole is empty."""
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=np.asarray(whole) > 0)


def _power_law(n: np.ndarray, a: float, b: float, c: float) -> np.ndarray:
    """The learning curve of `power_law`."""
    return a - b * n**-c
