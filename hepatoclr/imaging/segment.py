"""The liver of a CT, and what is measured of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from hepatoclr.base import cases, files
from hepatoclr.base.errors import EmptyLiver
from hepatoclr.imaging import volumes
from hepatoclr.imaging.segmentation.backends import load
from hepatoclr.imaging.segmentation.base import Finder
from hepatoclr.imaging.volumes import Volume


def liver(
    ct: Volume,
    backend: str,
    mask: str | Path | None = None,
    label: int | None = None,
    **settings,
) -> Volume:
    """Find the liver in a CT.

    Args:
        ct: HU, canonical.
        backend: A file of `backends/`.
        mask: Mask that exists already, see `backends.provided`.
        label: The liver's label in it.
        **settings: model, weights and device, see `backends.load`.

    Returns:
        uint8 mask on the CT's grid, 1 where liver; the facts say where it comes from, and what
        `measured` found.

    Raises:
        UserError: There is no such backend, or something that it needs is missing.
        BadCase: The mask cannot be used, or holds no liver.
    """
    return _found(load(backend, **settings), ct, mask, label)


def measured(liver: Volume, ct: Volume) -> dict:
    """Measure a liver mask.

    Args:
        liver: Not 0 where liver.
        ct: HU, on the same grid.

    Returns:
        volume_ml; slices, the number that hold liver; touches_first_slice (the lowest) and
        touches_last_slice; liver_hu, the mean inside; largest_component, the share of the mask
        that its largest piece holds, of voxels that share faces.

    Raises:
        EmptyLiver: No voxel is liver.
    """
    voxels = np.count_nonzero(liver.array, axis=(1, 2))
    if not voxels.any():
        raise EmptyLiver(
            "the liver mask is empty. Look at the CT: if it shows no liver, leave the case out; "
            "if it does, give a mask with segment.backend provided."
        )
    inside = liver.array != 0
    (box,) = ndimage.find_objects(inside.view(np.uint8))
    pieces, _ = ndimage.label(inside[box])
    return {
        "volume_ml": round(float(voxels.sum()) * liver.voxel_ml, 1),
        "slices": int(np.count_nonzero(voxels)),
        "touches_first_slice": bool(voxels[0]),
        "touches_last_slice": bool(voxels[-1]),
        "liver_hu": round(float(ct.array[box][inside[box]].mean()), 1),
        "largest_component": round(float(np.bincount(pieces.ravel())[1:].max() / voxels.sum()), 4),
    }


def segment(
    find: Finder,
    volume: str | Path,
    earlier: str | Path,
    liver: str | Path,
    facts: str | Path,
    mask: str | None = None,
    label: int | None = None,
) -> None:
    """Find the liver of a case; write the mask, then the facts, with the flags of ingest.

    Args:
        find: The backend's, see `backends.load`.
        volume: The CT, as `volumes.save` wrote it.
        earlier: What ingest found, JSON.
        liver, facts: Files to write.
        mask: The mask of the manifest.
        label: The liver's label in it.

    Raises:
        BadCase: Ingest set the case aside, or its liver cannot be found.
    """
    flags = cases.require(earlier)["flags"]
    found = _found(find, volumes.load(volume), mask, label)
    volumes.save(found, liver)
    files.write_json({**found.facts, "flags": {**flags, **found.facts["flags"]}}, facts)


def _found(find: Finder, ct: Volume, mask: str | Path | None, label: int | None) -> Volume:
    """A finder's mask, with its measures."""
    found = find(ct, mask, label)
    facts = {**found.facts, **measured(found, ct)}
    return replace(found, facts={**facts, "flags": facts.pop("flags", {})})
