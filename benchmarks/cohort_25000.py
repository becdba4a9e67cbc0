"""The real workflow on 25,000 tiny cases: from images to linear predictions, and once more.

    python -m benchmarks.cohort_25000          # seven hours on two cores; --cases N for fewer

Nothing is a stub, but volumes are 32x32x8, masks are given, and one encoder of a tiny network is
trained for an epoch over all slices of all cases. Without --keep the folder goes when it is done.
"""

import argparse
import tempfile
from pathlib import Path

from benchmarks import cohorts, common
from hepatoclr.base import files
from hepatoclr.reporting import benchmark_summary

RESULTS = f"results/{cohorts.SETTINGS['run']}"
ENCODER = "weak_simclr-0.5/seed1"
TARGETS = [
    *(f"{RESULTS}/features/{name}/{ENCODER}.parquet" for name in cohorts.COHORTS),
    *(f"{RESULTS}/predictions/linear/{ENCODER}/repeat1-fold{fold}.csv" for fold in range(1, 6)),
]


def measure(folder: Path, cases: int) -> dict:
    """Run it in an empty folder; give what the whole, each rule, and looking again took."""
    cohorts.write(folder, cases, cohorts.SETTINGS)
    plan = cohorts.snakemake(folder, *TARGETS, "-n")
    print(f"planned in {plan.wall_s:.1f} s", flush=True)
    run = cohorts.snakemake(folder, *TARGETS)
    again = cohorts.snakemake(folder, *TARGETS)
    if "Nothing to be done" not in again.text:
        raise SystemExit("the finished run is not finished when it is started again")
    by_rule = benchmark_summary.table(folder / RESULTS, run.jobs)
    by_rule = by_rule.assign(peak_memory_mb=by_rule["stage"].map(run.peak_mb))
    kept = ["stage", "jobs", "wall_seconds", "cpu_seconds", "peak_memory_mb"]
    parts = {"dry run": plan, "run": run, "no-op": again}
    return {
        "cases": cases,
        "machine": common.machine(),
        "whole": {
            name: {
                "wall_s": round(part.wall_s, 1),
                "core_s": round(part.core_s, 1),
                "snakemake_mb": round(part.peak_mb["snakemake"]),
            }
            for name, part in parts.items()
        },
        "rules": by_rule[kept].round(1).to_dict("records"),
    }


def table(found: dict) -> str:
    """The result in Markdown."""
    lines = ["| | wall s | core s | Snakemake, MB |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {name} | {part['wall_s']:,.0f} | {part['core_s']:,.0f} | {part['snakemake_mb']:,.0f} |"
        for name, part in found["whole"].items()
    ]
    lines += ["", "| rule | jobs | core s | ms a case | peak of a job, MB |"]
    lines += ["| --- | --- | --- | --- | --- |"]
    lines += [
        f"| {row['stage']} | {row['jobs']} | {row['cpu_seconds']:,.0f} | "
        f"{1e3 * row['cpu_seconds'] / found['cases']:.1f} | {row['peak_memory_mb']:,.0f} |"
        for row in found["rules"]
    ]
    return "\n".join(lines)


def main() -> None:
    """Read the command line; keep the numbers as JSON and print them as tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=25_000)
    parser.add_argument("--keep", type=Path, help="new folder to run in, and to leave")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.keep or Path(scratch)
        found = measure(folder.resolve(), given.cases)
    files.write_json(found, common.RESULTS / f"cohort_{given.cases}.json")
    print(table(found))


if __name__ == "__main__":
    main()
