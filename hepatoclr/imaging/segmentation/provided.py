"""A liver mask that exists already, brought onto the CT's grid."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from hepatoclr.base.errors import BadCase
from hepatoclr.imaging import formats, masks, nifti, resample, volumes
from hepatoclr.imaging.segmentation.base import Finder
from hepatoclr.imaging.volumes import AIR, Volume

LEAST_INSIDE = 0.5
WHOLE_INSIDE = 0.99


def load(model: str, weights: str | Path | None, device: str) -> Finder:
    """Give `read`; there is nothing to load."""
    return read


def read(ct: Volume, mask: str | Path | None, label: int | None = None) -> Volume:
    """Read a liver mask and bring it onto the CT's grid.

    Args:
        ct: The CT.
        mask: NIfTI file, DICOM SEG, folder of a DICOM series, or a folder or zip that holds one of
            these; in any orientation and on any grid of the same patient space.
        label: The liver's value in a mask of several organs, or its segment number in a SEG;
            None takes every label. Which numbers are liver, see `masks.liver`.

    Returns:
        uint8 mask on the CT's grid, 1 where liver.

    Raises:
        BadCase: The mask cannot be read or understood, or lies mostly outside the CT.
    """
    if not mask:
        raise BadCase(
            "the manifest names no liver_mask. Add one, or set segment.backend to totalsegmentator."
        )
    stored = _stored(Path(mask), ct, label)
    if (
        stored.array.shape == ct.array.shape
        and not (stored.array != ct.array)[ct.array > AIR].any()
    ):
        raise BadCase("the mask is the CT itself. Check `liver_mask` in the manifest.")
    wanted = None if stored.facts["format"] == "dicom_seg" else label  # its segment was taken
    array, flags = masks.liver(stored.array, wanted)
    found = Volume(array, stored.affine)
    facts = {
        "backend": "provided",
        "format": stored.facts["format"],
        "label": label,
        "resampled": not volumes.same_grid(found, ct),
        "flags": {**stored.facts["flags"], **flags},
    }
    unplaced = facts["flags"].pop("unplaced", None)
    if not facts["resampled"]:
        return Volume(found.array, ct.affine, facts)
    if unplaced:
        raise BadCase(
            "the mask does not say how it lies in the patient, or its affine is the identity, and "
            "the CT lies elsewhere. Save the mask with the CT's affine."
        )
    inside = _share_inside(found, ct)
    if inside < LEAST_INSIDE:
        raise BadCase(
            f"only {inside:.0%} of the mask lies inside the CT. "
            "Check that liver_mask belongs to this CT and keeps its geometry."
        )
    if inside < WHOLE_INSIDE:
        facts["flags"]["outside"] = f"{inside:.0%} of the mask lies inside the CT"
    return Volume(
        resample.to_grid(found, ct.affine, ct.array.shape, nearest=True), ct.affine, facts
    )


def _stored(path: Path, ct: Volume, label: int | None) -> Volume:
    """Read the numbers of a mask, on its own grid; of a SEG those of the wanted segments."""
    if path.is_dir():
        found = formats.nifti_in(path)
        return _nifti(found) if found else _dicom(path, ct, label)
    if not path.is_file():
        raise BadCase("there is no such mask file or folder. Check `liver_mask` in the manifest.")
    kind = formats.kind(path)
    if kind == formats.ZIP:
        with formats.unpacked(path) as folder:
            return _stored(folder, ct, label)
    if kind == formats.NIFTI or (not kind and nifti.is_named(path)):
        return _nifti(path)
    if kind and kind != formats.DICOM:
        raise formats.refusal(kind)
    return _dicom(path, ct, label)


def _nifti(path: Path) -> Volume:
    mask = nifti.read(path)
    return replace(mask, facts={**mask.facts, "format": "nifti"})


def _dicom(path: Path, ct: Volume, label: int | None) -> Volume:
    # pydicom takes 0.3 s to import: NIfTI masks go without
    from hepatoclr.imaging.dicom import masks as of_dicom

    return of_dicom.read(path, ct, label)


def _share_inside(mask: Volume, ct: Volume) -> float:
    """Share of a mask's voxels that lie inside the CT; 1 if it has none."""
    voxels = np.argwhere(mask.array)[:, ::-1]
    if not len(voxels):
        return 1.0
    to_ct = np.linalg.inv(ct.affine) @ mask.affine
    places = voxels @ to_ct[:3, :3].T + to_ct[:3, 3]
    inside = (places > -0.5) & (places < np.array(ct.array.shape[::-1]) - 0.5)
    return float(inside.all(axis=1).mean())
