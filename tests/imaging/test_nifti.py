"""NIfTI: real CTs against nibabel, and files made by code, good and bad."""

import nibabel as nib
import numpy as np
import pytest
from example_ct import affine, random_hu, refusal, write_nifti

from hepatoclr.imaging import ingest


@pytest.mark.parametrize("name", ["totalseg_example_ct", "totalseg_example_ct_sm"])
def test_nifti_agrees_with_nibabel(shared_ct, name):
    path = shared_ct / f"{name}.nii.gz"
    ct = ingest.read_ct(path)
    stored = nib.load(path)
    turned = nib.as_closest_canonical(stored).get_fdata()[::-1, ::-1].transpose(2, 1, 0)
    np.testing.assert_array_equal(ct.array, np.clip(turned, -1024, None))
    assert ct.spacing == pytest.approx((3, 3, 3))
    assert ct.facts["stored_orientation"] == "RAS"
    x, y, _ = stored.shape
    corner = stored.affine @ [x - 1, y - 1, 0, 1]
    np.testing.assert_allclose(ct.affine @ [0, 0, 0, 1], corner, atol=1e-4)


@pytest.mark.parametrize("axes", ["RAS", "LPI", "SRA", "PIR"])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_nifti_in_any_orientation(tmp_path, axes, suffix):
    original = nib.Nifti1Image(random_hu().transpose(2, 1, 0), affine())
    turn = nib.orientations.ornt_transform(
        nib.io_orientation(affine()), nib.orientations.axcodes2ornt(axes)
    )
    nib.save(original.as_reoriented(turn), tmp_path / f"ct{suffix}")
    ct = ingest.read_ct(tmp_path / f"ct{suffix}")
    np.testing.assert_array_equal(ct.array, random_hu())
    np.testing.assert_allclose(ct.affine, affine(), atol=1e-4)
    assert (ct.facts["format"], ct.facts["stored_orientation"]) == ("nifti", axes)


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32, np.float64])
def test_nifti_number_types_and_one_volume_in_four_dimensions(tmp_path, dtype):
    stored = random_hu().transpose(2, 1, 0)[..., None].astype(dtype)
    ct = ingest.read_ct(write_nifti(tmp_path / "ct.nii.gz", stored))
    np.testing.assert_array_equal(ct.array, random_hu())
    assert ct.array.dtype == np.int16


def test_nifti_scaling_is_applied_and_rounded(tmp_path):
    stored = random_hu().transpose(2, 1, 0) * 10 + 1003
    made = nib.Nifti1Image(stored.astype(np.int16), affine())
    made.header.set_slope_inter(0.1, -100)
    nib.save(made, tmp_path / "ct.nii.gz")
    np.testing.assert_allclose(made.get_fdata()[0, 0, 0], stored[0, 0, 0])
    np.testing.assert_array_equal(ingest.read_ct(tmp_path / "ct.nii.gz").array, random_hu())


def test_what_is_below_air_becomes_air(tmp_path):
    hu = random_hu()
    hu[:, 0] = -3024
    ct = ingest.read_ct(write_nifti(tmp_path / "ct.nii", hu.transpose(2, 1, 0)))
    assert ct.array.min() == -1024
    assert (ct.array[:, 0] == -1024).all()


def test_nifti_without_orientation_is_flagged(tmp_path):
    nib.save(nib.Nifti1Image(random_hu().transpose(2, 1, 0), None), tmp_path / "ct.nii")
    warnings = ingest.read_ct(tmp_path / "ct.nii").facts["flags"]
    assert list(warnings) == ["unplaced"]


SHEARED = affine()
SHEARED[1, 0] = 0.3
HUGE = affine() @ np.diag([100, 1, 1, 1])


@pytest.mark.parametrize(
    ("array", "grid", "words"),
    [
        (np.zeros((4, 4, 9, 2)), None, "2 volumes of 3 dimensions"),
        (np.zeros((4, 4)), None, "1 volumes of 2 dimensions"),
        (np.full((4, 4, 9), np.nan), None, "not numbers"),
        (np.full((4, 4, 9), 200.0), None, "not Hounsfield units (200..200)"),
        (np.full((4, 4, 9), -200.0), None, "not Hounsfield units (-200..-200)"),
        (np.zeros((4, 4, 9), np.complex64), None, "voxels of type complex64"),
        (np.zeros((4, 4, 2)), None, "has 2 slices"),
        (np.zeros((4, 4, 9)), SHEARED, "not perpendicular"),
        (np.zeros((4, 4, 9)), HUGE, "voxels of 80 x 0.9 x 2.5 mm"),
    ],
)
def test_nifti_that_is_not_one_ct_is_refused(tmp_path, array, grid, words):
    assert words in refusal(write_nifti(tmp_path / "ct.nii.gz", array, grid))


def test_damaged_nifti_is_refused(tmp_path):
    whole = write_nifti(tmp_path / "ct.nii.gz").read_bytes()
    for name, content in {
        "cut.nii.gz": whole[: len(whole) // 2],
        "cut.nii": b"\x5c\1\0\0" + b"\0" * 200,
        "text.nii": b"Sentinel" * 100,
        "text.nii.gz": b"Sentinel",
        "empty.nii": b"",
        "empty.nii.gz": b"",
    }.items():
        (tmp_path / name).write_bytes(content)
        assert refusal(tmp_path / name)
