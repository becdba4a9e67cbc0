"""How long Snakemake takes to plan the paper's whole run, by the number of cases.

    python -m benchmarks.plan

A dry run where nothing is done, and a run where everything is: its outputs are empty files, and
Snakemake's records of them are made by `--touch`, which takes some minutes.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import cohorts, common

CASES = (2905, 25_000)
SETTINGS = {"preset": "paper", "run": cohorts.SETTINGS["run"]}
# it sleeps a tenth of a second a job
TOUCH = """
from snakemake.executors.touch import Executor
from snakemake.cli import main
Executor.SLEEPING_TIME = 0
main()
"""


def measure(given: argparse.Namespace) -> list[common.Row]:
    """Plan from nothing and with everything done."""
    rows = []
    for cases in (200,) if given.quick else CASES:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            cohorts.write(folder, cases, SETTINGS, images=False)
            first = [cohorts.snakemake(folder, "-n") for _ in range(given.rounds)]
            rows += _rows(f"dry run, {cases:,} cases", first, f"{first[0].jobs['total']:,} jobs")
            pretend(folder)
            done = [cohorts.snakemake(folder) for _ in range(given.rounds)]
            if any("Nothing to be done" not in run.text for run in done):
                raise SystemExit("the finished run is not finished")
            rows += _rows(f"no-op, {cases:,} cases", done)
    return rows


def pretend(folder: Path) -> None:
    """Leave what a finished run leaves, as empty files."""
    for line in cohorts.snakemake(folder, "--summary").text.splitlines():
        path = line.partition("\t")[0]
        if path.startswith("results/"):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).touch()
    command = [sys.executable, "-c", TOUCH, "--snakefile", str(cohorts.ROOT / "Snakefile")]
    command += ["--cores", "2", "--quiet", "all", "--touch", "--forceall", "--no-hooks"]
    with open(folder / "touch.log", "w") as log:  # hooks would ask for weights
        subprocess.run(command, cwd=folder, stdout=log, stderr=log, check=True)


def _rows(what: str, runs: list[cohorts.Run], remarks: str = "") -> list[common.Row]:
    memory = [run.peak_mb["snakemake"] for run in runs]
    return [
        common.Row(what, "core s", [run.core_s for run in runs], remarks=remarks),
        common.Row(f"memory, {what}", "MB", memory),
    ]


if __name__ == "__main__":
    common.main("plan", __doc__, measure)
