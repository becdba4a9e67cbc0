"""The linear protocol: logistic regression on frozen feature vectors."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from hepatoclr.base import files, seeds
from hepatoclr.cohorts import splits
from hepatoclr.learning import experiment
from hepatoclr.stats import metrics, predictions

MOST_STEPS = 10_000
INNER_FOLDS = 5
FIXED, NESTED = "linear", "linear_nested"  # C of the configuration, or chosen


@dataclass(frozen=True)
class Model:
    """A logistic regression on features as they are; a standardisation is part of its weights.

    Attributes:
        weights: Of each feature.
        intercept: Of the logit.
        rows: What it was fitted on and predicts: slices, whose probabilities are averaged, or
            patients, by the mean of their features.
        C: Inverse strength of the penalty.
        threshold: Of the probability, Youden's on patients that are not tested; None where it was
            not chosen.
        inner_auc: Where C was chosen, the AUC by which it was; else None.
    """

    weights: Sequence[float]
    intercept: float
    rows: str
    C: float
    threshold: float | None = None
    inner_auc: float | None = None

    def logits(self, vectors: np.ndarray) -> np.ndarray:
        """Log odds, shape (n,), of feature vectors, shape (n, channels).

        Each is the same to the last bit whichever others are there, as it is not by `@`.
        """
        return (vectors * np.asarray(self.weights)).sum(axis=1) + self.intercept

    def predict(
        self, patient: pd.Series, vectors: np.ndarray, people: Sequence[str] | None = None
    ) -> pd.DataFrame:
        """Predict patients.

        Args:
            patient: Patient of each slice.
            vectors: Features of each slice, shape (slices, channels).
            people: Patients to predict; all where none is named.

        Returns:
            A row per patient, in order of appearance: patient_id, probability, slices, threshold,
            C, by_slice (of models of slices), inner_auc (where C was chosen).
        """
        counts = patient.value_counts()
        patient, vectors = _rows(patient, vectors, self.rows)
        if people is not None:
            chosen = patient.isin(people).to_numpy()
            patient, vectors = patient[chosen], vectors[chosen]
        found = predictions.per_patient(patient, expit(self.logits(vectors)))
        if self.rows == "patients":
            found = found.drop(columns="by_slice")
        if self.inner_auc is not None:
            found = found.assign(C=self.C, inner_auc=self.inner_auc)
        slices = counts.reindex(found["patient_id"]).to_numpy()
        return found.assign(slices=slices, threshold=self.threshold)


def _rows(patient: pd.Series, vectors: np.ndarray, kind: str) -> tuple[pd.Series, np.ndarray]:
    """Give the rows of the regression: slices, or means over them, patients as they appear."""
    if kind == "slices":
        return patient, vectors
    found = pd.DataFrame(vectors).groupby(patient.to_numpy(), sort=False).mean()
    return pd.Series(found.index), found.to_numpy()


def _regression(
    patient: pd.Series, vectors: np.ndarray, targets: pd.Series, settings: Mapping
) -> Model:
    """Fit the regression on the rows of some patients; arguments as of `fit`."""
    patient, vectors = _rows(patient, vectors, settings["rows"])
    train = patient.isin(targets.index).to_numpy()
    vectors, C = vectors[train], settings["C"]
    mean, scale = np.zeros(vectors.shape[1]), np.ones(vectors.shape[1])
    if settings["scale"]:
        scaler = StandardScaler().fit(vectors)
        mean, scale = scaler.mean_, scaler.scale_
    fitted = LogisticRegression(C=C, max_iter=MOST_STEPS)
    fitted.fit((vectors - mean) / scale, targets.loc[patient[train]].to_numpy(int))
    weights = fitted.coef_[0] / scale
    intercept = float(fitted.intercept_[0] - weights @ mean)
    return Model(weights.tolist(), intercept, settings["rows"], float(C))


def fit(patient: pd.Series, vectors: np.ndarray, targets: pd.Series, settings: Mapping) -> Model:
    """Fit on some patients, whose threshold is Youden's.

    Args:
        patient: Patient of each slice.
        vectors: Feature vector of each slice, shape (slices, channels).
        targets: Target of the training patients, by patient_id.
        settings: The configuration's section `linear`.
    """
    model = _regression(patient, vectors, targets, settings)
    own = model.predict(patient, vectors, targets.index)
    return replace(model, threshold=predictions.youden(own, targets))


def fit_nested(
    patient: pd.Series, vectors: np.ndarray, train: pd.DataFrame, settings: Mapping, seed: int
) -> Model:
    """Choose C and the threshold by a cross-validation of the training patients, then fit.

    Args:
        patient, vectors, settings: As in `fit`.
        train: Rows of a split, the training patients.
        seed: Seed of the inner split.

    Returns:
        C is the value of `nested_C` of the highest AUC, pooled over the inner folds (the smallest
        of equals), the threshold Youden's on the inner predictions. Where a class has a single
        training patient nothing can be chosen: it is the model of `fit`, and inner_auc is NaN.
    """
    targets = train.set_index("patient_id")["target"]
    folds = min(INNER_FOLDS, splits.smallest_class(train))
    if folds < 2:
        return replace(fit(patient, vectors, targets, settings), inner_auc=np.nan)
    inner = splits.stratified(train, folds, int(train["repeat"].iloc[0]), seed)
    best = (-1.0, None, None)
    for C in sorted(settings["nested_C"]):
        parts = []
        for _, held_out in inner.groupby("fold")["patient_id"]:
            others = targets.drop(held_out)
            model = _regression(patient, vectors, others, {**settings, "C": C})
            parts.append(model.predict(patient, vectors, held_out))
        found = pd.concat(parts, ignore_index=True)
        auc = metrics.auc(targets.loc[found["patient_id"]].to_numpy(int), found["probability"])
        if auc > best[0]:
            best = auc, C, found
    auc, C, found = best
    model = _regression(patient, vectors, targets, {**settings, "C": C})
    return replace(model, threshold=predictions.youden(found, targets), inner_auc=float(auc))


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
    models: str,
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
        models: JSON to write, the models of `fixed` and `nested`, see `write`.
    """
    patient, vectors = read(table)
    patients = splits.read(split)
    repeat = int(patients["repeat"].iloc[0])
    targets = patients.set_index("patient_id")["target"]
    otherwise = {**settings, "scale": not settings["scale"]}
    parts, kept = {}, {}
    for fold in folds or sorted(patients["fold"].unique()):
        test = patients.loc[patients["fold"] == fold, "patient_id"]
        train = splits.training(patients, fold)
        train_targets = train.set_index("patient_id")["target"]
        inner = seeds.derived(seed, repeat, int(fold))
        fitted = {
            FIXED: fit(patient, vectors, train_targets, settings),
            NESTED: fit_nested(patient, vectors, train, settings, inner),
            experiment.BESIDE[settings["scale"]]: fit(patient, vectors, train_targets, otherwise),
        }
        for protocol, model in fitted.items():
            found = model.predict(patient, vectors, test)
            facts = {"protocol": protocol, "encoder": encoder, "fraction": 1.0, "seed": seed}
            labels = targets.loc[found["patient_id"]].to_numpy(int)
            found = found.assign(**facts, repeat=repeat, fold=fold, label=labels)
            parts.setdefault(protocol, []).append(found)
            kept.setdefault(protocol, []).append(model)
    for found, path in zip(parts.values(), (fixed, nested, beside), strict=True):
        predictions.write(found, path)
    write(
        {name: kept[name] for name in (FIXED, NESTED)}, {"encoder": encoder, "seed": seed}, models
    )


def write(models: Mapping[str, Sequence[Model]], facts: Mapping, path: str | Path) -> None:
    """Write models as numbers, those of a protocol as a list, beside some facts."""
    listed = {name: [record(model) for model in of] for name, of in models.items()}
    files.write_json({**facts, **listed}, path)


def record(model: Model) -> dict:
    """A model for JSON, which has no NaN."""
    missing = model.inner_auc is None or np.isnan(model.inner_auc)
    return asdict(replace(model, inner_auc=None)) if missing else asdict(model)


def load(path: str | Path) -> dict[str, list[Model]]:
    """Read the models of each protocol that `write` wrote."""
    found = files.read_json(path)
    return {name: [Model(**one) for one in found[name]] for name in (FIXED, NESTED)}


def read(path: str) -> tuple[pd.Series, np.ndarray]:
    """Read what `features` wrote: the patient of each slice, and vectors (slices, channels)."""
    table = files.read_parquet(path)
    return table["patient_id"].astype(str), table.filter(regex=r"^f\d+$").to_numpy(np.float64)
