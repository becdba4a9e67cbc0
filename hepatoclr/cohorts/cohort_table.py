"""The table of a cohort: every case with its target and its facts, used or why not."""

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from hepatoclr.base import cases, files, settings
from hepatoclr.base.errors import UserError
from hepatoclr.cohorts import manifests, quality_flags
from hepatoclr.imaging import slices

TARGETS = {manifests.POSITIVE: 1, manifests.NEGATIVE: 0}
TEXT = (
    *("case", "patient_id", "scan_id", "role", "label", "weak_label", "flags", "remarks"),
    *("step", "reason", "site", "phase", "scanner", "content"),
)
NUMBERS = ("target", "liver_ml", "liver_hu", "slice_mm", "pixel_mm")
PERMUTED = "control: the target is another patient's, drawn at random"


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
        labels: Lists of the labels: positive, negative, exclude.
        exclude: Patients to leave out.
        limits: What is checked, see `quality_flags.judge`; `exclude` lists the flags that excluded.
        scans: What ingestion found for each case.
        facts: What segmentation found for each case, or why the case was excluded.
        kept: Number of kept slices of each case.

    Returns:
        A row per case, sorted by case, so that nothing depends on the order of the manifest: case,
        patient_id, scan_id, role, label, weak_label, target (1, 0 or none), slices, liver_ml,
        liver_hu, flags (names), remarks (their sentences), included, step (where the case was
        lost: label, patient, a stage or a flag), reason, site, phase, scanner (maker, model and
        kernel, as far as DICOM tells), slice_mm, pixel_mm, content (digest of the image).
    """
    records = []
    for row, scan, found, count in zip(rows, scans, facts, kept, strict=True):
        flags = {} if cases.EXCLUDED in found else quality_flags.judge(found, limits)
        step, reason = _lost(name, row, labels, exclude, found, flags, limits["exclude"])
        records.append(
            {
                "case": row.case,
                "patient_id": row.patient_id,
                "scan_id": row.scan_id,
                "role": role,
                "label": row.label,
                "weak_label": row.weak_label,
                "target": TARGETS.get(manifests.meaning(row.label, labels)),
                "slices": count,
                "liver_ml": found.get("volume_ml"),
                "liver_hu": found.get("liver_hu"),
                "flags": "; ".join(flags),
                "remarks": "; ".join(flags.values()),
                "included": not step,
                "step": step,
                "reason": reason,
                "site": row.site,
                "phase": row.phase,
                **_of_scan(scan),
            }
        )
    cohort = pd.DataFrame(records).astype({"target": "Int64"})
    return cohort.sort_values("case", ignore_index=True)


def _of_scan(scan: Mapping) -> dict:
    """What the table says of how a CT was made, and which image it is."""
    slice_mm, pixel_mm, _ = scan.get("spacing_mm", (None, None, None))
    known = [scan[key] for key in ("manufacturer", "model", "kernel") if scan.get(key)]
    return {
        "scanner": " ".join(known),
        "slice_mm": slice_mm,
        "pixel_mm": pixel_mm,
        "content": scan.get("content", ""),
    }


def permuted(cohort: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Deal the targets of the included patients among them anew, as a control.

    Labels stay as they are; a remark says of each case that its target is not its own. Whatever
    predicts such targets better than chance has a leak.

    Args:
        cohort: The table.
        seed: Seed of the whole run.
    """
    people = cohort[cohort["included"]].drop_duplicates("patient_id").set_index("patient_id")
    rng = np.random.default_rng([seed, zlib.crc32(b"permuted")])
    dealt = pd.Series(rng.permutation(people["target"].to_numpy()), people.index, "Int64")
    used = cohort["patient_id"].isin(people.index)
    remarks = cohort["remarks"].map(lambda text: "; ".join(filter(None, (text, PERMUTED))))
    return cohort.assign(
        target=cohort["target"].mask(used, cohort["patient_id"].map(dealt)),
        remarks=cohort["remarks"].mask(used, remarks),
    )


def _lost(
    name: str,
    row: manifests.Row,
    labels: Mapping,
    exclude: Sequence[str],
    found: Mapping,
    flags: Mapping[str, str],
    excluding: Sequence[str],
) -> tuple[str, str]:
    """Say at which step a case is lost, and why; nothing if it is used."""
    if manifests.meaning(row.label, labels) == manifests.EXCLUDED:
        return cases.LABEL, f"label {row.label} is excluded by the configuration"
    if row.patient_id in exclude:
        return cases.PATIENT, "patient is excluded by the configuration"
    if cases.EXCLUDED in found:
        return found["stage"], found[cases.EXCLUDED]
    for flag in excluding:
        if flag in flags:
            hint = f"to keep such cases take {flag} out of quality_flags.exclude"
            return flag, f"{flags[flag]}; look at qc/{name}/{row.case}.png; {hint}"
    return "", ""


def assemble(
    name: str,
    rows: Sequence[manifests.Row],
    volumes: str | Path,
    livers: str | Path,
    kept: str | Path,
    on_bad_case: str,
    permute: int | None = None,
    **options,
) -> pd.DataFrame:
    """`table`, from the files of the earlier stages.

    Args:
        name: The cohort.
        rows: The manifest.
        volumes: Folder with the facts of each case's CT, `<case>.json`.
        livers: Folder with the facts of each case's liver mask, `<case>.json`.
        kept: Folder with the kept slices of each case, `<case>.csv`.
        on_bad_case: "stop" refuses a cohort with a case excluded by a stage or a check.
        permute: Seed by which the targets are permuted, see `permuted`; none leaves them.
        **options: role, labels, exclude and limits.

    Raises:
        UserError: A case was excluded and `on_bad_case` is "stop".
    """
    together = table(
        name,
        rows,
        scans=[files.read_json(Path(volumes, f"{row.case}.json")) for row in rows],
        facts=[files.read_json(Path(livers, f"{row.case}.json")) for row in rows],
        kept=[len(slices.read(Path(kept, f"{row.case}.csv"))) for row in rows],
        **options,
    )
    bad = together[~together["step"].isin(("", *cases.LEFT_OUT))]
    if len(bad) and on_bad_case == "stop":
        wrong = [f"{case}: {reason}" for case, reason in bad[["case", "reason"]].to_numpy()]
        raise UserError(settings.listing(f"on_bad_case is stop, and cohort {name} has", wrong))
    return together if permute is None else permuted(together, permute)


def write(cohort: pd.DataFrame, path: str | Path) -> None:
    """Write a cohort's table."""
    files.write_csv(cohort, path)


def read(path: str | Path) -> pd.DataFrame:
    """Read a cohort's table; ids and labels stay text."""
    kept_empty = {"keep_default_na": False, "na_values": dict.fromkeys(NUMBERS, "")}
    return pd.read_csv(path, dtype={**dict.fromkeys(TEXT, "str"), "target": "Int64"}, **kept_empty)


def caches(tables: Sequence[str | Path], folders: Sequence[str | Path]) -> list[str]:
    """Name the cached slices of the cases of some cohorts.

    Args:
        tables: The cohorts' tables.
        folders: Where the caches of each cohort lie, as `<case>.b2nd`.

    Returns:
        A path per row of the tables, in their order.
    """
    return [
        str(Path(folder, f"{case}.b2nd"))
        for table, folder in zip(tables, folders, strict=True)
        for case in read(table)["case"]
    ]


def patients(cohort: pd.DataFrame) -> pd.DataFrame:
    """List the included patients, a row each in order of appearance: patient_id, target, sites.

    Raises:
        UserError: No patient is left.
    """
    used = cohort[cohort["included"]]
    if used.empty:
        raise UserError("no case of the cohort could be used; the reasons stand in its table")
    people = used.groupby("patient_id", sort=False)
    found = people.agg(target=("target", "first"), sites=("site", _distinct))
    return found.reset_index()


def _distinct(texts: pd.Series) -> list[str]:
    return sorted(set(texts) - {""})


def counts(cohort: pd.DataFrame) -> dict[str, int]:
    """Count cases and patients of a cohort, and what of them is used."""
    used = cohort[cohort["included"]]
    people = used.drop_duplicates("patient_id")
    return {
        "cases": len(cohort),
        "cases used": len(used),
        "patients": len(people),
        "positive": int((people["target"] == 1).sum()),
        "negative": int((people["target"] == 0).sum()),
        "slices": int(used["slices"].sum()),
    }
