"""Check an archived run on any machine: its files by their digests, its tables from predictions.

Nothing is needed but the folder with its `provenance.json`; no CT, and no training.
"""

import json
import platform
import re
import warnings
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path, PureWindowsPath
from tempfile import TemporaryDirectory

from hepatoclr import provenance
from hepatoclr.base import files, fingerprint, messages, settings
from hepatoclr.base.errors import UserError
from hepatoclr.learning import experiment
from hepatoclr.reporting import formatting
from hepatoclr.reporting.tables import tables as computing
from hepatoclr.stats import metrics, predictions

# What the tables are computed with.
PACKAGES = ("numpy", "pandas", "scipy", "scikit-learn", "statsmodels")
TOLERANCE = 1e-6  # the tables hold six decimals, and another machine may round the last one apart
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")
LISTS = {"type": "array", "items": {"type": "string"}}
NUMBERS = {"type": "array", "items": {"type": "number"}}
DIGESTS = {"type": "object", "additionalProperties": {"type": "string"}}


def _object_schema(**properties: Mapping) -> dict:
    """The schema of an object that has at least these keys."""
    return {"type": "object", "properties": properties, "required": list(properties)}


# What is used of the record; there is more in it.
SCHEMA = _object_schema(
    code=_object_schema(fingerprints=DIGESTS),
    environment=_object_schema(
        python={"type": "string"}, platform={"type": "string"}, distributions=DIGESTS
    ),
    hardware=_object_schema(cpu={"type": "string"}),
    config=_object_schema(
        experiment=_object_schema(methods=LISTS, betas=NUMBERS, beta={"type": "number"})
    ),
    disclaimers={"type": "array", "items": {"enum": list(formatting.DISCLAIMERS)}},
    files=_object_schema(predictions=DIGESTS, tables=DIGESTS) | {"additionalProperties": DIGESTS},
)


def run(folder: str | Path) -> tuple[list[str], list[str]]:
    """Check the folder of a run.

    Returns:
        The lines of a summary, and a message for each thing that is wrong.

    Raises:
        UserError: There is no record to check the folder by; see `read`.
    """
    folder = Path(folder)
    record = read(folder)
    kinds = {kind: _wrong(folder, digests) for kind, digests in record["files"].items()}
    summary = [f"{folder / provenance.FILE}, sha256 {files.sha256(folder / provenance.FILE)}"]
    for kind, wrong in kinds.items():
        count = len(record["files"][kind])
        summary.append(f"{kind:<12}{count - len(wrong):>6} of {count} as recorded")
    problems = [
        f"{path}: {what}. Restore it from the archive."
        for wrong in kinds.values()
        for path, what in wrong.items()
    ]
    lines, differing = _compared(folder, record)
    return summary + lines, problems + differing


def read(folder: Path) -> dict:
    """Read the record of a run.

    Raises:
        UserError: There is none, or it is not what `provenance.record` gives, or it names a file
            that does not lie in the folder.
    """
    path = folder / provenance.FILE
    if not path.is_file():
        raise UserError(
            f"{path}: there is no such file. Give the folder of a finished run, as results/study."
        )
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(
            f"{path}: cannot be read as JSON ({error}). Restore it from the archive."
        ) from None
    if wrong := settings.problems(record, SCHEMA):
        raise UserError(
            messages.listing(f"{path}: this is no record of a run; it has", wrong)
            + "\nRestore it from the archive."
        )
    for name in (name for digests in record["files"].values() for name in digests):
        if not _inside(folder, name):
            raise UserError(
                f"{path}: {name!r} does not lie in the folder of the run, and was not read. No run "
                "writes such a record; ask where it comes from."
            )
    return record


def recomputed(folder: Path, record: Mapping) -> dict[str, str]:
    """Compute the tables again from the recorded predictions.

    Returns:
        Path of each file of a table below the folder of a run, to its text.

    Raises:
        UserError: As `predictions.read` and `tables.all`.
    """
    given = record["config"]["experiment"]
    found = predictions.read(folder / path for path in record["files"]["predictions"])
    with warnings.catch_warnings(), TemporaryDirectory() as place:
        warnings.simplefilter("ignore")  # what cannot be estimated is empty in the table
        computed = computing.all(
            found,
            experiment.by_method(given["methods"], given["beta"]),
            experiment.by_beta(given["betas"]),
            record["disclaimers"],
        )
        for name, table in computed.items():
            paths = [Path(place) / f"{name}.{suffix}" for suffix in ("csv", "md", "tex")]
            computing.write(table, *paths, computing.TITLES[name], metrics.counts(found))
        written = sorted(Path(place).iterdir())
        return {f"tables/{path.name}": _text(path) for path in written}


def differences(record: Mapping) -> list[str]:
    """Say in what this machine is not as that of the run, as far as tables can depend on it."""
    then, code = record["environment"], record["code"]["fingerprints"]
    before = {
        "Python": then["python"],
        "platform": then["platform"],
        "processor": record["hardware"]["cpu"],
        **{name: then["distributions"].get(name, "unknown") for name in PACKAGES},
    }
    now = {
        "Python": platform.python_version(),
        "platform": platform.platform(),
        "processor": provenance.cpu(),
        **{name: metadata.version(name) for name in PACKAGES},
    }
    reached = fingerprint.reached(fingerprint.PROJECT, "hepatoclr/reporting/tables/tables.py")
    edited = [
        name for name, digest in (file.split("@") for file in reached) if code.get(name) != digest
    ]
    return [
        *(f"{name} {before[name]}, here {now[name]}" for name in now if before[name] != now[name]),
        *(f"{name} of other code" for name in edited),
    ]


def close(text: str, other: str, apart: float | None = None) -> bool:
    """Say whether two forms of a table differ by rounding alone.

    Args:
        text, other: CSV, Markdown or LaTeX.
        apart: How far apart numbers may be; None for one unit of their last decimal.
    """
    if NUMBER.sub("#", text) != NUMBER.sub("#", other):
        return False
    pairs = zip(NUMBER.findall(text), NUMBER.findall(other), strict=True)
    return all(
        abs(float(one) - float(two)) <= 1.001 * (_unit(one) if apart is None else apart)
        for one, two in pairs
    )


def _unit(number: str) -> float:
    """One unit of the last decimal of a number; 0 for a whole one."""
    decimals = len(number.partition(".")[2])
    return 10.0**-decimals if decimals else 0.0


def _wrong(folder: Path, digests: Mapping[str, str]) -> dict[str, str]:
    """What became of each file that is not as recorded."""
    found = {}
    for path, digest in digests.items():
        if not (folder / path).is_file():
            found[path] = "the file is missing"
        elif files.sha256(folder / path) != digest:
            found[path] = "the file has changed, its digest is not the one recorded"
    return found


def _compared(folder: Path, record: Mapping) -> tuple[list[str], list[str]]:
    """Compare tables with what the predictions give: lines of the summary, and what differs."""
    missing = [path for path in record["files"]["predictions"] if not (folder / path).is_file()]
    if missing:
        count = f"{len(missing)} of {len(record['files']['predictions'])} files"
        return [], [f"tables: not computed again, since predictions are missing ({count})."]
    try:
        again = recomputed(folder, record)
    except UserError as error:
        return [], [f"tables: the predictions give none. {error}"]
    recorded = record["files"]["tables"]  # of which `read` has seen that they lie in the folder
    there = [path for path in again if path in recorded and (folder / path).is_file()]
    found = {path: _text(folder / path) for path in there}
    unequal = [path for path in found if found[path] != again[path]]
    others = differences(record) if unequal else []
    why = f" ({'; '.join(others)})" if others else ""
    apart = {path: TOLERANCE if path.endswith(".csv") else None for path in unequal}
    rounded = [path for path in unequal if others and close(found[path], again[path], apart[path])]
    lines = [f"{'recomputed':<12}{len(found) - len(unequal):>6} of {len(found)} tables equal"]
    if rounded:
        lines.append(f"{'':<12}{len(rounded):>6} more but for the last decimal{why}")
    problems = [
        f"{path}: the table is not what the predictions give{why}. One of the two was changed."
        for path in unequal
        if path not in rounded
    ]
    unknown = [path for path in again if path not in recorded]
    return lines, problems + [
        f"{path}: the table belongs to a run, but is in no record." for path in unknown
    ]


def _inside(folder: Path, name: str) -> bool:
    """Say whether a path leads to a place in the folder, on any system and through any link."""
    parts = PureWindowsPath(name)  # knows / and \ and drives
    if parts.anchor or ".." in parts.parts or "\0" in name:
        return False
    try:
        return (folder / name).resolve().is_relative_to(folder.resolve())
    except RuntimeError:  # links that lead to each other
        return False


def _text(path: Path) -> str:
    """The text of a file, byte for byte; what is no UTF-8 is kept apart from what is."""
    return path.read_bytes().decode("utf-8", errors="backslashreplace")
