"""CT volumes and masks: an array, where it lies in the patient, and NIfTI files of both.

Orientation is canonical throughout: array axes are (z, y, x), x grows to the patient's left,
y to the back, z to the head (DICOM's patient axes). A slice `array[k]` therefore shows as a
radiologist expects it: front up, the patient's right on the left.
"""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from isal import igzip  # gzip, four times as fast

from hepatoclr.base import files, imports

with imports.without("pydicom", "scipy"):  # for headers that are none of a CT
    import nibabel as nib

CANONICAL = ("L", "P", "S")
AIR = -1024
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])  # its own inverse


@dataclass(frozen=True)
class Volume:
    """A volume on a regular grid.

    Attributes:
        array: Voxels, shape (z, y, x): int16 HU for CT, uint8 for masks.
        affine: 4x4, voxel indices (x, y, z) to patient coordinates in mm, RAS+ as in NIfTI.
        facts: What was found on the way here, free of identity, ready for JSON.
    """

    array: np.ndarray
    affine: np.ndarray
    facts: dict = field(default_factory=dict)

    @cached_property
    def spacing(self) -> tuple[float, float, float]:
        """Distance between voxel centres along (z, y, x), mm."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(z), float(y), float(x)

    @cached_property
    def voxel_ml(self) -> float:
        """Volume of one voxel, ml."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000

    def z_mm(self, index: np.ndarray | int) -> np.ndarray | float:
        """Height in the patient (mm, towards the head) of the middle of slice `index`."""
        _, rows, columns = self.array.shape
        x, y = (columns - 1) / 2, (rows - 1) / 2
        return self.affine[2] @ np.array([x, y, 0, 1]) + self.affine[2, 2] * index


def orientation(affine: np.ndarray) -> str:
    """Letters for where the axes (x, y, z) of an affine point, such as LPS."""
    return "".join(nib.aff2axcodes(affine))


def canonical(array_xyz: np.ndarray, affine: np.ndarray) -> Volume:
    """Turn a NIfTI-ordered array (x, y, z) into the canonical (z, y, x) volume.

    Axes are flipped and exchanged, never resampled: an oblique volume keeps its obliquity
    in the affine.
    """
    turn = nib.orientations.ornt_transform(
        nib.orientations.io_orientation(affine), nib.orientations.axcodes2ornt(CANONICAL)
    )
    turned = nib.orientations.apply_orientation(array_xyz, turn)
    turned_affine = affine @ nib.orientations.inv_ornt_aff(turn, array_xyz.shape)
    return Volume(np.ascontiguousarray(turned.transpose(2, 1, 0)), turned_affine)


def save(volume: Volume, path: str | Path) -> None:
    """Write a volume as compressed NIfTI, atomically; equal volumes give equal bytes."""
    image = nib.Nifti1Image(volume.array.transpose(2, 1, 0), volume.affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(volume.affine, code="scanner")
    image.set_qform(volume.affine, code="scanner")
    # a time of writing would make bytes differ
    with (
        files.atomic(path) as temporary,
        open(temporary, "wb") as file,
        igzip.IGzipFile("", "wb", compresslevel=1, fileobj=file, mtime=0) as stream,
    ):
        image.to_stream(stream)


def load(path: str | Path) -> Volume:
    """Read a compressed NIfTI file such as `save` writes, canonically.

    Raises:
        UserError: The file is damaged.
    """
    with files.unreadable_as_user_error(path), igzip.open(path) as stream:
        image = nib.Nifti1Image.from_stream(stream)
        array = np.asanyarray(image.dataobj)
        stream.read()  # to the checksum at its end
        return canonical(array, image.affine)


def box(inside: np.ndarray) -> tuple[slice, ...]:
    """The smallest box that holds all that is not 0, which must be something."""
    axes = range(inside.ndim)
    held = [np.flatnonzero(inside.any(axis=tuple({*axes} - {axis}))) for axis in axes]
    return tuple(slice(int(places[0]), int(places[-1]) + 1) for places in held)


def largest_component(mask: np.ndarray) -> np.ndarray:
    """The largest piece of a mask, of voxels that share faces; of equal ones the lowest.

    Args:
        mask: Not 0 inside, shape (z, y, x), which must be somewhere.

    Returns:
        bool, shape (z, y, x).
    """
    import SimpleITK as sitk  # 0.1 s: most jobs go without

    inside = mask != 0
    around = box(inside)
    pieces = sitk.ConnectedComponent(sitk.GetImageFromArray(inside[around].astype(np.uint8)))
    labels = sitk.GetArrayViewFromImage(pieces)
    inside[around] = labels == np.bincount(labels.ravel())[1:].argmax() + 1
    return inside


def same_grid(first: Volume, second: Volume, tolerance_mm: float = 0.01) -> bool:
    """Say whether two volumes have their voxels in the same places."""
    if first.array.shape != second.array.shape:
        return False
    z, y, x = first.array.shape
    corners = np.array([(i, j, k, 1) for i in (0, x) for j in (0, y) for k in (0, z)]).T
    shift = (first.affine - second.affine) @ corners
    return bool(np.abs(shift).max() < tolerance_mm)
