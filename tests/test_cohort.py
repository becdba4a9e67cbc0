from pathlib import Path

import pytest

from hepatoclr import cases, cohort, files, manifests, slices
from hepatoclr.errors import BadCase, UserError

LABELS = {"positive": ["F3"], "negative": ["F0"], "exclude": ["?"]}


def row(number, label, **more):
    record = {"patient_id": f"{number:04}", "image": "ct.nii.gz", "label": label, **more}
    return manifests.row(record, Path("data"), number)


@pytest.fixture
def table():
    rows = [row(1, "F0"), row(2, "F3"), row(3, "?"), row(4, "F0"), row(5, "F3", scan_id="b")]
    facts = [{"volume_ml": 1500.5, "warnings": ["w"]}] * 4 + [{"set_aside": "no liver, alas"}]
    return cohort.table(rows, "evaluation", LABELS, ["0004"], facts, [9, 8, 7, 6, 0])


def test_every_case_is_there_used_or_why_not(table):
    assert table["included"].tolist() == [True, True, False, False, False]
    assert table["target"].fillna(-1).tolist() == [0, 1, -1, 0, 1]
    assert table["reason"].tolist() == [
        "",
        "",
        "label ? is excluded by the configuration",
        "patient is excluded by the configuration",
        "no liver, alas",
    ]
    assert table["case"].iloc[4] == "0005~b"


def test_round_trip_keeps_text_as_text(table, tmp_path):
    cohort.write(table, tmp_path / "histo.csv")
    again = cohort.read(tmp_path / "histo.csv")
    assert again["patient_id"].tolist() == [f"{number:04}" for number in range(1, 6)]
    assert again["included"].dtype == bool
    assert cohort.patients(again)["patient_id"].tolist() == ["0001", "0002"]


def test_nobody_left(table):
    with pytest.raises(UserError, match="no case of the cohort could be used"):
        cohort.patients(table.assign(included=False))


def test_stop_names_the_cases(tmp_path):
    files.write_json({"set_aside": "no liver"}, tmp_path / "1.json")
    slices.write([], tmp_path / "1.csv")
    given = [[row(1, "F0")], [tmp_path / "1.json"], [tmp_path / "1.csv"]]
    rest = {"role": "evaluation", "labels": LABELS, "exclude": []}
    assert not cohort.assemble(*given, on_bad_case="exclude", **rest)["included"].any()
    with pytest.raises(UserError, match="1 cases were set aside .* 0001"):
        cohort.assemble(*given, on_bad_case="stop", **rest)


def test_a_bad_case_leaves_empty_outputs_and_its_reason(tmp_path):
    output, facts = tmp_path / "x.nii.gz", tmp_path / "x.json"
    with cases.guarded("histo 1", [output], facts, "exclude"):
        raise BadCase("the liver mask is empty")
    assert output.read_bytes() == b""
    assert not cases.usable(facts)
    with pytest.raises(BadCase, match="the liver mask is empty"):
        cases.require(facts)


def test_a_bad_case_can_stop_the_run(tmp_path):
    with (
        pytest.raises(UserError, match="case histo 1: the liver mask is empty"),
        cases.guarded("histo 1", [tmp_path / "x"], tmp_path / "x.json", "stop"),
    ):
        raise BadCase("the liver mask is empty")
    assert not list(tmp_path.iterdir())
