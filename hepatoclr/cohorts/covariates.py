"""What manifests tell of patients beside the image: the columns that the configuration names."""

import datetime
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from hepatoclr.base import messages
from hepatoclr.cohorts import manifests

NUMBER, CATEGORY, DATE = "number", "category", "date"
# Columns of every manifest that may be covariates; the others name a patient, an image or the label
OF_MANIFEST = ("weak_label", "site", "phase")
DAY = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")
DAYS_OF_YEAR = 365.25


def read(path: str | Path, kinds: Mapping[str, str]) -> pd.DataFrame:
    """Read the covariates of a manifest that `manifest_checks` has passed.

    Args:
        path: The manifest.
        kinds: Column to its kind; a column that the manifest lacks is passed over.

    Returns:
        A row per case, by its name, and a column per covariate: numbers, of dates the year with its
        fraction, NaN where the cell is empty; categories as text, "" where it is empty.

    Raises:
        UserError: The file cannot be read.
    """
    columns, records = manifests.columns_and_records(path)
    cases = [row.case for row in manifests.rows(records.items(), path)]
    values = {
        name: [VALUES[kind](record[name]) for record in records.values()]
        for name, kind in kinds.items()
        if name in columns
    }
    return pd.DataFrame(values, index=pd.Index(cases, name="case"))


def allowed(schema: Mapping, kinds: Mapping[str, str]) -> dict:
    """The schema of a manifest that may have covariates.

    A column that is known, and that the configuration does not name, is refused with what to write.
    """
    hints = {
        name: f"is a column where the configuration names it: covariates: {{{name}: {of['kind']}}}"
        for name, of in schema["covariates"].items()
        if name not in kinds
    }
    columns = {**dict.fromkeys(kinds, {}), **schema["properties"]}
    return {**schema, "properties": columns, "formerly": hints}


def name_problems(kinds: Mapping[str, str], known: Mapping[str, Mapping]) -> Iterator[str]:
    """List columns that can be no covariate, and known ones of another kind.

    Args:
        kinds: Column to its kind.
        known: Column to what is known of it, see rules/cohort.schema.yaml.
    """
    for name, kind in kinds.items():
        if name in manifests.COLUMNS and name not in OF_MANIFEST:
            yield f"covariates.{name}: names a patient, an image or the label; remove it"
        elif (wanted := known.get(name, {}).get("kind", kind)) != kind:
            yield f"covariates.{name}: is a {wanted}{_unit(known[name])}, not a {kind}"


def missing(kinds: Mapping[str, str], columns: list[str]) -> Iterator[str]:
    """List the covariates of which a manifest has no column."""
    for name in kinds:
        if name not in columns:
            yield f"no column {name}, which covariates names; add it, its cells may be empty"


def problems(
    record: Mapping[str, str], kinds: Mapping[str, str], known: Mapping[str, Mapping]
) -> Iterator[str]:
    """List the covariates of a row that are not of their kind, or out of range; empty is neither.

    Days are not repeated, since messages reach logs.
    """
    for name, kind in kinds.items():
        text, about = record.get(name, "").strip(), known.get(name, {})
        if not text or kind == CATEGORY:
            continue
        value = VALUES[kind](text)
        if kind == DATE and math.isnan(value):
            yield f"{name} must be a day as 2004-03-01, or 2004-03 or 2004, or empty"
        elif re.fullmatch(messages.DECIMAL_COMMA, text):
            yield f"{name} {text!r} {messages.DECIMAL_POINT}"
        elif not math.isfinite(value):
            yield f"{name} must be a number or empty, got {text!r}"
        elif not about.get("minimum", value) <= value <= about.get("maximum", value):
            limits = f"{about['minimum']} to {about['maximum']}"
            yield f"{name} {text} is outside {limits}; the unit is{_unit(about, '')}, convert it"


def _unit(about: Mapping, before: str = " in") -> str:
    return f"{before} {about['unit']}" if "unit" in about else ""


def _number(text: str) -> float:
    """The number that a text is, in digits as 1500 or 0.8; NaN where it is none."""
    try:
        return np.nan if "_" in text else float(text)
    except ValueError:
        return np.nan


def _year(text: str) -> float:
    """The year of a day, with its fraction; of a month or year the middle; NaN where it is none."""
    if not DAY.fullmatch(text):
        return np.nan
    middle = {4: "-07-01", 7: "-15"}.get(len(text), "")
    try:
        day = datetime.date.fromisoformat(text + middle)
    except ValueError:
        return np.nan
    return day.year + (day.timetuple().tm_yday - 0.5) / DAYS_OF_YEAR


VALUES = {NUMBER: _number, DATE: _year, CATEGORY: str}
