"""The synthetic cohort: reproducible, labelled as asked, shaped and stored like abdominal CT."""

import hashlib
import os
import subprocess
import sys
import zipfile
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from sklearn.metrics import roc_auc_score

from hepatoclr.base.errors import UserError
from hepatoclr.imaging import volumes
from hepatoclr.simulation import anatomy, body, patients, scanner, signs, simulate

SEED, MATRIX, SLICE_MM = 7, 48, 9.0
EVEN = [0.2] * 5
CONFUSION = {
    "none": [0.85, 0.75, 0.5, 0.2, 0.05],
    "mild": [0.12, 0.2, 0.35, 0.35, 0.15],
    "moderate": [0.03, 0.05, 0.1, 0.3, 0.35],
    "severe": [0, 0, 0.05, 0.15, 0.45],
}


def person(index, stage=2, cohort="histo"):
    return simulate.person(cohort, index, stage, SEED, effect=1.0, confounding=0.0)


@cache
def scan(index, stage=2, cohort="histo"):
    return scanner.scan(person(index, stage, cohort), MATRIX, SLICE_MM)


@cache
def organs(index, stage):
    """Patient and rendered labels on a coarse grid; the organs' true volumes in ml."""
    who = patients.patient((SEED, 1, index), stage)
    z, y = np.arange(-215, 40, 8.0), np.arange(-180, 180, 4.0)
    hu, labels = anatomy.render(who, z, y, y, 4.0)
    ml = np.bincount(labels.ravel(), minlength=5) * (8 * 4 * 4 / 1000)
    return who, hu, labels, ml


def digests(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def rows(count=3, name="histo", stages=EVEN, reader="histology", confusion=CONFUSION, **more):
    drawn = {
        "labelled": 1,
        "confounding": 0,
        "hospital": "own",
        "reader_noise": 0.7,
        "effect": 1,
        "seed": SEED,
        **more,
    }
    return simulate.cohort(name, count, stages, reader, confusion=confusion, **drawn)


def write(row, folder):
    image = {"seed": SEED, "effect": 1.0, "matrix": MATRIX, "slice_mm": SLICE_MM}
    simulate.write_case(row, folder, "histo", **image)
    return folder


# --- who is in a cohort --------------------------------------------------------------------


def test_rows_say_where_the_files_are():
    first, second, third = rows()
    case = Path(first["image"]).parent.name
    assert first["liver_mask"] == f"{case}/liver.nii.gz"
    images = [Path(row["image"]).name for row in (first, second, third)]
    assert images == ["ct.nii.gz", "dicom", "dicom.zip"]
    assert len({row["patient_id"] for row in rows(40)}) == 40


def test_histology_has_the_radiologists_reading_beside_it():
    found = rows(200)
    assert {row["weak_label"] for row in found} == set(CONFUSION)
    healthy = [row["weak_label"] for row in found if row["label"] == "F0"]
    assert healthy.count("none") / len(healthy) == pytest.approx(0.85, abs=0.15)
    read = rows(200, reader="radiologist")
    assert [row["label"] for row in read] == [row["weak_label"] for row in found]
    assert "weak_label" not in read[0]


def test_more_patients_leave_the_first_ones_alone():
    for reader in ("histology", "radiologist"):
        assert rows(50, reader=reader)[:23] == rows(23, reader=reader)


@pytest.mark.parametrize("stages", [EVEN, [0.25, 0.2, 0.15, 0.2, 0.2], [0.5, 0, 0, 0, 0.5]])
@pytest.mark.parametrize("name", ["histo", "radio", "external"])
def test_stages_follow_their_shares(stages, name):
    for count in (30, 40, 200):
        found = Counter(row["stage"] for row in rows(count, name, stages))
        assert all(abs(found[s] - count * share) <= 2 for s, share in enumerate(stages))
        assert all(found[s] == 0 for s, share in enumerate(stages) if share == 0)


def test_file_order_does_not_leak_the_stage():
    stages = np.array([row["stage"] for row in rows(300)])
    assert abs(np.corrcoef(stages, np.arange(300))[0, 1]) < 0.1
    assert abs(np.corrcoef(stages[1:], stages[:-1])[0, 1]) < 0.25
    for image in range(3):
        assert abs(stages[image::3].mean() - 2) < 0.3


def test_histology_writes_the_stage():
    assert all(row["label"] == f"F{row['stage']}" for row in rows(30))


def test_the_radiologist_goes_by_what_is_visible():
    """Its errors are those of patients who look ill and are not, and the other way round."""
    read = rows(2000, confusion={})
    ill = np.array([row["stage"] >= 3 for row in read])
    grade = np.array([signs.GRADES.index(row["weak_label"]) for row in read])
    who = [person(i, row["stage"]) for i, row in enumerate(read)]
    look = np.array([signs.visible(one.signs) for one in who])
    for group in (ill, ~ill):
        called = grade[group] > 0
        assert look[group][called].mean() > look[group][~called].mean() + 0.3
    assert 0.75 < roc_auc_score(ill, grade) < 0.80  # published readers: 0.71 to 0.81


@pytest.mark.parametrize(("noise", "least", "most"), [(0, 0.78, 0.88), (3, 0.54, 0.64)])
def test_the_radiologists_noise_decides_how_good_the_readings_are(noise, least, most):
    read = rows(1500, confusion={}, reader_noise=noise)
    ill = [row["stage"] >= 3 for row in read]
    assert least < roc_auc_score(ill, [row["weak_label"] != "none" for row in read]) < most


def test_a_share_of_the_patients_is_read():
    found = Counter(row["label"] for row in rows(400, reader="radiologist", labelled=0.25))
    assert found[simulate.UNREAD] == pytest.approx(300, abs=30)
    every = rows(400, reader="radiologist")
    some = rows(400, reader="radiologist", labelled=0.25)
    assert all(
        b["label"] in (a["label"], simulate.UNREAD) for a, b in zip(every, some, strict=True)
    )


def test_what_a_reader_writes_changes_no_image():
    first, second = rows(30, confusion={}), rows(30, confusion={}, reader_noise=5)
    assert first != second
    assert [*map(simulate.pictured, first)] == [*map(simulate.pictured, second)]


def test_a_perfect_radiologist_reads_the_stage_exactly():
    perfect = {f"grade {s}": np.eye(5)[s].tolist() for s in range(5)}
    read = rows(60, reader="radiologist", confusion=perfect)
    assert all(row["label"] == f"grade {row['stage']}" for row in read)


def test_a_radiologist_errs_as_the_confusion_matrix_says():
    read = rows(5000, reader="radiologist")
    for stage in range(5):
        labels = Counter(row["label"] for row in read if row["stage"] == stage)
        for label, chances in CONFUSION.items():
            assert labels[label] / labels.total() == pytest.approx(chances[stage], abs=0.06)
    assert not any(row["label"] == "severe" and row["stage"] < 2 for row in read)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"none": [0.85, 0.75, 0.5, 0.2, 0.15]}, r"column F4 .*1\.1"),
        ({"none": [0.85, 0.75, 0.5, 0.2]}, "none must be 5 numbers"),
        ({"none": [-0.1, 0.75, 0.5, 0.2, 0.05], "mild": [1.07, 0.2, 0.35, 0.35, 0.15]}, "F0"),
    ],
)
def test_a_bad_confusion_matrix_is_refused(change, message):
    with pytest.raises(UserError, match=message):
        rows(reader="radiologist", confusion=CONFUSION | change)


def test_bad_shares_and_readers_are_refused():
    with pytest.raises(UserError, match=r"cohorts\.histo\.simulate\.stages .* 0\.9"):
        rows(stages=[0.2, 0.2, 0.2, 0.2, 0.1])
    with pytest.raises(UserError, match="5 numbers"):
        rows(stages=[0.5, 0.5])
    with pytest.raises(UserError, match="radiographer"):
        rows(reader="radiographer")


# --- what a scan looks like ----------------------------------------------------------------


def test_a_volume_is_the_same_each_time_and_differs_between_patients():
    again = scanner.scan(person(0), MATRIX, SLICE_MM)
    for first, second in zip(scan(0), again, strict=True):
        assert np.array_equal(first.array, second.array)
        assert np.array_equal(first.affine, second.affine)
    others = [scan(1), scan(0, cohort="radio")]
    assert not any(np.array_equal(scan(0)[0].array, other[0].array) for other in others)


def test_a_volume_does_not_depend_on_the_number_of_threads():
    code = (
        "import hashlib; from hepatoclr.simulation import scanner, simulate;"
        f"who = simulate.person('histo', 0, 2, {SEED}, 1.0, 0.0);"
        f"a = scanner.scan(who, {MATRIX}, {SLICE_MM})[0].array;"
        "print(hashlib.sha256(a.tobytes()).hexdigest())"
    )
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == hashlib.sha256(scan(0)[0].array.tobytes()).hexdigest()


@pytest.mark.parametrize("index", range(5))
def test_a_scan_is_ct_of_a_whole_liver(index):
    ct, liver = scan(index, stage=index)
    assert ct.array.dtype == np.int16
    assert liver.array.dtype == np.uint8
    assert volumes.same_grid(ct, liver)
    assert nib.orientations.aff2axcodes(ct.affine) == volumes.CANONICAL
    assert 0.7 * SLICE_MM <= ct.spacing[0] <= 1.4 * SLICE_MM
    assert 319.9 < ct.spacing[1] * MATRIX < 440.1
    assert ct.array.min() == volumes.AIR
    assert not liver.array[[0, -1]].any()
    assert 700 < liver.array.sum() * liver.voxel_ml < 2800
    assert 50 < ct.array[liver.array > 0].mean() < 150  # steatosis to good contrast
    assert (ct.array[-1] < -600).mean() > (ct.array[0] < -600).mean()  # lungs are at the top


def test_the_liver_is_never_cut():
    for index in range(12):
        liver = scanner.scan(person(index, index % 5, "cut"), 24, 8.0)[1].array
        assert not liver[[0, -1]].any()
        assert liver[3:-3].any()


def test_patients_lie_as_volumes_promise():
    _, hu, labels, _ = organs(0, 0)
    where = {o: np.argwhere(labels == o).mean(axis=0) for o in (body.LIVER, body.SPLEEN)}
    assert where[body.LIVER][2] < hu.shape[2] / 2 < where[body.SPLEEN][2]  # x to the left
    spine = np.argwhere(hu[:5] > 180)
    assert np.median(spine[:, 1]) > hu.shape[1] / 2  # y to the back, where the spine is


# --- what fibrosis does --------------------------------------------------------------------


def organs_ml(index, stage, effect=1.0, **changed):
    """Volume of each organ of a patient on a coarse grid, ml, by label."""
    who = patients.patient((SEED, 1, index), stage, effect)
    who = replace(who, sizes=who.sizes | changed)
    z, y = np.arange(-215, 40, 8.0), np.arange(-180, 180, 4.0)
    _, labels = anatomy.render(who, z, y, y, 4.0)
    return np.bincount(labels.ravel(), minlength=5) * (8 * 4 * 4 / 1000)


def test_organs_follow_the_signs():
    none = organs_ml(0, 0, ascites=0.0)
    assert organs_ml(0, 0, spleen=1.6)[body.SPLEEN] > 2 * none[body.SPLEEN]
    assert organs_ml(0, 0, atrophy=1.2)[body.LIVER] < 0.9 * none[body.LIVER]
    assert organs_ml(0, 0, hypertrophy=1.2)[body.LIVER] > 1.03 * none[body.LIVER]
    assert none[body.ASCITES] == 0
    assert organs_ml(0, 0, ascites=20.0)[body.ASCITES] > 200


def test_a_removed_spleen_is_not_there():
    assert organs_ml(0, 0, removed_spleen=1.0)[body.SPLEEN] == 0


def test_without_effect_a_patient_does_not_depend_on_the_stage():
    first, last = (patients.patient((SEED, 3, 5), stage, effect=0.0) for stage in (0, 4))
    assert first == last
    assert patients.patient((SEED, 3, 5), 0) != patients.patient((SEED, 3, 5), 4)


def test_sites_are_chance_unless_they_are_to_follow_the_stage():
    def share(confounding, stage):
        drawn = [patients.site((SEED, 3, i), stage, confounding) for i in range(300)]
        return Counter(drawn)["A"] / 300

    assert share(0, 0) == share(0, 4) == pytest.approx(1 / 3, abs=0.08)
    assert share(1, 4) == 1
    assert share(1, 0) == 0
    assert share(0.5, 4) == pytest.approx(2 / 3, abs=0.08)


# --- how a case is stored ------------------------------------------------------------------


def test_files_are_the_same_bytes_each_time(tmp_path):
    for row in rows(3):
        once, twice = (digests(write(row, tmp_path / name)) for name in ("once", "twice"))
        assert once
        assert once == twice


def test_writing_again_replaces_and_leaves_nothing_else(tmp_path):
    row = rows(2)[1]
    first = digests(write(row, tmp_path))
    (tmp_path / "dicom" / "stale.dcm").write_text("left over")
    assert digests(write(row, tmp_path)) == first
    assert {path.name for path in tmp_path.iterdir()} == {"dicom", "liver.nii.gz"}


def test_nifti_keeps_the_voxels_in_place_whatever_the_orientation(tmp_path):
    seen = set()
    for index in (0, 3, 6, 9):
        row = rows(10)[index]
        folder = write(row, tmp_path / str(index))
        header = nib.load(folder / "ct.nii.gz")
        seen.add(nib.orientations.aff2axcodes(header.affine))
        assert b"synthetic" in header.header["descrip"].item()
        assert b"synthetic" in nib.load(folder / "liver.nii.gz").header["descrip"].item()
        for name, expected in zip(("ct", "liver"), scan(index, stage=row["stage"]), strict=True):
            stored = volumes.load(folder / f"{name}.nii.gz")
            assert volumes.same_grid(stored, expected)
            assert np.array_equal(stored.array, expected.array)
    assert len(seen) > 1


def read_series(folder):
    """The largest series of a folder, as SimpleITK reads it: HU and image, z ascending."""
    reader = sitk.ImageSeriesReader()
    series = reader.GetGDCMSeriesIDs(str(folder))
    found = [reader.GetGDCMSeriesFileNames(str(folder), uid) for uid in series]
    reader.SetFileNames(max(found, key=len))
    return sitk.DICOMOrient(reader.Execute(), "LPS")


@pytest.mark.parametrize("index", [1, 4, 7, 10])
def test_dicom_holds_the_volume(tmp_path, index):
    row = rows(11)[index]
    expected, _ = scan(index, stage=row["stage"])
    image = read_series(write(row, tmp_path) / "dicom")
    stored = np.maximum(sitk.GetArrayFromImage(image), volumes.AIR)  # padding lies below air
    assert np.array_equal(stored, expected.array)
    assert image.GetSpacing() == pytest.approx(expected.spacing[::-1], abs=1e-4)
    corner = expected.affine[:3, 3] * (-1, -1, 1)
    assert image.GetOrigin() == pytest.approx(corner, abs=1e-4)


def test_dicom_has_the_habits_of_scanners(tmp_path, monkeypatch):
    from pydicom import dcmread

    once = scan(0)
    monkeypatch.setattr(scanner, "scan", lambda *_: once)

    habits = Counter()
    for index in range(1, 30, 3):
        folder = write(rows(30)[index], tmp_path / str(index)) / "dicom"
        images = [dcmread(path) for path in sorted(folder.glob("*.dcm"))]
        axial = [ds for ds in images if "AXIAL" in ds.ImageType]
        heights = [float(ds.ImagePositionPatient[2]) for ds in axial]
        numbers = [int(ds.InstanceNumber) for ds in axial]
        assert heights != sorted(heights)
        assert heights != sorted(heights, reverse=True)
        spacing = np.median(np.diff(sorted(heights)))
        for ds in images:
            assert ds.file_meta.TransferSyntaxUID.name == "Explicit VR Little Endian"
            assert ds.SOPClassUID.name == "CT Image Storage"
            assert str(ds.PatientName).startswith("Synthetic^")
            assert "synthetic" in ds.SeriesDescription
        assert len({ds.SOPInstanceUID for ds in images}) == len(images)
        assert float(axial[0].SliceThickness) != pytest.approx(spacing, rel=0.05)
        habits["ascending"] += np.corrcoef(numbers, heights)[0, 1] > 0
        habits["localizer"] += len(images) - len(axial)
        habits["padded"] += "PixelPaddingValue" in axial[0]
        habits["unsigned"] += axial[0].PixelRepresentation == 0
        habits["note"] += (folder / "README.txt").exists()
    assert all(0 < habits[name] < 10 for name in habits)


def test_a_zip_holds_the_series(tmp_path):
    row = rows(3)[2]
    folder = write(row, tmp_path / "case")
    with zipfile.ZipFile(folder / "dicom.zip") as archive:
        archive.extractall(tmp_path / "out")
    stored = sitk.GetArrayFromImage(read_series(tmp_path / "out" / "series"))
    expected, _ = scan(2, stage=row["stage"])
    assert np.array_equal(np.maximum(stored, volumes.AIR), expected.array)
