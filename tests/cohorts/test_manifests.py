import dataclasses
import re
from pathlib import Path

import pytest
import yaml

from hepatoclr.base.errors import UserError
from hepatoclr.cohorts import id_checks, manifest_checks, manifests

ROOT = Path(__file__).parents[2]
SCHEMA = yaml.safe_load((ROOT / "rules/cohort.schema.yaml").read_text())
LABELS = {"positive": ["F3", "F4"], "negative": ["F0"], "exclude": ["?"]}


@pytest.fixture
def write(tmp_path):
    (tmp_path / "ct.nii.gz").touch()

    def write(name, header, *lines):
        path = tmp_path / f"{name}.csv"
        path.write_text("\n".join([header, *lines, ""]), encoding="utf-8")
        return manifest_checks.read(path, SCHEMA)

    return write


def config(backend="totalsegmentator", folds=2, **cohorts):
    any_series = {"description": [], "thickness_mm": [0, 100], "slices": 5}
    blank = {"labels": LABELS, "exclude": [], "series": any_series}
    blank |= {"manifest": "x.csv", "folders": ["/"]}
    return {
        "cohorts": {name: {**blank, **given} for name, given in cohorts.items()},
        "covariates": {},
        "bundle": {"apply": ""},
        "segment": {"backend": backend},
        "evaluation": {"scheme": "stratified", "folds": folds},
        "experiment": {"fractions": [0.5, 1]},
    }


def problems(cohorts, settings):
    with pytest.raises(UserError) as error:
        manifest_checks.check(cohorts, settings)
    return str(error.value)


RADIO = ("radio", "patient_id,image,label", "r1,ct.nii.gz,F0", "r2,ct.nii.gz,F4")
HISTO = ("patient_id,image,label", *(f"{i},ct.nii.gz,{('F0', 'F3')[i % 2]}" for i in range(4)))
ROLES = {"radio": {"role": "pretraining"}, "histo": {"role": "evaluation"}}


def test_a_good_manifest_passes_and_ids_stay_text(write):
    histo = write("histo", HISTO[0], "0012,ct.nii.gz,F0", *HISTO[1:])
    manifest_checks.check({"radio": write(*RADIO), "histo": histo}, config(**ROLES))
    assert histo[0].patient_id == histo[0].case == "0012"
    assert Path(histo[0].image).is_file()


def test_everything_wrong_is_told_at_once_with_row_numbers(write):
    histo = write(
        "histo",
        "patient_id,image,label,scan_id,liver_mask",
        "a,ct.nii.gz,F0,,",
        "a,ct.nii.gz,F0,,",
        "b,no.nii.gz,F3,,gone.nii.gz",
        "../x,ct.nii.gz,F3,,",
        "CON,ct.nii.gz,F9,,",
        "r1,ct.nii.gz,F4,,",
        "c,ct.nii.gz,F0,1,",
        "c,ct.nii.gz,F4,2,",
    )
    text = problems({"radio": write(*RADIO), "histo": histo}, config(folds=5, **ROLES))
    for part in (
        "row 3: patient_id 'a' scan_id '' stands already in row 2; tell a patient's CTs apart by",
        "row 4: image does not exist; the path counts from the manifest's folder",
        "row 4: liver_mask does not exist; the path counts from the manifest's folder",
        "row 5: patient_id '../x' looks like a path",
        "row 6: patient_id 'CON' is a reserved device name",
        "row 6: label 'F9' stands in none of the lists",
        "patient 'c' has positive and negative labels",
        "the negative class has too few patients, 2; 5 folds need at least 5",
        "patient 'r1' is in radio (pretraining) and in histo (evaluation): leakage",
    ):
        assert part in text, part
    assert "no.nii.gz" not in text
    assert "gone.nii.gz" not in text


def test_case_only_differences_and_commas_are_different_patients(write):
    rows = write(
        "x", HISTO[0], "ab,ct.nii.gz,F0", "aB,ct.nii.gz,F3", '"a,b",ct.nii.gz,F0', "é,ct.nii.gz,F3"
    )
    manifest_checks.check({"radio": write(*RADIO), "histo": rows}, config(**ROLES))
    assert len({row.case.lower() for row in rows}) == 4


def test_provided_masks_must_be_there(write):
    cohorts = {"radio": write(*RADIO), "histo": write("histo", *HISTO)}
    text = problems(cohorts, config("provided", **ROLES))
    assert "row 2: liver_mask is empty, but segment.backend is provided" in text


def test_folds_by_site_need_a_site_for_every_row(write):
    cohorts = {"radio": write(*RADIO), "histo": write("histo", *HISTO)}
    settings = config(**ROLES)
    settings["evaluation"]["scheme"] = "site"
    text = problems(cohorts, settings)
    assert f"evaluation.scheme is site, but {len(HISTO) - 1} of {len(HISTO) - 1} rows" in text


def test_shares_of_less_than_a_patient_are_refused(write):
    cohorts = {"radio": write(*RADIO), "histo": write("histo", *HISTO)}
    settings = config(**ROLES)
    settings["experiment"]["fractions"] = [0.001, 0.5]
    text = problems(cohorts, settings)
    assert "one problem" in text
    assert "experiment.fractions: 0.001 of 2 training patients is none; the least is 0.5" in text


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("$HOME/ct.nii.gz", "variables such as $HOME are not looked up; write ~ or the whole path"),
        (r"ct\1.nii.gz", r"folders are separated by /, not \ "),
        ("~no-such-user/ct.nii.gz", "there is no such user; ~/ is your home folder"),
    ],
)
def test_why_a_path_leads_nowhere(write, path, hint):
    cohorts = {"radio": write(*RADIO), "histo": write("histo", *HISTO, f"9,{path},F0")}
    assert f"row 6: image does not exist; {hint.strip()}" in problems(cohorts, config(**ROLES))
    with pytest.raises(UserError, match=re.escape(hint.strip())):
        manifest_checks.read(path, SCHEMA)


def test_what_is_written_in_another_way_is_named(write):
    histo = write("histo", *HISTO, "0012,ct.nii.gz,f3", "13,ct.nii.gz,F9", "14,ct.nii.gz,F9")
    cohorts = {"radio": write(*RADIO), "histo": histo}
    left_out = {"role": "evaluation", "exclude": ["12", "99"]}
    text = problems(cohorts, config(radio=ROLES["radio"], histo=left_out))
    assert "row 6: label 'f3' stands in none of the lists of labels; 'F3' is alike\n" in text
    assert "row 7 and 1 more: label 'F9' stands in none of the lists of labels\n" in text
    assert "exclude: there is no patient '12'; '0012' is alike\n" in text
    assert "exclude: there is no patient '99'" in text


def test_roles(write):
    rows = write("histo", *HISTO)
    text = problems({"a": rows}, config(a={"role": "pretraining"}))
    assert "exactly one must have the role evaluation, got 0" in text
    text = problems({"a": rows}, config(a={"role": "evaluation", "simulate": {}}))
    assert "at least one must have the role pretraining" in text
    assert "give either a manifest or simulate" in text


SIMULATED = {"simulate": {"patients": 5, "reader": "histology"}}
OWN = {"manifest": "x.csv"}


@pytest.mark.parametrize(
    ("kept", "refused"),
    [
        ({"histo": {"role": "evaluation", **SIMULATED, **OWN}}, "histo"),
        ({"radio": {"role": "pretraining", **SIMULATED, **OWN}}, "radio"),
        (
            {"histo": {"role": "evaluation", **SIMULATED}, "mine": {"role": "evaluation", **OWN}},
            "mine",
        ),
        ({"histo": {"role": "evaluation", **SIMULATED}, "mine": {"role": "external", **OWN}}, ""),
    ],
)
def test_a_preset_of_simulated_cohorts_that_was_kept_is_named(kept, refused):
    if not refused:
        manifest_checks.check_simulated({"preset": "demo", "cohorts": kept})
        return
    said = f"cohorts.{refused}: .* the preset demo simulates .* start from preset: paper"
    with pytest.raises(UserError, match=said):
        manifest_checks.check_simulated({"preset": "demo", "cohorts": kept})


@pytest.mark.parametrize("expression", ["(ven", "a{99999999999}"])
def test_a_series_is_described_by_regular_expressions(write, expression):
    cohorts = {"radio": write(*RADIO), "histo": write("histo", *HISTO)}
    broken = {"role": "evaluation", "series": {"description": ["portal", expression]}}
    said = f"cohorts.histo: series.description: '{re.escape(expression)}' is no regular"
    with pytest.raises(UserError, match=said):
        manifest_checks.check(cohorts, config(**ROLES | {"histo": broken}))


def test_external_cohorts_need_no_labels(write):
    external = write("other", "patient_id,image", "x,ct.nii.gz")
    cohorts = {"radio": write(*RADIO), "histo": write("histo", *HISTO), "other": external}
    manifest_checks.check(cohorts, config(**ROLES, other={"role": "external"}))


def test_excluded_patients_do_not_count(write):
    cohorts = {"radio": write(*RADIO), "histo": write("histo", *HISTO)}
    left_out = {"role": "evaluation", "exclude": ["1", "nobody"]}
    text = problems(cohorts, config(radio=ROLES["radio"], histo=left_out))
    assert "the positive class has too few patients, 1" in text
    assert "exclude: there is no patient 'nobody'" in text


@pytest.mark.parametrize(
    ("header", "line", "message"),
    [
        ("patient_id,image,lable", "1,x,F0", "lable: unknown key; did you mean 'label'?"),
        ("image,label", "x,F0", "'patient_id' is missing"),
        ("patient_id,image", "1,x,F0", "row 2: has more values than the header has columns"),
        ("patient_id,image,liver_label", "1,x,five", "row 2: liver_label: 'five' does not fit"),
        ("patient_id,image", "1,", "row 2: image"),
    ],
)
def test_columns_and_values(write, header, line, message):
    with pytest.raises(UserError) as error:
        write("x", header, line)
    assert message in str(error.value)


def test_a_missing_manifest(tmp_path):
    with pytest.raises(UserError, match="there is no such manifest"):
        manifest_checks.read(tmp_path / "none.csv", SCHEMA)


def test_written_manifests_can_be_read(tmp_path):
    records = [{"patient_id": "0012", "image": "a,b.nii.gz", "label": "F0", "stage": 0}]
    manifests.write(records, tmp_path / "m.csv")
    (row,) = manifests.read(tmp_path / "m.csv")
    assert (row.patient_id, row.image, row.label) == ("0012", str(tmp_path / "a,b.nii.gz"), "F0")


@pytest.mark.parametrize(
    "text",
    ["", "  ", "../x", "/etc", "a\\b", "..", "#N/A", "CON", "nul.txt", "a\nb", "=1+1", "-rf"],
)
def test_dangerous_ids_are_refused(text):
    assert manifest_checks.invalid_id_reason(text)


@pytest.mark.parametrize(
    "text", ["0012", "Müller, Jörg", "患者-１", "a{b}", 'quo"te', "1+1=2", "-1"]
)
def test_ordinary_ids_are_not(text):
    assert manifest_checks.invalid_id_reason(text) is None


def test_an_id_too_long_for_a_file_name_is_refused():
    assert "too long" in manifest_checks.invalid_id_reason("é" * 40)


# --- ids that are alike, or in several cohorts ---


def people(*ids, label="F0"):
    given = ({"patient_id": text, "image": "x", "label": label} for text in ids)
    return [manifests.row(record, Path(), number) for number, record in enumerate(given, 2)]


def told(**cohorts):
    roles = {"a": "pretraining", "b": "pretraining", "c": "evaluation"}
    given = {name: {"role": roles[name], "labels": LABELS, "exclude": ["x"]} for name in cohorts}
    return id_checks.warnings(cohorts, given), list(id_checks.problems(cohorts, given))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("12", "12.0"), ("1234567", "1.234567E+06"), ("12", "12,0"), ("0012", "12"), ("12", "１２"),
        ("Jos\u00e9", "Jose\u0301"), ("ab", "AB"), ("P-007", "p 7"), ("a b", "a\u00a0b"),
        ("ab", "a\u200bb"), ("ab", "a\ufeffb"), ("a_b", "a-b"), ("ﬁ1", "fi1"),
        ("stra\u00dfe", "STRASSE"),
    ],
)  # fmt: skip
def test_ids_that_are_alike_are_told_and_may_be_one(one, other):
    (within,), wrong = told(a=people(one, other, "else"))
    assert not wrong
    assert f"{sorted((one, other))[0]!r} and" in within
    assert "leakage" not in within
    (between,), wrong = told(a=people(one, "else"), c=people(other))
    assert not wrong
    assert "cohorts.a and cohorts.c: ids of patients are alike, 1 of them" in between
    assert "which is leakage" in between
    cohorts = {"a": people(one, "else"), "c": people(other)}
    assert id_checks.joined(cohorts, "separate") == (cohorts, {})
    found, aliases = id_checks.joined(cohorts, "one")
    short = found["a"][0].patient_id
    assert short in (one, other)
    assert aliases == {one: short, other: short}
    assert found["a"][0].case != found["c"][0].case
    assert found["a"][1].patient_id == "else"
    assert f"patient {short!r} is in a (pretraining) and in c (evaluation)" in told(**found)[1][0]


@pytest.mark.parametrize(
    ("one", "other"),
    [("12", "120"), ("1-23", "12-3"), ("12", "12.5"), ("कि", "की"), ("a1", "b1"), ("1e2", "1e3")],
)
def test_ids_that_are_not_alike(one, other):
    assert told(a=people(one), c=people(other)) == ([], [])


def test_few_of_many_ids_are_told_and_excluded_ones_are_not():
    (line,), _ = told(
        a=people(*map(str, range(1, 9)), "x"), c=people(*(f"{n}.0" for n in range(1, 9)), "X")
    )
    assert line.count(" and ") == 5
    assert "8 of them: '1' and '1.0', '2' and '2.0', '3' and '3.0' and 5 more" in line


def test_ids_in_two_cohorts_for_pretraining():
    (line,), wrong = told(a=people("1", "2"), b=people("2", "3"))
    assert not wrong
    assert "cohorts.a and cohorts.b: ids stand in both, 1 of them: '2'; they are taken for" in line
    _, wrong = told(a=people("1", "2"), b=people("2", "3", label="F4"))
    assert wrong == [
        "patient '2' is positive in b and negative in a, both for pretraining: correct a label, or "
        "tell two patients apart by their ids"
    ]
    assert not told(a=people("1", "x"), b=people("x", label="F4"))[1]


def test_ids_that_a_spreadsheet_rounded_are_told():
    (line,), _ = told(a=people("1.23457E+06", "2"))
    assert "a spreadsheet seems to have rounded ids, 1 of them: 1.23457E+06" in line


def test_sites_that_are_alike_are_told():
    rows = [dataclasses.replace(row, site=site) for row, site in
            zip(people("1", "2", "3"), ("Paris", "paris ", "Lyon"), strict=True)]  # fmt: skip
    (line,), _ = told(c=rows)
    assert "cohorts.c: sites are alike, 2 of them: 'Paris', 'paris '" in line


def test_a_manifest_is_read_with_aliases(tmp_path):
    manifests.write([{"patient_id": "12.0", "image": "a"}], tmp_path / "m.csv")
    (row,) = manifests.read(tmp_path / "m.csv", {"12.0": "12"})
    assert (row.patient_id, row.case) == ("12", "12_2e0")


# --- cohorts for pretraining with CT that nobody labelled ---

UNREAD = {"role": "pretraining", "labels": {**LABELS, "unlabelled": ["", "unclear"]}}


def test_unlabelled_patients_are_used_but_count_for_no_class(write):
    histo = write("histo", *HISTO)
    some = write(*RADIO, "r3,ct.nii.gz,", "r4,ct.nii.gz,unclear")
    manifest_checks.check({"radio": some, "histo": histo}, config(**ROLES | {"radio": UNREAD}))
    assert manifests.meaning("", UNREAD["labels"]) == "unlabelled"
    few = write("radio", RADIO[1], "r1,ct.nii.gz,F0", "r2,ct.nii.gz,", "r3,ct.nii.gz,unclear")
    text = problems({"radio": few, "histo": histo}, config(**ROLES | {"radio": UNREAD}))
    assert "the positive class has too few patients, 0; training needs both" in text
    assert "one problem" in text


def test_an_empty_label_names_the_list_that_would_take_it(write):
    cohorts = {"radio": write(*RADIO, "r3,ct.nii.gz,"), "histo": write("histo", *HISTO)}
    text = problems(cohorts, config(**ROLES))
    assert (
        "label '' stands in none of the lists of labels; to use such cases without a weak" in text
    )
    assert "label, name it in labels.unlabelled" in text


@pytest.mark.parametrize(
    ("role", "hint"),
    [("evaluation", "name such labels in labels.exclude"), ("external", "leave such labels empty")],
)
def test_only_pretraining_goes_without_labels(write, role, hint):
    cohorts = {"radio": write(*RADIO), "histo": write("histo", *HISTO), "other": []}
    roles = {**ROLES, "other": {"role": "external"}}
    name = {"evaluation": "histo", "external": "other"}[role]
    roles[name] = {**UNREAD, "role": role}
    text = problems(cohorts, config(**roles))
    said = f"cohorts.{name}: labels.unlabelled is for pretraining only, and this cohort's role is"
    assert f"{said} {role}; " in text
    assert hint in text
    assert "one problem" in text


def test_a_label_stands_in_one_list_only(write):
    cohorts = {"radio": write(*RADIO), "histo": write("histo", *HISTO)}
    twice = {**UNREAD, "labels": {**LABELS, "unlabelled": ["?"]}}
    text = problems(cohorts, config(**ROLES | {"radio": twice}))
    assert "cohorts.radio: labels: '?' stands in the lists 2 times" in text


def test_a_cohort_may_be_unlabelled_as_a_whole_beside_a_labelled_one(write):
    nothing = {**LABELS, "positive": [], "negative": [], "unlabelled": [""]}
    unread = {"role": "pretraining", "labels": nothing}
    cohorts = {"radio": write(*RADIO), "histo": write("histo", *HISTO)}
    cohorts["unread"] = write("unread", "patient_id,image", "u1,ct.nii.gz", "u2,ct.nii.gz")
    manifest_checks.check(cohorts, config(**ROLES, unread=unread))
    del cohorts["radio"]
    text = problems(cohorts, config(histo=ROLES["histo"], unread=unread))
    assert "cohorts: at least one for pretraining must have positive and negative labels" in text
    assert "one problem" in text
