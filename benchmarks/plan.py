"""How long Snakemake takes to plan the paper's whole run, by the number of cases.

    python -m benchmarks.plan

A dry run where nothing is done, and a run where everything is: its outputs and notes of cases are
empty files, and Snakemake's records of them are made by `--touch`, which takes some minutes.
"""

import argparse
import tempfile
from pathlib import Path

from benchmarks import cohorts, common

CASES = (2905, 25_000)
SETTINGS = {"preset": "paper", "run": cohorts.SETTINGS["run"]}
MADE = ("batches/{stage}/{cohort}/{case}.made",)
LEFT = {  # what each stage leaves of a case
    "ingest": ("volumes/{cohort}/{case}.nii.gz", "volumes/{cohort}/{case}.json"),
    "segment": ("livers/{cohort}/{case}.nii.gz", "livers/{cohort}/{case}.json"),
    "slices": ("slices/{cohort}/{case}.csv",),
    "tensors": ("tensors/{cohort}/{case}.b2nd",),
    "picture": ("qc/{cohort}/{case}.png",),
}
FACTS = "{}"  # of a case that was not excluded


def measure(given: argparse.Namespace) -> list[common.Row]:
    """Plan from nothing and with everything done."""
    rows = []
    for cases in (200,) if given.quick else CASES:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            cohorts.write(folder, cases, SETTINGS, images=False)
            first = [cohorts.snakemake(folder, "-n") for _ in range(given.rounds)]
            rows += _rows(f"dry run, {cases:,} cases", first, f"{first[0].jobs['total']:,} jobs")
            pretend(folder, cases)
            done = [cohorts.snakemake(folder) for _ in range(given.rounds)]
            if any("Nothing to be done" not in run.text for run in done):
                raise SystemExit("the finished run is not finished")
            rows += _rows(f"no-op, {cases:,} cases", done)
    return rows


def pretend(folder: Path, cases: int) -> None:
    """Leave what a finished run leaves, as empty files."""
    run = folder / "results" / SETTINGS["run"]
    for name, count in cohorts.sizes(cases).items():
        for stage, paths in LEFT.items():
            for path in (*paths, *MADE):
                pattern = str(run / path)
                Path(pattern.format(stage=stage, cohort=name, case="")).parent.mkdir(
                    parents=True, exist_ok=True
                )
                for number in range(count):
                    made = pattern.format(stage=stage, cohort=name, case=f"{name}-{number:05}")
                    Path(made).write_text(FACTS if made.endswith(".json") else "")
    plan = cohorts.snakemake(folder, "--summary").text
    for line in plan.splitlines():
        path = line.partition("\t")[0]
        if path.startswith("results/"):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).touch()
    cohorts.snakemake(folder, "--touch", "--forceall", "--no-hooks")  # weights are not asked for


def _rows(what: str, runs: list[cohorts.Run], remarks: str = "") -> list[common.Row]:
    memory = [run.peak_mb["snakemake"] for run in runs]
    return [
        common.Row(what, "s", [run.wall_s for run in runs], remarks=remarks),
        common.Row(f"memory, {what}", "MB", memory),
    ]


if __name__ == "__main__":
    common.main("plan", __doc__, measure)
