"""The quality control page of a cohort: cases with their pictures, what needs a look first."""

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hepatoclr.base import cases
from hepatoclr.quality import qc_image
from hepatoclr.reporting import formatting, html

EXCLUDED, BY_CONFIGURATION, USED = "excluded", "excluded by configuration", "used"
CLEAN = "used, no flag"
UNLABELLED = "used without a label"
COLUMNS = {
    "patient_id": "Patient",
    "scan_id": "Scan",
    "label": "Label",
    "status": "Used or why not",
    "flags": "Flags",
    "remarks": "Remarks",
    "liver_ml": "Liver, ml",
    "liver_hu": "Liver, HU",
    "slices": "Slices",
    "site": "Site",
    "phase": "Phase",
}
NUMBERS = ("liver_ml", "liver_hu", "slices")


@dataclass(frozen=True)
class Line:
    """A case as the page shows it.

    Attributes:
        case: Its name.
        cells: The text of each of `COLUMNS`.
        status: One of used, excluded, excluded by configuration.
        reason: Why it is not used.
        tags: What it can be filtered by: its flags, and that it is
            excluded, by configuration or not, or clean; and that it is used without a label.
    """

    case: str
    cells: dict[str, str]
    status: str
    reason: str
    tags: list[str]


def read(path: str | Path) -> list[dict[str, str]]:
    """Read a cohort's table as text, a row per case."""
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def render_page(run: str, cohort: str, rows: Sequence[Mapping[str, str]], synthetic: bool) -> str:
    """Put the cases of a cohort on one page, beside the folder of its pictures.

    Args:
        run: Name of the run.
        cohort: Name of the cohort; `<cohort>/<case>.png`, relative to the page, is the picture.
        rows: The cohort's table, see `assemble.table`, as text.
        synthetic: Whether the cohort is simulated.

    Returns:
        The page: cases excluded first, then those with flags, those without, and at last those
        excluded by configuration. Everything that is not markup is escaped.
    """
    lines = sorted(map(_line, rows), key=_rank)
    shown = {key: name for key, name in COLUMNS.items() if any(line.cells[key] for line in lines)}
    return html.render(
        "qc.html.j2",
        run=run,
        cohort=cohort,
        tally=cases.tally(row["step"] for row in rows),
        banner=formatting.SYNTHETIC if synthetic else "",
        columns=shown,
        numbers=NUMBERS,
        lines=lines,
        tags=_counted(lines),
        size=qc_image.SIZE,
    )


def _line(row: Mapping[str, str]) -> Line:
    """Say of a case what the page shows."""
    step, flags = row["step"], row["flags"].split("; ") if row["flags"] else []
    status = BY_CONFIGURATION if step in cases.BY_CONFIGURATION else EXCLUDED if step else USED
    tags = [*flags, *([status] if step else [] if flags else [CLEAN])]
    if not step and not row["target"]:
        tags.append(UNLABELLED)
    shown = {**row, **{key: f"{float(row[key]):.0f}" for key in NUMBERS if row[key]}}
    shown["status"] = f"{status} ({step})" if step else status
    return Line(row["case"], {key: shown[key] for key in COLUMNS}, status, row["reason"], tags)


def _rank(line: Line) -> int:
    """Where a case stands on the page; equal ones stay in the order of the table."""
    if line.status == USED and line.cells["flags"]:
        return 1
    return {EXCLUDED: 0, USED: 2, BY_CONFIGURATION: 3}[line.status]


def _counted(lines: Sequence[Line]) -> dict[str, int]:
    """How many cases have each tag: excluded first, then the flags by number, the others last."""
    counts = Counter(tag for line in lines for tag in line.tags)
    ends = {EXCLUDED: -1, CLEAN: 1, UNLABELLED: 2, BY_CONFIGURATION: 3}
    return dict(sorted(counts.items(), key=lambda item: (ends.get(item[0], 0), -item[1], item[0])))
