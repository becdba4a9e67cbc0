"""The figures of the study, in the style of the project's own."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.positive_control import cells, effects
from benchmarks.positive_control.effects import Arm, Estimate
from hepatoclr.learning import experiment
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
NOISE_NAMES = {"truth": "true stage", cells.DEFAULT: "default"}


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
    """Write a figure, with one legend for all its panels; a look is that of the first."""
    both = [axes.get_legend_handles_labels() for axes in reversed(figure.axes)]
    shown = {label: one for pair in both for one, label in zip(*pair, strict=True)}
    if shown:
        figure.legend(shown.values(), shown, loc="outside upper left", ncols=4)
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
            ends = np.nan_to_num([[one.mean - one.low], [one.high - one.mean]])
            look = {"color": colour, "marker": marker, "elinewidth": 1, "capsize": 2.5}
            axes.errorbar(one.mean, place, xerr=ends, **look)
        axes.set_yticks(range(len(rows)), [label for _, label in rows])
        axes.set(ylim=(len(rows) - 0.5, -0.5), xlabel="AUC for F3-F4", title=title)
        axes.grid(True, axis="x")
        found = found or bool(rows)
    return _save(figure, paths) if found else None


@matplotlib.rc_context(style.SETTINGS)
def beta(table: pd.DataFrame, paths: Sequence[Path]) -> Figure | None:
    """AUC over the weight of the weak label's loss, and above SimCLR."""
    figure, found = Figure(figsize=(7.4, 3.2)), False
    left, right = figure.subplots(1, 2)
    for place, (protocol, label) in enumerate(PANELS.items()):
        curve, look = effects.betas(table, protocol), style.STYLES[2 * place + 2]
        if len(curve) < 2:
            continue
        found, arms = True, [Arm(experiment.name(experiment.WEIGHTED, b)) for b in curve["beta"]]
        x = curve["beta"].to_numpy() + 0.012 * (2 * place - 1)
        _line(left, x, [effects.auc(table, arm, protocol) for arm in arms], look, label)
        simclr = Arm(cells.SIMCLR)
        gains = [effects.difference(table, arm, simclr, protocol) for arm in arms]
        _line(right, x, gains, look, label)
    for axes, label in ((left, "AUC for F3-F4"), (right, "AUC above SimCLR")):
        axes.set_xticks(cells.BETAS)
        _axes(axes, "beta: 0 is SimCLR, 1 supervised", label)
    return _save(figure, paths) if found else None


@matplotlib.rc_context(style.SETTINGS)
def noise(table: pd.DataFrame, paths: Sequence[Path]) -> Figure | None:
    """AUC over the reader's noise, from the best reader to one who sees nothing."""
    figure, curve = Figure(figsize=(7.8, 3.6)), effects.noise_curve(table, "linear")
    if len(curve) < 2:
        return None
    left, right = figure.subplots(1, 2)
    pairs = zip(curve["noise"], curve["reader_auc"], strict=True)
    ticks = [f"{NOISE_NAMES.get(noise, noise)}\n{auc:.2f}" for noise, auc in pairs]
    for place, (name, encoder) in enumerate(effects.WITH_LABELS.items()):
        x = np.arange(len(curve)) + 0.06 * (2 * place - 1)
        for axes, column in ((left, name), (right, f"{name}_gain")):
            columns = [column, f"{column}_low", f"{column}_high"]
            estimates = [Estimate(*row, 0) for row in curve[columns].to_numpy(float)]
            _line(axes, x, estimates, LOOK[encoder], NAMES[encoder])
    for encoder in (cells.SIMCLR, cells.RANDOM):
        _level(left, table, Arm(encoder), "linear")
    for axes, label in ((left, "AUC for F3-F4"), (right, "AUC above SimCLR")):
        axes.set_xticks(range(len(curve)), ticks, fontsize=7.5)
        _axes(axes, "the reader's noise (SD) and own AUC", label)
    return _save(figure, paths)


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
        for place, encoder in enumerate(encoders):
            estimates = [effects.auc(table, Arm(encoder, **{key: v}), "linear") for v in values]
            known = [number for number, one in enumerate(estimates) if np.isfinite(one.mean)]
            x = np.array(values)[known] * 1.04 ** (place - 1)
            if known:
                estimates = [estimates[number] for number in known]
                _line(axes, x, estimates, LOOK[encoder], NAMES[encoder])
                found = True
        axes.set_xscale("log")
        axes.set_xticks(values, [f"{value:,}" for value in values])
        axes.minorticks_off()
    _level(right, table, Arm(cells.SIMCLR), "linear")
    for axes in (left, right):
        _level(axes, table, Arm(cells.RANDOM), "linear")
    _axes(left, "patients for pretraining")
    _axes(right, f"share of {cells.PATIENTS} patients who were read", "")
    return _save(figure, paths) if found else None


def _known(table: pd.DataFrame, arm: Arm, protocol: str) -> bool:
    return bool(len(effects.by_seed(table, arm, protocol)))


def _axes(axes: Axes, x: str, y: str = "AUC for F3-F4") -> None:
    axes.set(xlabel=x, ylabel=y)
    axes.grid(True, axis="y")
    if y.endswith("above SimCLR"):
        axes.axhline(0, color=style.FAINT, linewidth=0.8)


def _level(axes: Axes, table: pd.DataFrame, arm: Arm, protocol: str) -> None:
    """A method that what varies does not concern: a line across."""
    one, (colour, line, _) = effects.auc(table, arm, protocol), LOOK[arm.encoder]
    if np.isfinite(one.mean):
        axes.axhline(one.mean, color=colour, linestyle=line, linewidth=1, label=NAMES[arm.encoder])


def _line(axes: Axes, x: np.ndarray, estimates: list[Estimate], look: tuple, label: str) -> None:
    """A curve with intervals as whiskers, none where there is none."""
    colour, line, marker = look
    mean, low, high = np.array([(one.mean, one.low, one.high) for one in estimates]).T
    axes.errorbar(
        *(x, mean),
        **{"yerr": np.nan_to_num([mean - low, high - mean]), "elinewidth": 1, "capsize": 2.5},
        **{"color": colour, "linestyle": line, "marker": marker, "label": label},
    )
