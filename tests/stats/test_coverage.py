"""How often 95 % intervals hold the truth, for the paper's 78 positive and 28 negative patients.

Seeded simulations; docs/statistics.md has more of them, and why a method was taken or not.
"""

import pytest

from benchmarks import coverage


@pytest.fixture(scope="module", params=coverage.TRUTHS, ids=str)
def found(request):
    return coverage.fixed(request.param, runs=2000, seed=1)


@pytest.mark.parametrize(
    "name",
    [
        "AUC, pooled, formula",
        "AUC, pooled, bootstrap",
        "AUC, 5 folds, formula",
        "AUC, 10 x 5 folds, formula",
        "AUC, 10 x 5 folds, bootstrap",
        "difference of AUC, pooled, formula",
        "difference of AUC, pooled, bootstrap",
        "difference of AUC, 5 folds, formula",
        "difference of AUC, 10 x 5 folds, formula",
        "difference of AUC, 10 x 5 folds, bootstrap",
        "balanced accuracy, pooled, bootstrap",
        "balanced accuracy, 5 folds, bootstrap",
    ],
)
def test_interval_holds_the_truth_as_often_as_it_says(found, name):
    assert 0.935 <= found[name] <= 0.965


@pytest.mark.parametrize("name", ["AUC, 5 folds", "difference of AUC, 5 folds"])
def test_bootstrap_of_few_pairs_within_folds_is_too_wide(found, name):
    # Why the interval of the mean over folds comes from the formula.
    assert found[f"{name}, bootstrap"] > 0.965


def test_only_the_corrected_t_test_counts_training():
    found = coverage.trained(repeats=1, runs=400, seed=1)
    assert found["corrected t"] < 0.07
    assert found["DeLong"] > 0.07
    assert found["permutation"] > 0.07
    assert found["interval"] < 0.93
