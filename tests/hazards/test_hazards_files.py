"""Hazards of files and archives, and of NIfTI: read right, or excluded with the reason."""

import gzip
import os
import re
import shutil
import struct
import zipfile
from functools import partial

import nibabel as nib
import numpy as np
import pytest
from example_ct import SPACING, affine, write_nifti, write_series
from hazards import BOX, HU, hazard, smooth

from hepatoclr.base.errors import UserError
from hepatoclr.imaging import formats, ingest, volumes

HAZARDS = []
hazard = partial(hazard, into=HAZARDS)
XYZ = HU.transpose(2, 1, 0)


@pytest.mark.parametrize("case", HAZARDS)
def test_hazard(case, tmp_path):
    case.check(tmp_path)


# --- folders and files ---


@hazard("1 images of the CT series lack their pixels")
def a_file_cut_in_its_header(folder):
    path = write_series(folder, HU) / "004.dcm"
    path.write_bytes(path.read_bytes()[:600])


@hazard("cannot be decoded (stored as Explicit VR Little Endian)")
def a_file_cut_in_its_pixels(folder):
    path = write_series(folder, HU) / "004.dcm"
    path.write_bytes(path.read_bytes()[:-100])


@hazard("the headers of 1 DICOM files are damaged")
def a_file_cut_after_its_first_bytes(folder):
    path = write_series(folder, HU) / "004.dcm"
    path.write_bytes(path.read_bytes()[:140])


@hazard("the headers of 1 DICOM files are damaged")
def a_file_whose_series_is_of_no_known_type(folder):
    path = write_series(folder, HU) / "004.dcm"
    path.write_bytes(path.read_bytes().replace(b"\x20\0\x0e\0UI", b"\x20\0\x0e\0QI"))


@hazard()
def a_ring_of_links(folder):
    write_series(folder / "a", HU)
    (folder / "a" / "ring").symlink_to(folder)
    (folder / "self").symlink_to(folder / "self")


@hazard()
def an_unusual_name(folder):
    return write_series(folder / "a, 'b' \"c\" é 日本 %20;&", HU)


@hazard("no file at all")
def an_empty_folder(folder):
    (folder / "nested").mkdir()


@hazard("1 x CT image of a short series. Give the folder of the CT series")
def a_file_where_a_folder_should_be(folder):
    return write_series(folder, HU) / "000.dcm"


@hazard("no such file or folder")
def a_link_that_leads_nowhere(folder):
    (folder / "ct").symlink_to(folder / "gone")
    return folder / "ct"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path):
    (write_series(tmp_path, HU) / "004.dcm").chmod(0)
    with pytest.raises(ingest.BadCase, match="permission denied"):
        ingest.read_ct(tmp_path)


def test_a_refused_permission_is_named(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied", str(tmp_path))

    write_series(tmp_path, HU)
    monkeypatch.setattr("hepatoclr.imaging.dicom.headers.dcmread", refuse)
    with pytest.raises(ingest.BadCase, match="may not be read: permission denied"):
        ingest.read_ct(tmp_path)


def test_a_failing_disk_fails_the_job_and_names_no_path(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError(5, "Input/output error", str(tmp_path))

    write_series(tmp_path, HU)
    monkeypatch.setattr("hepatoclr.imaging.dicom.headers.dcmread", fail)
    with pytest.raises(UserError, match="reading the CT failed: Input/output error") as failed:
        ingest.read_ct(tmp_path)
    assert str(tmp_path) not in str(failed.value)
    assert not isinstance(failed.value, ingest.BadCase)


# --- zip archives ---


def packed(folder, name="series/{}", compression=zipfile.ZIP_DEFLATED):
    archive = folder / "ct.zip"
    series = write_series(folder / "series", HU)
    with zipfile.ZipFile(archive, "w", compression) as made:
        for path in sorted(series.iterdir()):
            made.writestr(name.format(path.name), path.read_bytes())
    shutil.rmtree(series)
    return archive


@hazard()
def a_zip(folder):
    return packed(folder)


@hazard()
def a_zip_under_another_name(folder):
    return packed(folder).rename(folder / "ct.download")


@hazard("leads outside")
def a_zip_that_writes_outside(folder):
    return packed(folder, "../../{}")


@hazard("zip archive is broken")
def a_zip_with_a_wrong_checksum(folder):
    archive = packed(folder, compression=zipfile.ZIP_STORED)
    content = bytearray(archive.read_bytes())
    content[900] ^= 0xFF
    archive.write_bytes(content)
    return archive


@hazard("zip archive is broken")
def a_zip_cut_short(folder):
    archive = packed(folder)
    archive.write_bytes(archive.read_bytes()[:-500])
    return archive


@hazard("holds more than 8 GB")
def a_zip_bomb(folder):
    archive = packed(folder)
    content = bytearray(archive.read_bytes())
    entry = content.rindex(b"PK\1\2")
    content[entry + 24 : entry + 28] = struct.pack("<I", 0xFFFFFFF0)
    entry = content.index(b"PK\1\2")
    content[entry + 24 : entry + 28] = struct.pack("<I", 0xFFFFFFF0)
    archive.write_bytes(content)
    return archive


@hazard("zip archive is broken")
def a_zip_that_unpacks_to_more_than_it_says(folder):
    archive = folder / "bomb.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("bomb", bytes(10**7))
    content = bytearray(archive.read_bytes())
    for mark, place in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        entry = content.index(mark)
        content[entry + place : entry + place + 4] = struct.pack("<I", 100)
    archive.write_bytes(content)
    return archive


@hazard("there is no DICOM and no NIfTI file, but 1 x a zip archive. Unpack it.")
def a_zip_in_a_zip(folder):
    inner = packed(folder)
    with zipfile.ZipFile(folder / "outer.zip", "w") as made:
        made.write(inner, "inner.zip")
    return folder / "outer.zip"


# --- NIfTI ---


@hazard()
def nifti_of_int16(folder):
    return write_nifti(folder / "ct.nii")


@hazard()
def nifti_of_int32_packed(folder):
    return write_nifti(folder / "ct.nii.gz", XYZ.astype(np.int32))


@hazard()
def nifti_of_float64(folder):
    return write_nifti(folder / "ct.nii.gz", XYZ.astype(float))


@hazard()
def nifti_scaled(folder):
    stored = nib.Nifti1Image(((XYZ + 1024) * 2).astype(np.uint16), affine())
    stored.header.set_slope_inter(0.5, -1024)
    nib.save(stored, folder / "ct.nii.gz")
    return folder / "ct.nii.gz"


@hazard()
def nifti_of_four_dimensions_and_one_volume(folder):
    return write_nifti(folder / "ct.nii", XYZ[..., None])


@hazard("the file holds 2 volumes")
def nifti_of_two_volumes(folder):
    return write_nifti(folder / "ct.nii", np.stack([XYZ, XYZ], -1))


@hazard()
def nifti_version_2(folder):
    nib.save(nib.Nifti2Image(XYZ, affine()), folder / "ct.nii")
    return folder / "ct.nii"


def write_field(folder, axes):
    """Write the smooth body on a grid: columns of `axes` are its steps in mm, LPS."""
    grid = np.eye(4)
    grid[:3, :3], grid[:3, 3] = axes, (-8, -10, -14)
    index = np.stack(np.meshgrid(*map(np.arange, BOX[::-1]), indexing="ij"), -1)
    hu = np.rint(smooth(index @ grid[:3, :3].T + grid[:3, 3])).astype(np.int16)
    image = nib.Nifti1Image(hu, None)
    image.set_sform(volumes.LPS_TO_RAS @ grid, code=1)
    image.header.set_zooms(np.linalg.norm(axes, axis=0))
    nib.save(image, folder / "ct.nii.gz")
    return folder / "ct.nii.gz"


def turned(degrees):
    angle = np.radians(degrees)
    sin, cos = np.sin(angle), np.cos(angle)
    return np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])


@hazard(hu=None, flags=("oblique",))
def nifti_oblique(folder):
    return write_field(folder, turned(14) @ np.diag([0.8, 0.9, 2.5]))


@hazard(hu=None, flags=("tilt",))
def nifti_sheared(folder):
    axes = np.diag([0.8, 0.9, 2.5])
    axes[1, 2] = 0.5
    return write_field(folder, axes)


@hazard("rows and columns of the grid are not perpendicular")
def nifti_sheared_within_the_slice(folder):
    axes = np.diag([0.8, 0.9, 2.5])
    axes[1, 0] = 0.3
    return write_field(folder, axes)


@hazard("two ways, 5.0 mm apart")
def nifti_of_two_places(folder):
    image, moved = nib.Nifti1Image(XYZ, affine()), affine()
    moved[0, 3] += 5
    image.set_sform(affine(), code=1)
    image.set_qform(moved, code=1)
    nib.save(image, folder / "ct.nii.gz")
    return folder / "ct.nii.gz"


@hazard(hu=HU[:, ::-1], flags=("unplaced",), grid=affine(origin=(-6, -8.55, -10)))
def nifti_of_no_place(folder):
    image = nib.Nifti1Image(XYZ, None)
    image.header.set_zooms(SPACING[::-1])
    nib.save(image, folder / "ct.nii")
    return folder / "ct.nii"


@hazard("cannot be those of a CT")
def nifti_of_no_spacing(folder):
    grid = affine()
    grid[:, 2] = 0
    image = nib.Nifti1Image(XYZ, None)
    image.set_sform(grid, code=1)
    nib.save(image, folder / "ct.nii")
    return folder / "ct.nii"


@hazard("the file measures in another unit than mm")
def nifti_in_micron(folder):
    image = nib.Nifti1Image(XYZ, affine())
    image.header.set_xyzt_units("micron")
    nib.save(image, folder / "ct.nii.gz")
    return folder / "ct.nii.gz"


@hazard("not numbers (NaN or infinite)")
def nifti_with_nan(folder):
    array = XYZ.astype(np.float32)
    array[3, 3, 3] = np.nan
    return write_nifti(folder / "ct.nii.gz", array)


@hazard("not numbers (NaN or infinite)")
def nifti_with_infinity(folder):
    array = XYZ.astype(np.float32)
    array[3, 3, 3] = -np.inf
    return write_nifti(folder / "ct.nii.gz", array)


@hazard("intensities are not Hounsfield units (0..255)")
def nifti_of_a_picture(folder):
    return write_nifti(folder / "ct.nii.gz", np.linspace(0, 255, XYZ.size).reshape(XYZ.shape))


@hazard("cut short or damaged")
def nifti_cut_short(folder):
    path = write_nifti(folder / "ct.nii")
    path.write_bytes(path.read_bytes()[:-100])
    return path


@hazard("cut short or damaged")
def nifti_gz_cut_short(folder):
    path = write_nifti(folder / "ct.nii.gz")
    path.write_bytes(path.read_bytes()[:-100])
    return path


@hazard("cut short or damaged")
def nifti_gz_with_a_wrong_checksum(folder):
    path = write_nifti(folder / "ct.nii.gz")
    content = bytearray(path.read_bytes())
    content[-6] ^= 0xFF
    path.write_bytes(content)
    return path


@hazard("longer than its header says")
def nifti_longer_than_its_header_says(folder):
    path = write_nifti(folder / "ct.nii.gz")
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + b"\0" * 64))
    return path


# --- what a file is, not what it is called ---


@hazard()
def nifti_in_capitals(folder):
    return write_nifti(folder / "ct.nii.gz").rename(folder / "CT.NII.GZ")


@hazard()
def nifti_packed_under_a_plain_name(folder):
    return write_nifti(folder / "ct.nii.gz").rename(folder / "ct.nii")


@hazard()
def nifti_plain_under_a_packed_name(folder):
    return write_nifti(folder / "ct.nii").rename(folder / "ct.nii.gz")


@hazard()
def nifti_without_a_suffix(folder):
    return write_nifti(folder / "ct.nii.gz").rename(folder / "0003")


@hazard()
def nifti_in_a_folder_of_its_name(folder):
    (folder / "0003.nii.gz").mkdir()
    write_nifti(folder / "0003.nii.gz" / "ct.nii.gz")
    return folder / "0003.nii.gz"


@hazard()
def nifti_in_a_folder_with_what_converters_and_macs_leave(folder):
    write_nifti(folder / "ct.nii.gz")
    (folder / "._ct.nii.gz").write_bytes(b"\0\5\x16\7" + bytes(100))
    (folder / "ct.json").write_text("{}")
    (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")


@hazard()
def nifti_in_a_folder_that_a_link_leads_to(folder):
    (folder / "a").mkdir()
    write_nifti(folder / "a" / "ct.nii")
    (folder / "b").mkdir()
    (folder / "b" / "ct").symlink_to(folder / "a")
    return folder / "b"


@hazard()
def nifti_beside_the_dicom_that_it_was_made_of(folder):
    write_series(folder / "dicom", HU)
    write_nifti(folder / "ct.nii.gz", XYZ[::-1])


@hazard("2 NIfTI files lie there, and no DICOM. Give the one that is meant.")
def nifti_beside_its_mask(folder):
    write_nifti(folder / "ct.nii.gz")
    write_nifti(folder / "mask.nii.gz")


def zipped(folder, **files):
    with zipfile.ZipFile(folder / "ct.zip", "w") as made:
        for name, path in files.items():
            made.write(path, name)
    return folder / "ct.zip"


@hazard()
def nifti_in_a_zip_of_a_mac(folder):
    (folder / "rubbish").write_bytes(b"\0\5\x16\7" + bytes(100))
    path = write_nifti(folder / "ct.nii.gz")
    return zipped(folder, **{"a/ct.nii.gz": path, "__MACOSX/a/._ct.nii.gz": folder / "rubbish"})


@hazard("2 NIfTI files lie there")
def nifti_twice_in_a_zip(folder):
    path = write_nifti(folder / "ct.nii.gz")
    return zipped(folder, a=path, b=path)


@hazard(hu=HU[:, ::-1, ::-1], grid=affine((1, 1, 1), (-15, -19, 0)), flags=("unplaced",))
def nifti_of_the_identity_as_nibabel_has_it(folder):
    return write_nifti(folder / "ct.nii.gz", XYZ, np.eye(4))


@hazard(grid=affine((1, 1, 1), (0, 0, 0)), flags=("unplaced",))
def nifti_of_the_identity_as_itk_has_it(folder):
    return write_nifti(folder / "ct.nii", XYZ, np.diag([-1, -1, 1, 1]))


OTHERS = {  # what stands where a CT should: its content, and words of the refusal
    "a git-lfs pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
    "a git-annex pointer": b"/annex/objects/MD5E-s9--0.nii.gz\n",
    "a web page": b"\n<!DOCTYPE html><html><title>Sign in</title></html>",
    "JSON": b'{"error": "not found"}',
    "NRRD": b"NRRD0004\ntype: short\n",
    "MetaImage (.mha, .mhd)": b"ObjectType = Image\nNDims = 3\n",
    "half of a pair (.hdr, .img)": b"\x5c\1\0\0" + bytes(340) + b"ni1\0",
    "compressed twice by gzip": gzip.compress(gzip.compress(b"x")),
    "a shortcut or placeholder": b"L\0\0\0\1\x14\2\0",
    "a picture": b"\x89PNG\r\n\x1a\n",
    "HDF5": b"\x89HDF\r\n\x1a\n",
    "a PDF": b"%PDF-1.7",
    "a tar, 7z, rar, xz, bzip2 or zstd archive": b"7z\xbc\xaf\x27\x1c",
    "empty": b"",
    "full of zeros": bytes(1000),
    "broken gzip": b"\x1f\x8b\x08\x00rubbish",
}


@pytest.mark.parametrize("name", ["ct.nii.gz", "ct.zip", "folder"])
@pytest.mark.parametrize("found", OTHERS)
def test_what_is_no_ct_is_called_by_its_name(found, name, tmp_path):
    path = tmp_path / name
    if name == "folder":
        path.mkdir()
        (path / "image").write_bytes(OTHERS[found])
    else:
        path.write_bytes(OTHERS[found])
    with pytest.raises(ingest.BadCase, match=re.escape(found)):
        ingest.read_ct(path)


def test_what_is_no_ct_is_called_by_its_name_though_compressed(tmp_path):
    (tmp_path / "analyze.img").write_bytes(b"\1" * 900)
    assert formats.kind(tmp_path / "analyze.img") == formats.PAIR
    (tmp_path / "ct.nii.gz").write_bytes(gzip.compress(OTHERS["a web page"]))
    with pytest.raises(ingest.BadCase, match="the file is a web page. Download or copy it again"):
        ingest.read_ct(tmp_path / "ct.nii.gz")
