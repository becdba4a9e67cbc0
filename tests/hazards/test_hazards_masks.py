"""Hazards of liver masks: right within a voxel's share, or excluded with the cause."""

import shutil
import zipfile
from functools import cache
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from example_ct import ORIGIN, SPACING, affine, write_nifti, write_series
from pydicom import dcmread
from pydicom.uid import RLELossless, RTStructureSetStorage, SecondaryCaptureImageStorage
from scipy import ndimage

from hepatoclr.base.errors import BadCase
from hepatoclr.imaging import ingest, measures, volumes
from hepatoclr.imaging.segmentation import provided
from hepatoclr.imaging.volumes import Volume

SHAPE = (24, 60, 64)
RANDOM = np.random.default_rng(0)
MASKS = []


@cache
def ball(radius: float = 1, centre: tuple = (12, 33, 24)) -> np.ndarray:
    """How deep a voxel lies in an ellipsoid, above 0 inside; without symmetry in the volume."""
    at = np.moveaxis(np.indices(SHAPE), 0, -1)
    return radius - np.linalg.norm((at - centre) / (9, 20, 16), axis=-1)


BODY = np.where(ball(2) > 0, RANDOM.normal(60, 20, SHAPE), -1000)  # with a bone of 8 voxels
BODY[:, 38:46, 20:28] = RANDOM.normal(600, 200, (24, 8, 8))
CT = Volume(BODY.astype(np.int16), affine(), {"flags": {}})
LIVER = (ball() >= 0).astype(np.uint8)
SHARES = np.clip(0.5 + ball() * 4, 0, 1)  # as of a network: 0.5 at the border, a wide rim
ANTIALIASED = ndimage.uniform_filter(LIVER.astype(float), 2)
SEVERAL = LIVER.copy()  # Couinaud's segments
SEVERAL[LIVER == 1] = 1 + np.argwhere(LIVER)[:, 2] // 6
ORGANS = LIVER * 5  # and a neighbour
ORGANS[:, :12, :12] = 3


def mask(words="", label=None, is_=LIVER, flags=(), differ=0.0):
    """Register a mask with what must become of it.

    Args:
        words: Of the refusal.
        label: The liver's.
        is_: What is liver, where it is read.
        flags: Which it has then.
        differ: Share of the liver that may be another.
    """

    def register(make):
        MASKS.append(pytest.param(make, words, label, is_, flags, differ, id=make.__name__))
        return make

    return register


@pytest.mark.parametrize(("make", "words", "label", "is_", "flags", "differ"), MASKS)
def test_mask(make, words, label, is_, flags, differ, tmp_path):
    made = make(tmp_path)
    path = made if isinstance(made, Path) else write_mask(tmp_path, made)
    if words:
        with pytest.raises(BadCase) as refused:
            measures.measure(provided.read(CT, path, label), CT)
        message = str(refused.value)
        assert words in message
        assert str(tmp_path) not in message
        assert "Sentinel" not in message
        return
    found = provided.read(CT, path, label)
    assert np.count_nonzero(found.array != (is_ != 0)) <= differ * np.count_nonzero(is_)
    assert tuple(found.facts["flags"]) == flags


def write_mask(folder: Path, array: np.ndarray, name: str = "mask.nii.gz", grid=None) -> Path:
    return write_nifti(folder / name, array.transpose(2, 1, 0), grid)


# --- numbers of one mask ---


@mask()
def true(_):
    return LIVER


@mask()
def of_255(_):
    return LIVER * np.uint8(255)


@mask()
def of_one_odd_number(_):
    return LIVER * np.float32(14.2452545)


@mask(label=1)
def of_1_with_noise_of_floats(_):
    return np.where(LIVER, np.float32(0.99999994), np.float32(1e-9))


@mask()
def of_booleans_in_floats_of_16_bits(_):
    return LIVER.astype(np.float32)


@mask()
def stored_as_255_with_a_slope(folder):
    image = nib.Nifti1Image(LIVER.transpose(2, 1, 0), affine())
    image.header.set_slope_inter(0.00392157, 0)
    nib.save(image, folder / "mask.nii")
    return folder / "mask.nii"


@mask()
def nan_outside(_):
    return np.where(LIVER, 1.0, np.nan)


@mask(is_=LIVER * (np.indices(SHAPE)[2] > 20))
def nan_inside(_):
    array = LIVER.astype(np.float32)
    array[:, :, :21] = np.nan
    return array


@mask("the liver mask is empty")
def nan_everywhere(_):
    return np.full(SHAPE, np.nan, np.float32)


@mask()
def minus_1024_outside(_):
    return np.where(LIVER, 1, -1024).astype(np.int16)


@mask()
def minus_1_where_nothing_was_looked_at(_):
    array = LIVER.astype(np.int16)
    array[:, :5] = -1
    return array


@mask()
def minus_infinity_outside(_):
    return np.where(LIVER, 1, -np.inf)


@mask("some values of the mask are infinite")
def infinity_inside(_):
    return np.where(LIVER, np.inf, 0)


@mask("no value of the mask is above 0, but some are -1")
def minus_1_where_255_was_meant(_):
    return (LIVER * np.uint8(255)).view(np.int8)


@mask("as if inside and outside were exchanged")
def inverted(_):
    return (1 - LIVER) * np.uint8(255)


@mask("as if inside and outside were exchanged")
def shares_of_what_is_no_liver(_):
    return 1 - SHARES


@mask("as if inside and outside were exchanged")
def of_ones_alone(_):
    return np.ones(SHAPE, np.uint8)


# --- values between ---


@mask(flags=("thresholded",))
def shares(_):
    return SHARES.astype(np.float32)


@mask(flags=("thresholded",), label=1)
def shares_with_the_label_1(_):
    return SHARES


@mask(flags=("thresholded",))
def shares_of_less_than_1(_):
    return SHARES * 0.004


@mask(flags=("thresholded",), differ=0.01)
def shares_in_percent(_):
    return np.rint(SHARES * 100).astype(np.uint8)


@mask(flags=("thresholded",))
def shares_that_are_nowhere_0(_):
    return 1 / (1 + np.exp(-40 * ball()))


@mask(flags=("thresholded",), differ=0.02)
def shares_of_8_bits_that_are_nowhere_0(_):
    return np.rint(3 + 250 / (1 + np.exp(-30 * ball()))).astype(np.uint8)


@mask(flags=("thresholded",), is_=ANTIALIASED >= 0.5)
def antialiased(_):
    return np.rint(ANTIALIASED * 255).astype(np.uint8)


@mask(flags=("thresholded",), label=255, is_=ANTIALIASED >= 0.5)
def antialiased_with_its_label(_):
    return np.rint(ANTIALIASED * 255).astype(np.uint8)


@mask("values between its labels", label=1)
def antialiased_with_another_label(_):
    return np.rint(ANTIALIASED * 255).astype(np.uint8)


@mask(flags=("thresholded",), differ=0.02)
def resampled_by_splines(_):
    finer = ndimage.zoom(LIVER.astype(float), 2, order=3, grid_mode=True, mode="grid-constant")
    return ndimage.zoom(finer, 0.5, order=3, grid_mode=True, mode="grid-constant")


@mask(flags=("thresholded",), differ=0.03)
def resampled_to_a_finer_grid(folder):
    finer = ndimage.zoom(LIVER.astype(float), 2, order=1, grid_mode=True, mode="nearest")
    grid = affine() @ np.diag([0.5, 0.5, 0.5, 1])
    grid[:3, 3] += affine()[:3, :3] @ [-0.25, -0.25, -0.25]
    return write_mask(folder, finer, grid=grid)


@mask(flags=("thresholded",), is_=np.rint(ANTIALIASED * 5) >= 2.5)
def labels_resampled_and_rounded(_):
    return np.rint(ANTIALIASED * 5).astype(np.uint8)


# --- several labels ---


@mask(flags=("labels",))
def several_labels(_):
    return SEVERAL


@mask(is_=SEVERAL == 3, label=3)
def several_labels_of_which_one_is_liver(_):
    return SEVERAL


@mask(is_=SEVERAL == 3, label=3)
def several_labels_with_noise(_):
    return SEVERAL * np.float32(0.9999999)


@mask("no label 9; it has 2, 3, 4, 5, 6, 7", label=9)
def several_labels_without_the_wanted(_):
    return SEVERAL


@mask(label=5)
def organs(_):
    return ORGANS


@mask("values between its labels", label=5)
def organs_interpolated(_):
    return ndimage.uniform_filter(ORGANS.astype(float), 2)


@mask("values between its labels")
def organs_interpolated_without_a_label(_):
    return ndimage.uniform_filter(ORGANS.astype(float), 2)


@mask("the mask has 26 labels. Say which is the liver's")
def many_organs(_):
    z, y, x = np.indices(SHAPE) // 8
    return (1 + z + 3 * y + x % 3).astype(np.uint8)


# --- images in place of masks ---


@mask("the mask is the CT itself")
def the_ct_itself(_):
    return CT.array


@mask("it may be an image")
def another_ct(_):
    return CT.array[::-1]


@mask("it may be an image")
def the_ct_in_floats_without_its_background(_):
    return np.where(ball() > -0.5, CT.array, -1024).astype(np.float32)


@mask("it may be an image")
def the_ct_as_a_picture_of_8_bits(_):
    return np.clip((CT.array + 100) / 4, 0, 255).astype(np.uint8)


@mask("it may be an image")
def the_ct_from_0(_):
    return np.maximum(CT.array, 0)


@mask("it may be an image")
def outputs_of_a_network_before_its_sigmoid(_):
    return (30 * ball()).astype(np.float32)


# --- files, folders and archives ---


@mask()
def in_a_zip(folder):
    with zipfile.ZipFile(folder / "mask.zip", "w") as made:
        made.write(write_mask(folder, LIVER), "a/mask.nii.gz")
    return folder / "mask.zip"


@mask()
def in_a_folder_of_its_name(folder):
    (folder / "liver.nii.gz").mkdir()
    write_mask(folder / "liver.nii.gz", LIVER, "mask.nii")
    return folder / "liver.nii.gz"


@mask("2 NIfTI files lie there")
def beside_its_ct(folder):
    write_mask(folder, LIVER)
    write_mask(folder, CT.array, "ct.nii.gz")
    return folder


@mask("Save the mask with the CT's affine")
def with_the_identity_as_affine(folder):
    return write_mask(folder, LIVER, grid=np.eye(4))


@mask("the file is NRRD. Convert it to NIfTI")
def of_slicer(folder):
    (folder / "mask.seg.nrrd").write_bytes(b"NRRD0004\ntype: uchar\n")
    return folder / "mask.seg.nrrd"


@mask("the file is a web page")
def of_a_portal_that_wants_a_password(folder):
    (folder / "mask.nii.gz").write_bytes(b"<html>Sentinel</html>")
    return folder / "mask.nii.gz"


@mask("the file is a git-lfs pointer")
def not_fetched(folder):
    (folder / "mask.nii.gz").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    return folder / "mask.nii.gz"


@mask("no such mask file or folder")
def that_is_nowhere(folder):
    return folder / "mask.nii.gz"


# --- DICOM ---


def series(folder, array=LIVER * 255, change=lambda number, image: None, **elements):
    """A mask as a DICOM series of 8 bits, with what its CT's headers say of rescale."""

    def store(number, image):
        image.BitsAllocated = image.BitsStored = 8
        image.HighBit = 7
        image.PixelData = array[number].astype(np.uint8).tobytes()
        change(number, image)

    return write_series(folder / "dicom", np.int16(array), store, **elements)


@mask()
def a_series(folder):
    return series(folder)


@mask()
def a_series_in_another_order_of_another_class(folder):
    def turn(number, image):
        image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
        image.Modality = "OT"

    path = series(folder, change=turn)
    for number, file in enumerate(sorted(path.iterdir())[::-1]):
        file.rename(path / f"image_{number}")
    return path


@mask()
def a_series_without_preambles_in_a_folder_behind_a_link(folder):
    path = series(folder)
    for one in path.iterdir():
        one.write_bytes(one.read_bytes()[132:])
    (folder / "liver").mkdir()
    (folder / "liver" / "link").symlink_to(path)
    return folder / "liver"


@mask()
def a_series_compressed(folder):
    return series(folder, change=lambda number, image: image.compress(RLELossless))


@mask()
def a_series_whose_positions_lack_x_and_y(folder):
    def lack(number, image):
        image.ImagePositionPatient = [0, 0, image.ImagePositionPatient[2]]
        del image.ImageOrientationPatient, image.PixelSpacing

    return series(folder, change=lack)


@mask()
def a_series_whose_positions_are_z_alone(folder):
    def lack(number, image):
        image.ImagePositionPatient = ["", "", image.ImagePositionPatient[2]]

    return series(folder, change=lack)


@mask()
def a_series_of_the_livers_slices(folder):
    path = series(folder)
    for number, one in enumerate(sorted(path.iterdir())):
        if not LIVER[number].any():
            one.unlink()
    return path


@mask()
def a_series_upside_down(folder):
    def turn(number, image):
        image.ImageOrientationPatient = [1, 0, 0, 0, -1, 0]
        image.ImagePositionPatient[1] += (SHAPE[1] - 1) * SPACING[1]

    return series(folder, LIVER[:, ::-1] * 255, turn)


@mask("their numbers do not tell which end is up")
def a_series_of_numbers_alone(folder):
    def lack(number, image):
        image.InstanceNumber = number
        del image.ImagePositionPatient

    return series(folder, change=lack)


@mask("they are not those of the CT")
def a_series_of_another_height_that_lacks_x_and_y(folder):
    def lack(number, image):
        image.ImagePositionPatient = [0, 0, ORIGIN[2] + 40 + 2.5 * number]

    return series(folder, change=lack)


@mask("they are not those of the CT")
def a_series_of_fewer_images_that_lacks_x_and_y(folder):
    def lack(number, image):
        image.ImagePositionPatient = [0, 0, image.ImagePositionPatient[2]]

    path = series(folder, change=lack)
    (path / "023.dcm").unlink()
    return path


@mask("slices missing")
def a_series_without_one_in_the_middle(folder):
    path = series(folder)
    (path / "012.dcm").unlink()
    return path


@mask("the mask has 1 DICOM images. Give the folder")
def one_image_of_a_series(folder):
    return series(folder) / "012.dcm"


@mask("as masks of several organs do")
def series_of_two_organs(folder):
    series(folder).rename(folder / "liver")
    series(folder, ORGANS == 3).rename(folder / "spleen")
    return folder


@mask("in colour")
def a_series_in_colour(folder):
    def colour(number, image):
        image.SamplesPerPixel, image.PhotometricInterpretation = 3, "RGB"
        image.PlanarConfiguration = 0
        image.PixelData = image.PixelData * 3

    return series(folder, change=colour)


@mask("it may be an image")
def the_series_of_the_ct(folder):
    return write_series(folder / "dicom", CT.array)


@mask()
def a_series_in_a_zip(folder):
    path = series(folder)
    shutil.make_archive(folder / "mask", "zip", path)
    return folder / "mask.zip"


@mask("an RTSTRUCT, outlines instead of voxels")
def rtstruct(folder):
    path = series(folder) / "000.dcm"
    one = dcmread(path)
    one.SOPClassUID = one.file_meta.MediaStorageSOPClassUID = RTStructureSetStorage
    del one.PixelData, one.Rows, one.Columns
    one.save_as(folder / "rs.dcm", enforce_file_format=True)
    return folder / "rs.dcm"


def test_a_series_without_a_direction_lies_as_its_ct_was_stored(tmp_path):
    def turn(number, image):
        image.ImageOrientationPatient = [-1, 0, 0, 0, 1, 0]
        image.ImagePositionPatient[0] += (SHAPE[2] - 1) * SPACING[2]

    def lack(number, image):
        image.ImagePositionPatient = [0, 0, image.ImagePositionPatient[2]]
        del image.ImageOrientationPatient

    ct = ingest.read_ct(write_series(tmp_path / "ct", CT.array[:, :, ::-1], turn))
    np.testing.assert_array_equal(ct.array, CT.array)
    path = series(tmp_path, LIVER[:, :, ::-1] * 255, lack)
    np.testing.assert_array_equal(provided.read(ct, path).array, LIVER)
    np.testing.assert_array_equal(provided.read(CT, path).array, LIVER[:, :, ::-1])


def test_a_real_liver_keeps_its_volume_whatever_stands_between(shared_ct, tmp_path):
    liver = volumes.load(shared_ct / "chaos_liver.nii.gz")
    ct = Volume(np.zeros(liver.array.shape, np.int16), liver.affine)
    network = ndimage.gaussian_filter(liver.array.astype(np.float32), 3)
    for array in (network, np.rint(network * 255), np.where(network > 0, network, np.nan)):
        path = write_mask(tmp_path, array.astype(np.float32), grid=liver.affine)
        found = measures.measure(provided.read(ct, path), ct)
        assert found["volume_ml"] == pytest.approx(1417, rel=0.01)
