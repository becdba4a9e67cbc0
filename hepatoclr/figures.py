"""The figures of a run, as SVG and PNG: learning curve, beta, ROC and the image stages.

Colours are Okabe and Ito's, which colour-blind readers can tell apart; line styles and markers
differ as well, so that a grey print still reads. Equal inputs give equal files.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hepatoclr import files, layout, metrics
from hepatoclr.errors import UserError
from hepatoclr.volumes import Volume

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILLION, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "#6B6B6B"
# Colour, line style, marker; the fifth is the paper's own method in the order of table 1.
STYLES = [
    (BLACK, (0, (1, 1.2)), "x"),
    (ORANGE, (0, (5, 1.5)), "s"),
    (BLUE, (0, (5, 1.5, 1, 1.5)), "^"),
    (GREEN, (0, (3, 1, 1, 1, 1, 1)), "D"),
    (VERMILLION, "-", "o"),
    (PURPLE, (0, (8, 2)), "v"),
    (SKY, (0, (2, 1)), "P"),
    (GREY, (0, (6, 1, 1, 1, 1, 1)), "*"),
]
PROTOCOL_STYLES = {"linear": STYLES[2], "finetune": STYLES[4]}
SETTINGS = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.axisbelow": True,
    "grid.color": "#E3E3E3",
    "grid.linewidth": 0.6,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "legend.handlelength": 2.8,
    "lines.linewidth": 1.5,
    "lines.markersize": 5,
    "figure.constrained_layout.use": True,
    "savefig.facecolor": "white",
    # A fixed salt makes the ids inside an SVG, and so its bytes, the same every time.
    "svg.hashsalt": "hepatoclr",
}


def save(figure: Figure, *paths: str | Path) -> None:
    """Write a figure to each path, in the format of its suffix, without date or version."""
    undated = {".svg": {"Date": None, "Creator": None}, ".png": {"Software": None}}
    for path in map(Path, paths):
        with files.atomic(path) as temporary, matplotlib.rc_context(SETTINGS):
            figure.savefig(temporary, dpi=200, metadata=undated.get(path.suffix))


@matplotlib.rc_context(SETTINGS)
def learning_curve(table: pd.DataFrame, paths: Sequence[str | Path]) -> Figure:
    """Draw AUC against the share of the training patients.

    Args:
        table: What `tables.learning_curve` returns.
        paths: Files to write.
    """
    figure = Figure(figsize=(4.2, 3.2))
    axes = figure.subplots()
    colour, line, marker = PROTOCOL_STYLES["finetune"]
    mean, sd = table["auc_mean"], table["auc_sd"].fillna(0)
    share = 100 * table["fraction"]
    axes.fill_between(share, mean - sd, mean + sd, color=colour, alpha=0.18, linewidth=0)
    axes.plot(share, mean, color=colour, linestyle=line, marker=marker)
    for x, row in zip(share, table.itertuples(), strict=True):
        text = layout.plus_minus(row.auc_mean, np.nan)
        axes.annotate(text, (x, row.auc_mean), (0, 6), textcoords="offset points", ha="center")
    axes.set_xticks(share, [f"{x:.0f} %" for x in share])
    axes.margins(x=0.08)
    axes.set_xlabel("Share of the training patients")
    _performance(axes, "AUC", lowest=(mean - sd).min())
    axes.set_title("Random weights, fine-tuned: mean ± sd over folds")
    say_synthetic(figure, layout.is_synthetic(table))
    save(figure, *paths)
    return figure


@matplotlib.rc_context(SETTINGS)
def beta(table: pd.DataFrame, baseline: Mapping[str, float], paths: Sequence[str | Path]) -> Figure:
    """Draw AUC and balanced accuracy against the weight of the weak loss.

    Args:
        table: What `tables.table2` returns.
        baseline: Training from random weights: auc_mean, auc_sd, balanced_accuracy_mean,
            balanced_accuracy_sd, as in a row of `tables.table1`.
        paths: Files to write.
    """
    figure = Figure(figsize=(7.2, 3.5))
    for axes, measure in zip(figure.subplots(1, 2), metrics.MEASURES, strict=True):
        middle, spread = baseline[f"{measure}_mean"], np.nan_to_num(baseline[f"{measure}_sd"])
        name = "random weights, fine-tuned"
        axes.axhspan(middle - spread, middle + spread, color=GREY, alpha=0.15, linewidth=0)
        axes.axhline(middle, color=GREY, linestyle=(0, (4, 2)), linewidth=1.2, label=name)
        lowest = middle - spread
        for protocol, part in table.groupby("protocol", sort=False):
            lowest = min(lowest, _beta_curve(axes, protocol, part, measure))
        axes.set_xticks(sorted(table["beta"].unique()))
        axes.set_xlabel("β, weight of the weak loss\n(0: SimCLR, 1: supervised)")
        _performance(axes, layout.MEASURE_LABELS[measure], lowest)
    handles, labels = axes.get_legend_handles_labels()
    title = "Mean ± sd over folds"
    figure.legend(handles, labels, loc="outside upper center", ncols=3, title=title)
    say_synthetic(figure, layout.is_synthetic(table))
    save(figure, *paths)
    return figure


@matplotlib.rc_context(SETTINGS)
def roc(
    predictions: pd.DataFrame,
    methods: Mapping[str, str],
    paths: Sequence[str | Path],
    *,
    synthetic: bool,
) -> Figure:
    """Draw the mean ROC curve over folds of every method, a panel per protocol.

    Args:
        predictions: What `tables.read_predictions` returns.
        methods: Row name to encoder name, as for `tables.table1`.
        paths: Files to write.
        synthetic: Whether the cohort is simulated.

    Raises:
        UserError: None of the encoders has predictions, or as `metrics.by_fold`.
    """
    full = predictions[predictions["fraction"] == 1]
    chosen = full[full["encoder"].isin(list(methods.values()))]
    if chosen.empty:
        raise UserError(f"no predictions of {', '.join(methods.values())}: no ROC curve to draw.")
    curves = metrics.mean_roc(chosen, points=501).set_index(["protocol", "encoder"])
    results = metrics.summary(metrics.by_fold(chosen)).set_index(["protocol", "encoder"])
    protocols = [name for name in layout.PROTOCOL_LABELS if name in results.index.levels[0]]
    figure = Figure(figsize=(3.7 * len(protocols), 4.0))
    panels = figure.subplots(1, len(protocols), squeeze=False)[0]
    for axes, protocol in zip(panels, protocols, strict=True):
        axes.plot([0, 1], [0, 1], color="#B0B0B0", linewidth=0.8)
        for place, (method, encoder) in enumerate(methods.items()):
            if (protocol, encoder) not in results.index:
                continue
            result = results.loc[(protocol, encoder)]
            area = layout.plus_minus(result["auc_mean"], result["auc_sd"])
            name = layout.method_label(method).partition(" (")[0]
            _roc_curve(axes, curves.loc[(protocol, encoder)], f"{name}  {area}", place)
        axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
        axes.grid(True)
        axes.set_xlabel("1 - specificity")
        axes.set_ylabel("Sensitivity")
        axes.set_title(f"{layout.PROTOCOL_LABELS[protocol].capitalize()}: mean over folds")
        axes.legend(loc="lower right", title="AUC, mean ± sd", title_fontsize=8, alignment="left")
    say_synthetic(figure, synthetic)
    save(figure, *paths)
    return figure


@matplotlib.rc_context(SETTINGS)
def preprocessing(
    volume: Volume,
    liver: Volume,
    slices: pd.DataFrame,
    tensor: np.ndarray,
    paths: Sequence[str | Path],
    *,
    synthetic: bool,
    window: tuple[float, float] = (-100, 400),
) -> Figure:
    """Draw what became of one case on its way from CT to network.

    Args:
        volume: CT in HU, shape (z, y, x).
        liver: Mask on the CT's grid, not 0 where liver.
        slices: The kept slices: index into z, z_mm, position, liver_area_mm2.
        tensor: HU in `window` of the kept slices, shape (slices, rows, columns), in the order
            of `slices`.
        paths: Files to write.
        synthetic: Whether the cohort is simulated.
        window: Lowest and highest HU the network sees.
    """
    figure = Figure(figsize=(7.2, 6.2))
    axial, coronal, histogram, seen = figure.subplots(2, 2).flat
    largest = int(slices["liver_area_mm2"].to_numpy().argmax())
    index = int(slices["index"].iloc[largest])
    z_mm, y_mm, x_mm = volume.spacing
    mask = liver.array > 0
    # Canonical axes: y grows to the back and so down the axial picture, z up the coronal one.
    _picture(axial, volume.array[index], mask[index], (y_mm, x_mm), "upper")
    axial.set_title(f"A  Axial slice {index}, liver outlined")
    row = int(mask.sum(axis=(0, 2)).argmax())
    _picture(coronal, volume.array[:, row], mask[:, row], (z_mm, x_mm), "lower")
    _kept_band(coronal, slices["index"].to_numpy(), z_mm)
    coronal.set_title(f"B  Coronal, the {len(slices)} kept slices shaded")
    _histogram(histogram, volume.array, volume.array[mask], window)
    histogram.set_title("C  Intensities and window")
    seen.imshow(tensor[largest], cmap="gray", vmin=window[0], vmax=window[1])
    _bare(seen)
    seen.set_title("D  Slice A as the network sees it, {} by {}".format(*tensor.shape[1:]))
    say_synthetic(figure, synthetic)
    save(figure, *paths)
    return figure


def set_aside(paths: Sequence[str | Path]) -> Figure:
    """Draw, in place of `preprocessing`, that the case could not be used."""
    figure = Figure(figsize=(7.2, 1.5))
    figure.text(0.5, 0.5, "The case was set aside; the table of its cohort says why.", ha="center")
    save(figure, *paths)
    return figure


def _performance(axes: Axes, label: str, lowest: float) -> None:
    """An axis for AUC or balanced accuracy: from below chance to 1, chance marked."""
    axes.axhline(0.5, color="#B0B0B0", linewidth=0.8)
    axes.set_ylim(min(0.45, np.floor(10 * lowest) / 10), 1.005)
    axes.set_ylabel(label)
    axes.grid(True, axis="y")
    # Between the points of the paper's betas, 0.5 and 0.8.
    style = {"ha": "center", "va": "bottom", "fontsize": 7.5, "color": GREY}
    axes.text(0.63, 0.5, "chance", transform=axes.get_yaxis_transform(), **style)


def _beta_curve(axes: Axes, protocol: str, part: pd.DataFrame, measure: str) -> float:
    """Draw one protocol's line of the beta figure; return the lowest end of its bars."""
    colour, line, marker = PROTOCOL_STYLES[protocol]
    # Shifted a little, so that the bars of the two protocols lie beside each other.
    shift = {"linear": -0.006, "finetune": 0.006}[protocol]
    mean, sd = part[f"{measure}_mean"], part[f"{measure}_sd"].fillna(0)
    axes.errorbar(
        part["beta"] + shift,
        mean,
        yerr=sd,
        color=colour,
        linestyle=line,
        marker=marker,
        elinewidth=1,
        capsize=2.5,
        label=layout.PROTOCOL_LABELS[protocol],
    )
    return float((mean - sd).min())


def _roc_curve(axes: Axes, curve: pd.DataFrame, label: str, place: int) -> None:
    """Draw one method's mean ROC curve, in the style of its place among the methods."""
    colour, line, marker = STYLES[place % len(STYLES)]
    axes.plot(
        curve["fpr"],
        curve["tpr"],
        color=colour,
        linestyle=line,
        marker=marker,
        # Staggered, so that markers of curves lying on each other stay visible.
        markevery=(20 + 20 * (place % 5), 100),
        markersize=4.5,
        # Above the frame, along which many curves begin and end.
        clip_on=False,
        zorder=3,
        label=label,
    )


def _picture(
    axes: Axes, image: np.ndarray, mask: np.ndarray, spacing: tuple[float, float], origin: str
) -> None:
    """Show one section in mm with the liver's outline, in a soft-tissue window."""
    height, width = np.multiply(image.shape, spacing)
    place = {
        "extent": (0, width, height, 0) if origin == "upper" else (0, width, 0, height),
        "origin": origin,
    }
    axes.imshow(image, cmap="gray", vmin=-160, vmax=240, **place)
    if mask.any():
        # Contour takes the extent as it is only where y rises with the rows.
        rising = {"extent": (0, width, 0, height), "origin": "lower"}
        axes.contour(mask, levels=[0.5], colors=ORANGE, linewidths=1.3, **rising)
    _bare(axes)
    for x, side, align in ((0.02, "R", "left"), (0.98, "L", "right")):
        axes.text(x, 0.5, side, transform=axes.transAxes, color="white", ha=align, va="center")


def _bare(axes: Axes) -> None:
    """Leave the picture alone: no ticks, no frame, and its title beside its neighbour's."""
    axes.set(xticks=[], yticks=[], anchor="N")
    axes.spines[:].set_visible(False)


def _kept_band(axes: Axes, index: np.ndarray, z_mm: float) -> None:
    """Shade each run of kept slices on a coronal picture."""
    index = np.sort(index)
    for run in np.split(index, np.flatnonzero(np.diff(index) > 1) + 1):
        edges = run[0] * z_mm, (run[-1] + 1) * z_mm
        axes.axhspan(*edges, color=SKY, alpha=0.25, linewidth=0)
        for edge in edges:
            axes.axhline(edge, color=SKY, linewidth=1.2, linestyle=(0, (4, 2)))


def _histogram(
    axes: Axes, everything: np.ndarray, liver: np.ndarray, window: tuple[float, float]
) -> None:
    """Show how HU are spread, of the whole volume and of the liver, each to its own peak."""
    low, high = window
    margin = 0.4 * (high - low)
    # HU are whole numbers: bins of any other width hold unequal counts of them and look ragged.
    width = max(1, round((high - low) / 60))
    bins = np.arange(np.floor(low - margin), high + margin + width, width) - 0.5
    axes.axvspan(low, high, color=SKY, alpha=0.2, linewidth=0)
    for values, colour, line, name in (
        (everything, BLACK, (0, (1, 1.2)), "whole volume"),
        (liver, VERMILLION, "-", "liver"),
    ):
        counts, _ = np.histogram(values, bins)
        heights = counts / max(int(counts.max()), 1)
        axes.stairs(heights, bins, color=colour, linestyle=line, linewidth=1.3, label=name)
    share = 100 * np.mean((liver >= low) & (liver <= high)) if liver.size else np.nan
    words = f"window {low:g} to {high:g} HU\n{share:.1f} % of the liver's voxels"
    words = words.replace("-", "\N{MINUS SIGN}")
    axes.text((low + high) / 2, 1.05, words, ha="center", fontsize=8)
    axes.set(xlim=(bins[0], bins[-1]), ylim=(0, 1.42), yticks=[])
    axes.set_xlabel("HU")
    axes.set_ylabel("Voxels, each to its peak")
    axes.legend(loc="upper center", ncols=2)


def say_synthetic(figure: Figure, synthetic: bool) -> None:
    """Print on the figure itself that its cohort is simulated: figures travel without text."""
    if synthetic:
        style = {"color": VERMILLION, "fontsize": 8.5, "fontweight": "bold"}
        figure.supxlabel("synthetic cohort", x=0.995, ha="right", **style)
