import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from hepatoclr.cohorts import splits
from hepatoclr.learning import linear
from hepatoclr.stats import metrics, predictions

SETTINGS = {"C": 1.0, "scale": False, "rows": "slices", "nested_C": [0.01, 1]}


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
    found = (
        linear.fit(patient, vectors, known, SETTINGS)
        .predict(patient, vectors, tested)
        .set_index("patient_id")
    )
    used = patient.isin(known.index).to_numpy()
    model = LogisticRegression(C=1.0, max_iter=1000)
    model.fit(vectors[used], targets.loc[patient[used]])
    for name in tested:
        rows = vectors[(patient == name).to_numpy()]
        expected = model.predict_proba(rows)[:, 1].mean()
        assert found.loc[name, "probability"] == pytest.approx(expected, abs=1e-4)
        assert found.loc[name, "slices"] == len(rows)
    each = pd.Series(model.predict_proba(vectors[used])[:, 1]).groupby(patient[used].to_numpy())
    cut = metrics.youden(known, each.mean()[known.index])
    assert found["threshold"].tolist() == pytest.approx([cut] * 8, abs=1e-4)


@pytest.mark.parametrize("rows", ["slices", "patients"])
@pytest.mark.parametrize("scale", [False, True])
def test_options_predict_what_can_be_predicted(cohort, rows, scale):
    patient, vectors, targets = cohort
    settings = {"C": 1.0, "scale": scale, "rows": rows}
    tested = list(targets.index[:10])
    found = linear.fit(patient, vectors, targets.iloc[10:], settings).predict(
        patient, vectors, tested
    )
    right = (found["probability"] > 0.5).to_numpy() == targets.loc[found["patient_id"]].to_numpy()
    assert right.mean() >= 0.9
    assert found["patient_id"].tolist() == tested
    assert found["slices"].tolist() == [int((patient == name).sum()) for name in tested]


def test_tested_patients_do_not_touch_the_fit(cohort):
    patient, vectors, targets = cohort
    tested, known = list(targets.index[:8]), targets.iloc[8:]
    plain = linear.fit(patient, vectors, known, {**SETTINGS, "scale": True}).predict(
        patient, vectors, tested
    )
    moved = vectors.copy()
    moved[patient.isin(tested[1:]).to_numpy()] += 100
    again = linear.fit(patient, moved, known, {**SETTINGS, "scale": True}).predict(
        patient, moved, tested
    )
    assert plain["probability"].iloc[0] == again["probability"].iloc[0]


def test_cross_validation_writes_each_patient_once(cohort, tmp_path):
    patient, vectors, targets = cohort
    table = pd.DataFrame(vectors, columns=[f"f{i}" for i in range(6)]).assign(patient_id=patient)
    table.to_parquet(tmp_path / "features.parquet")
    people = targets.rename_axis("patient_id").rename("target").reset_index()
    splits.write(splits.stratified(people, 5, 1, 1), tmp_path / "split.csv")
    files = [tmp_path / "features.parquet", tmp_path / "split.csv"]
    outputs = [tmp_path / name for name in ("all.csv", "nested.csv", "beside.csv", "models.json")]
    linear.cross_validate("simclr", 1, *files, [], SETTINGS, *outputs)
    for fold in range(1, 6):
        others = [
            tmp_path / f"{fold}.csv",
            tmp_path / "n.csv",
            tmp_path / "b.csv",
            tmp_path / "m.json",
        ]
        linear.cross_validate("simclr", 1, *files, [fold], SETTINGS, *others)
    whole = pd.read_csv(tmp_path / "all.csv", dtype={"patient_id": "str"})
    parts = [pd.read_csv(tmp_path / f"{k}.csv", dtype={"patient_id": "str"}) for k in range(1, 6)]
    assert tuple(whole.columns) == predictions.COLUMNS[:12]
    assert sorted(whole["patient_id"]) == sorted(targets.index)
    assert whole.equals(pd.concat(parts, ignore_index=True))
    models = linear.load(outputs[3])["linear"]
    assert len(models) == 5
    for model, fold in zip(models, range(1, 6), strict=True):
        own = whole[whole["fold"] == fold]
        again = model.predict(patient, vectors, own["patient_id"]).set_index("patient_id")
        assert again["probability"][own["patient_id"]].to_numpy() == pytest.approx(
            own["probability"].to_numpy(), abs=1e-12
        )
    beside = pd.read_csv(outputs[2], dtype={"patient_id": "str"})
    assert set(beside["protocol"]) == {"linear_scaled"}
    swapped = [tmp_path / name for name in ("scaled.csv", "n.csv", "unscaled.csv", "m.json")]
    linear.cross_validate("simclr", 1, *files, [], {**SETTINGS, "scale": True}, *swapped)
    for one, other, protocol in ((0, beside, "linear"), (2, whole, "linear_unscaled")):
        found = pd.read_csv(swapped[one], dtype={"patient_id": "str"})
        assert found.equals(other.assign(protocol=protocol))


def test_nested_choices_are_made_without_the_tested_patients(cohort):
    patient, vectors, targets = cohort
    training = splits.stratified(
        targets.iloc[8:].rename_axis("patient_id").rename("target").reset_index(), 2, 1, 1
    )
    tested = list(targets.index[:8])
    found = linear.fit_nested(patient, vectors, training, SETTINGS, 3).predict(
        patient, vectors, tested
    )
    moved = vectors.copy()
    moved[patient.isin(tested).to_numpy()] += 100
    again = linear.fit_nested(patient, moved, training, SETTINGS, 3).predict(patient, moved, tested)
    for name in ("C", "inner_auc", "threshold"):
        assert found[name].nunique() == 1
        assert found[name].equals(again[name])
    settings = {**SETTINGS, "C": found["C"].iloc[0]}
    plain = linear.fit(patient, vectors, targets.iloc[8:], settings).predict(
        patient, vectors, tested
    )
    assert found["probability"].equals(plain["probability"])


def test_the_nested_c_is_the_one_that_does_best_on_held_out_patients():
    # eighty features of noise and forty patients: a weak penalty fits the noise
    rng = np.random.default_rng(1)
    ids = [f"{number:04}" for number in range(48)]
    targets = pd.Series([0, 1] * 24, index=ids)
    vectors = rng.normal(size=(48, 80))
    vectors[:, 0] += 2 * targets.to_numpy()
    training = targets.iloc[8:].rename_axis("patient_id").rename("target").reset_index()
    settings = {**SETTINGS, "nested_C": [1e-2, 1e3]}
    inner = splits.stratified(training, 5, 1, 3)
    found = linear.fit_nested(pd.Series(ids), vectors, inner, settings, 3).predict(
        pd.Series(ids), vectors, ids[:8]
    )
    aucs = {}
    for C in settings["nested_C"]:
        said = pd.Series(index=training["patient_id"], dtype=float)
        for _, held_out in splits.stratified(inner, 5, 1, 3).groupby("fold"):
            known = ~training["patient_id"].isin(held_out["patient_id"]).to_numpy()
            model = LogisticRegression(C=C, max_iter=10_000)
            model.fit(vectors[8:][known], training["target"][known])
            said[held_out["patient_id"]] = model.predict_proba(
                vectors[[ids.index(name) for name in held_out["patient_id"]]]
            )[:, 1]
        aucs[C] = metrics.auc(training["target"], said.to_numpy())
    assert found["C"].iloc[0] == max(aucs, key=aucs.get)
    assert found["inner_auc"].iloc[0] == pytest.approx(max(aucs.values()))


def test_nothing_is_chosen_where_a_class_has_one_training_patient(cohort):
    patient, vectors, targets = cohort
    few = targets.iloc[[0, 2, 4, 1]].rename_axis("patient_id").rename("target").reset_index()
    training = few.assign(repeat=1, fold=1)
    found = linear.fit_nested(patient, vectors, training, SETTINGS, 3).predict(
        patient, vectors, list(targets.index[8:])
    )
    assert found["C"].eq(1).all()
    assert found["threshold"].nunique() == 1
    assert found["inner_auc"].isna().all()


def test_by_slice_averages_to_the_probability(cohort):
    patient, vectors, targets = cohort
    found = linear.fit(patient, vectors, targets.iloc[8:], SETTINGS).predict(
        patient, vectors, list(targets.index[:8])
    )
    for row in found.itertuples():
        each = [float(text) for text in row.by_slice.split()]
        assert len(each) == row.slices
        assert np.mean(each) == pytest.approx(row.probability, abs=1e-4)
