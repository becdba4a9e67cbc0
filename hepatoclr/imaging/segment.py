"""The liver of a CT."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hepatoclr.base import cases, cutoff, files
from hepatoclr.base.errors import BadCase
from hepatoclr.imaging import measures, volumes
from hepatoclr.imaging.segmentation import backends
from hepatoclr.imaging.volumes import Volume

if TYPE_CHECKING:
    from hepatoclr.imaging.segmentation.base import Finder

log = logging.getLogger(__name__)


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
        backend: A file of `segmentation/`.
        mask: Mask that exists already, see `segmentation.provided`.
        label: The liver's label in it.
        **settings: model, weights and device, see `backends.load`.

    Returns:
        uint8 mask on the CT's grid, 1 where liver; the facts say where it comes from, and what
        `measures.measure` found.

    Raises:
        UserError: There is no such backend, or something that it needs is missing.
        BadCase: The mask cannot be used, or holds no liver.
    """
    return _find(backends.load(backend, **settings), ct, mask, label)


def segment(
    volume: str | Path,
    ingested: str | Path,
    liver: str | Path,
    facts: str | Path,
    backend: str,
    model: str = "fast",
    weights: str | Path | None = None,
    device: str = "auto",
    mask: str | Path | None = None,
    label: int | None = None,
    code: Sequence[str] = (),
    attempt: int = 1,
) -> None:
    """Find the liver of a case; write the mask, then the facts, with the flags of ingest.

    A mask that a person corrected is kept, see `measures.is_corrected`; one without facts is what
    an interrupted job left. Where contents are those of the files here it ends early, see `cutoff`.

    Args:
        volume, ingested: The CT and its facts, as ingest wrote them.
        liver, facts: Files to write.
        backend, model, weights, device: See `backends.load`.
        mask: The mask of the manifest.
        label: The liver's label in it.
        code: Fingerprints of the code that finds the liver.
        attempt: Which attempt at the case it is, see `cases.give_up`.

    Raises:
        BadCase: Ingest excluded the case, or its liver cannot be found.
    """
    known = files.read_json(facts) if Path(facts).is_file() else {}
    if measures.is_corrected(liver, known):
        log.info("%s is not the mask that was written here: it is kept", liver)
        files.write_json(_of_corrected(liver, known, files.read_json(ingested)), facts)
        return
    of_ct = cases.require(ingested)
    flags = of_ct["flags"]
    key = cutoff.made_from(
        [path for path in (volume, mask) if path and Path(path).exists()],
        **{"backend": backend, "model": model, "label": label, "flags": flags, "code": code},
        stored=of_ct.get("stored_orientation"),
        weights=backends.weights_identity(backend, model, weights),
    )
    if cutoff.unchanged(facts, key, [liver]):
        return
    Path(facts).unlink(missing_ok=True)
    ct = replace(volumes.load(volume), facts=of_ct)
    cases.give_up(attempt, *filter(None, [mask]))
    try:
        found = _find(backends.load(backend, model, weights, device), ct, mask, label)
    except BadCase as error:
        digests = {Path(liver).name: measures.EMPTY}
        error.facts = {"flags": flags, cutoff.MADE_FROM: key, cutoff.OUTPUTS: digests}
        raise
    volumes.save(found, liver)
    flags |= found.facts["flags"]
    files.write_json({**found.facts, "flags": flags, **cutoff.record(key, [liver])}, facts)


def _find(find: "Finder", ct: Volume, mask: str | Path | None, label: int | None) -> Volume:
    """A finder's mask, with its measures."""
    found = find(ct, mask, label)
    facts = {**found.facts, **measures.measure(found, ct)}
    return replace(found, facts={**facts, "flags": facts.pop("flags", {})})


def _of_corrected(liver: str | Path, known: dict, ingested: dict) -> dict:
    """Facts of a corrected mask: those of the CT as it is now; measures come with the slices."""
    written = {cutoff.OUTPUTS: {Path(liver).name: measures.written_sha256(liver, known)}}
    if cases.EXCLUDED in ingested:
        return {**ingested, **written}
    kept = {key: value for key, value in known.items() if key not in (cases.EXCLUDED, "stage")}
    return {**kept, "flags": {**ingested["flags"], **measures.CORRECTED}, **written}
