"""The structured report: what other software reads of it, and that it names nobody."""

import highdicom as hd
import pydicom
import pytest

from hepatoclr.prediction import structured_report

FACTS = {
    "case": "Case 7",
    "probability": 0.731,
    "threshold": 0.5,
    "range": [0.61, 0.82],
    "class": "F3-F4",
    "set": "cannot tell",
    "coverage": 0.9,
    "bundle": {"name": "study-simclr-linear", "sha256": "ab" * 32},
}


def read(folder, facts=FACTS, voxels="0123456789abcdef"):
    structured_report.write(facts, voxels, folder / "report.dcm")
    return pydicom.dcmread(folder / "report.dcm")


def test_other_software_reads_the_numbers(tmp_path):
    report = hd.sr.ComprehensiveSR.from_dataset(read(tmp_path))
    (group,) = report.content.get_image_measurement_groups()
    numbers = {one.name.value: one.value for one in group.get_measurements()}
    assert numbers == {"P": 0.731, "T": 0.5, "PL": 0.61, "PH": 0.82}
    said = {one.name.value: one.value.meaning for one in group.get_qualitative_evaluations()}
    assert said == {"C": "F3-F4", "S": "cannot tell"}
    assert report.PreliminaryFlag == "PRELIMINARY"
    assert report.VerificationFlag == "UNVERIFIED"


def test_it_names_nobody_but_the_case(tmp_path):
    report = read(tmp_path)
    assert (report.PatientID, str(report.PatientName)) == ("Case 7", "Case 7^")
    for name in ("PatientBirthDate", "PatientSex", "StudyDate", "AccessionNumber", "StudyID"):
        assert not report[name].value


def test_uids_follow_from_voxels_and_bundle(tmp_path):
    one, again = read(tmp_path), read(tmp_path)
    other = read(tmp_path, voxels="f" * 16)
    newer = read(tmp_path, {**FACTS, "bundle": {"name": "x", "sha256": "cd" * 32}})
    assert one.SOPInstanceUID == again.SOPInstanceUID
    assert one.StudyInstanceUID == newer.StudyInstanceUID != other.StudyInstanceUID
    assert len({one.SOPInstanceUID, other.SOPInstanceUID, newer.SOPInstanceUID}) == 3


def test_without_a_range_there_is_none(tmp_path):
    report = hd.sr.ComprehensiveSR.from_dataset(read(tmp_path, {**FACTS, "range": None}))
    (group,) = report.content.get_image_measurement_groups()
    assert len(group.get_measurements()) == 2


@pytest.mark.parametrize("name", ["x", "Ein langer Name " * 4])
def test_any_name_of_a_case_can_be_written(tmp_path, name):
    assert read(tmp_path, {**FACTS, "case": name}).PatientID.startswith(name[:60].strip())
