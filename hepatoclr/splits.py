"""The splits of the cross-validation, shared by all methods."""

from pathlib import Path

import numpy as np
import pandas as pd

from hepatoclr import files, seeds
from hepatoclr.errors import UserError


def stratified(patients: pd.DataFrame, folds: int, repeat: int, seed: int) -> pd.DataFrame:
    """Deal the patients into folds, both classes evenly.

    Args:
        patients: patient_id and target (0 or 1), a row per patient.
        folds: Number of folds.
        repeat: Number of the repeat, from 1; each has its own split.
        seed: Seed of the whole run.

    Returns:
        A row per patient: repeat, fold (1..folds, where the patient is tested), patient_id, target.

    Raises:
        UserError: A class has fewer patients than there are folds.
    """
    from sklearn.model_selection import StratifiedKFold  # 1.4 s, not for who reads a split

    smallest = patients["target"].value_counts().reindex([0, 1], fill_value=0).min()
    if smallest < folds:
        raise UserError(
            f"a class has {smallest} usable patients but there are {folds} folds; "
            "lower evaluation.folds or see in the cohort's table why cases were set aside"
        )
    dealt = patients.assign(repeat=repeat, fold=0)
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seeds.derived(seed, repeat))
    for fold, (_, test) in enumerate(splitter.split(patients, patients["target"].astype(int)), 1):
        dealt.loc[dealt.index[test], "fold"] = fold
    return dealt[["repeat", "fold", "patient_id", "target"]]


def training(split: pd.DataFrame, fold: int, fraction: float, seed: int) -> pd.DataFrame:
    """Take the training patients of a fold, or a stratified share of them.

    Shares are nested: the patients of 40 % are among those of 60 %.
    """
    pool = split[split["fold"] != fold]
    rng = np.random.default_rng([seed, int(split["repeat"].iloc[0]), fold])
    shuffled = pool.iloc[rng.permutation(len(pool))]
    rank = shuffled.groupby("target").cumcount() + 0.5
    size = shuffled.groupby("target")["target"].transform("size")
    chosen = shuffled[rank < np.maximum(1, (fraction * size).round())]
    return chosen.sort_index()


def write(split: pd.DataFrame, path: str | Path) -> None:
    """Write a split."""
    with files.atomic(path) as temporary:
        split.to_csv(temporary, index=False, lineterminator="\n")


def read(path: str | Path) -> pd.DataFrame:
    """Read a split; ids stay text."""
    return pd.read_csv(path, dtype={"patient_id": "str"}, keep_default_na=False)
