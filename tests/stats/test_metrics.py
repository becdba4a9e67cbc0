"""Measures against values worked out by hand and against scikit-learn."""

import example_predictions
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from hepatoclr.base.errors import UserError
from hepatoclr.stats import metrics

LABELS = [0, 0, 1, 1, 1]
PROBABILITIES = [0.1, 0.6, 0.4, 0.6, 0.9]


def test_auc_is_the_share_of_pairs_ranked_rightly():
    # Pairs (negative, positive): 0.1 beats none of three; 0.6 against 0.4 wrong, 0.6 tie, 0.9.
    assert metrics.auc(LABELS, PROBABILITIES) == pytest.approx((3 + 0 + 0.5 + 1) / 6)


def test_auc_agrees_with_all_pairs_written_out():
    table = example_predictions.job("linear", "simclr")
    positive = table["probability"][table["label"] == 1].to_numpy()
    negative = table["probability"][table["label"] == 0].to_numpy()
    pairs = (positive[:, None] > negative).mean()
    assert metrics.auc(table["label"], table["probability"]) == pytest.approx(pairs)


@pytest.mark.parametrize(
    ("threshold", "expected"),
    [(0.5, (2 / 3 + 1 / 2) / 2), (0.6, (2 / 3 + 1 / 2) / 2), (0.61, (1 / 3 + 1) / 2), (0, 0.5)],
)
def test_balanced_accuracy_calls_the_threshold_itself_positive(threshold, expected):
    assert metrics.balanced_accuracy(LABELS, PROBABILITIES, threshold) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(5))
def test_youden_is_no_worse_than_any_threshold(seed):
    rng = np.random.default_rng(seed)
    labels = np.r_[0, 1, rng.integers(0, 2, 30)]
    probabilities = np.round(rng.random(32), 1)
    reached = metrics.balanced_accuracy(
        labels, probabilities, metrics.youden(labels, probabilities)
    )
    every = [metrics.balanced_accuracy(labels, probabilities, t) for t in np.linspace(0, 1.01, 102)]
    assert reached == pytest.approx(max(every))


def test_youden_lies_halfway_between_separated_classes():
    assert metrics.youden([0, 0, 1, 1], [0.1, 0.2, 0.6, 0.9]) == pytest.approx(0.4)


def test_youden_keeps_saturated_probabilities_apart():
    just_below = np.nextafter(1, 0)
    cut = metrics.youden([0, 1], [just_below, 1])
    assert metrics.balanced_accuracy([0, 1], [just_below, 1], cut) == 1


def test_youden_of_useless_scores_is_finite():
    assert np.isfinite(metrics.youden([0, 1, 1], [0.9, 0.1, 0.1]))


def test_by_fold_agrees_with_scikit_learn():
    predictions = example_predictions.predictions()
    folds = metrics.by_fold(predictions)
    assert list(folds.columns) == [*metrics.FOLD, *metrics.MEASURES, "n_patients"]
    assert len(folds) == 15 * 5
    for row in folds.itertuples():
        fold = predictions.query(
            "protocol == @row.protocol and encoder == @row.encoder and fraction == @row.fraction"
            " and repeat == @row.repeat and fold == @row.fold"
        )
        called = fold["probability"] >= 0.5
        assert row.auc == roc_auc_score(fold["label"], fold["probability"])
        assert row.balanced_accuracy == balanced_accuracy_score(fold["label"], called)
        assert row.n_patients == len(fold) == 20


def test_by_fold_is_at_one_half_and_at_the_threshold_of_each_fold():
    job = example_predictions.job("linear", "simclr")
    fold = job[job["fold"] == 1]
    row = metrics.by_fold(job.assign(threshold=0.7)).iloc[0]
    for name, cut in (("balanced_accuracy", 0.5), ("balanced_accuracy_youden", 0.7)):
        assert row[name] == metrics.balanced_accuracy(fold["label"], fold["probability"], cut)


def test_summary_takes_the_sample_sd_over_repeats_and_folds():
    folds = pd.DataFrame(
        {
            "protocol": "linear",
            "encoder": "simclr",
            "fraction": 1.0,
            "seed": 1,
            "repeat": [1, 1, 2, 2],
            "fold": [1, 2, 1, 2],
            "auc": [0.7, 0.8, 0.9, 0.8],
            "balanced_accuracy": [0.5, 0.7, 0.6, 0.6],
            "balanced_accuracy_youden": 0.6,
            "n_patients": 8,
        }
    )
    (row,) = metrics.summary(folds).to_dict("records")
    assert row["n_folds"] == 4
    assert row["auc_mean"] == pytest.approx(0.8)
    assert row["auc_sd"] == pytest.approx(np.sqrt((0.01 + 0.01) / 3))
    assert row["balanced_accuracy_mean"] == pytest.approx(0.6)
    assert row["balanced_accuracy_sd"] == pytest.approx(np.sqrt((0.01 + 0.01) / 3))


def test_summary_of_one_fold_has_no_sd():
    folds = metrics.by_fold(example_predictions.job("linear", "simclr", folds=1))
    assert metrics.summary(folds)["auc_sd"].isna().all()


def alone_in_their_folds():
    """Leave-one-out: 25 patients, each a fold."""
    job = example_predictions.job("linear", "simclr", patients=25)
    return job.assign(fold=np.arange(25) + 1)


def test_folds_of_one_class_are_evaluated_as_whole_repeats():
    job = alone_in_their_folds()
    others = example_predictions.job("finetune", "simclr", patients=25)
    folds = metrics.by_fold(pd.concat([job, others], ignore_index=True))
    alone = folds[folds["protocol"] == "linear"]
    assert alone["fold"].tolist() == [0]
    assert alone["auc"].item() == roc_auc_score(job["label"], job["probability"])
    assert folds.loc[folds["protocol"] == "finetune", "fold"].tolist() == [1, 2, 3, 4, 5]
    summary = metrics.summary(folds).set_index("protocol")
    assert summary["n_folds"].to_dict() == {"linear": 0, "finetune": 5}


def test_one_fold_of_one_class_makes_all_encoders_comparable():
    jobs = [example_predictions.job("linear", name) for name in ("simclr", "none")]
    both = pd.concat(jobs, ignore_index=True).assign(threshold=0.5)
    patients = both.loc[(both["fold"] == 3) & (both["label"] == 0), "patient_id"]
    both.loc[both["patient_id"].isin(patients[1:]), "fold"] = 4
    both.loc[both["patient_id"] == patients.iloc[0], "fold"] = 5
    assert metrics.by_fold(both)["fold"].tolist() == [0, 0]


def test_thresholds_of_whole_repeats_stay_those_of_the_folds():
    job = alone_in_their_folds()
    job["threshold"] = np.where(job["label"] == 1, 0.9, 0.1)
    called = job["probability"] >= job["threshold"]
    expected = balanced_accuracy_score(job["label"], called)
    assert metrics.by_fold(job)["balanced_accuracy_youden"].item() == pytest.approx(expected)


def test_summary_counts_seeds_as_repeats():
    jobs = [example_predictions.job("linear", "simclr", seed=seed) for seed in (1, 2)]
    folds = metrics.by_fold(pd.concat(jobs))
    (row,) = metrics.summary(folds).to_dict("records")
    assert row["n_folds"] == 10
    assert row["auc_mean"] == pytest.approx(folds["auc"].mean())


def test_counts():
    counts = metrics.counts(example_predictions.predictions())
    assert counts == {"patients": 100, "positive": 60, "negative": 40}


def test_mean_roc_averages_folds_and_starts_at_the_origin():
    # Fold 1 is perfect; fold 2 ranks its negative between its two positives.
    predictions = example_predictions.job("linear", "simclr", patients=6).assign(
        fold=[1, 1, 1, 2, 2, 2],
        label=[1, 1, 0, 1, 0, 1],
        probability=[0.9, 0.8, 0.1, 0.9, 0.5, 0.2],
    )
    curve = metrics.mean_roc(predictions, points=3)
    assert curve["fpr"].tolist() == [0, 0, 0.5, 1]
    assert curve["tpr"].tolist() == pytest.approx([0, (1 + 0.5) / 2, (1 + 0.5) / 2, 1])
    assert set(curve["encoder"]) == {"simclr"}


def test_area_under_the_mean_roc_is_close_to_the_mean_auc():
    predictions = example_predictions.job("linear", "simclr")
    curve = metrics.mean_roc(predictions, points=1001)
    mean_auc = metrics.by_fold(predictions)["auc"].mean()
    assert np.trapezoid(curve["tpr"], curve["fpr"]) == pytest.approx(mean_auc, abs=2e-3)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"label": 2}, "labels must be 0 or 1"),
        ({"probability": np.nan}, r"20 of 20 probabilities are missing \(NaN\)"),
        ({"probability": 1.2}, r"1.2 is outside \[0, 1\]"),
        ({"probability": -3.0}, "not logits"),
        ({"threshold": np.nan}, "expected one for the whole fold"),
        ({"threshold": np.linspace(0, 1, 20)}, "expected one for the whole fold"),
    ],
)
def test_a_bad_fold_is_named(change, said):
    job = example_predictions.job("linear", "simclr", repeat=2)
    for column, value in change.items():
        job.loc[job["fold"] == 3, column] = value
    with pytest.raises(UserError, match=f"^linear simclr, repeat 2, fold 3: .*{said}"):
        metrics.by_fold(job)


def test_a_bad_fold_of_the_learning_curve_names_its_fraction_and_seed():
    job = example_predictions.job("finetune", "none", 0.4, seed=7).assign(probability=2)
    place = "finetune none with 40% of the patients, seed 7, repeat 1, fold 1: the probability 2"
    with pytest.raises(UserError, match=place):
        metrics.by_fold(job)


def test_one_class_in_all_is_refused():
    job = example_predictions.job("linear", "simclr").assign(label=1)
    with pytest.raises(UserError, match="linear simclr, repeat 1: all 100 patients have label 1"):
        metrics.by_fold(job)


def test_shapes_must_agree():
    with pytest.raises(UserError, match="differ in shape"):
        metrics.auc([0, 1], [0.5])
