"""Check an archived run on any machine: its files by their digests, its tables from predictions.

Nothing is needed but the folder with its `provenance.json`; no CT, and no training.
"""

import json
import platform
import re
import warnings
from collections.abc import Iterable, Mapping
from decimal import Decimal
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from hepatoclr import provenance
from hepatoclr.base import files, fingerprint, messages, settings
from hepatoclr.base.errors import UserError
from hepatoclr.learning import experiment
from hepatoclr.prediction import bundle_checks, bundles, card
from hepatoclr.reporting import consistency, formatting
from hepatoclr.reporting.tables import common, external, tables
from hepatoclr.stats import metrics, predictions

TABLES = "hepatoclr/reporting/tables/tables.py"
PACKAGES = ("numpy", "pandas", "scipy", "scikit-learn", "statsmodels")  # that compute the tables
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")
RESTORE = "Restore it from the archive."


TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
# What is used of the record; there is more in it.
SCHEMA = settings.objects(
    code=settings.objects(fingerprints=TEXTS),
    environment=settings.objects(
        python={"type": "string"}, platform={"type": "string"}, distributions=TEXTS
    ),
    hardware=settings.objects(cpu={"type": "string"}),
    config=settings.objects(
        tensors=settings.objects(window={"type": "array"}),
        evaluation=settings.objects(threshold={"enum": ["youden", 0.5]}),
        experiment=settings.objects(
            methods={"type": "array", "items": {"type": "string"}},
            betas={"type": "array", "items": {"type": "number"}},
            beta={"type": "number"},
        ),
    ),
    disclaimers={"type": "array", "items": {"enum": list(formatting.DISCLAIMERS)}},
    files=settings.objects(predictions=TEXTS, tables=TEXTS) | {"additionalProperties": TEXTS},
)


def run(folder: str | Path) -> tuple[list[str], list[str]]:
    """Check the folder of a run.

    Returns:
        The lines of a summary, and a message for each thing that is wrong.

    Raises:
        UserError: There is no record to check the folder by; see `read`.
    """
    folder = Path(folder)
    record, problems = read(folder), []
    lines = [f"{folder / provenance.FILE}, sha256 {files.sha256(folder / provenance.FILE)}"]
    for kind, digests in record["files"].items():
        wrong = [
            f"{path}: {found}. {RESTORE}"
            for path, digest in digests.items()
            if (found := _difference(folder / path, digest))
        ]
        lines.append(f"{kind:<12}{len(digests) - len(wrong):>6} of {len(digests)} as recorded")
        problems += wrong
    try:
        consistency.check(_trainings(folder, record), record["config"])
        recomputed = recompute(folder, record)
    except UserError as error:
        return lines, [*problems, f"tables: not computed again. {error}"]
    summary, differing = _compare(folder, record, recomputed)
    return lines + summary, problems + differing


def bundle(path: str | Path) -> tuple[list[str], list[str]]:
    """Check a bundle.

    Returns:
        As `run`.

    Raises:
        UserError: It is no whole bundle, see `bundles.unpacked`.
    """
    with bundles.unpacked(path) as found:
        bundle_checks.check(path, found.facts)
        lines = [
            f"{path}, sha256 {found.sha256}",
            f"{found.facts['name']}: {card.how(found.facts)}",
        ]
        return [*lines, f"{'files':<12}{len(found.facts['files']):>6} as recorded"], []


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
        record = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=settings.unique)
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: cannot be read as JSON ({error}). {RESTORE}") from None
    if wrong := settings.problems(record, SCHEMA):
        listing = messages.listing(f"{path}: this is no record of a run; it has", wrong)
        raise UserError(f"{listing}\n{RESTORE}")
    for name in (name for digests in record["files"].values() for name in digests):
        if not _inside(folder, name):
            raise UserError(
                f"{path}: {name!r} does not lie in the folder of the run, and was not read. No run "
                "writes such a record; ask where it comes from."
            )
    return record


def recompute(folder: Path, record: Mapping) -> dict[str, str]:
    """Compute the tables from the recorded predictions.

    Which encoders learned is read from the recorded metadata.

    Returns:
        Path of each file of a table below the folder of a run, to its text.

    Raises:
        UserError: Predictions are missing, or as `predictions.read` and `tables.all`.
    """
    paths = [folder / path for path in record["files"]["predictions"]]
    if missing := sum(not path.is_file() for path in paths):
        raise UserError(f"predictions are missing ({missing} of {len(paths)} files)")
    given, threshold = record["config"]["experiment"], record["config"]["evaluation"]["threshold"]
    methods = experiment.by_method(given["methods"], given["beta"])
    betas = experiment.by_beta(given["betas"])
    found = predictions.read(paths)
    learned = common.learned(map(files.read_json, _trainings(folder, record)))
    with warnings.catch_warnings(), TemporaryDirectory() as place:
        warnings.simplefilter("ignore")  # what cannot be estimated is empty in the table
        computed = tables.all(found, methods, betas, record["disclaimers"], threshold, learned)
        for name, table in computed.items():
            forms = [Path(place, f"{name}.{suffix}") for suffix in ("csv", "md", "tex")]
            tables.write(table, *forms, tables.TITLES[name], metrics.counts(found))
        if outside := record["files"].get("external"):
            table = _external(folder, outside, found, methods, threshold)
            marked = table.assign(data=formatting.data(record["disclaimers"]))
            forms = [Path(place, f"external.{suffix}") for suffix in ("csv", "md", "tex")]
            tables.write(marked, *forms, tables.EXTERNAL)
        return {f"tables/{path.name}": _text(path) for path in sorted(Path(place).iterdir())}


def _external(
    folder: Path,
    paths: Iterable[str],
    inside: pd.DataFrame,
    methods: Mapping[str, str],
    threshold: float | str,
) -> pd.DataFrame:
    """The table of external cohorts, from their predictions."""
    if missing := sum(not (folder / path).is_file() for path in paths):
        raise UserError(f"predictions of external cohorts are missing ({missing} files)")
    cohorts = list(dict.fromkeys((folder / path).parents[2].name for path in paths))
    outside = external.read([folder / path for path in paths], cohorts)
    return external.external(inside, outside, methods, threshold)


def _trainings(folder: Path, record: Mapping) -> list[Path]:
    """What trainings recorded, of those that are there."""
    paths = (folder / path for path in record["files"].get("metadata", ()))
    return [path for path in paths if path.is_file()]


def other_versions(record: Mapping) -> list[str]:
    """List what tables depend on and is not here as it was for the run."""
    then, code = record["environment"], record["code"]["fingerprints"]
    before = {"Python": then["python"], "platform": then["platform"]}
    before |= {"processor": record["hardware"]["cpu"]}
    before |= {name: then["distributions"].get(name, "unknown") for name in PACKAGES}
    now = {"Python": platform.python_version(), "platform": platform.platform()}
    now |= {"processor": provenance.cpu()} | {name: metadata.version(name) for name in PACKAGES}
    reached = dict(file.split("@") for file in fingerprint.reached(fingerprint.PROJECT, TABLES))
    return [
        *(f"{name} {before[name]}, here {now[name]}" for name in now if before[name] != now[name]),
        *(f"{name} of other code" for name in reached if code.get(name) != reached[name]),
    ]


def close(text: str, other: str) -> bool:
    """Say whether two forms of a table differ by one unit of a last decimal at most."""
    if NUMBER.sub("#", text) != NUMBER.sub("#", other):
        return False
    pairs = zip(NUMBER.findall(text), NUMBER.findall(other), strict=True)
    return all(_close(Decimal(one), Decimal(two)) for one, two in pairs if one != two)


def _close(one: Decimal, two: Decimal) -> bool:
    last = min(one.as_tuple().exponent, two.as_tuple().exponent)
    return last < 0 and abs(one - two) <= Decimal(1).scaleb(last)


def _difference(path: Path, digest: str) -> str:
    """What became of a file; nothing where it is as recorded."""
    if not path.is_file():
        return "the file is missing"
    same = files.sha256(path) == digest
    return "" if same else "the file has changed, its digest is not the one recorded"


def _compare(
    folder: Path, record: Mapping, recomputed: Mapping[str, str]
) -> tuple[list[str], list[str]]:
    """Compare tables with what the predictions give: lines of the summary, and what differs."""
    recorded = record["files"]["tables"]  # of which `read` has seen that they lie in the folder
    found = {
        path: _text(folder / path)
        for path in recomputed
        if path in recorded and (folder / path).is_file()
    }
    unequal = [path for path in found if found[path] != recomputed[path]]
    others = other_versions(record) if unequal else []
    why = f" ({'; '.join(others)})" if others else ""
    rounded = [path for path in unequal if others and close(found[path], recomputed[path])]
    lines = [f"{'recomputed':<12}{len(found) - len(unequal):>6} of {len(found)} tables equal"]
    if rounded:
        lines.append(f"{'':<12}{len(rounded):>6} more but for the last decimal{why}")
    problems = [
        f"{path}: the table is not what the predictions give{why}. One of the two was changed."
        for path in unequal
        if path not in rounded
    ]
    unknown = [path for path in recomputed if path not in recorded]
    return lines, problems + [f"{path}: a table of every run, in no record." for path in unknown]


def _inside(folder: Path, name: str) -> bool:
    """Say whether a path leads to a place in the folder, on any system and through any link."""
    try:
        path = (folder / name).resolve()
    except (OSError, RuntimeError, ValueError):  # links that lead to each other; no path at all
        return False
    return path.is_relative_to(folder.resolve()) and not {"\\", ":"} & set(name)


def _text(path: Path) -> str:
    """The text of a file, byte for byte; what is no UTF-8 is kept apart from what is."""
    return path.read_bytes().decode("utf-8", errors="backslashreplace")
