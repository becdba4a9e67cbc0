"""External cohorts: final models, evaluated beside the own cohort, and nothing trained for them."""

import csv
import json

import pandas as pd
import pytest
from tiny_project import result

from hepatoclr import verify
from hepatoclr.prediction import by_hand

LABELS = "labels: {positive: [F3, F4], negative: [F0, F1, F2]}"
SIMULATED = "simulate: {patients: %d, reader: histology, stages: [0.2, 0.2, 0.2, 0.2, 0.2]}"
LABELLED = ("north", "south", "west")
HOSPITALS = ", ".join(
    [f"{name}: {{role: external, {SIMULATED % 5}, {LABELS}}}" for name in LABELLED]
    + [f"unread: {{role: external, {SIMULATED % 1}}}"]
)
BUNDLES = ("linear/weak_simclr-0.5", "linear_nested/simclr", "finetune/none")
IMAGES = ("north-0001/ct.nii.gz", "north-0002/dicom", "north-0003/dicom.zip")


@pytest.fixture(scope="module")
def hospitals(finished, tmp_path_factory):
    """The finished project, and four hospitals."""
    made = finished.copied(tmp_path_factory.mktemp("hospitals") / "copy")
    made.jobs, _ = made.plan(cohorts=f"{{{HOSPITALS}}}")
    bundles = [f"results/tiny/bundles/{name}.zip" for name in BUNDLES]
    made.snakemake("--cores", "2", "all", *bundles, cohorts=f"{{{HOSPITALS}}}")
    return made


def test_hospitals_pretrain_and_cross_validate_nothing(hospitals):
    assert not {"pretrain", "finetune", "linear", "splits", "leakage"} & set(hospitals.jobs)
    assert hospitals.jobs["final_finetune"] == hospitals.jobs["final_linear"] == 5


def test_each_hospital_has_its_rows_beside_the_own_cohort(hospitals):
    table = pd.read_csv(result(hospitals, "tables/external.csv"), keep_default_na=False)
    by_cohort = table.groupby("cohort")
    assert set(by_cohort.groups) == {*LABELLED, "unread"}
    for name in LABELLED:
        rows = by_cohort.get_group(name)
        assert set(rows["protocol"]) == {"linear", "linear_nested", "finetune"}
        assert {"none", "weak_simclr-0.5", "weak_simclr-nested"} <= set(rows["encoder"])
        assert rows["note"].str.contains("fewer than 10 patients").all()
        assert (rows[["low", "high", "drop_low", "drop_high", "brier_low"]] == "").all(axis=None)
    (unread,) = by_cohort.get_group("unread").to_dict("records")
    assert unread["note"] == "no patient has a label: there are probabilities only"
    inside = pd.read_csv(result(hospitals, "tables/table1.csv"), keep_default_na=False)
    inside = inside.set_index(["method", "protocol"])["auc_mean"]
    own = table[(table["cohort"] == "north") & (table["protocol"] == "linear")]
    own = own.set_index("encoder")["inside"].astype(float)
    assert own["simclr"] == pytest.approx(float(inside["simclr", "linear"]))


def test_the_report_and_the_manuscript_say_what_became_of_it(hospitals):
    page = result(hospitals, "report.html").read_text()
    assert "External validation" in page
    assert "In north, 5 patients." in page
    assert "In unread: no patient has a label" in page
    text = result(hospitals, "manuscript/results.md").read_text()
    assert "In north (5 patients" in text
    methods = result(hospitals, "manuscript/methods.md").read_text()
    assert "on no patient of an external cohort" in methods


def test_the_record_holds_models_and_predictions(hospitals):
    record = json.loads(result(hospitals, "provenance.json").read_text())
    files = record["files"]["external"]
    assert "predictions/external/north/finetune/simclr/seed1.csv" in files
    assert "tables/external.csv" in record["files"]["tables"]
    assert "models/finetune/simclr/seed1.safetensors" in record["files"]["models"]


@pytest.mark.parametrize("bundle", BUNDLES)
def test_a_bundle_says_of_a_ct_what_the_run_says_to_the_last_bit(hospitals, tmp_path, bundle):
    with open(result(hospitals, f"predictions/external/north/{bundle}/seed1.csv")) as file:
        by_run = {row["patient_id"]: float(row["probability"]) for row in csv.DictReader(file)}
    simulated = result(hospitals, "simulated/north")
    masks = [(simulated / image).parent / "liver.nii.gz" for image in IMAGES]
    names = [mask.parent.name for mask in masks]
    images = [simulated / image for image in IMAGES]
    found = by_hand.run(
        result(hospitals, f"bundles/{bundle}.zip"), images, tmp_path, names, livers=masks
    )
    assert {one["case"]: one["probability"] for one in found} == {
        name: by_run[name] for name in names
    }
    for name in names:
        written = json.loads((tmp_path / f"{name}.json").read_text())
        assert written["class"] in {"F3-F4", "F0-F2"}
        assert written["set"] in {"F3-F4", "F0-F2", "cannot tell"}
        page = (tmp_path / f"{name}.html").read_text()
        assert "For research only" in page
        assert "diagnos" not in page.lower()
        assert (tmp_path / f"{name}.png").stat().st_size > 10_000


def test_a_bundle_is_equal_when_it_is_made_again_and_verified(hospitals):
    path = f"results/tiny/bundles/{BUNDLES[0]}.zip"
    before = (hospitals.folder / path).read_bytes()
    given = ("--cores", "2", "--force", path)
    hospitals.snakemake(*given, cohorts=f"{{{HOSPITALS}}}")
    assert (hospitals.folder / path).read_bytes() == before
    lines, problems = verify.bundle(hospitals.folder / path)
    assert problems == []
    assert "tiny-weak_simclr-0.5-linear" in lines[1]


def test_the_table_of_hospitals_is_computed_again_from_the_predictions(hospitals):
    lines, problems = verify.run(result(hospitals, ""))
    assert problems == []
    table = result(hospitals, "tables/external.csv")
    written = table.read_text()
    table.write_text(written.replace("north,linear,none,5", "north,linear,none,6"))
    _, problems = verify.run(result(hospitals, ""))
    table.write_text(written)
    assert any("tables/external.csv: the table is not what" in one for one in problems)


def test_a_run_with_a_bundle_predicts_and_trains_nothing(hospitals):
    bundle = f"results/tiny/bundles/{BUNDLES[0]}.zip"
    config = {"preset": "paper", "run": "applied", "bundle": f"{{apply: {bundle}}}"}
    config["simulate"] = "{matrix: 48, slice_mm: 12}"
    config["cohorts"] = f"{{north: {{role: external, {SIMULATED % 5}, {LABELS}}}}}"
    jobs, _ = hospitals.plan(**config)
    assert jobs["predict"] == 1
    assert not {"pretrain", "features", "splits", "report"} & set(jobs)
    hospitals.snakemake("--cores", "2", **config)
    with open(hospitals.folder / "results/applied/answers/north.csv") as file:
        found = {row["patient_id"]: row["probability"] for row in csv.DictReader(file)}
    with open(result(hospitals, f"predictions/external/north/{BUNDLES[0]}/seed1.csv")) as file:
        assert found == {row["patient_id"]: row["probability"] for row in csv.DictReader(file)}


def test_a_bundle_predicts_external_cohorts_alone(hospitals):
    bundle = f"{{apply: results/tiny/bundles/{BUNDLES[0]}.zip}}"
    text = hospitals.snakemake("-n", bundle=bundle, check=False)
    assert "cohorts.radio: where bundle.apply predicts, the role is external" in text
    text = hospitals.snakemake("-n", bundle="{apply: gone.zip}", check=False)
    assert "gone.zip: there is no such file" in text


def test_a_patient_of_two_hospitals_stops_before_any_prediction(project):
    copied = f"{{again: {{role: external, {SIMULATED % 1}, {LABELS}}}}}"
    project.snakemake("--cores", "2", "results/tiny/cohorts/again.csv", cohorts=copied)
    path = result(project, "cohorts/again.csv")
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    own = pd.read_csv(result(project, "cohorts/histo.csv"), dtype=str, keep_default_na=False)
    table["pixel_sha256"] = own["pixel_sha256"].iloc[0]
    table.to_csv(path, index=False)
    wanted = "results/tiny/predictions/external/again/linear/none/seed1.csv"
    given = ("--cores", "2", "--rerun-triggers=input", wanted)
    text = project.snakemake(*given, cohorts=copied, check=False)
    assert "The same image stands under several patients" in text
    assert not result(project, "predictions/external/again/linear/none/seed1.csv").exists()
