"""The fault matrix: every fault on every rule or kind of file, then the same command again.

    python tests/faults.py                  # all cells that were not run on this code yet
    python tests/faults.py --only 'KILL' 'disk .* pretrain'
    python tests/faults.py --list
    python tests/faults.py --fill docs/faults.md

A cell starts from a copy of a finished run, with one job and all that follows from it undone: the
run as it first comes to that job. The fault strikes, the command is given again until it ends well
(three times at most), and tables and predictions must be those of the undisturbed run, byte for
byte. What each cell gave is kept as a line of `cells.jsonl` in the work folder, so that a matrix
that was stopped goes on. The rules come from Snakemake: a new one gets its cells by itself.
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
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import cache, cached_property, partial
from hashlib import sha256
from pathlib import Path

from tiny_project import PARTS, ROOT, Project

BEGIN, END = "<!-- matrix: begin -->", "<!-- matrix: end -->"
RUN = "results/tiny"
SECONDS = 400  # no run takes a quarter of that
# Root may read everything; without these capabilities it is held to what files allow.
BOUND = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--"]
LEAKAGE = f"{RUN}/tables/leakage.csv"
AFTER_GUARDS = ("pretrain", "linear", "external", "finetune", "learning_curve")  # as ancient
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
# What a batch leaves of its cases, beside the table that Snakemake sees; one file a case.
OF_CASES = {
    "simulate": "simulated/{cohort}/*/liver.nii.gz",
    "ingest": "volumes/{cohort}/*.nii.gz",
    "segment": "livers/{cohort}/*.nii.gz",
    "slices": "slices/{cohort}/*.csv",
    "tensors": "tensors/{cohort}/*.b2nd",
    "picture": "qc/{cohort}/*.png",
}
STATES = {  # trainings are struck where they save their second epoch
    "pretrain": "encoders/*.state",
    "finetune": "predictions/finetune/*.state",
    "learning_curve": "predictions/learning_curve/*.state",
}
# In the copies, a write of `files.atomic` looks for an order here before it gives the file its
# name: the first of the outputs are there then, the last is not.
HOOK = """

def _strike(path: Path) -> None:
    import fnmatch, os, time
    order = Path("order.json")
    wanted = json.loads(order.read_text()) if order.exists() else {"path": ""}
    if not fnmatch.fnmatch(str(path), wanted["path"]):
        return
    wanted["skip"] -= 1
    order.write_text(json.dumps(wanted))
    if wanted["skip"] >= 0:
        return
    order.unlink()
    if wanted["signal"]:
        os.kill(os.getpid(), wanted["signal"])
        time.sleep(60)
    Path("held").write_text(str(os.getpid()))
    while not Path("go").exists():
        time.sleep(0.05)
"""


class Struck(Project):
    """A copy of the finished run."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bound, self.texts, self.codes = folder, [], [], []

    def start(self, *arguments: str) -> subprocess.Popen:
        """Give the command, the same each time."""
        environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        return subprocess.Popen(
            [*self.bound, "snakemake", "--cores", "1", *arguments],
            **{"cwd": self.folder, "env": environment, "text": True, "start_new_session": True},
            **{"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT},
        )

    def end(self, process: subprocess.Popen) -> str:
        """Wait for a run, and keep what it said."""
        try:
            text, _ = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            text = process.communicate()[0] + f"\nerror: not done in {SECONDS} s"
        self.texts.append(text)
        self.codes.append(process.returncode)
        return text

    def run(self, *arguments: str) -> str:
        """Give the command and wait."""
        return self.end(self.start(*arguments))

    def order(self, path: str, number: int | None, skip: int = 0) -> None:
        """Have the job that writes a file stop there, by a signal to itself or until told."""
        wanted = {"path": f"{RUN}/{path}", "signal": number, "skip": skip}
        (self.folder / "order.json").write_text(json.dumps(wanted))

    def until(self, name: str, process: subprocess.Popen) -> None:
        """Wait for a file of the copy while a run is on."""
        until = time.monotonic() + SECONDS
        while not (self.folder / name).exists():
            if process.poll() is not None or time.monotonic() > until:
                raise Failed(f"the run did not come to where it should be struck: {name}")
            time.sleep(0.05)

    def remove(self, *paths: Path) -> None:
        """Take files or folders away, with what is noted of them beside them."""
        for path in paths:
            if path.is_dir():
                shutil.rmtree(path)
            path.unlink(missing_ok=True)
            for noted in path.parent.glob(f".{path.name}*"):
                noted.unlink()


class Failed(Exception):
    """A cell did not give what it must."""


@dataclass(frozen=True)
class Job:
    """A job of the finished run: its rule, and the files it takes and gives."""

    rule: str
    log: str
    reads: frozenset
    writes: tuple[str, ...]

    @property
    def cohort(self) -> str:
        """The cohort of a job of an image stage."""
        return Path(self.log).parent.name

    def of_cases(self, base: Path) -> list[Path]:
        """What it leaves of each case, a file a case."""
        found = (base / RUN).glob(OF_CASES[self.rule].format(cohort=self.cohort))
        return sorted(path for path in found if path.name[0] != ".")


@dataclass
class Base:
    """The undisturbed run, and what Snakemake says of its jobs."""

    folder: Path
    results: dict[str, bytes] = field(default_factory=dict)

    @cached_property
    def jobs(self) -> list[Job]:
        """All jobs, from Snakemake's summary of files."""
        text = self._snakemake("--detailed-summary")
        rows = [line.split("\t") for line in text.splitlines() if line.startswith(RUN)]
        found: dict[str, dict] = {}
        for path, _, rule, log, reads, *_ in rows:
            one = found.setdefault(log, {"rule": rule, "reads": set(), "writes": []})
            ancient = {LEAKAGE} if rule in AFTER_GUARDS else set()
            one["reads"] |= set(reads.split(",")) - ancient
            one["writes"].append(path)
        return [
            Job(one["rule"], log, frozenset(one["reads"]), tuple(one["writes"]))
            for log, one in found.items()
        ]

    @cached_property
    def rules(self) -> list[str]:
        """All rules that make something, as Snakemake lists them, in the order of the workflow."""
        found = re.findall(r"^([a-z_]+)(?: \(|$)", self._snakemake("--list-rules"), re.M)
        unused = set(found) - {job.rule for job in self.jobs} - {"all"}
        if unused:
            raise SystemExit(f"no job of the matrix's run is of the rules {', '.join(unused)}")
        order = {rule: place for place, rule in enumerate(self._stages())}
        return sorted(set(found) - {"all"}, key=lambda rule: order.get(rule, 99))

    def after(self, job: Job) -> list[Job]:
        """What must run when a job does: itself, and all that follows from its files."""
        due = [job]
        if job.rule == "leakage":
            due += [one for one in self.jobs if one.rule in AFTER_GUARDS]
        while True:
            fresh = {path for one in due for path in one.writes}
            more = [one for one in self.jobs if one not in due and one.reads & fresh]
            if not more:
                return due
            due += more

    def cheapest(self, jobs: list[Job]) -> Job:
        """Of some jobs that from which the least follows."""
        return min(jobs, key=lambda job: (len(self.after(job)), job.log))

    def of(self, rule: str) -> Job:
        """The job of a rule from which the least follows."""
        return self.cheapest([job for job in self.jobs if job.rule == rule])

    def last(self, job: Job) -> str:
        """The file that a job wrote last; of a batch, its last case."""
        if job.rule in STATES:
            return STATES[job.rule]
        if job.rule in OF_CASES:
            return str(job.of_cases(self.folder)[-1].relative_to(self.folder / RUN))
        paths = [self.folder / path for path in job.writes]
        last = max(paths, key=lambda path: path.stat().st_mtime_ns)
        return str(last.relative_to(self.folder / RUN))

    def _stages(self) -> list[str]:
        text = (self.folder / "Snakefile").read_text()
        files = re.findall(r'"(rules/\w+\.smk)"', text)
        return re.findall(
            r"rule (\w+)", "".join((self.folder / file).read_text() for file in files)
        )

    def _snakemake(self, *arguments: str) -> str:
        copy = Struck(self.folder)
        text = copy.run(*arguments)
        if copy.codes[-1]:
            raise SystemExit(text[-3000:])
        return text


def tables(folder: Path) -> dict[str, bytes]:
    """What must be the same: tables, but for what they cost, and predictions."""
    run = folder / RUN
    paths = [*run.glob("tables/*.csv"), *run.glob("predictions/**/*.csv")]
    named = {str(path.relative_to(run)): path for path in paths if path.name != "cost.csv"}
    return {name: path.read_bytes() for name, path in named.items() if "/." not in name}


def undisturbed(work: Path) -> Base:
    """Make the run that all cells start from, or take the one that is there for this code."""
    folder = work / f"base-{code()}"
    base = Base(folder)
    if not (folder / "whole").exists():
        print("making the undisturbed run", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        project = Project(folder)
        (folder / "config.yaml").write_text(CONFIG)
        files = folder / "hepatoclr/base/files.py"
        project.edit("hepatoclr/base/files.py", "temporary.replace(path)", MARKED)
        files.write_text(files.read_text() + HOOK)
        base._snakemake("--cores", "2")
        (folder / "whole").touch()
    base.results = tables(folder)
    return base


MARKED = "_strike(path)\n            temporary.replace(path)"


@cache
def code() -> str:
    """A digest of all that the matrix depends on."""
    files = [Path(__file__)]
    for part in map(ROOT.joinpath, PARTS):
        files += sorted(part.rglob("*.*")) if part.is_dir() else [part]
    said = [one.read_bytes() for one in files if one.is_file() and one.suffix != ".pyc"]
    return sha256(b"".join(said)).hexdigest()[:10]


# --- the faults -----------------------------------------------------------------------------


def undo(base: Base, copy: Struck, *jobs: Job) -> Counter:
    """Take away what jobs made and all that follows from it; says what is due now."""
    due = {job for start in jobs for job in base.after(start)}
    for job in due:
        if job.rule == "leakage" and job not in jobs:
            continue  # it is updated: Snakemake would not remove it either
        copy.remove(*(copy.folder / path for path in job.writes))
        if job.rule in OF_CASES:
            kept = [copy.folder / RUN / f"batches/{job.rule}/{job.cohort}"]
            for path in job.of_cases(copy.folder):
                kept.append(path.parent if job.rule == "simulate" else path)
                facts = path.with_name(path.name.split(".")[0] + ".json")
                kept += [facts] * (job.rule in ("ingest", "segment"))
            copy.remove(*kept)
    return Counter(job.rule for job in due)


def killed_job(base: Base, copy: Struck, rule: str, number: int) -> Counter:
    """A job is killed as it is about to finish its last file."""
    job = base.of(rule)
    due = undo(base, copy, job)
    copy.order(base.last(job), number, skip=int(rule in STATES))
    copy.run()
    if (copy.folder / "order.json").exists():
        raise Failed("the job was not struck")
    return due


def killed_snakemake(base: Base, copy: Struck, rule: str, number: int, group: bool) -> Counter:
    """Snakemake is killed while a job is under way, or both are."""
    job = base.of(rule)
    due = undo(base, copy, job)
    copy.order(base.last(job), None, skip=int(rule in STATES))
    process = copy.start()
    copy.until("held", process)
    if group:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    time.sleep(1)
    if number == signal.SIGKILL:
        process.wait()
        refused = copy.run()  # the job may still be under way: nothing may start beside it
        if "--unlock" not in refused:
            raise Failed("a run started on a locked folder")
        (copy.folder / "go").touch()
        time.sleep(1)
        copy.run("--unlock")
    (copy.folder / "go").touch()
    copy.end(process)
    if copy.codes[-1] == 0:
        raise Failed("the signal did nothing")
    return due


@contextmanager
def small_disk(place: Path) -> Iterator[Path]:
    """Move a folder to a disk of its own; gives the file that is to fill it."""
    moved = place.with_name(f"{place.name}-moved")
    place.rename(moved)
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "none", place]).returncode:
        raise Failed("no disk can be mounted here, which takes root")
    try:
        shutil.copytree(moved, place, symlinks=True, dirs_exist_ok=True)
        shutil.rmtree(moved)
        yield place / "filler"
    finally:
        shutil.copytree(place, moved, symlinks=True, dirs_exist_ok=True)
        subprocess.run(["umount", "--lazy", place], check=True)
        place.rmdir()
        moved.rename(place)


def full_disk(base: Base, copy: Struck, rule: str, everything: bool) -> Counter:
    """The disk of the results, or of the whole project, fills up as a job begins; then mended."""
    job = base.of(rule)
    due = undo(base, copy, job)
    copy.remove(copy.folder / job.log)
    with small_disk(copy.folder if everything else copy.folder / "results") as filler:
        process = copy.start()
        copy.until(job.log, process)
        with open(filler, "wb", buffering=0) as file, suppress(OSError):
            while file.write(bytes(2**20)):
                pass
        copy.end(process)
        filler.unlink()
        if copy.codes[-1] == 0:
            raise Failed("the run did not notice that the disk is full")
        again(copy)
    return due


def victim(base: Base, pattern: str, where: Path) -> Path:
    """The first file of a kind."""
    return min(path for path in (where / RUN).glob(pattern) if path.name[0] != ".")


def reader(base: Base, pattern: str) -> Job:
    """The job that reads a kind of file, from which the least follows."""
    if pattern.endswith(".state"):
        return base.of("pretrain")
    path = str(victim(base, pattern, base.folder).relative_to(base.folder))
    stage = next((s for s, p in OF_CASES.items() if fnmatch(path, f"*{p.split('{')[0]}*")), None)
    if stage and path not in {one for job in base.jobs for one in job.writes}:
        path = f"{RUN}/batches/{stage}/{Path(path).relative_to(RUN).parts[1]}/1.csv"
    if pattern.endswith(".made"):
        path = f"{RUN}/{KINDS['batch table']}"
    readers = [job for job in base.jobs if path in job.reads]
    named = READERS.get(pattern)
    # provenance takes digests of nearly all files, and uses none
    wanted = [job for job in readers if job.rule == named or not named and job.rule != "provenance"]
    return base.cheapest(wanted)


def damaged(base: Base, copy: Struck, pattern: str, how: str) -> Counter:
    """A file is damaged before the job that reads it."""
    job = reader(base, pattern)
    due = undo(base, copy, job)
    if pattern.endswith(".state"):
        copy.order(STATES["pretrain"], signal.SIGKILL, skip=1)
        copy.run()
        copy.texts.clear()
        copy.codes.clear()
    path = victim(base, pattern, copy.folder)
    before, times = path.read_bytes(), path.stat()
    DAMAGES[how](path, before)
    if how == "bytes flipped, time kept":
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    text = copy.run()
    if pattern == KINDS["CT"]:  # it is the user's: only they can bring it back
        if "excluded" not in text:
            raise Failed("a damaged CT was used")
        path.chmod(0o644)
        path.write_bytes(before)
        copy.run()
    elif how == "unreadable":
        if copy.codes[-1] == 0:
            raise Failed("the run did not notice that a file cannot be read")
        path.chmod(0o644)
    return due


def truncated(path: Path, content: bytes) -> None:
    """Cut a file to its first half."""
    path.write_bytes(content[: len(content) // 2])


def flipped(path: Path, content: bytes) -> None:
    """Turn 16 bytes in the middle of a file over."""
    at = len(content) // 2
    turned = bytes(255 - one for one in content[at : at + 16])
    path.write_bytes(content[:at] + turned + content[at + 16 :])


def unreadable(path: Path, _: bytes) -> None:
    """Let nobody read a file."""
    path.chmod(0)


DAMAGES = {
    "truncated": truncated,
    "bytes flipped": flipped,
    "bytes flipped, time kept": flipped,
    "unreadable": unreadable,
}
KINDS = {
    "CT": "simulated/extra/*/ct.nii.gz",
    "manifest": "simulated/extra/manifest.csv",
    "volume": "volumes/extra/*.nii.gz",
    "facts": "volumes/extra/*.json",
    "mask": "livers/extra/*.nii.gz",
    "slices": "slices/extra/*.csv",
    "tensor": "tensors/extra/*.b2nd",
    "batch table": "batches/slices/extra/1.csv",
    "note of a case": "batches/slices/extra/*.made",
    "cohort table": "cohorts/histo.csv",
    "split": "splits/repeat1.csv",
    "encoder": "encoders/simclr/seed1/encoder.safetensors",
    "features": "features/histo/none/seed1.parquet",
    "predictions": "predictions/linear/none/seed1/repeat1.csv",
    "table": "tables/table1.csv",
    "training's state": "encoders/*/seed1/*.state",
}
READERS = {  # where the one from which the least follows does not read the file itself
    KINDS["CT"]: "ingest",
    KINDS["facts"]: "segment",
    KINDS["manifest"]: "cohort",
    KINDS["features"]: "linear",
}


IMAGES = ("simulated/*/*/ct.*", "simulated/*/*/dicom*", "simulated/*/*/dicom/*")


def lost_half(base: Base, copy: Struck, seed: int) -> Counter:
    """A random half of the files is gone, hidden ones too, but for CTs: they stand for yours."""
    paths = sorted(
        path
        for path in (copy.folder / RUN).rglob("*")
        if path.is_file() and not any(path.match(image) for image in IMAGES)
    )
    for path in random.Random(seed).sample(paths, len(paths) // 2):
        path.unlink()
    return Counter()


def lost_folder(base: Base, copy: Struck, name: str) -> Counter:
    """A folder of the results is gone."""
    shutil.rmtree(copy.folder / RUN / name)
    return Counter()


# --- the matrix -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Cell:
    """A fault on something."""

    fault: str
    what: str
    strike: Callable[[Base, Struck], Counter]

    @property
    def name(self) -> str:
        return f"{self.fault}: {self.what}"


def cells(base: Base) -> Iterator[Cell]:
    """All cells of the matrix."""
    for rule in base.rules:
        for number in (signal.SIGTERM, signal.SIGKILL):
            yield Cell(
                f"job gets {number.name}", rule, partial(killed_job, rule=rule, number=number)
            )
    for rule in ("ingest", "pretrain", "finetune", "tables"):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            for group in (False, True):
                who = "Snakemake and its job get" if group else "Snakemake gets"
                told = {"rule": rule, "number": number, "group": group}
                yield Cell(f"{who} {number.name}", rule, partial(killed_snakemake, **told))
    for rule in DISK:
        yield Cell("disk full", rule, partial(full_disk, rule=rule, everything=False))
    for rule in ("ingest", "pretrain", "tables"):
        strike = partial(full_disk, rule=rule, everything=True)
        yield Cell("disk full, Snakemake's files too", rule, strike)
    for kind, pattern in KINDS.items():
        for how in DAMAGES:
            yield Cell(how, kind, partial(damaged, pattern=pattern, how=how))
    for seed in range(1, 6):
        yield Cell("half of the files lost", f"seed {seed}", partial(lost_half, seed=seed))
    for name in ("simulated", "batches", "volumes", "tensors", "encoders", "features"):
        yield Cell("folder lost", name, partial(lost_folder, name=name))


DISK = (
    *("simulate", "ingest", "segment", "tensors", "cohort", "pretrain", "features", "linear"),
    *("finetune", "tables", "figures", "report", "provenance"),
)


def again(copy: Struck) -> None:
    """Give the same command until it ends well."""
    for _ in range(3):
        if copy.codes and copy.codes[-1] == 0:
            return
        copy.run()


def judge(base: Base, cell: Cell, work: Path) -> dict:
    """Run a cell."""
    started = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="cell-", dir=work))
    copy = Struck(folder / "run")
    try:
        shutil.copytree(base.folder, copy.folder, symlinks=True)
        if cell.fault == "unreadable" and os.getuid() == 0:
            copy.bound = BOUND
        due = cell.strike(base, copy)
        again(copy)
        outcome = compare(base, copy)
    except Exception as error:  # noqa: BLE001 - the other cells go on
        due, outcome = Counter(), str(error) if isinstance(error, Failed) else repr(error)
    finally:
        text = "\n=====\n".join(copy.texts)
        (work / "logs").mkdir(exist_ok=True)
        (work / "logs" / f"{re.sub('[^A-Za-z0-9]+', '-', cell.name)}.txt").write_text(text)
        shutil.rmtree(folder, ignore_errors=True)
    done = Counter(re.findall(r"^Finished jobid: \d+ \(Rule: (\w+)\)", text, re.M))
    done.pop("all", None)
    return {
        **{"cell": cell.name, "code": code(), "outcome": outcome, "runs": copy.codes},
        **{"message": message(text), "due": due.total(), "redone": dict(done - due)},
        "seconds": round(time.monotonic() - started),
    }


def compare(base: Base, copy: Struck) -> str:
    """Say how a run ended: "same", or what is wrong."""
    if copy.codes[-1]:
        return f"the command ends with {copy.codes[-1]} however often it is given"
    found = tables(copy.folder)
    for path, content in base.results.items():
        if found.get(path) != content:
            return f"{path} is {'another' if path in found else 'missing'}"
    if set(found) - set(base.results):
        return f"{min(set(found) - set(base.results))} should not be there"
    said = len(copy.texts)
    copy.run("-n")
    plan = copy.texts.pop(said)
    copy.codes.pop()
    return "same" if "Nothing to be done" in plan else "the run does not come to rest"


def message(text: str) -> str:
    """The first thing that was said of the fault."""
    for pattern in (
        r"^\s*error: (.*(?:\n  - .*)?)",
        r"^(?:Error: )?(Directory cannot be locked)",
        r"^(\w+: \d+ of \d+ cases used.*excluded.*)",
        r"(died with <Signals\.\w+)",
        r"^(ended by SIG\w+)",
        r"^(\w*(?:Error|Exception)\b.*(?:\n\s*[^\s=].*)?)",
        r"^(Terminating processes.*)",
    ):
        if found := re.search(pattern, text, re.M):
            return " ".join(found[1].split()).replace("<Signals.", "")
    return ""


def page(lines: list[dict], wanted: list[Cell]) -> str:
    """The matrix in Markdown."""
    known = {line["cell"]: line for line in lines}
    rows = [known[cell.name] for cell in wanted if cell.name in known]
    bad = [row for row in rows if row["outcome"] != "same"]
    missing = Counter(cell.fault for cell in wanted if cell.name not in known)
    left = ", ".join(f"{count} of '{fault}'" for fault, count in missing.items())
    text = [
        f"{len(rows)} cells of {len(wanted)}; {len(rows) - len(bad)} ended with the tables of the "
        "undisturbed run, byte for byte." + (f" Not run: {left}." if left else ""),
        "",
        "| fault | rule or file | message | jobs run again | ended |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        fault, what = row["cell"].split(": ", 1)
        redone = ", ".join(f"{n} {rule}" for rule, n in row["redone"].items()) or "0"
        said = row["message"].replace("|", "\\|")
        said = re.sub(r"/\S*/cell-\w+/run/", "", said)
        text.append(f"| {fault} | {what} | {said} | {redone} | {row['outcome']} |")
    return "\n".join(text) + "\n"


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
    given.work.mkdir(parents=True, exist_ok=True)
    kept = given.work / "cells.jsonl"
    base = undisturbed(given.work)
    matrix = list(cells(base))
    chosen = [cell for cell in matrix if any(re.search(one, cell.name) for one in given.only)]
    if given.list:
        raise SystemExit("\n".join(cell.name for cell in chosen))
    lines = {line["cell"]: line for line in read(kept) if line["code"] == code()}
    left = [cell for cell in chosen if given.again or cell.name not in lines]
    with ThreadPoolExecutor(given.jobs) as pool:
        running = [pool.submit(judge, base, cell, given.work) for cell in left]
        for number, future in enumerate(as_completed(running), start=1):
            line = future.result()
            lines[line["cell"]] = line
            with open(kept, "a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            print(f"{number}/{len(left)} {line['cell']}: {line['outcome']}", flush=True)
    if given.fill:
        before, _, rest = given.fill.read_text(encoding="utf-8").partition(BEGIN)
        _, found, after = rest.partition(END)
        if not found:
            raise SystemExit(f"{given.fill} has no {BEGIN} with {END} after it")
        text = page(list(lines.values()), matrix)
        given.fill.write_text(f"{before}{BEGIN}\n{text}{END}{after}", encoding="utf-8")
    bad = [cell.name for cell in chosen if lines.get(cell.name, {}).get("outcome") != "same"]
    raise SystemExit("\n".join(["not as they should be:", *bad]) if bad else 0)


def read(path: Path) -> list[dict]:
    """Lines of cells that were run."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


if __name__ == "__main__":
    main()
