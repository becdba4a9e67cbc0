"""Figures of the predictions: ROC, calibration and decision curves, a panel per protocol."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from hepatoclr.reporting import colours, formatting
from hepatoclr.reporting.plots import common
from hepatoclr.stats import calibration as calibration_stats
from hepatoclr.stats import evaluation, metrics

MOST = len(common.STYLES)  # methods in one panel; further ones are in the tables
BINS = 5  # of a reliability curve
# From here to here a patient or physician may weigh one class against the other.
THRESHOLDS = np.linspace(0.05, 0.95, 91)


@matplotlib.rc_context(common.SETTINGS)
def roc(
    predictions: pd.DataFrame,
    methods: Mapping[str, str],
    table: pd.DataFrame,
    paths: Sequence[str | Path],
    more: str = "mean over folds",
) -> Figure:
    """Draw the mean ROC curve over folds of every method, a panel per protocol.

    Args:
        predictions: What `predictions.read` returns.
        methods: Row name to encoder name, as for `tables.table1`.
        table: What `tables.table1` returns.
        paths: Files to write.
        more: What the panels' titles say beside the protocol.

    Raises:
        UserError: As `metrics.by_fold`.
    """
    figure, panels = _panels(table, height=4.0)
    for axes, (protocol, shown, part) in panels:
        chosen = _of(predictions, protocol, [methods[name] for name in shown])
        curves = metrics.mean_roc(chosen, points=501).set_index("encoder")
        axes.plot([0, 1], [0, 1], color=common.FAINT, linewidth=0.8)
        for place, method in enumerate(shown):
            row = part.loc[method]
            ends = formatting.interval(row["auc_low"], row["auc_high"])
            area = f"{formatting.number(row['auc_mean'])} {ends}".strip()
            name = f"{formatting.short_label(method)}  {area}"
            _roc_curve(axes, curves.loc[methods[method]], name, place)
        axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
        axes.grid(True)
        axes.set_xlabel("1 - specificity")
        axes.set_ylabel("Sensitivity")
        axes.set_title(common.panel_title(protocol, more))
        title = "AUC [95 % interval]"
        axes.legend(loc="lower right", title=title, title_fontsize=8, alignment="left")
    return common.finish(figure, formatting.disclaimers(table), paths)


@matplotlib.rc_context(common.SETTINGS)
def calibration(
    predictions: pd.DataFrame,
    methods: Mapping[str, str],
    table: pd.DataFrame,
    paths: Sequence[str | Path],
    more: str = "repeats pooled",
) -> Figure:
    """Draw the share of positive patients against the predicted probability.

    Repeats are pooled, and the predictions of each method cut into a few bins of equal size.

    Args:
        predictions: What `predictions.read` returns.
        methods: Row name to encoder name, as for `tables.table1`.
        table: What `tables.measures` returns, for slope and intercept.
        paths: Files to write.
        more: What the panels' titles say beside the protocol.
    """
    figure, panels = _panels(_by_method(table, methods), height=6.2, below=0.22)
    for (axes, spread), (protocol, shown, part) in panels:
        axes.plot([0, 1], [0, 1], color=common.FAINT, linewidth=0.8)
        for place, method in enumerate(shown):
            chosen = _of(predictions, protocol, [methods[method]])
            predicted, observed = _reliability(chosen["probability"], chosen["label"])
            row = part.loc[method]
            numbers = [formatting.number(row[f"calibration_{k}"]) for k in ("slope", "intercept")]
            name = f"{formatting.short_label(method)}  {', '.join(filter(None, numbers))}"
            colour, line, marker = common.STYLES[place]
            look = {"color": colour, "linestyle": line, "clip_on": False}
            axes.plot(predicted, observed, marker=marker, label=name, zorder=3, **look)
            _density(spread, chosen["probability"], colour, place)
        axes.set(xlim=(0, 1), ylim=(0, 1))
        axes.grid(True)
        axes.set_ylabel("Share of positive patients")
        axes.set_title(common.panel_title(protocol, more))
        spread.legend(
            *axes.get_legend_handles_labels(),
            **{"loc": "upper center", "bbox_to_anchor": (0.5, -0.8), "ncols": 1},
            **{"title": "slope, intercept", "title_fontsize": 8, "fontsize": 7.5},
        )
        spread.set(xlim=(0, 1), ylim=(len(shown) - 0.5, -0.5), yticks=[])
        spread.set_ylabel("Spread", fontsize=8)
        spread.set_xlabel("Predicted probability")
    return common.finish(figure, formatting.disclaimers(table), paths)


def _by_method(table: pd.DataFrame, methods: Mapping[str, str]) -> pd.DataFrame:
    """The table of measures as a row per protocol and method, a column per measure."""
    wide = table.pivot(index=["protocol", "encoder"], columns="measure", values="estimate")
    rows = [
        {"protocol": protocol, "method": method, **wide.loc[(protocol, encoder)]}
        for protocol in table["protocol"].unique()
        for method, encoder in methods.items()
        if (protocol, encoder) in wide.index
    ]
    return pd.DataFrame(rows)


@matplotlib.rc_context(common.SETTINGS)
def decision_curve(
    predictions: pd.DataFrame,
    methods: Mapping[str, str],
    table: pd.DataFrame,
    paths: Sequence[str | Path],
) -> Figure:
    """Draw the net benefit of acting on each method's probabilities (Vickers, Elkin 2006).

    Args:
        predictions: What `predictions.read` returns.
        methods: Row name to encoder name, as for `tables.table1`.
        table: What `tables.table1` returns.
        paths: Files to write.
    """
    figure, panels = _panels(table, height=3.8)
    for axes, (protocol, shown, _) in panels:
        chosen = _of(predictions, protocol, [methods[name] for name in shown])
        scores = evaluation.to_arrays(chosen)
        for place, method in enumerate(shown):
            probabilities = scores.probabilities[scores.models.index(methods[method])]
            model, everybody, nobody = calibration_stats.net_benefit(
                scores.labels, probabilities, THRESHOLDS
            )
            colour, line, marker = common.STYLES[place]
            look = {"color": colour, "linestyle": line, "marker": marker, "markersize": 4}
            label = formatting.short_label(method)
            axes.plot(THRESHOLDS, model, markevery=(3 * place, 24), label=label, **look)
        plain = {"color": colours.GREY, "zorder": 1}
        axes.plot(THRESHOLDS, everybody, linewidth=0.9, label="call all positive", **plain)
        axes.plot(THRESHOLDS, nobody, linewidth=2.2, alpha=0.5, label="call nobody", **plain)
        top = scores.labels.mean()
        axes.set(xlim=(THRESHOLDS[0], THRESHOLDS[-1]), ylim=(-0.12 * top, 1.05 * top))
        axes.grid(True)
        axes.set_xlabel("Probability from which a patient is called positive")
        axes.set_ylabel("Net benefit")
        axes.set_title(common.panel_title(protocol, "net benefit, exploratory"))
        axes.legend(loc="upper right", fontsize=7.5)
    return common.finish(figure, formatting.disclaimers(table), paths)


def _panels(
    table: pd.DataFrame, height: float, below: float = 0
) -> tuple[Figure, list[tuple[Axes, tuple]]]:
    """A figure with a panel per protocol, for what `MOST` methods show.

    Args:
        table: With the columns protocol and method.
        height: In inches.
        below: Height of a second row of panels, as a share of the first; 0 for none.

    Returns:
        The figure; for each protocol its axes (a pair where there is a second row), and the
        protocol, the methods to draw, and the rows of the table by method.
    """
    protocols = table["protocol"].unique()
    figure = Figure(figsize=(3.7 * len(protocols), height))
    ratios = [1, below] if below else [1]
    grid = figure.subplots(len(ratios), len(protocols), squeeze=False, height_ratios=ratios)
    panels = []
    for column, protocol in zip(grid.T, protocols, strict=True):
        part = table[table["protocol"] == protocol].set_index("method")
        shown = list(part.index[:MOST])
        panels.append((tuple(column) if below else column[0], (protocol, shown, part)))
    return figure, panels


def _of(predictions: pd.DataFrame, protocol: str, encoders: Iterable[str]) -> pd.DataFrame:
    """The predictions of some encoders by models of the whole training sets in one protocol."""
    full = predictions[(predictions["fraction"] == 1) & (predictions["protocol"] == protocol)]
    return full[full["encoder"].isin(list(encoders))]


def _roc_curve(axes: Axes, curve: pd.DataFrame, label: str, place: int) -> None:
    """Draw one method's mean ROC curve, in the style of its place among the methods."""
    colour, line, marker = common.STYLES[place]
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


def _reliability(probabilities: pd.Series, labels: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Mean probability and share of positive patients in bins of equal size, lowest first."""
    order = np.argsort(probabilities.to_numpy(), kind="stable")
    bins = np.array_split(order, min(BINS, len(order)))
    return tuple(
        np.array([column.to_numpy(float)[members].mean() for members in bins])
        for column in (probabilities, labels)
    )


def _density(axes: Axes, probabilities: pd.Series, colour: str, place: int) -> None:
    """Draw as a strip, in its line of the axes, how often probabilities are predicted."""
    counts, edges = np.histogram(probabilities, np.linspace(0, 1, 41))
    shades = [to_rgba(colour, count / counts.max()) for count in counts]
    axes.bar(edges[:-1], 0.8, np.diff(edges), place - 0.4, align="edge", color=shades)
