"""Final linear models: fitted once, on all evaluation patients, for those of other hospitals.

They are written as numbers, and what is applied is read back from there, so that whoever has the
file gets the same probabilities.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from hepatoclr.base import files, seeds
from hepatoclr.cohorts import cohort_table
from hepatoclr.learning import experiment, final_models, linear
from hepatoclr.stats import predictions

AVERAGED = ("probability", "threshold")


def write_linear(
    encoder: str, seed: int, features: str, cohort: str, settings: Mapping, output: str
) -> None:
    """Fit the linear protocols on an evaluation cohort, and write them.

    C and threshold of `linear_nested` are chosen by a cross-validation of all patients, as inside
    the training folds of the evaluation.

    Args:
        encoder: Name of the encoder.
        seed: Seed that it was trained with.
        features: Features of the cohort.
        cohort: Its table.
        settings: The configuration's section `linear`.
        output: JSON to write, see `linear.write`, with the number of patients.
    """
    people = cohort_table.patients(cohort_table.read(cohort))
    targets = people.set_index("patient_id")["target"].astype(int)
    patient, vectors = linear.read(features)
    inner = seeds.derived(seed, final_models.WHOLE)
    models = {
        linear.FIXED: [linear.fit(patient, vectors, targets, settings)],
        linear.NESTED: [
            linear.fit_nested(patient, vectors, people.assign(repeat=1), settings, inner)
        ],
    }
    facts = {"encoder": encoder, "seed": seed, **final_models.counted(people)}
    linear.write(models, facts, output)


def apply_linear(
    encoder: str,
    seed: int,
    models: Sequence[str],
    features: str,
    cohort: str,
    outputs: Mapping[str, str],
) -> None:
    """Predict an external cohort by linear models.

    Args:
        encoder: Name of the encoder.
        seed: Seed that it was trained with.
        models: The final model, or those of the folds, whose probabilities are averaged.
        features: Features of the external cohort; there may be none.
        cohort: Its table.
        outputs: Protocol to the predictions to write.
    """
    patient, vectors = linear.read(features)
    read = [linear.load(path) for path in models]
    for protocol, output in outputs.items():
        several = [model for one in read for model in one[protocol]]
        found = mean_prediction(several, patient, vectors)
        final_models.write(found, protocol, encoder, seed, cohort, output)


def mean_prediction(
    models: Sequence[linear.Model], patient: pd.Series, vectors: np.ndarray
) -> pd.DataFrame:
    """Predict patients by the mean over models of the probability, and of the threshold.

    Args:
        models: One, or those of several folds.
        patient, vectors: See `linear.Model.predict`.

    Returns:
        As `linear.Model.predict`; of several models without what tells them apart.
    """
    every = [model.predict(patient, vectors) for model in models]
    if len(every) == 1:
        return every[0]
    means = {name: sum(one[name] for one in every) / len(every) for name in AVERAGED}
    return every[0][["patient_id", "slices"]].assign(**means)


def best_beta(models: Mapping[float, str]) -> float:
    """The beta whose features did best in the cross-validation of all evaluation patients.

    Args:
        models: Beta to what `write_linear` wrote.

    Returns:
        The smallest of equals; the smallest of all where no inner AUC is known.
    """
    found = {beta: linear.load(models[beta])[linear.NESTED][0] for beta in sorted(models)}
    return max(found, key=lambda beta: found[beta].inner_auc or -1.0)


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
