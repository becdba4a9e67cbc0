"""What the simulation knows of its patients, and what a regression makes of it."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hepatoclr.simulation import patients, scanner, simulate
from hepatoclr.simulation.signs import GRADES
from hepatoclr.stats import comparison_tests, metrics

SEVERITY = {grade: number for number, grade in enumerate(GRADES)}


def rows(config: Mapping, cohort: str) -> pd.DataFrame:
    """Draw who is in a cohort: patient_id, label, stage and more, a row per patient.

    Args:
        config: All settings.
        cohort: Its name.
    """
    shared = {key: config["simulate"][key] for key in simulate.DRAWN}
    return pd.DataFrame(simulate.cohort(cohort, **config["cohorts"][cohort]["simulate"], **shared))


def drawn(config: Mapping, cohort: str) -> dict[str, patients.Patient]:
    """Draw the patients of a cohort as the simulation does, by patient_id.

    Args:
        config: All settings.
        cohort: Its name.
    """
    shared = {key: config["simulate"][key] for key in ("seed", "effect")}
    given = config["cohorts"][cohort]["simulate"]
    shared |= {key: given[key] for key in ("confounding", "hospital")}
    stages = rows(config, cohort).set_index("patient_id")["stage"]
    return {
        name: simulate.person(cohort, index, int(stage), **shared)
        for index, (name, stage) in enumerate(stages.items())
    }


def true_signs(config: Mapping, cohort: str) -> pd.DataFrame:
    """The true signs of each patient of a cohort, a column each, by patient_id."""
    found = {name: who.signs for name, who in drawn(config, cohort).items()}
    return pd.DataFrame.from_dict(found, orient="index")


def surroundings(config: Mapping, cohort: str) -> pd.DataFrame:
    """What is no sign: build, age, hospital and scan of each patient, by patient_id."""
    matrix, slice_mm = config["simulate"]["matrix"], config["simulate"]["slice_mm"]
    first, found = next(iter(patients.SITES)), {}
    for name, who in drawn(config, cohort).items():
        scan = scanner.protocol(who, matrix, slice_mm)
        found[name] = {"fat": who.sizes["fat"], "age": who.sizes["age"], "noise": scan.noise}
        found[name] |= {
            "blur": scan.blur,
            "first site": float(who.site == first),
        }
    return pd.DataFrame.from_dict(found, orient="index")


def reader(config: Mapping) -> dict[str, float]:
    """How well the pretraining labels tell F3-F4, of the patients who were read.

    Returns:
        reader_auc, of the order of severity, and reader_positive, the share called cirrhotic.
    """
    found = rows(config, "radio")
    read = found[found["label"].isin(SEVERITY)]
    severity = read["label"].map(SEVERITY).to_numpy()
    fibrosis = (read["stage"] >= patients.ADVANCED).to_numpy(int)
    auc = metrics.auc(fibrosis, severity / max(SEVERITY.values())) if fibrosis.std() else np.nan
    return {"reader_auc": auc, "reader_positive": float((severity > 0).mean())}


def oracle(signs: pd.DataFrame, split: pd.DataFrame) -> tuple[float, float]:
    """Evaluate a logistic regression on the true signs, cross-validated in the folds of a split.

    Args:
        signs: True signs by patient_id, a column each.
        split: Rows patient_id, fold, target, as `splits.read` gives them.

    Returns:
        AUC within folds, averaged, and its DeLong variance.
    """
    inputs, targets = signs.loc[split["patient_id"]].to_numpy(float), split["target"].to_numpy(int)
    scores = np.empty(len(split))
    for fold in split["fold"].unique():
        test = (split["fold"] == fold).to_numpy()
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=10_000))
        model.fit(inputs[~test], targets[~test])
        scores[test] = model.decision_function(inputs[test])
    folds = split["fold"].to_numpy()[None]
    aucs, covariance = comparison_tests.delong(targets, scores[None, None], folds)
    return float(aucs[0]), float(covariance[0, 0])
