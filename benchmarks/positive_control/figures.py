"""The figures of the study, in the style of the project's own."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.positive_control import cells, effects
from benchmarks.positive_control.effects import Arm
from hepatoclr.reporting.plots import common as style

NAMES = {
    cells.RANDOM: "random weights",
    cells.SUPERVISED: "supervised",
    cells.SIMCLR: "SimCLR",
    "supcon": "SupCon",
    cells.WEAK: "weak-SimCLR",
    cells.ORACLE: "oracle",
}
LOOK = {  # as the methods look in table 1's figures
    cells.RANDOM: style.STYLES[0],
    cells.SUPERVISED: style.STYLES[1],
    cells.SIMCLR: style.STYLES[2],
    "supcon": style.STYLES[3],
    cells.WEAK: style.STYLES[4],
    cells.ORACLE: style.STYLES[7],
}
PANELS = {"linear": "features as they are", "linear_scaled": "features standardised"}
NOISE_NAMES = {"truth": "true stage", cells.DEFAULT: "as published"}


def draw(table: pd.DataFrame, folder: Path) -> list[Path]:
    """Draw all figures; gives the files written, a figure that lacks its rows is left out."""
    makers = {"methods": methods, "beta": beta, "noise": noise, "sizes": sizes}
    written = []
    for name, make in makers.items():
        path = folder / f"does_it_work_{name}.png"
        if make(table, [path]) is not None:
            written.append(path)
    return written


def _save(figure: Figure, paths: Sequence[Path]) -> Figure:
    return style.finish(figure, ["synthetic"], paths)


@matplotlib.rc_context(style.SETTINGS)
def methods(table: pd.DataFrame, paths: Sequence[Path]) -> Figure | None:
    """AUC of each method, a dot per data seed beside the mean and its interval."""
    figure, found = Figure(figsize=(7.4, 3.4)), False
    for axes, (protocol, title) in zip(
        figure.subplots(1, 2, sharey=True), PANELS.items(), strict=True
    ):
        rows = [
            *((Arm(name), label) for name, label in NAMES.items()),
            (effects.ceiling(table, protocol), "trained on the stage"),
        ]
        rows = [(arm, label) for arm, label in rows if arm and _known(table, arm, protocol)]
        for place, (arm, _) in enumerate(rows):
            one, colour = effects.auc(table, arm, protocol), LOOK[arm.encoder][0]
            values = effects.by_seed(table, arm, protocol)
            axes.plot(values, np.full(len(values), place + 0.18), ".", color=style.FAINT)
            marker = "o" if arm.noise == cells.DEFAULT else "D"
            _whisker(axes, one.mean, place, one, colour, marker, across=True)
        axes.set_yticks(range(len(rows)), [label for _, label in rows])
        axes.set(ylim=(len(rows) - 0.5, -0.5), xlabel="AUC for F3-F4", title=title)
        axes.grid(True, axis="x")
        found = found or bool(rows)
    return _save(figure, paths) if found else None


@matplotlib.rc_context(style.SETTINGS)
def beta(table: pd.DataFrame, paths: Sequence[Path]) -> Figure | None:
    """AUC over the weight of the weak label's loss."""
    figure, found = Figure(figsize=(4.6, 3.2)), False
    axes = figure.subplots()
    for number, (protocol, label) in zip((2, 4), PANELS.items(), strict=True):
        curve = effects.betas(table, protocol)
        if len(curve) > 1:
            _line(axes, curve["beta"], curve, "", style.STYLES[number], label)
            found = True
    _axes(axes, "beta: 0 is SimCLR, 1 supervised")
    return _save(figure, paths) if found else None


@matplotlib.rc_context(style.SETTINGS)
def noise(table: pd.DataFrame, paths: Sequence[Path]) -> Figure | None:
    """AUC over the reader's noise, from the best reader to one who sees nothing."""
    figure, found = Figure(figsize=(7.8, 3.6)), False
    for axes, (protocol, title) in zip(
        figure.subplots(1, 2, sharey=True), PANELS.items(), strict=True
    ):
        curve = effects.noise_curve(table, protocol)
        if len(curve) < 2:
            continue
        found, x = True, np.arange(len(curve))
        for name, encoder in (("supervised", cells.SUPERVISED), ("weak", cells.WEAK)):
            part = curve[[name, f"{name}_low", f"{name}_high"]].set_axis(
                ["mean", "low", "high"], axis=1
            )
            _line(axes, x, part, "", LOOK[encoder], NAMES[encoder])
        _level(axes, table, Arm(cells.SIMCLR), protocol)
        _level(axes, table, Arm(cells.RANDOM), protocol)
        ticks = [
            f"{NOISE_NAMES.get(n, n)}\n{a:.2f}"
            for n, a in zip(curve["noise"], curve["reader_auc"], strict=True)
        ]
        axes.set_xticks(x, ticks, fontsize=7.5)
        _axes(axes, "noise of the reader (SD), and the reader's own AUC for F3-F4", title)
    return _save(figure, paths) if found else None


@matplotlib.rc_context(style.SETTINGS)
def sizes(table: pd.DataFrame, paths: Sequence[Path]) -> Figure | None:
    """AUC over the patients for pretraining, and over the share of them who were read."""
    figure, found = Figure(figsize=(7.4, 3.4)), False
    left, right = figure.subplots(1, 2, sharey=True)
    arms = (
        (left, "patients", cells.SIZES, (cells.SUPERVISED, cells.SIMCLR, cells.WEAK)),
        (right, "labelled", cells.SHARES, (cells.SUPERVISED, cells.WEAK)),
    )
    for axes, key, values, encoders in arms:
        for encoder in encoders:
            estimates = [effects.auc(table, Arm(encoder, **{key: v}), "linear") for v in values]
            part = pd.DataFrame(
                [(e.mean, e.low, e.high) for e in estimates], columns=["mean", "low", "high"]
            )
            known = part["mean"].notna().to_numpy()
            if known.any():
                x = np.array(values)[known]
                _line(axes, x, part[known], "", LOOK[encoder], NAMES[encoder])
                found = True
        axes.set_xscale("log")
        axes.set_xticks(values, [f"{value:g}" for value in values])
        axes.minorticks_off()
    _level(right, table, Arm(cells.SIMCLR), "linear")
    for axes in (left, right):
        _level(axes, table, Arm(cells.RANDOM), "linear")
    _axes(left, "patients for pretraining")
    _axes(right, f"share of {cells.PATIENTS} patients whom the radiologist has read")
    return _save(figure, paths) if found else None


def _known(table: pd.DataFrame, arm: Arm, protocol: str) -> bool:
    return bool(len(effects.by_seed(table, arm, protocol)))


def _axes(axes: Axes, x: str, title: str = "") -> None:
    axes.set(xlabel=x, ylabel="AUC for F3-F4", title=title)
    axes.grid(True, axis="y")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=7.5)


def _level(axes: Axes, table: pd.DataFrame, arm: Arm, protocol: str) -> None:
    """A method that what varies does not concern: a line across, with its interval as a band."""
    one, (colour, line, _) = effects.auc(table, arm, protocol), LOOK[arm.encoder]
    if np.isfinite(one.mean):
        axes.axhline(one.mean, color=colour, linestyle=line, linewidth=1, label=NAMES[arm.encoder])
    if np.isfinite(one.low):
        axes.axhspan(one.low, one.high, color=colour, alpha=0.08, linewidth=0)


def _line(axes: Axes, x, part: pd.DataFrame, prefix: str, look: tuple, label: str) -> None:
    colour, line, marker = look
    axes.plot(x, part["mean"], color=colour, linestyle=line, marker=marker, label=label)
    axes.fill_between(
        x,
        part["low"].astype(float),
        part["high"].astype(float),
        color=colour,
        alpha=0.12,
        linewidth=0,
    )


def _whisker(axes: Axes, x: float, y: float, one, colour: str, marker: str, across: bool) -> None:
    arms = [[one.mean - one.low], [one.high - one.mean]] if np.isfinite(one.low) else None
    axes.errorbar(x, y, xerr=arms, color=colour, marker=marker, elinewidth=1, capsize=2.5)
