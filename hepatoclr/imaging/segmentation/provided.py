"""A liver mask that exists already, brought onto the CT's grid."""

import warnings
from pathlib import Path

import numpy as np

from hepatoclr.base.errors import BadCase
from hepatoclr.imaging import nifti, resample, volumes
from hepatoclr.imaging.segmentation.base import Finder
from hepatoclr.imaging.volumes import Volume

LEAST_INSIDE = 0.5
WHOLE_INSIDE = 0.99


def load(model: str, weights: str | Path | None, device: str) -> Finder:
    """Give `read`; there is nothing to load."""
    return read


def read(ct: Volume, mask: str | Path | None, label: int | None = None) -> Volume:
    """Read a liver mask and bring it onto the CT's grid.

    Args:
        ct: The CT.
        mask: NIfTI file (.nii, .nii.gz) or DICOM SEG, in any orientation and on any grid of the
            same patient space.
        label: The liver's value in a mask of several organs, or its segment number in a SEG;
            None takes every voxel that is not 0.

    Returns:
        uint8 mask on the CT's grid, 1 where liver.

    Raises:
        BadCase: The file cannot be read, does not hold the label, or lies mostly outside the CT.
    """
    if not mask:
        raise BadCase(
            "the manifest names no liver_mask. Add one, or set segment.backend to totalsegmentator."
        )
    path = Path(mask)
    if not path.is_file():
        raise BadCase("there is no such mask file. Check `liver_mask` in the manifest.")
    is_nifti = nifti.is_named(path)
    found = _nifti(path, label) if is_nifti else _dicom_seg(path, label)
    facts = {
        "backend": "provided",
        "format": "nifti" if is_nifti else "dicom_seg",
        "label": label,
        "resampled": not volumes.same_grid(found, ct),
        "flags": {},
    }
    if not facts["resampled"]:
        return Volume(found.array, ct.affine, facts)
    inside = _share_inside(found, ct)
    if inside < LEAST_INSIDE:
        raise BadCase(
            f"only {inside:.0%} of the mask lies inside the CT. "
            "Check that liver_mask belongs to this CT and keeps its geometry."
        )
    if inside < WHOLE_INSIDE:
        facts["flags"] = {"outside": f"{inside:.0%} of the mask lies inside the CT"}
    return Volume(
        resample.to_grid(found, ct.affine, ct.array.shape, nearest=True), ct.affine, facts
    )


def _nifti(path: Path, label: int | None) -> Volume:
    """Read the liver of a NIfTI mask, on its own grid."""
    mask = nifti.read(path)
    wanted = mask.array != 0 if label is None else mask.array == label
    if label is not None and not wanted.any():
        raise _no_label(label, np.unique(mask.array[mask.array != 0]).tolist())
    return Volume(wanted.astype(np.uint8), mask.affine)


def _dicom_seg(path: Path, label: int | None) -> Volume:
    """Read the liver of a DICOM SEG, on its own grid."""
    # highdicom and pydicom take 0.9 s to import: NIfTI masks go without
    from highdicom.seg import segread

    try:
        with warnings.catch_warnings(action="ignore"):  # they quote values: identities
            stored = segread(path)
            found = list(stored.segment_numbers)
            if label is not None and label not in found:
                raise _no_label(label, found)
            wanted = stored.get_volume(segment_numbers=found if label is None else [label])
    except (BadCase, PermissionError):
        raise
    except Exception as error:  # highdicom and pydicom raise nearly anything on damaged files
        raise BadCase(
            "the mask is neither NIfTI (.nii, .nii.gz) nor a DICOM SEG of one regular volume. "
            "Convert it again."
        ) from error
    array = (wanted.array >= 0.5).any(axis=-1).astype(np.uint8)
    return volumes.canonical(array, volumes.LPS_TO_RAS @ wanted.affine)


def _no_label(label: int, found: list) -> BadCase:
    listed = ", ".join(f"{value:g}" for value in found[:20]) or "none"
    return BadCase(f"the mask has no label {label}; it has {listed}. Check the liver's label.")


def _share_inside(mask: Volume, ct: Volume) -> float:
    """Share of a mask's voxels that lie inside the CT; 1 if it has none."""
    voxels = np.argwhere(mask.array)[:, ::-1]
    if not len(voxels):
        return 1.0
    to_ct = np.linalg.inv(ct.affine) @ mask.affine
    places = voxels @ to_ct[:3, :3].T + to_ct[:3, 3]
    inside = (places > -0.5) & (places < np.array(ct.array.shape[::-1]) - 0.5)
    return float(inside.all(axis=1).mean())
