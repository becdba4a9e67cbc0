"""What the measurements share: interleaved rounds, peak memory, the machine, the table."""

import argparse
import math
import multiprocessing
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from hepatoclr.base import files

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("torch", "kornia", "lightly", "solo-learn", "pytorch-metric-learning", "monai")
COLUMNS = ("measure", "unit", "ours", "peer", "theirs", "gain", "remarks")


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        measure: What is measured, and on what.
        unit: Of the numbers.
        ours: What HepatoCLR gives, a number a round.
        peer: Whom it is compared with.
        theirs: What the peer gives, in the same rounds.
        more_is_better: Whether large numbers are good.
        difference: Whether the gain is a difference, as of AUC, and not a ratio.
        remarks: What a reader must know to judge the numbers.
    """

    measure: str
    unit: str
    ours: Sequence[float]
    peer: str = ""
    theirs: Sequence[float] = field(default_factory=list)
    more_is_better: bool = False
    difference: bool = False
    remarks: str = ""

    @property
    def gain(self) -> list[float]:
        """How many times better ours is, round by round; below 1, or below 0, where worse."""
        pairs = list(zip(self.ours, self.theirs, strict=True)) if self.theirs else []
        if self.difference:
            return [(a - b) * (1 if self.more_is_better else -1) for a, b in pairs]
        return [a / b if self.more_is_better else b / a for a, b in pairs]


def timed(call: Callable[[], object], amount: float = 0, seconds: float = 0.2) -> Callable:
    """Make a competitor of `rounds` of a call.

    Args:
        call: What to time.
        amount: How much one call does; the competitor gives this per second, or for 0 the
            seconds of a call.
        seconds: A call that takes less is repeated within a round, to fill about this time.
    """
    repeats = 0

    def competitor() -> float:
        nonlocal repeats
        if not repeats:  # the first call warms up and is not counted
            call()
        start = time.perf_counter()
        for _ in range(repeats or 1):
            call()
        took = (time.perf_counter() - start) / (repeats or 1)
        repeats = repeats or max(1, math.ceil(seconds / took))
        return amount / took if amount else took

    return competitor


def rounds(competitors: Mapping[str, Callable[[], float]], count: int) -> dict[str, list[float]]:
    """Measure competitors in turn, round after round: what disturbs the machine meets all alike.

    Args:
        competitors: Each measures itself once and gives the number.
        count: How many rounds; each begins with another competitor. One more goes before, as a
            warm-up.
    """
    names = list(competitors)
    found = {name: [] for name in names}
    for number in range(-1, count):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            value = competitors[name]()
            if number >= 0:
                found[name].append(value)
    return found


def apart(function: Callable, *arguments: Any) -> Any:
    """Call a function of a module in a fresh process, as peaks of memory need it."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
        return pool.submit(function, *arguments).result()


def memory_mark() -> float:
    """Resident memory of this process in MB; peaks until now are forgotten where that can be."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _status("VmRSS")


def memory_peak() -> float:
    """The highest resident memory of this process in MB.

    `ru_maxrss` will not do: on Linux a new process starts with its parent's.
    """
    return _status("VmHWM")


def _status(key: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1e3 for line in lines if line.startswith(key))


def machine() -> dict[str, str]:
    """What the numbers depend on besides the code; nothing that names this machine."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": models[0] if models else platform.machine(),
        "cores": str(os.cpu_count()),
        "memory": f"{memory:.0f} GiB",
        "system": platform.system(),
        "Python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
        "load at the start": f"{os.getloadavg()[0]:.1f}",
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def parser(description: str) -> argparse.ArgumentParser:
    """The options that all benchmarks share; each uses those that concern it."""
    made = argparse.ArgumentParser(description=description.splitlines()[0])
    made.add_argument("--rounds", type=int, default=5, help="interleaved rounds (5)")
    made.add_argument("--quick", action="store_true", help="small sizes: shows that all runs")
    made.add_argument("--source", type=Path, help="DICOM folder of a real CT of 512x512 slices")
    made.add_argument("--run", type=Path, help="folder of a finished demo run, to learn from")
    made.add_argument("--seeds", type=int, default=3, help="repeats of learning (3)")
    return made


def main(name: str, description: str, measure: Callable[[argparse.Namespace], list[Row]]) -> None:
    """Run one benchmark: measure, keep the numbers as JSON, print the table."""
    given = parser(description).parse_args()
    facts, start = machine(), time.monotonic()
    rows = measure(given)
    own = ["--source <series>" if given.source else "", "--quick" if given.quick else ""]
    content = {
        "name": name,
        "command": " ".join(["python -m", f"benchmarks.{name}", *filter(None, own)]),
        "machine": facts,
        "seconds": round(time.monotonic() - start, 1),
        "rows": [asdict(row) for row in rows],
    }
    files.write_json(content, RESULTS / f"{name}.json")
    print(table({name: rows}))


def read(names: Iterable[str]) -> dict[str, dict]:
    """Read the results there are, by name."""
    paths = {name: RESULTS / f"{name}.json" for name in names}
    return {name: files.read_json(path) for name, path in paths.items() if path.exists()}


def rows_of(content: Mapping) -> list[Row]:
    """The rows of a result that was read."""
    return [Row(**row) for row in content["rows"]]


def table(results: Mapping[str, Sequence[Row]]) -> str:
    """Write rows as one Markdown table: medians, with lowest and highest round in brackets."""
    lines = []
    for name, rows in results.items():
        for row in rows:
            gain = spread(row.gain, "{:+.3f}" if row.difference else "")
            cells = (row.unit, spread(row.ours), row.peer, spread(row.theirs), gain, row.remarks)
            lines.append([f"{name}: {row.measure}", *cells])
    return markdown(COLUMNS, lines)


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def fill(path: Path, text: str, name: str) -> None:
    """Put a text into a page, between its comments `<name>: begin` and `<name>: end`."""
    begin, end = (f"<!-- {name}: {place} -->" for place in ("begin", "end"))
    before, _, rest = path.read_text(encoding="utf-8").partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise SystemExit(f"{path} has no {begin} with {end} after it")
    files.write_text(f"{before}{begin}\n{text}{end}{after}", path)


def spread(values: Sequence[float], form: str = "") -> str:
    """Median, and range where it says something; three digits, or in a given form."""
    if not values:
        return ""
    write = form.format if form else _short
    middle, low, high = (write(f(values)) for f in (statistics.median, min, max))
    return middle if low == high else f"{middle} ({low} to {high})"


def _short(value: float) -> str:
    """Three digits that matter, without exponent."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}"
