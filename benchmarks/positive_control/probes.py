"""What features encode: regressions of what is known of the patients on their mean features."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hepatoclr.base import files
from hepatoclr.imaging import slices

FOLDS, ALPHAS = 5, np.logspace(-2, 5, 15)
FACTS = ("liver_ml", "liver_hu", "slice_mm", "pixel_mm")  # of the cohort's table


def probe(features: np.ndarray, target: np.ndarray, groups: np.ndarray | None = None) -> dict:
    """Predict a target from features, cross-validated, the penalty chosen within the folds.

    Args:
        features: Shape (n, channels).
        target: Shape (n,); with two values a class, else a number.
        groups: Rows of one group are never on both sides.

    Returns:
        measure, "AUC" or "R2", and value; R2 below 0 is worse than the mean.
    """
    model = make_pipeline(StandardScaler(), RidgeCV(ALPHAS))
    if len(np.unique(target)) == 2:  # of two classes, ridge regression is a linear discriminant
        folds, classes = (
            StratifiedKFold(FOLDS, shuffle=True, random_state=0),
            target == target.max(),
        )
        splits = list(folds.split(features, classes))
        found = cross_val_predict(model, features, classes.astype(float), cv=splits)
        return {"measure": "AUC", "value": float(roc_auc_score(classes, found))}
    folds = KFold(FOLDS, shuffle=True, random_state=0) if groups is None else GroupKFold(FOLDS)
    found = cross_val_predict(model, features, target, groups=groups, cv=folds)
    return {"measure": "R2", "value": float(r2_score(target, found))}


def of_encoder(features: pd.DataFrame, targets: pd.DataFrame, position: np.ndarray) -> pd.DataFrame:
    """Probe the features of one encoder.

    Args:
        features: A row per slice: case, patient_id, slice, f0, f1 ...
        targets: What is known of each patient, a column each, by patient_id.
        position: Of each slice in its liver, 0 at the top, 1 at the tip.

    Returns:
        A row per target: target, measure, value, patients. The position is predicted slice by
        slice, the others from a patient's mean features.
    """
    channels = [name for name in features if name.startswith("f") and name[1:].isdigit()]
    groups = features["patient_id"].to_numpy()
    found = {"slice position": probe(features[channels].to_numpy(float), position, groups)}
    means = features.groupby("patient_id")[channels].mean()
    known = targets.loc[means.index]
    for name in known:
        target = known[name].to_numpy(float)
        if np.isfinite(target).all() and _varies(target):
            found[name] = probe(means.to_numpy(float), target)
    table = pd.DataFrame([{"target": name, **one} for name, one in found.items()])
    return table.assign(patients=len(means))


def _varies(target: np.ndarray) -> bool:
    """Whether there is something to predict, of two classes in every fold."""
    counts = np.unique(target, return_counts=True)[1]
    return len(counts) > 2 or (len(counts) == 2 and counts.min() >= FOLDS)


def positions(features: pd.DataFrame, folder: Path) -> np.ndarray:
    """The position of each slice of a table of features, from the tables of kept slices."""
    by_case = {
        case: np.array([one.position for one in slices.read(folder / f"{case}.csv")])
        for case in features["case"].unique()
    }
    pairs = zip(features["case"], features["slice"], strict=True)
    return np.array([by_case[case][place] for case, place in pairs])


def run(
    results: Path, encoder: str, seed: int, cohort: pd.DataFrame, truth: Mapping
) -> pd.DataFrame:
    """Probe an encoder's features of the pretraining cohort.

    Args:
        results: Folder of the run.
        encoder: Its name.
        seed: Seed of its training.
        cohort: The table of the pretraining cohort.
        truth: What the simulation knows of each patient, a column each, by patient_id.
    """
    features = files.read_parquet(results / f"features/radio/{encoder}/seed{seed}.parquet")
    known = cohort.set_index("patient_id")[list(FACTS)].join(pd.DataFrame(truth))
    position = positions(features, results / "slices/radio")
    found = of_encoder(features, known, position)
    return found.assign(encoder=encoder, training_seed=seed)
