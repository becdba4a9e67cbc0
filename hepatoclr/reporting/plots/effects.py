"""Figures of the tables: differences between methods, the weight beta, the learning curve."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from hepatoclr.reporting import formatting
from hepatoclr.reporting.colours import BLACK, GREY, SKY
from hepatoclr.reporting.plots import common
from hepatoclr.stats import metrics

SHADE = {"color": SKY, "alpha": 0.3, "linewidth": 0}
REFERENCES = {186: 0.76, 202: 0.89}  # patients to AUC, the reference points of the paper's Figure 2


@matplotlib.rc_context(common.SETTINGS)
def comparisons(table: pd.DataFrame, paths: Sequence[str | Path]) -> Figure:
    """Draw the differences of AUC with their intervals (a forest plot), a panel per protocol.

    Args:
        table: What `tables.comparisons` returns.
        paths: Files to write.
    """
    pairs = list(dict.fromkeys(table[["reference", "encoder"]].itertuples(index=False, name=None)))
    references = list(dict.fromkeys(reference for reference, _ in pairs))
    # From the top: each reference as a heading, the methods compared with it below.
    lines = [
        line
        for reference in references
        for line in [(reference, ""), *(pair for pair in pairs if pair[0] == reference)]
    ]
    protocols = table["protocol"].unique()
    figure = Figure(figsize=(1.7 + 2.3 * len(protocols), 1.1 + 0.27 * len(lines)))
    panels = figure.subplots(1, len(protocols), squeeze=False, sharex=True, sharey=True)[0]
    for axes, protocol in zip(panels, protocols, strict=True):
        axes.axvline(0, color=GREY, linewidth=0.9)
        colour, _, marker = common.protocol_style(protocol)
        rows = table[table["protocol"] == protocol].set_index(["reference", "encoder"])
        for y, pair in enumerate(lines):
            if pair not in rows.index:
                continue
            row = rows.loc[pair]
            missed = row["minimum_detectable_difference"]
            axes.barh(y, 2 * missed, left=-missed, height=0.8, **SHADE)
            axes.plot([row["low"], row["high"]], [y, y], color=colour, linewidth=3)
            axes.plot([row["t_low"], row["t_high"]], [y, y], color=colour, linewidth=1)
            axes.plot(row["difference"], y, color=colour, marker=marker, linestyle="none")
        axes.set_title(common.panel_title(protocol))
        axes.set_xlabel("Difference of AUC")
        axes.grid(True, axis="x")
        axes.tick_params(axis="y", length=0)
        axes.spines.left.set_visible(False)
    panels[0].set_yticks(range(len(lines)), [_forest_label(*line) for line in lines])
    for tick, (_, encoder) in zip(panels[0].get_yticklabels(), lines, strict=True):
        tick.set_fontweight("normal" if encoder else "bold")
    panels[0].set_ylim(len(lines) - 0.4, -0.6)
    # Not closer than a tenth: of equal methods only rounding would be seen.
    reach = (
        table[["difference", "low", "high", "t_low", "t_high", "minimum_detectable_difference"]]
        .abs()
        .max(axis=None)
    )
    panels[0].set_xlim(-1.1 * max(0.1, reach), 1.1 * max(0.1, reach))
    handles = [
        Line2D([], [], color=BLACK, marker="o", linewidth=3, label="95 %: these models"),
        Line2D([], [], color=BLACK, linewidth=1, label="95 %: methods, trained anew"),
        Rectangle((0, 0), 1, 1, label="missed too often", **SHADE),
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=min(3, 1 + len(protocols)))
    return common.finish(figure, formatting.disclaimers(table), paths)


def _forest_label(reference: str, encoder: str) -> str:
    """Name a line of the forest plot: a heading without an encoder."""
    if encoder:
        return formatting.short_label(encoder)
    name = "random weights" if reference == "none" else formatting.short_label(reference)
    return f"Against {name}"


@matplotlib.rc_context(common.SETTINGS)
def beta(table: pd.DataFrame, table1: pd.DataFrame, paths: Sequence[str | Path]) -> Figure:
    """Draw AUC and balanced accuracy, at each threshold, against the weight of the weak loss.

    Args:
        table: What `tables.table2` returns.
        table1: What `tables.table1` returns, for training from random weights, if it is there.
        paths: Files to write.
    """
    measures = [name for name in metrics.MEASURES if f"{name}_mean" in table]
    figure = Figure(figsize=(3.6 * len(measures), 3.5))
    baseline = table1[(table1["method"] == "none") & (table1["protocol"] == "finetune")]
    for axes, measure in zip(figure.subplots(1, len(measures)), measures, strict=True):
        lowest = table[f"{measure}_low"].fillna(table[f"{measure}_mean"]).min()
        for row in baseline.to_dict("records"):
            ends = row[f"{measure}_low"], row[f"{measure}_high"]
            axes.axhspan(*ends, color=GREY, alpha=0.15, linewidth=0)
            style = {"color": GREY, "linestyle": (0, (4, 2)), "linewidth": 1.2}
            name = "random weights, fine-tuned"
            axes.axhline(row[f"{measure}_mean"], label=name, **style)
            lowest = min(lowest, ends[0])
        for place, (protocol, part) in enumerate(table.groupby("protocol", sort=False)):
            colour, line, marker = common.protocol_style(protocol)
            # Shifted a little, so that the bars of the protocols lie beside each other.
            x = part["beta"].to_numpy(float) + 0.012 * (place - 0.5)
            name = formatting.protocol_label(protocol)
            look = {"color": colour, "linestyle": line, "marker": marker}
            common.draw_whiskers(axes, x, part, measure, label=name, **look)
        axes.set_xticks(sorted(table["beta"].unique()))
        axes.set_xlabel("β, weight of the weak loss\n(0: SimCLR, 1: supervised)")
        label = formatting.RESULT_LABELS[measure].replace(" at ", "\nat ")
        common.performance_axis(axes, label, lowest)
    handles, labels = axes.get_legend_handles_labels()
    title = "Mean over folds, 95 % interval"
    figure.legend(handles, labels, loc="outside upper center", ncols=3, title=title)
    return common.finish(figure, formatting.disclaimers(table), paths)


@matplotlib.rc_context(common.SETTINGS)
def learning_curve(table: pd.DataFrame, paths: Sequence[str | Path]) -> Figure:
    """Draw AUC against the number of training patients, and the power law through it.

    Beside it stand the reference points of the paper's Figure 2, which are of other patients.

    Args:
        table: What `tables.learning_curve` returns.
        paths: Files to write.
    """
    from scipy.interpolate import PchipInterpolator

    figure = Figure(figsize=(6.4, 3.7))
    axes, beside = figure.subplots(1, 2, sharey=True, width_ratios=[3, 1])
    colour, _, marker = common.PROTOCOL_STYLES["finetune"]
    size, mean, sd = (table[name].to_numpy(float) for name in ("patients", "auc_mean", "auc_sd"))
    if table["fitted"].notna().all():
        # Between the shares of the table, a smooth curve that keeps their order.
        grid = np.linspace(size[0], size[-1], 101)
        middle, low, high = (
            PchipInterpolator(size, table[name].to_numpy(float))(grid)
            for name in ("fitted", "fitted_low", "fitted_high")
        )
        axes.fill_between(grid, low, high, color=GREY, alpha=0.18, linewidth=0)
        axes.plot(grid, middle, color=GREY, linestyle=(0, (4, 2)), label="power law, 95 % interval")
    if not np.isnan(sd).all():
        wide = {"colors": colour, "alpha": 0.35, "linewidth": 7, "label": "± sd over folds"}
        axes.vlines(size, mean - sd, mean + sd, **wide)
    points = {"color": colour, "linestyle": "none", "marker": marker}
    name = "mean over folds, 95 % interval"
    common.draw_whiskers(axes, size, table, "auc", label=name, **points)
    places = range(len(REFERENCES))
    beside.plot(places, [*REFERENCES.values()], color=BLACK, linestyle="none", marker="D")
    for panel, at, values in ((axes, size, mean), (beside, places, REFERENCES.values())):
        for x, y in zip(at, values, strict=True):
            text = {"textcoords": "offset points", "ha": "left", "va": "bottom"}
            panel.annotate(formatting.number(y), (x, y), (5, 3), **text)
    ticks = [f"{n:.0f}\n{100 * f:.0f} %" for n, f in zip(size, table["fraction"], strict=True)]
    axes.set_xticks(size, ticks)
    axes.margins(x=0.12)
    axes.set_xlabel("Training patients of a fold, and their share")
    beside.set_xticks(places, REFERENCES)
    beside.set_xlim(-0.5, len(REFERENCES))
    beside.set_xlabel("Patients\n")
    lowest = min(table[["auc_low", "fitted_low"]].min(axis=None), (mean - np.nan_to_num(sd)).min())
    common.performance_axis(axes, "AUC", lowest, chance_at=0.5)
    beside.axhline(0.5, color=common.FAINT, linewidth=0.8)
    beside.grid(True, axis="y")
    beside.tick_params(axis="y", length=0)
    axes.set_title("Random weights, fine-tuned")
    beside.set_title("Reference points of\nthe paper's Figure 2")
    figure.legend(loc="outside upper left", ncols=2)
    return common.finish(figure, formatting.disclaimers(table), paths)
