"""Final linear models: fitted once, on all evaluation patients, for those of other hospitals.

They are written as numbers, and what is applied is read back from there, so that whoever has the
file gets the same probabilities.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit

from hepatoclr.base import files, seeds
from hepatoclr.cohorts import cohort_table
from hepatoclr.learning import experiment, final_models, linear
from hepatoclr.stats import predictions

NESTED = "linear_nested"


@dataclass(frozen=True)
class LinearModel:
    """A logistic regression on the features as they are; a standardisation is part of its weights.

    Attributes:
        weights: Of each feature.
        intercept: Of the logit.
        rows: What it was fitted on and predicts: slices, whose probabilities are averaged, or
            patients, by the mean of their features.
        threshold: Of the probability, Youden's on the evaluation patients.
        C: Inverse strength of the penalty.
        inner_auc: With C chosen, the AUC by which it was; None otherwise.
    """

    weights: Sequence[float]
    intercept: float
    rows: str
    threshold: float
    C: float
    inner_auc: float | None = None

    def predict(self, patient: pd.Series, vectors: np.ndarray) -> pd.DataFrame:
        """Predict patients.

        Args:
            patient: Patient of each slice.
            vectors: Features of each slice, shape (slices, channels).

        Returns:
            A row per patient, in order of appearance: patient_id, probability, slices, threshold,
            by_slice (of models of slices).
        """
        counts = patient.value_counts()
        patient, vectors = linear.rows(patient, vectors, {"rows": self.rows})
        odds = expit(vectors @ np.asarray(self.weights) + self.intercept)
        found = predictions.per_patient(patient, odds).assign(threshold=self.threshold)
        if self.rows == "patients":
            found = found.drop(columns="by_slice")
        return found.assign(slices=counts.reindex(found["patient_id"]).to_numpy())


def fit(
    patient: pd.Series,
    vectors: np.ndarray,
    people: pd.DataFrame,
    settings: Mapping,
    seed: int,
) -> dict[str, LinearModel]:
    """Fit the linear protocols on all patients.

    Args:
        patient, vectors: Patient and features of each slice.
        people: The patients: patient_id, target.
        settings: The configuration's section `linear`.
        seed: Seed of the folds in which C is chosen.

    Returns:
        Protocol to model: `linear`, with C of the settings, and `linear_nested`, with C and
        threshold chosen by a cross-validation, as inside the training folds of the evaluation.
    """
    targets = people.set_index("patient_id")["target"].astype(int)
    everyone = people.assign(repeat=1)
    fixed = linear.predict(patient, vectors, targets, targets.index, settings)
    chosen = linear.predict_nested(patient, vectors, everyone, targets.index, settings, seed)
    rows = linear.rows(patient, vectors, settings)
    first = chosen.iloc[0]
    inner = {} if np.isnan(first["inner_auc"]) else {"inner_auc": float(first["inner_auc"])}
    of = {"linear": (settings["C"], fixed["threshold"].iloc[0], {})}
    of[NESTED] = (first["C"], first["threshold"], inner)
    found = {}
    for protocol, (C, threshold, more) in of.items():
        model = linear.fit_patients(*rows, targets, {**settings, "C": C})
        channels = vectors.shape[1]
        intercept = model.decision_function(np.zeros((1, channels)))[0]
        weights = model.decision_function(np.eye(channels)) - intercept
        numbers = {"intercept": float(intercept), "threshold": float(threshold), "C": float(C)}
        shape = {"weights": list(map(float, weights)), "rows": settings["rows"]}
        found[protocol] = LinearModel(**shape, **numbers, **more)
    return found


def write_linear(
    encoder: str, seed: int, features: str, cohort: str, settings: Mapping, output: str
) -> None:
    """Fit the linear protocols on an evaluation cohort, and write them.

    Args:
        encoder: Name of the encoder.
        seed: Seed that it was trained with.
        features: Features of the cohort.
        cohort: Its table.
        settings: The configuration's section `linear`.
        output: JSON to write: encoder, seed, patients, positive, and a model by protocol.
    """
    people = cohort_table.patients(cohort_table.read(cohort))
    models = fit(*linear.read(features), people, settings, seeds.derived(seed, final_models.WHOLE))
    facts = {"encoder": encoder, "seed": seed, **final_models.counted(people)}
    files.write_json(facts | {name: asdict(model) for name, model in models.items()}, output)


def read_linear(path: str | Path) -> dict[str, LinearModel]:
    """The models that `write_linear` wrote, by protocol."""
    found = files.read_json(path)
    return {name: LinearModel(**found[name]) for name in ("linear", NESTED)}


def apply_linear(
    encoder: str, seed: int, models: str, features: str, cohort: str, outputs: Mapping[str, str]
) -> None:
    """Predict an external cohort by the linear models.

    Args:
        encoder: Name of the encoder.
        seed: Seed that it was trained with.
        models: What `write_linear` wrote.
        features: Features of the external cohort; there may be none.
        cohort: Its table.
        outputs: Protocol to the predictions to write.
    """
    patient, vectors = linear.read(features)
    for protocol, model in read_linear(models).items():
        found = model.predict(patient, vectors)
        more = {} if model.inner_auc is None else {"C": model.C, "inner_auc": model.inner_auc}
        final_models.write(found.assign(**more), protocol, encoder, seed, cohort, outputs[protocol])


def best_beta(models: Mapping[float, str]) -> float:
    """The beta whose features did best in the cross-validation of all evaluation patients.

    Args:
        models: Beta to what `write_linear` wrote.

    Returns:
        The smallest of equals; the smallest of all where no inner AUC is known.
    """
    inner = {beta: read_linear(models[beta])[NESTED].inner_auc or -1.0 for beta in sorted(models)}
    return max(inner, key=inner.get)


def pick_beta(
    models: Mapping[float, str],
    by_protocol: Mapping[str, Mapping[float, str]],
    outputs: Mapping[str, str],
) -> None:
    """Write the predictions of the chosen beta once more, as the nested encoder's.

    Args:
        models: Beta to what `write_linear` wrote.
        by_protocol: Protocol to beta to predictions of an external cohort.
        outputs: Protocol to the predictions to write.
    """
    beta = best_beta(models)
    for protocol, paths in by_protocol.items():
        found = predictions.read_as_written(paths[beta])
        files.write_csv(found.assign(encoder=experiment.NESTED, beta=beta), outputs[protocol])
