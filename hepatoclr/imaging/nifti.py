"""One volume from a NIfTI file, as other programs write them."""

import zlib
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from isal import igzip, isal_zlib

from hepatoclr.base.errors import BadCase
from hepatoclr.imaging import formats, geometry, volumes
from hepatoclr.imaging.volumes import Volume, nib

SUFFIXES = (".nii", ".nii.gz")
LIMIT_GB = 8
FARTHEST_MM = 10_000
SPATIAL, UNKNOWN, MILLIMETRE = 0x07, 0, 2  # of xyzt_units
SAME_PLACE_MM = 0.1  # float32 is off by 0.0001 at most; what other programs agree on, by less
CHUNK = 1 << 20
UNSET = (np.eye(4), volumes.LPS_TO_RAS)  # what nibabel and ITK write of arrays without a place
NIFTI_2 = (b"\x1c\2\0\0", b"\0\0\2\x1c")  # the length of its header
UNREADABLE = (
    *(nib.filebasedimages.ImageFileError, nib.spatialimages.HeaderDataError),
    nib.wrapstruct.WrapStructError,
)
CUT_SHORT = (EOFError, MemoryError, OSError, OverflowError, ValueError, zlib.error, isal_zlib.error)


def is_named(path: Path) -> bool:
    """Say whether a file is NIfTI by its name."""
    return path.name.lower().endswith(SUFFIXES)


def read(path: Path) -> Volume:
    """Read a NIfTI file of one volume.

    Returns:
        The stored numbers, canonical, stored scaling applied; facts and remarks.

    Raises:
        BadCase: The file is damaged, or is not one volume on a grid such as a CT's.
    """
    try:
        with _opened(path) as stream:
            version = nib.Nifti2Image if stream.read(4) in NIFTI_2 else nib.Nifti1Image
            stream.seek(0)
            image = version.from_stream(stream)
            array = _array(image, stream)
    except BadCase:
        raise
    except UNREADABLE as error:
        raise BadCase("the file is no readable NIfTI. Convert it again.") from error
    except CUT_SHORT as error:
        if not formats.is_damage(error):
            raise
        raise BadCase("the NIfTI file is cut short or damaged. Copy it again.") from error
    return _placed(array, image)


def _opened(path: Path) -> BinaryIO:
    """Open a file, compressed by gzip or not, whatever its name says."""
    with open(path, "rb") as file:
        packed = file.read(2) == formats.GZIP
    return igzip.open(path) if packed else open(path, "rb")


def _array(image: nib.Nifti1Image, stream: BinaryIO) -> np.ndarray:
    """Read the numbers of an image, which must end where its file does.

    A compressed file has its checksum there, before which nibabel stops.
    """
    stored = image.dataobj
    wanted = stored.offset + int(np.prod(stored.shape, dtype=object)) * stored.dtype.itemsize
    if wanted > LIMIT_GB * 1e9:
        raise BadCase(f"the file's header names more than {LIMIT_GB} GB. Give one CT volume.")
    held = stream.seek(0)
    while held <= wanted and (chunk := stream.read(CHUNK)):
        held += len(chunk)
    if held != wanted:
        short = "cut short or damaged" if held < wanted else "longer than its header says"
        raise BadCase(f"the NIfTI file is {short}. Copy or convert it again.")
    return np.asanyarray(stored)


def _placed(array: np.ndarray, image: nib.Nifti1Image) -> Volume:
    """Check a NIfTI file's voxels and grid, and turn it."""
    if array.dtype.kind not in "iuf":
        raise BadCase(f"voxels of type {array.dtype} are no image. Convert it again.")
    held = int(np.prod(array.shape[3:]))
    if array.ndim < 3 or held != 1:
        raise BadCase(
            f"the file holds {held} volumes of {min(array.ndim, 3)} dimensions. "
            "Give one volume per file."
        )
    _check_grid(image)
    remark = _unplaced(image)
    facts = {
        "stored_orientation": volumes.orientation(image.affine),
        "flags": {"unplaced": remark} if remark else {},
    }
    turned = volumes.canonical(array.reshape(array.shape[:3]), image.affine)
    return replace(turned, facts=facts)


def _unplaced(image: nib.Nifti1Image) -> str:
    """Say why a file may not lie where it says; nothing where it may."""
    if not (image.header["sform_code"] or image.header["qform_code"]):
        return "the file does not say how it lies in the patient (no sform, no qform)"
    if any(np.allclose(image.affine, unset, atol=1e-6) for unset in UNSET):
        return "its affine is the identity, as where place and voxel sizes were lost on the way"
    return ""


def _check_grid(image: nib.Nifti1Image) -> None:
    """Check that a file says one thing about its grid, and that this can be a CT's."""
    if not np.abs(image.affine).max() < FARTHEST_MM:
        raise BadCase("the file places its voxels nowhere near a scanner. Convert it again.")
    lengths = np.linalg.norm(image.affine[:3, :3], axis=0)
    if not geometry.is_plausible_spacing(lengths):
        sizes = " x ".join(f"{length:g}" for length in lengths)
        raise BadCase(f"voxels of {sizes} mm cannot be those of a CT. Convert it again.")
    header, x_y_z = image.header, np.array(image.shape[:3])
    if int(header["xyzt_units"]) & SPATIAL not in (UNKNOWN, MILLIMETRE):
        raise BadCase("the file measures in another unit than mm. Convert it again.")
    x, y, _ = (image.affine[:3, :3] / lengths).T
    if not geometry.are_perpendicular(x, y):
        raise BadCase("rows and columns of the grid are not perpendicular. Convert it again.")
    zooms = np.array(header.get_zooms()[:3])
    if (np.abs(zooms - lengths) * x_y_z).max() > SAME_PLACE_MM:
        raise BadCase("the file names two voxel sizes (pixdim, sform). Convert it again.")
    if header["sform_code"] and header["qform_code"]:
        apart = (image.get_sform() - _qform(image)) @ np.array([[0, 0, 0, 1], [*x_y_z, 1]]).T
        if np.abs(apart).max() > SAME_PLACE_MM:
            raise BadCase(
                f"the file places its voxels in two ways, {np.abs(apart).max():.1f} mm apart "
                "(sform, qform). Convert it again, or make them agree."
            )


def _qform(image: nib.Nifti1Image) -> np.ndarray:
    """The affine of a file's quaternion."""
    try:
        return image.get_qform()
    except ValueError as error:
        raise BadCase("the file's qform is no rotation. Convert it again.") from error
