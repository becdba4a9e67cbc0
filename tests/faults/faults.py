"""The fault matrix: every fault on every rule or kind of file, then the same command.

    PYTHONPATH=tests python tests/faults/faults.py    # cells not run yet
    PYTHONPATH=tests python tests/faults/faults.py --only 'SIGKILL' 'disk full: pretrain'
    PYTHONPATH=tests python tests/faults/faults.py --list
    PYTHONPATH=tests python tests/faults/faults.py --fill docs/faults.md

A cell starts from a copy of a finished run. Outputs of a job are removed, the fault strikes while
they are made or read, and the same command is given until it ends well (three times at most). The
files must then be those of the undisturbed run, byte for byte: what follows from them is so too.
"""

import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from tiny_project import PARTS, ROOT, Project

BEGIN, END = "<!-- matrix: begin -->", "<!-- matrix: end -->"
RUN = "results/tiny/"
SECONDS = 400  # no run takes a quarter of that
# Root may read everything; without these capabilities it is held to what files allow.
BOUND = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--"]
CONFIG = """
preset: tiny
cohorts:
  radio: {simulate: {patients: 5}}
  extra:
    role: external
    simulate: {patients: 3, reader: histology}
    labels: {positive: [F3, F4], negative: [F0, F1, F2]}
simulate: {matrix: 32, slice_mm: 12}
tensors: {size: 32}
experiment: {methods: [weak_simclr], betas: [0, 0.5], fractions: [0.5, 1]}
pretraining: {epochs: 2}
finetune: {epochs: 2}
"""
# What states times or the environment.
VOLATILE = ("*.html", "*/provenance.json", "*/cost.*", "*/manuscript/*", "*/metadata.json")
VOLATILE = (*VOLATILE, "*/history.csv")
# A kind of file, and the rule whose job reads it.
KINDS = {
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
STAGES = ("volumes", "tensors", "encoders", "predictions", "tables")
SNAKEMAKE_STRUCK = ("ingest", "pretrain", "finetune", "tables")
CHECKPOINTS = {  # files of trainings that are written after each epoch
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


@dataclass
class Base:
    """The undisturbed run."""

    folder: Path

    @cached_property
    def jobs(self) -> list[Job]:
        """All jobs, from Snakemake's summary of files."""
        text = Struck(self, self.folder).run("--detailed-summary")
        found: dict[tuple, tuple[set, list]] = {}
        for line in text.splitlines():
            if line.startswith(RUN):
                path, _, rule, log, inputs, *_ = line.split("\t")
                taken, given = found.setdefault((rule, log), (set(), []))
                taken.update(inputs.split(","))
                given.append(path)
        return [Job(*key, frozenset(taken), tuple(given)) for key, (taken, given) in found.items()]

    def job(self, rule: str, reading: str = "") -> Job:
        """The first job of a rule; or of those that read a file."""
        fitting = (job for job in self.jobs if not reading or reading in job.inputs)
        found = [job for job in fitting if re.fullmatch(rf"{rule}(_\d+)?", job.rule)]
        if not found:
            raise Failed(f"no job of the run is of the rule {rule}")
        return min(found, key=lambda job: job.log)

    def files(self, *paths: str) -> dict[str, bytes]:
        """Contents of files and of those in folders, but for what states times."""
        return contents(self.folder, paths)


def contents(folder: Path, paths: tuple[str, ...]) -> dict[str, bytes]:
    """See `Base.files`."""
    found = [path for start in map(folder.joinpath, paths) for path in (start, *start.rglob("*"))]
    named = {str(path.relative_to(folder)): path for path in found if path.is_file()}
    return {
        name: path.read_bytes()
        for name, path in named.items()
        if not any(fnmatch(name, volatile) for volatile in VOLATILE)
    }


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

    def heal(self, *targets: str) -> None:
        """Give the same command until it ends well; then files must be as undisturbed."""
        for _ in range(3):
            if self.code == 0:
                break
            self.run(*targets)
        else:
            raise Failed("the command fails however often it is given")
        wanted, found = self.base.files(*targets), contents(self.folder, targets)
        for name in sorted(wanted.keys() | found.keys()):
            if wanted.get(name) != found.get(name):
                raise Failed(f"{name} is {'another' if name in found else 'missing'}")
        if "Nothing to be done" not in self.run("-n", *targets):
            raise Failed("the run does not come to rest")

    def remove(self, job: Job) -> None:
        """Take away what a job gave, and checkpoints beside it."""
        for path in map(self.folder.joinpath, (*job.outputs, job.log)):
            for found in (path, *path.parent.glob(f"{path.stem}.?*.*")):
                shutil.rmtree(found) if found.is_dir() else found.unlink(missing_ok=True)

    def order(self, job: Job, number: int | None, epochs: int = 0) -> None:
        """Have a job stop at its last file, or at its checkpoint: by a signal, or until told."""
        path = CHECKPOINTS[job.rule.split("_")[0]] if epochs else self.last(job)
        wanted = {"path": path, "signal": number, "skip": max(epochs - 1, 0)}
        (self.folder / "order.json").write_text(json.dumps(wanted))

    def last(self, job: Job) -> str:
        """The file that a job wrote last."""
        name = max(
            self.base.files(*job.outputs) or job.outputs,
            key=lambda name: (self.base.folder / name).stat().st_mtime_ns,
        )
        return name.removeprefix(RUN)

    def until(self, name: str, process: subprocess.Popen) -> None:
        """Wait for a file while a run is on."""
        until = time.monotonic() + SECONDS
        while not (self.folder / name).exists():
            if process.poll() is not None or time.monotonic() > until:
                raise Failed(f"the run did not come to where it should be struck: {name}")
            time.sleep(0.02)


# --- faults: each strikes a copy, has it heal, and says in a word how it ended ------------------


def job_killed(copy: Struck, rule: str, number: int, epochs: int = 0) -> str:
    """A job is killed where it would give its last file its name."""
    job = copy.base.job(rule)
    copy.remove(job)
    copy.order(job, number, epochs)
    copy.run(*job.outputs)
    if (copy.folder / "order.json").exists():
        raise Failed("the job was not struck")
    retried = copy.code == 0
    copy.heal(*job.outputs)
    return "same, by its own second attempt" if retried else "same"


def snakemake_killed(copy: Struck, rule: str, number: int, jobs_too: bool) -> str:
    """Snakemake is killed while a job is under way, or both are."""
    job = copy.base.job(rule)
    copy.remove(job)
    copy.order(job, None)
    process = copy.start(*job.outputs)
    copy.until("held", process)
    (os.killpg if jobs_too else os.kill)(process.pid, number)
    time.sleep(1)
    if number == signal.SIGKILL:
        process.wait()
        if "--unlock" not in copy.run(*job.outputs):
            raise Failed("a run started on a locked folder")
        (copy.folder / "go").touch()  # the job may still be on; its user waits until it is not
        time.sleep(1)
        copy.run("--unlock")
    (copy.folder / "go").touch()
    copy.end(process)
    if copy.code == 0:
        raise Failed("the signal did nothing")
    copy.heal(*job.outputs)
    return "same"


def disk_full(copy: Struck, rule: str) -> str:
    """The disk of the project fills up as a job begins; then there is room."""
    job, filler = copy.base.job(rule), copy.folder / "filler"
    copy.remove(job)
    left = shutil.disk_usage(copy.folder).free - 2**22
    with open(filler, "wb", buffering=0) as file:
        file.truncate(left)
        os.posix_fallocate(file.fileno(), 0, left)
        process = copy.start(*job.outputs)
        copy.until(job.log, process)
        file.seek(0, os.SEEK_END)
        with suppress(OSError):
            while file.write(bytes(2**12)):
                pass
    text = copy.end(process)
    filler.unlink()
    if copy.code == 0:
        raise Failed("the run did not notice that the disk is full")
    copy.heal(*job.outputs)
    return "named, then same" if "is full" in text else "same"


@contextmanager
def small_disk(place: Path):
    """Mount a small disk at a folder."""
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=96m", "none", str(place)]
    if subprocess.run(mount, check=False).returncode:
        raise Failed("no disk can be mounted here, which takes root")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def damaged(copy: Struck, kind: str, damage: str) -> str:
    """A file is damaged before a job reads it: named with the remedy, or read as the user's edit.

    The remedy, where the file is not unreadable for want of rights, is to remove it.
    """
    pattern, rule = KINDS[kind]
    path = min((copy.folder / RUN).glob(pattern))
    name = str(path.relative_to(copy.folder))
    job = copy.base.job(rule, name)
    copy.remove(job)
    before = path.read_bytes()
    DAMAGES[damage](path, before)
    changed = None if damage == "unreadable" else path.read_bytes()
    text = copy.run(*job.outputs)
    if "Traceback" in text:
        raise Failed("the job ends with a traceback")
    if copy.code:
        remedy = "permission denied" if damage == "unreadable" else "cannot be read"
        if not re.search(rf"error: \S*{re.escape(name)}: {remedy}", text):
            raise Failed("the file is not named with the remedy")
    elif damage in ("truncated", "unreadable") or path.read_bytes() != changed:
        raise Failed(f"the job read a file that is {damage}, or did away with an edit")
    outcome = "named" if copy.code else "read as an edit"
    if damage == "unreadable":
        path.chmod(0o644)
    else:
        path.unlink()
    copy.code = None
    copy.heal(name, *job.outputs)
    return f"{outcome}, then same"


def truncated(path: Path, content: bytes) -> None:
    """Cut a file to its first half."""
    path.write_bytes(content[: len(content) // 2])


def flipped(path: Path, content: bytes) -> None:
    """Turn 16 bytes in the middle of a file over."""
    at = len(content) // 2
    turned = bytes(255 - one for one in content[at : at + 16])
    path.write_bytes(content[:at] + turned + content[at + 16 :])


def edited(path: Path, content: bytes) -> None:
    """Change the last number of a table."""
    end = re.search(rb"\d(?=\D*\Z)", content).start()
    path.write_bytes(content[:end] + b"%d" % (9 - int(content[end : end + 1])) + content[end + 1 :])


def unreadable(path: Path, _: bytes) -> None:
    """Let nobody read a file."""
    path.chmod(0)


DAMAGES = {
    "truncated": truncated,
    "bytes flipped": flipped,
    "edited": edited,
    "unreadable": unreadable,
}


def lost(copy: Struck, kind: str) -> str:
    """A file is lost before a job reads it."""
    pattern, rule = KINDS[kind]
    path = min((copy.folder / RUN).glob(pattern))
    name = str(path.relative_to(copy.folder))
    job = copy.base.job(rule, name)
    copy.remove(job)
    path.unlink()
    copy.heal(name, *job.outputs)
    return "same"


def from_the_future(copy: Struck, kind: str) -> str:
    """A clock was a day ahead when a file was written."""
    pattern, rule = KINDS[kind]
    path = min((copy.folder / RUN).glob(pattern))
    job = copy.base.job(rule, str(path.relative_to(copy.folder)))
    copy.remove(job)
    os.utime(path, (time.time() + 86400,) * 2)
    text = copy.run(*job.outputs)
    if copy.code == 0 or path.name not in text or "clock skew" not in text:
        raise Failed("a file from the future is not named")
    path.touch()
    copy.heal(*job.outputs)
    return "named, then same"


def two_at_once(copy: Struck, rule: str) -> str:
    """A second Snakemake starts in the folder."""
    job = copy.base.job(rule)
    copy.remove(job)
    copy.order(job, None)
    process = copy.start(*job.outputs)
    copy.until("held", process)
    refused = copy.run(*job.outputs)
    (copy.folder / "go").touch()
    copy.end(process)
    if "Directory cannot be locked" not in refused or copy.code:
        raise Failed("the second run was not refused, or the first failed")
    copy.heal(*job.outputs)
    return "refused; same"


def half_lost(copy: Struck, seed: int) -> str:
    """A random half of the files is gone, but for CTs: they stand for yours."""
    paths = [path for path in (copy.folder / RUN).rglob("*") if path.is_file()]
    paths = sorted(path for path in paths if "simulated" not in path.parts)
    for path in random.Random(seed).sample(paths, len(paths) // 2):
        path.unlink()
    return everything(copy)


def folder_lost(copy: Struck, name: str) -> str:
    """The folder of a stage is gone from a finished run."""
    shutil.rmtree(copy.folder / RUN / name)
    return everything(copy)


def everything(copy: Struck) -> str:
    """Give the command for the whole run; all that is archived must be there, and the same."""
    copy.heal()
    kept = [f"{RUN}{name}" for name in ("cohorts", "splits", "encoders", "predictions", "tables")]
    wanted, found = copy.base.files(*kept), contents(copy.folder, tuple(kept))
    changed = [name for name in wanted if found.get(name) != wanted[name]]
    if changed:
        raise Failed(f"{changed[0]} is another, or missing")
    missing = len(copy.base.files(RUN)) - len(contents(copy.folder, (RUN,)))
    return "nothing needs it" if missing else "same"


# --- the matrix -----------------------------------------------------------------------------


class Cell(NamedTuple):
    """A fault on something."""

    fault: str
    what: str
    strike: Callable[[Struck], str]

    @property
    def name(self) -> str:
        """How a cell is chosen."""
        return f"{self.fault}: {self.what}"


def cells(base: Base) -> dict[str, Cell]:
    """All cells of the matrix, by name."""
    found = []

    def add(fault: str, what: str, strike: Callable, *arguments) -> None:
        found.append(Cell(fault, what, lambda copy: strike(copy, *arguments)))

    term, kill, stop = signal.SIGTERM, signal.SIGKILL, signal.SIGINT
    rules = list(dict.fromkeys(job.rule for job in base.jobs))
    for rule in rules:
        for number in (term, kill):
            add(f"job gets {number.name}", rule, job_killed, rule, number)
    for rule in CHECKPOINTS:
        add("job gets SIGKILL in its second epoch", rule, job_killed, rule, kill, 2)
    for rule in SNAKEMAKE_STRUCK:
        for number, jobs_too in ((stop, True), (term, False), (kill, False), (kill, True)):
            who = "Snakemake and its job get" if jobs_too else "Snakemake gets"
            add(f"{who} {number.name}", rule, snakemake_killed, rule, number, jobs_too)
        add("disk full", rule, disk_full, rule)
    for kind, (pattern, _) in KINDS.items():
        add("lost", kind, lost, kind)
        for damage in DAMAGES:
            if damage != "edited" or pattern.endswith(".csv"):
                add(damage, kind, damaged, kind, damage)
    for kind in ("volume", "cohort table"):
        add("from the future", kind, from_the_future, kind)
    add("two at once", "ingest", two_at_once, "ingest")
    for name in STAGES:
        add("folder lost", name, folder_lost, name)
    for seed in (1, 2):
        add("half of the files lost", f"seed {seed}", half_lost, seed)
    return {cell.name: cell for cell in found}


def judge(base: Base, cell: Cell, work: Path) -> dict:
    """Run a cell in a copy."""
    started = time.monotonic()
    place = Path(tempfile.mkdtemp(prefix="cell-", dir=work))
    copy = Struck(base, place / "run")
    if cell.fault == "unreadable" and os.getuid() == 0:
        copy.bound = BOUND
    disk = small_disk(copy.folder) if cell.fault == "disk full" else nullcontext()
    try:
        with disk:
            shutil.copytree(base.folder, copy.folder, symlinks=True, dirs_exist_ok=True)
            outcome, good = cell.strike(copy), True
    except Exception as error:  # noqa: BLE001 - the other cells go on
        outcome, good = str(error) if isinstance(error, Failed) else repr(error), False
    log = work / "logs" / f"{re.sub('[^A-Za-z0-9]+', '-', cell.name)}.txt"
    log.parent.mkdir(exist_ok=True)
    log.write_text("\n=====\n".join(copy.texts))
    shutil.rmtree(place, ignore_errors=True)
    seconds = round(time.monotonic() - started)
    return {"cell": cell.name, "good": good, "outcome": outcome, "seconds": seconds}


def undisturbed(work: Path) -> Base:
    """Make the run that all cells start from, or take the one that is there for this code."""
    files = [
        path for part in map(ROOT.joinpath, PARTS) for path in (part, *sorted(part.rglob("*")))
    ]
    kept = [path.read_bytes() for path in files if path.is_file() and path.suffix != ".pyc"]
    code, base = sha256(b"".join([CONFIG.encode(), *kept])).hexdigest(), Base(work / "base")
    if not (work / "code").exists() or (work / "code").read_text() != code:
        print("making the undisturbed run", flush=True)
        shutil.rmtree(work, ignore_errors=True)
        base.folder.mkdir(parents=True)
        Project(base.folder)
        (base.folder / "config.yaml").write_text(CONFIG)
        copy = Struck(base, base.folder)
        text = copy.run("--cores", "2")
        if copy.code:
            raise SystemExit(text[-3000:])
        (work / "code").write_text(code)
    return base


def page(lines: dict[str, dict], wanted: dict[str, Cell]) -> str:
    """The matrix in Markdown: what is struck down, faults across, for faults of the same things."""
    ran = [name for name in wanted if name in lines]
    good = sum(lines[name]["good"] for name in ran)
    text = (
        f"{len(ran)} of {len(wanted)} cells were run on this code; {good} ended as they should.\n"
    )
    struck: dict[str, list[str]] = {}
    for name in ran:
        fault, what = wanted[name].fault, wanted[name].what
        struck.setdefault(fault, []).append(what)
    groups: dict[tuple, list[str]] = {}
    for fault, things in struck.items():
        kind = next((group for group in groups if set(group) & set(things)), tuple(things))
        groups.setdefault(kind, []).append(fault)
    for things, faults in groups.items():
        rows = dict.fromkeys([*things, *(what for fault in faults for what in struck[fault])])
        text += f"\n| | {' | '.join(faults)} |\n|{'---|' * (len(faults) + 1)}\n"
        for what in rows:
            ended = [
                lines.get(f"{fault}: {what}", {"outcome": "", "good": True}) for fault in faults
            ]
            shown = [
                one["outcome"] if one["good"] else f"**fails**: {one['outcome']}" for one in ended
            ]
            text += f"| {what} | {' | '.join(shown)} |\n"
    return text


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir(), "fault-matrix"))
    parser.add_argument("--only", nargs="+", default=[""], help="patterns of the cells to run")
    parser.add_argument("--jobs", type=int, default=2, help="cells side by side")
    parser.add_argument("--again", action="store_true", help="also cells that were run")
    parser.add_argument("--list", action="store_true", help="name the cells only")
    parser.add_argument("--fill", type=Path, help="page to put the table into")
    given = parser.parse_args()
    # what was started in the background ignores Ctrl-C, and so would all that it starts
    signal.signal(signal.SIGINT, signal.default_int_handler)
    base, kept = undisturbed(given.work), given.work / "cells.jsonl"
    matrix = cells(base)
    chosen = [name for name in matrix if any(re.search(one, name) for one in given.only)]
    if given.list:
        raise SystemExit("\n".join(chosen))
    text = kept.read_text() if kept.exists() else ""
    lines = {line["cell"]: line for line in map(json.loads, text.splitlines())}
    left = [name for name in chosen if given.again or name not in lines]
    with ThreadPoolExecutor(given.jobs) as pool:
        running = [pool.submit(judge, base, matrix[name], given.work) for name in left]
        for number, future in enumerate(as_completed(running), start=1):
            line = future.result()
            lines[line["cell"]] = line
            with open(kept, "a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            print(f"{number}/{len(left)} {line['cell']}: {line['outcome']}", flush=True)
    if given.fill:
        before, _, rest = given.fill.read_text(encoding="utf-8").partition(BEGIN)
        after = rest.partition(END)[2]
        given.fill.write_text(
            f"{before}{BEGIN}\n{page(lines, matrix)}{END}{after}", encoding="utf-8"
        )
    bad = [name for name in chosen if not lines[name]["good"]]
    raise SystemExit("\n".join(["not as they should be:", *bad]) if bad else 0)


if __name__ == "__main__":
    main()
