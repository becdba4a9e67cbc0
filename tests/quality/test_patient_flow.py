"""The flow of patients: every CT and patient is counted once, and the figure shows the counts."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from hepatoclr.base.errors import UserError
from hepatoclr.quality import patient_flow

STEPS = ["label", "patient", "ingest", "segment", "truncated", "volume"]


def cohort(lines, role="evaluation"):
    """A cohort's table of lines: patient, step (empty if used), target."""
    table = pd.DataFrame(lines, columns=["patient_id", "step", "target"])
    return table.assign(role=role, included=table["step"] == "").astype({"target": "Int64"})


def used(table):
    return set(table.loc[table["included"], "patient_id"])


def random_cohort(seed, role):
    rng = np.random.default_rng(seed)
    size = rng.integers(1, 60)
    patients = [f"{number:03}" for number in rng.integers(0, max(1, size // 2), size)]
    classes = {name: int(rng.integers(0, 2)) for name in patients}
    share = rng.uniform()
    steps = [rng.choice(STEPS) if rng.uniform() < share else "" for _ in patients]
    return cohort([(p, s, classes[p]) for p, s in zip(patients, steps, strict=True)], role)


def counts(table):
    """Step to (cases, patients), of a flow of one cohort."""
    return {row.step: (row.cases, row.patients) for row in table.itertuples()}


def test_each_step_counts_the_cases_lost_there_and_the_patients_lost_for_good():
    lines = [
        ("a", "", 1),
        ("a", "truncated", 1),  # a is used by another CT
        ("b", "", 0),
        ("c", "ingest", 0),
        ("c", "truncated", 0),  # c is lost here, with the last CT
        ("d", "label", None),
        ("e", "volume", 1),
        ("f", "label", 1),
        ("f", "ingest", 1),
    ]
    table = patient_flow.table({"histo": cohort(lines)}, {"linear, repeat 1": {"a", "b"}})
    assert table.columns.tolist() == ["cohort", "role", "step", "cases", "patients"]
    assert counts(table) == {
        "manifest": (9, 6),
        "label": (2, 1),
        "patient": (0, 0),
        "ingest": (2, 1),
        "segment": (0, 0),
        "truncated": (2, 1),
        "volume": (1, 1),
        "used": (2, 2),
        "positive": (1, 1),
        "negative": (1, 1),
        "tables": (2, 2),
    }


@pytest.mark.parametrize("seed", range(60))
def test_numbers_add_up(seed):
    cohorts = {
        name: random_cohort([seed, number], role)
        for number, (name, role) in enumerate((("radio", "pretraining"), ("histo", "evaluation")))
    }
    table = patient_flow.table(cohorts, {"finetune, repeat 1": used(cohorts["histo"])})
    for name, part in table.groupby("cohort"):
        numbers = part.set_index("step")[["cases", "patients"]]
        lost = numbers.loc["manifest":"used"].iloc[1:-1].sum()
        assert (numbers.loc["manifest"] == lost + numbers.loc["used"]).all()
        assert (numbers.loc["used"] == numbers.loc[["positive", "negative"]].sum()).all()
        assert numbers.loc["manifest", "cases"] == len(cohorts[name])
        assert numbers.loc["used", "patients"] == len(used(cohorts[name]))
        assert ("tables" in numbers.index) == (name == "histo")


def test_a_cohort_without_labels_is_counted_as_such():
    table = patient_flow.table(
        {"other": cohort([("a", "", None), ("b", "", None)], "external")}, {}
    )
    assert counts(table)["unlabelled"] == (2, 2)
    assert "tables" not in counts(table)


def test_a_patient_is_unlabelled_if_no_ct_is_labelled():
    lines = [("a", "", None), ("a", "", 1), ("b", "", 0), ("c", "", None), ("c", "", None)]
    found = counts(patient_flow.table({"radio": cohort(lines, "pretraining")}, {}))
    assert found["used"] == (5, 3)
    assert [found[name] for name in ("positive", "negative", "unlabelled")] == [
        *((1, 1), (1, 1), (3, 1))
    ]


@pytest.mark.parametrize(
    ("patients", "message"),
    [
        ({"a"}, r"1 are missing \(b\)\. Run"),
        ({"a", "b", "x"}, r"1 are not used \(x\)\. Run"),
        ({"a", "x"}, r"1 are missing \(b\) and 1 are not used \(x\)\. Run"),
    ],
)
def test_an_evaluation_of_other_patients_is_refused(patients, message):
    histo = cohort([("a", "", 1), ("b", "", 0), ("c", "ingest", 0)])
    good = {"linear, repeat 1": {"a", "b"}}
    assert counts(patient_flow.table({"histo": histo}, good))["tables"] == (2, 2)
    with pytest.raises(UserError, match=f"finetune, repeat 2 .* cohorts/histo.csv: {message}"):
        patient_flow.table({"histo": histo}, {**good, "finetune, repeat 2": patients})


def test_evaluated_patients_are_those_of_all_folds(tmp_path):
    for fold, names in ((1, ["0012", "NA"]), (2, ["7"])):
        table = pd.DataFrame({"protocol": "linear", "repeat": 1, "fold": fold, "patient_id": names})
        table.to_csv(tmp_path / f"{fold}.csv", index=False)
    assert patient_flow.evaluated([tmp_path / "1.csv", tmp_path / "2.csv"]) == {
        "linear, repeat 1": {"0012", "NA", "7"}
    }


def drawn(folder, synthetic=True):
    cohorts = {
        "radio": random_cohort(1, "pretraining"),
        "histo": cohort([("a", "", 1), ("b", "", 0), ("c", "truncated", 0)]),
    }
    table = patient_flow.table(cohorts, {"linear, repeat 1": {"a", "b"}})
    paths = [folder / "flow.svg", folder / "flow.png"]
    figure = patient_flow.draw(table, paths, synthetic=synthetic)
    return paths, [text.get_text() for text in figure.axes[0].texts]


def test_the_figure_shows_the_counts_and_comes_out_the_same(tmp_path):
    first, texts = drawn(tmp_path / "first")
    again, _ = drawn(tmp_path / "again")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
    assert Image.open(first[1]).size > (1200, 600)
    assert "histo (evaluation)" in texts
    assert "In the manifest\n3 CTs of 3 patients" in texts
    assert "Excluded: 1 (1)\n  truncated: 1 (1)" in texts
    assert "Used\n2 CTs of 2 patients\npositive: 1 (1)\nnegative: 1 (1)" in texts
    assert "In the tables\n2 CTs of 2 patients" in texts


@pytest.mark.parametrize("synthetic", [True, False])
def test_a_synthetic_cohort_is_named(synthetic, tmp_path):
    (svg, _), _ = drawn(tmp_path, synthetic)
    assert ("<!-- synthetic cohort -->" in svg.read_text(encoding="utf-8")) == synthetic
