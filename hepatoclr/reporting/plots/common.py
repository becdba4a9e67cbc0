"""What the figures share: their style, their files, the disclaimers printed on them.

Line styles and markers differ as well as colours, so that a grey print still reads. Equal inputs
give equal files.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hepatoclr.base import files
from hepatoclr.reporting import formatting
from hepatoclr.reporting.colours import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION

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
FAINT = "#B0B0B0"
SHORT_DISCLAIMERS = {
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
    _fix_layout(figure)
    for path in map(Path, paths):
        with files.atomic(path) as temporary, matplotlib.rc_context(SETTINGS):
            figure.savefig(temporary, dpi=200, metadata=undated.get(path.suffix))


def _fix_layout(figure: Figure) -> None:
    """Lay a figure out, once; last digits of its solver differ from run to run and are dropped."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for part in figure.subfigs:
        part.bbox_relative.set_points(np.round(part.bbox_relative.get_points(), 6))
    for axes in figure.axes:
        if axes.get_axes_locator() is None:  # those within others follow them
            axes.set_position(np.round(axes.get_position().bounds, 6))


def add_disclaimers(figure: Figure, disclaimers: Iterable[str]) -> None:
    """Print the disclaimers on the figure itself: figures travel without text."""
    if words := ", ".join(SHORT_DISCLAIMERS[name] for name in disclaimers):
        style = {"color": VERMILLION, "fontsize": 8.5, "fontweight": "bold"}
        figure.supxlabel(words, x=0.995, ha="right", **style)


def finish(figure: Figure, disclaimers: Iterable[str], paths: Sequence[str | Path]) -> Figure:
    """Print the disclaimers on a figure and write it."""
    add_disclaimers(figure, disclaimers)
    save(figure, *paths)
    return figure


def only_text(text: str, paths: Sequence[str | Path]) -> Figure:
    """Write a figure that holds a sentence alone."""
    figure = Figure(figsize=(7.2, 1.5))
    figure.text(0.5, 0.5, text, ha="center")
    save(figure, *paths)
    return figure


def panel_title(protocol: str, more: str = "") -> str:
    """Name a panel: `Fine-tuned: mean over folds`."""
    name = formatting.protocol_label(protocol)
    return f"{name[:1].upper()}{name[1:]}" + (f": {more}" if more else "")


def protocol_style(protocol: str) -> tuple:
    """Colour, line style and marker of a protocol."""
    return PROTOCOL_STYLES.get(protocol, STYLES[5])


def draw_whiskers(
    axes: Axes, x: np.ndarray, table: pd.DataFrame, measure: str, **look: object
) -> None:
    """Draw means with their intervals as whiskers; without, where there is none."""
    mean = table[f"{measure}_mean"].to_numpy(float)
    arms = [mean - table[f"{measure}_low"], table[f"{measure}_high"] - mean]
    arms = np.nan_to_num(np.maximum(np.array(arms, float), 0))
    axes.errorbar(x, mean, yerr=arms, elinewidth=1, capsize=2.5, **look)


def performance_axis(axes: Axes, label: str, lowest: float, chance_at: float = 0.63) -> None:
    """An axis for AUC or balanced accuracy: from below chance to 1, chance marked."""
    axes.axhline(0.5, color=FAINT, linewidth=0.8)
    axes.set_ylim(min(0.45, np.floor(10 * lowest) / 10), 1.005)
    axes.set_ylabel(label)
    axes.grid(True, axis="y")
    # Between the points of the paper's betas, 0.5 and 0.8.
    style = {"ha": "center", "va": "bottom", "fontsize": 7.5, "color": GREY}
    axes.text(chance_at, 0.5, "chance", transform=axes.get_yaxis_transform(), **style)
