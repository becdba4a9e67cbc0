"""Real hazards, and agreement with an independent reader: dcm2niix, to 1 HU and 0.01 mm."""

import shutil
import subprocess

import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.data import get_testdata_file
from test_hazards_dicom import HAZARDS as CONTENT
from test_hazards_files import HAZARDS as FILES
from test_hazards_pixels import HAZARDS as PIXELS

from hepatoclr.base.errors import BadCase
from hepatoclr.imaging import ingest, volumes

# what dcm2niix 1.0.20260724 does with these instead; their true volume is known by construction
NOT_BY_DCM2NIIX = {
    "tilt_in_the_tag_alone": "shears by the tag",
    "every_image_twice": "makes two volumes of it",
    "a_lossless_copy_beside_the_original": "makes two volumes of it",
    "enhanced_volume_with_shuffled_frames": "rescales all frames as the first",
    "orientation_jitters": "makes two volumes of it",
    "without_preamble_but_with_a_header": "does not read it",
    "enhanced_volume_given_as_a_file": "rescales all frames as the first",
    "enhanced_volume_compressed": "rescales all frames as the first",
    "stored as Deflated Explicit VR Little Endian": "does not read it",
    "padding_above_everything": "keeps the padding",
    "padding_written_with_a_sign_that_is_not": "keeps the padding",
}
VALID = [
    case
    for case in CONTENT + PIXELS + FILES
    if case.values[0].words is None
    and case.values[0].hu is not None
    and not case.id.startswith(("nifti", "a_zip"))
    and case.id not in NOT_BY_DCM2NIIX
]


def by_dcm2niix(folder, out):
    """All volumes that dcm2niix makes of a folder, canonical, nothing below air."""
    out.mkdir()
    command = ["dcm2niix", "-o", out, "-f", "%s", "-b", "n", "-z", "n", folder]
    subprocess.run(command, check=True, capture_output=True)
    images = [nib.load(path) for path in sorted(out.glob("*.nii"))]
    found = [
        volumes.canonical(np.asanyarray(one.dataobj), one.affine) for one in images if one.ndim == 3
    ]
    return [(np.maximum(one.array, volumes.AIR), one) for one in found]


def check_agreement(ct, others):
    """One of the other reader's volumes is the same."""
    assert others
    assert any(
        volumes.same_grid(other, ct, tolerance_mm=0.01)
        and np.abs(hu.astype(int) - ct.array).max() <= 1
        for hu, other in others
    )


@pytest.mark.parametrize("case", VALID)
def test_hazards_read_right_agree_with_dcm2niix(case, tmp_path):
    folder = tmp_path / "ct"
    folder.mkdir()
    path = case.make(folder) or folder
    check_agreement(ingest.read_ct(path, **case.wanted), by_dcm2niix(path, tmp_path / "out"))


@pytest.mark.parametrize("series", ["chaos_dicom", "totalseg_dicom"])
def test_real_series_agree_with_dcm2niix(shared_ct, series, tmp_path):
    ct = ingest.read_ct(shared_ct / series)
    check_agreement(ct, by_dcm2niix(shared_ct / series, tmp_path / "out"))


@pytest.mark.parametrize("series", ["chaos_dicom", "totalseg_dicom"])
def test_real_series_agree_with_simpleitk(shared_ct, series):
    ct = ingest.read_ct(shared_ct / series)
    headers = [
        (pydicom.dcmread(path, stop_before_pixels=True), path)
        for path in (shared_ct / series).iterdir()
    ]
    paths = [
        str(path) for _, path in sorted(headers, key=lambda pair: pair[0].ImagePositionPatient[2])
    ]
    hu = sitk.GetArrayFromImage(sitk.ReadImage(paths, sitk.sitkInt16))
    np.testing.assert_array_equal(np.maximum(hu, volumes.AIR), ct.array)


def test_dcm2niix_is_not_followed_where_the_truth_is_known():
    assert NOT_BY_DCM2NIIX.keys() <= {case.id for case in CONTENT + PIXELS}
    assert len(VALID) >= 30


def stacked(path, folder, **elements):
    """Make a series of a single real image, six times, 5 mm apart along its normal."""
    folder.mkdir()
    one = pydicom.dcmread(path)
    row, column = np.array(one.ImageOrientationPatient, float).reshape(2, 3)
    corner = np.array(one.ImagePositionPatient, float)
    for keyword, value in elements.items():
        setattr(one, keyword, value)
    for number in range(6):
        one.ImagePositionPatient = [
            round(v, 6) for v in corner + 5 * number * np.cross(row, column)
        ]
        one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}"
        one.save_as(folder / f"{number}.dcm")
    return folder


REAL = {  # a file of pydicom or pydicom-data, and the flags of a series of it
    "CT_small.dcm": (),
    "693_UNCR.dcm": (),
    "693_J2KR.dcm": (),
    "693_UNCI.dcm": ("lossy",),
    "693_J2KI.dcm": ("lossy",),
    "explicit_VR-UN.dcm": (),
}


@pytest.mark.parametrize("name", REAL)
def test_real_images_of_many_makers(name, tmp_path):
    folder = stacked(get_testdata_file(name), tmp_path / "ct")
    ct = ingest.read_ct(folder)
    assert tuple(ct.facts["flags"]) == REAL[name]
    one = sitk.ReadImage(str(folder / "0.dcm"), sitk.sitkInt16)
    axial = sitk.DICOMOrient(one, "LPS")
    lowest = 0 if ct.facts["stored_orientation"].endswith("S") else -1
    np.testing.assert_array_equal(
        np.maximum(sitk.GetArrayFromImage(axial)[0], volumes.AIR), ct.array[lowest]
    )


def test_one_image_stored_with_and_without_compression(tmp_path):
    plain, packed = (
        ingest.read_ct(stacked(get_testdata_file(f"693_{kind}.dcm"), tmp_path / kind)).array
        for kind in ("UNCR", "J2KR")
    )
    np.testing.assert_array_equal(plain, packed)


def test_an_image_whose_code_stream_has_another_sign_than_its_header(tmp_path):
    ct = ingest.read_ct(stacked(get_testdata_file("J2K_pixelrep_mismatch.dcm"), tmp_path / "ct"))
    assert tuple(ct.facts["flags"]) == ("oblique",)
    assert ct.array.max() < 2000
    assert (np.abs(ct.array) < 200).mean() > 0.05


def test_real_perfusion_maps_are_refused(shared_ct, tmp_path):
    shutil.copy(shared_ct / "hazards/pydicom/eCT_Supplemental.dcm", tmp_path)
    with pytest.raises(BadCase, match="map or projection computed from CT"):
        ingest.read_ct(tmp_path)


def test_real_single_images_are_refused(shared_ct):
    with pytest.raises(BadCase, match="18 x CT image of a short series"):
        ingest.read_ct(shared_ct / "hazards/cornerstone_transfer_syntaxes")


def test_a_real_tilted_part_of_even_spacing_is_straightened(shared_ct, tmp_path):
    for number in range(1, 15):
        shutil.copy(shared_ct / f"hazards/GE_tilt18_varspacing/{number:02d}.dcm", tmp_path)
    ct = ingest.read_ct(tmp_path)
    assert ct.facts["tilt_degrees"] == pytest.approx(18.5, abs=0.01)
    assert ct.spacing == pytest.approx((4.22, 0.4882812, 0.4882812))
    # dcm2niix straightens along the tilted planes, so that sizes can be compared, not voxels
    _, (hu, straight) = by_dcm2niix(tmp_path, tmp_path / "out")
    for tissue in (-200, 0, 400):
        theirs = np.count_nonzero(hu > tissue) * straight.voxel_ml
        assert np.count_nonzero(ct.array > tissue) * ct.voxel_ml == pytest.approx(theirs, rel=0.005)
