"""Cohort manifests: reading and writing them."""

import csv
import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hepatoclr.base import files, messages, names, spreadsheets
from hepatoclr.base.errors import UserError

POSITIVE, NEGATIVE, EXCLUDED, UNLABELLED = "positive", "negative", "exclude", "unlabelled"
LISTS = (POSITIVE, NEGATIVE, EXCLUDED, UNLABELLED)

COLUMNS = (
    *("patient_id", "scan_id", "image", "label", "weak_label"),
    *("liver_mask", "liver_label", "series_uid", "site", "phase"),
)
PATHS = ("image", "liver_mask")
BUCKET = "s3://"


@dataclass(frozen=True)
class Row:
    """One CT of a cohort.

    Attributes:
        number: Its row in the manifest, the header being row 1.
        case: Name of its files, see `names`.
        patient_id, scan_id, label, weak_label, liver_label, series_uid, site, phase: As the
            manifest has them, or empty.
        image, liver_mask: Paths from the working directory, or objects in a bucket; empty where
            there is no mask.
    """

    number: int
    case: str
    patient_id: str
    image: str
    label: str
    weak_label: str
    liver_mask: str
    liver_label: str
    series_uid: str
    scan_id: str
    site: str
    phase: str


def read(path: str | Path, aliases: Mapping[str, str] | None = None) -> list[Row]:
    """Read a manifest that `manifest_checks` has passed.

    Args:
        path: The manifest.
        aliases: See `as_one`.

    Raises:
        UserError: The file cannot be read.
    """
    _, records = columns_and_records(path)
    return as_one(rows(records.items(), path), aliases or {})


def as_one(rows: Iterable[Row], aliases: Mapping[str, str]) -> list[Row]:
    """Give the patients of some ids another id, so that several ids are one patient's."""
    one = ((row, aliases.get(row.patient_id, row.patient_id)) for row in rows)
    return [dataclasses.replace(row, patient_id=patient) for row, patient in one]


def columns_and_records(path: str | Path) -> tuple[list[str], dict[int, dict[str, str]]]:
    """Read the columns of a manifest, and its records by their rows; every value is text.

    Raises:
        UserError: It cannot be read, see `spreadsheets.read`.
    """
    if not Path(path).exists():
        hint = messages.path_hint(str(path))
        raise UserError(f"{path}: there is no such manifest{hint and f'; {hint}'}")
    return spreadsheets.read(path, COLUMNS)


def rows(numbered: Iterable[tuple[int, Mapping[str, str]]], path: str | Path) -> list[Row]:
    """Make the rows of a manifest's numbered records; its paths are relative to its folder."""
    return [row(record, Path(path).parent, number) for number, record in numbered]


def row(record: Mapping[str, str], folder: Path, number: int) -> Row:
    """Make a row of a manifest's record; its paths are relative to `folder`."""
    values = {key: record.get(key, "").strip() for key in COLUMNS}
    for key in PATHS:
        if values[key] and not in_bucket(values[key]):
            values[key] = str(folder / os.path.expanduser(values[key]))  # noqa: PTH111  never raises
    values["liver_label"] = values["liver_label"].partition(".")[0]
    case = names.case(values["patient_id"], values["scan_id"])
    return Row(number=number, case=case, **values)


def in_bucket(path: str) -> bool:
    """Say whether an image or mask lies in an S3 bucket instead of on a disk."""
    return path.startswith(BUCKET)


def image_formats(cohorts: Mapping[str, list[Row]]) -> list[str]:
    """Say what the images of some cohorts are, by their names: DICOM, NIfTI or both."""
    images = [row.image.lower() for rows in cohorts.values() for row in rows]
    return sorted({"NIfTI" if name.endswith((".nii", ".nii.gz")) else "DICOM" for name in images})


def write(records: Sequence[Mapping[str, str]], path: str | Path) -> None:
    """Write a manifest; only the columns of a manifest."""
    columns = [key for key in COLUMNS if any(key in record for record in records)]
    with files.atomic(path) as temporary, open(temporary, "w", newline="") as file:
        table = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        table.writeheader()
        table.writerows(records)


def meaning(label: str, labels: Mapping) -> str:
    """Say in which of the `LISTS` a label stands; empty if in none."""
    found = [side for side in LISTS if label in labels.get(side, ())]
    return found[0] if found else ""
