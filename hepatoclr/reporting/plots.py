"""The figures of a run, as SVG and PNG: what the tables say, ROC and other curves, image stages.

`all` draws the figures of a set of predictions from its tables, which hold every interval.
Colours are Okabe and Ito's, which colour-blind readers can tell apart; line styles and markers
differ as well, so that a grey print still reads. Equal inputs give equal files.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from hepatoclr.base import files
from hepatoclr.imaging.volumes import Volume
from hepatoclr.reporting import formatting
from hepatoclr.reporting.colours import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION
from hepatoclr.stats import comparison_tests, evaluation, metrics

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
PROTOCOL_STYLES = {"linear": STYLES[2], "finetune": STYLES[4], "linear_nested": STYLES[3]}
MOST = len(STYLES)  # methods in one panel; further ones are in the tables
FAINT = "#B0B0B0"
SHADE = {"color": SKY, "alpha": 0.3, "linewidth": 0}
BINS = 5  # of a reliability curve
# From here to here a patient or physician may weigh one class against the other.
THRESHOLDS = np.linspace(0.05, 0.95, 91)
NAMES = ("roc", "comparisons", "calibration", "decision_curve", "beta", "learning_curve")
TABLES = ("table1", "table2", "learning_curve", "measures", "comparisons")  # that these need
# The table without which there is nothing to draw; the others draw the predictions.
DRAWN_OF = {"comparisons": "comparisons", "beta": "table2", "learning_curve": "learning_curve"}
SAID = {
    "synthetic": "synthetic cohort",
    "permuted": "labels permuted (control)",
    "leaky": "leaky: epoch chosen on tested patients",
}
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
    # Names are text, whatever stands between two dollars.
    "text.parse_math": False,
}


def save(figure: Figure, *paths: str | Path) -> None:
    """Write a figure to each path, in the format of its suffix, without date or version."""
    undated = {".svg": {"Date": None, "Creator": None}, ".png": {"Software": None}}
    for path in map(Path, paths):
        with files.atomic(path) as temporary, matplotlib.rc_context(SETTINGS):
            figure.savefig(temporary, dpi=200, metadata=undated.get(path.suffix))


def all(
    predictions: pd.DataFrame,
    tables: Mapping[str, pd.DataFrame],
    paths: Mapping[str, Sequence[str | Path]],
    methods: Mapping[str, str] | None = None,
) -> dict[str, Figure]:
    """Draw the figures of a set of predictions.

    Args:
        predictions: What `predictions.read` returns.
        tables: What `tables.all` returns, or its files read back; those of `TABLES`.
        paths: Files to write, by figure, of `NAMES`; only these are drawn.
        methods: Row name of Table 1 to encoder name; None where they are the same.

    Returns:
        The figures; one that the tables hold nothing for only says so.
    """
    table1, measures = tables["table1"], tables["measures"]
    measures = measures[measures["protocol"].isin(table1["protocol"])]
    methods = methods or {name: name for name in table1["method"].unique()}
    draw = {
        "roc": lambda to: roc(predictions, methods, table1, to),
        "calibration": lambda to: calibration(predictions, methods, measures, to),
        "decision_curve": lambda to: decision_curve(predictions, methods, table1, to),
        "comparisons": lambda to: comparisons(tables["comparisons"], to),
        "beta": lambda to: beta(tables["table2"], table1, to),
        "learning_curve": lambda to: learning_curve(tables["learning_curve"], to),
    }
    return {
        name: draw[name](to) if len(tables[DRAWN_OF.get(name, "table1")]) else placeholder(to)
        for name, to in paths.items()
    }


@matplotlib.rc_context(SETTINGS)
def learning_curve(table: pd.DataFrame, paths: Sequence[str | Path]) -> Figure:
    """Draw AUC against the number of training patients, and the power law through it.

    Args:
        table: What `tables.learning_curve` returns.
        paths: Files to write.
    """
    from scipy.interpolate import PchipInterpolator

    figure = Figure(figsize=(4.4, 3.4))
    axes = figure.subplots()
    colour, _, marker = PROTOCOL_STYLES["finetune"]
    size = table["patients"].to_numpy(float)
    if table["fitted"].notna().all():
        # Between the shares of the table, a smooth curve that keeps their order.
        grid = np.linspace(size[0], size[-1], 101)
        middle, low, high = (
            PchipInterpolator(size, table[name].to_numpy(float))(grid)
            for name in ("fitted", "fitted_low", "fitted_high")
        )
        axes.fill_between(grid, low, high, color=GREY, alpha=0.18, linewidth=0)
        axes.plot(grid, middle, color=GREY, linestyle=(0, (4, 2)), label="power law, 95 % interval")
    _whiskers(
        axes,
        size,
        table,
        "auc",
        color=colour,
        linestyle="none",
        marker=marker,
        label="mean over folds, 95 % interval",
    )
    for x, y in zip(size, table["auc_mean"], strict=True):
        text = {"textcoords": "offset points", "ha": "left", "va": "bottom"}
        axes.annotate(formatting.number(y), (x, y), (4, 3), **text)
    ticks = [f"{n:.0f}\n{100 * f:.0f} %" for n, f in zip(size, table["fraction"], strict=True)]
    axes.set_xticks(size, ticks)
    axes.margins(x=0.1)
    axes.set_xlabel("Training patients of a fold, and their share")
    lowest = table[["auc_mean", "auc_low", "fitted_low"]].min(axis=None)
    _performance(axes, "AUC", lowest, chance_at=0.5)
    axes.legend(loc="upper left")
    axes.set_title("Random weights, fine-tuned")
    say(figure, formatting.disclaimers(table))
    save(figure, *paths)
    return figure


@matplotlib.rc_context(SETTINGS)
def beta(table: pd.DataFrame, table1: pd.DataFrame, paths: Sequence[str | Path]) -> Figure:
    """Draw AUC and balanced accuracy against the weight of the weak loss.

    Args:
        table: What `tables.table2` returns.
        table1: What `tables.table1` returns, for training from random weights, if it is there.
        paths: Files to write.
    """
    figure = Figure(figsize=(7.2, 3.5))
    baseline = table1[(table1["method"] == "none") & (table1["protocol"] == "finetune")]
    for axes, measure in zip(figure.subplots(1, 2), metrics.MEASURES, strict=True):
        lowest = table[f"{measure}_low"].fillna(table[f"{measure}_mean"]).min()
        for row in baseline.to_dict("records"):
            ends = row[f"{measure}_low"], row[f"{measure}_high"]
            axes.axhspan(*ends, color=GREY, alpha=0.15, linewidth=0)
            style = {"color": GREY, "linestyle": (0, (4, 2)), "linewidth": 1.2}
            name = "random weights, fine-tuned"
            axes.axhline(row[f"{measure}_mean"], label=name, **style)
            lowest = min(lowest, ends[0])
        for place, (protocol, part) in enumerate(table.groupby("protocol", sort=False)):
            colour, line, marker = _protocol_style(protocol)
            # Shifted a little, so that the bars of the protocols lie beside each other.
            x = part["beta"].to_numpy(float) + 0.012 * (place - 0.5)
            name = formatting.PROTOCOL_LABELS.get(protocol, protocol)
            look = {"color": colour, "linestyle": line, "marker": marker}
            _whiskers(axes, x, part, measure, label=name, **look)
        axes.set_xticks(sorted(table["beta"].unique()))
        axes.set_xlabel("β, weight of the weak loss\n(0: SimCLR, 1: supervised)")
        _performance(axes, formatting.MEASURE_LABELS[measure], lowest)
    handles, labels = axes.get_legend_handles_labels()
    title = "Mean over folds, 95 % interval"
    figure.legend(handles, labels, loc="outside upper center", ncols=3, title=title)
    say(figure, formatting.disclaimers(table))
    save(figure, *paths)
    return figure


@matplotlib.rc_context(SETTINGS)
def roc(
    predictions: pd.DataFrame,
    methods: Mapping[str, str],
    table: pd.DataFrame,
    paths: Sequence[str | Path],
) -> Figure:
    """Draw the mean ROC curve over folds of every method, a panel per protocol.

    Args:
        predictions: What `predictions.read` returns.
        methods: Row name to encoder name, as for `tables.table1`.
        table: What `tables.table1` returns.
        paths: Files to write.

    Raises:
        UserError: As `metrics.by_fold`.
    """
    figure, panels = _panels(table, height=4.0)
    for axes, (protocol, shown, part) in panels:
        chosen = _of(predictions, protocol, [methods[name] for name in shown])
        curves = metrics.mean_roc(chosen, points=501).set_index("encoder")
        axes.plot([0, 1], [0, 1], color=FAINT, linewidth=0.8)
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
        axes.set_title(_title(protocol, "mean over folds"))
        title = "AUC [95 % interval]"
        axes.legend(loc="lower right", title=title, title_fontsize=8, alignment="left")
    say(figure, formatting.disclaimers(table))
    save(figure, *paths)
    return figure


@matplotlib.rc_context(SETTINGS)
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
        colour, _, marker = _protocol_style(protocol)
        rows = table[table["protocol"] == protocol].set_index(["reference", "encoder"])
        for y, pair in enumerate(lines):
            if pair not in rows.index:
                continue
            row = rows.loc[pair]
            missed = row["detectable"]
            axes.barh(y, 2 * missed, left=-missed, height=0.8, **SHADE)
            axes.plot([row["low"], row["high"]], [y, y], color=colour, linewidth=3)
            axes.plot([row["t_low"], row["t_high"]], [y, y], color=colour, linewidth=1)
            axes.plot(row["difference"], y, color=colour, marker=marker, linestyle="none")
        axes.set_title(_title(protocol))
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
        table[["difference", "low", "high", "t_low", "t_high", "detectable"]].abs().max(axis=None)
    )
    panels[0].set_xlim(-1.1 * max(0.1, reach), 1.1 * max(0.1, reach))
    handles = [
        Line2D([], [], color=BLACK, marker="o", linewidth=3, label="95 %: these models"),
        Line2D([], [], color=BLACK, linewidth=1, label="95 %: methods, trained anew"),
        Rectangle((0, 0), 1, 1, label="missed too often", **SHADE),
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=min(3, 1 + len(protocols)))
    say(figure, formatting.disclaimers(table))
    save(figure, *paths)
    return figure


@matplotlib.rc_context(SETTINGS)
def calibration(
    predictions: pd.DataFrame,
    methods: Mapping[str, str],
    table: pd.DataFrame,
    paths: Sequence[str | Path],
) -> Figure:
    """Draw the share of positive patients against the predicted probability.

    Repeats are pooled, and the predictions of each method cut into a few bins of equal size.

    Args:
        predictions: What `predictions.read` returns.
        methods: Row name to encoder name, as for `tables.table1`.
        table: What `tables.measures` returns, for slope and intercept.
        paths: Files to write.
    """
    wide = table.pivot(index=["protocol", "encoder"], columns="measure", values="estimate")
    names = {encoder: method for method, encoder in methods.items()}
    rows = [
        {"protocol": protocol, "method": names[encoder], **row}
        for (protocol, encoder), row in wide.reindex(
            [
                (protocol, encoder)
                for protocol in table["protocol"].unique()
                for encoder in methods.values()
                if (protocol, encoder) in wide.index
            ]
        )
        .to_dict("index")
        .items()
    ]
    figure, panels = _panels(pd.DataFrame(rows), height=6.2, below=0.22)
    for (axes, spread), (protocol, shown, part) in panels:
        axes.plot([0, 1], [0, 1], color=FAINT, linewidth=0.8)
        for place, method in enumerate(shown):
            chosen = _of(predictions, protocol, [methods[method]])
            predicted, observed = _reliability(chosen["probability"], chosen["label"])
            row = part.loc[method]
            numbers = [formatting.number(row[f"calibration_{k}"]) for k in ("slope", "intercept")]
            name = f"{formatting.short_label(method)}  {', '.join(filter(None, numbers))}"
            colour, line, marker = STYLES[place]
            look = {"color": colour, "linestyle": line, "clip_on": False}
            axes.plot(predicted, observed, marker=marker, label=name, zorder=3, **look)
            _density(spread, chosen["probability"], colour, place)
        axes.set(xlim=(0, 1), ylim=(0, 1))
        axes.grid(True)
        axes.set_ylabel("Share of positive patients")
        axes.set_title(_title(protocol, "repeats pooled"))
        spread.legend(
            *axes.get_legend_handles_labels(),
            **{"loc": "upper center", "bbox_to_anchor": (0.5, -0.8), "ncols": 1},
            **{"title": "slope, intercept", "title_fontsize": 8, "fontsize": 7.5},
        )
        spread.set(xlim=(0, 1), ylim=(len(shown) - 0.5, -0.5), yticks=[])
        spread.set_ylabel("Spread", fontsize=8)
        spread.set_xlabel("Predicted probability")
    say(figure, formatting.disclaimers(table))
    save(figure, *paths)
    return figure


@matplotlib.rc_context(SETTINGS)
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
            model, everybody, nobody = comparison_tests.net_benefit(
                scores.labels, probabilities, THRESHOLDS
            )
            colour, line, marker = STYLES[place]
            look = {"color": colour, "linestyle": line, "marker": marker, "markersize": 4}
            label = formatting.short_label(method)
            axes.plot(THRESHOLDS, model, markevery=(3 * place, 24), label=label, **look)
        plain = {"color": GREY, "zorder": 1}
        axes.plot(THRESHOLDS, everybody, linewidth=0.9, label="call all positive", **plain)
        axes.plot(THRESHOLDS, nobody, linewidth=2.2, alpha=0.5, label="call nobody", **plain)
        top = scores.labels.mean()
        axes.set(xlim=(THRESHOLDS[0], THRESHOLDS[-1]), ylim=(-0.12 * top, 1.05 * top))
        axes.grid(True)
        axes.set_xlabel("Probability from which a patient is called positive")
        axes.set_ylabel("Net benefit")
        axes.set_title(_title(protocol, "net benefit, exploratory"))
        axes.legend(loc="upper right", fontsize=7.5)
    say(figure, formatting.disclaimers(table))
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
    picture(axial, volume.array[index], mask[index], (y_mm, x_mm), "upper")
    axial.set_title(f"A  Axial slice {index}, liver outlined")
    row = int(mask.sum(axis=(0, 2)).argmax())
    picture(coronal, volume.array[:, row], mask[:, row], (z_mm, x_mm), "lower")
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


def case_excluded(paths: Sequence[str | Path]) -> Figure:
    """Draw, in place of `preprocessing`, that the case could not be used."""
    return _sentence("The case was excluded; the table of its cohort says why.", paths)


def placeholder(paths: Sequence[str | Path]) -> Figure:
    """Draw, in place of a figure, that the predictions hold nothing for it."""
    return _sentence("Nothing to draw: there are no predictions of this kind.", paths)


def _sentence(text: str, paths: Sequence[str | Path]) -> Figure:
    figure = Figure(figsize=(7.2, 1.5))
    figure.text(0.5, 0.5, text, ha="center")
    save(figure, *paths)
    return figure


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


def _title(protocol: str, more: str = "") -> str:
    """Name a panel: `Fine-tuned: mean over folds`."""
    name = formatting.PROTOCOL_LABELS.get(protocol, protocol)
    return f"{name[:1].upper()}{name[1:]}" + (f": {more}" if more else "")


def _protocol_style(protocol: str) -> tuple:
    return PROTOCOL_STYLES.get(protocol, STYLES[5])


def _forest_label(reference: str, encoder: str) -> str:
    """Name a line of the forest plot: a heading without an encoder."""
    if encoder:
        return formatting.short_label(encoder)
    name = "random weights" if reference == "none" else formatting.short_label(reference)
    return f"Against {name}"


def _whiskers(axes: Axes, x: np.ndarray, table: pd.DataFrame, measure: str, **look: object) -> None:
    """Draw means with their intervals as whiskers; without, where there is none."""
    mean = table[f"{measure}_mean"].to_numpy(float)
    arms = [mean - table[f"{measure}_low"], table[f"{measure}_high"] - mean]
    arms = np.nan_to_num(np.maximum(np.array(arms, float), 0))
    axes.errorbar(x, mean, yerr=arms, elinewidth=1, capsize=2.5, **look)


def _density(axes: Axes, probabilities: pd.Series, colour: str, place: int) -> None:
    """Draw as a strip, in its line of the axes, how often probabilities are predicted."""
    counts, edges = np.histogram(probabilities, np.linspace(0, 1, 41))
    shades = [to_rgba(colour, count / counts.max()) for count in counts]
    axes.bar(edges[:-1], 0.8, np.diff(edges), place - 0.4, align="edge", color=shades)


def _reliability(probabilities: pd.Series, labels: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Mean probability and share of positive patients in bins of equal size, lowest first."""
    order = np.argsort(probabilities.to_numpy(), kind="stable")
    bins = np.array_split(order, min(BINS, len(order)))
    return tuple(
        np.array([column.to_numpy(float)[members].mean() for members in bins])
        for column in (probabilities, labels)
    )


def _performance(axes: Axes, label: str, lowest: float, chance_at: float = 0.63) -> None:
    """An axis for AUC or balanced accuracy: from below chance to 1, chance marked."""
    axes.axhline(0.5, color=FAINT, linewidth=0.8)
    axes.set_ylim(min(0.45, np.floor(10 * lowest) / 10), 1.005)
    axes.set_ylabel(label)
    axes.grid(True, axis="y")
    # Between the points of the paper's betas, 0.5 and 0.8.
    style = {"ha": "center", "va": "bottom", "fontsize": 7.5, "color": GREY}
    axes.text(chance_at, 0.5, "chance", transform=axes.get_yaxis_transform(), **style)


def _roc_curve(axes: Axes, curve: pd.DataFrame, label: str, place: int) -> None:
    """Draw one method's mean ROC curve, in the style of its place among the methods."""
    colour, line, marker = STYLES[place]
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


def picture(
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
    """Print on the figure itself that its cohort is simulated."""
    say(figure, ["synthetic"] if synthetic else [])


def say(figure: Figure, disclaimers: Iterable[str]) -> None:
    """Print on the figure itself what must be said of it: figures travel without text."""
    if words := ", ".join(SAID[mark] for mark in disclaimers):
        style = {"color": VERMILLION, "fontsize": 8.5, "fontweight": "bold"}
        figure.supxlabel(words, x=0.995, ha="right", **style)
