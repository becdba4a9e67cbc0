"""Leaks stop a run; honest cohorts pass; the order and names of files tell nothing."""

from pathlib import Path

import pandas as pd
import pytest
from example_clinic import POSITIVE, clinic
from tiny_project import result

from hepatoclr.base.errors import UserError
from hepatoclr.cohorts import cohort_table, leakage, splits

COLUMNS = {"role": "evaluation", "included": True, "site": "", "pixel_sha256": ""}


def table(ids, **columns):
    """A cohort's table, as far as it is looked at."""
    found = pd.DataFrame({"case": ids, "patient_id": ids}).assign(**COLUMNS)
    found["pixel_sha256"] = [f"image of {name}" for name in ids]
    found["target"] = [number % 2 for number in range(len(ids))]
    return found.assign(**columns)


@pytest.fixture
def cohorts():
    return {
        "radio": table(["r1", "r2", "r3"], role="pretraining"),
        "histo": table([f"h{number}" for number in range(8)]),
    }


@pytest.fixture
def repeats(cohorts):
    people = cohort_table.patients(cohorts["histo"])
    return {f"repeat{repeat}": splits.stratified(people, 2, repeat, 1) for repeat in (1, 2)}


def leaks(cohorts, repeats):
    return leakage.table(cohorts, repeats)[1]


def test_honest_cohorts_and_splits_pass(cohorts, repeats, tmp_path):
    found, wrong = leakage.table(cohorts, repeats)
    assert not wrong
    assert set(found["result"]) == {"ok"}
    assert found["found"].eq(0).all()
    assert found["looked_at"].tolist() == [11, 11, 16, 16, 16, 11]
    leakage.run(cohorts, repeats, tmp_path / "leakage.csv")
    assert len(pd.read_csv(tmp_path / "leakage.csv")) == 6


@pytest.mark.parametrize("scheme", splits.SCHEMES)
def test_every_scheme_passes(cohorts, scheme):
    cohorts["histo"]["site"] = ["a", "a", "b", "b"] * 2
    people = cohort_table.patients(cohorts["histo"])
    assert not leaks(cohorts, {"repeat1": splits.make_splits(people, scheme, 2, 1, 1)})


def test_one_image_under_two_patients_is_a_leak_within_and_across_cohorts(cohorts, repeats):
    cohorts["histo"].loc[1, "pixel_sha256"] = "image of h0"
    cohorts["radio"].loc[2, "pixel_sha256"] = "image of h5"
    assert leaks(cohorts, repeats) == [
        "The same image stands under several patients, h0 (case h0 of histo) and h1 (case h1 of "
        "histo): correct the manifest, or exclude all but one of them (cohorts.histo.exclude).",
        "The same image stands under several patients, r3 (case r3 of radio) and h5 (case h5 of "
        "histo): correct the manifest, or exclude all but one of them (cohorts.histo.exclude or "
        "cohorts.radio.exclude).",
    ]
    cohorts["histo"].loc[[1, 5], "included"] = False
    assert "image" not in " ".join(leaks(cohorts, {}))


def test_two_cts_of_one_patient_are_no_leak(cohorts, repeats):
    more = cohorts["histo"].iloc[[0]].assign(case="h0~b")
    cohorts["histo"] = pd.concat([cohorts["histo"], more], ignore_index=True)
    assert not leaks(cohorts, repeats)


def test_a_patient_in_cohorts_of_different_roles_is_a_leak(cohorts, repeats):
    cohorts["radio"].loc[0, "patient_id"] = "h3"
    assert leaks(cohorts, repeats) == [
        "Patient h3 is in h3 (case r1 of radio) and h3 (case h3 of histo), cohorts of different "
        "roles: exclude the patient from all but one (cohorts.histo.exclude or "
        "cohorts.radio.exclude)."
    ]
    cohorts["more"] = cohorts["radio"].iloc[[1]].assign(pixel_sha256="another image")
    cohorts["radio"].loc[0, "included"] = False
    assert not leaks(cohorts, repeats)


def test_a_split_that_was_tampered_with_is_a_leak(cohorts, repeats):
    split = repeats["repeat1"]
    again = split.iloc[[0]].assign(fold=3 - split["fold"].iloc[0])
    twice = pd.concat([split, again], ignore_index=True)
    assert leaks(cohorts, {"repeat1": twice}) == [
        "In splits/repeat1.csv patient h0 stands 2 times: remove the file and run again.",
        *(
            f"In splits/repeat1.csv patient h0 is trained on and tested in fold {fold}: remove "
            "the file and run again."
            for fold in (1, 2)
        ),
    ]
    other = split.replace({"patient_id": {"h1": "r1"}})
    other["target"] = other["target"].mask(other["patient_id"] == "h2", 1 - other["target"])
    found = " ".join(leaks(cohorts, {"repeat2": other}))
    assert "In splits/repeat2.csv patient r1 is not a used patient of the cohort" in found
    assert "patient h1 is missing" in found
    assert "patient h2 has target 1, not 0" in found


def test_all_leaks_are_told_at_once_and_nothing_is_written(cohorts, repeats, tmp_path):
    cohorts["histo"].loc[1, "pixel_sha256"] = "image of h0"
    cohorts["radio"].loc[0, "patient_id"] = "h3"
    with pytest.raises(UserError, match="the checks for leakage found 2 problems"):
        leakage.run(cohorts, repeats, tmp_path / "leakage.csv")
    assert not list(tmp_path.iterdir())


def test_ids_that_are_alike_are_a_warning(cohorts, repeats, tmp_path, caplog):
    cohorts["radio"].loc[0, "patient_id"] = "H 03"
    found, wrong = leakage.table(cohorts, repeats)
    assert not wrong
    assert found["result"].tolist()[-1] == "warning"
    details = found["details"].iloc[-1]
    assert "The ids of H 03 (case r1 of radio) and h3 (case h3 of histo) are alike" in details
    leakage.run(cohorts, repeats, tmp_path / "leakage.csv")
    assert "are alike" in caplog.text


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("P-007", "p 7", True),
        ("0012", "12", True),
        ("000", "0", True),
        ("1-23", "12-3", False),
        ("100", "10", False),
        ("a1", "b1", False),
    ],
)
def test_what_is_alike(one, other, alike):
    assert (leakage.normalised(one) == leakage.normalised(other)) == alike


# --- through the workflow --------------------------------------------------------------------


def test_order_and_names_of_files_that_tell_the_label_change_nothing(project):
    files = [
        "splits/repeat1.csv",
        *(f"predictions/{kind}/simclr/seed1/repeat1.csv" for kind in ("linear", "finetune")),
        *(f"predictions/{kind}/none/seed1/repeat1.csv" for kind in ("linear_nested", "finetune")),
    ]
    config = clinic(project)
    wanted = [f"results/clinic/{file}" for file in (*files, "tables/baselines.csv")]
    project.snakemake("--cores", "2", *wanted, **config)
    for file in files:
        renamed = project.folder / "results/clinic" / file
        assert renamed.read_bytes() == result(project, file).read_bytes(), file
    told = pd.read_csv(project.folder / "results/clinic/tables/baselines.csv", index_col=0)
    assert told.loc["folder", "values"] == told.loc["scanner", "values"] == 2
    assert told.loc["folder", "auc"] == told.loc["all", "auc"] == 1
    names = {path.name for path in Path(project.folder / "results/clinic").rglob("*")}
    assert "cirrhosis" not in " ".join(names) + told.to_csv()


def test_one_image_under_two_patients_stops_the_run_before_any_training(project):
    def double(name, table):
        if name == "radio":
            return table
        again = table.iloc[[0]].assign(patient_id="somebody else")
        return pd.concat([table, again])

    config = clinic(project, double)
    wanted = "results/clinic/predictions/linear/simclr/seed1/repeat1.csv"
    text = project.snakemake("--cores", "2", wanted, check=False, **config)
    assert "the checks for leakage found one problem" in text
    assert "The same image stands under several patients, histo-0004 (case histo-0004 of" in text
    assert "somebody else (case somebody_20else of histo): correct the manifest" in text
    assert "exclude all but one of them (cohorts.histo.exclude)" in text
    assert "Pretraining" not in text
    assert "Traceback" not in text
    assert not (project.folder / wanted).exists()
    left_out = "{histo: {exclude: [somebody else]}}"
    jobs, _ = project.plan(**config, cohorts=left_out)
    assert jobs["leakage"] == 1
    project.snakemake("--cores", "2", wanted, **config, cohorts=left_out)
    assert (project.folder / wanted).exists()


def test_a_patient_on_both_sides_of_a_split_stops_the_evaluation(project):
    file = result(project, "splits/repeat1.csv")
    split = splits.read(file)
    again = split.iloc[[0]].assign(fold=3 - split["fold"].iloc[0])
    splits.write(pd.concat([split, again]), file)
    text = project.snakemake("--cores", "2", check=False)
    patient = split["patient_id"].iloc[0]
    assert f"patient {patient} stands 2 times: remove the file and run again" in text
    assert f"patient {patient} is trained on and tested in fold 1" in text
    assert "rule linear:" not in text
    assert "Fine-tuning" not in text
    assert not result(project, "tables/leakage.csv").exists()
    file.unlink()
    result(project, "predictions/linear/simclr/seed1/repeat1.csv").unlink()
    jobs, _ = project.plan()
    assert jobs["splits"] == jobs["leakage"] == 1
    assert jobs["linear"] == 5


def test_another_endpoint_is_a_setting_and_pretrains_nothing(project):
    labels = {"cohorts": "{histo: {labels: {positive: [F2, F3, F4], negative: [F0, F1]}}}"}
    jobs, _ = project.plan(**labels)
    assert jobs["cohort"] == jobs["splits"] == jobs["leakage"] == 1
    assert jobs["linear"] == jobs["finetune"] == 5
    assert not set(jobs) & {"simulate", "ingest", "segment", "slices", "tensors", "random_encoder"}
    weights = result(project, "encoders/simclr/seed1/encoder.safetensors")
    before = weights.read_bytes()
    wanted = "results/tiny/predictions/linear/simclr/seed1/repeat1.csv"
    project.snakemake("--cores", "2", wanted, **labels)
    assert "nothing to do" in result(project, "logs/pretrain/simclr/seed1.log").read_text()
    assert weights.read_bytes() == before
    found = pd.read_csv(project.folder / wanted).set_index("patient_id")["label"]
    stage = cohort_table.read(result(project, "cohorts/histo.csv")).set_index("patient_id")["label"]
    assert found.to_dict() == stage.isin(["F2", "F3", "F4"]).astype(int).to_dict()


def test_folds_by_site_test_each_site_by_models_of_the_others(project):
    def with_sites(name, table):
        if name == "radio":
            return table
        place = table.groupby(table["label"].isin(POSITIVE[name])).cumcount()
        return table.assign(site=place.mod(2).map({0: "North", 1: "South"}))

    config = clinic(project, with_sites) | {"evaluation": "{scheme: site}"}
    wanted = "results/clinic/predictions/linear/none/seed1/repeat1.csv"
    project.snakemake("--cores", "2", wanted, **config)
    cohort = pd.read_csv(project.folder / "results/clinic/cohorts/histo.csv", dtype=str)
    site = cohort.set_index("patient_id")["site"]
    found = pd.read_csv(project.folder / wanted, dtype=str)
    folds = found.groupby("fold")["patient_id"].apply(lambda ids: set(site[ids]))
    assert folds.tolist() == [{"North"}, {"South"}]
