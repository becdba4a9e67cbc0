"""Volumes on another grid: straight axial slices out of tilted, sheared or oblique ones."""

from dataclasses import replace

import numpy as np

from hepatoclr.base.errors import BadCase
from hepatoclr.imaging import geometry, volumes
from hepatoclr.imaging.volumes import Volume

# within a degree the slices of a liver, 200 mm wide, lean by 3.5 mm: about a slice
OBLIQUE_DEGREES = 1.0
TILT_DEGREES = 0.1
MOST_VOXELS = 16


def angles(affine: np.ndarray) -> tuple[float, float]:
    """Measure how the slices of a grid (x, y, z) lie, in degrees.

    Returns:
        tilt, by which the stack leans against the slices' normal, as with a tilted gantry; and
        obliquity, by which the slices lean against the axial plane.
    """
    x, y, z = affine[:3, :3].T
    normal = np.cross(x, y)
    upright = np.array([0.0, 0.0, 1.0])
    return geometry.degrees_between(z, normal), geometry.degrees_between(normal, upright)


def is_axial(affine: np.ndarray) -> bool:
    """Say whether a grid is straight and its slices axial within a degree."""
    x, y, z = (affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)).T
    straight = all(geometry.are_perpendicular(*pair) for pair in ((x, y), (x, z), (y, z)))
    return straight and angles(affine)[1] <= OBLIQUE_DEGREES


def to_axial(ct: Volume) -> Volume:
    """Resample a CT onto a straight grid with the patient's axes, linearly; air around it.

    In-plane spacing stays, slices come as far apart as they are along the patient, and the grid
    holds the whole volume.

    Args:
        ct: int16 HU, canonical.

    Raises:
        BadCase: The grid would be far larger than the volume.
    """
    corners = np.array([(i, j, k, 1) for k in (0, 1) for j in (0, 1) for i in (0, 1)], float)
    corners[:, :3] *= np.array(ct.array.shape[::-1]) - 1
    places = corners @ (volumes.LPS_TO_RAS @ ct.affine)[:3].T
    low, high = places.min(axis=0), places.max(axis=0)
    spacing = np.array([ct.spacing[2], ct.spacing[1], abs(ct.affine[2, 2])])
    size = np.floor((high - low) / spacing + 1e-6).astype(int) + 1
    if size.prod() > MOST_VOXELS * ct.array.size:
        raise BadCase(
            f"made axial, the volume would have {' x '.join(map(str, size))} voxels; it leans too "
            "much. Give an axial series."
        )
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = low
    grid = volumes.LPS_TO_RAS @ affine
    return replace(ct, array=to_grid(ct, grid, tuple(size[::-1]), volumes.AIR), affine=grid)


def to_grid(
    volume: Volume,
    affine: np.ndarray,
    shape: tuple[int, int, int],
    outside: int = 0,
    nearest: bool = False,
) -> np.ndarray:
    """Resample a volume onto a grid.

    Args:
        volume: On any grid, sheared ones included.
        affine: The new grid: voxel indices (x, y, z) to RAS mm.
        shape: Its shape (z, y, x).
        outside: Value where the volume is not.
        nearest: Take the nearest voxel, as for masks, instead of interpolating linearly.

    Returns:
        Array of `shape`, of the volume's type.
    """
    import SimpleITK as sitk  # 0.3 s: cases that need no resampling go without

    # in indices of both grids there is no geometry that ITK could refuse, such as a shear
    between = np.linalg.inv(volume.affine) @ affine
    transform = sitk.AffineTransform(between[:3, :3].ravel().tolist(), between[:3, 3].tolist())
    resampler = sitk.ResampleImageFilter()
    resampler.SetSize([int(length) for length in shape[::-1]])
    resampler.SetTransform(transform)
    resampler.SetInterpolator(sitk.sitkNearestNeighbor if nearest else sitk.sitkLinear)
    resampler.SetDefaultPixelValue(outside)
    if not nearest:
        resampler.SetOutputPixelType(sitk.sitkFloat32)
    moved = sitk.GetArrayFromImage(resampler.Execute(sitk.GetImageFromArray(volume.array)))
    return np.rint(moved).astype(volume.array.dtype)
