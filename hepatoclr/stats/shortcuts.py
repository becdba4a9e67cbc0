"""How well things that are not the liver predict the label: what a model could learn instead."""

from collections.abc import Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hepatoclr.cohorts import splits
from hepatoclr.cohorts.cohort_table import patients
from hepatoclr.stats import comparison_tests

if TYPE_CHECKING:
    from hepatoclr.cohorts.manifests import Row

COLUMNS = ("shortcut", "kind", "values", "auc", "low", "high")
NUMBER, CATEGORY, SEVERAL = "number", "category", "several"
LIVER = ("kept slices", "liver volume", "liver density")  # biology, shown to compare with
NUMBERS = {
    "kept slices": "slices",
    "slice spacing": "slice_mm",
    "pixel spacing": "pixel_mm",
    "liver volume": "liver_ml",
    "liver density": "liver_hu",
}
CATEGORIES = {"site": "site", "scanner": "scanner"}


def known(
    cohort: pd.DataFrame, rows: "Sequence[Row]"
) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
    """Take what is known of the used patients beside their images.

    Args:
        cohort: Table of the evaluation cohort, see `assemble.table`.
        rows: Its manifest.

    Returns:
        Numbers and categories: name to a table with a row per patient. A number is a column, the
        patient's mean over their CTs; the row in the manifest is one. A category is a column of 0
        and 1 for each of its values that two patients or more have, others say nothing of other
        patients; the folders on the way to the image are one.
    """
    used = cohort[cohort["included"]]
    manifest = {row.case: row for row in rows}
    here = [manifest[case] for case in used["case"]]
    numbers = {"row order": [row.number for row in here]}
    numbers |= {name: used[column].to_numpy() for name, column in NUMBERS.items()}
    categories = {"folder": [list(map(str, PurePath(row.image).parents)) for row in here]}
    categories |= {name: [[text] for text in used[c]] for name, c in CATEGORIES.items()}
    return (
        {name: _means(name, values, used["patient_id"]) for name, values in numbers.items()},
        {name: _one_hot(values, used["patient_id"]) for name, values in categories.items()},
    )


def _means(name: str, values: Sequence[float], patient: pd.Series) -> pd.DataFrame:
    column = pd.Series(values, patient, dtype=float, name=name)
    return column.groupby(level=0, sort=False).mean().to_frame()


def _one_hot(values: Sequence[list[str]], patient: pd.Series) -> pd.DataFrame:
    columns = pd.get_dummies(pd.Series(values, patient).explode())
    columns = columns.groupby(level=0, sort=False).max().astype(float)
    return columns.loc[:, columns.sum() > 1]


def table(
    cohort: pd.DataFrame, rows: "Sequence[Row]", splits_: Sequence[pd.DataFrame]
) -> pd.DataFrame:
    """Predict the label by each shortcut, on the folds that the networks are tested on.

    Args:
        cohort: Table of the evaluation cohort.
        rows: Its manifest.
        splits_: The splits, one per repeat.

    Returns:
        A row per shortcut, then all that are not the liver together, then all together: shortcut,
        kind, values (how many patients differ by it), auc, low, high (DeLong's 95 %
        interval of the AUC, pooled over the folds and averaged over the repeats). What is the same
        for all predicts nothing and has no AUC. Categories are not named, since folders may hold
        names.
    """
    numbers, categories = known(cohort, rows)
    single = numbers | categories
    beside = {name: columns for name, columns in single.items() if name not in LIVER}
    joined = {"all but the liver": _side_by_side(beside), "all": _side_by_side(single)}
    kinds = dict.fromkeys(numbers, NUMBER) | dict.fromkeys(categories, CATEGORY)
    targets = patients(cohort).set_index("patient_id")["target"].astype(int)
    records = []
    for name, columns in (single | joined).items():
        values = len(set(map(tuple, columns.to_numpy())))
        found = _auc_with_interval(columns, targets, splits_) if values > 1 else [np.nan] * 3
        records.append((name, kinds.get(name, SEVERAL), values, *found))
    return pd.DataFrame(records, columns=list(COLUMNS))


def _side_by_side(several: dict[str, pd.DataFrame]) -> pd.DataFrame:
    return pd.concat([one.add_prefix(f"{name} ") for name, one in several.items()], axis=1)


def _auc_with_interval(
    columns: pd.DataFrame, targets: pd.Series, splits_: Sequence[pd.DataFrame]
) -> tuple[float, float, float]:
    """AUC of a logistic regression, with its interval."""
    scores = np.array([[_odds(columns, split).loc[targets.index] for split in splits_]])
    aucs, covariance = comparison_tests.delong(targets.to_numpy(), scores)
    return tuple(map(float, (aucs[0], *comparison_tests.auc_interval(aucs[0], covariance[0, 0]))))


def _odds(columns: pd.DataFrame, split: pd.DataFrame) -> pd.Series:
    """Log odds of each patient under a model of the other folds, in which both classes weigh alike.

    Else folds that hold more of a class would differ by the share that is left of it.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    found = []
    for fold, tested in split.groupby("fold"):
        training = splits.training(split, int(fold))
        model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced"))
        model.fit(columns.loc[training["patient_id"]].to_numpy(), training["target"].astype(int))
        asked = tested["patient_id"]
        found.append(pd.Series(model.decision_function(columns.loc[asked].to_numpy()), asked))
    return pd.concat(found)
