"""What a run took, by stage, from the `benchmark:` files that Snakemake wrote for its jobs."""

import csv
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

MEASURED = {"wall_seconds": "s", "cpu_seconds": "cpu_time", "peak_memory_mb": "max_rss"}


def table(run: str | Path, stages: Iterable[str]) -> pd.DataFrame:
    """Add up what the jobs of a run took.

    Args:
        run: Folder of the run; the jobs of a stage have `benchmarks/<stage>/**/*.tsv`, its only
            job `benchmarks/<stage>.tsv`.
        stages: Names of the stages, in the order of the rows; those without jobs have none.

    Returns:
        One row per stage: stage, jobs, wall_seconds and cpu_seconds (sums over the jobs, children
        included), peak_memory_mb (of the largest job). Snakemake samples what it measures, so that
        short peaks may be missed; what it could not measure is missing.
    """
    folder, rows = Path(run) / "benchmarks", []
    for stage in stages:
        paths = [folder / f"{stage}.tsv", *sorted((folder / stage).rglob("*.tsv"))]
        jobs = pd.DataFrame([_measured(path) for path in paths if path.is_file()])
        if len(jobs):
            numbers = jobs.apply(pd.to_numeric, errors="coerce")
            sums = numbers[["wall_seconds", "cpu_seconds"]].sum(min_count=1)
            memory = numbers["peak_memory_mb"].max()
            rows.append({"stage": stage, "jobs": len(jobs), **sums, "peak_memory_mb": memory})
    return pd.DataFrame(rows, columns=["stage", "jobs", *MEASURED]).round(1)


def _measured(path: Path) -> dict[str, str | None]:
    """What Snakemake measured of the last run of a job, as text."""
    with open(path, encoding="utf-8", errors="replace", newline="") as file:
        *_, last = [{}, *csv.DictReader(file, delimiter="\t")]
    return {name: last.get(column) for name, column in MEASURED.items()}
