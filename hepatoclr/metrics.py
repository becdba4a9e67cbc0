"""How well predictions separate the classes: per fold, per repeat, and summarised.

Everything starts from a *predictions* table, a row per tested patient, as `predictions.read`
returns it. `by_fold` and `summary` give what Table 1 shows, mean and sd over folds; `arrays` and
`measures` give every measure, weighted by patients, so that a bootstrap needs no loop over tables.

scikit-learn is imported inside the functions: its import takes 2.5 s, and what only draws or
formats a finished table should not wait for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from hepatoclr import inference
from hepatoclr.errors import UserError

GROUP = ["protocol", "encoder", "fraction"]
REPEAT = [*GROUP, "seed", "repeat"]
FOLD = [*REPEAT, "fold"]
MEASURES = ["auc", "balanced_accuracy"]


def auc(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Area under the ROC curve.

    Args:
        labels: 0 or 1 per patient, shape (patients,).
        probabilities: Predicted probability of label 1, in [0, 1], shape (patients,).

    Returns:
        The share of (positive, negative) pairs ranked rightly, ties counting one half.

    Raises:
        UserError: One class only, or probabilities that are missing or outside [0, 1].
    """
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(*_checked(labels, probabilities)))


def balanced_accuracy(
    labels: ArrayLike, probabilities: ArrayLike, threshold: ArrayLike = 0.5
) -> float:
    """Mean of sensitivity and specificity at a decision threshold.

    Args:
        labels: 0 or 1 per patient, shape (patients,).
        probabilities: Predicted probability of label 1, in [0, 1], shape (patients,).
        threshold: A patient is called positive at this probability or above; one for all, or
            shape (patients,).

    Raises:
        UserError: One class only, or probabilities that are missing or outside [0, 1].
    """
    from sklearn.metrics import balanced_accuracy_score

    labels, probabilities = _checked(labels, probabilities)
    return float(balanced_accuracy_score(labels, probabilities >= np.asarray(threshold)))


def youden(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """The threshold that maximises sensitivity + specificity - 1 (Youden, Cancer 1950).

    Choose it on training patients: chosen on the tested ones it flatters the result.

    Args:
        labels: 0 or 1 per training patient, shape (patients,).
        probabilities: Predicted probability of label 1, in [0, 1], shape (patients,).

    Returns:
        The threshold, halfway between the lowest probability called positive and the highest
        called negative; the highest such threshold where several are equally good.

    Raises:
        UserError: One class only, or probabilities that are missing or outside [0, 1].
    """
    from sklearn.metrics import roc_curve

    labels, probabilities = _checked(labels, probabilities)
    fpr, tpr, cuts = roc_curve(labels, probabilities, drop_intermediate=False)
    # The first cut is infinite: nobody positive, never better than everybody positive.
    best = 1 + int(np.argmax((tpr - fpr)[1:]))
    cut = float(cuts[best])
    below = float(cuts[best + 1]) if best + 1 < len(cuts) else cut
    halfway = (cut + below) / 2
    # Between neighbouring floats (saturated probabilities) halfway rounds onto one of them.
    return halfway if halfway > below else cut


def roc(labels: ArrayLike, probabilities: ArrayLike, grid: np.ndarray) -> np.ndarray:
    """Sensitivity at given false positive rates, for averaging ROC curves vertically.

    Args:
        labels: 0 or 1 per patient, shape (patients,).
        probabilities: Predicted probability of label 1, in [0, 1], shape (patients,).
        grid: False positive rates in [0, 1], shape (points,).

    Returns:
        True positive rates, shape (points,).

    Raises:
        UserError: One class only, or probabilities that are missing or outside [0, 1].
    """
    from sklearn.metrics import roc_curve

    fpr, tpr, _ = roc_curve(*_checked(labels, probabilities), drop_intermediate=False)
    return np.interp(grid, fpr, tpr)


def mean_roc(predictions: pd.DataFrame, points: int = 101) -> pd.DataFrame:
    """The mean over folds of the ROC curves of each encoder (vertical averaging, Fawcett 2006).

    Args:
        predictions: A predictions table.
        points: How many false positive rates, evenly spaced over [0, 1].

    Returns:
        One row per (protocol, encoder, fraction) and point: fpr, tpr. Each curve starts with
        an extra point at the origin.

    Raises:
        UserError: As `by_fold`.
    """
    grid = np.linspace(0, 1, points)
    curves = [
        {**dict(zip(FOLD, key, strict=True)), "tpr": roc(fold["label"], fold["probability"], grid)}
        for key, fold in whole_repeats(predictions).groupby(FOLD)
    ]
    rows = []
    for key, group in pd.DataFrame(curves).groupby(GROUP):
        tpr = np.mean(np.stack(group["tpr"]), axis=0)
        curve = pd.DataFrame({"fpr": np.r_[0, grid], "tpr": np.r_[0, tpr]})
        rows.append(curve.assign(**dict(zip(GROUP, key, strict=True))))
    return pd.concat(rows, ignore_index=True)[[*GROUP, "fpr", "tpr"]]


def whole_repeats(predictions: pd.DataFrame) -> pd.DataFrame:
    """Merge folds that cannot be evaluated by themselves, as of leave-one-out.

    A fold that holds one class only has no AUC. Where there is such a fold, all folds of its
    protocol (and fraction) become fold 0: each repeat is then evaluated as a whole.
    """
    classes = predictions.groupby(FOLD)["label"].nunique()
    single = classes[classes < 2].reset_index()[["protocol", "fraction"]].drop_duplicates()
    affected = pd.MultiIndex.from_frame(predictions[["protocol", "fraction"]]).isin(
        pd.MultiIndex.from_frame(single)
    )
    return predictions.assign(fold=predictions["fold"].mask(affected, 0))


def by_fold(predictions: pd.DataFrame) -> pd.DataFrame:
    """Evaluate every fold by itself.

    Args:
        predictions: A predictions table.

    Returns:
        One row per (protocol, encoder, fraction, seed, repeat, fold): auc, balanced_accuracy,
        n_patients. Fold 0 is a whole repeat, see `whole_repeats`.

    Raises:
        UserError: As `check`, or a repeat holds one class only.
    """
    check(predictions)
    rows = []
    for key, fold in whole_repeats(predictions).groupby(FOLD):
        place = dict(zip(FOLD, key, strict=True))
        try:
            found = {
                "auc": auc(fold["label"], fold["probability"]),
                "balanced_accuracy": balanced_accuracy(
                    fold["label"], fold["probability"], fold["threshold"]
                ),
                "n_patients": len(fold),
            }
        except UserError as error:
            raise UserError(f"{_describe(place)}: {error}") from None
        rows.append(place | found)
    return pd.DataFrame(rows, columns=[*FOLD, *MEASURES, "n_patients"])


def check(predictions: pd.DataFrame) -> None:
    """See that predictions can be evaluated.

    Raises:
        UserError: A fold holds labels other than 0 and 1, several thresholds, or probabilities
            that are missing or outside [0, 1]; the message names the fold.
    """
    thresholds = predictions.groupby(FOLD)["threshold"].transform("nunique", dropna=False)
    bad = (
        ~predictions["probability"].between(0, 1)
        | ~predictions["label"].isin([0, 1])
        | (thresholds != 1)
        | predictions["threshold"].isna()
    )
    if not bad.any():
        return
    place = predictions.loc[bad, FOLD].iloc[0]
    fold = predictions[(predictions[FOLD] == place).all(axis=1)]
    try:
        _checked(fold["label"], fold["probability"])
    except UserError as error:
        raise UserError(f"{_describe(place)}: {error}") from None
    found = sorted(map(float, fold["threshold"].unique()))
    raise UserError(
        f"{_describe(place)}: found the decision thresholds {found}, expected one for the whole "
        "fold. Predict this fold again; do not mix files of different runs."
    )


def summary(folds: pd.DataFrame) -> pd.DataFrame:
    """Summarise folds: mean and sample standard deviation (n - 1) over seeds, repeats and folds.

    Args:
        folds: What `by_fold` returns.

    Returns:
        One row per (protocol, encoder, fraction): n_folds (0 where each repeat was evaluated as
        a whole), auc_mean, auc_sd, balanced_accuracy_mean, balanced_accuracy_sd. The sd of a
        single fold is NaN.
    """
    groups = folds.assign(own=folds["fold"] > 0).groupby(GROUP)
    columns = {"n_folds": groups["own"].sum()}
    for measure in MEASURES:
        columns[f"{measure}_mean"] = groups[measure].mean()
        columns[f"{measure}_sd"] = groups[measure].std(ddof=1)
    return pd.DataFrame(columns).reset_index()


@dataclass(frozen=True)
class Scores:
    """Predictions of some models of the same patients, as arrays.

    Attributes:
        models: Names, in the order of the first axis.
        patients: Ids, in the order of the last axis.
        labels: 0 or 1, shape (patients,).
        probabilities: Of label 1, shape (models, evaluations, patients). An evaluation is a
            (seed, repeat): it predicts every patient once.
        called: Whether a probability reaches its threshold, of the same shape.
        folds: Where a patient was tested, shape (evaluations, patients); see `whole_repeats`.
    """

    models: list
    patients: list[str]
    labels: np.ndarray
    probabilities: np.ndarray
    called: np.ndarray
    folds: np.ndarray


def scores(predictions: pd.DataFrame, by: str = "encoder") -> Scores:
    """Arrange the predictions of one protocol and fraction by model, evaluation and patient.

    Args:
        predictions: A predictions table.
        by: The column that tells the models apart.

    Raises:
        UserError: As `check`, or the models were not tested alike: not on the same patients in
            each repeat, or in other folds.
    """
    check(predictions)
    merged = whole_repeats(predictions)
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
    `inference.calibration` adds. In a fold of 8 to 20 patients nobody may be called positive, and
    a calibration slope is noise.

    Args:
        scores: What `scores` returns.
        weights: How often each patient counts, shape (draws, patients); None for once.

    Returns:
        Each measure, shape (models,), or (draws, models) where weights are given. NaN where
        nobody is in a denominator. As in scikit-learn, the log loss moves probabilities of 0 and
        1 inwards by the smallest step of a float.
    """
    return per_fold(scores, weights) | _pooled(scores, weights)


def per_fold(scores: Scores, weights: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """The measures of Table 1: auc and balanced_accuracy; see `measures`."""
    folds, positive = scores.folds, scores.labels == 1
    sensitivity = np.where(positive, scores.called, np.nan)
    specificity = np.where(positive, np.nan, ~scores.called)
    rates = [inference.fold_mean(of, folds, weights) for of in (sensitivity, specificity)]
    return {
        "auc": inference.fold_auc(scores.labels, scores.probabilities, folds, weights),
        "balanced_accuracy": np.mean(rates, axis=0),
    }


def _pooled(scores: Scores, weights: np.ndarray | None) -> dict[str, np.ndarray]:
    """The measures that take all patients of a repeat together; see `measures`."""
    labels, called = scores.labels, scores.called
    positive = np.broadcast_to(labels == 1, called.shape)
    step = np.finfo(float).eps
    inner = np.clip(scores.probabilities, step, 1 - step)

    def mean(of: np.ndarray, among: np.ndarray | bool = True) -> np.ndarray:
        return inference.fold_mean(np.where(among, of, np.nan), None, weights)

    return {
        "auc_pooled": inference.fold_auc(labels, scores.probabilities, None, weights),
        "sensitivity": mean(called, positive),
        "specificity": mean(~called, ~positive),
        "ppv": mean(positive, called),
        "npv": mean(~positive, ~called),
        "f1": _f1(positive, called, weights),
        "brier": mean((scores.probabilities - labels) ** 2),
        "log_loss": mean(-np.log(np.where(positive, inner, 1 - inner))),
    }


def _f1(positive: np.ndarray, called: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """F1 of each evaluation, averaged: 2 tp / (positive + called)."""
    shares = [
        [
            inference.fold_mean(of[:, [k]], None, weights)
            for of in (positive & called, positive, called)
        ]
        for k in range(called.shape[1])
    ]
    return np.mean([2 * both / (actual + said) for both, actual, said in shares], axis=0)


def counts(predictions: pd.DataFrame) -> dict[str, int]:
    """Count the tested patients: patients, positive, negative."""
    labels = predictions.drop_duplicates("patient_id")["label"]
    positive = int(labels.sum())
    return {"patients": len(labels), "positive": positive, "negative": len(labels) - positive}


def _checked(labels: ArrayLike, probabilities: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Give labels and probabilities as arrays, or say what keeps them from being evaluated.

    Raises:
        UserError: Labels other than 0 and 1, one class only, or probabilities that are missing
            or outside [0, 1].
    """
    labels, probabilities = np.asarray(labels), np.asarray(probabilities, dtype=float)
    if labels.shape != probabilities.shape or labels.ndim != 1:
        raise UserError(
            f"labels {labels.shape} and probabilities {probabilities.shape} differ in shape; "
            "give one of each per patient."
        )
    if missing := int(np.isnan(probabilities).sum()):
        raise UserError(
            f"{missing} of {probabilities.size} probabilities are missing (NaN). The training "
            "has diverged or the file is cut short: read its log, then predict again."
        )
    if len(outside := probabilities[(probabilities < 0) | (probabilities > 1)]):
        raise UserError(
            f"the probability {outside[0]:g} is outside [0, 1] ({len(outside)} of "
            f"{probabilities.size} are). Give probabilities of label 1, not logits."
        )
    found = np.unique(labels).tolist()
    if not set(found) <= {0, 1}:
        raise UserError(f"labels must be 0 or 1, found {found}.")
    if len(found) < 2:
        raise UserError(
            f"all {labels.size} patients have label {found[0]}; both classes are needed. "
            "Stratify the folds by label, or test more patients."
        )
    return labels.astype(int), probabilities


def _describe(place: Mapping[str, object]) -> str:
    """Name a fold in a message: `linear simclr, repeat 1, fold 3`, with what else sets it apart."""
    share = "" if place["fraction"] == 1 else f" with {place['fraction']:.0%} of the patients"
    seed = "" if place["seed"] == 1 else f", seed {place['seed']}"
    fold = f", fold {place['fold']}" if place["fold"] else ""
    return f"{place['protocol']} {place['encoder']}{share}{seed}, repeat {place['repeat']}{fold}"
