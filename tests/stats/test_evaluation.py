"""Measures as arrays: against scikit-learn, and weighted against patients written out."""

import example_predictions
import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from hepatoclr.base.errors import UserError
from hepatoclr.stats import evaluation, metrics

POOLED = {
    "auc_pooled": lambda y, p, called: sk.roc_auc_score(y, p),
    "sensitivity": lambda y, p, called: sk.recall_score(y, called),
    "specificity": lambda y, p, called: sk.recall_score(y, called, pos_label=0),
    "ppv": lambda y, p, called: sk.precision_score(y, called),
    "npv": lambda y, p, called: sk.precision_score(y, called, pos_label=0),
    "f1": lambda y, p, called: sk.f1_score(y, called),
    "brier": lambda y, p, called: sk.brier_score_loss(y, p),
    "log_loss": lambda y, p, called: sk.log_loss(y, p),
}


@pytest.fixture(scope="module")
def linear():
    found = example_predictions.complete(repeats=2, seeds=(1, 2))
    # Thresholds that differ between folds must reach the measures.
    return found.query("protocol == 'linear_nested'").reset_index(drop=True)


@pytest.fixture(scope="module")
def scores(linear):
    return evaluation.to_arrays(linear)


def mean_over_repeats(part, measure):
    values = [
        measure(job["label"], job["probability"], job["probability"] >= job["threshold"])
        for _, job in part.groupby(["seed", "repeat"])
    ]
    assert len(values) == 4
    return np.mean(values)


@pytest.mark.parametrize("name", POOLED)
def test_pooled_measures_agree_with_scikit_learn(linear, scores, name):
    found = evaluation.measures(scores)[name]
    for model, value in zip(scores.models, found, strict=True):
        part = linear[linear["encoder"] == model]
        assert value == pytest.approx(mean_over_repeats(part, POOLED[name]))


def test_measures_per_fold_agree_with_those_of_table_1(linear, scores):
    summary = metrics.summary(metrics.by_fold(linear)).set_index("encoder")
    found = evaluation.per_fold(scores)
    for name, column in (("auc", "auc"), ("balanced_accuracy", "balanced_accuracy_youden")):
        expected = summary.loc[scores.models, f"{column}_mean"]
        assert found[name] == pytest.approx(expected.to_numpy())


def test_a_weighted_patient_counts_like_several(linear, scores):
    one = linear.query("encoder == 'simclr' and seed == 2 and repeat == 2")
    counts = np.random.default_rng(0).multinomial(100, np.full(100, 0.01))
    # The same draw written out, the copies of a patient under names of their own.
    times = dict(zip(scores.patients, counts, strict=True))
    copies = one.loc[one.index.repeat(one["patient_id"].map(times))]
    number = copies.groupby(["seed", "repeat", "patient_id"]).cumcount().astype(str)
    copies = copies.assign(patient_id=copies["patient_id"] + "-" + number)
    expected = evaluation.measures(evaluation.to_arrays(copies))
    found = evaluation.measures(evaluation.to_arrays(one), counts[None])
    assert set(found) == set(expected) == {"auc", "balanced_accuracy", *POOLED}
    for name in POOLED:
        assert found[name][0, 0] == pytest.approx(expected[name][0]), name


def test_in_a_draw_a_fold_counts_by_the_pairs_that_were_drawn():
    job = example_predictions.job("linear", "simclr")
    counts = np.random.default_rng(1).multinomial(100, np.full(100, 0.01))
    right = whole = 0
    for _, fold in job.groupby("fold"):
        ones, zeros = fold[fold["label"] == 1], fold[fold["label"] == 0]
        wins = np.greater.outer(ones["probability"].to_numpy(), zeros["probability"].to_numpy())
        drawn = np.outer(counts[ones.index], counts[zeros.index])
        right += (drawn * wins).sum() / wins.size
        whole += drawn.sum() / wins.size
    found = evaluation.per_fold(evaluation.to_arrays(job), counts[None])["auc"]
    assert found == pytest.approx(right / whole)


def test_nobody_called_positive_has_no_predictive_value():
    job = example_predictions.job("linear", "simclr").assign(threshold=1.0)
    found = evaluation.measures(evaluation.to_arrays(job))
    assert np.isnan(found["ppv"]).all()
    assert found["sensitivity"] == [0]
    assert found["npv"] == pytest.approx([0.4])


def test_scores_are_ordered_by_model_evaluation_and_patient(linear, scores):
    assert scores.probabilities.shape == (7, 4, 100)
    row = linear.sample(1, random_state=3).iloc[0]
    evaluations = [(1, 1), (1, 2), (2, 1), (2, 2)]
    place = (
        scores.models.index(row["encoder"]),
        evaluations.index((row["seed"], row["repeat"])),
        scores.patients.index(row["patient_id"]),
    )
    assert scores.probabilities[place] == row["probability"]
    assert scores.predicted_positive[place] == (row["probability"] >= row["threshold"])
    assert scores.folds[place[1:]] == row["fold"]
    assert scores.labels[place[2]] == row["label"]


def test_a_missing_prediction_is_named(linear):
    gone = (linear["encoder"] == "simclr") & (linear["repeat"] == 2) & (linear["seed"] == 1)
    gone &= linear["patient_id"] == "0015"
    with pytest.raises(
        UserError, match="linear_nested simclr, seed 1, repeat 2: patient 0015 is not predicted; 1 "
    ):
        evaluation.to_arrays(linear[~gone])


def test_other_folds_are_no_comparison():
    jobs = [example_predictions.job("linear", name) for name in ("none", "simclr")]
    jobs[1]["fold"] = jobs[1]["fold"] % 5 + 1
    with pytest.raises(UserError, match="linear: none and simclr were tested in other folds"):
        evaluation.to_arrays(pd.concat(jobs))


def test_a_bad_probability_is_named_by_its_fold():
    job = example_predictions.job("linear", "simclr")
    job.loc[0, "probability"] = np.nan
    with pytest.raises(UserError, match="linear simclr, repeat 1, fold 1: 1 of 20"):
        evaluation.to_arrays(job)
