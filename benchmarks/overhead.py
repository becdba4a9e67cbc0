"""What a case costs beside image work: the real workflow on tiny CTs, to tensors and cohorts.

    python -m benchmarks.overhead

Core time of everything, Snakemake and all processes, divided by the cases. Volumes are 32x32x8 and
masks are given, so next to nothing of it is image work. At last one image is changed, and the jobs
that follow are counted.
"""

import argparse
import tempfile
from pathlib import Path

from benchmarks import cohorts, common

CHANGED = "radio-00007"


def measure(given: argparse.Namespace) -> list[common.Row]:
    """Core time a case, and the jobs after a change of one image."""
    cases = 40 if given.quick else 120
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        cohorts.write(folder, cases, cohorts.SETTINGS)
        run = _run(folder, cases)
        after = changed(folder, cases)
    each, took = [1e3 * run.core_s / cases], f"{run.jobs['total']} jobs in {run.wall_s:.0f} s"
    return [common.Row(f"a case of {cases} to its tensor", "core ms", each, remarks=took), after]


def changed(folder: Path, cases: int) -> common.Row:
    """Change one image; count the jobs that run."""
    mask = cohorts.liver()
    path = folder / "images" / "radio" / f"{CHANGED}.nii"
    header = path.read_bytes()[: -mask.nbytes]
    path.write_bytes(header + cohorts.image(mask, 7, "changed").tobytes("F"))
    run = _run(folder, cases)
    jobs = ", ".join(f"{rule} {count}" for rule, count in run.jobs.items() if rule != "total")
    what = "jobs after a change of one image"
    return common.Row(what, "jobs", [run.jobs["total"]], remarks=jobs)


def _run(folder: Path, cases: int) -> cohorts.Run:
    tables = [f"results/{cohorts.SETTINGS['run']}/cohorts/{name}.csv" for name in cohorts.COHORTS]
    return cohorts.snakemake(folder, *tables, *cohorts.tensors(cases))


if __name__ == "__main__":
    common.main("overhead", __doc__, measure)
