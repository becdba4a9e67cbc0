"""Exclusions that leave too few patients of a class stop before any training, by name."""

import pandas as pd
import pytest
from tiny_project import result

from hepatoclr.base.errors import UserError
from hepatoclr.cohorts import classes, cohort_table, splits


@pytest.fixture
def written(tmp_path):
    """Writes the table of a cohort, from target, step and, if it is not another, patient."""

    def write(name, *cases):
        rows = [
            {
                "case": f"c{n}",
                "patient_id": (patient or [f"p{n}"])[0],
                "target": target,
                "step": step,
            }
            for n, (target, step, *patient) in enumerate(cases)
        ]
        table = pd.DataFrame(rows).assign(slices=9, role="pretraining")
        table["included"] = table["step"] == ""
        path = tmp_path / f"{name}.csv"
        cohort_table.write(table.reindex(columns=cohort_table.COLUMNS), path)
        return path

    return write


def problems(tables, least):
    with pytest.raises(UserError) as error:
        classes.check(tables, least)
    return str(error.value).splitlines()[1:]


def test_both_classes_in_every_cohort_pass(written):
    used = [(0, ""), (1, ""), (1, "truncated"), (None, "label")]
    classes.check([written("a", *used), written("b", *used)], 1)


def test_cohort_class_cause_and_table_are_named(written):
    gone = [(1, "truncated"), (1, "truncated"), (1, "ingest"), (0, "")]
    fine, one = written("fine", (0, ""), (1, "")), written("one", *gone)
    assert problems([fine, one], 1) == [
        "  - cohort one: patients of the positive class left: 0, needed: 1; CTs of it that were "
        f"excluded: truncated 2, ingest 1. Why, {one} says of each; correct some, or change "
        "checks, labels or evaluation.folds"
    ]


def test_an_emptied_cohort_lacks_both_classes(written):
    found = problems([written("empty", (0, "ingest"), (1, "segment"))], 1)
    assert [" positive class left: 0" in found[0], " negative class left: 0" in found[1]] == [
        True
    ] * 2


def test_only_labelled_patients_count(written):
    unread = [(None, ""), (None, "truncated"), (None, "")]
    classes.check([written("a", (0, ""), (1, ""), *unread), written("unread", *unread)], 1)
    (line,) = problems([written("b", (0, ""), (1, "volume"), *unread)], 1)
    assert "cohort b: patients of the positive class left: 0, needed: 1" in line


def test_patients_are_counted_not_scans(written):
    two = written("two", (1, "", "x"), (1, "", "x"), (1, "volume", "y"), (0, ""), (0, ""))
    assert ["positive class left: 1, needed: 2" in line for line in problems([two], 2)] == [True]


@pytest.mark.parametrize(
    ("scheme", "least"), [("stratified", 5), ("site", 2), ("leave-one-out", 2)]
)
def test_a_scheme_needs_patients_in_training_and_test(scheme, least):
    assert splits.least_patients(scheme, 5) == least


def test_a_site_whose_others_are_of_one_class_is_named():
    people = pd.DataFrame({"patient_id": list("abcd"), "target": [1, 1, 0, 0]})
    people["sites"] = [["North"], ["North"], ["South"], ["North"]]
    with pytest.raises(UserError, match="without site North .* why cases were excluded"):
        splits.make_splits(people, "site", 5, 1, 1)


# --- through the workflow --------------------------------------------------------------------


def test_one_class_left_stops_before_any_training_and_the_rest_is_made(project):
    page = result(project, "qc/radio.html")
    page.unlink()
    wanted = [
        "results/tiny/encoders/simclr/seed1/encoder.safetensors",
        "results/tiny/qc/radio.html",
    ]
    listed = cohort_table.read(result(project, "cohorts/radio.csv"))
    volume = listed.loc[listed["target"] == 0, "liver_ml"].iloc[0]
    small = f"{{radio: {{checks: {{exclude: [volume], liver_ml: [{volume - 1}, {volume + 1}]}}}}}}"
    text = project.snakemake("--cores", "2", *wanted, check=False, cohorts=small)
    assert "cohort radio: patients of the positive class left: 0, needed: 1; CTs of it that" in text
    lost = (listed["target"] == 1).sum()
    assert f"excluded: volume {lost}. Why, results/tiny/cohorts/radio.csv says of each" in text
    assert "Pretraining" not in text
    assert "Traceback" not in text
    assert "volume" in page.read_text()


def test_an_emptied_external_cohort_stops_nothing_and_plans_no_training(project):
    empty = "checks: {exclude: [volume], liver_ml: [1, 2]}"
    labels = "labels: {positive: [F3, F4], negative: [F0, F1, F2]}"
    external = (
        f"{{role: external, simulate: {{patients: 1, reader: histology}}, {labels}, {empty}}}"
    )
    jobs, _ = project.plan(cohorts=f"{{other: {external}}}")
    trained = {"splits", "leakage", "pretrain", "finetune", "learning_curve", "linear", "tables"}
    assert jobs["external_linear"]
    assert not trained & set(jobs)
    wanted = "predictions/external/other/linear/none/seed1.csv"
    project.snakemake("--cores", "2", f"results/tiny/{wanted}", cohorts=f"{{other: {external}}}")
    assert pd.read_csv(result(project, wanted)).empty
    found = cohort_table.read(result(project, "cohorts/other.csv"))
    assert found["step"].tolist() == ["volume"]
