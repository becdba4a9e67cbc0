"""One cell: an ordinary run of Snakemake in the folder of its simulation, and what it found."""

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from benchmarks.positive_control import cells, probes, table, truth
from hepatoclr.base import files
from hepatoclr.cohorts import cohort_table, splits
from hepatoclr.simulation import patients
from hepatoclr.stats import comparison_tests, evaluation, predictions

PROBED = (cells.RANDOM, cells.SIMCLR, cells.SUPERVISED, cells.WEAK)


class CellFailed(Exception):
    """Snakemake did not end well."""


class CodeChanged(Exception):
    """The code is not that which was there at the start."""


@dataclass(frozen=True)
class Folder:
    """Where the cells of one simulation run, one after another: what they share is made once.

    Attributes:
        path: The folder.
        run: Name of the run.
    """

    path: Path
    run: str

    @property
    def results(self) -> Path:
        """Where Snakemake writes."""
        return self.path / "results" / self.run

    def simulated(self) -> int:
        """How many patients have their images."""
        return sum(1 for _ in self.results.glob("tensors/*/*.b2nd"))


def folder(scratch: Path, cell: cells.Cell, quick: bool) -> Folder:
    """The folder of a cell's simulation; cells that differ in labels or patients share it."""
    run = f"seed{cell.data_seed}"
    return Folder(scratch / ("quick-" * quick + run), run)


def targets(cell: cells.Cell, plan: cells.Plan) -> list[str]:
    """The files that a cell needs: predictions, and features for the probes."""
    found, repeats = [], cells.in_force(cell, plan)["evaluation"]["repeats"]
    for encoder in plan.work[cell]:
        for protocol in plan.protocols(cell, encoder) if encoder != cells.ORACLE else ():
            for seed in plan.training_seeds:
                place = f"predictions/{protocol}/{encoder}/seed{seed}"
                found += [f"{place}/repeat{repeat}.csv" for repeat in range(1, repeats + 1)]
    for encoder in probed(cell, plan):
        found += [f"features/radio/{encoder}/seed{seed}.parquet" for seed in plan.training_seeds]
    return found


def probed(cell: cells.Cell, plan: cells.Plan) -> list[str]:
    """The encoders of a cell whose features are probed."""
    if cell != cells.Cell(cell.data_seed, plan.patients):
        return []
    return [encoder for encoder in PROBED if encoder in plan.work[cell]]


@contextmanager
def _alone(path: Path) -> Iterator[int]:
    """Hold a folder for this process and its Snakemake, even where this process is killed."""
    with open(path / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit(f"{path}: another run works here; wait until it has ended") from None
        yield lock.fileno()


def snakemake(place: Folder, paths: Sequence[str], cores: int) -> float:
    """Make some files of a run.

    Args:
        place: The folder; its config.yaml says how.
        paths: The files, below the folder of the run.
        cores: For Snakemake.

    Returns:
        Core seconds.

    Raises:
        CellFailed: Snakemake did not end well; with the end of what it printed.
    """
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(cells.ROOT / "Snakefile")]
    # the lock is our own: one of a run that was killed would have to be removed by hand
    command += ["--cores", str(cores), "--quiet", "rules", "--nolock", "--"]
    command += [f"results/{place.run}/{path}" for path in paths]
    log = place.path / "snakemake.log"
    with _alone(place.path) as lock, open(log, "w") as output:
        started = subprocess.Popen(
            command, cwd=place.path, stdout=output, stderr=output, pass_fds=[lock]
        )
        _, status, used = os.wait4(started.pid, 0)
        started.returncode = os.waitstatus_to_exitcode(status)
    if started.returncode:
        raise CellFailed(f"{place.path}: Snakemake failed\n{log.read_text()[-4000:]}")
    return used.ru_utime + used.ru_stime


def run(cell: cells.Cell, plan: cells.Plan, scratch: Path, cores: int = 1) -> None:
    """Run a cell, and put what it found into the tables.

    Raises:
        CellFailed: Snakemake did not end well.
        CodeChanged: The code was edited since the start: whose result this is nobody could tell.
    """
    place = folder(scratch, cell, plan.quick)
    place.path.mkdir(parents=True, exist_ok=True)
    files.write_text(yaml.safe_dump(cells.chosen(cell, plan)), place.path / "config.yaml")
    start = time.monotonic()
    used = snakemake(place, targets(cell, plan), cores)
    if code_now() != cells.code_digest():
        raise CodeChanged("the code has changed since the start; start again")
    found = rows(cell, plan, place)
    took = {"seconds": round(time.monotonic() - start, 1), "core_seconds": round(used, 1)}
    probed_rows = probe_rows(cell, plan, place)
    results, probe_results = tables(plan, scratch)
    if len(probed_rows):
        table.add(probed_rows, probe_results, table.PROBE_KEY)
    table.add(found.assign(**took), results, cells.KEY)  # last: it says that the cell is done


def code_now() -> str:
    """The digest of the code as it is, by a process that has read nothing before."""
    program = "from benchmarks.positive_control import cells; print(cells.code_digest())"
    command, options = [sys.executable, "-c", program], {"cwd": cells.ROOT, "text": True}
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, **options).stdout.strip()


def tables(plan: cells.Plan, scratch: Path) -> list[Path]:
    """Where the rows go, and those of the probes; a quick run is no result and has its own."""
    paths = [table.PATH, table.PROBES]
    return [scratch / f"quick-{path.name}" for path in paths] if plan.quick else paths


def describe(cell: cells.Cell) -> str:
    """Name a cell."""
    return (
        f"data seed {cell.data_seed}, {cell.patients} patients, {cell.labelled:.0%} read, "
        f"reader {cell.noise}"
    )


def rows(cell: cells.Cell, plan: cells.Plan, place: Folder) -> pd.DataFrame:
    """The rows of a cell that has run: all columns of the table but the costs."""
    config, found = cells.in_force(cell, plan), []
    signs = None
    for row in cells.expected(cell, plan).to_dict("records"):
        if row["encoder"] == cells.ORACLE:
            signs = truth.true_signs(config, "histo") if signs is None else signs
            split = splits.read(place.results / f"splits/repeat{row['repeat']}.csv")
            auc, variance = truth.oracle(signs, split)
            counts = split["target"].value_counts()
            found.append(row | {"auc": auc, "variance": variance, **_classes(counts)})
            continue
        name = f"{row['protocol']}/{row['encoder']}/seed{row['training_seed']}"
        path = place.results / f"predictions/{name}/repeat{row['repeat']}.csv"
        scores = evaluation.to_arrays(predictions.read([path], own=True))
        aucs, covariance = comparison_tests.delong(
            scores.labels, scores.probabilities, scores.folds
        )
        facts = {"auc": aucs[0], "variance": covariance[0, 0]}
        found.append(row | facts | _classes(pd.Series(scores.labels).value_counts()))
        found[-1] |= losses(place, row["encoder"], row["training_seed"])
    known = truth.reader(config)
    return pd.DataFrame(found).assign(**known, seconds=np.nan, core_seconds=np.nan)


def _classes(counts: pd.Series) -> dict[str, int]:
    return {"positive": int(counts.get(1, 0)), "negative": int(counts.get(0, 0))}


def losses(place: Folder, encoder: str, seed: int) -> dict[str, float]:
    """Mean loss of the last epoch of a pretraining, and its level of chance."""
    if encoder == cells.RANDOM:
        return {"loss": np.nan, "chance": np.nan}
    found = files.read_json(place.results / f"encoders/{encoder}/seed{seed}/metadata.json")
    return {name: found[name] for name in ("loss", "chance")}


def probe_rows(cell: cells.Cell, plan: cells.Plan, place: Folder) -> pd.DataFrame:
    """What the features of a cell encode; nothing where none are probed."""
    config, known = cells.in_force(cell, plan), pd.DataFrame()
    if not probed(cell, plan):
        return known
    drawn = truth.rows(config, "radio").set_index("patient_id")
    known = (drawn[["stage"]] >= patients.ADVANCED).rename(columns={"stage": "F3-F4"})
    known = known.join(truth.true_signs(config, "radio").add_prefix("sign: "))
    known = known.join(truth.surroundings(config, "radio"))
    cohort = cohort_table.read(place.results / "cohorts/radio.csv")
    found = [
        probes.run(place.results, encoder, seed, cohort, known.astype(float))
        for encoder in probed(cell, plan)
        for seed in plan.training_seeds
    ]
    return pd.concat(found, ignore_index=True).assign(data_seed=cell.data_seed)
