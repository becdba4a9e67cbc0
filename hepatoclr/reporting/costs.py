"""What a run cost, by stage, from the benchmarks and logs that its jobs left."""

import csv
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pandas as pd

from hepatoclr.base import files, logs

DECIMALS = {
    "jobs": 0,
    "wall_seconds": 1,
    "core_seconds": 1,
    "start_up_share": 3,
    "peak_memory_mb": 0,
    "device": None,
    "samples_per_second": 1,
}
HEADINGS = {
    "stage": "Stage",
    "jobs": "Jobs",
    "wall_seconds": "Wall time (h:min:s)",
    "core_seconds": "Core time (h:min:s)",
    "start_up_share": "Start-up (%)",
    "peak_memory_mb": "Peak memory (MB)",
    "device": "Device",
    "samples_per_second": "Training (slices/s)",
}
DEVICE_LINE = re.compile(r" INFO device (.+)$", re.M)
# of an epoch the log has the line of history, and how long it took in one of two places
EPOCH_LINE = re.compile(r"'samples': (\d+)(?:.*?'seconds': ([\d.e+-]+)|.*, ([\d.]+) s$)", re.M)


def table(run: str | Path, stages: Iterable[str]) -> pd.DataFrame:
    """Add up what the jobs of a run took.

    Each job counts by its last attempt. What a job did not leave, or left half written, is not
    known and does not count; where nothing is known of any job, the cell is missing.

    Args:
        run: Folder of the run. Job `<stage>/<name>` has `benchmarks/<stage>/<name>.tsv` and
            `logs/<stage>/<name>.log`, the only job of a stage `benchmarks/<stage>.tsv` and
            `logs/<stage>.log`.
        stages: Names of the stages, in the order of the rows. Those without jobs are left out.

    Returns:
        One row per stage: stage; jobs; wall_seconds and core_seconds, sums over the jobs, children
        included; start_up_share, of the core time what was spent before the work began;
        peak_memory_mb, of the largest job; device, names of what the networks ran on;
        samples_per_second, slices drawn in training.
    """
    rows = []
    for stage in stages:
        if jobs := [_job(Path(run), *found) for found in _benchmarks(Path(run), stage)]:
            rows.append({"stage": stage, **_sum(jobs)})
    return pd.DataFrame(rows, columns=["stage", *DECIMALS])


def write(table: pd.DataFrame, path: str | Path) -> None:
    """Write a table of costs as CSV; unknown cells are empty."""
    shown = table.astype(object)
    for name, digits in DECIMALS.items():
        if digits is not None:
            shown[name] = [_text(value, digits) for value in table[name]]
    files.write_csv(shown, path)


def read(path: str | Path) -> pd.DataFrame:
    """Read a table of costs, as `table` returns it."""
    # a stage or device may be called NA: only empty cells of numbers are missing
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    for name, digits in DECIMALS.items():
        if digits is not None:
            frame[name] = pd.to_numeric(frame[name])
    return frame


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """Lay a table of costs out for people: text under headings with units, the total last."""
    if table.empty:
        return pd.DataFrame(columns=list(HEADINGS.values()))
    rows = [*table.to_dict("records"), _total(table)]
    return pd.DataFrame(map(_readable, rows)).rename(columns=HEADINGS)


def _benchmarks(run: Path, stage: str) -> Iterator[tuple[Path, str]]:
    """The benchmark files of a stage, each with the name of its job."""
    folder = run / "benchmarks"
    for path in [folder / f"{stage}.tsv", *sorted((folder / stage).rglob("*.tsv"))]:
        if path.is_file():
            yield path, path.relative_to(folder).with_suffix("").as_posix()


def _job(run: Path, benchmark: Path, name: str) -> dict:
    """What one job took: numbers, NaN where unknown, and its devices."""
    measured = (_rows(benchmark, delimiter="\t") or [{}])[-1]
    log = run / "logs" / f"{name}.log"
    text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    core = logs.core_time(text)
    encoder = run / "encoders" / name.removeprefix("pretrain/")
    samples, seconds = _pace(_rows(encoder / "history.csv"), text)
    return {
        "wall": _number(measured.get("s")),
        # Snakemake samples the core time, and misses what passes between two samples
        "core": core[0] if core else _number(measured.get("cpu_time")),
        "timed": core[0] if core else math.nan,
        "start": core[1] if core else math.nan,
        "memory": _number(measured.get("max_rss")),
        "devices": _devices(text, encoder / "metadata.json"),
        "samples": samples,
        "seconds": seconds,
    }


def _sum(jobs: Sequence[dict]) -> dict:
    """One row out of the jobs of a stage."""
    frame = pd.DataFrame(jobs)
    add = frame[["wall", "core", "timed", "start", "samples", "seconds"]].sum(min_count=1)
    return {
        "jobs": len(jobs),
        "wall_seconds": add["wall"],
        "core_seconds": add["core"],
        "start_up_share": _ratio(add["start"], add["timed"]),
        "peak_memory_mb": frame["memory"].max(),
        "device": ", ".join(dict.fromkeys(name for names in frame["devices"] for name in names)),
        "samples_per_second": _ratio(add["samples"], add["seconds"]),
    }


def _total(table: pd.DataFrame) -> dict:
    known = table[table["start_up_share"].notna()]
    started = (known["start_up_share"] * known["core_seconds"]).sum(min_count=1)
    return {
        "stage": "Total",
        **table[["jobs", "wall_seconds", "core_seconds"]].sum(min_count=1),
        "start_up_share": _ratio(started, known["core_seconds"].sum()),
        "peak_memory_mb": table["peak_memory_mb"].max(),
        "device": "",
        "samples_per_second": math.nan,
    }


def _pace(history: list[dict], log: str) -> tuple[float, float]:
    """Slices drawn and seconds of the epochs, by the history where it has both, else by the log."""
    epochs = [(row.get("samples"), row.get("seconds")) for row in history]
    if not any(seconds for _, seconds in epochs):
        epochs = [(count, one or other) for count, one, other in EPOCH_LINE.findall(log)]
    known = [pair for pair in (tuple(map(_number, epoch)) for epoch in epochs) if _whole(pair)]
    if not known:
        return math.nan, math.nan
    return tuple(map(sum, zip(*known, strict=True)))


def _devices(log: str, metadata: Path) -> list[str]:
    """Names of what a job's network ran on: as its log says, else as its encoder's metadata."""
    if found := DEVICE_LINE.findall(log):
        return found
    try:
        given = files.read_json(metadata).get("device")
    except (OSError, ValueError, AttributeError):
        return []
    return [given] if isinstance(given, str) else []


def _rows(path: Path, **options) -> list[dict]:
    """Rows of a table as text; none where there is no such file."""
    try:
        with open(path, encoding="utf-8", errors="replace", newline="") as file:
            return list(csv.DictReader(file, **options))
    except (OSError, csv.Error):
        return []


def _number(text: str | None) -> float:
    """A number of a benchmark; NaN for NA, -, nothing and what else is none."""
    try:
        number = float(text)
    except (TypeError, ValueError):
        return math.nan
    return number if math.isfinite(number) else math.nan


def _whole(pair: tuple[float, float]) -> bool:
    return not any(map(math.isnan, pair))


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else math.nan


def _text(value: float, digits: int, thousands: str = "") -> str:
    return "" if math.isnan(value) else f"{value:{thousands}.{digits}f}"


def _readable(row: dict) -> dict:
    return {
        "stage": row["stage"],
        "jobs": _text(row["jobs"], 0, ","),
        "wall_seconds": _clock(row["wall_seconds"]),
        "core_seconds": _clock(row["core_seconds"]),
        "start_up_share": _text(100 * row["start_up_share"], 0),
        "peak_memory_mb": _text(row["peak_memory_mb"], 0, ","),
        "device": row["device"],
        "samples_per_second": _text(row["samples_per_second"], 1),
    }


def _clock(seconds: float) -> str:
    """Seconds as hours, minutes and seconds: 3723 is 1:02:03."""
    if math.isnan(seconds):
        return ""
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
