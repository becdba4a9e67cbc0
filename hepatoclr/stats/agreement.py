"""How far the radiologist's weak label agrees with histology, in patients who have both."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from hepatoclr.cohorts import manifests

COLUMNS = ("measure", "estimate", "low", "high", "patients")
SIDES = {manifests.POSITIVE: 1, manifests.NEGATIVE: 0}


def both(cohort: pd.DataFrame, meanings: Iterable[Mapping]) -> pd.DataFrame:
    """Take the patients of the evaluation cohort who have a weak label as well.

    Args:
        cohort: Table of the cohort, see `assemble.table`; a patient's first included case counts.
        meanings: Lists of labels (positive, negative) of the pretraining cohorts; the first that
            knows a word gives its meaning. Patients whose word none knows are left out.

    Returns:
        A row per patient: patient_id, strong, weak (0 or 1).
    """
    people = cohort[cohort["included"]].drop_duplicates("patient_id")
    known = list(meanings)
    weak = [
        next(
            (SIDES[side] for side in (manifests.meaning(word, m) for m in known) if side in SIDES),
            -1,
        )
        for word in people["weak_label"]
    ]
    found = people[["patient_id"]].assign(strong=people["target"].astype(int), weak=weak)
    return found[found["weak"] >= 0].reset_index(drop=True)


def table(labels: pd.DataFrame) -> pd.DataFrame:
    """Compare the weak with the strong label.

    Args:
        labels: What `both` returns.

    Returns:
        Rows agreement, kappa (Cohen 1960), sensitivity and specificity of the weak label for
        histology, and balanced accuracy, each with a 95 % interval (Wilson's of the proportions,
        kappa's from its standard error, that of balanced accuracy from the two variances) and the
        number of patients that it is taken of. No rows without patients; what one class cannot
        tell is missing.
    """
    from statsmodels.stats.inter_rater import cohens_kappa
    from statsmodels.stats.proportion import proportion_confint

    if labels.empty:
        return pd.DataFrame(columns=COLUMNS)

    def proportion(name: str, right: pd.Series) -> dict:
        if right.empty:
            return dict(zip(COLUMNS, (name, np.nan, np.nan, np.nan, 0), strict=True))
        low, high = proportion_confint(right.sum(), len(right), method="wilson")
        return dict(zip(COLUMNS, (name, right.mean(), low, high, len(right)), strict=True))

    right = labels["strong"] == labels["weak"]
    sides = [right[labels["strong"] == side] for side in (1, 0)]
    counts = pd.crosstab(labels["strong"], labels["weak"]).reindex(
        index=[0, 1], columns=[0, 1], fill_value=0
    )
    kappa = [np.nan] * 3
    if labels["strong"].nunique() == 2:
        found = cohens_kappa(counts.to_numpy())
        kappa = [found.kappa, max(found.kappa_low, -1), min(found.kappa_upp, 1)]
    middle = np.mean([side.mean() if len(side) else np.nan for side in sides])
    spread = 1.96 * np.sqrt(sum(s.mean() * (1 - s.mean()) / len(s) for s in sides if len(s))) / 2
    interval = (max(middle - spread, 0), min(middle + spread, 1))
    return pd.DataFrame(
        [
            proportion("agreement", right),
            dict(zip(COLUMNS, ("kappa", *kappa, len(right)), strict=True)),
            proportion("sensitivity", sides[0]),
            proportion("specificity", sides[1]),
            dict(zip(COLUMNS, ("balanced_accuracy", middle, *interval, len(right)), strict=True)),
        ]
    )
