"""The table of a cohort: every case with its target and its facts, used or why not."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from hepatoclr import cases, files, manifests, slices
from hepatoclr.errors import UserError

TARGETS = {manifests.POSITIVE: 1, manifests.NEGATIVE: 0}


def table(
    rows: Sequence[manifests.Row],
    role: str,
    labels: Mapping,
    exclude: Sequence[str],
    facts: Sequence[Mapping],
    kept: Sequence[int],
) -> pd.DataFrame:
    """Put together what is known of each case.

    Args:
        rows: The manifest.
        role: pretraining, evaluation or external.
        labels: Lists of the labels: positive, negative, exclude.
        exclude: Patients to leave out.
        facts: What segmentation found for each case, or why the case was set aside.
        kept: Number of kept slices of each case.

    Returns:
        A row per case: case, patient_id, scan_id, role, label, target (1, 0 or none), slices,
        liver_ml, flags, included, reason, site, phase.
    """
    records = []
    for row, found, count in zip(rows, facts, kept, strict=True):
        side = manifests.meaning(row.label, labels)
        reason = found.get(cases.SET_ASIDE, "")
        if side == manifests.EXCLUDED:
            reason = f"label {row.label} is excluded by the configuration"
        if row.patient_id in exclude:
            reason = "patient is excluded by the configuration"
        records.append(
            {
                "case": row.case,
                "patient_id": row.patient_id,
                "scan_id": row.scan_id,
                "role": role,
                "label": row.label,
                "target": TARGETS.get(side),
                "slices": count,
                "liver_ml": found.get("volume_ml"),
                "flags": "; ".join(found.get("warnings", [])),
                "included": not reason,
                "reason": reason,
                "site": row.site,
                "phase": row.phase,
            }
        )
    return pd.DataFrame(records).astype({"target": "Int64"})


def assemble(
    rows: Sequence[manifests.Row],
    livers: Sequence[str],
    kept: Sequence[str],
    on_bad_case: str,
    **settings,
) -> pd.DataFrame:
    """`table`, from the files of the earlier stages.

    Args:
        rows: The manifest.
        livers: Facts of each case's liver mask, JSON files in the order of `rows`.
        kept: Kept slices of each case, CSV files in the same order.
        on_bad_case: "stop" refuses a cohort with a case set aside.
        **settings: role, labels and exclude.

    Raises:
        UserError: A case was set aside and `on_bad_case` is "stop".
    """
    facts = [files.read_json(path) for path in livers]
    bad = [
        row.patient_id for row, found in zip(rows, facts, strict=True) if cases.SET_ASIDE in found
    ]
    if bad and on_bad_case == "stop":
        raise UserError(
            f"{len(bad)} cases were set aside and on_bad_case is stop: {', '.join(bad)}"
        )
    return table(
        rows,
        facts=facts,
        kept=[len(slices.read(path)) for path in kept],
        **settings,
    )


def write(cohort: pd.DataFrame, path: str | Path) -> None:
    """Write a cohort's table."""
    with files.atomic(path) as temporary:
        cohort.to_csv(temporary, index=False, lineterminator="\n")


def read(path: str | Path) -> pd.DataFrame:
    """Read a cohort's table; ids and labels stay text."""
    text = dict.fromkeys(("case", "patient_id", "scan_id", "label", "reason", "flags"), "str")
    kept_empty = {"keep_default_na": False, "na_values": {"target": "", "liver_ml": ""}}
    return pd.read_csv(path, dtype={**text, "target": "Int64"}, **kept_empty)


def patients(cohort: pd.DataFrame) -> pd.DataFrame:
    """List the included patients with their target, a row each, in order of appearance.

    Raises:
        UserError: No patient is left.
    """
    used = cohort[cohort["included"]].drop_duplicates("patient_id")
    if used.empty:
        raise UserError("no case of the cohort could be used; the reasons stand in its table")
    return used[["patient_id", "target"]].reset_index(drop=True)


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
