"""Putting together the table of a cohort, from its manifest and what the stages found."""

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from hepatoclr.base import cases, files
from hepatoclr.base.errors import UserError
from hepatoclr.base.messages import listing
from hepatoclr.cohorts import cohort_table, manifests, messages, quality_flags
from hepatoclr.imaging import slices


def table(
    name: str,
    rows: Sequence[manifests.Row],
    role: str,
    labels: Mapping,
    exclude: Sequence[str],
    limits: Mapping,
    scans: Sequence[Mapping],
    facts: Sequence[Mapping],
    kept: Sequence[int],
) -> pd.DataFrame:
    """Put together what is known of each case.

    Args:
        name: The cohort.
        rows: The manifest.
        role: pretraining, evaluation or external.
        labels: Lists of the labels: positive, negative, exclude, unlabelled.
        exclude: Patients to exclude.
        limits: What is checked, see `quality_flags.judge`; `exclude` lists the flags that exclude.
        scans: What ingestion found for each case.
        facts: What segmentation found for each case, or why the case was excluded.
        kept: Number of kept slices of each case.

    Returns:
        A row per case, sorted by case, so that nothing depends on the order of the manifest:
        `cohort_table.COLUMNS`. Of these target is 1, 0 or none; flags are names and remarks their
        sentences; step is where the case was excluded, label, patient, a stage or a flag; scanner
        is maker, model and kernel, as far as DICOM tells; pixel_sha256 is of the voxels.
    """
    records = []
    for row, scan, found, count in zip(rows, scans, facts, kept, strict=True):
        flags = {} if cases.EXCLUDED in found else quality_flags.judge(found, limits)
        step, reason = _exclusion(name, row, labels, exclude, found, flags, limits["exclude"])
        records.append(
            {
                **vars(row),
                **_of_scan(scan),
                "role": role,
                "target": cohort_table.TARGETS.get(manifests.meaning(row.label, labels)),
                "slices": count,
                "liver_ml": found.get("volume_ml"),
                "liver_hu": found.get("liver_hu"),
                "flags": "; ".join(flags),
                "remarks": "; ".join(flags.values()),
                "included": not step,
                "step": step,
                "reason": reason,
            }
        )
    cohort = pd.DataFrame(records, columns=cohort_table.COLUMNS).astype({"target": "Int64"})
    return cohort.sort_values("case", ignore_index=True)


def _of_scan(scan: Mapping) -> dict:
    """What the table says of how a CT was made, and which image it is."""
    slice_mm, pixel_mm, _ = scan.get("spacing_mm", (None, None, None))
    known = [scan[key] for key in ("manufacturer", "model", "kernel") if scan.get(key)]
    return {
        "scanner": " ".join(known),
        "slice_mm": slice_mm,
        "pixel_mm": pixel_mm,
        "pixel_sha256": scan.get("pixel_sha256", ""),
    }


def permuted(cohort: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Permute the targets of the included patients, as a control.

    Labels stay as they are; a remark says of each case that its target is not its own. Whatever
    predicts such targets better than chance has a leak.

    Args:
        cohort: The table.
        seed: Seed of the whole run.
    """
    people = cohort[cohort["included"]].drop_duplicates("patient_id").set_index("patient_id")
    rng = np.random.default_rng([seed, zlib.crc32(b"permuted")])
    drawn = pd.Series(rng.permutation(people["target"].to_numpy()), people.index, "Int64")
    used = cohort["patient_id"].isin(people.index)
    remarks = cohort["remarks"].map(lambda text: "; ".join(filter(None, (text, messages.PERMUTED))))
    return cohort.assign(
        target=cohort["target"].mask(used, cohort["patient_id"].map(drawn)),
        remarks=cohort["remarks"].mask(used, remarks),
    )


def _exclusion(
    name: str,
    row: manifests.Row,
    labels: Mapping,
    exclude: Sequence[str],
    found: Mapping,
    flags: Mapping[str, str],
    excluding: Sequence[str],
) -> tuple[str, str]:
    """Say at which step a case is excluded, and why; nothing if it is used."""
    if manifests.meaning(row.label, labels) == manifests.EXCLUDED:
        return cases.LABEL, messages.EXCLUDED_LABEL.format(row.label)
    if row.patient_id in exclude:
        return cases.PATIENT, messages.EXCLUDED_PATIENT
    if cases.EXCLUDED in found:
        return found["stage"], found[cases.EXCLUDED]
    for flag in excluding:
        if flag in flags:
            return flag, messages.EXCLUDED_FLAG.format(flags[flag], name, row.case, flag)
    return "", ""


def assemble(
    name: str,
    rows: Sequence[manifests.Row],
    volumes: Sequence[str | Path],
    livers: Sequence[str | Path],
    kept: Sequence[str | Path],
    on_bad_case: str,
    permute: int | None = None,
    **options,
) -> pd.DataFrame:
    """`table`, from the files of the earlier stages.

    Args:
        name: The cohort.
        rows: The manifest.
        volumes: Facts of each case's CT, `<case>.json`, in any order.
        livers: Facts of each case's liver mask, `<case>.json`, in any order.
        kept: Kept slices of each case, `<case>.csv`, in any order.
        on_bad_case: "stop" refuses a cohort with a case excluded by a stage or a flag.
        permute: Seed by which the targets are permuted, see `permuted`; none leaves them.
        **options: role, labels, exclude and limits.

    Raises:
        UserError: A case was excluded and `on_bad_case` is "stop".
    """
    scans, masks, places = (
        {path.stem: path for path in map(Path, paths)} for paths in (volumes, livers, kept)
    )
    together = table(
        name,
        rows,
        scans=[files.read_json(scans[row.case]) for row in rows],
        facts=[files.read_json(masks[row.case]) for row in rows],
        kept=[len(slices.read(places[row.case])) for row in rows],
        **options,
    )
    bad = together[~together["step"].isin(("", *cases.BY_CONFIGURATION))]
    if len(bad) and on_bad_case == "stop":
        wrong = [f"{case}: {reason}" for case, reason in bad[["case", "reason"]].to_numpy()]
        raise UserError(listing(f"on_bad_case is stop, and cohort {name} has", wrong))
    return together if permute is None else permuted(together, permute)


def tally(path: str | Path) -> str:
    """Say in one line how many cases of a cohort are used, by its table; there may be none yet."""
    if not Path(path).is_file():
        return "not listed yet"
    return cases.tally(cohort_table.read(path)["step"])
