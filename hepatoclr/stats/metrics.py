"""How well predictions separate the classes: per fold, and summarised over folds.

Everything starts from a *predictions* table, a row per tested patient, as `predictions.read`
returns it. `by_fold` and `summary` give mean and sd over folds, as Table 1 shows them; every other
measure, and intervals, come from `evaluation`.

scikit-learn is imported inside the functions: its import takes 2.5 s, and what only draws or
formats a finished table should not wait for it.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from hepatoclr.base.errors import UserError

GROUP = ["protocol", "encoder", "fraction"]
REPEAT = [*GROUP, "seed", "repeat"]
FOLD = [*REPEAT, "fold"]
# Balanced accuracy at 0.5, and at the threshold of the fold.
MEASURES = ["auc", "balanced_accuracy", "balanced_accuracy_youden"]


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
        for key, fold in pool_single_class_folds(predictions).groupby(FOLD)
    ]
    rows = []
    for key, group in pd.DataFrame(curves).groupby(GROUP):
        tpr = np.mean(np.stack(group["tpr"]), axis=0)
        curve = pd.DataFrame({"fpr": np.r_[0, grid], "tpr": np.r_[0, tpr]})
        rows.append(curve.assign(**dict(zip(GROUP, key, strict=True))))
    return pd.concat(rows, ignore_index=True)[[*GROUP, "fpr", "tpr"]]


def pool_single_class_folds(predictions: pd.DataFrame) -> pd.DataFrame:
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
        One row per (protocol, encoder, fraction, seed, repeat, fold): `MEASURES`, n_patients.
        Fold 0 is a whole repeat, see `pool_single_class_folds`.

    Raises:
        UserError: As `check`, or a repeat holds one class only.
    """
    check(predictions)
    rows = []
    for key, fold in pool_single_class_folds(predictions).groupby(FOLD):
        place = dict(zip(FOLD, key, strict=True))
        try:
            found = {
                "auc": auc(fold["label"], fold["probability"]),
                "balanced_accuracy": balanced_accuracy(fold["label"], fold["probability"]),
                "balanced_accuracy_youden": balanced_accuracy(
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
        a whole), and of each of `MEASURES` mean and sd. The sd of a single fold is NaN.
    """
    groups = folds.assign(own=folds["fold"] > 0).groupby(GROUP)
    columns = {"n_folds": groups["own"].sum()}
    for measure in MEASURES:
        columns[f"{measure}_mean"] = groups[measure].mean()
        columns[f"{measure}_sd"] = groups[measure].std(ddof=1)
    return pd.DataFrame(columns).reset_index()


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
