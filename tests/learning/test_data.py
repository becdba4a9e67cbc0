from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from hepatoclr.base.errors import UserError
from hepatoclr.cohorts import cohort_table
from hepatoclr.imaging import tensors
from hepatoclr.learning import data, features

WINDOW = (-100, 400)


@pytest.fixture
def caches(tmp_path):
    rng = np.random.default_rng(0)
    paths = []
    for number, count in enumerate([3, 0, 5]):
        path = tmp_path / f"{number}.b2nd"
        tensors.write(rng.integers(-100, 401, (count, 16, 16)).astype(np.int16), path)
        paths.append(str(path))
    return paths


def test_slices_of_several_cases_are_one_collection(caches):
    slices = data.collect(caches, WINDOW)
    assert len(slices) == 8
    assert slices.case.tolist() == [0] * 3 + [2] * 5
    fetched = slices.fetch(np.array([7, 0]))
    assert fetched.shape == (2, 1, 16, 16)
    expected = (tensors.load(caches[2])[4] + 100) / 500
    assert np.allclose(fetched[0, 0].numpy(), expected, atol=1e-6)
    assert [len(chunk) for chunk in slices.chunks(5)] == [5, 3]
    assert np.array_equal(slices.subset(np.array([7])).fetch(np.array([0])), fetched[:1])


@pytest.mark.parametrize(
    ("memory_mb", "resident"), [(1, True), (2 * 8 * 16 * 16 * 2 / 1e6, True), (0.008, False)]
)
def test_auto_keeps_in_memory_what_fits_twice(caches, memory_mb, resident):
    slices = data.collect(caches, WINDOW, "auto", memory_mb=memory_mb)
    assert (slices.resident is not None) == resident
    order = np.array([7, 0, 3])
    assert torch.equal(slices.fetch(order), data.collect(caches, WINDOW).fetch(order))
    assert torch.equal(slices.subset(order).fetch(np.array([1])), slices.fetch(order[1:2]))


@pytest.mark.parametrize("cache", ["disk", "ram"])
def test_batches_are_read_in_order(caches, cache):
    slices = data.collect(caches, WINDOW, cache)
    batches = [np.array([4, 1]), np.array([0]), np.array([7, 7, 2])]
    read = list(slices.prefetch(iter(batches)))
    assert all(torch.equal(a, slices.fetch(b)) for a, b in zip(read, batches, strict=True))


def test_batches_read_ahead_stay_in_order(caches):
    slices = data.collect(caches, WINDOW)
    sizes = [3, 1, 2, 4]
    read = slices.prefetch((np.arange(size) for size in sizes), torch.device("meta"))
    assert [len(batch) for batch in read] == sizes


def test_nothing_left_is_said(caches):
    with pytest.raises(UserError, match="no slice is left"):
        data.collect([caches[1]], WINDOW)


def test_only_included_cases_with_a_target_are_trained_on():
    table = pd.DataFrame({"patient_id": list("abc"), "included": [True, False, True]})
    table["target"] = pd.array([1, 0, None], dtype="Int64")
    cases, kept = data.trainable_cases([table, table], list("123456"))
    assert cases["patient_id"].tolist() == ["a", "a"]
    assert kept == ["1", "4"]


def test_cases_without_a_target_are_kept_for_what_can_be_trained_on_them():
    table = pd.DataFrame({"patient_id": list("abc"), "included": [True, False, True]})
    table["target"] = pd.array([1, None, None], dtype="Int64")
    cases, kept = data.trainable_cases([table], list("123"), unlabelled=True)
    assert cases["patient_id"].tolist() == ["a", "c"]
    assert kept == ["1", "3"]
    slices = data.Slices(None, np.array([0, 1, 1]), np.array([0, 0, 1]), WINDOW)
    settings = {"sampling": "uniform", "samples_per_epoch": 0}
    assert data.sampler(cases, slices, np.arange(3), settings, 1).target.tolist() == [1, -1, -1]


def sampler(kind, samples=0, seed=1):
    """Four patients with 1, 2, 3 and 10 slices; only the last is positive."""
    patient = np.repeat(list("abcd"), [1, 2, 3, 10])
    return data.Sampler(patient, (patient == "d").astype(int), kind, samples, seed)


def drawn(which, epoch=0, size=4):
    return np.concatenate(list(which.batches(epoch, size)))


def test_weighted_draws_classes_and_patients_equally_often():
    which = sampler("weighted", samples=40_000)
    patient = which.patient[drawn(which, size=100)]
    share = {name: np.mean(patient == name) for name in "abcd"}
    assert share["d"] == pytest.approx(1 / 2, abs=0.01)
    assert [share[name] for name in "abc"] == pytest.approx([1 / 6] * 3, abs=0.01)


def test_uniform_visits_every_slice_once():
    assert sorted(drawn(sampler("uniform"))) == list(range(16))


def test_patients_takes_one_slice_of_each_none_twice_in_a_batch():
    which = sampler("patients", samples=12)
    batches = list(which.batches(0, 4))
    assert len(batches) == 3
    assert all(sorted(which.patient[batch]) == list("abcd") for batch in batches)


def test_patients_draws_classes_equally_often_as_far_as_none_comes_twice():
    """Of d with half of the weight the chance is known to be among two that are drawn."""
    which = sampler("patients", samples=8000)
    batches = np.array(list(which.batches(0, 2)))
    assert (which.patient[batches] == "d").any(1).mean() == pytest.approx(1 / 2 + 3 / 10, abs=0.02)
    of_d = np.bincount(batches[which.patient[batches] == "d"])[6:]
    assert of_d / of_d.sum() == pytest.approx(np.full(10, 1 / 10), abs=0.02)


def test_mix_counts_the_draws_of_the_first_epoch():
    assert sampler("patients").mix(4) == {"patients_per_batch": 4, "positive_share": 0.25}
    which = sampler("weighted", samples=64)
    batches = list(which.batches(0, 8))
    assert which.mix(8) == {
        "patients_per_batch": round(np.mean([len(set(which.patient[one])) for one in batches]), 2),
        "positive_share": round(np.mean(which.patient[np.concatenate(batches)] == "d"), 4),
    }


def with_unlabelled(kind, samples=0):
    """The four patients of `sampler`, and three without a label, of 1, 4 and 3 slices."""
    labelled = sampler(kind)
    patient = np.concatenate([labelled.patient, np.repeat(list("xyz"), [1, 4, 3])])
    target = np.concatenate([labelled.target, np.full(8, data.UNLABELLED)])
    return data.Sampler(patient, target, kind, samples, 1)


@pytest.mark.parametrize("kind", ["weighted", "patients"])
def test_unlabelled_patients_are_drawn_at_their_share_of_the_patients(kind):
    which = with_unlabelled(kind, samples=40_000)
    indices = drawn(which, size=1)
    share = {name: np.mean(which.patient[indices] == name) for name in "abcdxyz"}
    assert [share[name] for name in "xyz"] == pytest.approx([1 / 7] * 3, abs=0.01)
    assert share["d"] == pytest.approx(4 / 7 / 2, abs=0.01)
    assert [share[name] for name in "abc"] == pytest.approx([4 / 7 / 6] * 3, abs=0.01)
    of_y = np.bincount(indices[which.patient[indices] == "y"])[17:]
    assert of_y / of_y.sum() == pytest.approx(np.full(4, 1 / 4), abs=0.02)


def test_uniform_visits_unlabelled_slices_once_too():
    assert sorted(drawn(with_unlabelled("uniform"))) == list(range(24))


def test_without_unlabelled_patients_the_draws_are_those_of_two_classes_to_the_bit():
    which = sampler("weighted", samples=64)
    weights = 1 / np.repeat([1.0, 2, 3, 10], [1, 2, 3, 10])
    weights[:6] /= weights[:6].sum()
    weights[6:] /= weights[6:].sum()
    expected = np.random.default_rng([1, 0]).choice(16, size=64, p=weights / weights.sum())
    assert np.array_equal(drawn(which), expected)


def test_an_unlabelled_ct_of_a_labelled_patient_is_drawn_with_the_class():
    target = np.array([0, 0, 1, -1, -1, -1])
    which = data.Sampler(np.array(list("aabbbb")), target, "weighted", 40_000, 1)
    share = np.bincount(drawn(which, size=100)) / 40_000
    assert share == pytest.approx([1 / 4] * 2 + [1 / 8] * 4, abs=0.01)


def test_mix_tells_labelled_draws_from_others():
    which = with_unlabelled("weighted", samples=64)
    target = which.target[drawn(which, size=8)]
    found = which.mix(8)
    assert found["labelled_share"] == round(np.mean(target >= 0), 4)
    assert found["positive_share"] == round(np.mean(target[target >= 0] == 1), 4)
    nobody = data.Sampler(which.patient, np.full(24, data.UNLABELLED), "weighted", 8, 1)
    assert nobody.mix(8)["positive_share"] == nobody.mix(8)["labelled_share"] == 0


@pytest.mark.parametrize("kind", ["weighted", "uniform", "patients"])
def test_draws_depend_on_seed_and_epoch_alone(kind):
    first = drawn(sampler(kind), epoch=3)
    assert np.array_equal(first, drawn(sampler(kind), epoch=3))
    assert not np.array_equal(first, drawn(sampler(kind), epoch=4))
    assert not np.array_equal(first, drawn(sampler(kind, seed=2), epoch=3))


def test_a_batch_that_cannot_be_filled_is_said():
    with pytest.raises(UserError, match="4 patients, one slice each, cannot fill a batch of 92"):
        drawn(sampler("patients"), size=92)
    with pytest.raises(UserError, match="16 slices cannot fill a batch of 92"):
        drawn(sampler("uniform"), size=92)
    with pytest.raises(UserError, match="samples_per_epoch of 3 cannot fill a batch of 4"):
        drawn(sampler("patients", samples=3))


def test_more_cases_than_a_process_may_open_files(tmp_path, monkeypatch):
    monkeypatch.setattr(tensors, "OPEN", 5)
    for number in range(30):
        tensors.write(np.full((2, 8, 8), number, np.int16), tmp_path / f"{number:02d}.b2nd")
    opened = Path("/proc/self/fd")
    before = len(list(opened.iterdir()))
    slices = data.collect(sorted(map(str, tmp_path.iterdir())), WINDOW)
    assert len(list(opened.iterdir())) == before
    pixels = slices.fetch(np.arange(60))
    assert torch.equal(pixels[:, 0, 0, 0], torch.arange(30).repeat_interleave(2).add(100) / 500)
    assert len(list(opened.iterdir())) <= before + 5


def test_a_cohort_without_a_used_case_has_a_table_of_features_without_rows(tmp_path):
    cases = pd.DataFrame({"case": ["a"], "patient_id": ["x"], "slices": [0], "included": [False]})
    cohort_table.write(cases.reindex(columns=cohort_table.COLUMNS), tmp_path / "other.csv")
    paths = ["", tmp_path / "other.csv", ["a.b2nd"], tmp_path / "found.parquet"]
    network = {"channels": [4, 8]}
    features.run(*paths, window=WINDOW, network=network, device="cpu", threads=1)
    found = pd.read_parquet(tmp_path / "found.parquet")
    assert found.empty
    assert found.columns.tolist() == ["case", "patient_id", "slice", *(f"f{n}" for n in range(8))]
