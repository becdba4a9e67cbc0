"""How patients lie to each other under an encoder: pictures, readouts, and nearest neighbours.

A patient is the mean feature vector of their first used CT. What is asked is whether patients of
one stage lie together, and whether those of one site or scanner do, which an encoder should not
care for.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hepatoclr.base import files
from hepatoclr.cohorts import cohort_table
from hepatoclr.reporting import formatting
from hepatoclr.reporting.plots import common
from hepatoclr.reporting.tables import tables
from hepatoclr.stats import comparison_tests

SHOWN = ("label", "weak_label", "site", "scanner")
OTHER = "other"
FEWEST = 5  # patients of a class that is asked for by itself, one per fold
FOLDS = 5  # `layout` says so below the table
NEIGHBOURS = 5
DRAWS = 1000
UMAP_NEIGHBOURS = 15  # the library's default


def patients(table: pd.DataFrame) -> pd.DataFrame:
    """List the patients of a cohort with what is known of them.

    Args:
        table: The cohort's table, see `assemble.table`.

    Returns:
        A row per used patient, of their first used case: case, patient_id, and those of
        `formatting.PROPERTY_LABELS`, as text, empty where unknown.
    """
    used = table[table["included"]].drop_duplicates("patient_id").reset_index(drop=True)
    known = used.reindex(columns=["case", "patient_id", *formatting.PROPERTY_LABELS])
    return known.astype("string").fillna("").astype(str)


def means(features: str | Path, cases: Sequence[str]) -> np.ndarray:
    """Average the feature vectors of each case's slices.

    Args:
        features: What `features.run` wrote.
        cases: The cases.

    Returns:
        Shape (cases, channels).
    """
    table = files.read_parquet(features)
    vectors = table.filter(regex=r"^f\d+$").astype(float).groupby(table["case"].astype(str)).mean()
    return vectors.loc[list(cases)].to_numpy()


def read(
    table: str | Path, features: Mapping[str, str | Path]
) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Read the patients of a cohort, and their mean vectors under each encoder.

    Args:
        table: The cohort's table.
        features: Encoder to its features of that cohort.
    """
    people = patients(cohort_table.read(table))
    return people, {name: means(path, people["case"]) for name, path in features.items()}


def pca(vectors: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Project patients onto the two directions in which they differ most.

    Args:
        vectors: Shape (patients, channels), both at least 2.

    Returns:
        Points, shape (patients, 2), and names of the axes, with their share of the variance.
    """
    from sklearn.decomposition import PCA

    found = PCA(2, svd_solver="full").fit(vectors)
    shares = found.explained_variance_ratio_
    return found.transform(vectors), [f"PC {n}, {100 * s:.0f} %" for n, s in enumerate(shares, 1)]


def umap(vectors: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Lay patients out so that near ones stay near (UMAP, McInnes et al. 2018, arXiv 1802.03426).

    Started from the principal components, so that the large arrangement is theirs (Kobak and
    Linderman 2021, doi:10.1038/s41587-020-00809-z).

    Args:
        vectors: Shape (patients, channels); at least 3 patients.

    Returns:
        Points, shape (patients, 2), and names of the axes.
    """
    from umap import UMAP  # ten seconds

    near = min(UMAP_NEIGHBOURS, len(vectors) - 1)
    model = UMAP(n_neighbors=near, metric="cosine", init="pca", random_state=1, n_jobs=1)
    return model.fit_transform(vectors.astype(np.float32)), ["UMAP 1", "UMAP 2"]


def varying_properties(people: pd.DataFrame) -> list[str]:
    """Name the properties that have two values or more."""
    return [name for name in SHOWN if people.loc[people[name] != "", name].nunique() > 1]


@matplotlib.rc_context(common.SETTINGS)
def draw(
    people: pd.DataFrame,
    points: Mapping[str, tuple[np.ndarray, Sequence[str]]],
    paths: Sequence[str | Path],
    *,
    disclaimers: Sequence[str],
) -> Figure:
    """Draw the patients, a row per encoder and a column per property.

    Args:
        people: See `patients`.
        points: Encoder to points and names of the axes, see `pca`.
        paths: Files to write.
        disclaimers: Of the run, keys of `formatting.DISCLAIMERS`.
    """
    columns = varying_properties(people) or ["label"]
    figure = Figure(figsize=(max(4.2, 0.5 + 2.3 * len(columns)), 1 + 2.0 * len(points)))
    panels = figure.subplots(len(points), len(columns), squeeze=False)
    for row, (encoder, (places, axis)) in zip(panels, points.items(), strict=True):
        for axes, name in zip(row, columns, strict=True):
            _scatter(axes, places, people[name])
            axes.set_xlabel(axis[0], fontsize=7.5)
        row[0].set_ylabel(f"{formatting.method_label(encoder)}\n{axis[1]}", fontsize=7.5)
    for axes, name in zip(panels[0], columns, strict=True):
        axes.set_title(formatting.PROPERTY_LABELS[name])
    for axes in panels[-1]:
        place = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.16)}
        axes.legend(**place, ncols=2, fontsize=7, handletextpad=0.2, columnspacing=0.8)
    return common.finish(figure, disclaimers, paths)


def _scatter(axes: Axes, places: np.ndarray, values: pd.Series) -> None:
    """Draw points, a colour and marker per value; the rarest of many values share one."""
    most = len(common.STYLES)
    counts = values[values != ""].value_counts()
    kept = counts.index if len(counts) <= most else counts.index[: most - 1]
    names = sorted(kept) + [OTHER] * (len(counts) > most)
    shown = values.where(values.isin([*kept, ""]), OTHER).to_numpy()
    for name, (colour, _, marker) in zip(names, common.STYLES, strict=False):
        part = places[shown == name]
        axes.scatter(*part.T, s=16, color=colour, marker=marker, linewidths=1, label=name)
    if (shown == "").any():
        unknown = places[shown == ""]
        axes.scatter(*unknown.T, s=12, color="#C8C8C8", marker=".", zorder=0, label="unknown")
    axes.set(xticks=[], yticks=[])


def separability(
    people: pd.DataFrame, vectors: Mapping[str, np.ndarray], seed: int, disclaimers: Sequence[str]
) -> pd.DataFrame:
    """Ask of each encoder how well a logistic regression predicts each property of patients.

    Args:
        people: See `patients`.
        vectors: Encoder to mean vectors, see `read`.
        seed: Seed of the folds and of the draws.
        disclaimers: Of the run, keys of `formatting.DISCLAIMERS`.

    Returns:
        A row per encoder and property that has two values: encoder, property, patients, excluded
        (patients without a value, or of a class too small), classes with their patients, auc and
        balanced_accuracy with 95 % interval (low, high) and chance, neighbours_same (share of the
        nearest neighbours with the same value) and neighbours_chance, data. See `readout`; where
        there are too few patients its numbers are missing.
    """
    records = []
    for encoder, array in vectors.items():
        near, _ = nearest(array)
        for name in formatting.PROPERTY_LABELS:
            values = people[name].to_numpy()
            if len(set(values) - {""}) < 2:
                continue
            classes = grouped(values)
            asked = classes != ""
            counts = pd.Series(classes[asked]).value_counts().sort_index()
            records.append(
                {
                    "encoder": encoder,
                    "property": name,
                    "patients": int(asked.sum()),
                    "excluded": int((~asked).sum()),
                    "classes": "; ".join(f"{value} {count}" for value, count in counts.items()),
                    **readout(array[asked], classes[asked], seed),
                    **_same(values, near),
                }
            )
    return pd.DataFrame(records).assign(data=formatting.data(disclaimers))


def grouped(values: np.ndarray) -> np.ndarray:
    """Join classes of less than `FEWEST` patients to "other"; where that is too small, to ""."""
    names, counts = np.unique(values[values != ""], return_counts=True)
    small = np.isin(values, names[counts < FEWEST])
    return np.where(small, OTHER if small.sum() >= FEWEST else "", values)


def readout(vectors: np.ndarray, classes: np.ndarray, seed: int) -> dict[str, float]:
    """Predict classes by logistic regression on standardised features, in folds of patients.

    Classes weigh the same. The intervals are percentiles of patients resampled within their
    class, the predictions staying as they are: they leave out what another fit would change.

    Args:
        vectors: Shape (patients, channels).
        classes: A name per patient, each at least `FEWEST` times.
        seed: Seed of the folds and of the draws.

    Returns:
        auc (one class against the rest, mean over classes, of the pooled predictions) and
        balanced_accuracy, each with _low, _high and _chance. NaN where there are not two classes.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    names, codes = np.unique(classes, return_inverse=True)
    found = {"auc": np.full(1 + DRAWS, np.nan), "balanced_accuracy": np.full(1 + DRAWS, np.nan)}
    chance = dict.fromkeys(found, np.nan)
    if len(names) > 1:
        model = make_pipeline(
            StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=10_000)
        )
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
        probability = cross_val_predict(model, vectors, codes, cv=folds, method="predict_proba")
        groups = [np.flatnonzero(codes == code) for code in range(len(names))]
        weights = np.vstack([np.ones(len(codes)), comparison_tests.drawn(groups, DRAWS, seed)])
        found = _measures(codes, probability, weights)
        chance = {"auc": 0.5, "balanced_accuracy": 1 / len(names)}
    result = {}
    for name, (estimate, *draws) in found.items():
        low, high = np.percentile(draws, [2.5, 97.5])
        result |= {name: estimate, f"{name}_low": low, f"{name}_high": high}
        result[f"{name}_chance"] = chance[name]
    return result


def _measures(
    codes: np.ndarray, probability: np.ndarray, weights: np.ndarray
) -> dict[str, np.ndarray]:
    """AUC and balanced accuracy of patients with weights.

    Args:
        codes: Class of each patient, 0, 1, ...
        probability: Of each class, shape (patients, classes).
        weights: Shape (draws, patients).

    Returns:
        Each measure, shape (draws,).
    """
    aucs, recalls = [], []
    right = probability.argmax(axis=1) == codes
    for code, score in enumerate(probability.T):
        own = codes == code
        aucs.append(comparison_tests.fold_auc(own, score[None, None], None, weights)[:, 0])
        correct = np.where(own, right, np.nan)
        recalls.append(comparison_tests.fold_mean(correct[None, None], None, weights)[:, 0])
    return {"auc": np.mean(aucs, axis=0), "balanced_accuracy": np.mean(recalls, axis=0)}


def nearest(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the most similar other patients, by the cosine of their vectors.

    Returns:
        Places of the neighbours, nearest first, and their similarity, both of shape (patients,
        `NEIGHBOURS`), or less where there are fewer patients.
    """
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, -np.inf)
    order = np.argsort(-similarity, axis=1, kind="stable")[:, : min(NEIGHBOURS, len(vectors) - 1)]
    return order, np.take_along_axis(similarity, order, axis=1)


def _same(values: np.ndarray, near: np.ndarray) -> dict[str, float]:
    """Share of neighbours with the same value, and that of patients drawn at random."""
    pairs = (values[:, None] != "") & (values[near] != "")
    known = values[values != ""]
    counts = pd.Series(known).map(pd.Series(known).value_counts())
    return {
        "neighbours_same": float((values[:, None] == values[near])[pairs].mean()),
        "neighbours_chance": float(((counts - 1) / (len(known) - 1)).mean()),
    }


def neighbours(people: pd.DataFrame, vectors: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """List the nearest other patients of each patient under each encoder.

    Args:
        people, vectors: See `read`.

    Returns:
        A row per encoder, patient and rank: encoder, patient_id, label, rank, neighbour,
        neighbour_label, similarity (cosine), and same_target, same_site, same_scanner (1, 0, or
        empty where unknown).
    """
    parts = []
    for encoder, array in vectors.items():
        order, similarity = nearest(array)
        one = np.repeat(np.arange(len(people)), order.shape[1])
        a, b = (people.iloc[place].reset_index(drop=True) for place in (one, order.ravel()))
        part = pd.DataFrame(
            {
                "encoder": encoder,
                "patient_id": a["patient_id"],
                "label": a["label"],
                "rank": np.tile(np.arange(1, order.shape[1] + 1), len(people)),
                "neighbour": b["patient_id"],
                "neighbour_label": b["label"],
                "similarity": similarity.ravel(),
            }
        )
        for name in ("target", "site", "scanner"):
            same = (a[name] == b[name]).astype("Int64")
            part[f"same_{name}"] = same.mask((a[name] == "") | (b[name] == ""))
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def run(
    people: pd.DataFrame,
    vectors: Mapping[str, np.ndarray],
    paths: Mapping[str, str | Path],
    *,
    seed: int,
    disclaimers: Sequence[str],
) -> None:
    """Write the tables.

    Args:
        people, vectors: See `read`.
        paths: Files to write: separability, separability_md, separability_tex, neighbours.
        seed, disclaimers: See `separability`.
    """
    found = separability(people, vectors, seed, disclaimers)
    outputs = [paths[f"separability{form}"] for form in ("", "_md", "_tex")]
    tables.write(found, *outputs, "What features predict of patients")
    files.write_csv(neighbours(people, vectors).round(6), paths["neighbours"])
