"""Every measure of predictions, as arrays: weighted by patients, so that a bootstrap needs no loop.

Apart from `metrics`, which training needs too: an edit of the statistics trains nothing again.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hepatoclr.base.errors import UserError
from hepatoclr.stats import comparison_tests, metrics


@dataclass(frozen=True)
class Scores:
    """Predictions of some models of the same patients, as arrays.

    Attributes:
        models: Names, in the order of the first axis.
        patients: Ids, in the order of the last axis.
        labels: 0 or 1, shape (patients,).
        probabilities: Of label 1, shape (models, evaluations, patients). An evaluation is a
            (seed, repeat): it predicts every patient once.
        predicted_positive: Whether a probability reaches its threshold, of the same shape.
        folds: Where a patient was tested, shape (evaluations, patients); 0 as in
            `metrics.pool_single_class_folds`.
    """

    models: list
    patients: list[str]
    labels: np.ndarray
    probabilities: np.ndarray
    predicted_positive: np.ndarray
    folds: np.ndarray


def to_arrays(predictions: pd.DataFrame, by: str = "encoder") -> Scores:
    """Arrange the predictions of one protocol and fraction by model, evaluation and patient.

    Args:
        predictions: A predictions table.
        by: The column that tells the models apart.

    Raises:
        UserError: As `metrics.check`, or the models were not tested alike: not on the same
            patients in each repeat, or in other folds.
    """
    metrics.check(predictions)
    merged = metrics.pool_single_class_folds(predictions)
    models = list(dict.fromkeys(merged[by]))
    evaluations = merged[["seed", "repeat"]].drop_duplicates().sort_values(["seed", "repeat"])
    rows = [(model, *pair) for model in models for pair in evaluations.itertuples(index=False)]
    wide = merged.pivot(
        index=[by, "seed", "repeat"],
        columns="patient_id",
        values=["probability", "threshold", "fold", "label"],
    ).reindex(pd.MultiIndex.from_tuples(rows, names=[by, "seed", "repeat"]))
    absent = wide["fold"].isna().stack()
    if absent.any():
        model, seed, repeat, patient = absent.index[int(absent.to_numpy().argmax())]
        raise UserError(
            f"{merged['protocol'].iloc[0]} {model}, seed {seed}, repeat {repeat}: patient "
            f"{patient} is not predicted; {int(absent.sum())} predictions are missing. What is "
            "compared must be tested on the same patients, in every repeat: run the missing "
            "evaluations, or leave the others out."
        )
    shape = (len(models), len(evaluations), -1)
    probabilities, thresholds, folds = (
        wide[name].to_numpy(float).reshape(shape) for name in ("probability", "threshold", "fold")
    )
    if (folds != folds[0]).any():
        model = models[int((folds != folds[0]).any(axis=(1, 2)).argmax())]
        raise UserError(
            f"{merged['protocol'].iloc[0]}: {models[0]} and {model} were tested in other folds. "
            "What is compared must share its splits: predict again with the same seed."
        )
    return Scores(
        models,
        list(wide["label"].columns),
        wide["label"].iloc[0].to_numpy(int),
        probabilities,
        probabilities >= thresholds,
        folds[0].astype(int),
    )


def measures(scores: Scores, weights: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Evaluate models by every measure that is a mean over patients or pairs of them.

    Per fold, and averaged over folds, seeds and repeats, as in Table 1: auc and
    balanced_accuracy. Pooled, that is taken over all patients of a repeat and averaged over seeds
    and repeats: auc_pooled, sensitivity, specificity, ppv, npv, f1, brier, log_loss, and what
    `calibration` adds. In a fold of 8 to 20 patients nobody may be predicted positive, and a
    calibration slope is noise.

    Args:
        scores: What `to_arrays` returns.
        weights: How often each patient counts, shape (draws, patients); None for once.

    Returns:
        Each measure, shape (models,), or (draws, models) where weights are given. NaN where
        nobody is in a denominator. As in scikit-learn, the log loss moves probabilities of 0 and
        1 inwards by the smallest step of a float.
    """
    return per_fold(scores, weights) | _pooled(scores, weights)


def per_fold(scores: Scores, weights: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """The measures of Table 1: auc and balanced_accuracy; see `measures`."""
    labels, probabilities = scores.labels, scores.probabilities
    return {
        "auc": comparison_tests.fold_auc(labels, probabilities, scores.folds, weights),
        "balanced_accuracy": balanced_accuracy(scores, weights),
    }


def balanced_accuracy(scores: Scores, weights: np.ndarray | None = None) -> np.ndarray:
    """Balanced accuracy per fold, averaged over folds, seeds and repeats; see `measures`."""
    positive = scores.labels == 1
    sensitivity = np.where(positive, scores.predicted_positive, np.nan)
    specificity = np.where(positive, np.nan, ~scores.predicted_positive)
    rates = (sensitivity, specificity)
    return np.mean([comparison_tests.fold_mean(of, scores.folds, weights) for of in rates], axis=0)


def _pooled(scores: Scores, weights: np.ndarray | None) -> dict[str, np.ndarray]:
    """The measures that take all patients of a repeat together; see `measures`."""
    labels, predicted_positive = scores.labels, scores.predicted_positive
    positive = np.broadcast_to(labels == 1, predicted_positive.shape)
    step = np.finfo(float).eps
    inner = np.clip(scores.probabilities, step, 1 - step)

    def mean(of: np.ndarray, among: np.ndarray | bool = True) -> np.ndarray:
        return comparison_tests.fold_mean(np.where(among, of, np.nan), None, weights)

    return {
        "auc_pooled": comparison_tests.fold_auc(labels, scores.probabilities, None, weights),
        "sensitivity": mean(predicted_positive, positive),
        "specificity": mean(~predicted_positive, ~positive),
        "ppv": mean(positive, predicted_positive),
        "npv": mean(~positive, ~predicted_positive),
        "f1": _f1(positive, predicted_positive, weights),
        "brier": mean((scores.probabilities - labels) ** 2),
        "log_loss": mean(-np.log(np.where(positive, inner, 1 - inner))),
    }


def _f1(
    positive: np.ndarray, predicted_positive: np.ndarray, weights: np.ndarray | None
) -> np.ndarray:
    """F1 of each evaluation, averaged: 2 tp / (positive + predicted positive)."""
    shares = [
        [
            comparison_tests.fold_mean(of[:, [k]], None, weights)
            for of in (positive & predicted_positive, positive, predicted_positive)
        ]
        for k in range(predicted_positive.shape[1])
    ]
    return np.mean([2 * both / (actual + predicted) for both, actual, predicted in shares], axis=0)
