from pathlib import Path

import pytest

from hepatoclr.base import files
from hepatoclr.base.errors import UserError
from hepatoclr.cohorts import assemble, cohort_table, manifests, messages
from hepatoclr.imaging import slices

LABELS = {"positive": ["F3"], "negative": ["F0"], "exclude": ["?"]}
LIMITS = {
    "exclude": ["volume", "truncated"],
    "liver_ml": [300, 6000],
    "liver_hu": [20, 200],
    "largest_component": 0.95,
    "truncated": 0.1,
    "phase": ["portal"],
}
SCAN = {"spacing_mm": [2.5, 0.7, 0.7], "pixel_sha256": "00f1"}
LIVER = {"volume_ml": 1500.5, "liver_hu": 101.25, "first_slice_share": 0.1, "flags": {}}
SHORT = {**LIVER, "first_slice_share": 0.2}


def row(number, label, **more):
    record = {"patient_id": f"{number:04}", "image": "ct.nii.gz", "label": label, **more}
    return manifests.row(record, Path("data"), number)


def listed(rows, facts, **more):
    settings = {"role": "evaluation", "labels": LABELS, "exclude": ["0004"], "limits": LIMITS}
    given = {"scans": [SCAN] * len(rows), "facts": facts, "kept": [9] * len(rows)}
    return assemble.table("histo", rows, **given | settings | more)


def store(case, facts, volumes, livers, kept):
    """What the stages leave of a case."""
    for folder in (volumes, livers, kept):
        folder.mkdir(exist_ok=True)
    files.write_json(SCAN, volumes / f"{case}.json")
    files.write_json(facts, livers / f"{case}.json")
    slices.write([], kept / f"{case}.csv")


@pytest.fixture
def table():
    rows = [row(1, "F0", site="007"), row(2, "F3"), row(3, "?"), row(4, "F0")]
    rows += [row(5, "F3", scan_id="b"), row(6, "F0"), row(7, "F0")]
    unusable = {"excluded": "no CT, alas", "stage": "ingest"}
    flagged = {**LIVER, "flags": {"lossy": "lossy compression"}}
    return listed(rows, [LIVER, flagged, unusable, SHORT, unusable, SHORT, LIVER])


def test_every_case_is_there_used_or_why_not(table):
    assert tuple(table.columns) == cohort_table.COLUMNS
    assert table["included"].tolist() == [True, True, False, False, False, False, True]
    assert table["target"].fillna(-1).tolist() == [0, 1, -1, 0, 1, 0, 0]
    assert table["step"].tolist() == ["", "", "label", "patient", "ingest", "truncated", ""]
    assert table["reason"].tolist() == [
        "",
        "",
        "label ? is excluded by the configuration",
        "patient is excluded by the configuration",
        "no CT, alas",
        "the liver may be cut off: of its largest area 20.0% lies in the lowest slice, more than "
        "10.0%; look at qc/histo/0006.png; "
        "to keep such cases take truncated out of checks.exclude, or out of "
        "cohorts.histo.checks.exclude, which is of this cohort alone",
        "",
    ]
    assert table["case"].iloc[4] == "0005~b"
    assert table["liver_hu"].iloc[0] == 101.25


def test_the_order_of_the_manifest_does_not_matter():
    rows = [row(number, label) for number, label in ((3, "F3"), (1, "F0"), (2, "F0"))]
    found = listed(rows, [SHORT, LIVER, LIVER])
    assert found["case"].tolist() == ["0001", "0002", "0003"]
    assert found["flags"].tolist() == ["", "", "truncated"]
    assert found.equals(listed(rows[::-1], [LIVER, LIVER, SHORT]))


def test_the_table_tells_how_a_ct_was_made_and_which_image_it_is():
    ge = {**SCAN, "manufacturer": "GE", "model": "Revolution", "kernel": "STANDARD"}
    nameless = {**SCAN, "manufacturer": None, "model": None, "kernel": None}
    unread = {"excluded": "no CT, alas", "stage": "ingest"}
    rows = [row(number, "F0", weak_label="mild") for number in range(1, 4)]
    found = listed(rows, [LIVER, LIVER, unread], scans=[ge, nameless, unread])
    assert found["scanner"].tolist() == ["GE Revolution STANDARD", "", ""]
    assert found["pixel_sha256"].tolist() == ["00f1", "00f1", ""]
    assert found["slice_mm"].fillna(-1).tolist() == [2.5, 2.5, -1]
    assert found["weak_label"].tolist() == ["mild"] * 3


def test_a_control_deals_the_targets_anew_among_the_used_patients():
    rows = [row(number, "F3" if number % 2 else "F0") for number in range(1, 41)]
    rows += [row(1, "F3", scan_id="b"), row(99, "?")]
    honest = listed(rows, [LIVER] * 42, exclude=["0002"])
    control = assemble.permuted(honest, 1)
    used = honest["included"]
    assert control[["case", "label", "included"]].equals(honest[["case", "label", "included"]])
    assert (control["remarks"] == messages.PERMUTED).equals(used)
    people = [
        cohort_table.patients(one).set_index("patient_id")["target"] for one in (honest, control)
    ]
    assert people[0].sum() == people[1].sum() == 20
    assert 10 < (people[0] != people[1]).sum() < 30
    assert control.groupby("patient_id")["target"].nunique().max() == 1
    assert control["target"][~used].equals(honest["target"][~used])
    assert control.equals(assemble.permuted(honest, 1))
    assert not control.equals(assemble.permuted(honest, 2))


def test_flags_are_listed_whether_or_not_they_exclude(table):
    assert table["flags"].tolist() == ["", "lossy", "", "truncated", "", "truncated", ""]
    assert table["remarks"].iloc[1] == "lossy compression"
    assert table["included"].iloc[1]


def test_unlabelled_cases_are_used_without_a_target_and_counted():
    labels = {**LABELS, "unlabelled": ["", "unread"]}
    rows = [row(1, ""), row(2, "unread"), row(3, "F3"), row(3, "", scan_id="b"), row(5, "F0")]
    found = listed(rows, [LIVER] * 5, labels=labels, role="pretraining")
    assert found["included"].all()
    assert found["target"].fillna(-1).tolist() == [-1, -1, 1, -1, 0]
    counted = cohort_table.counts(found)
    assert [counted[name] for name in ("patients", "positive", "negative", "unlabelled")] == [
        *(4, 1, 1, 2)
    ]
    assert cohort_table.targets(found.iloc[::-1]).to_dict()["0003"] == 1


def test_the_configuration_says_which_flags_exclude():
    def step(facts, *exclude):
        limits = {**LIMITS, "exclude": list(exclude)}
        return listed([row(1, "F0")], [facts], limits=limits)["step"].item()

    both = {**SHORT, "volume_ml": 100.0}
    assert step(both, "truncated", "volume") == "truncated"
    assert step(both, "volume", "truncated") == "volume"
    assert step(both, "density") == ""
    assert step({**LIVER, "flags": {"lossy": "lossy compression"}}, "lossy") == "lossy"


def test_round_trip_keeps_text_as_text(table, tmp_path):
    cohort_table.write(table, tmp_path / "histo.csv")
    again = cohort_table.read(tmp_path / "histo.csv")
    assert again["patient_id"].tolist() == [f"{number:04}" for number in range(1, 8)]
    assert again["site"].tolist() == ["007", *[""] * 6]
    assert again["included"].dtype == bool
    assert again["liver_ml"].isna().tolist() == [False, False, True, False, True, False, False]
    assert (again[["step", "reason", "flags", "remarks"]] == table[
        ["step", "reason", "flags", "remarks"]
    ]).all(axis=None)  # fmt: skip
    assert cohort_table.patients(again)["patient_id"].tolist() == ["0001", "0002", "0007"]
    assert cohort_table.counts(again) == {
        "cases": 7, "cases used": 3, "patients": 3, "positive": 1, "negative": 2, "unlabelled": 0,
        "slices": 27,
    }  # fmt: skip


def test_caches_follow_the_rows_of_the_tables(table, tmp_path):
    for name in ("histo", "radio"):
        cohort_table.write(table.iloc[3:5], tmp_path / f"{name}.csv")
    tables = [tmp_path / "histo.csv", tmp_path / "radio.csv"]
    paths = [
        f"t/{name}.b2nd" for name in ("histo/0004", "histo/0005~b", "radio/0004", "radio/0005~b")
    ]
    assert cohort_table.caches(tables, [*paths[::-1], "t/histo/other.b2nd"]) == paths


def test_nobody_left(table):
    with pytest.raises(UserError, match="no case of the cohort could be used"):
        cohort_table.patients(table.assign(included=False))


def test_stop_names_the_cases_that_were_set_aside(tmp_path):
    rows = [row(1, "F0"), row(2, "F0"), row(3, "F3"), row(4, "?")]
    bad = {"excluded": "no liver", "stage": "segment"}
    given = [tmp_path / "volumes", tmp_path / "livers", tmp_path / "kept"]
    for one, facts in zip(rows, [bad, SHORT, LIVER, LIVER], strict=True):
        store(one.case, facts, *given)
    given = [list(folder.iterdir()) for folder in given]
    rest = {"role": "evaluation", "labels": LABELS, "exclude": [], "limits": LIMITS}
    found = assemble.assemble("histo", rows, *given, on_bad_case="exclude", **rest)
    assert found["step"].tolist() == ["segment", "truncated", "", "label"]
    with pytest.raises(UserError) as stopped:
        assemble.assemble("histo", rows, *given, on_bad_case="stop", **rest)
    first, *lines = str(stopped.value).splitlines()
    assert first == "on_bad_case is stop, and cohort histo has 2 problems:"
    assert lines[0] == "  - 0001: no liver"
    assert lines[1].startswith("  - 0002: the liver may be cut off: of its largest area 20.0%")


def test_cases_left_out_by_the_configuration_stop_nothing(tmp_path):
    folders = [tmp_path / "volumes", tmp_path / "livers", tmp_path / "kept"]
    store("0001", LIVER, *folders)
    given = [[row(1, "?")], *(list(folder.iterdir()) for folder in folders)]
    rest = {"role": "evaluation", "labels": LABELS, "exclude": [], "limits": LIMITS}
    found = assemble.assemble("histo", *given, on_bad_case="stop", **rest)
    assert found["step"].tolist() == ["label"]
