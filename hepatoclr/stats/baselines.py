"""What else tells the label: how well all that is known beside the image predicts it.

A baseline is a name with columns, a row per patient: `known` lists those of a cohort. Each is a
logistic regression on the folds of the networks (`log_odds`), and the best image method is worth
what it adds to the best of them (`added`).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import logit

from hepatoclr.cohorts import cohort_table, covariates, manifests, splits
from hepatoclr.cohorts.cohort_table import patients
from hepatoclr.stats import calibration, comparison_tests, liver_scores

if TYPE_CHECKING:
    from hepatoclr.cohorts.manifests import Row

COLUMNS = (
    *("baseline", "kind", "encoder", "values", "missing", "auc", "low", "high", "p_holm"),
    *("gain", "gain_low", "gain_high", "p_likelihood_ratio"),
)
SEVERAL, IMAGE, BOTH = "several", "image", "image and baseline"
NUMBERS = {
    "kept slices": "slices",
    "slice spacing": "slice_mm",
    "pixel spacing": "pixel_mm",
    "liver volume": "liver_ml",
    "liver density": "liver_hu",
}
CATEGORIES = {"site": "site", "scanner": "scanner"}
ACQUISITION = ("row order", "slice spacing", "pixel spacing", "folder", *CATEGORIES)
AGE_AND_SEX = ("age", "sex")
GROUPS = ("category", SEVERAL)  # kinds whose columns are values, or stand for several baselines
ONLY_HERE = ("row order", "folder")  # mean another thing in another hospital
ALPHA = 0.05
PERMUTATIONS = 10_000
SEED = 1
RANK = 1e-9  # columns that add less to the largest one add nothing


class Fold(NamedTuple):
    """Whom a fold trains on, with their targets, and whom it tests, by patient_id."""

    training: pd.Series
    targets: np.ndarray
    tested: pd.Series


class Baseline(NamedTuple):
    """What is known of each patient by one name.

    Attributes:
        kind: number, category, date or several.
        columns: A row per patient; numbers with NaN where unknown, values of categories as 0 or 1.
        missing: Number of patients of whom it is not known; None of several.
    """

    kind: str
    columns: pd.DataFrame
    missing: int | None = None

    @property
    def values(self) -> int:
        """How many patients differ by it."""
        return len(self.columns.drop_duplicates()) if len(self.columns.columns) else 1


def known(
    cohort: pd.DataFrame,
    rows: "Sequence[Row]",
    given: pd.DataFrame | None = None,
    kinds: Mapping[str, str] | None = None,
) -> dict[str, Baseline]:
    """List what is known of the used patients beside their images.

    Args:
        cohort: Table of a cohort, see `assemble.table`.
        rows: Its manifest.
        given: Its covariates, see `covariates.read`; one of the name of what is known already, as
            scanner, takes its place.
        kinds: Covariate to its kind.

    Returns:
        Each alone, the scores that can be made of them, then age and sex, all of the acquisition,
        and all. A number is the patient's mean over their CTs; the row in the manifest is one. A
        category is a column of 0 and 1 for each of its values that two patients or more have,
        others say nothing of other patients; empty is a value, and the folders on the way to the
        image are values.
    """
    used = cohort[cohort["included"]]
    manifest, patient, kinds = {row.case: row for row in rows}, used["patient_id"], kinds or {}
    here = [manifest[case] for case in used["case"]]
    found = {"row order": _number([row.number for row in here], patient)}
    found |= {name: _number(used[column], patient) for name, column in NUMBERS.items()}
    folders = [list(map(str, PurePath(row.image).parents)) for row in here]
    found["folder"] = _category(folders, patient)
    found |= {name: _category(_single(used[of]), patient) for name, of in CATEGORIES.items()}
    for name, kind in kinds.items():
        values = given.loc[used["case"], name]
        if kind == covariates.CATEGORY:
            found[name] = _category(_single(values), patient)
        else:
            found[name] = _number(values, patient, kind)
    found |= _scores(found, kinds)
    acquisition = [
        name for name in found if name in ACQUISITION or kinds.get(name) == covariates.DATE
    ]
    joined = {"acquisition": acquisition, "all": list(found)}
    if set(AGE_AND_SEX) <= set(kinds):
        joined = {"age + sex": AGE_AND_SEX, **joined}
    return found | {name: _together(found, names) for name, names in joined.items()}


def read(
    table: str | Path, manifest: str | Path, aliases: Mapping, kinds: Mapping[str, str]
) -> tuple[pd.DataFrame, dict[str, Baseline]]:
    """Read a cohort and what is known of it; covariates that its manifest lacks are left out.

    Args:
        table: Table of the cohort.
        manifest: Its manifest.
        aliases: See `manifests.read`.
        kinds: Covariate to its kind.
    """
    cohort, given = cohort_table.read(table), covariates.read(manifest, kinds)
    there = {name: kinds[name] for name in given}
    return cohort, known(cohort, manifests.read(manifest, aliases), given, there)


def _number(values: Sequence[float], patient: pd.Series, kind: str = "number") -> Baseline:
    column = pd.Series(np.asarray(values, float), patient.to_numpy())
    means = column.groupby(level=0, sort=False).mean()
    return Baseline(kind, means.to_frame("value"), int(means.isna().sum()))


def _single(texts: pd.Series) -> list[list[str]]:
    return [[text] for text in texts]


def _category(values: Sequence[list[str]], patient: pd.Series) -> Baseline:
    every = pd.Series(values, patient.to_numpy()).explode()
    people = pd.get_dummies(every).groupby(level=0, sort=False).max().astype(float)
    empty = every.eq("").groupby(level=0, sort=False).all()
    return Baseline("category", people.loc[:, people.sum() > 1], int(empty.sum()))


def _scores(found: Mapping[str, Baseline], kinds: Mapping[str, str]) -> dict[str, Baseline]:
    """The scores whose covariates are there, of each patient's means."""
    scores = {}
    for name, needed in liver_scores.NEEDED.items():
        if set(needed) <= set(kinds):
            values = [found[covariate].columns["value"] for covariate in needed]
            score = liver_scores.SCORES[name](*values)
            scores[name] = Baseline("number", score.to_frame("value"), int(score.isna().sum()))
    return scores


def _together(found: Mapping[str, Baseline], names: Sequence[str]) -> Baseline:
    columns = [found[name].columns.add_prefix(f"{name} ") for name in names]
    return Baseline(SEVERAL, pd.concat(columns, axis=1))


def table(
    baselines: Mapping[str, Baseline],
    cohort: pd.DataFrame,
    splits_: Sequence[pd.DataFrame],
    images: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Predict the label by each baseline, and by the best image method with the best of them.

    Args:
        baselines: What `known` returns.
        cohort: Table of the evaluation cohort.
        splits_: The splits, one per repeat, on which the networks are tested too.
        images: Predictions by one protocol of the image methods that learned, see
            `predictions.read`.

    Returns:
        `COLUMNS`. A row per baseline: values (how many patients differ by it), missing (how many
        have none), auc, low, high (the mean over folds, as that of Table 1, with DeLong's 95 %
        interval) and p_holm (that it has nothing to do with the label, see `association`, adjusted
        for the number of baselines). What is the same for all predicts nothing and has no AUC.
        Values of categories are not named, since folders may hold names. Then the image method of
        the largest AUC, and it with the best baseline, see `added`.
    """
    targets = patients(cohort).set_index("patient_id")["target"].astype(int)
    tested = [split.set_index("patient_id").loc[targets.index] for split in splits_]
    folds = _evaluated([split["fold"].to_numpy() for split in tested], targets.to_numpy())
    dealt = [folds_of(split) for split in splits_]
    records, scores = [], {}
    for name, one in baselines.items():
        record = {"baseline": name, "kind": one.kind, "values": one.values, "missing": one.missing}
        if one.values > 1:
            odds = [log_odds(one.columns, parts).loc[targets.index] for parts in dealt]
            scores[name] = np.array(odds)
            record |= _auc(targets.to_numpy(), scores[name], folds)
            record["p_holm"] = association(targets.to_numpy(), one.columns.loc[targets.index])
        records.append(record)
    if images is not None and scores:
        best = max(scores, key=lambda name: records[list(baselines).index(name)]["auc"])
        repeats = [int(split["repeat"].iloc[0]) for split in splits_]
        records += _with_image(targets, best, scores[best], dealt, repeats, folds, images)
    found = pd.DataFrame(records, columns=list(COLUMNS))
    counts = dict.fromkeys(("values", "missing"), "Int64")
    found = found.astype(counts | dict.fromkeys(COLUMNS[5:], float))
    return found.assign(p_holm=comparison_tests.holm(found["p_holm"]))


def outside(
    baselines: Mapping[str, Baseline],
    cohort: pd.DataFrame,
    elsewhere: Mapping[str, Baseline],
    external: pd.DataFrame,
) -> pd.DataFrame:
    """Predict the label in an external cohort by each baseline, fitted on all evaluation patients.

    Args:
        baselines, cohort: As in `table`.
        elsewhere: What `known` returns of the external cohort; it may lack covariates.
        external: Its table.

    Returns:
        A row per baseline: auc, low, high. They are missing of what means nothing elsewhere or is
        not known there, and everywhere without patients of both classes.
    """
    targets = patients(cohort).set_index("patient_id")["target"].astype(int)
    labels = cohort_table.targets(external[external["included"]]).dropna().astype(int)
    found = pd.DataFrame(index=list(baselines), columns=["auc", "low", "high"], dtype=float)
    if labels.nunique() < 2:
        return found
    one_fold = np.zeros((1, len(labels)), int)
    for name, (here, there) in _shared(baselines, elsewhere).items():
        fitted = model().fit(here.loc[targets.index].to_numpy(), targets)
        odds = fitted.decision_function(there.loc[labels.index].to_numpy())
        found.loc[name] = _auc(labels.to_numpy(), odds[None], one_fold)
    return found


def _shared(
    baselines: Mapping[str, Baseline], elsewhere: Mapping[str, Baseline]
) -> dict[str, tuple[pd.DataFrame, pd.DataFrame]]:
    """The columns of each baseline here and elsewhere; a value that is not there is of nobody."""
    only_here = tuple(f"{name} " for name in ONLY_HERE)
    numbers = tuple(f"{name} " for name, one in baselines.items() if one.kind not in GROUPS)
    found = {}
    for name, one in baselines.items():
        if name not in elsewhere or name in ONLY_HERE or one.values < 2:
            continue
        several, there = one.kind == SEVERAL, elsewhere[name].columns
        kept = [column for column in one.columns if not (several and column.startswith(only_here))]
        lacking = [column for column in kept if column not in there]
        if kept and not (several and any(column.startswith(numbers) for column in lacking)):
            found[name] = one.columns[kept], there.reindex(columns=kept, fill_value=0.0)
    return found


def telling(found: pd.DataFrame) -> pd.DataFrame:
    """The baselines of a `table` that tell the label, surely not by chance; the best first."""
    sure = found[found["p_holm"] < ALPHA]
    return sure.sort_values("auc", ascending=False, kind="stable")


def adds(row: Mapping) -> bool:
    """Say whether the image adds to the best baseline: interval and test must agree on it."""
    return bool(row["gain_low"] > 0 and row["p_likelihood_ratio"] < ALPHA)


def _evaluated(folds: Sequence[np.ndarray], labels: np.ndarray) -> np.ndarray:
    """The fold of each patient, shape (repeats, patients); all 0 where one holds a single class."""
    classes = [pd.Series(labels).groupby(fold).nunique().min() for fold in folds]
    return np.array(folds) if min(classes) > 1 else np.zeros_like(folds)


def _auc(labels: np.ndarray, scores: np.ndarray, folds: np.ndarray) -> dict[str, float]:
    """AUC of the scores, shape (evaluations, patients), with its interval."""
    (auc,), covariance = comparison_tests.delong(labels, scores[None], folds)
    low, high = comparison_tests.auc_interval(auc, covariance[0, 0])
    return {"auc": float(auc), "low": float(low), "high": float(high)}


def association(labels: np.ndarray, columns: pd.DataFrame) -> float:
    """Test whether columns have to do with the label, by permuting the labels.

    The statistic is that of the score test of a logistic regression, on all patients at once. The
    test is exact, as one of an AUC over folds is not: models of different folds share patients.

    Args:
        labels: 0 or 1, shape (patients,).
        columns: A row per patient; see `model` on unknown numbers.

    Returns:
        p, in steps of 1 / (`PERMUTATIONS` + 1).
    """
    from scipy.stats import permutation_test

    values = model()[:-1].fit_transform(columns.to_numpy())
    basis, sizes, _ = np.linalg.svd(values, full_matrices=False)
    basis = basis[:, sizes > sizes[0] * RANK]
    found = permutation_test(
        (labels - labels.mean(),),
        lambda drawn, axis: np.square(drawn @ basis).sum(axis=-1),
        permutation_type="pairings",
        vectorized=True,
        n_resamples=PERMUTATIONS,
        batch=PERMUTATIONS // 10,
        alternative="greater",
        rng=SEED,
    )
    return float(found.pvalue)


def _with_image(
    targets: pd.Series,
    best: str,
    scores: np.ndarray,
    dealt: Sequence[Sequence[Fold]],
    repeats: Sequence[int],
    folds: np.ndarray,
    images: pd.DataFrame,
) -> list[dict]:
    """The last two rows of a `table`; the evaluations of an image method are repeats and seeds."""
    clipped = images["probability"].clip(calibration.CLIP, 1 - calibration.CLIP)
    wide = images.assign(odds=logit(clipped)).pivot(
        index=["encoder", "repeat", "seed"], columns="patient_id", values="odds"
    )[targets.index]
    labels, aucs = targets.to_numpy(), {}
    for encoder, part in wide.groupby(level="encoder", sort=False):
        places = [repeats.index(repeat) for repeat in part.index.get_level_values("repeat")]
        aucs[encoder] = _auc(labels, part.to_numpy(), folds[places])
    encoder = max(aucs, key=lambda name: aucs[name]["auc"])
    odds = wide.loc[encoder]
    places = [repeats.index(repeat) for repeat in odds.index.get_level_values("repeat")]
    parts = [dealt[place] for place in places]
    together = added(targets, scores[places], odds.to_numpy(), parts, folds[places])
    return [
        {"baseline": IMAGE, "kind": IMAGE, "encoder": encoder, **aucs[encoder]},
        {"baseline": f"{IMAGE} + {best}", "kind": BOTH, "encoder": encoder, **together},
    ]


def added(
    targets: pd.Series,
    alone: np.ndarray,
    image: np.ndarray,
    dealt: Sequence[Sequence[Fold]],
    folds: np.ndarray,
) -> dict[str, float]:
    """Say what the image adds to a baseline, by their out-of-fold log odds.

    Both go into a logistic regression that is fitted on the other folds and tested on each. The
    training patients' log odds come from models that had seen the tested ones, as in stacking.
    Models of different folds differ by a constant, which would hide a part of what a baseline
    tells, so log odds are taken from their mean over the fold.

    Args:
        targets: 0 or 1 by patient.
        alone, image: Log odds by the baseline and by the image, shape (evaluations, patients).
        dealt: The folds of each evaluation, see `folds_of`.
        folds: The fold of each patient, of the same shape; 0 where folds are evaluated together.

    Returns:
        auc, low, high of both together; gain, their AUC less that of the baseline, with gain_low
        and gain_high (paired DeLong); p_likelihood_ratio of a regression on both against the
        baseline alone, of each patient's mean log odds.

    Source: Demler, Pencina, D'Agostino, Statistics in Medicine 31:2577 (2012), on why the interval
        of the gain is not enough.
    """
    labels = targets.to_numpy()
    one, two = (_centred(odds, folds) for odds in (alone, image))
    both = [
        log_odds(pd.DataFrame({"alone": a, "image": b}, targets.index), parts).loc[targets.index]
        for a, b, parts in zip(one, two, dealt, strict=True)
    ]
    aucs, covariance = comparison_tests.delong(labels, np.array([both, alone]), folds)
    gain = float(aucs[0] - aucs[1])
    variance = comparison_tests.variance_of_difference(covariance, 0, 1)
    low, high = comparison_tests.difference_interval(gain, variance)
    p = likelihood_ratio(labels, one.mean(axis=0), two.mean(axis=0))
    gained = {"gain": gain, "gain_low": low, "gain_high": high, "p_likelihood_ratio": p}
    return _auc(labels, np.array(both), folds) | gained


def _centred(odds: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Log odds less their mean over the fold, both of shape (evaluations, patients)."""
    rows = zip(odds, folds, strict=True)
    return np.array([row - pd.Series(row).groupby(fold).transform("mean") for row, fold in rows])


def likelihood_ratio(labels: np.ndarray, alone: np.ndarray, more: np.ndarray) -> float:
    """Test whether a second predictor improves a logistic regression on the first.

    Args:
        labels: 0 or 1, shape (patients,).
        alone, more: The two predictors, shape (patients,).

    Returns:
        p of twice the difference of log-likelihoods, of chi-squared with one degree of freedom; 1
        where the second has a negative coefficient, and so would count against itself.
    """
    from scipy.stats import chi2
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss
    from sklearn.preprocessing import StandardScaler

    losses = []
    for columns in ([alone], [alone, more]):
        scaled = StandardScaler().fit_transform(np.transpose(columns))
        fitted = LogisticRegression(C=np.inf).fit(scaled, labels)
        losses.append(log_loss(labels, fitted.predict_proba(scaled)[:, 1], normalize=False))
    if fitted.coef_[0, 1] < 0:
        return 1.0
    return float(chi2.sf(2 * (losses[0] - losses[1]), df=1))


def folds_of(split: pd.DataFrame) -> list[Fold]:
    """The folds of a split."""
    found = []
    for number, tested in split.groupby("fold")["patient_id"]:
        training = splits.training(split, int(number))
        found.append(Fold(training["patient_id"], training["target"].to_numpy(int), tested))
    return found


def log_odds(columns: pd.DataFrame, folds: Sequence[Fold]) -> pd.Series:
    """Log odds of each patient under a model of the other folds, in which both classes weigh alike.

    Else folds that hold more of a class would differ by the share that is left of it. Unknown
    numbers are the median of the training patients, beside a column that says they are unknown.

    Args:
        columns: A row per patient.
        folds: What `folds_of` returns.
    """
    found = []
    for training, targets, tested in folds:
        fitted = model().fit(columns.loc[training].to_numpy(), targets)
        found.append(pd.Series(fitted.decision_function(columns.loc[tested].to_numpy()), tested))
    return pd.concat(found)


def model():
    """The logistic regression of a baseline, unfitted."""
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
        StandardScaler(),
        LogisticRegression(class_weight="balanced"),
    )
