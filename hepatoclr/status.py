"""How far a run is: what is done, failed, running and left, and how long it may still take.

    python -m hepatoclr.status results/study

It reads the plan that Snakemake's start left in the folder of the run, and what lies there by now;
it takes no lock, and may run on any machine that sees the folder.
"""

import argparse
import csv
import json
import math
import os
import re
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

from hepatoclr import cases, failures, files, pages, texts
from hepatoclr.errors import UserError

PLAN, PAGE = "plan.json", "status.html"
DONE, FAILED, RUNNING, LEFT = STATES = ("done", "failed", "running", "left")
NAMED = 6  # stages, before the others are only counted
LATELY = 100  # jobs by which it is judged how many run side by side
STEP = re.compile(r" INFO case (\d+) of \d+: ")
EPOCH = re.compile(r" INFO (?:\{'epoch': |continuing after epoch (\d+))")
BEGUN = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
ENDED = re.compile(r"^(Complete log\(s\): |Nothing to be done)", re.M)  # in Snakemake's log


@dataclass(frozen=True)
class Job:
    """A job of a plan.

    Attributes:
        stage: Its rule.
        name: What tells it from others: `logs/<name>.log` and `benchmarks/<name>.tsv` are its own.
        outputs: Its files, as the log below the folder of the run.
        cases: How many cases it makes; 0 where it is not a batch of cases.
        epochs: How many epochs it trains in all; 0 where it trains none.
        planned: Whether it was to run when the plan was made.
    """

    stage: str
    name: str
    outputs: Sequence[str]
    cases: int = 0
    epochs: int = 0
    planned: bool = True


@dataclass
class Stage:
    """How far a stage is; numbers of cases or of jobs, as `unit` says.

    Attributes:
        counts: How many are done, failed, running, left.
        job_s: Mean time of a job; nan where none has ended yet and none tells its progress.
        work_s: Time of all that is not done, one job after the other; nan likewise.
    """

    name: str
    unit: str
    counts: dict[str, int]
    job_s: float
    work_s: float


@dataclass
class Status:
    """How far a run is.

    Attributes:
        run: Its name.
        stages: All stages, in the order of the data.
        failures: Log and last words of each job that failed.
        cohorts: What is known of the cases of each cohort that are not used.
        ended: Whether Snakemake has ended.
        quiet_s: Seconds since it last wrote anything.
        side_by_side: How many jobs ran at once lately; nan where none ended.
    """

    run: str
    stages: list[Stage]
    failures: dict[str, str]
    cohorts: dict[str, str]
    ended: bool
    quiet_s: float
    side_by_side: float

    @property
    def unknown(self) -> list[str]:
        """Stages with work left that nobody can say the time of."""
        return [stage.name for stage in self.stages if math.isnan(stage.work_s)]

    @property
    def seconds_left(self) -> float:
        """Time of what is left of the other stages, if as many jobs run at once as lately."""
        work = sum(stage.work_s for stage in self.stages if not math.isnan(stage.work_s))
        return work / self.side_by_side if work else 0.0


def write_plan(
    run: str | Path, jobs: Iterable[Job], cohorts: Mapping[str, int], logs: Iterable[str]
) -> None:
    """Leave the plan of a run in its folder; what is newer than this file, the run has made.

    Args:
        run: Folder of the run.
        jobs: All jobs, those that need not run too, in the order of the data.
        cohorts: Cases of each cohort.
        logs: Files that Snakemake itself writes to.
    """
    plan = {
        "logs": [os.path.relpath(log, run) for log in logs],
        "cohorts": dict(cohorts),
        "jobs": [list(asdict(job).values()) for job in jobs],
    }
    files.write_text(json.dumps(plan), Path(run, PLAN))


def look(run: str | Path) -> Status:
    """Compare what a run planned with what is there.

    Raises:
        UserError: The folder holds no plan.
    """
    run = Path(run)
    try:
        plan = files.read_json(run / PLAN)
        since = (run / PLAN).stat().st_mtime
    except FileNotFoundError:
        raise UserError(
            f"{run / PLAN}: there is no such file. Give the folder of a run that was started, as "
            "results/study."
        ) from None
    failed, ended, quiet = _snakemake([run / log for log in plan["logs"]])
    seen = [_Seen(run, Job(*job), since, failed, ended) for job in plan["jobs"]]
    stages: dict[str, list[_Seen]] = {}
    for one in seen:
        stages.setdefault(one.job.stage, []).append(one)
    return Status(
        run=run.resolve().name,
        stages=[_stage(name, jobs) for name, jobs in stages.items()],
        failures={str(one.log): one.last_words for one in seen if one.state == FAILED},
        cohorts={
            name: text for name, size in plan["cohorts"].items() if (text := _lost(run, name, size))
        },
        ended=ended,
        quiet_s=quiet,
        side_by_side=_side_by_side(seen, since),
    )


@dataclass
class _Seen:
    """A job, and what is seen of it in the folder of the run."""

    run: Path
    job: Job
    since: float
    failed: set[str]
    ended: bool
    state: str = field(init=False)

    def __post_init__(self) -> None:
        self.log = self.run / "logs" / f"{self.job.name}.log"
        begun = _time(self.log) >= self.since
        if not self.job.planned or all(
            _time(self.run / path) >= self.since for path in self.job.outputs
        ):
            self.state = DONE
        elif f"{self.job.name}.log" in self.failed:
            self.state = FAILED
        else:
            self.state = RUNNING if begun and not self.ended else LEFT

    @property
    def size(self) -> int:
        """Cases of the job, or 1."""
        return self.job.cases or 1

    @cached_property
    def text(self) -> str:
        """The log so far."""
        try:
            return self.log.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    @property
    def last_words(self) -> str:
        """What the log says of the error, or its last line, without what could move a terminal."""
        lines = [line for line in self.text.splitlines() if not line.startswith("core time ")]
        words = [line for line in lines if line.startswith("error: ")] or lines
        last = words[-1] if words else "ended before it wrote a log"
        return texts.printable(last).strip()

    @property
    def made(self) -> int:
        """Cases that are done."""
        if self.state in (DONE, LEFT):
            return self.size if self.state == DONE else 0
        numbers = STEP.findall(self.text)
        return int(numbers[-1]) - 1 if numbers and self.job.cases else 0

    @property
    def share(self) -> float:
        """Share of a running job that is done, as its log tells."""
        if self.job.epochs:
            return min(1.0, sum(self.epochs) / self.job.epochs)
        return self.made / self.size

    @cached_property
    def epochs(self) -> tuple[int, int]:
        """Epochs of this attempt, and of those before, from which it went on."""
        found = EPOCH.findall(self.text)
        return found.count(""), sum(map(int, filter(None, found)))

    @cached_property
    def seconds(self) -> float:
        """How long the job took; of a running one, what its progress promises; nan if unknown."""
        if self.state == DONE:
            return _benchmark(self.run / "benchmarks" / f"{self.job.name}.tsv")
        if self.state != RUNNING or not (first := BEGUN.match(self.text)):
            return math.nan
        now = self.epochs[0] / self.job.epochs if self.job.epochs else self.share
        begun = time.mktime(time.strptime(first[0], "%Y-%m-%d %H:%M:%S"))
        return (_time(self.log) - begun) / now if now else math.nan


def _stage(name: str, jobs: Sequence[_Seen]) -> Stage:
    """Add up the jobs of a stage."""
    counts = dict.fromkeys(STATES, 0)
    for one in jobs:
        made = one.made
        counts[DONE] += made
        counts[one.state] += one.size - made
    known = [one for one in jobs if not math.isnan(one.seconds)]
    each = sum(one.seconds for one in known) / sum(one.size for one in known) if known else math.nan
    work = sum(
        one.size * (1 - (one.share if one.state == RUNNING else 0)) * each
        for one in jobs
        if one.state in (RUNNING, LEFT)
    )
    unit = "cases" if any(one.job.cases for one in jobs) else "jobs"
    return Stage(name, unit, counts, each * jobs[0].size, work)


def _side_by_side(seen: Iterable[_Seen], since: float) -> float:
    """How many jobs ran at once, on average over the last that ended; else those that run now."""
    ends = []
    for one in seen:
        if one.state == DONE and one.job.planned and not math.isnan(one.seconds):
            end = _time(one.run / "benchmarks" / f"{one.job.name}.tsv")
            ends += [(end, one.seconds)] if end >= since else []
    lately = sorted(ends)[-LATELY:]
    if not lately:
        return sum(one.state == RUNNING for one in seen) or math.nan
    passed = lately[-1][0] - min(end - took for end, took in lately)
    return sum(took for _, took in lately) / max(passed, 0.1)


def _snakemake(logs: Iterable[Path]) -> tuple[set[str], bool, float]:
    """Read Snakemake's log: logs of jobs that failed for good, whether it ended, seconds since.

    Of a log that is not there nothing is known.
    """
    log = next((log for log in logs if log.is_file()), None)
    if not log:
        return set(), False, math.nan
    text = log.read_text(encoding="utf-8", errors="replace")
    failed = {path.partition("/logs/")[2] for path in failures.logs(text)}
    return failed, bool(ENDED.search(text)), max(0.0, time.time() - _time(log))


def _lost(run: Path, cohort: str, size: int) -> str:
    """Say how many cases of a cohort are not used: by its table, or so far by empty files."""
    with suppress(OSError), open(run / "cohorts" / f"{cohort}.csv", encoding="utf-8") as table:
        return cases.tally(row["step"] for row in csv.DictReader(table))
    empty = set()
    for folder in (run / "volumes" / cohort, run / "livers" / cohort):
        with suppress(OSError):
            entries = [entry for entry in os.scandir(folder) if entry.name.endswith(".nii.gz")]
            empty |= {entry.name for entry in entries if not entry.stat().st_size}
    return f"{len(empty)} of {size} set aside so far" if empty else ""


def _benchmark(path: Path) -> float:
    """Wall time of a job in seconds, or nan."""
    try:
        last = path.read_text(encoding="utf-8").splitlines()[-1]
        return float(last.partition("\t")[0])
    except (OSError, ValueError, IndexError):
        return math.nan


def _time(path: Path) -> float:
    """When a file was written last; 0 where there is none."""
    try:
        return Path(path).stat().st_mtime
    except OSError:
        return 0.0


def duration(seconds: float) -> str:
    """Say a time as people do: 40 s, 12 min, 3 h 20 min, 2 d 4 h."""
    if math.isnan(seconds):
        return ""
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 1 else f"{seconds:.1g} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def state(status: Status) -> str:
    """Say in a sentence whether the run is at work, and for how long still."""
    total = {key: sum(stage.counts[key] for stage in status.stages) for key in STATES}
    if not any(total[key] for key in (FAILED, RUNNING, LEFT)):
        return "All that was asked for is done."
    failed = f" {len(status.failures)} failed, see their logs." if status.failures else ""
    if status.ended:
        return f"Snakemake has ended before all was done.{failed} Run the same command again."
    ago = duration(status.quiet_s) or "unknown time"
    return f"Under way; Snakemake wrote last {ago} ago.{failed}"


def estimate(status: Status) -> str:
    """Say how long what is left may take, as far as it is known."""
    if all(stage.work_s == 0 for stage in status.stages):
        return ""
    unknown, seconds = status.unknown, status.seconds_left
    names = ", ".join(unknown[:NAMED]) + f" and {len(unknown) - NAMED} more" * (
        len(unknown) > NAMED
    )
    if not seconds or math.isnan(seconds):
        return f"No estimate yet of the time left: none of {names or 'its jobs'} has run."
    rate = f"if {status.side_by_side:.1f} jobs go on side by side as lately"
    if unknown:
        return (
            f"At least {duration(seconds)} left, {rate}; not counted, since not run yet: {names}."
        )
    return f"About {duration(seconds)} left, {rate}."


def text(status: Status) -> str:
    """The status for the terminal."""
    lines = [f"run {status.run}: {state(status)}", ""]
    lines.append(f"{'stage':<20}{'':>6}" + "".join(f"{key:>9}" for key in STATES) + "  time a job")
    for stage in status.stages:
        counts = "".join(f"{stage.counts[key] or '-':>9}" for key in STATES)
        lines.append(f"{stage.name:<20}{stage.unit:>6}{counts}  {duration(stage.job_s)}".rstrip())
    lines += [""] + [f"{name}: {said}" for name, said in status.cohorts.items()]
    lines += [f"failed: {log}\n        {words}" for log, words in status.failures.items()]
    return "\n".join([*lines, estimate(status)]).rstrip()


def html(status: Status) -> str:
    """The status as a page."""
    return pages.render(
        "status.html.j2",
        status=status,
        state=state(status),
        estimate=estimate(status),
        states=STATES,
        duration=duration,
        now=time.strftime("%Y-%m-%d %H:%M:%S"),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line; print the status and write the page."""
    parser = argparse.ArgumentParser(prog="hepatoclr.status", description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of a run, as results/study")
    run = parser.parse_args(arguments).run
    try:
        status = look(run)
    except UserError as error:
        sys.exit(f"status: {error}")
    print(text(status))
    with suppress(OSError):  # a folder that may only be read
        files.write_text(html(status), run / PAGE)
        print(f"page: {run / PAGE}")


if __name__ == "__main__":
    main()
