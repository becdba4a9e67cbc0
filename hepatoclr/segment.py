"""The liver of a CT, and what is measured of it; of one case, or of many in one process."""

import hashlib
import json
import logging
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hepatoclr import cases, files, volumes
from hepatoclr.backends import load
from hepatoclr.backends.base import Finder
from hepatoclr.errors import BadCase, EmptyLiver, UserError
from hepatoclr.volumes import Volume

log = logging.getLogger(__name__)

KILLED = (
    "the process that segmented it was killed, probably for want of memory. Give the job more "
    "(--set-resources segment_batch:mem_mb=16000) and make its batch again (--forcerun)."
)


@dataclass(frozen=True)
class Case:
    """What a case is segmented from.

    Attributes:
        name: Its name in file names.
        volume: Its CT, as `volumes.save` wrote it.
        facts: What ingest found, JSON.
        mask: The mask of the manifest.
        label: The liver's label in it.
    """

    name: str
    volume: str
    facts: str
    mask: str | None = None
    label: int | None = None


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
    from scipy import ndimage  # 0.4 s: what only takes a mask from a batch goes without

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


def segment(find: Finder, case: Case, mask: str | Path, facts: str | Path) -> None:
    """Find the liver of a case; write the mask, then the facts, with the flags of ingest.

    Raises:
        BadCase: Ingest set the case aside, or its liver cannot be found.
    """
    earlier = cases.require(case.facts)
    found = _found(find, volumes.load(case.volume), case.mask, case.label)
    volumes.save(found, mask)
    files.write_json({**found.facts, "flags": {**earlier["flags"], **found.facts["flags"]}}, facts)


def batch(find: Finder, batch: Sequence[Case], folder: str | Path) -> None:
    """Segment cases one after another; the finder loads its network once for all of them.

    What is done survives the end of the process in a hidden folder beside `folder`, which goes on
    being used as long as the files of the cases stay the same. The case that was under way when a
    process was killed is set aside by the next one.

    Args:
        find: The backend's.
        batch: The cases.
        folder: Where `<case>.nii.gz` and `<case>.json` of each case go, all at once at the end;
            of a case that cannot be used, the reason. It is called `<batch>-<key>`; folders of
            the same batch with other keys, made by other settings, are removed.

    Raises:
        UserError: Something is missing that every case needs.
    """
    folder = Path(folder)
    kept = folder.with_name(f".{folder.name}-{_digest(batch)}")
    name, _, _ = folder.name.partition("-")
    for other in (*folder.parent.glob(f".{name}-*"), *folder.parent.glob(f"{name}-*")):
        if other != kept:
            shutil.rmtree(other)
    kept.mkdir(parents=True, exist_ok=True)
    with _ended_by_exception():
        for number, case in enumerate(batch, start=1):
            mask, facts = kept / f"{case.name}.nii.gz", kept / f"{case.name}.json"
            if not facts.exists():
                log.info("case %d of %d: %s", number, len(batch), case.name)
                with cases.guarded("segment", case.name, [mask], facts, "exclude"), _watched(facts):
                    _survived(find, case, mask, facts)
    kept.rename(folder)


def take(folder: str | Path, case: str, mask: str | Path, facts: str | Path) -> None:
    """Copy the mask and facts of a case out of a finished batch.

    Raises:
        BadCase: The case was set aside.
    """
    cases.require(Path(folder, f"{case}.json"))
    for suffix, target in ((".nii.gz", mask), (".json", facts)):
        with files.atomic(target) as temporary:
            shutil.copyfile(Path(folder, case + suffix), temporary)


def _found(find: Finder, ct: Volume, mask: str | Path | None, label: int | None) -> Volume:
    """A finder's mask, with its measures."""
    found = find(ct, mask, label)
    facts = {**found.facts, **measured(found, ct)}
    return replace(found, facts={**facts, "flags": facts.pop("flags", {})})


def _survived(find: Finder, case: Case, mask: Path, facts: Path) -> None:
    """`segment`; whatever goes wrong with the case sets it aside, and nothing else."""
    try:
        segment(find, case, mask, facts)
    except UserError:
        raise
    except Exception as error:
        log.exception("segmentation failed")
        raise BadCase(
            f"segmentation failed ({type(error).__name__}; the log of its batch has more)."
        ) from error


@contextmanager
def _watched(facts: Path) -> Iterator[None]:
    """Leave a marker while a case is under way; one that is there already tells of a death."""
    marker = facts.with_suffix(".started")
    killed = marker.exists()
    marker.touch()
    try:
        if killed:
            raise BadCase(KILLED)
        yield
    finally:
        marker.unlink()


@contextmanager
def _ended_by_exception() -> Iterator[None]:
    """Let the scheduler's request to end be an exception: it is not the fault of a case."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _digest(batch: Sequence[Case]) -> str:
    """Digest of the cases of a batch and the sizes and times of their files."""
    inputs = [path for case in batch for path in (case.volume, case.facts, case.mask) if path]
    seen = [(path, Path(path).stat().st_size, Path(path).stat().st_mtime_ns) for path in inputs]
    text = json.dumps([[vars(case) for case in batch], seen])
    return hashlib.sha256(text.encode()).hexdigest()[:12]
