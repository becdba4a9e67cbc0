"""The splits of the cross-validation, shared by all methods.

A split has a row per patient: repeat, fold (1, 2, ... where the patient is tested), patient_id,
target, and `also_excluded`, another patient whom that fold does not train on, or empty.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from hepatoclr.base import files, seeds
from hepatoclr.base.errors import UserError

SCHEMES = ("stratified", "leave-one-out", "balanced-leave-one-out", "site")


def make_splits(
    patients: pd.DataFrame, scheme: str, folds: int, repeat: int, seed: int
) -> pd.DataFrame:
    """Split the patients into folds.

    Args:
        patients: A row per patient: patient_id, target (0 or 1) and, for `site`, sites.
        scheme: One of `SCHEMES`.
        folds: Number of folds of `stratified`.
        repeat: Number of the repeat, from 1.
        seed: Seed of the whole run.

    Returns:
        The split.

    Raises:
        UserError: The patients cannot be split this way.
    """
    if scheme == "stratified":
        return stratified(patients, folds, repeat, seed)
    if scheme == "site":
        return by_site(patients, repeat)
    return leave_one_out(patients, repeat, seed, balanced=scheme.startswith("balanced"))


def least_patients(scheme: str, folds: int) -> int:
    """How many patients of each class a scheme needs, at least."""
    return folds if scheme == "stratified" else 2


def stratified(patients: pd.DataFrame, folds: int, repeat: int, seed: int) -> pd.DataFrame:
    """Split the patients into folds, both classes evenly; each repeat has its own split.

    Raises:
        UserError: A class has fewer patients than there are folds.
    """
    from sklearn.model_selection import StratifiedKFold  # 1.4 s, not for who reads a split

    smallest = smallest_class(patients)
    if smallest < folds:
        raise UserError(
            f"a class has {smallest} usable patients but there are {folds} folds; "
            "lower evaluation.folds or see in the cohort's table why cases were excluded"
        )
    fold = np.zeros(len(patients), int)
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seeds.derived(seed, repeat))
    for number, (_, test) in enumerate(splitter.split(patients, patients["target"].astype(int)), 1):
        fold[test] = number
    return _split(patients, repeat, fold)


def leave_one_out(
    patients: pd.DataFrame, repeat: int, seed: int, balanced: bool = False
) -> pd.DataFrame:
    """Test each patient alone.

    Without the tested patient the training set holds less of their class, so that a model which
    says nothing but its prevalence ranks every patient wrongly: the pooled AUC is biased. Balanced,
    a patient of the other class, drawn at random, is not trained on either, and prevalence is the
    same in all folds (Austin et al. 2024, arXiv 2406.01652).

    Raises:
        UserError: A class has fewer than two patients.
    """
    if smallest_class(patients) < 2:
        raise UserError("leave-one-out needs two patients of each class in the evaluation cohort")
    split = _split(patients, repeat, np.arange(1, len(patients) + 1))
    if balanced:
        rng = np.random.default_rng([seed, repeat])
        others = {
            target: split.loc[split["target"] != target, "patient_id"].to_numpy()
            for target in (0, 1)
        }
        split["also_excluded"] = [rng.choice(others[target]) for target in split["target"]]
    return split


def by_site(patients: pd.DataFrame, repeat: int) -> pd.DataFrame:
    """Test each site by a model that was trained on the other sites.

    Raises:
        UserError: A patient has no site or several, there is one site only, or the other sites
            hold one class only.
    """
    several = patients["sites"].map(len) > 1
    if several.any():
        first = patients[several].iloc[0]
        raise UserError(
            f"patient {first['patient_id']} has CTs of several sites "
            f"({', '.join(first['sites'])}); folds by site need one site per patient"
        )
    site = patients["sites"].map(lambda names: names[0] if names else "")
    if (site == "").any() or site.nunique() < 2:
        raise UserError(
            f"folds by site need the column `site` of the manifest for every patient, and two "
            f"sites or more; {int((site == '').sum())} of {len(site)} patients have none, and "
            f"after exclusions there are {site[site != ''].nunique()} sites"
        )
    names = sorted(site.unique())
    split = _split(patients, repeat, site.map(names.index).to_numpy() + 1)
    for number, name in enumerate(names, 1):
        if split.loc[split["fold"] != number, "target"].nunique() < 2:
            raise UserError(
                f"without site {name} the patients are of one class only; set evaluation.scheme to "
                "stratified, or see in the cohort's table why cases were excluded"
            )
    return split


def smallest_class(patients: pd.DataFrame) -> int:
    """Count the patients of the smaller class."""
    return int(patients["target"].value_counts().reindex([0, 1], fill_value=0).min())


def _split(patients: pd.DataFrame, repeat: int, fold: Sequence[int]) -> pd.DataFrame:
    split = patients[["patient_id", "target"]].assign(repeat=repeat, fold=fold, also_excluded="")
    return split[["repeat", "fold", "patient_id", "target", "also_excluded"]]


def training(split: pd.DataFrame, fold: int, fraction: float = 1, seed: int = 0) -> pd.DataFrame:
    """Take the training patients of a fold, or a stratified share of them.

    Shares are nested: the patients of 40 % are among those of 60 %.
    """
    test = split["fold"] == fold
    pool = split[~test & ~split["patient_id"].isin(split.loc[test, "also_excluded"])]
    rng = np.random.default_rng([seed, int(split["repeat"].iloc[0]), fold])
    shuffled = pool.iloc[rng.permutation(len(pool))]
    rank = shuffled.groupby("target").cumcount() + 0.5
    size = shuffled.groupby("target")["target"].transform("size")
    chosen = shuffled[rank < np.maximum(1, (fraction * size).round())]
    return chosen.sort_index()


def write(split: pd.DataFrame, path: str | Path) -> None:
    """Write a split."""
    files.write_csv(split, path)


def read(path: str | Path) -> pd.DataFrame:
    """Read a split; ids stay text."""
    text = {"patient_id": "str", "also_excluded": "str"}
    return files.read_csv(path, dtype=text, keep_default_na=False)
