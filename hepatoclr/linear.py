"""The linear protocol: logistic regression on frozen feature vectors."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from hepatoclr import cohort, predictions, splits

MOST_STEPS = 10_000


def fit(vectors: np.ndarray, targets: np.ndarray, C: float, scale: bool) -> Pipeline:
    """Fit the regression.

    Args:
        vectors: Feature vectors, shape (n, channels).
        targets: 0 or 1, shape (n,).
        C: Inverse strength of the L2 penalty.
        scale: Standardise the features first.
    """
    model = make_pipeline(
        StandardScaler() if scale else "passthrough", LogisticRegression(C=C, max_iter=MOST_STEPS)
    )
    return model.fit(vectors, targets)


def predict(
    patient: pd.Series,
    vectors: np.ndarray,
    targets: pd.Series,
    tested: Sequence[str],
    settings: Mapping,
) -> pd.DataFrame:
    """Fit on some patients and predict others.

    Args:
        patient: Patient of each slice.
        vectors: Feature vector of each slice, shape (slices, channels).
        targets: Target of the training patients, by patient_id.
        tested: Patients to predict.
        settings: The configuration's section `linear`.

    Returns:
        A row per tested patient: patient_id, probability, slices, threshold.
    """
    counts = patient.value_counts()
    if settings["rows"] == "patients":
        means = pd.DataFrame(vectors).groupby(patient.to_numpy(), sort=False).mean()
        patient, vectors = pd.Series(means.index), means.to_numpy()

    def by_patient(chosen: np.ndarray) -> pd.DataFrame:
        """Probability of some patients, by the rows that belong to them."""
        return predictions.per_patient(patient[chosen], model.predict_proba(vectors[chosen])[:, 1])

    known = patient.isin(targets.index).to_numpy()
    labels = targets.loc[patient[known]].to_numpy(int)
    model = fit(vectors[known], labels, settings["C"], settings["scale"])
    cut = predictions.threshold(settings["threshold"], by_patient(known), targets)
    found = by_patient(patient.isin(tested).to_numpy())
    return found.assign(slices=counts.loc[found["patient_id"]].to_numpy(), threshold=cut)


def cross_validate(
    encoder: str,
    seed: int,
    table: str,
    split: str,
    folds: Sequence[int],
    output: str,
    settings: Mapping,
) -> None:
    """Predict the patients of some folds, each by a model fitted on the other folds.

    Args:
        encoder: Name of the encoder.
        seed: Seed that it was trained with.
        table: Features of the evaluation cohort.
        split: The split.
        folds: Folds to test.
        output: Predictions to write.
        settings: The configuration's section `linear`.
    """
    patient, vectors = read(table)
    dealt = splits.read(split)
    targets = dealt.set_index("patient_id")["target"]
    parts = []
    for fold in folds:
        tested = dealt.loc[dealt["fold"] == fold, "patient_id"]
        known = targets.drop(tested)
        found = predict(patient, vectors, known, tested, settings)
        parts.append(
            found.assign(
                protocol="linear",
                encoder=encoder,
                fraction=1.0,
                seed=seed,
                repeat=dealt["repeat"].iloc[0],
                fold=fold,
                label=targets.loc[found["patient_id"]].to_numpy(int),
            )
        )
    predictions.write(parts, output)


def apply(
    encoder: str, known: str, evaluation: str, unknown: str, output: str, settings: Mapping
) -> None:
    """Predict an external cohort by a model fitted on the whole evaluation cohort.

    Args:
        encoder: Name of the encoder.
        known: Features of the evaluation cohort.
        evaluation: Table of the evaluation cohort.
        unknown: Features of the external cohort.
        output: Predictions to write.
        settings: The configuration's section `linear`.
    """
    targets = cohort.patients(cohort.read(evaluation)).set_index("patient_id")["target"]
    patient, vectors = read(known)
    others, more = read(unknown)
    both = pd.concat([patient, others], ignore_index=True)
    found = predict(both, np.concatenate([vectors, more]), targets, others.unique(), settings)
    predictions.write([found.assign(protocol="linear", encoder=encoder)], output)


def read(path: str) -> tuple[pd.Series, np.ndarray]:
    """Read what `features` wrote: the patient of each slice, and vectors (slices, channels)."""
    table = pd.read_parquet(path)
    return table["patient_id"].astype(str), table.filter(regex=r"^f\d+$").to_numpy(np.float64)
