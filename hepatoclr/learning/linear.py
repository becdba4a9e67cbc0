"""The linear protocol: logistic regression on frozen feature vectors."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from hepatoclr.base import files, seeds
from hepatoclr.cohorts import splits
from hepatoclr.learning import experiment
from hepatoclr.stats import metrics, predictions

MOST_STEPS = 10_000
INNER_FOLDS = 5


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


def rows(
    patient: pd.Series, vectors: np.ndarray, settings: Mapping
) -> tuple[pd.Series, np.ndarray]:
    """Give the rows of the regression: slices, or means over them, patients as they appear.

    Args:
        patient, vectors, settings: As in `predict`.
    """
    if settings["rows"] == "slices":
        return patient, vectors
    found = pd.DataFrame(vectors).groupby(patient.to_numpy(), sort=False).mean()
    return pd.Series(found.index), found.to_numpy()


def fit_patients(
    patient: pd.Series, vectors: np.ndarray, targets: pd.Series, settings: Mapping
) -> Pipeline:
    """Fit the regression on the rows of some patients.

    Args:
        patient, vectors: What `rows` returns.
        targets, settings: As in `predict`.
    """
    train = patient.isin(targets.index).to_numpy()
    labels = targets.loc[patient[train]].to_numpy(int)
    return fit(vectors[train], labels, settings["C"], settings["scale"])


def fitted(
    patient: pd.Series, vectors: np.ndarray, targets: pd.Series, settings: Mapping
) -> Callable[[Sequence[str]], pd.DataFrame]:
    """Fit on some patients.

    Args:
        patient, vectors, targets, settings: As in `predict`.

    Returns:
        Predicts patients, a row each: patient_id, probability, slices, by_slice (with `rows`
        slices).
    """
    counts = patient.value_counts()
    patient, vectors = rows(patient, vectors, settings)
    model = fit_patients(patient, vectors, targets, settings)

    def predicted(patients: Sequence[str]) -> pd.DataFrame:
        """Probability of some patients, by the rows that belong to them."""
        chosen = patient.isin(patients).to_numpy()
        odds = model.predict_proba(vectors[chosen])[:, 1] if chosen.any() else np.empty(0)
        found = predictions.per_patient(patient[chosen], odds)
        if settings["rows"] == "patients":
            found = found.drop(columns="by_slice")
        return found.assign(slices=counts.loc[found["patient_id"]].to_numpy())

    return predicted


def predict(
    patient: pd.Series,
    vectors: np.ndarray,
    targets: pd.Series,
    test: Sequence[str],
    settings: Mapping,
) -> pd.DataFrame:
    """Fit on some patients and predict others.

    Args:
        patient: Patient of each slice.
        vectors: Feature vector of each slice, shape (slices, channels).
        targets: Target of the training patients, by patient_id.
        test: Patients to predict.
        settings: The configuration's section `linear`.

    Returns:
        A row per test patient: patient_id, probability, slices, by_slice (with `rows` slices),
        threshold (Youden's on the training patients).
    """
    predicted = fitted(patient, vectors, targets, settings)
    cut = predictions.youden(predicted(targets.index), targets)
    return predicted(test).assign(threshold=cut)


def predict_nested(
    patient: pd.Series,
    vectors: np.ndarray,
    train: pd.DataFrame,
    test: Sequence[str],
    settings: Mapping,
    seed: int,
) -> pd.DataFrame:
    """Choose C and the threshold by a cross-validation of the training patients, then predict.

    Args:
        patient, vectors, test, settings: As in `predict`.
        train: Rows of a split, the training patients.
        seed: Seed of the inner split.

    Returns:
        As `predict`, with C, the value of `nested_C` of the highest inner AUC (the smallest of
        equals), and inner_auc, that AUC, pooled over the inner folds. The threshold is Youden's
        on the inner predictions. Where a class has a single training patient nothing can be
        chosen: C and threshold are those of `predict`, and inner_auc is missing.
    """
    targets = train.set_index("patient_id")["target"]
    folds = min(INNER_FOLDS, splits.smallest_class(train))
    if folds < 2:
        found = predict(patient, vectors, targets, test, settings)
        return found.assign(C=settings["C"], inner_auc=np.nan)
    inner = splits.stratified(train, folds, int(train["repeat"].iloc[0]), seed)
    best = (-1.0, None, None)
    for C in sorted(settings["nested_C"]):
        inner_predictions = []
        for _, held_out in inner.groupby("fold"):
            val, others = held_out["patient_id"], targets.drop(held_out["patient_id"])
            model = fitted(patient, vectors, others, {**settings, "C": C})
            inner_predictions.append(model(val))
        found = pd.concat(inner_predictions, ignore_index=True)
        auc = metrics.auc(targets.loc[found["patient_id"]].to_numpy(int), found["probability"])
        if auc > best[0]:
            best = auc, C, found
    auc, C, found = best
    cut = predictions.youden(found, targets)
    outer = fitted(patient, vectors, targets, {**settings, "C": C})(test)
    return outer.assign(threshold=cut, C=C, inner_auc=auc)


def cross_validate(
    encoder: str,
    seed: int,
    table: str,
    split: str,
    folds: Sequence[int],
    settings: Mapping,
    fixed: str,
    nested: str,
    beside: str,
) -> None:
    """Predict the patients of some folds, each by a model fitted on the other folds.

    Args:
        encoder: Name of the encoder.
        seed: Seed that it was trained with.
        table: Features of the evaluation cohort.
        split: The split.
        folds: Folds to test; all where none is named.
        settings: The configuration's section `linear`.
        fixed: Predictions to write, with C of the settings.
        nested: Predictions to write, with C and threshold chosen inside the training folds.
        beside: Predictions to write, as `fixed`, but with features standardised where those are
            not, and the other way round.
    """
    patient, vectors = read(table)
    patients = splits.read(split)
    repeat = int(patients["repeat"].iloc[0])
    targets = patients.set_index("patient_id")["target"]
    otherwise = {**settings, "scale": not settings["scale"]}
    by_protocol = {"linear": [], "linear_nested": [], experiment.BESIDE[settings["scale"]]: []}
    for fold in folds or sorted(patients["fold"].unique()):
        test = patients.loc[patients["fold"] == fold, "patient_id"]
        train = splits.training(patients, fold)
        train_targets = train.set_index("patient_id")["target"]
        inner = seeds.derived(seed, repeat, int(fold))
        predicted = (
            predict(patient, vectors, train_targets, test, settings),
            predict_nested(patient, vectors, train, test, settings, inner),
            predict(patient, vectors, train_targets, test, otherwise),
        )
        for protocol, found in zip(by_protocol, predicted, strict=True):
            facts = {"protocol": protocol, "encoder": encoder, "fraction": 1.0, "seed": seed}
            labels = targets.loc[found["patient_id"]].to_numpy(int)
            by_protocol[protocol].append(
                found.assign(**facts, repeat=repeat, fold=fold, label=labels)
            )
    for parts, path in zip(by_protocol.values(), (fixed, nested, beside), strict=True):
        predictions.write(parts, path)


def read(path: str) -> tuple[pd.Series, np.ndarray]:
    """Read what `features` wrote: the patient of each slice, and vectors (slices, channels)."""
    table = files.read_parquet(path)
    return table["patient_id"].astype(str), table.filter(regex=r"^f\d+$").to_numpy(np.float64)
