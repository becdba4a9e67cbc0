"""From one hospital to others: the drop of the AUC, recalibration, the next hospital."""

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import t as student
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hepatoclr.simulation import simulate
from hepatoclr.stats import calibration, comparison_tests, transport

STAGES = {
    "own": (0.09, 0.085, 0.09, 0.3, 0.435),
    "other": (0.1, 0.15, 0.25, 0.3, 0.2),
}  # the demo's


def population(hospital, seed):
    """F3-F4 and signs of fibrosis of 5,000 simulated patients of one of the demo's hospitals."""
    stages = np.random.default_rng(seed).choice(5, 5000, p=STAGES[hospital])
    drawn = [
        simulate.person(hospital, index, int(stage), seed, 1, 0, hospital)
        for index, stage in enumerate(stages)
    ]
    return (stages >= 3).astype(int), np.array([list(who.signs.values()) for who in drawn])


def sample(rng, of, patients):
    """Some patients of a population."""
    chosen = rng.integers(len(of[0]), size=patients)
    return of[0][chosen], of[1][chosen]


def fitted(labels, vectors):
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(vectors, labels)


def auc(model, people):
    return roc_auc_score(people[0], model.decision_function(people[1]))


def inside_and_outside(seed, own_population, other_population):
    """Cross-validate inside, apply outside: what the statistics say, and what is true of it."""
    rng = np.random.default_rng(seed)
    labels, vectors = sample(rng, own_population, 120)
    scores, folds, true = np.zeros(120), np.zeros(120, int), []
    split = StratifiedKFold(5, shuffle=True, random_state=seed).split(vectors, labels)
    for fold, (train, test) in enumerate(split):
        model = fitted(labels[train], vectors[train])
        scores[test], folds[test] = model.decision_function(vectors[test]), fold
        true.append(auc(model, own_population))
    final, others = fitted(labels, vectors), sample(rng, other_population, 100)
    own = comparison_tests.delong(labels, scores[None, None], folds[None])
    outside = comparison_tests.delong(others[0], final.decision_function(others[1])[None, None])
    said = transport.drop(*((float(a[0]), float(v[0, 0])) for a, v in (own, outside)))
    return said, np.mean(true) - auc(final, other_population)


def test_the_interval_of_the_drop_holds_the_true_drop():
    populations = population("own", 1), population("other", 2)
    found = [inside_and_outside(seed, *populations) for seed in range(200)]
    holds = np.mean([low < true < high for (_, low, high), true in found])
    assert 0.93 <= holds <= 0.99
    assert 0.02 < np.mean([true for _, true in found]) < 0.08
    assert np.mean([said[0] for said, _ in found]) == pytest.approx(
        np.mean([true for _, true in found]), abs=0.02
    )


def test_the_drop_is_of_independent_patients_and_uneven_near_one():
    found, low, high = transport.drop((0.97, 0.0004), (0.8, 0.002))
    assert found == pytest.approx(0.17)
    assert high - found > 0.02
    assert found - low > high - found > 0.9 * 1.96 * np.sqrt(0.002)
    assert np.isnan(transport.drop((1.0, 0.0), (0.8, 0.002))[1:]).all()


def test_hospitals_are_summarised_by_the_published_formulas():
    aucs, variances = np.array([0.7, 0.85, 0.78, 0.65]), np.array([4, 9, 5, 8]) / 10_000
    found = transport.over_hospitals(aucs, variances)
    effects, noise = logit(aucs), variances / (aucs * (1 - aucs)) ** 2
    weights = 1 / (noise + found.tau**2)
    mean = np.sum(weights * effects) / weights.sum()
    spread = np.sum(weights * (effects - mean) ** 2)
    assert spread == pytest.approx(3, rel=1e-3)  # Paule and Mandel's equation
    error = np.sqrt(spread / 3 / weights.sum())  # Hartung and Knapp's
    half = student.ppf(0.975, 3) * error
    reach = student.ppf(0.975, 2) * np.hypot(found.tau, error)
    ends = [found.mean, found.low, found.high, found.next_low, found.next_high]
    wanted = mean + np.array([0, -half, half, -reach, reach])
    assert ends == pytest.approx(expit(wanted))


def test_fewer_than_three_hospitals_are_not_summarised():
    assert transport.over_hospitals([0.7, 0.8], [0.001, 0.001]) is None
    assert transport.over_hospitals([0.7, 0.8, 1.0], [0.001, 0.001, 0.0]) is None
    assert transport.over_hospitals([0.7, 0.8, 0.9], [0.001, 0.001, np.nan]) is None


def test_the_next_hospital_lies_in_the_prediction_interval():
    rng, inside = np.random.default_rng(1), []
    for _ in range(300):
        effects = rng.normal(1.2, 0.4, 7)
        variances = rng.uniform(0.02, 0.1, 7)
        seen = expit(effects + rng.normal(0, np.sqrt(variances)))
        found = transport.over_hospitals(seen[:6], (variances * (seen * (1 - seen)) ** 2)[:6])
        inside.append(found.next_low < expit(effects[6]) < found.next_high)
    assert 0.92 < np.mean(inside) < 0.99


def miscalibrated(rng, patients):
    x = rng.normal(size=patients)
    labels = (rng.random(patients) < expit(x)).astype(int)
    return labels, expit(2 * x + 1)


def test_recalibrating_mends_what_it_may():
    labels, odds = miscalibrated(np.random.default_rng(2), 4000)
    shift, one = transport.update(labels, odds, "intercept")
    assert one == 1.0
    found = transport.calibrated(labels, transport.updated(odds, shift, one))
    assert found["calibration_intercept"] == pytest.approx(0, abs=1e-6)
    assert found["observed_expected"] == pytest.approx(1, abs=1e-6)
    assert found["calibration_slope"] == pytest.approx(0.5, abs=0.05)
    both = transport.updated(odds, *transport.update(labels, odds, "intercept and slope"))
    assert calibration.calibration(labels, both) == pytest.approx((1, 0), abs=1e-5)


def test_the_more_patients_the_better_the_recalibration():
    labels, odds = miscalibrated(np.random.default_rng(3), 300)
    table = transport.recalibration(labels, odds, [10, 100, 300], 40, 1)
    assert table["patients"].tolist() == [0, 10, 10, 100, 100]  # of 300 none would be left
    before, *_, after = table.to_dict("records")
    assert after["brier"] < before["brier"]
    both = table[table["update"] == "intercept and slope"].set_index("patients")
    width = both["calibration_slope_high"] - both["calibration_slope_low"]
    assert width[100] < width[10]
    assert both.loc[100, "calibration_slope"] == pytest.approx(1, abs=0.25)
    assert both.loc[10, "draws"] < 40 == both.loc[100, "draws"]  # few patients may be separated
    again = transport.recalibration(labels, odds, [10, 100, 300], 40, 1)
    assert again.equals(table)


def test_one_class_cannot_be_recalibrated_on():
    assert transport.update([1, 1, 1], [0.2, 0.5, 0.7], "intercept") is None
    labels, odds = [0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]
    assert transport.update(labels, odds, "intercept and slope") is None
    assert transport.update(labels, odds, "intercept") == pytest.approx((0, 1), abs=1e-6)
