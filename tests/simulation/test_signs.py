"""The signs of fibrosis: as telling as published, overlapping, not the only disease there is."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from hepatoclr.simulation import patients, signs

# AUC for F3-F4 that a sign of itself may have; painted on organs it is a little less.
TELLING = {
    "nodularity": (0.80, 0.88),
    "spleen": (0.78, 0.86),
    "hypertrophy": (0.75, 0.84),
    "atrophy": (0.65, 0.75),
    "portal": (0.55, 0.68),
    "texture": (0.60, 0.70),
    "attenuation": (0.60, 0.70),
}


@cache
def people(effect=1.0):
    drawn = [
        patients.patient((5, i), i % 5, effect, patients.site((5, i), i % 5)) for i in range(2500)
    ]
    told = [{"stage": i % 5, "age": one.sizes["age"], **one.signs} for i, one in enumerate(drawn)]
    return pd.DataFrame(told).assign(who=drawn, ill=[i % 5 >= 3 for i in range(2500)])


@pytest.mark.parametrize("name", signs.SIGNS)
def test_each_sign_tells_about_as_much_as_published(name):
    low, high = TELLING[name]
    towards = np.sign(signs.SIGNS[name].effect)
    assert low < roc_auc_score(people()["ill"], towards * people()[name]) < high


def test_all_signs_together_leave_doubt():
    table = people()
    model = LogisticRegression().fit(table[list(signs.SIGNS)][::2], table["ill"][::2])
    found = roc_auc_score(
        table["ill"][1::2], model.decision_function(table[list(signs.SIGNS)][1::2])
    )
    assert 0.87 < found < 0.93


def test_ascites_is_rare_and_specific():
    table = people()
    by_stage = table.groupby("stage")["ascites"].mean()
    assert by_stage[:3].max() < 0.03
    assert 0.1 < by_stage[4] < 0.3


def test_without_effect_no_sign_tells_anything():
    table = people(0.0)
    for name in signs.SIGNS:
        assert abs(roc_auc_score(table["ill"], table[name]) - 0.5) < 0.04


def test_age_moves_signs_of_healthy_livers():
    healthy = people()[people()["stage"] == 0]
    old, young = healthy["age"] > 70, healthy["age"] < 40
    assert healthy.loc[old, "atrophy"].mean() > healthy.loc[young, "atrophy"].mean() + 0.3
    assert healthy.loc[old, "spleen"].mean() < healthy.loc[young, "spleen"].mean() - 0.3
    marrow = healthy["who"].map(lambda one: one.hu["marrow"])
    assert marrow[old].mean() < marrow[young].mean() - 40


def test_livers_without_fibrosis_may_look_ill_and_cirrhotic_ones_healthy():
    table = people().assign(visible=people().drop(columns="who").apply(signs.visible, axis=1))
    by_stage = table.groupby("stage")["visible"]
    assert (table.loc[table["stage"] == 0, "visible"] > by_stage.median()[3]).mean() > 0.01
    assert (table.loc[table["stage"] == 4, "visible"] < by_stage.median()[2]).mean() > 0.005


def test_no_site_has_more_fibrosis():
    table = people()
    share = table.groupby(table["who"].map(lambda one: one.site))["ill"].mean()
    assert set(share.index) == set(patients.HOSPITALS["own"])
    assert share.max() - share.min() < 0.08


def test_a_grade_is_worse_where_more_is_visible():
    rng = np.random.default_rng(1)
    table = people()
    grades = [signs.reading(one.signs, 0.0, rng) for one in table["who"]]
    seen = [signs.visible(one.signs) for one in table["who"]]
    order = (
        pd.Series(seen)
        .groupby(pd.Categorical(grades, signs.GRADES, ordered=True))
        .agg(["min", "max"])
    )
    assert (order["min"].to_numpy()[1:] >= order["max"].to_numpy()[:-1]).all()
    assert (np.array(grades) != "none").mean() == pytest.approx(0.4, abs=0.08)
