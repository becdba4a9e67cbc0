"""What the manifests promised, looked at again after exclusions: patients of both classes."""

from collections.abc import Sequence
from pathlib import Path

from hepatoclr.base.errors import UserError
from hepatoclr.base.messages import listing
from hepatoclr.cohorts import cohort_table, messages


def check(tables: Sequence[str | Path], least: int) -> None:
    """Refuse cohorts of which too few patients of a class are left to train on.

    Only labelled patients count. A cohort none of whose cases has a target is meant to have none.

    Args:
        tables: The cohorts' tables, `<cohort>.csv`.
        least: Number of patients that each class of each cohort must have.

    Raises:
        UserError: A line per cohort and class, with where the class was lost.
    """
    lacking = [line for table in map(Path, tables) for line in _lacking(table, least)]
    if lacking:
        raise UserError(listing(messages.AFTER_EXCLUSIONS, lacking))


def _lacking(path: Path, least: int) -> list[str]:
    cohort = cohort_table.read(path)
    used, lines = cohort["included"], []
    if used.any() and cohort["target"].isna().all():
        return []
    for side, target in cohort_table.TARGETS.items():
        rows = cohort["target"] == target
        left = cohort.loc[rows & used, "patient_id"].nunique()
        if left < least:
            steps = cohort.loc[rows & ~used, "step"].value_counts().items()
            gone = ", ".join(f"{step} {count}" for step, count in steps)
            lines.append(
                messages.TOO_FEW.format(path.stem, side, left, least, gone or "none", path)
            )
    return lines
