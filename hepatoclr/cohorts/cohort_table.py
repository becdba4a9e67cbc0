"""The table of a cohort: every case with its target and its facts, used or why not."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from hepatoclr.base import files
from hepatoclr.base.errors import UserError

COLUMNS = (
    *("case", "patient_id", "scan_id", "role", "label", "weak_label", "target", "slices"),
    *("liver_ml", "liver_hu", "flags", "remarks", "included", "step", "reason", "site", "phase"),
    *("scanner", "slice_mm", "pixel_mm", "pixel_sha256"),
)
NUMBERS = ("target", "liver_ml", "liver_hu", "slice_mm", "pixel_mm")  # where they are known
TARGETS = {"positive": 1, "negative": 0}
TEXT = [column for column in COLUMNS if column not in (*NUMBERS, "slices", "included")]


def write(cohort: pd.DataFrame, path: str | Path) -> None:
    """Write a cohort's table."""
    files.write_csv(cohort, path)


def read(path: str | Path) -> pd.DataFrame:
    """Read a cohort's table; ids and labels stay text."""
    kept_empty = {"keep_default_na": False, "na_values": dict.fromkeys(NUMBERS, "")}
    types = {**dict.fromkeys(TEXT, "str"), "target": "Int64"}
    return files.read_csv(path, dtype=types, **kept_empty)


def caches(tables: Sequence[str | Path], paths: Sequence[str | Path]) -> list[str]:
    """Put the cached slices of some cohorts into the order of the cohorts' tables.

    Args:
        tables: The cohorts' tables, `<cohort>.csv`.
        paths: The caches of all their cases in any order, `<cohort>/<case>.b2nd`.

    Returns:
        A path per row of the tables, in their order.
    """
    found = {(path.parent.name, path.stem): str(path) for path in map(Path, paths)}
    return [found[Path(table).stem, case] for table in tables for case in read(table)["case"]]


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


def targets(cases: pd.DataFrame) -> pd.Series:
    """The target of each patient of some cases, by patient_id: that of any case that has one."""
    return cases.groupby("patient_id", sort=False)["target"].first()


def _distinct(texts: pd.Series) -> list[str]:
    return sorted(set(texts) - {""})


def counts(cohort: pd.DataFrame) -> dict[str, int]:
    """Count cases and patients of a cohort, and what of them is used."""
    used = cohort[cohort["included"]]
    people = targets(used)
    return {
        "cases": len(cohort),
        "cases used": len(used),
        "patients": len(people),
        "positive": int((people == 1).sum()),
        "negative": int((people == 0).sum()),
        "unlabelled": int(people.isna().sum()),
        "slices": int(used["slices"].sum()),
    }
