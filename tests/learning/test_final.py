"""Final models: those of all evaluation patients, applied elsewhere without being fitted there."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from hepatoclr.base import files
from hepatoclr.cohorts import cohort_table
from hepatoclr.learning import final_linear, linear
from hepatoclr.stats import predictions

SETTINGS = {"C": 0.7, "scale": True, "rows": "slices", "nested_C": [0.01, 0.1, 1.0]}


@pytest.fixture
def made(tmp_path):
    """Writes features and table of a cohort, and gives their paths."""

    def write(name, patients, seed, role="evaluation", labelled=True):
        rng = np.random.default_rng(seed)
        target = np.arange(patients) % 2
        people = [f"{name}{n}" for n in range(patients)]
        slices = rng.integers(2, 5, patients)
        vectors = rng.normal(size=(slices.sum(), 6)) * 3 + np.repeat(target, slices)[:, None]
        table = pd.DataFrame(vectors, columns=[f"f{n}" for n in range(6)])
        table.insert(0, "patient_id", np.repeat(people, slices))
        features, cohort = tmp_path / f"{name}.parquet", tmp_path / f"{name}.csv"
        table.to_parquet(features)
        rows = pd.DataFrame({"case": people, "patient_id": people, "slices": slices, "role": role})
        rows["target"] = pd.array(target, "Int64") if labelled else pd.NA
        rows = rows.assign(included=True).reindex(columns=cohort_table.COLUMNS)
        rows["flags"] = ""
        rows.loc[0, "flags"] = "thin"
        cohort_table.write(rows, cohort)
        return str(features), str(cohort)

    return write


@pytest.mark.parametrize("changed", [{}, {"scale": False}, {"rows": "patients"}])
def test_a_linear_model_is_the_regression_on_all_patients(made, tmp_path, changed):
    settings = SETTINGS | changed
    features, cohort = made("a", 30, 1)
    final_linear.write_linear("simclr", 3, features, cohort, settings, tmp_path / "model.json")
    (model,) = linear.load(tmp_path / "model.json")["linear"]
    patient, vectors = linear.read(features)
    targets = cohort_table.targets(cohort_table.read(cohort))
    if settings["rows"] == "patients":
        vectors = pd.DataFrame(vectors).groupby(patient, sort=False).mean().to_numpy()
        patient = pd.Series(targets.index)
    x = StandardScaler().fit_transform(vectors) if settings["scale"] else vectors
    fitted = LogisticRegression(C=0.7, max_iter=10_000).fit(x, targets[patient].to_numpy(int))
    odds = pd.Series(fitted.predict_proba(x)[:, 1]).groupby(patient.to_numpy(), sort=False).mean()
    found = model.predict(*linear.read(features)).set_index("patient_id")
    np.testing.assert_allclose(found["probability"], odds, atol=1e-9)
    assert model.threshold == pytest.approx(
        predictions.youden(found.reset_index(), targets.astype(int))
    )
    assert ("by_slice" in found) == (settings["rows"] == "slices")


def test_the_nested_model_chooses_among_all_patients(made, tmp_path):
    features, cohort = made("a", 30, 1)
    final_linear.write_linear("simclr", 3, features, cohort, SETTINGS, tmp_path / "model.json")
    written = files.read_json(tmp_path / "model.json")
    assert (written["patients"], written["positive"], written["seed"]) == (30, 15, 3)
    (nested,) = linear.load(tmp_path / "model.json")["linear_nested"]
    assert nested.C in SETTINGS["nested_C"]
    assert 0.5 < nested.inner_auc < 1


def test_patients_elsewhere_are_predicted_and_nothing_is_fitted_on_them(
    made, tmp_path, monkeypatch
):
    model = tmp_path / "model.json"
    final_linear.write_linear("simclr", 3, *made("a", 30, 1), SETTINGS, model)
    fits = []
    monkeypatch.setattr(LogisticRegression, "fit", lambda *given: fits.append(given))
    features, cohort = made("b", 8, 2, role="external")
    outputs = {name: str(tmp_path / f"{name}.csv") for name in ("linear", "linear_nested")}
    final_linear.apply_linear("simclr", 3, [model], features, cohort, outputs)
    assert not fits
    found = predictions.read_as_written(outputs["linear"])
    expected = linear.load(model)["linear"][0].predict(*linear.read(features))
    assert found["probability"].tolist() == expected["probability"].tolist()
    assert found["label"].tolist() == [0, 1] * 4
    assert found["flags"].fillna("").tolist() == ["thin"] + [""] * 7
    assert set(found["protocol"]) == {"linear"}
    assert found["threshold"].nunique() == 1


def test_models_of_folds_are_averaged(made, tmp_path):
    models = []
    for seed in (1, 2):
        models.append(tmp_path / f"{seed}.json")
        final_linear.write_linear("simclr", 3, *made(f"a{seed}", 30, seed), SETTINGS, models[-1])
    features, cohort = made("b", 8, 2, role="external")
    output = str(tmp_path / "out.csv")
    final_linear.apply_linear("simclr", 3, models, features, cohort, {"linear": output})
    found = predictions.read_as_written(output).set_index("patient_id")
    patient, vectors = linear.read(features)
    weights = [linear.load(path)["linear"][0] for path in models]
    for name in found.index:
        own = vectors[(patient == name).to_numpy()]
        odds = [expit(own @ np.array(one.weights) + one.intercept).mean() for one in weights]
        assert found.loc[name, "probability"] == pytest.approx(np.mean(odds), abs=1e-9)
    assert found["threshold"].iloc[0] == pytest.approx(np.mean([w.threshold for w in weights]))
    assert "by_slice" not in found


def test_without_labels_probabilities_alone_are_written(made, tmp_path):
    final_linear.write_linear("none", 1, *made("a", 30, 1), SETTINGS, tmp_path / "model.json")
    outputs = {name: str(tmp_path / f"{name}.csv") for name in ("linear", "linear_nested")}
    given = made("b", 4, 2, role="external", labelled=False)
    final_linear.apply_linear("none", 1, [tmp_path / "model.json"], *given, outputs)
    found = predictions.read_as_written(outputs["linear_nested"])
    assert (found["label"] == "").all()
    assert found["probability"].between(0, 1).all()


def test_the_beta_of_the_highest_inner_auc_is_taken(tmp_path):
    models, paths = {}, {}
    for beta, auc in ((0.0, 0.7), (0.5, 0.9), (1.0, 0.9)):
        one = linear.Model([1.0], 0.0, "slices", 1.0, 0.5, auc)
        models[beta] = tmp_path / f"{beta}.json"
        linear.write({"linear": [one], "linear_nested": [one]}, {}, models[beta])
        paths[beta] = tmp_path / f"{beta}.csv"
        table = pd.DataFrame({"patient_id": ["p"], "probability": [beta], "encoder": ["x"]})
        table.to_csv(paths[beta], index=False)
    final_linear.pick_beta(models, {"finetune": paths}, {"finetune": tmp_path / "out.csv"})
    (found,) = predictions.read_as_written(tmp_path / "out.csv").to_dict("records")
    assert found == {
        "patient_id": "p",
        "probability": 0.5,
        "encoder": "weak_simclr-nested",
        "beta": 0.5,
    }
