"""The power law of learning curves: performance against the number of training patients."""

import warnings

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logit

from hepatoclr.stats.comparison_tests import interval


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


def _power_law(n: np.ndarray, a: float, b: float, c: float) -> np.ndarray:
    """The learning curve of `power_law`."""
    return a - b * n**-c
