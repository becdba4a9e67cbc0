"""What a case costs beside image work: the real workflow on tiny CTs, to tensors and cohorts.

    python -m benchmarks.overhead

Core time of everything, Snakemake and all processes, divided by the cases. Volumes are 32x32x8 and
masks are given, so next to nothing of it is image work. At last one image is changed, and what is
done again is counted.
"""

import argparse
import re
import tempfile
from pathlib import Path

from benchmarks import cohorts, common

DEFAULT, CASES = 16, {16: 1000, 1: 100, 50: 1000}  # by the cases in a job
CHANGED = "radio-00007"


def measure(given: argparse.Namespace) -> list[common.Row]:
    """Core time a case by the number of cases in a job, each beside the default."""
    ways, found = {16: 40, 5: 40} if given.quick else CASES, {}
    with tempfile.TemporaryDirectory() as scratch:
        for per_job, cases in ways.items():
            folder = Path(scratch, str(per_job))
            cohorts.write(folder, cases, cohorts.SETTINGS | {"cases_per_job": per_job})
            found[per_job] = _run(folder, cases, per_job)
        again = changed(Path(scratch, str(DEFAULT)), ways[DEFAULT])
    each = {per_job: [1e3 * run.core_s / ways[per_job]] for per_job, run in found.items()}
    rows = []
    for per_job, run in found.items():
        what = f"a case of {ways[per_job]:,} to its tensor, {per_job} a job"
        beside = (f"{DEFAULT} a job", each[DEFAULT]) if per_job != DEFAULT else ()
        took = f"{run.jobs['total']} jobs in {run.wall_s:.0f} s"
        rows.append(common.Row(what, "core ms", each[per_job], *beside, remarks=took))
    return [*rows, again]


def changed(folder: Path, cases: int) -> common.Row:
    """Change one image; count the jobs that run and the cases that they make."""
    mask = cohorts.liver()
    path = folder / "images" / "radio" / f"{CHANGED}.nii"
    header = path.read_bytes()[: -mask.nbytes]
    path.write_bytes(header + cohorts.image(mask, 7, "changed").tobytes("F"))
    run = _run(folder, cases, DEFAULT)
    logs = (folder / "results" / cohorts.SETTINGS["run"] / "logs").glob("*/radio/1.log")
    made = {case for log in logs for case in re.findall(r"case \d+ of \d+: (\S+)", log.read_text())}
    if made != {CHANGED}:
        raise SystemExit(f"one image was changed, but these cases were made again: {made}")
    count = run.jobs["total"]
    return common.Row("jobs after a change of one image", "jobs", [count], remarks=_listed(run))


def _listed(run: cohorts.Run) -> str:
    jobs = ", ".join(f"{rule} {count}" for rule, count in run.jobs.items() if rule != "total")
    return f"{jobs}; of the cases of the batch only the changed one is made"


def _run(folder: Path, cases: int, per_job: int) -> cohorts.Run:
    tables = [f"results/{cohorts.SETTINGS['run']}/cohorts/{name}.csv" for name in cohorts.COHORTS]
    return cohorts.snakemake(folder, *tables, *cohorts.tables(cases, per_job))


if __name__ == "__main__":
    common.main("overhead", __doc__, measure)
