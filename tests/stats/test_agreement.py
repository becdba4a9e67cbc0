import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score, cohen_kappa_score, recall_score

from hepatoclr.stats import agreement

MEANINGS = [
    {"positive": ["mild", "severe"], "negative": ["none"], "exclude": ["?"]},
    {"positive": ["yes"], "negative": ["no"], "exclude": []},
]


def cohort(words, targets, included=True):
    return pd.DataFrame(
        {
            "patient_id": [f"{number:03}" for number in range(len(words))],
            "weak_label": words,
            "target": pd.array(targets, dtype="Int64"),
            "included": included,
        }
    )


def test_words_mean_what_the_pretraining_cohorts_say():
    words = ["none", "mild", "severe", "no", "yes", "?", "", "perhaps"]
    found = agreement.both(cohort(words, [0, 1, 1, 0, 1, 0, 1, 0]), MEANINGS)
    assert found["weak"].tolist() == [0, 1, 1, 0, 1]
    assert found["patient_id"].tolist() == ["000", "001", "002", "003", "004"]


def test_words_that_mean_unlabelled_are_no_weak_label():
    meanings = [{**MEANINGS[0], "unlabelled": ["", "unread"]}, MEANINGS[1]]
    found = agreement.both(cohort(["none", "", "unread", "yes"], [0, 1, 1, 1]), meanings)
    assert found["weak"].tolist() == [0, 1]


def test_one_row_per_patient_and_only_those_used():
    twice = pd.concat([cohort(["none", "mild"], [0, 1]), cohort(["none"], [0])])
    assert len(agreement.both(twice, MEANINGS)) == 2
    assert agreement.both(cohort(["none"], [0], included=False), MEANINGS).empty


def test_measures_are_scikit_learns():
    rng = np.random.default_rng(0)
    strong = rng.integers(0, 2, 90)
    weak = np.where(rng.random(90) < 0.8, strong, 1 - strong)
    found = agreement.table(pd.DataFrame({"strong": strong, "weak": weak})).set_index("measure")
    expected = {
        "agreement": (strong == weak).mean(),
        "kappa": cohen_kappa_score(strong, weak),
        "sensitivity": recall_score(strong, weak),
        "specificity": recall_score(strong, weak, pos_label=0),
        "balanced_accuracy": balanced_accuracy_score(strong, weak),
    }
    for name, value in expected.items():
        row = found.loc[name]
        assert row["estimate"] == pytest.approx(value)
        assert row["low"] < value < row["high"]
    assert found.loc["sensitivity", "patients"] + found.loc["specificity", "patients"] == 90


def test_a_published_interval():
    # Wilson's interval of 81 of 263, Newcombe 1998, Statistics in Medicine 17:857, Table I
    labels = pd.DataFrame({"strong": 1, "weak": [1] * 81 + [0] * 182})
    row = agreement.table(labels).set_index("measure").loc["sensitivity"]
    assert (round(row["low"], 4), round(row["high"], 4)) == (0.2553, 0.3662)
    assert (
        agreement.table(labels)
        .set_index("measure")
        .loc[["kappa", "specificity"], "estimate"]
        .isna()
        .all()
    )


def test_nobody_has_both():
    assert agreement.table(agreement.both(cohort(["", ""], [0, 1]), MEANINGS)).empty
