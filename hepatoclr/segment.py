"""The liver in a CT: a mask that exists already, or TotalSegmentator's.

Another backend is a function from a CT to a mask on its grid, and a `case` in `liver`.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from hepatoclr import nifti, volumes
from hepatoclr.errors import BadCase, EmptyLiver, UserError
from hepatoclr.totalseg import missing_weights, preflight, totalsegmentator
from hepatoclr.volumes import Volume

__all__ = ["liver", "measured", "missing_weights", "preflight", "provided", "totalsegmentator"]

LEAST_INSIDE = 0.5
WHOLE_INSIDE = 0.99


def liver(
    ct: Volume,
    backend: str,
    mask: str | Path | None = None,
    label: int | None = None,
    model: str = "fast",
    weights: str | Path | None = None,
    device: str = "auto",
) -> Volume:
    """Find the liver in a CT.

    Args:
        ct: HU, canonical.
        backend: "provided" takes `mask` and `label`; "totalsegmentator" takes the rest.
        mask: See `provided`.
        label: See `provided`.
        model: See `totalsegmentator`.
        weights: See `totalsegmentator`.
        device: See `totalsegmentator`.

    Returns:
        uint8 mask on the CT's grid, 1 where liver; the facts say where it comes from, and what
        `measured` found.

    Raises:
        UserError: There is no such backend, or its weights are missing.
        BadCase: The mask cannot be used, or holds no liver.
    """
    match backend:
        case "provided":
            if not mask:
                raise BadCase(
                    "the manifest names no liver_mask. Add one, or set segment.backend to "
                    "totalsegmentator."
                )
            found = provided(mask, ct, label)
        case "totalsegmentator":
            found = totalsegmentator(ct, model, weights, device)
        case _:
            raise UserError(
                f"segment.backend must be provided or totalsegmentator, got {backend!r}"
            )
    measures = measured(found)
    remarks = [*found.facts.get("warnings", []), *measures["warnings"]]
    return replace(found, facts={**found.facts, **measures, "warnings": remarks})


def measured(liver: Volume) -> dict:
    """Measure a liver mask.

    Returns:
        volume_ml; slices, the number that hold liver; touches_first_slice (the lowest) and
        touches_last_slice; warnings, for a liver that may be cut off.

    Raises:
        EmptyLiver: No voxel is liver.
    """
    voxels = np.count_nonzero(liver.array, axis=(1, 2))
    if not voxels.any():
        raise EmptyLiver(
            "the liver mask is empty. Look at the CT: if it shows no liver, leave the case out; "
            "if it does, give a mask with segment.backend provided."
        )
    first, last = bool(voxels[0]), bool(voxels[-1])
    ends = [name for name, touched in (("lowest", first), ("highest", last)) if touched]
    return {
        "volume_ml": round(float(voxels.sum()) * liver.voxel_ml, 1),
        "slices": int(np.count_nonzero(voxels)),
        "touches_first_slice": first,
        "touches_last_slice": last,
        "warnings": [f"the liver reaches the {end} slice and may be cut off" for end in ends],
    }


def provided(mask_path: str | Path, ct: Volume, label: int | None = None) -> Volume:
    """Read a liver mask and bring it onto the CT's grid.

    Args:
        mask_path: NIfTI file (.nii, .nii.gz) or DICOM SEG, in any orientation and on any grid
            of the same patient space.
        ct: The CT.
        label: The liver's value in a mask of several organs, or its segment number in a SEG;
            None takes every voxel that is not 0.

    Returns:
        uint8 mask on the CT's grid, 1 where liver.

    Raises:
        BadCase: The file cannot be read, does not hold the label, or lies mostly outside the CT.
    """
    path = Path(mask_path)
    if not path.is_file():
        raise BadCase("there is no such mask file. Check `liver_mask` in the manifest.")
    is_nifti = nifti.is_named(path)
    mask = _nifti_mask(path, label) if is_nifti else _dicom_seg(path, label)
    facts = {
        "backend": "provided",
        "format": "nifti" if is_nifti else "dicom_seg",
        "label": label,
        "resampled": not volumes.same_grid(mask, ct),
        "warnings": [],
    }
    if not facts["resampled"]:
        return Volume(mask.array, ct.affine, facts)
    inside = _share_inside(mask, ct)
    if inside < LEAST_INSIDE:
        raise BadCase(
            f"only {inside:.0%} of the mask lies inside the CT. "
            "Check that liver_mask belongs to this CT and keeps its geometry."
        )
    if inside < WHOLE_INSIDE:
        facts["warnings"] = [f"{inside:.0%} of the mask lies inside the CT"]
    return Volume(_on_grid(mask, ct), ct.affine, facts)


def _nifti_mask(path: Path, label: int | None) -> Volume:
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
    return volumes.canonical(array, np.diag([-1.0, -1.0, 1.0, 1.0]) @ wanted.affine)


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


def _on_grid(mask: Volume, ct: Volume) -> np.ndarray:
    """Resample a mask onto the CT's grid, each voxel taking the nearest one's value."""
    import SimpleITK as sitk

    def image(volume: Volume) -> sitk.Image:
        lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ volume.affine
        lengths = np.linalg.norm(lps[:3, :3], axis=0)
        made = sitk.GetImageFromArray(volume.array)
        made.SetSpacing(lengths.tolist())
        made.SetDirection((lps[:3, :3] / lengths).ravel().tolist())
        made.SetOrigin(lps[:3, 3].tolist())
        return made

    moved = sitk.Resample(image(mask), image(ct), sitk.Transform(), sitk.sitkNearestNeighbor)
    return sitk.GetArrayFromImage(moved)
