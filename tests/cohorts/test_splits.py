import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from hepatoclr.base.errors import UserError
from hepatoclr.cohorts import splits


def patients(negative=13, positive=10):
    ids = [f"{number:04}" for number in range(negative + positive)]
    return pd.DataFrame({"patient_id": ids, "target": [0] * negative + [1] * positive})


def test_folds_are_stratified_and_hold_every_patient_once():
    split = splits.stratified(patients(), folds=5, repeat=1, seed=1)
    assert sorted(split["patient_id"]) == sorted(patients()["patient_id"])
    counts = split.groupby(["fold", "target"]).size().unstack()
    assert counts[1].tolist() == [2] * 5
    assert set(counts[0]) == {2, 3}


def test_repeats_differ_and_seeds_repeat():
    first = splits.stratified(patients(), 5, 1, 1)
    assert first.equals(splits.stratified(patients(), 5, 1, 1))
    assert not first["fold"].equals(splits.stratified(patients(), 5, 2, 1)["fold"])


def test_a_class_too_small():
    with pytest.raises(UserError, match="a class has 4 usable patients but there are 5 folds"):
        splits.stratified(patients(positive=4), 5, 1, 1)


def test_training_shares_are_nested_stratified_and_untouched_by_the_test_fold():
    split = splits.stratified(patients(50, 30), 5, 1, 1)
    shares = {share: splits.training(split, 2, share, 1) for share in (0.4, 0.6, 0.8, 1.0)}
    test = set(split.loc[split["fold"] == 2, "patient_id"])
    before = set()
    for share, chosen in shares.items():
        assert before <= set(chosen["patient_id"])
        assert not test & set(chosen["patient_id"])
        assert len(chosen) == round(share * 64)
        assert chosen["target"].mean() == pytest.approx(24 / 64, abs=0.02)
        before = set(chosen["patient_id"])
    assert before == set(split["patient_id"]) - test


def test_round_trip_keeps_ids(tmp_path):
    split = splits.stratified(patients(), 5, 1, 1)
    splits.write(split, tmp_path / "repeat1.csv")
    assert splits.read(tmp_path / "repeat1.csv")["patient_id"].tolist()[0] == "0000"


def test_every_scheme_tests_every_patient_once_and_never_trains_on_them():
    people = patients(9, 7).assign(sites=[["a"], ["b"]] * 8)
    for scheme in splits.SCHEMES:
        split = splits.make_splits(people, scheme, folds=5, repeat=2, seed=1)
        assert sorted(split["patient_id"]) == sorted(people["patient_id"])
        assert set(split["repeat"]) == {2}
        for fold, test in split.groupby("fold"):
            train = splits.training(split, fold)
            assert not set(test["patient_id"]) & set(train["patient_id"])
            assert set(train["target"]) == {0, 1}
    assert split["fold"].tolist() == [1, 2] * 8


def test_balanced_leave_one_out_trains_at_one_prevalence():
    def prevalences(balanced):
        split = splits.leave_one_out(patients(9, 7), 1, 1, balanced)
        return {splits.training(split, fold)["target"].mean() for fold in split["fold"]}

    assert prevalences(balanced=False) == {7 / 15, 6 / 15}
    assert prevalences(balanced=True) == {6 / 14}


def test_saying_the_training_prevalence_ranks_every_patient_wrongly_unless_balanced():
    def auc(balanced):
        split = splits.leave_one_out(patients(9, 7), 1, 1, balanced)
        said = [splits.training(split, fold)["target"].mean() for fold in split["fold"]]
        return roc_auc_score(split["target"], said)

    assert auc(balanced=False) == 0
    assert auc(balanced=True) == 0.5


@pytest.mark.parametrize(
    ("sites", "message"),
    [
        ([["a"]] * 8, "there are 1 sites"),
        ([["a"]] * 7 + [[]], "1 of 8 patients have none"),
        ([["a"]] * 7 + [["a", "b"]], "patient 0007 has CTs of several sites"),
        ([["a"]] * 4 + [["b"]] * 4, "without site a the patients are of one class only"),
    ],
)
def test_sites_that_cannot_be_folds(sites, message):
    with pytest.raises(UserError, match=message):
        splits.by_site(patients(4, 4).assign(sites=sites), 1)
