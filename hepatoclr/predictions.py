"""Predictions per patient: the interface between training and statistics."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from hepatoclr import files, metrics

COLUMNS = (
    *("protocol", "encoder", "fraction", "seed", "repeat", "fold"),
    *("patient_id", "label", "probability", "threshold", "slices"),
    # where they are known: the slices' probabilities, whether the epoch was chosen on the tested
    # patients, and what was chosen inside the training folds
    *("by_slice", "leaky", "C", "inner_auc", "beta"),
)


def per_patient(patient: Sequence[str], probability: np.ndarray) -> pd.DataFrame:
    """Average the probabilities of each patient's slices.

    Args:
        patient: Patient of each slice.
        probability: Of each slice.

    Returns:
        A row per patient, in order of appearance: patient_id, probability, slices, by_slice (the
        probabilities of the slices, separated by spaces).
    """
    table = pd.DataFrame({"patient_id": patient, "probability": probability})
    grouped = table.groupby("patient_id", sort=False)["probability"]
    found = grouped.agg(probability="mean", slices="size", by_slice=_listed)
    return found.reset_index()


def _listed(probabilities: pd.Series) -> str:
    return " ".join(f"{value:.4f}" for value in probabilities)


def threshold(kind: str, patients: pd.DataFrame, targets: pd.Series) -> float:
    """Choose the decision threshold on training patients.

    Args:
        kind: "half" (0.5) or "youden".
        patients: Training patients with their probability.
        targets: Target by patient_id.
    """
    if kind == "half":
        return 0.5
    labels = targets.loc[patients["patient_id"]].to_numpy(int)
    return metrics.youden(labels, patients["probability"].to_numpy())


def read_as_written(path: str | Path) -> pd.DataFrame:
    """Read predictions that this project wrote; ids and lists stay text."""
    texts = {"patient_id": "str", "by_slice": "str"}
    kept = {"keep_default_na": False, "na_values": {"inner_auc": ""}}
    return pd.read_csv(path, dtype=texts, **kept)


def write(parts: Sequence[pd.DataFrame], path: str | Path) -> None:
    """Write predictions, the parts one below the other."""
    together = pd.concat(parts, ignore_index=True)
    with files.atomic(path) as temporary:
        together[[name for name in COLUMNS if name in together]].to_csv(
            temporary, index=False, lineterminator="\n"
        )
