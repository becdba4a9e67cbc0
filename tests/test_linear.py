import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from hepatoclr import linear, predictions, splits

SETTINGS = {"C": 1.0, "scale": False, "rows": "slices", "threshold": "half"}


@pytest.fixture
def cohort():
    """Forty patients with three to five slices; feature 0 tells the target."""
    rng = np.random.default_rng(0)
    ids = [f"{number:04}" for number in range(40)]
    targets = pd.Series([0, 1] * 20, index=ids)
    patient = pd.Series(np.repeat(ids, rng.integers(3, 6, 40)))
    vectors = rng.normal(size=(len(patient), 6))
    vectors[:, 0] += 2 * targets.loc[patient].to_numpy()
    return patient, vectors, targets


def test_probability_is_the_mean_over_slices_of_scikit_learns(cohort):
    patient, vectors, targets = cohort
    tested, known = list(targets.index[:8]), targets.iloc[8:]
    found = linear.predict(patient, vectors, known, tested, SETTINGS).set_index("patient_id")
    used = patient.isin(known.index).to_numpy()
    model = LogisticRegression(C=1.0, max_iter=1000)
    model.fit(vectors[used], targets.loc[patient[used]])
    for name in tested:
        rows = vectors[(patient == name).to_numpy()]
        expected = model.predict_proba(rows)[:, 1].mean()
        assert found.loc[name, "probability"] == pytest.approx(expected, abs=1e-4)
        assert found.loc[name, "slices"] == len(rows)
    assert (found["threshold"] == 0.5).all()


@pytest.mark.parametrize("rows", ["slices", "patients"])
@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize("threshold", ["half", "youden"])
def test_options_predict_what_can_be_predicted(cohort, rows, scale, threshold):
    patient, vectors, targets = cohort
    settings = {"C": 1.0, "scale": scale, "rows": rows, "threshold": threshold}
    tested = list(targets.index[:10])
    found = linear.predict(patient, vectors, targets.iloc[10:], tested, settings)
    right = (found["probability"] > 0.5).to_numpy() == targets.loc[found["patient_id"]].to_numpy()
    assert right.mean() >= 0.9
    assert found["patient_id"].tolist() == tested
    assert found["slices"].tolist() == [int((patient == name).sum()) for name in tested]
    assert (found["threshold"].iloc[0] == 0.5) == (threshold == "half")


def test_tested_patients_do_not_touch_the_fit(cohort):
    patient, vectors, targets = cohort
    tested, known = list(targets.index[:8]), targets.iloc[8:]
    plain = linear.predict(patient, vectors, known, tested, {**SETTINGS, "scale": True})
    moved = vectors.copy()
    moved[patient.isin(tested[1:]).to_numpy()] += 100
    again = linear.predict(patient, moved, known, tested, {**SETTINGS, "scale": True})
    assert plain["probability"].iloc[0] == again["probability"].iloc[0]


def test_cross_validation_writes_each_patient_once(cohort, tmp_path):
    patient, vectors, targets = cohort
    table = pd.DataFrame(vectors, columns=[f"f{i}" for i in range(6)]).assign(patient_id=patient)
    table.to_parquet(tmp_path / "features.parquet")
    people = targets.rename_axis("patient_id").rename("target").reset_index()
    splits.write(splits.stratified(people, 5, 1, 1), tmp_path / "split.csv")
    files = [tmp_path / "features.parquet", tmp_path / "split.csv"]
    linear.cross_validate("simclr", 1, *files, [1, 2, 3, 4, 5], tmp_path / "all.csv", SETTINGS)
    for fold in range(1, 6):
        linear.cross_validate("simclr", 1, *files, [fold], tmp_path / f"{fold}.csv", SETTINGS)
    whole = pd.read_csv(tmp_path / "all.csv", dtype={"patient_id": "str"})
    parts = [pd.read_csv(tmp_path / f"{k}.csv", dtype={"patient_id": "str"}) for k in range(1, 6)]
    assert tuple(whole.columns) == predictions.COLUMNS
    assert sorted(whole["patient_id"]) == sorted(targets.index)
    assert whole.equals(pd.concat(parts, ignore_index=True))
