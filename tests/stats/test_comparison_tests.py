"""Inference against published values, other implementations, and formulas written out slowly."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
from confidenceinterval import roc_auc_score as other_interval
from confidenceinterval.delong import fastDeLong_no_weights as other_delong
from scipy.special import expit, logit
from scipy.stats import kstest, norm
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, brier_score_loss, precision_score
from sklearn.metrics import roc_auc_score as sklearn_auc

from benchmarks.coverage import LABELS, binormal, random_folds
from hepatoclr.base.errors import UserError
from hepatoclr.stats import calibration, comparison_tests, learning_curve, permutation

pytestmark = pytest.mark.filterwarnings("error")

# Albumin, total protein, K-G score (higher is worse) and whether surgery helped, of
# 43 patients with ovarian cancer: DeLong et al. 1988, as listed in the SAS/STAT User's Guide,
# The LOGISTIC Procedure, "Comparing Receiver Operating Characteristic Curves".
OVARIAN = np.array(
    " ".join(
        [
            "3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0",
            "2.5 5.7 8 0  1.6 5.6 5 1  3.8 5.7 5 1  3.7 6.7 6 1  3.2 5.4 4 1  3.8 6.6 6 1",
            "4.1 6.6 5 1  3.6 5.7 5 1  4.3 7.0 4 1  3.6 6.7 4 0  2.3 4.4 6 1  4.2 7.6 4 0",
            "4.0 6.6 6 0  3.5 5.8 6 1  3.8 6.8 7 1  3.0 4.7 8 0  4.5 7.4 5 1  3.7 7.4 5 1",
            "3.1 6.6 6 1  4.1 8.2 6 1  4.3 7.0 5 1  4.3 6.5 4 1  3.2 5.1 5 1  2.6 4.7 6 1",
            "3.3 6.8 6 0  1.7 4.0 7 0  3.7 6.1 5 1  3.3 6.3 7 1  4.2 7.7 6 1  3.5 6.2 5 1",
            "2.9 5.7 9 0  2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1  3.3 5.7 6 1  3.7 6.9 5 1",
            "3.6 6.6 5 1",
        ]
    ).split(),
    float,
).reshape(-1, 4)
BENEFIT = OVARIAN[:, 3].astype(int)
MARKERS = np.stack([OVARIAN[:, 0], OVARIAN[:, 1], 10 - OVARIAN[:, 2]])[:, None]


def kernel(positive, negative):
    return 1.0 if positive > negative else 0.5 if positive == negative else 0.0


def slow_delong(labels, scores):
    """The 1988 formulas in loops; components averaged over evaluations."""
    positive, negative = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    models, evaluations, _ = scores.shape
    v10, v01 = np.zeros((models, len(positive))), np.zeros((models, len(negative)))
    for model, evaluation in itertools.product(range(models), range(evaluations)):
        score = scores[model, evaluation]
        for (i, p), (j, n) in itertools.product(enumerate(positive), enumerate(negative)):
            v10[model, i] += kernel(score[p], score[n]) / len(negative) / evaluations
            v01[model, j] += kernel(score[p], score[n]) / len(positive) / evaluations
    covariance = np.cov(v10) / len(positive) + np.cov(v01) / len(negative)
    return v10.mean(axis=1), covariance


def test_delong_agrees_with_the_published_variance_of_asah():
    # WFNS grade 1 to 5 of 72 patients with good and 41 with poor outcome after subarachnoid
    # haemorrhage, counted from the ROC curve and compared with the variance in the tests of
    # pROC 1.18: tests/testthat/helper-roc-expected.R and test-var.R.
    good, poor = [37, 20, 3, 8, 4], [2, 12, 1, 8, 18]
    labels = np.repeat([0, 1], [sum(good), sum(poor)])
    grades = np.r_[np.repeat(range(1, 6), good), np.repeat(range(1, 6), poor)]
    aucs, covariance = comparison_tests.delong(labels, grades[None, None])
    assert aucs == pytest.approx(0.82367886178861793, rel=1e-12)
    assert covariance == pytest.approx(np.array([[0.00146991470882363]]), rel=1e-12)


def test_delong_agrees_with_the_loops_and_another_implementation_on_the_ovarian_data():
    aucs, covariance = comparison_tests.delong(BENEFIT, MARKERS)
    slow_aucs, slow_covariance = slow_delong(BENEFIT, MARKERS)
    np.testing.assert_allclose(aucs, slow_aucs, rtol=1e-12)
    np.testing.assert_allclose(covariance, slow_covariance, rtol=1e-12)
    order = np.argsort(-BENEFIT, kind="stable")
    other_aucs, other_covariance = other_delong(MARKERS[:, 0, order], BENEFIT.sum())
    np.testing.assert_allclose(aucs, other_aucs, rtol=1e-6)
    np.testing.assert_allclose(covariance, other_covariance, rtol=1e-4)
    np.testing.assert_allclose(aucs, [sklearn_auc(BENEFIT, marker[0]) for marker in MARKERS])


def test_normal_interval_agrees_with_another_implementation():
    aucs, covariance = comparison_tests.delong(BENEFIT, MARKERS)
    for marker, score in enumerate(MARKERS[:, 0]):
        auc, limits = other_interval(list(BENEFIT), list(score), method="delong")
        assert aucs[marker] == pytest.approx(auc, rel=1e-6)
        mine = comparison_tests.difference_interval(aucs[marker], covariance[marker, marker])
        assert mine == pytest.approx(limits, rel=1e-4)


def test_delong_averages_components_over_evaluations():
    rng = np.random.default_rng(0)
    labels = LABELS[::4]
    scores = np.concatenate([binormal(rng, [0.8, 0.7], labels) for _ in range(3)], axis=1)
    aucs, covariance = comparison_tests.delong(labels, scores)
    slow_aucs, slow_covariance = slow_delong(labels, scores)
    np.testing.assert_allclose(aucs, slow_aucs)
    np.testing.assert_allclose(covariance, slow_covariance)
    assert aucs[0] == pytest.approx(np.mean([sklearn_auc(labels, each) for each in scores[0]]))


def test_repeating_an_evaluation_adds_nothing():
    scores = binormal(np.random.default_rng(1), [0.8, 0.7])
    once = comparison_tests.delong(LABELS, scores)
    thrice = comparison_tests.delong(LABELS, np.repeat(scores, 3, axis=1))
    np.testing.assert_allclose(thrice[1], once[1])


def test_covariance_of_folds_is_the_sum_over_pairs_that_share_a_patient():
    rng = np.random.default_rng(2)
    labels = np.repeat([1, 0], [9, 6])
    scores = np.concatenate([binormal(rng, [0.8, 0.6], labels) for _ in range(2)], axis=1)
    folds = random_folds(rng, labels, 3, 2)
    aucs, covariance = comparison_tests.delong(labels, scores, folds)
    np.testing.assert_allclose(aucs, comparison_tests.fold_auc(labels, scores, folds))

    excess = np.zeros((2, 9, 6))
    for model, evaluation, i, j in itertools.product(range(2), range(2), range(9), range(6)):
        if folds[evaluation, i] == folds[evaluation, 9 + j]:
            right = kernel(scores[model, evaluation, i], scores[model, evaluation, 9 + j])
            # Six folds of three positives and two negatives.
            excess[model, i, j] += (right - aucs[model]) / (6 * 3 * 2)
    expected = np.zeros((2, 2))
    for a, b in itertools.product(range(2), range(2)):
        for i, j, k, m in itertools.product(range(9), range(6), range(9), range(6)):
            product = excess[a, i, j] * excess[b, k, m]
            expected[a, b] += product * ((i == k) * 9 / 8 + (j == m) * 6 / 5 - (i == k) * (j == m))
    np.testing.assert_allclose(covariance, expected)


def test_one_patient_of_a_class_has_no_variance():
    aucs, covariance = comparison_tests.delong([1, 0, 0], [[[0.5, 0.1, 0.7]], [[0.5, 0.1, 0.2]]])
    np.testing.assert_allclose(aucs, [0.5, 1])
    assert np.isnan(covariance).all()


def test_auc_interval_is_symmetric_on_the_logit_scale():
    low, high = comparison_tests.auc_interval(0.9, 0.002)
    assert logit(0.9) - logit(low) == pytest.approx(1.959964 * np.sqrt(0.002) / 0.09)
    assert logit(high) - logit(0.9) == pytest.approx(1.959964 * np.sqrt(0.002) / 0.09)
    assert comparison_tests.auc_interval(0.9, 0.002, level=0.8)[0] > low


@pytest.mark.parametrize("labels", [LABELS, LABELS[::5]])
def test_a_perfect_auc_has_no_interval(labels):
    # Sums of shares may miss 1 by rounding.
    folds = random_folds(np.random.default_rng(0), labels, 3, 7)
    scores = np.tile(labels.astype(float), (1, 7, 1))
    aucs, covariance = comparison_tests.delong(labels, scores, folds)
    assert aucs == pytest.approx(1)
    assert np.isnan(comparison_tests.auc_interval(aucs, np.diag(covariance))).all()


def test_intervals_take_arrays_and_no_variance():
    low, high = comparison_tests.auc_interval([0.7, 0.8, 0.8], [0.01, np.nan, -0.01])
    assert low[0] < 0.7 < high[0]
    assert np.isnan([low[1:], high[1:]]).all()
    assert np.isnan(comparison_tests.difference_interval(0.1, np.nan)).all()
    assert comparison_tests.difference_interval(0.0, -1e-18) == (0, 0)


def test_delong_test_of_models_that_rank_alike():
    scores = binormal(np.random.default_rng(3), [0.8])
    aucs, covariance = comparison_tests.delong(LABELS, np.concatenate([scores, np.exp(scores)]))
    assert comparison_tests.delong_test(aucs, covariance, 0, 1) == 1


def test_delong_test_of_a_difference_that_does_not_vary_is_unknown():
    aucs, covariance = comparison_tests.delong(LABELS, np.stack([LABELS, -LABELS])[:, None])
    assert np.isnan(comparison_tests.delong_test(aucs, covariance, 0, 1))


def test_delong_test_is_the_normal_test_of_the_difference():
    aucs, covariance = comparison_tests.delong(BENEFIT, MARKERS)
    _, slow = slow_delong(BENEFIT, MARKERS)
    z = (aucs[0] - aucs[1]) / np.sqrt(slow[0, 0] + slow[1, 1] - 2 * slow[0, 1])
    p = 2 * norm.sf(abs(z))
    assert comparison_tests.delong_test(aucs, covariance, 0, 1) == pytest.approx(p)
    assert comparison_tests.delong_test(aucs, covariance, 1, 0) == pytest.approx(p)


def test_fold_auc_is_the_mean_over_folds_of_scikit_learn():
    rng = np.random.default_rng(4)
    scores = np.concatenate([binormal(rng, [0.8, 0.7]) for _ in range(3)], axis=1).round(1)
    folds = random_folds(rng, LABELS, 5, 3)
    for model, found in enumerate(comparison_tests.fold_auc(LABELS, scores, folds)):
        each = [
            sklearn_auc(LABELS[folds[e] == f], scores[model, e, folds[e] == f])
            for e in range(3)
            for f in range(5)
        ]
        assert found == pytest.approx(np.mean(each))
    pooled = [sklearn_auc(LABELS, scores[0, e]) for e in range(3)]
    assert comparison_tests.fold_auc(LABELS, scores)[0] == pytest.approx(np.mean(pooled))


def test_a_fold_of_one_class_is_ignored():
    labels, folds = np.array([1, 0, 0, 1, 1]), np.array([[1, 1, 1, 1, 2]])
    scores = np.array([[[0.5, 0.4, 0.6, 0.9, 0.1]]])
    assert comparison_tests.fold_auc(labels, scores, folds) == pytest.approx(0.75)


def test_leave_one_out_has_no_auc_within_folds():
    scores, folds = binormal(np.random.default_rng(5), [0.8, 0.7]), np.arange(106)[None]
    weights = comparison_tests.stratified_bootstrap(LABELS, 10, 1)
    assert np.isnan(comparison_tests.fold_auc(LABELS, scores, folds)).all()
    assert np.isnan(comparison_tests.fold_auc(LABELS, scores, folds, weights)).all()
    assert np.isnan(comparison_tests.delong(LABELS, scores, folds)[0]).all()
    assert np.isnan(permutation.permutation(LABELS, *scores, 10, 1, folds))


def test_weights_count_patients():
    rng = np.random.default_rng(6)
    scores = binormal(rng, [0.8, 0.7]).round(1)
    weights = comparison_tests.stratified_bootstrap(LABELS, 20, 1)
    for draw, found in zip(
        weights, comparison_tests.fold_auc(LABELS, scores, None, weights), strict=True
    ):
        again = np.repeat(np.arange(106), draw)
        expected = [sklearn_auc(LABELS[again], score[0, again]) for score in scores]
        np.testing.assert_allclose(found, expected)


def test_in_a_draw_folds_count_by_their_drawn_pairs():
    labels, folds = np.array([1, 0, 0, 1, 0]), np.array([[1, 1, 1, 2, 2]])
    scores = np.array([[[0.5, 0.4, 0.6, 0.9, 0.1]]])
    weights = np.array([[1, 1, 1, 1, 1], [1, 0, 2, 1, 1], [2, 1, 1, 0, 1], [0, 1, 1, 2, 1]])
    found = comparison_tests.fold_auc(labels, scores, folds, weights)[:, 0]
    # AUC 1/2 and 1; the second draw ranks its one pair of fold 1 wrongly, the last two draws
    # have one fold left.
    np.testing.assert_allclose(found, [0.75, 0.5, 0.5, 1])


def test_fold_mean_agrees_with_scikit_learn():
    rng = np.random.default_rng(7)
    scores = np.concatenate([binormal(rng, [0.8, 0.7]) for _ in range(2)], axis=1)
    folds, calls, probabilities = random_folds(rng, LABELS, 5, 2), scores > 0.7, expit(scores)

    def mean(measure, given):
        return [
            np.mean(
                [measure(LABELS[folds[e] == f], given[m, e, folds[e] == f])
                 for e in range(2) for f in range(5)]
            )
            for m in range(2)
        ]  # fmt: skip

    sensitivity = comparison_tests.fold_mean(np.where(LABELS == 1, calls, np.nan), folds)
    specificity = comparison_tests.fold_mean(np.where(LABELS == 0, ~calls, np.nan), folds)
    balanced = mean(balanced_accuracy_score, calls)
    np.testing.assert_allclose((sensitivity + specificity) / 2, balanced)
    predictive = comparison_tests.fold_mean(np.where(calls, LABELS, np.nan), folds)
    np.testing.assert_allclose(predictive, mean(precision_score, calls))
    brier = comparison_tests.fold_mean((probabilities - LABELS) ** 2, folds)
    np.testing.assert_allclose(brier, mean(brier_score_loss, probabilities))


def test_fold_mean_of_draws_counts_patients():
    rng = np.random.default_rng(8)
    values, weights = rng.random((2, 1, 106)), comparison_tests.stratified_bootstrap(LABELS, 5, 1)
    values[:, :, 3] = np.nan
    found = comparison_tests.fold_mean(values, None, weights)
    for draw, mean in zip(weights, found, strict=True):
        again = np.repeat(np.arange(106), draw)
        np.testing.assert_allclose(mean, np.nanmean(values[:, 0, again], axis=1))
    assert np.isnan(comparison_tests.fold_mean(np.full((1, 1, 4), np.nan))).all()


def test_resamples_keep_the_classes_and_repeat():
    weights = comparison_tests.stratified_bootstrap(LABELS, 2000, 1)
    assert (weights[:, LABELS == 1].sum(axis=1) == 78).all()
    assert (weights[:, LABELS == 0].sum(axis=1) == 28).all()
    np.testing.assert_allclose(weights.mean(axis=0), 1, atol=0.12)
    assert (weights == comparison_tests.stratified_bootstrap(LABELS, 2000, 1)).all()
    assert (weights != comparison_tests.stratified_bootstrap(LABELS, 2000, 2)).any()


def test_interval_takes_the_percentiles_of_known_draws():
    draws = np.stack([np.r_[np.arange(1001), np.nan], np.full(1002, np.nan)], axis=1)
    low, high = comparison_tests.interval(draws, level=0.9)
    np.testing.assert_allclose(low, [50, np.nan])
    np.testing.assert_allclose(high, [950, np.nan])


def test_nadeau_bengio_agrees_with_the_example_of_scikit_learn():
    # "Statistical comparison of models using grid search" run again: it prints t 0.750 and the
    # one-sided p 0.227, and states the interval of its posterior, -0.016445 to 0.036445, which is
    # the interval of the test.
    from sklearn.datasets import make_moons
    from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score
    from sklearn.svm import SVC

    points, classes = make_moons(noise=0.352, random_state=1, n_samples=100)
    splits = RepeatedStratifiedKFold(n_splits=10, n_repeats=10, random_state=0)
    rbf, linear = (
        cross_val_score(SVC(kernel=kind), points, classes, scoring="roc_auc", cv=splits)
        for kind in ("rbf", "linear")
    )
    t, p, low, high = comparison_tests.nadeau_bengio(rbf - linear, test_share=0.1)
    assert round(t, 3) == 0.750
    assert round(p / 2, 3) == 0.227
    assert (low, high) == pytest.approx((-0.016445, 0.036445), abs=1e-6)


def test_nadeau_bengio_of_differences_without_spread_is_unknown():
    assert np.isnan(comparison_tests.nadeau_bengio([0.1, 0.1, 0.1], 0.2)).all()
    assert np.isnan(comparison_tests.nadeau_bengio([0.1], 0.2)).all()
    missing = comparison_tests.nadeau_bengio([0.1, 0.3, np.nan, 0.2], 0.2)
    assert missing == comparison_tests.nadeau_bengio([0.1, 0.3, 0.2], 0.2)


@pytest.mark.parametrize("folds", [None, np.array([[1, 1, 2, 2, 1, 1, 2], [1, 2, 1, 2, 1, 2, 1]])])
def test_permutation_agrees_with_all_swaps(folds):
    labels = np.array([1, 1, 1, 1, 0, 0, 0])
    a, b = np.random.default_rng(9).normal(size=(2, 2, 7))
    ranks = np.zeros((2, 2, 7))
    for (model, evaluation, patient), score in np.ndenumerate(np.stack([a, b])):
        others = np.stack([a, b])[model, evaluation]
        if folds is not None:
            others = others[folds[evaluation] == folds[evaluation, patient]]
        ranks[model, evaluation, patient] = np.sum(others < score)
    differences = []
    for swapped in itertools.product([False, True], repeat=7):
        x, y = np.where(swapped, ranks[::-1], ranks)
        differences.append(np.subtract(*comparison_tests.fold_auc(labels, np.stack([x, y]), folds)))
    exact = np.mean(np.abs(differences) >= abs(differences[0]) - 1e-9)
    assert 0.05 < exact < 0.95
    found = permutation.permutation(labels, a, b, 40_000, 1, folds)
    assert found == pytest.approx(exact, abs=4 * 0.5 / np.sqrt(40_000))


def test_permutation_does_not_mind_scales():
    rng = np.random.default_rng(10)
    a, b = binormal(rng, [0.85, 0.7])
    folds = random_folds(rng, LABELS, 5, 1)
    within = permutation.permutation(LABELS, a, b, 500, 1, folds)
    assert within == permutation.permutation(LABELS, a + 9 * folds, b - folds, 500, 1, folds)
    p = permutation.permutation(LABELS, a, b, 500, 1)
    assert p == permutation.permutation(LABELS, np.exp(3 * a), b - 7, 500, 1)
    assert permutation.permutation(LABELS, a, a, 500, 1) == 1
    assert permutation.permutation(LABELS, LABELS[None], -LABELS[None], 500, 1) == 1 / 501


def test_permutation_is_uniform_where_models_are_equal():
    rng = np.random.default_rng(11)
    found = [
        permutation.permutation(LABELS, *binormal(rng, [0.8, 0.8]), 500, i) for i in range(400)
    ]
    assert kstest(found, "uniform").pvalue > 0.01
    assert 0.02 < np.mean(np.array(found) <= 0.05) < 0.085


def test_holm_by_hand():
    # Sorted 0.005, 0.01, 0.03, 0.04: times 4, 3, 2, 1, never below the one before.
    np.testing.assert_allclose(
        comparison_tests.holm([0.01, 0.04, np.nan, 0.03, 0.005]), [0.03, 0.06, np.nan, 0.06, 0.02]
    )
    assert np.isnan(comparison_tests.holm([np.nan])).all()


def test_detectable_difference_is_found_four_times_in_five():
    rng = np.random.default_rng(12)

    def simulate(difference, runs):
        for _ in range(runs):
            yield comparison_tests.delong(LABELS, binormal(rng, [0.84, 0.84 - difference]))

    difference = 0.1
    for _ in range(5):
        variances = [
            comparison_tests.variance_of_difference(c, 0, 1) for _, c in simulate(difference, 50)
        ]
        difference = comparison_tests.minimum_detectable_difference(np.mean(variances))
    assert 0.05 < difference < 0.2
    found = [
        comparison_tests.delong_test(*each, 0, 1) < 0.05 for each in simulate(difference, 1000)
    ]
    assert 0.75 < np.mean(found) < 0.86


def test_detectable_by_hand():
    assert comparison_tests.minimum_detectable_difference(0.0025) == pytest.approx(
        (1.959964 + 0.841621) * 0.05
    )
    assert comparison_tests.minimum_detectable_difference(-1e-18) == 0
    assert np.isnan(
        [
            comparison_tests.minimum_detectable_difference(-0.001),
            comparison_tests.minimum_detectable_difference(np.nan),
        ]
    ).all()


def test_net_benefit_by_hand():
    labels, probabilities = [1, 1, 0, 0, 0], [0.9, 0.2, 0.6, 0.25, 0.1]
    model, treat_all, none = calibration.net_benefit(labels, probabilities, [0, 0.2, 0.5, 0.8])
    np.testing.assert_allclose(model, [2 / 5, 2 / 5 - 2 / 5 / 4, 1 / 5 - 1 / 5, 1 / 5])
    np.testing.assert_allclose(
        treat_all, [2 / 5, 2 / 5 - 3 / 5 / 4, 2 / 5 - 3 / 5, 2 / 5 - 3 / 5 * 4]
    )
    np.testing.assert_allclose(none, 0)
    twice = calibration.net_benefit(labels, [probabilities, np.zeros(5)], [0.2])[0]
    np.testing.assert_allclose(twice, model[1] / 2)


SIZES = np.array([34, 51, 68, 85])


def test_power_law_recovers_its_curve():
    aucs = 0.88 - 1.2 * SIZES**-0.6
    a, b, c = learning_curve.power_law(SIZES, aucs, np.full(4, 0.02))
    assert (a, b, c) == pytest.approx((0.88, 1.2, 0.6), rel=1e-3)


def test_power_law_curve_covers_its_curve_and_goes_on():
    rng = np.random.default_rng(13)
    at = np.array([34, 85, 150])
    aucs = 0.88 - 1.2 * SIZES**-0.6
    draws = aucs + rng.normal(0, 0.01, (300, 4))
    fitted, low, high = learning_curve.power_law_curve(SIZES, aucs, draws, at)
    np.testing.assert_allclose(fitted, 0.88 - 1.2 * at**-0.6, atol=1e-4)
    assert (low < fitted).all()
    assert (fitted < high).all()
    assert (high - low)[2] > (high - low)[1]


@pytest.mark.parametrize("aucs", [[0.5] * 4, [1.0] * 4, [0.9, 0.8, 0.7, 0.6], [0.6, 0.9, 0.5, 0.9]])
def test_power_law_of_odd_curves_stays_in_range(aucs):
    a, b, c = learning_curve.power_law(SIZES, aucs)
    if np.isfinite(a):
        assert 0 <= a <= 1
        assert b > 0
        assert c > 0
        assert abs((a - b * SIZES**-c).mean() - np.mean(aucs)) < 0.02


def test_power_law_of_too_few_or_missing_points_is_unknown():
    assert np.isnan(learning_curve.power_law(SIZES[:2], [0.7, 0.8])).all()
    assert np.isnan(learning_curve.power_law(SIZES, [0.7, np.nan, 0.8, 0.8])).all()
    curve = learning_curve.power_law_curve(SIZES[:2], [0.7, 0.8], np.full((9, 2), 0.7), SIZES)
    assert np.isnan(curve).all()


def test_calibration_recovers_known_distortions():
    rng = np.random.default_rng(14)
    truth = rng.normal(size=100_000)
    labels = (rng.random(100_000) < expit(truth)).astype(int)
    assert calibration.calibration(labels, expit(truth)) == pytest.approx((1, 0), abs=0.03)
    # Twice too extreme; too low by 0.7 on the logit scale.
    assert calibration.calibration(labels, expit(2 * truth))[0] == pytest.approx(0.5, abs=0.02)
    assert calibration.calibration(labels, expit(truth - 0.7)) == pytest.approx((1, 0.7), abs=0.03)


def test_calibration_agrees_with_scikit_learn():
    probabilities = expit(1.5 * binormal(np.random.default_rng(15), [0.7])[0] - 1)
    slope, intercept = calibration.calibration(LABELS, probabilities)
    fit = LogisticRegression(C=np.inf, tol=1e-10).fit(logit(probabilities).T, LABELS)
    assert slope == pytest.approx(fit.coef_[0, 0], rel=1e-4)
    # Shifted by the intercept, probabilities are right on average.
    shifted = expit(logit(probabilities) + intercept)
    assert shifted.mean() == pytest.approx(LABELS.mean(), rel=1e-6)


def test_calibration_of_repeats_is_that_of_one_where_they_agree():
    probabilities = expit(binormal(np.random.default_rng(16), [0.7])[0])
    once = calibration.calibration(LABELS, probabilities[0])
    assert calibration.calibration(LABELS, np.repeat(probabilities, 4, axis=0)) == pytest.approx(
        once
    )


@pytest.mark.parametrize(
    "probabilities", [LABELS * 1.0, 0.2 + 0.6 * LABELS, 1 - LABELS, np.full(106, 0.4)]
)
def test_calibration_of_separated_or_constant_probabilities_has_no_slope(probabilities):
    slope, intercept = calibration.calibration(LABELS, probabilities)
    assert np.isnan(slope)
    assert np.isfinite(intercept)


def test_pooled_leave_one_out_rewards_the_prevalence():
    # Trained without patient i, the prevalence is lower where i is positive: a predictor that
    # knows nothing of the patient separates the classes, backwards or forwards.
    prevalence = np.array([np.delete(LABELS, i).mean() for i in range(106)])
    found = comparison_tests.fold_auc(LABELS, np.stack([prevalence, -prevalence])[:, None])
    np.testing.assert_allclose(found, [0, 1])


def test_rebalanced_leave_one_out_does_not():
    # Austin et al. 2024: a training patient of the other class is left out too.
    rng = np.random.default_rng(17)
    prevalence = [
        np.delete(LABELS, [i, rng.choice(np.flatnonzero(LABELS[i] != LABELS))]).mean()
        for i in range(106)
    ]
    found = comparison_tests.fold_auc(
        LABELS, np.stack([prevalence, np.negative(prevalence)])[:, None]
    )
    np.testing.assert_allclose(found, [0.5, 0.5])


@pytest.mark.parametrize(
    "call",
    [
        lambda labels, scores: comparison_tests.delong(labels, scores),
        lambda labels, scores: comparison_tests.fold_auc(labels, scores),
        lambda labels, scores: permutation.permutation(labels, scores[0], scores[0], 10, 1),
        lambda labels, scores: calibration.calibration(labels, scores[0]),
    ],
)
def test_errors_say_what_is_missing(call):
    scores = np.full((1, 1, 4), 0.5)
    with pytest.raises(UserError, match="4 patients with label 1 and 0 with label 0"):
        call([1, 1, 1, 1], scores)
    scores[0, 0, 2] = np.nan
    with pytest.raises(UserError, match="1 of 4 predictions are missing"):
        call([1, 0, 1, 0], scores)


def test_import_is_light():
    heavy = "{'sklearn', 'statsmodels', 'scipy.stats', 'scipy.optimize', 'pandas'}"
    code = f"import sys, hepatoclr.stats.comparison_tests; print({heavy} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"
