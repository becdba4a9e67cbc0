"""Predictions per patient: the interface between training and statistics.

A predictions table has a row per tested patient; `KINDS` and `OPTIONAL` list its columns.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from hepatoclr.base import files, messages, texts
from hepatoclr.base.errors import UserError
from hepatoclr.stats import metrics

KINDS = {
    "protocol": str,
    "encoder": str,
    "fraction": float,
    "seed": int,
    "repeat": int,
    "fold": int,
    "patient_id": str,
    "label": int,
    "probability": float,
    "threshold": float,
    "slices": int,
}
# Where they are known: the slices' probabilities, whether the epoch was chosen on the tested
# patients, and what was chosen inside the training folds.
OPTIONAL = {"by_slice": str, "leaky": int, "C": float, "inner_auc": float, "beta": float}
COLUMNS = (*KINDS, *OPTIONAL)
NUMBERS = r"\s*(?:\d+(?:\.\d*)?(?:e[+-]?\d+)?(?:\s+|$))*"  # as in by_slice
# What a table made by hand may leave out.
DEFAULTS = {
    "protocol": "model",
    "fraction": "1",
    "seed": "1",
    "repeat": "1",
    "fold": "1",
    "threshold": "0.5",
    "slices": "0",
}


def read(paths: Iterable[str | Path], own: bool = False) -> pd.DataFrame:
    """Read the predictions of all evaluation jobs into one table.

    Args:
        paths: CSV files with the columns of `KINDS`, of which those in `DEFAULTS` may be
            missing, and of `OPTIONAL`; further columns are kept as text.
        own: This workflow wrote them: one whose last line is not whole was cut off.

    Returns:
        A row per tested patient, in an order that does not depend on that of the files; leaky is
        0 where it is not given.

    Raises:
        UserError: No file or no row; a file cannot be read; a column is missing, empty or not of
            its kind; a text holds control characters or would be a formula in a spreadsheet; a
            patient is predicted twice in one repeat or has two labels.
    """
    return combined({path: _text(path, own) for path in map(str, paths)})


def combined(found: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Check the text of some files by path, its rows named by their number, and put it together.

    Returns, raises:
        See `read`.
    """
    if not found:
        raise UserError("no predictions to read. Run the linear or fine-tuning evaluation first.")
    paths = list(found)
    table = pd.concat([_complete(frame, path) for path, frame in found.items()], keys=paths)
    if table.empty:
        raise UserError(f"{', '.join(paths)}: there is a header, but no row. Predict again.")
    for name, kind in (KINDS | OPTIONAL).items():
        if name in table and kind is not str:
            table[name] = _numbers(table[name], kind)
        elif name in KINDS:
            _refuse(table[name], table[name].str.strip() == "", "is missing")
            _refuse_text(table[name])
        elif name in table:
            _refuse(table[name], ~table[name].fillna("").str.fullmatch(NUMBERS), "must be numbers")
    table = table.assign(leaky=table["leaky"].fillna(0).astype(int) if "leaky" in table else 0)
    _check_patients(table)
    order = [*metrics.FOLD, "patient_id"]
    return table.sort_values(order, kind="stable", ignore_index=True)


def _text(path: str, own: bool) -> pd.DataFrame:
    """Read one file as text; its rows are named by their number."""
    # A patient may be called NA or None: only empty cells are missing.
    options = {"dtype": str, "keep_default_na": False}
    try:
        read_csv = files.read_csv if own else partial(pd.read_csv, encoding="utf-8-sig")
        frame = read_csv(path, **options)
    except PermissionError:
        raise
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as a CSV file: {error}. Predict again.") from None
    return frame.set_axis(pd.RangeIndex(2, len(frame) + 2))


def _complete(frame: pd.DataFrame, path: str) -> pd.DataFrame:
    """Add the columns of `DEFAULTS` that a file lacks."""
    if missing := [name for name in KINDS if name not in frame and name not in DEFAULTS]:
        raise UserError(
            f"{path} lacks the columns {', '.join(missing)}; it has {', '.join(frame)}. A "
            f"predictions file is a CSV with commas and the columns {', '.join(KINDS)}; only "
            f"{', '.join(DEFAULTS)} may be missing."
        )
    defaults = {name: value for name, value in DEFAULTS.items() if name not in frame}
    return frame.assign(**defaults)


def _numbers(column: pd.Series, kind: type) -> pd.Series:
    """Turn a column of text into numbers, or name the first cell that is none.

    A missing probability stays: `metrics` names its fold, which says more than the line.
    """
    text = column.fillna("").str.strip()
    empty = text.str.lower().isin(["", "nan"])
    if column.name not in {"probability", *OPTIONAL}:
        _refuse(column, empty, "is missing")
    numbers = pd.to_numeric(text.mask(empty, "nan"), errors="coerce").astype(float)
    whole = np.isfinite(numbers) & (numbers % 1 == 0)
    _refuse(column, text.str.fullmatch(messages.DECIMAL_COMMA), messages.DECIMAL_POINT)
    _refuse(column, ~empty & numbers.isna(), "must be a number")
    if kind is int:
        _refuse(column, ~empty & ~whole, "must be a whole number")
    if column.name != "probability":  # of which, too, `metrics` says more
        _refuse(column, np.isinf(numbers), "must be finite")
    return numbers.astype(int) if kind is int and not empty.any() else numbers


def _refuse(column: pd.Series, wrong: pd.Series, what: str) -> None:
    """Raise a UserError that names the first wrong cell of a column of text."""
    if wrong.any():
        path, line = column.index[int(wrong.argmax())]
        found = column.iloc[int(wrong.argmax())]
        value = f", found {found!r}" if found.strip() else ""
        raise UserError(
            f"{path}, line {line}: {column.name} {what}{value} ({int(wrong.sum())} rows in all). "
            "Correct the file, or predict again."
        )


def _refuse_text(column: pd.Series) -> None:
    """Raise a UserError for the first text that would do harm in the tables."""
    for text in column.unique():
        if refused := texts.invalid_reason(text):
            _refuse(column, column == text, refused)


def _check_patients(table: pd.DataFrame) -> None:
    """Raise a UserError for a patient predicted twice in a repeat, or with two labels."""
    twice = table[table.duplicated([*metrics.REPEAT, "patient_id"])]
    if len(twice):
        first, (path, line) = twice.iloc[0], twice.index[0]
        raise UserError(
            f"patient {first['patient_id']} is predicted twice by {first['encoder']} "
            f"({first['protocol']}) in seed {first['seed']}, repeat {first['repeat']}: again in "
            f"{path}, line {line}; {len(twice)} rows are too many. Give each predictions file "
            "once, and one row per patient."
        )
    labels = table.groupby("patient_id")["label"].nunique()
    if (labels > 1).any():
        raise UserError(
            f"patient {labels.index[labels > 1][0]} has label 0 in one file and 1 in another "
            f"({int((labels > 1).sum())} patients do). The files are of different label "
            "settings: predict again, or read only those of one run."
        )


def per_patient(patient: Sequence[str], probability: np.ndarray) -> pd.DataFrame:
    """Average the probabilities of each patient's slices.

    Args:
        patient: Patient of each slice.
        probability: Of each slice.

    Returns:
        A row per patient, in order of appearance: patient_id, probability, slices, by_slice (the
        probabilities of the slices, separated by spaces).
    """
    table = pd.DataFrame({"patient_id": patient, "probability": probability})
    grouped = table.groupby("patient_id", sort=False)["probability"]
    found = grouped.agg(probability="mean", slices="size", by_slice=_listed)
    return found.reset_index()


def _listed(probabilities: pd.Series) -> str:
    return " ".join(f"{value:.4f}" for value in probabilities)


def youden(known: pd.DataFrame, targets: pd.Series) -> float:
    """Choose the threshold on training patients, see `metrics.youden`.

    Args:
        known: The training patients: patient_id, probability.
        targets: Target by patient_id.
    """
    labels = targets.loc[known["patient_id"]].to_numpy(int)
    return metrics.youden(labels, known["probability"].to_numpy())


def at_threshold(table: pd.DataFrame, threshold: float | str) -> pd.DataFrame:
    """Take the threshold that the configuration names.

    Args:
        table: What `read` returns.
        threshold: 0.5 for all, but for `linear_nested`, which always chooses; or "youden": the
            column stays as it is, in our own files Youden's cut-off of the training patients.
    """
    if threshold == "youden":
        return table
    chosen = table["threshold"].where(table["protocol"] == "linear_nested", threshold)
    return table.assign(threshold=chosen)


def read_as_written(path: str | Path) -> pd.DataFrame:
    """Read predictions that this project wrote; ids and lists stay text."""
    texts = {"patient_id": "str", "by_slice": "str"}
    kept = {"keep_default_na": False, "na_values": {"inner_auc": ""}}
    return files.read_csv(path, dtype=texts, **kept)


def write(parts: Sequence[pd.DataFrame], path: str | Path) -> None:
    """Write predictions, the parts one below the other."""
    together = pd.concat(parts, ignore_index=True)
    files.write_csv(together[[name for name in COLUMNS if name in together]], path)
