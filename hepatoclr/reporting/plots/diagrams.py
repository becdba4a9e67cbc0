"""The paper's Figures 1 and 3, network and pretraining, drawn from the settings in force.

Places and lengths are in inches. Methods have the colours that they have in curves.
"""

import textwrap
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, FancyBboxPatch, Polygon, Rectangle
from matplotlib.transforms import Affine2D

from hepatoclr.reporting import formatting
from hepatoclr.reporting.colours import BLUE, GREEN, GREY, ORANGE, SKY, VERMILLION
from hepatoclr.reporting.plots import common

Ends = tuple[float, float]  # left and right of what is drawn

KERNEL = 5
# Of each method, from the top: the losses it minimises, its height, its colour.
METHODS = {
    "supervised": (["supervised"], 4.1, ORANGE),
    "weak_simclr": (["supervised", "simclr"], 3.45, VERMILLION),
    "simclr": (["simclr"], 2.8, BLUE),
    "supcon": (["supcon"], 2.15, GREEN),
}
LOSSES = {
    "supervised": ("weak", "cross-entropy"),
    "simclr": ("SimCLR", "NT-Xent, τ = {:g}"),
    "supcon": ("SupCon", "equal y, τ = {:g}"),
}
CLASSIFIED, CONTRASTED = [4.1], [2.88, 2.07]  # heights of the views
# Left and right ends of the columns of Figure 3.
SLICE, VIEW, NETWORK = (0.07, 0.79), (1.12, 1.68), (2.0, 2.95)
OUTPUT, LOSS, METHOD = (3.2, 4.05), (4.3, 5.4), (6.02, 7.12)
SHADE = 0.2
ABDOMEN = [  # body, spine, liver in a slice from -1 to 1: centre, width, height, angle
    ((0, 0), 1.8, 1.35, 0, "#D6D6D6"),
    ((0, -0.4), 0.28, 0.28, 0, "#FFFFFF"),
    ((-0.46, 0.03), 0.58, 0.96, -14, ORANGE),
    ((-0.12, 0.33), 0.92, 0.38, -8, ORANGE),
]


def map_sizes(size: int, padding: int, blocks: int) -> list[int]:
    """Side of the square map after each block of `learning.backbone`, in pixels."""
    sizes = [size]
    for _ in range(blocks):
        convolved = sizes[-1] + 2 * padding - KERNEL + 1
        sizes.append((convolved + (padding > 0)) // 2)  # with padding, pooling rounds up
    return sizes[1:]


def parameters(channels: Sequence[int], hidden: int, projection: int) -> tuple[int, int]:
    """Count the parameters of backbone and head of `learning.backbone.Network`."""
    pairs = zip([1, *channels[:-1]], channels, strict=True)
    backbone = sum((KERNEL**2 * before + 1) * after for before, after in pairs)
    return backbone, (channels[-1] + 1) * hidden + (hidden + 1) * (2 + projection)


def augmentations(settings: Mapping) -> list[str]:
    """Name the changes of a view that are in force, with their probabilities."""
    kept = dict.fromkeys(f"{100 * share:g} %" for share in settings["crop_scale"])
    moved, turned = settings["translation_share"], settings["rotation_degrees"]
    changes = {
        "horizontal flip": settings["horizontal_flip"],
        "vertical flip": settings["vertical_flip"],
        f"crop to {' to '.join(kept)} of the area": settings["crop"],
        f"translation up to {100 * moved:g} %": settings["translation"] if moved else 0,
        f"rotation up to {turned:g}°": settings["rotation"] if turned else 0,
        "CutOut": settings["cutout"],
    }
    space = "\N{NO-BREAK SPACE}"
    return [*(f"{name}{space}({p:g})" for name, p in changes.items() if p), *settings["kornia"]]


@matplotlib.rc_context(common.SETTINGS)
def network(size: int, settings: Mapping, paths: Sequence[str | Path]) -> Figure:
    """Draw the network: a slice, the maps after each block, the head (Figure 1).

    Lengths grow with the square root of what they stand for.

    Args:
        size: Side of the slices in pixels.
        settings: The section `network` of the configuration.
        paths: Files to write.
    """
    channels, hidden, projection = (settings[key] for key in ("channels", "hidden", "projection"))
    sizes = map_sizes(size, settings["padding"], len(channels))
    middle, labels, pitch, first, highest = 1.3, 0.32, 0.78, 1.45, 1.25
    last = first + pitch * (len(channels) - 1)
    features, shared, output = last + 0.95, last + 1.6, last + 2.2
    axes = _canvas(last + 3.2, 2.65)
    _slice(axes, (0.08, 0.92), middle)
    _text(axes, 0.5, labels, f"slice\n{size} × {size}")
    end = 0.92
    for place, (count, side) in enumerate(zip(channels, sizes, strict=True)):
        x, depth = first + pitch * place, 0.34 * (count / max(channels)) ** 0.5
        half = _cuboid(axes, x, middle, depth, highest * (side / size) ** 0.5)
        _arrow(axes, (end + 0.03, middle), (x - half - 0.03, middle))
        _text(axes, x, labels, f"{count} maps\n{side} × {side}")
        end = x + half
    _arrow(axes, (end + 0.03, middle), (features - 0.09, middle))
    _text(axes, (end + features) / 2 - 0.03, middle, "global\naverage", linespacing=2.2)
    _arrow(axes, (features + 0.09, middle), (shared - 0.09, middle))
    unit = highest / max(channels[-1], hidden, projection) ** 0.5
    for x, length, name in ((features, channels[-1], "features"), (shared, hidden, "shared")):
        _box(axes, (x - 0.06, x + 0.06), middle, "", SKY, unit * length**0.5)
        _text(axes, x, labels, f"{name}\n{length}")
    for y, length, name, colour in (
        (middle + 0.55, 2, "classifier\n2, softmax", ORANGE),
        (middle - 0.3, projection, f"projection\n{projection}", BLUE),
    ):
        _arrow(axes, (shared + 0.09, middle), (output - 0.09, y))
        _box(axes, (output - 0.06, output + 0.06), y, "", colour, unit * length**0.5)
        _text(axes, output + 0.14, y, name, ha="left")
    backbone, head = parameters(channels, hidden, projection)
    convolution = f"{KERNEL} × {KERNEL} convolution, padding {settings['padding']}"
    block = f"Backbone: {backbone:,} parameters", f"{convolution}; ReLU; 2 × 2 max-pooling"
    _bracket(axes, (first - 0.38, last + 0.38), *block)
    dense = f"Head: {head:,} parameters", "dense layers, ReLU between"
    _bracket(axes, (features - 0.25, last + 3.1), *dense)
    return common.finish(axes.figure, [], paths)


@matplotlib.rc_context(common.SETTINGS)
def strategy(
    encoders: Mapping[str, Mapping],
    augmentation: Mapping,
    temperature: float,
    paths: Sequence[str | Path],
) -> Figure:
    """Draw which views each method looks at, what it minimises, and the transfer (Figure 3).

    Args:
        encoders: What `experiment.pretrained` returns; methods that are not the paper's are left
            out.
        augmentation: The section of the configuration.
        temperature: Of the contrastive losses.
        paths: Files to write.
    """
    beta = {spec["method"]: spec.get("beta") for spec in encoders.values()}
    methods = {method: about for method, about in METHODS.items() if method in beta}
    losses = {loss: None for minimised, *_ in methods.values() for loss in minimised}
    axes = _canvas(7.2, 4.95)
    _pretraining(axes, losses, augmentation)
    for loss in losses:
        _, y, colour = METHODS[loss]
        index, what = LOSSES[loss]
        words = rf"$L_\mathrm{{{index}}}$" + f"\n{what.format(temperature)}"
        _box(axes, LOSS, y, words, colour, parse_math=True)
        _arrow(axes, (OUTPUT[1], y), (LOSS[0], y))
    for method, (minimised, y, colour) in methods.items():
        weight = beta[method]
        words = formatting.short_label(method) + (f"\nβ = {weight:g}" if weight else "")
        _box(axes, METHOD, y, words, colour, weight="bold" if weight else "normal")
        factors = [f"× {weight:g}", f"× {1 - weight:.6g}"] if weight else [""]
        for loss, factor in zip(minimised, factors, strict=True):
            start = METHODS[loss][1]
            shift = 0.09 * ((y > start) - (y < start))
            _arrow(axes, (LOSS[1], start + shift), (METHOD[0], y - shift))
            _text(axes, LOSS[1] + 0.17, (start + y) / 2 + 1.6 * shift, factor)
    _evaluation(axes)
    return common.finish(axes.figure, [], paths)


def _pretraining(axes: Axes, losses: Collection[str], augmentation: Mapping) -> None:
    """Draw slice, views, network and outputs, as far as some losses look at them."""
    _text(axes, SLICE[0], 4.8, "Pretraining cohort, weak label y", ha="left", weight="bold")
    middle, contrasted = 3.1, sum(CONTRASTED) / 2
    _slice(axes, SLICE, middle)
    _box(axes, NETWORK, middle, "one network:\nbackbone and\nshared layer", SKY, height=2.5)
    heights = []
    if "supervised" in losses:
        heights += CLASSIFIED
        _box(axes, OUTPUT, *CLASSIFIED, "classifier", ORANGE)
        _arrow(axes, (NETWORK[1], *CLASSIFIED), (OUTPUT[0], *CLASSIFIED))
        start, end = sum(SLICE) / 2, sum(LOSS) / 2
        axes.plot([start, start, end], [middle + 0.4, 4.5, 4.5], color=GREY, linewidth=0.9)
        _arrow(axes, (end, 4.5), (end, CLASSIFIED[0] + 0.22))
        _text(axes, sum(NETWORK) / 2, 4.58, "y")
    if {"simclr", "supcon"} & set(losses):
        heights += CONTRASTED
        _box(axes, OUTPUT, contrasted, "projections\nz, z′", BLUE, height=1.3)
        _arrow(axes, (NETWORK[1], contrasted), (OUTPUT[0], contrasted))
    for y, change in zip(heights, _examples(augmentation), strict=False):
        _slice(axes, VIEW, y, change)
        _arrow(axes, (SLICE[1] + 0.03, middle), (VIEW[0] - 0.03, y))
        _arrow(axes, (VIEW[1] + 0.03, y), (NETWORK[0], y))
    changes = f"Each view: {', '.join(augmentations(augmentation))}"
    _text(axes, OUTPUT[0], 1.52, textwrap.fill(changes, 70), ha="left", fontsize=8)


def _evaluation(axes: Axes) -> None:
    """Draw what becomes of the network on the evaluation cohort."""
    y = 0.55
    axes.plot([SLICE[0], METHOD[1]], [1.2, 1.2], color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))
    _text(axes, SLICE[0], 1.05, "Evaluation cohort, strong label", ha="left", weight="bold")
    _slice(axes, SLICE, y)
    _box(axes, NETWORK, y, "network", SKY, height=0.6)
    _arrow(axes, (SLICE[1] + 0.03, y), (NETWORK[0], y))
    _arrow(axes, (sum(NETWORK) / 2, 1.85), (sum(NETWORK) / 2, y + 0.3))
    _text(axes, sum(NETWORK) / 2 + 0.08, 1.03, "weights (baseline: random)", ha="left")
    ends = OUTPUT[0], METHOD[1]
    for words, place in (
        ("linear: logistic regression on the frozen features", y + 0.2),
        ("fine-tuned: the whole network trained further", y - 0.25),
    ):
        _box(axes, ends, place, words, SKY, height=0.36)
        _arrow(axes, (NETWORK[1], y), (OUTPUT[0], place))


def _examples(settings: Mapping) -> list[Affine2D]:
    """Three views that the augmentation in force may give, of a slice from -1 to 1."""
    across, down = (-1 if settings[f"{way}_flip"] else 1 for way in ("horizontal", "vertical"))
    zoom = settings["crop_scale"][0] ** -0.5 if settings["crop"] else 1
    moved = settings["translation_share"] if settings["translation"] else 0
    turned = settings["rotation_degrees"] / 2 if settings["rotation"] else 0
    return [
        Affine2D().scale(across, 1).rotate_deg(turned),
        Affine2D().scale(zoom).rotate_deg(-turned),
        Affine2D().scale(1, down).translate(moved, -moved).rotate_deg(turned),
    ]


def _canvas(width: float, height: float) -> Axes:
    """A figure of one size, with axes in inches."""
    axes = Figure(figsize=(width, height)).subplots()
    axes.set_position((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(0, height))
    axes.axis("off")
    return axes


def _text(axes: Axes, x: float, y: float, words: str, **look: object) -> None:
    axes.text(x, y, words, **{"ha": "center", "va": "center", "fontsize": 8.5, **look})


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    look = {"arrowstyle": "-|>", "color": GREY, "linewidth": 0.9, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", end, start, arrowprops={**look, "mutation_scale": 9})


def _box(
    axes: Axes, ends: Ends, y: float, words: str, colour: str, height: float = 0.44, **text: object
) -> None:
    """Draw words in a box between two ends."""
    place = (ends[0], y - height / 2), ends[1] - ends[0], height
    look = {"facecolor": (colour, SHADE), "edgecolor": colour}
    axes.add_patch(FancyBboxPatch(*place, boxstyle="round,pad=0,rounding_size=0.03", **look))
    _text(axes, sum(ends) / 2, y, words, **text)


def _cuboid(axes: Axes, x: float, y: float, depth: float, height: float) -> float:
    """Draw maps as a cuboid seen from the side; give half of its width."""
    lean = 0.22 * height  # of the faces that are seen at an angle
    half, low = (depth + lean) / 2, y - (height + lean) / 2
    x -= half
    front = [(0, 0), (depth, 0), (depth, height), (0, height)]
    top = [(0, height), (depth, height), (depth + lean, height + lean), (lean, height + lean)]
    side = [(depth, 0), (depth + lean, lean), (depth + lean, height + lean), (depth, height)]
    for face, shade in ((front, 2), (top, 1), (side, 3)):
        corners = [(x + right, low + up) for right, up in face]
        look = {"facecolor": (SKY, shade * SHADE), "edgecolor": SKY, "joinstyle": "round"}
        axes.add_patch(Polygon(corners, linewidth=0.8, **look))
    return half


def _bracket(axes: Axes, ends: Ends, title: str, words: str) -> None:
    """Draw a bracket over a part of the network, and what the part is."""
    axes.plot(np.repeat(ends, 2), [2.12, 2.18, 2.18, 2.12], color=GREY, linewidth=0.9)
    _text(axes, sum(ends) / 2, 2.49, title, weight="bold")
    _text(axes, sum(ends) / 2, 2.31, words, fontsize=8)


def _slice(axes: Axes, ends: Ends, y: float, change: Affine2D | None = None) -> None:
    """Draw an abdominal slice in outline: body, spine and liver, changed as a view is."""
    half = (ends[1] - ends[0]) / 2
    ground = Rectangle((ends[0], y - half), 2 * half, 2 * half, facecolor=GREY, linewidth=0)
    axes.add_patch(ground)
    place = Affine2D().scale(half).translate(sum(ends) / 2, y) + axes.transData
    for *ellipse, angle, colour in ABDOMEN:
        shape = Ellipse(*ellipse, angle=angle, facecolor=colour, linewidth=0)
        shape.set_transform((change or Affine2D()) + place)
        axes.add_patch(shape)
        shape.set_clip_path(ground)
