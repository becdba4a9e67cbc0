"""The pipeline finds what is there, and nothing where nothing is."""

import numpy as np
import pandas as pd
import pytest
import yaml
from tiny_project import ROOT, Project

from hepatoclr.base import settings
from hepatoclr.cohorts import assemble, cohort_table, manifests, messages, splits
from hepatoclr.learning import linear
from hepatoclr.simulation import simulate
from hepatoclr.stats import baselines, comparison_tests, predictions

RUN = "results/control-signal"
LINEAR = [f"{RUN}/predictions/linear/{encoder}/seed1/repeat1.csv" for encoder in ("none", "simclr")]


def intervals(project, level=0.95):
    """Protocol and encoder to the AUC's interval."""
    found = {}
    for path in sorted((project.folder / RUN / "predictions").rglob("repeat1.csv")):
        table = predictions.read_as_written(path)
        scores = table["probability"].to_numpy()[None, None]
        (auc,), covariance = comparison_tests.delong(table["label"].to_numpy(), scores)
        key = table["protocol"].iloc[0], table["encoder"].iloc[0]
        found[key] = (auc, *comparison_tests.auc_interval(auc, covariance[0, 0], level))
    return pd.DataFrame(found, index=["auc", "low", "high"]).T


@pytest.fixture(scope="module")
def controls(tmp_path_factory):
    """Both controls, the second in the folder of the first, to simulate and pretrain once."""
    project = Project(tmp_path_factory.mktemp("controls"))
    project.snakemake("--cores", "2", *LINEAR, preset="control-signal")
    project.honest = cohort_table.read(project.folder / RUN / "cohorts/histo.csv")
    project.signal = intervals(project)
    permuted = {"preset": "control-permuted", "run": "control-signal"}
    project.printed = project.snakemake("--cores", "2", f"{RUN}/tables/table1.csv", **permuted)
    project.permuted = cohort_table.read(project.folder / RUN / "cohorts/histo.csv")
    project.chance = intervals(project)
    project.chance_of_all = intervals(project, 1 - 0.05 / len(project.chance))
    return project


def test_the_two_presets_differ_in_the_permutation_alone():
    schema = yaml.safe_load((ROOT / "rules/config.schema.yaml").read_text())
    signal, permuted = (
        settings.resolve({"preset": f"control-{name}"}, schema, ROOT / "presets")
        for name in ("signal", "permuted")
    )
    assert permuted.pop("run") == "control-permuted"
    assert permuted["evaluation"].pop("permute")
    assert not signal["evaluation"].pop("permute")
    assert signal.pop("run") == "control-signal"
    assert {**signal, "preset": ""} == {**permuted, "preset": ""}


def test_an_obvious_disease_is_found(controls):
    assert controls.signal["low"].max() > 0.8
    assert controls.signal.loc[("linear", "simclr"), "auc"] > 0.8


def test_permuted_labels_are_chance_for_every_encoder_and_protocol(controls):
    assert len(controls.chance) == 8
    assert (controls.chance["low"] < 0.5).all(), controls.chance
    # without a signal pooled folds lean below: what a fold tests its training lacks
    assert (controls.chance["high"] > 0.5).mean() > 0.5, controls.chance
    assert (controls.chance_of_all["high"] > 0.5).all(), controls.chance_of_all


def test_permuting_happens_before_the_splits_and_pretrains_nothing(controls):
    pretraining = list((controls.folder / RUN / "logs/pretrain").rglob("*.log"))
    assert pretraining
    assert all("nothing to do" in log.read_text() for log in pretraining)
    assert "rule splits:" in controls.printed
    targets = controls.permuted.set_index("patient_id")["target"]
    assert (targets != controls.honest.set_index("patient_id")["target"]).any()
    assert controls.permuted["label"].equals(controls.honest["label"])
    assert (controls.permuted["remarks"] == messages.PERMUTED).all()
    split = splits.read(controls.folder / RUN / "splits/repeat1.csv")
    found = predictions.read_as_written(controls.folder / LINEAR[0])
    for patient, target in split[["patient_id", "target"]].to_numpy():
        assert target == targets[patient]
    assert (found.set_index("patient_id")["label"] == targets[found["patient_id"]]).all()


def test_over_many_permutations_nothing_is_learnt(controls):
    """One draw may agree with the true labels by chance; the mean of many cannot."""
    patient, vectors = linear.read(controls.folder / RUN / "features/histo/none/seed1.parquet")
    aucs = []
    for seed in range(1, 11):
        people = cohort_table.patients(assemble.permuted(controls.honest, seed))
        split = splits.stratified(people, 5, 1, seed)
        targets = split.set_index("patient_id")["target"].astype(int)
        fixed = {"C": 1, "scale": False, "rows": "patients"}
        parts = [
            linear.fit(patient, vectors, targets.drop(tested), fixed).predict(
                patient, vectors, tested
            )
            for tested in (split.loc[split["fold"] == fold, "patient_id"] for fold in range(1, 6))
        ]
        found = pd.concat(parts).set_index("patient_id")["probability"]
        scores = found[targets.index].to_numpy()[None, None]
        aucs.append(comparison_tests.delong(targets.to_numpy(), scores)[0].item())
    error = np.std(aucs, ddof=1) / np.sqrt(len(aucs))
    assert np.mean(aucs) < 0.5 + 2 * error


def site_baseline(seed, confounding):
    """What the site alone says of F3-F4 in a simulated cohort without any sign of fibrosis."""
    stages = [0.09, 0.085, 0.09, 0.3, 0.435]
    drawn = simulate.cohort(
        *("histo", 106, stages, "histology"),
        **{"labelled": 1, "confounding": confounding, "confusion": {}, "reader_noise": 1},
        **{"effect": 0, "seed": seed, "hospital": "own"},
    )
    rows = manifests.rows(enumerate(drawn, 2), "data/histo.csv")
    found = pd.DataFrame({"case": [row.case for row in rows], "site": [row.site for row in rows]})
    found = found.assign(patient_id=found["case"], included=True, scanner="")
    found["target"] = [int(one["stage"] >= 3) for one in drawn]
    found[list(baselines.NUMBERS.values())] = 0.0
    dealt = [splits.stratified(cohort_table.patients(found), 5, 1, seed)]
    site = {"site": baselines.known(found, rows)["site"]}
    return baselines.table(site, found, dealt).iloc[0]


def test_an_effect_planted_in_the_site_alone_is_exposed():
    found = [site_baseline(seed, confounding=0.6) for seed in range(1, 21)]
    assert sum(row["p_holm"] < 0.05 for row in found) >= 19


def test_a_site_that_says_nothing_is_not_accused():
    found = [site_baseline(seed, confounding=0.0) for seed in range(1, 21)]
    assert sum(row["p_holm"] < 0.05 for row in found) <= 2
    assert np.mean([row["auc"] for row in found]) < 0.55
