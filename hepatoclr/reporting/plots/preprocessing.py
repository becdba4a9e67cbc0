"""One case on its way from CT to network."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hepatoclr.imaging.volumes import Volume
from hepatoclr.reporting.colours import BLACK, ORANGE, SKY, VERMILLION
from hepatoclr.reporting.plots import common


@matplotlib.rc_context(common.SETTINGS)
def draw(
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
    draw_section(axial, volume.array[index], mask[index], (y_mm, x_mm), "upper")
    axial.set_title(f"A  Axial slice {index}, liver outlined")
    row = int(mask.sum(axis=(0, 2)).argmax())
    draw_section(coronal, volume.array[:, row], mask[:, row], (z_mm, x_mm), "lower")
    _kept_band(coronal, slices["index"].to_numpy(), z_mm)
    coronal.set_title(f"B  Coronal, the {len(slices)} kept slices shaded")
    _histogram(histogram, volume.array, volume.array[mask], window)
    histogram.set_title("C  Intensities and window")
    seen.imshow(tensor[largest], cmap="gray", vmin=window[0], vmax=window[1])
    _bare(seen)
    seen.set_title("D  Slice A as the network sees it, {} by {}".format(*tensor.shape[1:]))
    return common.finish(figure, ["synthetic"] if synthetic else [], paths)


def case_excluded(paths: Sequence[str | Path]) -> Figure:
    """Draw, in place of the case, that the case could not be used."""
    return common.only_text("The case was excluded; the table of its cohort says why.", paths)


def draw_section(
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
