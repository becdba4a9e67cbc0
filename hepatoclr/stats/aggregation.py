"""From slices to patients: other ways than the mean of the probabilities.

All start from a predictions table with the column `by_slice`, the probabilities of each patient's
slices. scikit-learn is imported where it is used, as in `metrics`.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import logit

from hepatoclr.stats import metrics

KINDS = ("mean", "median", "max", "learned")
# Probabilities are written with four decimals: half a step keeps logits finite.
HALF_STEP = 5e-5


def aggregated(predictions: pd.DataFrame) -> pd.DataFrame:
    """Aggregate the slices of each patient in several ways.

    Args:
        predictions: A predictions table whose rows all have `by_slice`.

    Returns:
        The table with a column of probabilities for each of `KINDS`. `learned` is a logistic
        regression on mean, largest value and standard deviation of the logits of a patient's
        slices. It is fitted on the patients of the other folds of the same evaluation, by their
        own out-of-fold predictions. No label of a tested patient reaches the regression, but
        the networks behind the other folds' predictions had seen the tested patients: the result
        is a little optimistic. NaN where the other folds do not hold both classes.
    """
    slices = [values(text) for text in predictions["by_slice"]]
    found = predictions.assign(
        mean=[float(of.mean()) for of in slices],
        median=[float(np.median(of)) for of in slices],
        max=[float(of.max()) for of in slices],
        learned=np.nan,
    )
    logits = [logit(np.clip(of, HALF_STEP, 1 - HALF_STEP)) for of in slices]
    features = np.array([[of.mean(), of.max(), of.std()] for of in logits])
    places = pd.Series(np.arange(len(found)), found.index)
    for _, place in places.groupby([found[name] for name in metrics.REPEAT]):
        rows = place.to_numpy()
        learned = _learned(features[rows], *found.iloc[rows][["label", "fold"]].to_numpy(int).T)
        found.iloc[rows, found.columns.get_loc("learned")] = learned
    return found


def _learned(features: np.ndarray, labels: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Predict each fold's patients by a regression fitted on the others of one evaluation."""
    from sklearn.linear_model import LogisticRegression

    predicted = np.full(len(labels), np.nan)
    for fold in np.unique(folds):
        tested = folds == fold
        if len(np.unique(labels[~tested])) == 2:
            model = LogisticRegression().fit(features[~tested], labels[~tested])
            predicted[tested] = model.predict_proba(features[tested])[:, 1]
    return predicted


def values(by_slice: str) -> np.ndarray:
    """The probabilities of a patient's slices, shape (slices,)."""
    return np.array(by_slice.split(), dtype=float)


def slice_auc(
    labels: np.ndarray,
    slices: Sequence[Sequence[np.ndarray]],
    folds: np.ndarray,
    weights: np.ndarray,
) -> np.ndarray:
    """AUC with every slice for itself, averaged over folds and evaluations.

    As in `comparison_tests.fold_auc`, a fold counts in a draw by the share of its drawn pairs.

    Args:
        labels: 0 or 1 per patient, shape (patients,).
        slices: Probabilities of the slices of each patient, by evaluation and patient.
        folds: The fold that tests each patient, shape (evaluations, patients).
        weights: How often each patient, with all slices, counts, shape (draws, patients).

    Returns:
        Shape (draws,).
    """
    right, whole = np.zeros(len(weights)), np.zeros(len(weights))
    for of_patients, assigned in zip(slices, folds, strict=True):
        for fold in np.unique(assigned):
            positive = np.flatnonzero((assigned == fold) & (labels == 1))
            negative = np.flatnonzero((assigned == fold) & (labels == 0))
            ones, zeros = ([of_patients[k] for k in group] for group in (positive, negative))
            sizes = np.outer(list(map(len, ones)), list(map(len, zeros)))
            drawn = weights[:, positive], weights[:, negative]
            for total, pairs in ((right, _pairs_right(ones, zeros)), (whole, sizes)):
                found = np.einsum("dp,pn,dn->d", drawn[0], pairs, drawn[1], optimize=True)
                total += found / sizes.sum()
    return np.divide(right, whole, out=np.full(len(weights), np.nan), where=whole > 0)


def _pairs_right(ones: Sequence[np.ndarray], zeros: Sequence[np.ndarray]) -> np.ndarray:
    """How many pairs of slices of two patients are ranked rightly, shape (ones, zeros)."""
    ranked = (1 + np.sign(np.concatenate(ones)[:, None] - np.concatenate(zeros))) / 2
    starts = [np.cumsum([0, *map(len, group[:-1])]) for group in (ones, zeros)]
    return np.add.reduceat(np.add.reduceat(ranked, starts[0], axis=0), starts[1], axis=1)
