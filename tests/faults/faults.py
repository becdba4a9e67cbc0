"""The fault matrix: every fault on every rule or kind of file, then the same command.

    make faults                                    # all cells that were not run on this code yet
    PYTHONPATH=tests python tests/faults/faults.py --only SIGKILL 'disk full: pretrain'

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
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, nullcontext, suppress
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from struck import CHECKPOINTS, KINDS, RUN, Base, Failed, Struck
from tiny_project import PARTS, ROOT, Project

BEGIN, END = "<!-- matrix: begin -->", "<!-- matrix: end -->"
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


# --- faults: each strikes a copy, has it heal, and says how it ended ---------------------------


def job_killed(copy: Struck, rule: str, number: int, epochs: int = 0) -> str:
    """A job is killed where it would give its last file, or a checkpoint, its name."""
    job = copy.undo(rule)
    copy.order(job, number, epochs)
    copy.run(*job.outputs)
    if (copy.folder / "order.json").exists():
        raise Failed("the job was not struck")
    retried = copy.code == 0
    healed = copy.heal(*job.outputs)
    return f"{healed}, by Snakemake's second attempt" if retried else healed


def snakemake_killed(copy: Struck, rule: str, number: int, jobs_too: bool) -> str:
    """Snakemake is killed while a job is under way, or both are."""
    job = copy.undo(rule)
    copy.order(job, None)
    process = copy.start_and_hold(*job.outputs)
    (os.killpg if jobs_too else os.kill)(process.pid, number)
    time.sleep(1)
    if number == signal.SIGKILL:
        process.wait()
        if "--unlock" not in copy.run(*job.outputs):
            raise Failed("a run started on a locked folder")
        (copy.folder / "go").touch()  # a job may still be on, and its user waits until it is not
        time.sleep(1)
        copy.run("--unlock")
    (copy.folder / "go").touch()
    copy.end(process)
    copy.code = process.returncode
    if copy.code == 0:
        raise Failed("the signal did nothing")
    return copy.heal(*job.outputs)


def two_at_once(copy: Struck, rule: str) -> str:
    """A second Snakemake starts in the folder."""
    job = copy.undo(rule)
    copy.order(job, None)
    process = copy.start_and_hold(*job.outputs)
    refused = copy.run(*job.outputs)
    (copy.folder / "go").touch()
    copy.end(process)
    if "Directory cannot be locked" not in refused or copy.code:
        raise Failed("the second run was not refused, or the first failed")
    return f"the second is refused; {copy.heal(*job.outputs)}"


@contextmanager
def small_disk(place: Path) -> Iterator[None]:
    """Mount a small disk at a folder."""
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=96m", "none", str(place)]
    if subprocess.run(mount, check=False).returncode:
        raise Failed("no disk can be mounted here, which takes root")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def disk_full(copy: Struck, rule: str) -> str:
    """The disk of the project fills up as a job begins its last file; then there is room."""
    job, filler = copy.undo(rule), copy.folder / "filler"
    copy.order(job, None, begins=True)
    process = copy.start_and_hold(*job.outputs)
    with open(filler, "wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(2**20)):
            pass
    (copy.folder / "go").symlink_to("filler")  # takes no room
    text = copy.end(process)
    filler.unlink()
    if copy.code == 0:
        raise Failed("the run did not notice that the disk is full")
    named = "named; " if "is full" in text else ""
    return named + copy.heal(*job.outputs)


def damaged(copy: Struck, kind: str, damage: str) -> str:
    """A file is damaged before a job reads it: named with the remedy, or read as the user's edit.

    The remedy is to remove it, or to be given the right to read it.
    """
    path, name, job = copy.before_reading(kind)
    DAMAGES[damage](path, path.read_bytes())
    left = path.stat()
    text = copy.run(*job.outputs)
    if "Traceback" in text:
        raise Failed("the job ends with a traceback")
    if copy.code:
        said = rf"error: \S*{re.escape(name)}: (cannot be read|permission denied)"
        said += rf"|Permission denied: '{re.escape(name)}'"  # Snakemake's own words
        said += rf"|In {re.escape(name.removeprefix(RUN))} .*: remove the file"  # of a split
        if not re.search(said, text):
            raise Failed("the file is not named with the remedy")
    elif damage in ("truncated", "unreadable") or path.stat().st_mtime_ns != left.st_mtime_ns:
        raise Failed("the job read what is no whole file, or did away with an edit")
    named = "named" if copy.code else "read, as an edit"
    path.chmod(0o644) if damage == "unreadable" else path.unlink()
    copy.code = None
    return f"{named}; {copy.heal(name, *job.outputs)}"


def truncated(path: Path, content: bytes) -> None:
    """Cut a file to its first half."""
    path.write_bytes(content[: len(content) // 2])


def flipped(path: Path, content: bytes) -> None:
    """Turn 16 bytes in the middle of a file over."""
    at = len(content) // 2
    turned = bytes(255 - one for one in content[at : at + 16])
    path.write_bytes(content[:at] + turned + content[at + 16 :])


def edited(path: Path, content: bytes) -> None:
    """Change the last digit of a table."""
    at = re.search(rb"\d(?=\D*\Z)", content).start()
    path.write_bytes(content[:at] + b"%d" % (9 - int(content[at : at + 1])) + content[at + 1 :])


DAMAGES = {
    "truncated": truncated,
    "bytes flipped": flipped,
    "edited": edited,
    "unreadable": lambda path, _: path.chmod(0),
}


def lost(copy: Struck, kind: str) -> str:
    """A file is lost before a job reads it."""
    path, name, job = copy.before_reading(kind)
    path.unlink()
    return copy.heal(name, *job.outputs)


def from_the_future(copy: Struck, kind: str) -> str:
    """A clock was a day ahead when a file was written."""
    path, _, job = copy.before_reading(kind)
    os.utime(path, (time.time() + 86400,) * 2)
    text = copy.run(*job.outputs)
    if copy.code == 0 or path.name not in text or "clock skew" not in text:
        raise Failed("a file from the future is not named")
    path.touch()
    return f"named; {copy.heal(*job.outputs)}"


def half_lost(copy: Struck, seed: int) -> str:
    """A random half of the files is gone, but for CTs: they stand for yours."""
    paths = [path for path in (copy.folder / RUN).rglob("*") if path.is_file()]
    paths = sorted(path for path in paths if "simulated" not in path.parts)
    for path in random.Random(seed).sample(paths, len(paths) // 2):
        path.unlink()
    return copy.heal()


def folder_lost(copy: Struck, name: str) -> str:
    """The folder of a stage is gone from a finished run."""
    shutil.rmtree(copy.folder / RUN / name)
    copy.heal()
    made = (copy.folder / RUN / name).exists()
    return "same" if made else "same; nothing needs the folder, it is made when something does"


# --- the matrix ---------------------------------------------------------------------------------


class Cell(NamedTuple):
    """A fault on something."""

    fault: str
    what: str
    strike: Callable[..., str]
    arguments: tuple

    @property
    def name(self) -> str:
        """How a cell is chosen."""
        return f"{self.fault}: {self.what}"


def cells(base: Base) -> dict[str, Cell]:
    """All cells of the matrix, by name; the rules come from Snakemake."""
    term, kill, stop = signal.SIGTERM, signal.SIGKILL, signal.SIGINT
    found = []
    for rule in dict.fromkeys(job.rule for job in base.jobs):
        for number in (term, kill):
            found.append(Cell(f"job gets {number.name}", rule, job_killed, (rule, number)))
    for rule in CHECKPOINTS:
        fault = "job gets SIGKILL in its second epoch"
        found.append(Cell(fault, rule, job_killed, (rule, kill, 2)))
    for rule in ("ingest", "pretrain", "finetune", "tables"):
        for number, jobs_too in ((stop, True), (term, False), (kill, False), (kill, True)):
            who = "Snakemake and its job get" if jobs_too else "Snakemake gets"
            struck = rule, number, jobs_too
            found.append(Cell(f"{who} {number.name}", rule, snakemake_killed, struck))
        found.append(Cell("disk full", rule, disk_full, (rule,)))
    found.append(Cell("two at once", "ingest", two_at_once, ("ingest",)))
    for kind, (pattern, _) in KINDS.items():
        found.append(Cell("lost", kind, lost, (kind,)))
        for damage in DAMAGES:
            if damage != "edited" or pattern.endswith(".csv"):
                found.append(Cell(damage, kind, damaged, (kind, damage)))
    for kind in ("volume", "cohort table"):
        found.append(Cell("from the future", kind, from_the_future, (kind,)))
    for name in ("volumes", "tensors", "encoders", "predictions", "tables"):
        found.append(Cell("folder lost", name, folder_lost, (name,)))
    for seed in (1, 2):
        found.append(Cell("half of the files lost", f"seed {seed}", half_lost, (seed,)))
    return {cell.name: cell for cell in found}


def judge(base: Base, cell: Cell, work: Path) -> dict:
    """Run a cell in a copy; gives its name, how it ended, whether that is well, and seconds."""
    started = time.monotonic()
    place = Path(tempfile.mkdtemp(prefix="cell-", dir=work))
    copy = Struck(base, place / "run")
    if cell.fault == "unreadable" and os.getuid() == 0:
        copy.bound = BOUND
    try:
        with small_disk(copy.folder) if cell.fault == "disk full" else nullcontext():
            shutil.copytree(base.folder, copy.folder, symlinks=True, dirs_exist_ok=True)
            ended, good = cell.strike(copy, *cell.arguments), True
    except Exception as error:  # noqa: BLE001 - the other cells go on
        ended, good = str(error) if isinstance(error, Failed) else repr(error), False
    log = work / "logs" / f"{re.sub('[^A-Za-z0-9]+', '-', cell.name)}.txt"
    log.parent.mkdir(exist_ok=True)
    log.write_text("\n=====\n".join(copy.texts))
    shutil.rmtree(place, ignore_errors=True)
    seconds = round(time.monotonic() - started)
    return {"cell": cell.name, "ended": ended, "good": good, "seconds": seconds}


def undisturbed(work: Path) -> Base:
    """Make the run that all cells start from, or take the one that is there for this code."""
    paths = [path for part in map(ROOT.joinpath, PARTS) for path in (part, *part.rglob("*"))]
    kept = sorted(path for path in paths if path.is_file() and path.suffix != ".pyc")
    digest = sha256(b"".join([CONFIG.encode(), *(path.read_bytes() for path in kept)])).hexdigest()
    base = Base(work / digest[:12] / "base")
    if not (base.folder / "finished").exists():
        shutil.rmtree(base.folder, ignore_errors=True)
        base.folder.mkdir(parents=True)
        Project(base.folder)
        (base.folder / "config.yaml").write_text(CONFIG)
        copy = Struck(base, base.folder)
        text = copy.run("--cores", "2")
        if copy.code:
            raise SystemExit(text[-3000:])
        (base.folder / "finished").touch()
    return base


def page(lines: dict[str, dict], matrix: dict[str, Cell]) -> str:
    """The matrix in Markdown: how each fault ended, and on what."""
    ran = [name for name in matrix if name in lines]
    good = sum(lines[name]["good"] for name in ran)
    groups: dict[tuple[str, str], list[str]] = {}
    for name in ran:
        ended = lines[name]["ended"] if lines[name]["good"] else f"**not**: {lines[name]['ended']}"
        groups.setdefault((matrix[name].fault, ended), []).append(matrix[name].what)
    text = f"{len(ran)} of {len(matrix)} cells were run; {good} ended as they should."
    text += "\n\n| fault | ended | on |\n|---|---|---|\n"
    for (fault, ended), things in groups.items():
        text += f"| {fault} | {ended} | {', '.join(things)} |\n"
    return text


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir(), "fault-matrix"))
    parser.add_argument("--only", nargs="+", default=[""], help="patterns of the cells to run")
    parser.add_argument("--jobs", type=int, default=2, help="cells side by side")
    parser.add_argument("--fill", type=Path, help="page to put the table into")
    given = parser.parse_args()
    # what was started in the background ignores Ctrl-C, and so would all that it starts
    signal.signal(signal.SIGINT, signal.default_int_handler)
    base = undisturbed(given.work)
    matrix, kept = cells(base), base.folder.with_name("cells.jsonl")
    text = kept.read_text() if kept.exists() else ""
    lines = {line["cell"]: line for line in map(json.loads, text.splitlines())}
    chosen = [name for name in matrix if any(re.search(one, name) for one in given.only)]
    left = [name for name in chosen if not lines.get(name, {}).get("good")]
    with ThreadPoolExecutor(given.jobs) as pool:
        running = [pool.submit(judge, base, matrix[name], kept.parent) for name in left]
        for number, future in enumerate(as_completed(running), start=1):
            line = future.result()
            lines[line["cell"]] = line
            with open(kept, "a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            print(f"{number}/{len(left)} {line['cell']}: {line['ended']}", flush=True)
    if given.fill:
        before, _, rest = given.fill.read_text(encoding="utf-8").partition(BEGIN)
        after = rest.partition(END)[2]
        filled = f"{before}{BEGIN}\n{page(lines, matrix)}{END}{after}"
        given.fill.write_text(filled, encoding="utf-8")
    if bad := [name for name in chosen if not lines[name]["good"]]:
        raise SystemExit("\n".join(["not as they should be:", *bad]))


if __name__ == "__main__":
    main()
