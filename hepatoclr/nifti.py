"""One volume from a NIfTI file, as other programs write them."""

import zlib
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np

from hepatoclr import geometry, volumes
from hepatoclr.errors import BadCase
from hepatoclr.volumes import Volume

SUFFIXES = (".nii", ".nii.gz")
CUT_SHORT = (EOFError, MemoryError, OSError, OverflowError, ValueError, zlib.error)


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
        image = nib.load(path)
        array = np.asanyarray(image.dataobj)
    except PermissionError:
        raise
    except (nib.filebasedimages.ImageFileError, nib.spatialimages.HeaderDataError) as error:
        raise BadCase("the file is no readable NIfTI. Convert it again.") from error
    except CUT_SHORT as error:
        raise BadCase("the NIfTI file is cut short or damaged. Copy it again.") from error
    return _placed(array, image)


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
    _check_axes(image.affine[:3, :3])
    unplaced = not (image.header["sform_code"] or image.header["qform_code"])
    remark = "the file does not say how it lies in the patient (no sform, no qform)"
    facts = {
        "stored_orientation": volumes.orientation(image.affine),
        "warnings": [remark] if unplaced else [],
    }
    turned = volumes.canonical(array.reshape(array.shape[:3]), image.affine)
    return replace(turned, facts=facts)


def _check_axes(axes: np.ndarray) -> None:
    """Check that the columns of a 3x3 matrix can be the steps of a CT's grid, mm."""
    lengths = np.linalg.norm(axes, axis=0)
    if not geometry.plausible(lengths):
        sizes = " x ".join(f"{length:g}" for length in lengths)
        raise BadCase(f"voxels of {sizes} mm cannot be those of a CT. Convert it again.")
    x, y, z = (axes / lengths).T
    if not all(geometry.perpendicular(*pair) for pair in ((x, y), (x, z), (y, z))):
        raise BadCase(
            "the axes of the grid are not perpendicular, as after a tilted gantry. "
            "Give a reconstruction without tilt."
        )
