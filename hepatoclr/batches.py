"""Cases in batches: one process makes several cases, and of these only the ones that need it.

To start a process and to plan a job take longer than many a case. So a job of an image stage makes
several cases, and what Snakemake sees of them is a table of their keys. A key is a digest of all
that a case is made from: code and settings, what the manifest says, the user's files, the keys of
earlier stages. Beside the table lies a note of each case, with the key that it was last made by.
Where that is the present one and no file is missing, nothing is done: it does not matter which
cases share a batch, and an interrupted batch goes on where it stopped. The note also holds digests
of the files, by which those who read them see whether they are still as they were made.
"""

import csv
import hashlib
import json
import logging
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import chain
from pathlib import Path

from hepatoclr import cases, files, settings
from hepatoclr.errors import BadCase, UserError

log = logging.getLogger(__name__)

FACTS = "facts"
TRIES = 2  # one death may be the machine's


def run(
    make: Callable[..., None],
    table: str | Path,
    upstream: Sequence[str | Path] = (),
    *,
    stage: str,
    cohort: str,
    members: Mapping[str, Mapping],
    writes: Mapping[str, str],
    key: str,
    reads: Mapping[str, str] | None = None,
    sources: Sequence[str] = (),
    copies: str = "",
    again: Mapping[str, int] | None = None,
    on_bad_case: str = "exclude",
) -> None:
    """Make the cases of a batch that are not there as they should be, then list all of them.

    A stage that writes `facts` sets aside what cannot be used, see `cases.guarded`: also a case
    that ends in an unexpected error, or that killed the process twice; such a case is tried again
    whenever its batch is. Without `facts` the other cases are made, then the job fails.

    Args:
        make: Makes one case, with atomic writes. Its arguments are the case's name and, by name,
            what `members` says of it and its paths of `reads` and `writes`.
        table: CSV to write: case, key. The notes lie beside it.
        upstream: The tables of the stages that `reads` come from; they list the same cases. A
            file that is not as they made it is moved away, and its case not made.
        stage, cohort: What messages call the stage, and the cohort before a case.
        members: The cases by name, with what the manifest says of each, ready for JSON.
        writes: Paths of a case that `make` leaves; `{case}` stands for its name.
        key: Digest of code and settings.
        reads: Paths of a case that earlier stages left, likewise.
        sources: Those values of `members` that are paths of the user; what counts of them are
            names, sizes and times of what is there, in folders too, not where it lies.
        copies: Folder of what was fetched from elsewhere, see `look`.
        again: How often cases were made again, see `again`.
        on_bad_case: See `cases.guarded`.

    Raises:
        UserError: Something is missing that every case needs, or cases without `facts` failed.
    """
    earlier, keys, failed = [read(path) for path in upstream], {}, []
    made = digests(upstream)
    for number, (case, known) in enumerate(members.items(), start=1):
        written, used = _paths(writes, case), _paths(reads or {}, case)
        told = {name: value for name, value in known.items() if name not in sources}
        seen = look((known[name] for name in sources), copies)
        wanted = _digest(key, told, seen, [keys_before[case] for keys_before in earlier])
        note = _Note(Path(table).parent, case)
        if note.key != wanted or not all(map(os.path.exists, written.values())):
            _require(used, stage, f"{cohort} {case}")
            if problem := _damage(used, made):
                failed.append(f"{case}: {problem}")
                continue
            log.info("case %d of %d: %s", number, len(members), case)
            guard, problem = _guard(stage, f"{cohort} {case}", written, on_bad_case), ""
            count = (again or {}).get(case, 0)
            with note.under_way(wanted, count) as killed:
                with guard or nullcontext():
                    problem = _killed(stage, table) if killed else ""
                    problem = problem or _attempt(stage, make, case, known, used, written)
                    if problem and guard:
                        raise BadCase(problem)
                if problem and not guard:
                    failed.append(f"{case}: {problem}")
                    continue
                note.write("" if problem else wanted, seen, count, written.values())
        keys[case] = note.key
    if failed:
        raise UserError(settings.listing(f"{stage} of cohort {cohort} has", failed))
    with files.atomic(table) as temporary, open(temporary, "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([("case", "key"), *keys.items()])


def read(table: str | Path) -> dict[str, str]:
    """Read the table of a batch: case to key, empty where the case is to be tried again."""
    with open(table, newline="") as file:
        return dict(list(csv.reader(file))[1:])


def keys(tables: Iterable[str | Path]) -> dict[str, str]:
    """Read the keys of all cases of some tables: cohort and case to key, however batches lie."""
    return {
        f"{Path(table).parent.name}/{case}": key
        for table in tables
        for case, key in read(table).items()
    }


def digests(tables: Iterable[str | Path]) -> dict[str, str]:
    """Read the digests of the files that the cases of some tables were made to, by path."""
    return {
        path: digest
        for table in tables
        for case in read(table)
        for path, digest in _Note(Path(table).parent, case).digests.items()
    }


def again(
    tables: Mapping[str, str | Path],
    writes: Mapping[str, str],
    mended: Collection[str] = (),
) -> dict[str, int]:
    """Say which cases had to be made again for a reason that Snakemake does not see, and how often.

    The number is one higher where that is so now, until the case is made with it; then it stays
    the same. As a parameter of a job it thus starts the job, and only once.

    Args:
        tables: The cases, each with the table of its batch.
        writes: Paths of a case, see `run`. If one is lost, the case must be made again.
        mended: Cases to be made again because the user mended something.

    Returns:
        Only the cases that had to be.
    """
    listed: dict[str, set[str]] = {}

    def there(path: str | Path) -> bool:  # a folder is listed faster than all its files asked for
        parent, name = os.path.split(path)
        if parent not in listed:
            entries = os.scandir(parent) if Path(parent).is_dir() else ()
            listed[parent] = {entry.name for entry in entries}
        return name in listed[parent]

    def due(case: str, note: _Note) -> bool:
        if not (there(tables[case]) or there(note.path)):
            return False  # its batch runs anyway
        return case in mended or not all(map(there, _paths(writes, case).values()))

    notes = {case: _Note(Path(table).parent, case) for case, table in tables.items()}
    counts = {
        case: (note.count if there(note.counter) else 0) + due(case, note)
        for case, note in notes.items()
    }
    return {case: count for case, count in counts.items() if count}


def changed(folder: str | Path, case: str, sources: Iterable[str]) -> bool:
    """Say whether the user's files are others than those that a case was last made from."""
    note = _Note(Path(folder), case)
    return note.path.exists() and note.seen != look(sources)


def look(sources: Iterable[str | Path], copies: str = "") -> str:
    """Digest of names, sizes and times of files, and of folders with everything in them.

    Below the folder `copies` times are those of the copying, so what files hold counts instead.
    """

    def copied(source: str | Path) -> bool:
        return bool(copies) and Path(source).is_relative_to(copies)

    return _digest(
        *(sorted(_entries(Path(source), copied(source))) for source in sources if source)
    )


class _Note:
    """What is noted of a case: the key it was made by, whether it is under way, how often again."""

    def __init__(self, folder: Path, case: str) -> None:
        self.path, self.marker, self.counter = (
            folder / f"{case}.{what}" for what in ("made", "started", "again")
        )

    @property
    def key(self) -> str:
        """The key that the case was made by; empty where it is not made, or to be tried again."""
        return "" if self.marker.exists() else self._lines()[-1]

    @property
    def seen(self) -> str:
        """Digest of the user's files that the case was made from, see `look`."""
        return self._lines()[0]

    @property
    def count(self) -> int:
        """How often the case had to be made again."""
        text = self.counter.read_text(errors="replace")  # may be damaged
        return int(text) if text.isdecimal() else 0

    @property
    def digests(self) -> dict[str, str]:
        """Digests of the files of the case, by path."""
        parts = (line.partition("  ") for line in self._lines()[1:-1])
        return {path: digest for digest, _, path in parts if path}

    def write(self, key: str, seen: str, count: int, written: Iterable[str]) -> None:
        """Note that the case is made, and what its files hold; a note that is cut has no key."""
        held = [f"{files.sha256(path)}  {path}" for path in written if Path(path).is_file()]
        files.write_text("\n".join([seen, *held, key]), self.path)
        if count:
            files.write_text(str(count), self.counter)

    @contextmanager
    def under_way(self, key: str, count: int) -> Iterator[bool]:
        """Mark a case as under way; say whether it killed the process again that made it so."""
        tries = self.marker.read_text().split() if self.marker.exists() else []
        killed = tries.count(key) >= TRIES
        if self.path.exists() or count:
            files.write_text("", self.path)  # from here on it does not tell what there is
        files.write_text(" ".join([*tries, key]), self.marker)
        try:
            yield killed
        finally:
            self.marker.unlink()

    def _lines(self) -> list[str]:
        if not self.path.exists():
            return [""]
        return self.path.read_text(errors="replace").split("\n")  # may be damaged


def _require(used: Mapping[str, str], stage: str, case: str) -> None:
    """Refuse to make a case without the files of earlier stages; they are no fault of its own."""
    for path in used.values():
        if not Path(path).exists():
            raise UserError(f"case {case}: {stage} needs {path}, which is gone. Run again.")
        if not os.access(path, os.R_OK):
            raise UserError(
                f"case {case}: {stage} needs {path}, which you may not read. "
                "Give yourself the right, then run again."
            )


def _damage(used: Mapping[str, str], made: Mapping[str, str]) -> str:
    """Move away files of earlier stages that are not as they were made, and say so."""
    try:
        files.check(used.values(), made)
    except UserError as error:
        return str(error)
    return ""


def _guard(
    stage: str, case: str, written: Mapping[str, str], on_bad_case: str
) -> AbstractContextManager | None:
    """What sets a case aside, in a stage that can."""
    others = [path for name, path in written.items() if name != FACTS]
    if FACTS in written:
        return cases.guarded(stage, case, others, written[FACTS], on_bad_case)
    return None


def _attempt(stage: str, make: Callable[..., None], case: str, *arguments: Mapping) -> str:
    """Make a case; return what went wrong, if it should not have."""
    try:
        make(case, **{name: value for part in arguments for name, value in part.items()})
    except UserError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in files.NO_ROOM:
            raise  # no fault of the case
        log.exception("%s failed", stage)
        return f"{stage} failed ({type(error).__name__}; the log of its batch has more)."
    return ""


def _killed(stage: str, table: str | Path) -> str:
    return (
        "the process that worked on it was killed twice, probably for want of memory. Give the job "
        f"more (--set-resources {stage}:mem_mb=16000) and make its batch again "
        f"(--forcerun {table})."
    )


def _paths(patterns: Mapping[str, str], case: str) -> dict[str, str]:
    """The paths of a case."""
    return {name: pattern.format(case=case) for name, pattern in patterns.items()}


def _entries(path: Path, copied: bool) -> Iterator[tuple[str, int, int | str]]:
    """Name, size and time (ns; or digest) of a file, or of a folder and everything in it."""
    below = [Path(top, name) for top, *names in os.walk(path) for name in chain(*names)]
    for one in (path, *below):
        try:
            stat = one.stat()
        except OSError:  # a link that leads nowhere, or a file that has gone
            continue
        folder, name = one.is_dir(), str(one.relative_to(path.parent))
        if copied:
            yield name, 0, "" if folder else files.sha256(one)
        else:
            yield name, 0 if folder else stat.st_size, stat.st_mtime_ns


def _digest(*values) -> str:
    """Digest of what JSON can hold."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
