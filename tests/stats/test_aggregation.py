"""From slices to patients, against values worked out by hand and against scikit-learn."""

import example_predictions
import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from hepatoclr.stats import aggregation


@pytest.fixture(scope="module")
def job():
    return example_predictions.job("linear", "simclr", by_slice=True)


def test_mean_median_and_largest_value_of_a_patient(job):
    texts = ["0.1000 0.2000 0.9000", *job["by_slice"][1:]]
    found = aggregation.aggregated(job.assign(by_slice=texts)).iloc[0]
    assert found["mean"] == pytest.approx(0.4)
    assert found["median"] == pytest.approx(0.2)
    assert found["max"] == pytest.approx(0.9)


def test_the_mean_is_the_probability_of_the_patient(job):
    assert aggregation.aggregated(job)["mean"].tolist() == pytest.approx(list(job["probability"]))


def test_learned_is_a_regression_fitted_on_the_other_folds(job):
    found = aggregation.aggregated(job)["learned"]
    features = pd.DataFrame(
        [
            (z.mean(), z.max(), z.std())
            for z in (logit(np.fromstring(t, sep=" ")) for t in job["by_slice"])
        ]
    )
    for fold in (1, 4):
        tested = (job["fold"] == fold).to_numpy()
        model = LogisticRegression().fit(features[~tested], job["label"][~tested])
        expected = expit(features[tested] @ model.coef_[0] + model.intercept_[0])
        assert found[tested].tolist() == pytest.approx(expected.tolist())


def test_labels_of_the_tested_patients_do_not_reach_the_learned(job):
    tested = job["fold"] == 2
    flipped = job.assign(label=job["label"].mask(tested, 1 - job["label"]))
    before, after = (aggregation.aggregated(table)["learned"] for table in (job, flipped))
    assert before[tested].equals(after[tested])
    assert not before[~tested].equals(after[~tested])


def test_learned_needs_other_folds(job):
    assert aggregation.aggregated(job.assign(fold=1))["learned"].isna().all()


def test_saturated_slices_keep_finite_logits(job):
    job = job.assign(
        by_slice=["1.0000 0.0000" if k % 2 else t for k, t in enumerate(job["by_slice"])]
    )
    assert aggregation.aggregated(job)["learned"].notna().all()


def test_slice_auc_agrees_with_scikit_learn_on_all_slices(job):
    slices = [aggregation.values(text) for text in job["by_slice"]]
    weights = np.ones((1, len(job)))
    expected = []
    for _, fold in job.groupby("fold"):
        chosen = [slices[k] for k in fold.index]
        labels = np.repeat(fold["label"], list(map(len, chosen)))
        expected.append(roc_auc_score(labels, np.concatenate(chosen)))
    arrays = job["label"].to_numpy(), [slices], job["fold"].to_numpy()[None]
    assert aggregation.slice_auc(*arrays, weights) == pytest.approx([np.mean(expected)])


def test_a_patient_drawn_twice_counts_with_all_slices_twice():
    labels, folds = np.array([1, 0, 1]), np.ones((1, 3), int)
    slices = [[np.array([0.9, 0.4]), np.array([0.5, 0.4, 0.1]), np.array([0.05])]]
    # Right pairs of slices: patient 0 has 3 + 1.5 of 6, patient 2 none of 3.
    found = aggregation.slice_auc(
        labels, slices, folds, np.array([[1, 1, 1], [2, 1, 1], [0, 1, 1]])
    )
    assert found == pytest.approx([4.5 / 9, 9 / 15, 0])
