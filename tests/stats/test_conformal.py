"""Sets of classes: they hold the true one as often as they say."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hepatoclr.simulation import patients, simulate
from hepatoclr.stats import conformal

STAGES = (0.1, 0.1, 0.3, 0.25, 0.25)


def people(name, count, seed):
    """Signs of fibrosis and target of simulated patients, half of them with F3-F4."""
    rng = np.random.default_rng(seed)
    stages = rng.choice(5, count, p=STAGES)
    drawn = [
        simulate.person(name, index, int(stage), seed=seed, effect=1, confounding=0)
        for index, stage in enumerate(stages)
    ]
    return pd.DataFrame([who.signs for who in drawn]), (stages >= patients.ADVANCED).astype(int)


def test_sets_hold_the_class_of_nine_in_ten_of_2000_new_patients():
    """As a bundle does: limits from patients of a cross-validation, a final model of all."""
    x_new, new = people("new", 2000, 1)
    covered = []
    for seed in range(8):
        x, y = people("histo", 300, 100 + seed)
        model = make_pipeline(StandardScaler(), LogisticRegression())
        folds = StratifiedKFold(5, shuffle=True, random_state=seed)
        inside = cross_val_predict(model, x, y, cv=folds, method="predict_proba")[:, 1]
        limits = conformal.limits(y, inside, 0.9)
        odds = model.fit(x, y).predict_proba(x_new)[:, 1]
        held = np.array(
            [label in conformal.classes(p, limits) for p, label in zip(odds, new, strict=True)]
        )
        covered.append([held[new == label].mean() for label in (0, 1)])
    assert np.mean(covered, axis=0) == pytest.approx([0.9, 0.9], abs=0.03)


def test_limits_are_those_of_the_definition():
    rng = np.random.default_rng(3)
    labels = np.repeat([0, 1], [37, 61])
    odds = rng.uniform(size=98)
    limits = conformal.limits(labels, odds, 0.9)
    assert [limit.patients for limit in limits] == [37, 61]
    for p in np.linspace(0, 1, 41):
        held = conformal.classes(p, limits)
        for label, own in ((0, 1 - odds[:37]), (1, odds[37:])):
            ours = 1 - p if label == 0 else p
            rank = (np.sum(own <= ours) + 1) / (len(own) + 1)
            assert (label in held) == (rank > 0.1)


def test_few_patients_of_a_class_leave_it_in_every_set():
    limits = conformal.limits([0] * 8 + [1] * 30, np.r_[np.zeros(8), np.ones(30)], 0.9)
    assert limits[0].least == 0
    assert conformal.classes(1.0, limits) == (0, 1)


def test_a_model_that_knows_nothing_seldom_tells():
    rng = np.random.default_rng(5)
    labels, odds = rng.integers(0, 2, 400), rng.uniform(size=400)
    limits = conformal.limits(labels, odds, 0.9)
    told = [len(conformal.classes(p, limits)) == 1 for p in rng.uniform(size=400)]
    assert np.mean(told) < 0.3
