"""Predictions of single CT that a person asks for, and what is written of them."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from hepatoclr.base import files, names, texts
from hepatoclr.base.errors import UserError
from hepatoclr.prediction import bundle_checks, bundles, page, predict, structured_report

LONGEST = 200  # bytes of a name as a file has it


def run(
    path: str | Path,
    images: Sequence[str | Path],
    output: str | Path,
    called: Sequence[str],
    *,
    livers: Sequence[str | Path] | None = None,
    **options,
) -> list[Mapping]:
    """Predict some CT by a bundle; write a page, a picture, and numbers as JSON of each.

    Of DICOM a structured report is written too.

    Args:
        path: The bundle.
        images: The CT.
        output: Folder to write to.
        called: What each is called, see `named`.
        livers: A mask of each.
        **options: See `predict.predict`.

    Returns:
        What was written of each.

    Raises:
        UserError: See `bundles.unpacked`, `bundle_checks.check` and `predict.prepare`; or masks
            are not as many as CT.
    """
    if livers and len(livers) != len(images):
        raise UserError(f"{len(livers)} masks for {len(images)} CT; give one of each, or none")
    written = []
    with bundles.unpacked(path) as bundle:
        bundle_checks.check(path, bundle.facts)
        for image, name, liver in zip(images, called, livers or [None] * len(called), strict=True):
            place = Path(output) / names.encode(name)
            with tempfile.TemporaryDirectory(prefix="hepatoclr-") as folder:
                found = predict.predict(bundle, image, Path(folder), name, liver=liver, **options)
                page.write(found, bundle, place)
                if found.facts.get("format") == "dicom" and found.explanation:
                    voxels = files.read_json(found.case.file("volumes", "json"))["pixel_sha256"]
                    structured_report.write(found.facts, voxels, place.with_suffix(".dcm"))
            files.write_json(dict(found.facts), place.with_suffix(".json"))
            written.append(found.facts)
    return written


def named(images: Sequence[object], given: Sequence[str] | None) -> list[str]:
    """What each CT is called: as given, or case-1, case-2, ..., since paths may hold names.

    Raises:
        UserError: Names are not as many as CT, one is empty or too long, or two are the same.
    """
    if not given:
        return [f"case-{number}" for number in range(1, len(images) + 1)]
    if len(given) != len(images):
        raise UserError(f"{len(given)} names for {len(images)} CT; give one of each, or none")
    for name in given:
        if not 0 < len(names.encode(name)) <= LONGEST or texts.invalid_reason(name):
            raise UserError(f"a CT cannot be called {name!r}; give a short name")
    if len(set(given)) < len(given):
        raise UserError("two CT have the same name; each needs its own")
    return list(given)


def summary(facts: Mapping) -> str:
    """A line about a CT."""
    if "refused" in facts:
        return f"{facts['case']}: no prediction ({facts['stage']}): {facts['refused']}"
    warned = f"; warnings: {len(facts['warnings'])}" * bool(facts["warnings"])
    return (
        f"{facts['case']}: probability {facts['probability']:.2f}, {facts['class']}; at "
        f"{facts['coverage']:.0%} coverage: {facts['set']}{warned}"
    )
