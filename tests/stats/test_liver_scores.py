"""Scores of the liver against worked examples that others published."""

import numpy as np
import pytest

from hepatoclr.stats import liver_scores


@pytest.mark.parametrize(
    ("score", "values", "published"),
    [
        # (50 x 40) / (200 x 6), droracle.ai/articles/190983
        ("FIB-4", {"age": 50, "ast": 40, "alt": 36, "platelets": 200}, 1.67),
        # 65 / 40 / 458 x 100, the example of a calculator with the limit 40 U/L
        ("APRI", {"ast": 65, "platelets": 458}, 0.35),
        # 3.5 g/dL and 1.2 mg/dL, 20.52 µmol/L, cal57.calculator.city/albi-calculator
        ("ALBI", {"albumin": 35, "bilirubin": 20.52}, -2.10),
    ],
)
def test_a_published_example(score, values, published):
    assert liver_scores.SCORES[score](**values) == pytest.approx(published, abs=0.01)
    assert tuple(values) == liver_scores.NEEDED[score]


def test_many_patients_at_once_and_unknown_values():
    found = liver_scores.fib4([50, 50], [40, np.nan], [36, 36], [200, 200])
    assert found[0] == pytest.approx(1.67, abs=0.01)
    assert np.isnan(found[1])
