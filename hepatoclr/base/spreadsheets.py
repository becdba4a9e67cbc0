"""Tables that people write: CSV as spreadsheets, editors and other programs leave it."""

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from hepatoclr.base import messages
from hepatoclr.base.errors import UserError

DELIMITERS = {",": "','", ";": "';'", "\t": "a tab", "|": "'|'"}
INVISIBLE = "\u00ad\u200b\u200c\u200d\u2060\ufeff"
DECLARED = re.compile(r'"?sep=([,;\t|])"?[,;\t ]*(?:\r\n|\r|\n)', re.IGNORECASE)  # for Excel

Record = dict[str, str]


def read(path: str | Path, known: Sequence[str]) -> tuple[list[str], dict[int, Record]]:
    """Read a CSV as it stands; every value is text, so `0012` stays `0012`.

    What cannot be misread is read: semicolons, tabs or bars in place of commas, UTF-16, spaces
    around names and values, names in upper case, empty rows and columns, a column that counts.

    Args:
        path: The file.
        known: Names of columns; a header's in other case or with spaces around is taken for one.

    Returns:
        The names of the columns; the records by their row as a spreadsheet counts, from 1.

    Raises:
        UserError: It is no such table, or one that could be misread.
    """
    header, *rows = _filled_rows(path)
    spelled = {name.casefold(): name for name in known}
    names = [spelled.get(cell.casefold(), cell) for cell in header[1]]
    if len(names) == 1 and (inside := _delimiters(names[0])):
        stand = f"each line stands in quotation marks as a whole, {DELIMITERS[inside[0]]} inside"
        raise UserError(f"{path}: {stand}; save it again as CSV")
    if not rows:
        raise UserError(f"{path}: there is a header, but no row")
    if wrong := [*_column_problems(names, rows), *_row_problems(names, header, rows)]:
        raise UserError(messages.listing(f"{path} has", wrong))
    records = {number: _record(names, cells) for number, cells in rows}
    return [name for name in names if name], records


def _record(names: Sequence[str], cells: Sequence[str]) -> Record:
    filled = [*cells, *[""] * (len(names) - len(cells))]
    return {name: cell for name, cell in zip(names, filled, strict=False) if name}


def _text(path: str | Path) -> str:
    """The text of a file in UTF-8, or in UTF-16 that says so."""
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    for start, what in messages.NO_TABLE.items():
        if raw.startswith(start):
            raise UserError(f"{path}: {what}. {messages.SAVE_AS_CSV}")
    marked = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = raw.decode("utf-16" if marked else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise UserError(
            f"{path}, line {line}: {messages.OTHER_LETTERS}. {messages.SAVE_AS_CSV}"
        ) from None
    if text.count("\0") > len(text) / 4:
        raise UserError(f"{path}: {messages.NO_TEXT}. {messages.SAVE_AS_CSV}")
    return text


def _filled_rows(path: str | Path) -> list[tuple[int, list[str]]]:
    """The rows that hold anything, with their numbers; a row may be of several lines."""
    text, number, rows = _text(path), 0, []
    declared = DECLARED.match(text)
    text = text[declared.end() :] if declared else text
    first = next(filter(str.strip, text.splitlines()), "")
    found = [declared[1]] if declared else _delimiters(first) or [","]
    if len(found) > 1:
        both = " and ".join(DELIMITERS[one] for one in found[:2])
        raise UserError(f"{path}: the header is separated by {both}; it must be one of them")
    lines = io.StringIO(text, newline="")
    try:
        for cells in csv.reader(lines, delimiter=found[0], skipinitialspace=True, strict=True):
            number += 1
            cells = [cell.strip().strip(INVISIBLE).strip() for cell in cells]
            if any(cells):
                rows.append((number, cells))
    except csv.Error as error:
        cause = (
            "a quotation mark is opened and not closed" if "end of data" in str(error) else error
        )
        raise UserError(f"{path}, row {number + 1}: {cause}") from None
    if not rows:
        raise UserError(f"{path}: the file is empty")
    return rows


def _delimiters(line: str) -> list[str]:
    """Those of a line, as far as they stand outside of quotation marks."""
    bare = re.sub(r'"[^"]*"', "", line)
    return [one for one in DELIMITERS if one in bare]


def _column_problems(names: Sequence[str], rows: Sequence) -> Iterator[str]:
    for place, name in enumerate(names):
        if name and name in names[:place]:
            yield (
                f"the column {name} stands twice in the header, as column "
                f"{names.index(name) + 1} and {place + 1}"
            )
        values = [cells[place] for _, cells in rows if len(cells) > place] if not name else []
        counts = [list(map(str, range(start, start + len(rows)))) for start in (0, 1)]
        if any(values) and values not in counts:
            row = next(number for number, cells in rows if cells[place : place + 1] > [""])
            yield f"column {place + 1} has no name in the header, but a value in row {row}"


def _row_problems(names: Sequence[str], header: tuple, rows: Sequence) -> Iterator[str]:
    for number, cells in rows:
        if any(cells[len(names) :]):
            yield (
                f"row {number}: has more values than the header has columns; quote values that "
                "hold commas"
            )
        elif cells == header[1]:
            yield f"row {number}: is the header again; remove it"
