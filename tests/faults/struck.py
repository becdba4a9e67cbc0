"""A copy of a finished run, in which a job is struck; see `faults`."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

RUN = "results/tiny/"
SECONDS = 1200  # no run takes a tenth of that on quiet cores
RESULTS = [f"{RUN}{name}" for name in ("cohorts", "splits", "encoders", "predictions", "tables")]
# states times or the environment, or is said of such
VOLATILE = re.compile(
    r"\.html$|/manuscript/|(provenance|metadata)\.json$|/(cost|history)\.|snakemake_timestamp"
)
KINDS = {  # a kind of file, and the rule whose job reads it
    "volume": ("volumes/histo/*.nii.gz", "tensors"),
    "facts": ("volumes/histo/*.json", "segment"),
    "mask": ("livers/histo/*.nii.gz", "slices"),
    "slices": ("slices/histo/*.csv", "tensors"),
    "tensor": ("tensors/histo/*.b2nd", "features"),
    "cohort table": ("cohorts/histo.csv", "splits"),
    "split": ("splits/repeat1.csv", "linear"),
    "encoder": ("encoders/none/seed1/encoder.safetensors", "features"),
    "features": ("features/histo/none/seed1.parquet", "linear"),
    "predictions": ("predictions/linear/none/seed1/*.csv", "tables"),
    "table": ("tables/table1.csv", "figures"),
}
CHECKPOINTS = {  # of trainings, written after each epoch
    "pretrain": "encoders/*/seed1/encoder.?*.*",
    "finetune": "predictions/finetune/*/seed1/repeat1.?*.*",
}


class Failed(Exception):
    """A cell did not give what it must."""


class Job(NamedTuple):
    """A job of the finished run."""

    rule: str
    log: str
    inputs: frozenset
    outputs: tuple[str, ...]


def contents(folder: Path, paths: list[str] | tuple[str, ...]) -> dict[str, bytes]:
    """Contents of files, and of those in folders, but for what states times."""
    found = [path for start in map(folder.joinpath, paths) for path in (start, *start.rglob("*"))]
    named = {str(path.relative_to(folder)): path for path in found if path.is_file()}
    return {name: path.read_bytes() for name, path in named.items() if not VOLATILE.search(name)}


@dataclass
class Base:
    """The undisturbed run."""

    folder: Path

    @cached_property
    def jobs(self) -> list[Job]:
        """All jobs, from Snakemake's summary of files."""
        found: dict[tuple, tuple[set, list]] = {}
        for line in Struck(self, self.folder).run("--detailed-summary").splitlines():
            if line.startswith(RUN):
                path, _, rule, log, inputs, *_ = line.split("\t")
                taken, given = found.setdefault((rule, log), (set(), []))
                taken.update(inputs.split(","))
                given.append(path)
        return [Job(*key, frozenset(taken), tuple(given)) for key, (taken, given) in found.items()]

    def job(self, rule: str, reading: str = "") -> Job:
        """The first job of a rule, of those that read a file."""
        fitting = [job for job in self.jobs if not reading or reading in job.inputs]
        found = [job for job in fitting if re.fullmatch(rf"{rule}(_\w*\d+)?", job.rule)]
        if not found:
            raise Failed(f"no job of the run is of the rule {rule}")
        return min(found, key=lambda job: job.log)


@dataclass
class Struck:
    """A copy of the finished run, and what the runs in it printed."""

    base: Base
    folder: Path
    bound: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    code: int | None = None

    def start(self, *arguments: str) -> subprocess.Popen:
        """Give the command."""
        search = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        strike = str(Path(__file__).parent / "strike")
        return subprocess.Popen(
            [*self.bound, "snakemake", "--cores", "1", *arguments, "--config", "preset=tiny"],
            env={**os.environ, "PATH": search, "PYTHONPATH": strike},
            **{"cwd": self.folder, "text": True, "start_new_session": True},
            **{"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT},
            # a shell's background has no Ctrl-C, and hands that on
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def end(self, process: subprocess.Popen) -> str:
        """Wait for a run, and keep what it printed."""
        try:
            text, _ = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            text = process.communicate()[0] + f"\nerror: not done in {SECONDS} s"
        self.texts.append(text)
        self.code = process.returncode
        return text

    def run(self, *arguments: str) -> str:
        """Give the command and wait."""
        return self.end(self.start(*arguments))

    def heal(self, *targets: str) -> str:
        """Give the same command until it ends well; then files must be as undisturbed."""
        for _ in range(3):
            if self.code != 0:
                self.run(*targets)
        if self.code:
            raise Failed("the command fails however often it is given")
        kept = targets or RESULTS
        wanted, found = contents(self.base.folder, kept), contents(self.folder, kept)
        for name in sorted(wanted.keys() | found.keys()):
            if wanted.get(name) != found.get(name):
                raise Failed(f"{name} is {'another' if name in found else 'missing'}")
        if "Nothing to be done" not in self.run("-n", *targets):
            raise Failed("the run does not come to rest")
        return "same" if wanted else "made again"

    def undo(self, rule: str, reading: str = "") -> Job:
        """Take away what a job of a rule gave, its log, and checkpoints beside it."""
        job = self.base.job(rule, reading)
        for path in map(self.folder.joinpath, (*job.outputs, job.log)):
            for found in (path, *path.parent.glob(f"{path.stem}.?*.*")):
                shutil.rmtree(found) if found.is_dir() else found.unlink(missing_ok=True)
        return job

    def before_reading(self, kind: str) -> tuple[Path, str, Job]:
        """Undo a job that reads a kind of file; gives the file, its name and the job."""
        pattern, rule = KINDS[kind]
        path = min((self.folder / RUN).glob(pattern))
        name = str(path.relative_to(self.folder))
        return path, name, self.undo(rule, name)

    def order(self, job: Job, number: int | None, epochs: int = 0, begins: bool = False) -> None:
        """Have a job stop, by a signal or until told.

        It stops at its last file, or where it begins that, or where it saves an epoch.
        """
        names = contents(self.base.folder, job.outputs) or job.outputs
        path = max(names, key=lambda name: (self.base.folder / name).stat().st_mtime_ns)
        if begins:
            path = f"{Path(path).parent}*/.writing-*"
        if epochs:
            path = RUN + next(path for rule, path in CHECKPOINTS.items() if rule in job.rule)
        wanted = {"path": path, "signal": number, "skip": max(epochs - 1, 0)}
        (self.folder / "order.json").write_text(json.dumps(wanted))

    def start_and_hold(self, *targets: str) -> subprocess.Popen:
        """Give the command, and wait until a job stops as ordered."""
        process, until = self.start(*targets), time.monotonic() + SECONDS
        while not (self.folder / "held").exists():
            if process.poll() is not None or time.monotonic() > until:
                self.end(process)
                raise Failed("the run did not come to where it should be struck")
            time.sleep(0.02)
        return process
