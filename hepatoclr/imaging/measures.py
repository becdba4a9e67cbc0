"""What is measured of a liver mask, and whether a person corrected it."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from hepatoclr.base import cases, cutoff, files
from hepatoclr.base.errors import BadCase, EmptyLiver, UserError
from hepatoclr.imaging import volumes
from hepatoclr.imaging.volumes import Volume

CORRECTED = {"corrected": "the liver mask was corrected by hand"}
EMPTY = hashlib.sha256().hexdigest()  # of the file that an excluded case leaves


def measure(liver: Volume, ct: Volume) -> dict:
    """Measure a liver mask.

    Args:
        liver: Not 0 where liver.
        ct: HU, on the same grid.

    Returns:
        volume_ml; slices, the number that hold liver; liver_hu, the mean inside;
        largest_component, the share of the mask that its largest piece holds, of voxels that share
        faces; first_slice_share and last_slice_share, the area of that piece in the lowest and in
        the highest slice of the CT, as shares of its largest area; stretched_slices, how many
        slices the mask is higher than that piece, where it is.

    Raises:
        EmptyLiver: No voxel is liver.
    """
    voxels = np.count_nonzero(liver.array, axis=(1, 2))
    if not voxels.any():
        raise EmptyLiver(
            "the liver mask is empty. Look at the CT: if it shows no liver, exclude the case; if "
            "it does, correct the mask, or give one with segment.backend provided."
        )
    inside = liver.array != 0
    box = volumes.box(inside)
    largest = np.count_nonzero(volumes.largest_component(inside[box]), axis=(1, 2))
    stretched = len(largest) - np.count_nonzero(largest)  # a piece holds all slices of its height
    first, last = np.where([voxels[0], voxels[-1]], largest[[0, -1]] / largest.max(), 0.0)
    return {
        "volume_ml": round(float(voxels.sum()) * liver.voxel_ml, 1),
        "slices": int(np.count_nonzero(voxels)),
        "liver_hu": round(float(ct.array[box][inside[box]].mean()), 1),
        "largest_component": round(float(largest.sum() / voxels.sum()), 4),
        "first_slice_share": round(float(first), 4),
        "last_slice_share": round(float(last), 4),
        **({"stretched_slices": int(stretched)} if stretched else {}),
    }


def written_sha256(liver: str | Path, facts: Mapping) -> str | None:
    """Digest of the mask that the stage `segment` wrote; None where it did not end.

    Args:
        liver: The mask file.
        facts: What that stage wrote beside it.
    """
    of_excluded = EMPTY if cases.EXCLUDED in facts else None
    return facts.get(cutoff.OUTPUTS, {}).get(Path(liver).name, of_excluded)


def is_corrected(liver: str | Path, facts: Mapping) -> bool:
    """Say whether a mask file is there and is another than the stage `segment` wrote.

    Args:
        liver: The mask file.
        facts: What that stage wrote beside it; empty where it did not end.
    """
    written = written_sha256(liver, facts)
    return written is not None and Path(liver).is_file() and files.sha256(liver) != written


def assess(liver: str | Path, facts: str | Path, volume: str | Path) -> tuple[Volume, dict]:
    """Read a liver mask with its facts; of a mask corrected by hand they are measured anew.

    Args:
        liver: The mask file, on the CT's grid.
        facts: What the stage `segment` wrote beside it.
        volume: The CT; read only where the mask was corrected.

    Returns:
        The mask, not 0 where liver; its facts, with the flag `corrected` where a person corrected
        or drew it.

    Raises:
        BadCase: An earlier stage excluded the case, unless it was `segment` and a person drew the
            mask since; or a person left no voxel of the mask.
        UserError: A file cannot be read, or the corrected mask is on another grid than the CT.
    """
    known = files.read_json(facts)
    corrected = is_corrected(liver, known)
    if cases.EXCLUDED in known and (known["stage"] == "ingest" or not corrected):
        raise BadCase(known[cases.EXCLUDED], known["stage"])
    mask = volumes.load(liver)
    dropped = cutoff.MADE_FROM, cutoff.OUTPUTS, cases.EXCLUDED, "stage"
    found = {key: value for key, value in known.items() if key not in dropped}
    if not corrected:
        return mask, found
    ct = volumes.load(volume)
    if not volumes.same_grid(mask, ct):
        raise UserError(
            f"{liver} is on another grid than its CT, {volume}. Save the mask on the CT's grid, or "
            "remove it and run the same command again."
        )
    mask = replace(mask, array=(mask.array > 0).astype(np.uint8))  # NaN is no liver
    flags = {**found.get("flags", {}), **CORRECTED}
    return mask, {**found, **measure(mask, ct), "flags": flags}
