"""How time and memory grow with the batch, the slice and the cohort.

    python -m benchmarks.growth

Times are taken in turn, each peak of memory in a process of its own: the highest resident set
above that before the first step (or before the cohort is opened). Ours is `module.fit`, theirs
the plain step of `peers.lightly_step`. Beside the table: growth.csv, growth.svg and growth.png.
"""

import argparse
import shutil
import statistics
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from benchmarks import common, ours, peers
from hepatoclr.learning import data
from hepatoclr.reporting.plots import common as style

BATCHES, BATCH_SIZE = (16, 32, 64, 128), 80  # the demo's network
SIZES, SIZE_BATCH = (64, 128, 256, 512), 2  # the paper's network
CASES, FACTORS, PER_CASE = 36, (1, 2, 5, 10), 14  # the demo's cohort
WAYS = {"ours": "HepatoCLR", "lightly": "plain step, lightly's loss"}
NAMES = {"batch": "Slices in a batch", "size": "Rows of a slice", "cohort": "Cases in a cohort"}


def step_times(points: Sequence[tuple[str, int, int, int]]) -> list[dict[str, list[float]]]:
    """Milliseconds of a step, each way in turn; a point is preset, batch, size and rounds."""
    found = []
    for preset, batch, size, rounds in points:
        ways = {way: _competitor(way, preset, batch, size) for way in WAYS}
        rates = common.rounds(ways, rounds)
        found.append({way: [2e3 * batch / rate for rate in rates[way]] for way in WAYS})
    return found


def step_memory(way: str, preset: str, batch: int, size: int) -> float:
    """Highest MB of two steps above those before."""
    competitor = _competitor(way, preset, batch, size)
    torch.optim.Adam([torch.zeros(1, requires_grad=True)])  # what it imports is no part of a step
    before = common.memory_mark()
    for _ in range(1 if way == "ours" else 2):  # ours takes two or more
        competitor()
    return common.memory_peak() - before


def _competitor(way: str, preset: str, batch: int, size: int) -> Callable[[], float]:
    if way == "ours":
        return ours.fit_rate(preset, batch, size, steps=4 if preset == ours.DEMO else 1)
    images, chosen = torch.rand(batch, 1, size, size), ours.config(preset)["augmentation"]
    return peers.lightly_step(ours.network(preset), images, chosen, ours.optimiser(preset))


def cohort_times(folders: list[str], rounds: int) -> list[dict[str, list[float]]]:
    """Milliseconds to open each cohort, and of an epoch of one step of a tiny network."""
    competitors = {}
    for folder in folders:
        competitors[folder, "open_ms"] = common.timed(partial(_opened, folder))
        competitors[folder, "epoch_ms"] = partial(_epoch, _opened(folder))
    found = common.rounds(competitors, rounds)
    return [
        {kind: [1e3 * one for one in found[folder, kind]] for kind in ("open_ms", "epoch_ms")}
        for folder in folders
    ]


def cohort_memory(folder: str) -> float:
    """MB that opening a cohort takes."""
    before = common.memory_mark()
    kept = _opened(folder)
    return common.memory_peak() - before if len(kept) else 0


def _opened(folder: str) -> data.Slices:
    return data.collect(sorted(map(str, Path(folder).iterdir())), ours.WINDOW)


def _epoch(collection: data.Slices) -> float:
    return statistics.median(ours.epoch_seconds(collection, 16, 5))


def points(given: argparse.Namespace) -> pd.DataFrame:
    """All points: by (what grows), x, way, and lists of ms (for cohorts open_ms, epoch_ms), mb."""
    sizes, factors = (SIZES[:2], FACTORS[:2]) if given.quick else (SIZES, FACTORS)
    rounds = 1 if given.quick else given.rounds
    steps = [(ours.DEMO, batch, BATCH_SIZE, rounds) for batch in BATCHES]
    steps += [(ours.PAPER, SIZE_BATCH, size, min(rounds, 2)) for size in sizes]
    rows = []
    for point, times in zip(steps, common.apart(step_times, steps), strict=True):
        preset, batch, size, _ = point
        x = {"by": "batch", "x": batch} if preset == ours.DEMO else {"by": "size", "x": size}
        for way in WAYS:
            mb = common.apart(step_memory, way, preset, batch, size)
            rows.append({**x, "way": way, "ms": times[way], "mb": [mb]})
    with tempfile.TemporaryDirectory() as scratch:
        folders = _cohorts(Path(scratch), factors)
        found = common.apart(cohort_times, folders, rounds)
        for factor, folder, times in zip(factors, folders, found, strict=True):
            mb = common.apart(cohort_memory, folder)
            rows.append({"by": "cohort", "x": factor * CASES, "way": "ours", "mb": [mb], **times})
    return pd.DataFrame(rows)


def _cohorts(scratch: Path, factors: Sequence[int]) -> list[str]:
    """Folders with copies of the caches of a cohort, once to many times."""
    paths = ours.caches(ours.phantoms(CASES, PER_CASE, 80), scratch / "first")
    for factor in factors:
        folder = scratch / f"{factor}"
        folder.mkdir()
        for copy in range(factor):
            for path in map(Path, paths):
                shutil.copy(path, folder / f"{copy}-{path.name}")
    return [str(scratch / f"{factor}") for factor in factors]


def measure(given: argparse.Namespace) -> list[common.Row]:
    """Take the points, draw them, and report the largest of each, and how the cost grew."""
    table = points(given)
    common.RESULTS.mkdir(exist_ok=True)
    numbers = ["ms", "mb", "open_ms", "epoch_ms"]
    flat = table.copy()
    flat[numbers] = flat[numbers].map(statistics.median, na_action="ignore").astype(float)
    flat.round(3).to_csv(common.RESULTS / "growth.csv", index=False, lineterminator="\n")
    draw(flat, [common.RESULTS / f"growth.{suffix}" for suffix in ("svg", "png")])
    return [
        *_of_steps(table, "batch", f"demo network, {{}} slices of {BATCH_SIZE}x{BATCH_SIZE}"),
        *_of_steps(table, "size", f"paper network, {SIZE_BATCH} slices of {{0}}x{{0}}"),
        *_of_cohorts(table[table["by"] == "cohort"]),
    ]


def _of_steps(table: pd.DataFrame, by: str, what: str) -> list[common.Row]:
    """The rows of the largest step."""
    part = table[table["by"] == by]
    most = part["x"].max()
    last = part[part["x"] == most].set_index("way")
    return [
        common.Row(
            *(f"{name}, {what.format(most)}", unit, last.loc["ours", column]),
            *(WAYS["lightly"], last.loc["lightly", column]),
            remarks=f"ours grows with the power {_exponent(part, column):.2f} at last",
        )
        for column, name, unit in (("ms", "step", "ms"), ("mb", "peak memory of a step", "MB"))
    ]


def _of_cohorts(part: pd.DataFrame) -> list[common.Row]:
    """The rows of the largest cohort, beside the smallest."""
    least, most = (part.loc[part["x"] == end].iloc[0] for end in (part["x"].min(), part["x"].max()))
    return [
        common.Row(
            *(f"{name} of {most['x']} cases", unit, most[column]),
            *(f"itself with {least['x']} cases", least[column]),
        )
        for column, name, unit in (
            ("open_ms", "opening a cohort", "ms"),
            ("mb", "memory of an open cohort", "MB"),
            ("epoch_ms", "an epoch of one tiny step", "ms"),
        )
    ]


def _exponent(part: pd.DataFrame, column: str) -> float:
    """Slope of our last two points in the logarithms: 1 is linear, 2 quadratic."""
    last = part[part["way"] == "ours"].sort_values("x").tail(2)
    x, y = np.log(last["x"]), np.log(last[column].map(statistics.median))
    return float(np.diff(y)[0] / np.diff(x)[0])


@matplotlib.rc_context(style.SETTINGS)
def draw(table: pd.DataFrame, paths: list[Path]) -> Figure:
    """Draw time above memory, for what grows from left to right."""
    figure = Figure(figsize=(8.4, 4.8))
    for column, (by, name) in zip(figure.subplots(2, 3).T, NAMES.items(), strict=True):
        part = table[table["by"] == by]
        time_axes, memory_axes = column
        if by == "cohort":
            _line(time_axes, part, "open_ms", 4, "opening it")
            _line(time_axes, part, "epoch_ms", 2, "an epoch of one tiny step")
            _line(memory_axes, part, "mb", 4, "opening it")
            for axes in column:
                axes.set_ylim(bottom=0)
        else:
            for number, (way, label) in zip((4, 2), WAYS.items(), strict=True):
                one = part[part["way"] == way]
                _line(time_axes, one, "ms", number, label)
                _line(memory_axes, one, "mb", number, label)
            for axes in column:
                axes.set(xscale="log", yscale="log")
                axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
                axes.yaxis.set_major_formatter("{x:g}")
        for axes in column:
            axes.set_xticks(part["x"].unique(), [f"{x:g}" for x in part["x"].unique()])
            axes.minorticks_off()
            axes.grid(True)
            axes.set_xlabel(name)
        time_axes.set_ylabel("ms" if by == "cohort" else "ms a step")
        memory_axes.set_ylabel("Peak memory, MB")
        time_axes.legend(loc="lower left", bbox_to_anchor=(0, 1))
    style.save(figure, *paths)
    return figure


def _line(axes: Axes, part: pd.DataFrame, column: str, style: int, label: str) -> None:
    colour, line, marker = style.STYLES[style]
    look = {"color": colour, "linestyle": line, "marker": marker, "label": label}
    axes.plot(part["x"], part[column], **look)


if __name__ == "__main__":
    common.main("growth", __doc__, measure)
