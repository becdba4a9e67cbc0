"""The synthetic cohort: reproducible, labelled as asked, shaped and stored like abdominal CT."""

import hashlib
import os
import subprocess
import sys
import zipfile
from collections import Counter
from functools import cache
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from hepatoclr.base.errors import UserError
from hepatoclr.imaging import volumes
from hepatoclr.simulation import anatomy, patients, simulate

SEED, MATRIX, SLICE_MM = 7, 48, 9.0
EVEN = [0.2] * 5
CONFUSION = {
    "none": [0.85, 0.75, 0.5, 0.2, 0.05],
    "mild": [0.12, 0.2, 0.35, 0.35, 0.15],
    "moderate": [0.03, 0.05, 0.1, 0.3, 0.35],
    "severe": [0, 0, 0.05, 0.15, 0.45],
}


@cache
def scan(index, stage=2, cohort="histo"):
    return simulate.volume(cohort, index, stage, SEED, MATRIX, SLICE_MM)


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


def rows(count=3, name="histo", stages=EVEN, reader="histology", confusion=CONFUSION):
    return simulate.cohort(name, count, stages, reader, confusion, SEED)


def write(row, folder):
    simulate.write_case(row, folder, "histo", SEED, MATRIX, SLICE_MM)
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
    again = simulate.volume("histo", 0, 2, SEED, MATRIX, SLICE_MM)
    for first, second in zip(scan(0), again, strict=True):
        assert np.array_equal(first.array, second.array)
        assert np.array_equal(first.affine, second.affine)
    others = [scan(1), scan(0, cohort="radio")]
    assert not any(np.array_equal(scan(0)[0].array, other[0].array) for other in others)


def test_a_volume_does_not_depend_on_the_number_of_threads():
    code = (
        "import hashlib; from hepatoclr.simulation import simulate;"
        f"a = simulate.volume('histo', 0, 2, {SEED}, {MATRIX}, {SLICE_MM})[0].array;"
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
    assert 0.8 * SLICE_MM <= ct.spacing[0] <= 1.25 * SLICE_MM
    assert 319.9 < ct.spacing[1] * MATRIX < 440.1
    assert ct.array.min() == volumes.AIR
    assert not liver.array[[0, -1]].any()
    assert 700 < liver.array.sum() * liver.voxel_ml < 2500
    assert 80 < ct.array[liver.array > 0].mean() < 140
    assert (ct.array[-1] < -600).mean() > (ct.array[0] < -600).mean()  # lungs are at the top


def test_the_liver_is_never_cut():
    for index in range(12):
        liver = simulate.volume("cut", index, index % 5, SEED, 24, 8.0)[1].array
        assert not liver[[0, -1]].any()
        assert liver[3:-3].any()


def test_patients_lie_as_volumes_promise():
    _, hu, labels, _ = organs(0, 0)
    where = {o: np.argwhere(labels == o).mean(axis=0) for o in (anatomy.LIVER, anatomy.SPLEEN)}
    assert where[anatomy.LIVER][2] < hu.shape[2] / 2 < where[anatomy.SPLEEN][2]  # x to the left
    spine = np.argwhere(hu[:5] > 180)
    assert np.median(spine[:, 1]) > hu.shape[1] / 2  # y to the back, where the spine is


# --- what fibrosis does --------------------------------------------------------------------

PATIENTS = range(3)


def mean_over_patients(measure, stage):
    return np.mean([measure(*organs(index, stage)) for index in PATIENTS])


def spleen_ml(_who, _hu, _labels, ml):
    return ml[anatomy.SPLEEN]


def liver_spread(_who, hu, labels, _ml):
    """Spread of density deep in the liver, away from its edge, without its vessels."""
    inside = labels == anatomy.LIVER
    for axis in range(3):
        inside &= np.roll(inside, 1, axis) & np.roll(inside, -1, axis)
    values = hu[inside]
    return np.std(values[values < np.quantile(values, 0.9)])


def surface_roughness(_who, _hu, labels, _ml):
    """Share of the liver's outline that a majority vote among neighbours in a slice takes away."""
    liver = (labels == anatomy.LIVER).astype(int)
    votes = sum(np.roll(liver, (i, j), (1, 2)) for i in range(-2, 3) for j in range(-2, 3))
    outline = np.abs(np.diff(liver, axis=1)).sum() + np.abs(np.diff(liver, axis=2)).sum()
    return ((votes > 12) != liver).sum() / outline


@pytest.mark.parametrize("measure", [spleen_ml, liver_spread, surface_roughness])
def test_signs_grow_with_the_stage(measure):
    none, some, much = (mean_over_patients(measure, stage) for stage in (0, 2, 4))
    assert none < some < much
    assert much > 1.4 * none


def test_a_cirrhotic_liver_shrinks_and_ascites_comes_late():
    liver = [mean_over_patients(lambda *o: o[3][anatomy.LIVER], stage) for stage in (0, 4)]
    assert liver[1] < 0.85 * liver[0]
    ascites = [[organs(i, s)[3][anatomy.ASCITES] for i in PATIENTS] for s in (0, 2, 4)]
    assert max(ascites[0] + ascites[1]) == 0
    assert np.median(ascites[2]) > 200


def test_stages_overlap_between_patients():
    texture = [
        [patients.patient((SEED, 3, i), stage).sizes["texture"] for i in range(60)]
        for stage in (2, 3)
    ]
    assert max(texture[0]) > min(texture[1])


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

    monkeypatch.setattr(simulate, "volume", lambda *_: scan(0))

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
