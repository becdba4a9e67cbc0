"""A paired permutation test of equal AUC; arrays as in `comparison_tests`."""

import numpy as np
from numpy.typing import ArrayLike

from hepatoclr.stats.comparison_tests import (
    ROUNDING,
    check_no_missing,
    classes,
    fold_shares,
    ranked_pairs,
)


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
    positive, negative = classes(labels)
    ranks = [_ranks(check_no_missing(scores), folds) for scores in (scores_a, scores_b)]
    share = fold_shares(folds, len(ranks[0]), positive, negative)
    # Pairs of a positive ranked by one model and a negative ranked by the same or the other.
    aa, ab, ba, bb = (
        np.sum(share * ranked_pairs(of[..., positive], against[..., negative]), axis=0)
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


def _ranks(scores: np.ndarray, folds: ArrayLike | None) -> np.ndarray:
    """Ranks within each fold, ties sharing their mean; scores: (evaluations, patients)."""
    from scipy.stats import rankdata

    folds = np.zeros(scores.shape) if folds is None else np.asarray(folds)
    ranks = np.empty(scores.shape)
    for each, assigned, ranked in zip(scores, folds, ranks, strict=True):
        for fold in np.unique(assigned):
            ranked[assigned == fold] = rankdata(each[assigned == fold])
    return ranks
