"""DICOM series: real ones against pydicom, and ones made by code, good and bad."""

import json
import os

import nibabel as nib
import numpy as np
import pydicom
import pytest
from example_ct import ORIGIN, SPACING, check, random_hu, refusal, write_series
from pydicom.uid import RLELossless

from hepatoclr.imaging import ingest
from hepatoclr.imaging.dicom import headers, pixels


def test_chaos_agrees_with_pydicom(shared_ct):
    ct = ingest.read_ct(shared_ct / "chaos_dicom")
    slices = [pydicom.dcmread(path) for path in (shared_ct / "chaos_dicom").iterdir()]
    slices.sort(key=lambda one: one.ImagePositionPatient[2])
    expected = np.stack(
        [one.pixel_array * one.RescaleSlope + one.RescaleIntercept for one in slices]
    )
    mask = nib.load(shared_ct / "chaos_liver.nii.gz")
    check(ct, expected, mask.affine)
    assert ct.array.shape == (78, 512, 512)
    assert ct.spacing == pytest.approx((2.0, 0.7265625, 0.7265625))
    assert ct.facts["flags"] == {}
    assert (ct.facts["kernel"], ct.facts["kvp"]) == ("B", 120)


def test_jpeg_2000_series_without_uids_lies_where_its_segmentation_does(shared_ct):
    ct = ingest.read_ct(shared_ct / "totalseg_dicom")
    assert ct.array.shape == (20, 512, 512)
    assert ct.spacing == pytest.approx((2.0, 0.9765625, 0.9765625))
    assert "JPEG 2000" in ct.facts["transfer_syntax"]
    assert (ct.facts["manufacturer"], ct.facts["kernel"]) == ("Siemens", "Br38f")
    reference = nib.load(shared_ct / "totalseg_dicom_seg.nii.gz")
    canonical = reference.as_reoriented([[0, 1], [1, -1], [2, 1]])
    np.testing.assert_allclose(ct.affine, canonical.affine, atol=1e-4)
    # the middle of the liver has HU of liver only if pixels and places agree
    liver = np.asarray(canonical.dataobj).transpose(2, 1, 0) == 5
    assert 80 < np.median(ct.array[liver]) < 130
    assert ct.array[liver].std() < 40


def test_real_series_of_three_spacings_is_excluded(shared_ct):
    message = refusal(shared_ct / "hazards" / "GE_tilt18_varspacing")
    assert "the images lie 1.08 to 7.00 mm apart, widest between z = " in message


def hu_of(path):
    """HU of one file."""
    _, images = headers.examine(path)
    return pixels.read(images, {})


def test_every_transfer_syntax_is_read(shared_ct):
    found = {}
    for path in sorted((shared_ct / "hazards" / "cornerstone_transfer_syntaxes").iterdir()):
        if path.name.startswith("CTImage"):
            hu, flags = hu_of(path)
            found[pydicom.dcmread(path).file_meta.TransferSyntaxUID.name] = hu
            assert ("lossy" in flags) == (
                "JPEG" in path.name and "ossless" not in path.name and "Process14" not in path.name
            ), path.name
    exact = found.pop("Implicit VR Little Endian")
    same = {name for name, hu in found.items() if np.array_equal(hu, exact)}
    assert (len(found), len(same)) == (14, 8)
    for name in set(found) - same:
        assert 0 < np.abs(found[name].astype(int) - exact).mean() < 25, name


def test_series(tmp_path):
    ct = ingest.read_ct(write_series(tmp_path, random_hu()))
    check(ct, random_hu())
    assert ct.facts == {
        "format": "dicom",
        "slices": 9,
        "size": [9, 20, 16],
        "spacing_mm": [2.5, 0.9, 0.8],
        "pixel_sha256": ingest.pixel_sha256(random_hu()),
        "manufacturer": "GE",
        "model": None,
        "kernel": "STANDARD",
        "kvp": 120.0,
        "slice_thickness_mm": 2.5,
        "transfer_syntax": "Explicit VR Little Endian",
        "tilt_degrees": 0.0,
        "oblique_degrees": 0.0,
        "stored_orientation": "LPS",
        "ignored": {},
        "flags": {},
    }


def test_order_comes_from_positions_not_from_names_or_numbers(tmp_path):
    write_series(tmp_path / "a", random_hu(), lambda k, one: setattr(one, "InstanceNumber", 99 - k))
    for number, path in enumerate(sorted((tmp_path / "a").iterdir(), reverse=True)):
        nested = tmp_path / "all" / str(number % 3)
        nested.mkdir(parents=True, exist_ok=True)
        path.rename(nested / f"{number},'x y' é")
    check(ingest.read_ct(tmp_path / "all"), random_hu())


@pytest.mark.parametrize(
    ("orientation", "turn", "corner"),
    [
        ((-1, 0, 0, 0, -1, 0), lambda hu: hu[:, ::-1, ::-1], (15 * 0.8, 19 * 0.9, 0)),
        ((1, 0, 0, 0, -1, 0), lambda hu: hu[:, ::-1], (0, 19 * 0.9, 0)),
        ((-1, 0, 0, 0, 1, 0), lambda hu: hu[:, :, ::-1], (15 * 0.8, 0, 0)),
    ],
    ids=["prone", "rows flipped", "columns flipped"],
)
def test_other_patient_orientations_give_the_same_volume(tmp_path, orientation, turn, corner):
    def change(number, one):
        one.ImageOrientationPatient = list(orientation)
        place = np.array(ORIGIN) + corner + [0, 0, number * SPACING[0]]
        one.ImagePositionPatient = place.tolist()

    check(ingest.read_ct(write_series(tmp_path, turn(random_hu()), change)), random_hu())


def test_each_slice_has_its_own_rescale(tmp_path):
    def change(number, one):
        one.RescaleSlope, one.RescaleIntercept = 1 + 0.5 * number, -1024 - 10 * number

    ct = ingest.read_ct(write_series(tmp_path, random_hu(), change))
    number = np.arange(9)[:, None, None]
    expected = (random_hu() + 1024.0) * (1 + 0.5 * number) - 1024 - 10 * number
    check(ct, np.clip(np.rint(expected), -1024, None))


def test_integer_first_slice_does_not_round_the_scale_of_others(tmp_path):
    def change(number, one):
        one.RescaleSlope = 1 if number == 0 else 0.75

    ct = ingest.read_ct(write_series(tmp_path, random_hu(), change))
    expected = (random_hu() + 1024.0) * np.where(np.arange(9) == 0, 1, 0.75)[:, None, None] - 1024
    check(ct, np.rint(expected))


@pytest.mark.parametrize("padding", [-2000, 31000])
def test_padding_becomes_air(tmp_path, padding):
    hu = random_hu()
    signed = {"PixelRepresentation": 1, "RescaleIntercept": 0, "PixelPaddingValue": padding}

    def change(number, one):
        stored = hu[number].copy()
        stored[0, :5] = padding
        one.PixelData = stored.tobytes()

    ct = ingest.read_ct(write_series(tmp_path, hu, change, **signed))
    expected = hu.copy()
    expected[:, 0, :5] = -1024
    check(ct, expected)


def test_padding_that_could_be_tissue_is_kept_and_flagged(tmp_path):
    ct = ingest.read_ct(write_series(tmp_path, random_hu(), PixelPaddingValue=1024))
    check(ct, random_hu())
    assert ct.facts["flags"] == {
        "padding": "padding stands for 0 HU, which may be tissue; it was kept"
    }


def test_run_length_encoding(tmp_path):
    def compress(number, one):
        one.compress(RLELossless)

    ct = ingest.read_ct(write_series(tmp_path, random_hu(), compress))
    check(ct, random_hu())
    assert ct.facts["transfer_syntax"] == "RLE Lossless"


def test_what_is_no_axial_ct_is_ignored_and_counted(tmp_path):
    write_series(tmp_path, random_hu())
    scout = {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}
    write_series(tmp_path, random_hu((1, 20, 16)), prefix="scout", **scout)
    sagittal = {"ImageOrientationPatient": [0, 1, 0, 0, 0, -1], "SeriesInstanceUID": "1.9"}
    write_series(tmp_path, random_hu((7, 20, 16)), prefix="sagittal", **sagittal)
    write_series(tmp_path, random_hu((2, 20, 16)), prefix="few", SeriesInstanceUID="1.8")
    report = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.67", "Modality": "SR"}
    write_series(tmp_path, random_hu((1, 20, 16)), prefix="dose", **report)
    private = {"SOPClassUID": "1.2.3.77", "Modality": "SENTINEL"}
    write_series(tmp_path, random_hu((1, 20, 16)), prefix="private", **private)
    (tmp_path / ".DS_Store").write_bytes(b"\0\1")
    (tmp_path / "notes Sentinel.txt").write_text("Sentinel")
    (tmp_path / "ring").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    ct = ingest.read_ct(tmp_path)
    check(ct, random_hu())
    assert ct.facts["ignored"] == {
        "CT image of a short series": 2,
        "CT image that is not axial": 7,
        "X-Ray Radiation Dose SR Storage": 1,
        "localizer": 1,
        "not DICOM": 2,
        "not a file": 1,
        "unknown object": 1,
    }


def test_facts_hold_no_text_of_the_file(tmp_path):
    words = {
        "Manufacturer": "Sentinel Clinic",
        "ManufacturerModelName": "Sentinel 64",
        "ConvolutionKernel": ["Sentinel", "2"],
        "SeriesDescription": "Sentinel",
        "PatientName": "Sentinel",
    }
    facts = ingest.read_ct(write_series(tmp_path / "Sentinel", random_hu(), **words)).facts
    assert "Sentinel" not in json.dumps(facts)
    assert "1.2.3" not in json.dumps(facts)
    assert (facts["manufacturer"], facts["model"], facts["kernel"]) == (None, None, None)


def test_of_a_models_name_known_words_are_kept(tmp_path):
    names = {"Manufacturer": "SIEMENS", "ManufacturerModelName": "SOMATOM Definition AS+, Mercy"}
    facts = ingest.read_ct(write_series(tmp_path, random_hu(), **names)).facts
    assert (facts["manufacturer"], facts["model"]) == ("Siemens", "SOMATOM Definition")


def test_two_series_are_refused_with_a_list(tmp_path):
    write_series(tmp_path, random_hu())
    other = {"SeriesInstanceUID": "1.8", "SliceThickness": 5}
    write_series(tmp_path, random_hu(seed=1), prefix="b", **other)
    message = refusal(tmp_path)
    assert message == (
        "2 CT series were found: 9 images 2.50 mm apart, 2.5 mm thick, kernel STANDARD; "
        "9 images 2.50 mm apart, 5.0 mm thick, kernel STANDARD. Say which one by the cohort's "
        "series or by series_uid in the manifest, or keep one in the folder."
    )


def shifted(**places):
    """A change that moves images: x, y, z of image number, mm."""

    def change(number, one):
        place = np.array(one.ImagePositionPatient, float)
        for axis, move in places.items():
            place["xyz".index(axis)] += move(number)
        one.ImagePositionPatient = place.tolist()

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (shifted(z=lambda k: 2.5 * (k > 5)), "slices missing between z = 324.8 and 329.8 mm"),
        (shifted(z=lambda k: 2.3 * k * (k > 5)), "several scans are mixed"),
        (shifted(z=lambda k: 0.09 * k * k / 2), "slices are missing"),
        (shifted(z=lambda k: -2.5 * (k > 4)), "1 images of the series lie where another lies"),
        (shifted(x=lambda k: 3 * (k > 4)), "shifted sideways by up to 1"),
    ],
    ids=["gap", "uneven", "creeping", "twice", "step"],
)
def test_stacks_that_are_no_regular_grid_are_refused(tmp_path, change, words):
    assert words in refusal(write_series(tmp_path, random_hu(), change))


def test_tilt_in_the_tag_alone_is_flagged(tmp_path):
    ct = ingest.read_ct(write_series(tmp_path, random_hu(), GantryDetectorTilt=12))
    check(ct, random_hu())
    assert "GantryDetectorTilt is 12 degrees" in ct.facts["flags"]["tilt_tag"]


def test_rounded_positions_are_accepted(tmp_path):
    ct = ingest.read_ct(write_series(tmp_path, random_hu(), shifted(z=lambda k: 0.04 * (-1) ** k)))
    assert ct.spacing[0] == pytest.approx(2.5, abs=0.02)


@pytest.mark.parametrize(
    ("elements", "words"),
    [
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.4", "Modality": "MR"}, "9 x MR Image Storage"),
        ({"Modality": "PT"}, "9 x CT image of another modality"),
        ({"ImagePositionPatient": None}, "9 x CT image without position"),
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "9 x CT image without position"),
        ({"PixelSpacing": [0, 0]}, "9 x CT image without position"),
        ({"RescaleIntercept": 0}, "not Hounsfield units (2"),
        ({"RescaleIntercept": -9000}, "not Hounsfield units (-"),
    ],
)
def test_what_is_not_ct_in_hu_is_refused(tmp_path, elements, words):
    assert words in refusal(write_series(tmp_path, random_hu(), **elements))


def test_images_of_one_series_that_differ_are_refused(tmp_path):
    write_series(tmp_path, random_hu())
    write_series(tmp_path, random_hu((2, 10, 16)), prefix="small")
    assert "differ in size" in refusal(tmp_path)


def test_too_few_images_are_refused(tmp_path):
    assert "4 x CT image of a short series" in refusal(
        write_series(tmp_path, random_hu((4, 20, 16)))
    )


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (140, "headers of 1 DICOM files are damaged"),
        (300, "1 images of the CT series lack their pixels"),
        (700, "1 images of the CT series lack their pixels"),
        (-300, "cannot be decoded (stored as Explicit VR Little Endian)"),
        (-2, "cannot be decoded (stored as Explicit VR Little Endian)"),
    ],
)
def test_an_image_cut_short_is_refused_even_at_the_end_of_the_stack(tmp_path, length, words):
    path = write_series(tmp_path, random_hu()) / "008.dcm"
    path.write_bytes(path.read_bytes()[:length])
    assert words in refusal(tmp_path)
