"""Tables as cells of text, ready for a page: numbers with their intervals, words for names."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from numbers import Integral, Real

import pandas as pd

from hepatoclr.reporting import formatting, layouts

HEADINGS = {
    "method": "Pretraining",
    "encoder": "Pretraining",
    "reference": "Compared with",
    "protocol": "Evaluation",
    "fraction": "Training patients",
    "patient_id": "Patient",
    "n_folds": "Folds",
    "auc": "AUC",
    "wall_seconds": "Wall time, s",
    "cpu_seconds": "CPU time, s",
    "peak_memory_mb": "Peak memory, MB",
}
NAMES = ("method", "encoder", "reference")
# Said by the disclaimers of the page, not in every row.
UNSHOWN = ("data", "leaky")
INTERVAL = "In square brackets the 95 % interval."
WIDEST = 11  # columns that a page in portrait holds


@dataclass(frozen=True)
class Cell:
    """A cell: its text, small print below it, whether it is the best, where it leads to."""

    text: str
    small: list[str] = field(default_factory=list)
    best: bool = False
    link: str = ""


@dataclass(frozen=True)
class Grid:
    """A table of cells.

    Attributes:
        heads: Above the columns; the first column names the rows.
        rows: A cell per head.
        groups: Above the heads but the first: (text, number of columns); empty if none.
        numbers: Whether each column holds numbers.
        notes: Sentences below.
        total: A last row that stays below when the others are sorted; empty if none.
    """

    heads: list[str]
    rows: list[list[Cell]]
    groups: list[tuple[str, int]] = field(default_factory=list)
    numbers: list[bool] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    total: list[Cell] = field(default_factory=list)

    @property
    def wide(self) -> bool:
        """Whether it takes a page in landscape."""
        return len(self.heads) > WIDEST


def of_layout(given: layouts.Layout) -> Grid:
    """Take over a table that is laid out already."""
    rows = [
        [Cell(name), *(Cell(c.value, _small(c), c.best) for c in cells)]
        for name, cells in given.rows
    ]
    heads = [given.heading, *(name for _, name in given.columns)]
    places = range(len(given.columns))
    columns = [[cells[place] for _, cells in given.rows] for place in places]
    numbers = [False, *(all(map(_is_number, column)) for column in columns)]
    # the page says its disclaimers once, at the top
    notes = [note for note in given.notes if note not in formatting.DISCLAIMERS.values()]
    return Grid(heads, rows, list(given.measures.items()), numbers, notes)


def _small(cell: layouts.Cell) -> list[str]:
    return [text for text in (cell.interval, cell.paper and f"paper {cell.paper}") if text]


def _is_number(cell: layouts.Cell) -> bool:
    return re.fullmatch(r"[<\d.,\s±+\N{MINUS SIGN}]*", cell.value) is not None


def of_frame(frame: pd.DataFrame, links: Mapping[str, str] | None = None) -> Grid:
    """Lay any table out.

    What belongs together becomes one column: `x_mean` and `x_sd`, and `x_low` and `x_high` or,
    after the column they belong to, `low` and `high`.

    Args:
        frame: The table.
        links: Text of a row's first cell to where it leads.
    """
    columns = [name for name in frame if name not in UNSHOWN and not _is_part(name, frame)]
    rows = [
        [_cell(name, row, frame, columns) for name in columns] for row in frame.to_dict("records")
    ]
    for row in rows:
        if link := (links or {}).get(row[0].text):
            row[0] = Cell(row[0].text, link=link)
    heads = [_heading(name.removesuffix("_mean")) for name in columns]
    numbers = [pd.api.types.is_numeric_dtype(frame[name]) for name in columns]
    has_intervals = any(cell.small for row in rows for cell in row)
    return Grid(heads, rows, numbers=numbers, notes=[INTERVAL] if has_intervals else [])


def of_costs(frame: pd.DataFrame) -> Grid:
    """Lay out what `benchmark_summary.table` returns, the total apart."""
    added = ("jobs", "wall_seconds", "cpu_seconds")
    total = {"stage": "Total", **{name: frame[name].sum(min_count=1) for name in added}}
    total["peak_memory_mb"] = frame["peak_memory_mb"].max()
    grid = of_frame(pd.concat([frame, pd.DataFrame([total])], ignore_index=True))
    return replace(grid, rows=grid.rows[:-1], total=grid.rows[-1])


def of_facts(section: Mapping) -> Grid:
    """Turn facts into rows of text.

    Facts of the same kind about several things become a row each; anything else a row per
    fact, nested names joined by dots, without heads.
    """
    values = list(section.values())
    if values and all(isinstance(value, Mapping) for value in values):
        names = list(values[0])
        flat = not any(isinstance(cell, Mapping) for value in values for cell in value.values())
        if flat and all(list(value) == names for value in values):
            table = [[key, *value.values()] for key, value in section.items()]
            return Grid(["", *map(str, names)], [[Cell(_fact(c)) for c in row] for row in table])
    return Grid([], [[Cell(name), Cell(_fact(v))] for name, v in _flat(section).items()])


def _is_part(name: str, frame: pd.DataFrame) -> bool:
    """Say whether a column is shown in the cells of another."""
    if name in ("low", "high"):
        return True
    stem, _, part = name.rpartition("_")
    whole = {stem, f"{stem}_mean"} & set(frame)
    return part in ("sd", "low", "high") and bool(whole)


def _cell(name: str, row: Mapping, frame: pd.DataFrame, columns: list[str]) -> Cell:
    value, stem = row[name], name.removesuffix("_mean")
    text = _text(name, value)
    if not pd.isna(spread := row.get(f"{stem}_sd", float("nan"))):
        text += f" ± {spread:.2f}"
    ends = row.get(f"{stem}_low"), row.get(f"{stem}_high")
    if "low" in row and name == _before_low(frame, columns):
        ends = row["low"], row["high"]
    known = text and not any(map(pd.isna, ends))
    return Cell(text, [formatting.interval(*ends)] if known else [])


def _before_low(frame: pd.DataFrame, columns: list[str]) -> str:
    """The column whose interval `low` and `high` are."""
    names = list(frame)
    return next(name for name in reversed(names[: names.index("low")]) if name in columns)


def _text(name: str, value: object) -> str:
    """A value as people read it, by the column it stands in."""
    if value is None or pd.isna(value):
        return ""
    if name in NAMES:
        return formatting.method_label(str(value))
    if name == "protocol":
        return formatting.protocol_label(value)
    if name == "fraction":
        return f"{100 * value:.0f} %"
    if name == "p" or name.startswith("p_"):
        return formatting.p_value(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Integral):
        return f"{value:,}".replace("-", "\N{MINUS SIGN}")
    return formatting.number(value) if isinstance(value, Real) else str(value)


def _heading(name: str) -> str:
    """What stands above a column."""
    words = formatting.MEASURE_LABELS.get(name) or HEADINGS.get(name)
    plain = name.replace("_", " ").strip().replace("auc", "AUC")
    return words or plain[:1].upper() + plain[1:]


def _flat(section: Mapping, prefix: str = "") -> dict[str, object]:
    """Flatten nested facts: {"a": {"b": 1}} is {"a.b": 1}."""
    found = {}
    for key, value in section.items():
        inner = _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {}
        found |= inner or {f"{prefix}{key}": value}
    return found


def _fact(value: object) -> str:
    """A fact as text: lists without brackets, yes and no, nothing for nothing."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(_fact, value))
    return "" if value is None or value == {} else str(value)
