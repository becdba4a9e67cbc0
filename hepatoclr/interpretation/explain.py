"""What a linear model looked at: maps of its most confident true and false positives and negatives.

The model is the linear protocol's, regression and backbone as one network, fitted on the folds in
which the patient is not tested. Two maps, one of each family, are laid on the slice that speaks
most for the prediction:

- *occlusion* (Zeiler and Fergus 2014, arXiv 1311.2901): how far the logit falls when a square of
  the slice is painted over. It says what the model would do, and in which direction.
- *gradient*: how strongly the logit reacts to each pixel, by SmoothGrad (Smilkov et al. 2017,
  arXiv 1706.03825). Integrated gradients need a reference image, and there is no neutral CT: with
  an air-like one every dark pixel gets nothing by construction. They multiply by the input, too,
  whose outlines then show through even where weights are random (Adebayo et al. 2018, arXiv
  1810.03292).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import torch
from captum.attr import LayerAttribution, LayerGradientXActivation, NoiseTunnel, Occlusion, Saliency
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure, SubFigure
from torch import Tensor, nn

from hepatoclr.base import devices, files
from hepatoclr.cohorts import splits
from hepatoclr.imaging import slices, tensors, volumes
from hepatoclr.learning import backbone, data, linear
from hepatoclr.reporting import colours, formatting
from hepatoclr.reporting.plots import common, preprocessing
from hepatoclr.stats import predictions as outcomes

READ = ("volumes", "livers", "slices", "tensors")
KINDS = {  # label, and prediction
    "true positive": (1, 1),
    "true negative": (0, 0),
    "false positive": (0, 1),
    "false negative": (1, 0),
}
MAPS = ("gradient", "occlusion")
WORDS = {0: "negative", 1: "positive"}
WINDOWS = 10  # side of the painted square: this part of the slice's; the next starts half a side on
SAMPLES = 25
NOISE = 0.04  # of the window: 20 HU in the paper's, about what a CT has; more would hide texture
COARSEST = 12  # pixels of a side of a map of class activation
AT_ONCE = 8  # slices in the network at a time, which bounds memory
SIGNED = LinearSegmentedColormap.from_list("signed", [colours.BLUE, "#FFFFFF", colours.VERMILLION])
COLOURS = {"gradient": "viridis", "occlusion": SIGNED, "activation": SIGNED}
NOTE = (
    "Gradient: how strongly the logit reacts to a pixel. Occlusion: how far the logit falls when "
    "the place is painted over;\norange speaks for the positive class, blue for the negative. Each "
    "map has its own scale.\nMaps show what a model reacts to, not what causes disease."
)


@dataclass(frozen=True)
class Explanation:
    """The maps of one patient, on one slice of the CT.

    Attributes:
        facts: patient_id, label, probability, threshold, kind, case, slice (its place in the
            volume) and logit (of the slice).
        ct: HU, shape (rows, columns).
        liver: Whether a pixel is liver, same shape.
        spacing: Distance of rows and of columns, mm.
        maps: Name to attribution of each pixel, same shape; see `gradient` and `occlusion`.
    """

    facts: Mapping
    ct: np.ndarray
    liver: np.ndarray
    spacing: tuple[float, float]
    maps: Mapping[str, np.ndarray]

    def in_liver(self, name: str) -> float:
        """Share of a map's absolute attribution that lies in the liver; NaN where it is 0."""
        amount = np.abs(self.maps[name].astype(float))
        return float(amount[self.liver].sum() / amount.sum()) if amount.any() else np.nan


def kinds(predictions: pd.DataFrame) -> list[str]:
    """The kind of each prediction, a key of `KINDS`."""
    names = {both: kind for kind, both in KINDS.items()}
    predicted_positive = (predictions["probability"] >= predictions["threshold"]).astype(int)
    return [names[both] for both in zip(predictions["label"], predicted_positive, strict=True)]


def chosen(predictions: pd.DataFrame) -> pd.DataFrame:
    """Choose the patients furthest from the threshold, at most one of each kind.

    Args:
        predictions: Of one encoder, every patient once.

    Returns:
        Their rows, with `kind`, in the order of `KINDS`; a kind that does not occur has no row.
    """
    known = predictions.assign(kind=kinds(predictions))
    margin = (predictions["probability"] - predictions["threshold"]).abs()
    furthest = margin.groupby(known["kind"]).idxmax()
    return known.loc[[furthest[kind] for kind in KINDS if kind in furthest]]


def composed(network: nn.Module, model: linear.Model) -> nn.Sequential:
    """Put a regression on top of the network whose features it was fitted on.

    Args:
        network: Maps slices (n, 1, rows, columns) to features (n, channels).
        model: The regression.

    Returns:
        Maps slices to logits, shape (n,).
    """
    head = nn.Linear(len(model.weights), 1)
    head.weight.data.copy_(torch.tensor(model.weights)[None])
    head.bias.data.fill_(model.intercept)
    return nn.Sequential(network, head, nn.Flatten(0)).eval()


def gradient(model: nn.Module, image: Tensor, seed: int) -> np.ndarray:
    """Strength of the logit's gradient, averaged over noisy copies of the slice (SmoothGrad).

    Args:
        model: Maps slices to logits, shape (n,).
        image: A slice, shape (1, 1, size, size), in [0, 1].
        seed: Seed of the noise.

    Returns:
        Absolute values of the mean gradient, shape (size, size).
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        found = NoiseTunnel(Saliency(model)).attribute(
            image.clone().requires_grad_(),
            nt_samples=SAMPLES,
            nt_samples_batch_size=AT_ONCE,
            stdevs=NOISE,
            abs=False,
        )
    return found[0, 0].detach().abs().numpy()


def occlusion(model: nn.Module, image: Tensor) -> np.ndarray:
    """How far the logit falls when a square is painted over with the slice's mean.

    Args:
        model, image: As for `gradient`.

    Returns:
        The mean over the squares that hold a pixel, shape (size, size): positive where what is
        there speaks for the positive class.
    """
    side = max(2, image.shape[-1] // WINDOWS)
    with torch.inference_mode():
        found = Occlusion(model).attribute(
            image,
            sliding_window_shapes=(1, side, side),
            strides=(1, side // 2, side // 2),
            baselines=float(image.mean()),
            perturbations_per_eval=AT_ONCE,
        )
    return found[0, 0].numpy()


def class_activation(model: nn.Module, network: backbone.Backbone, image: Tensor) -> np.ndarray:
    """Where in a slice the logit comes from: gradient times activation of a block (HiResCAM).

    Of the last block under a regression on averaged maps this is the logit itself, place by place,
    but for the intercept. Where the last maps are smaller than `COARSEST` pixels an earlier block
    is taken. It costs one pass.

    Args:
        model: Maps slices to logits, shape (n,), by the network.
        network: The backbone within it.
        image: As for `gradient`.

    Returns:
        Shape (size, size): positive where what is there speaks for the positive class.

    Source: Draelos, Carin 2020, arXiv 2011.08891; Zhou et al. 2016, arXiv 1512.04150.
    """
    with torch.inference_mode():
        maps, fine = image - network.centre, network.blocks[0]
        for block in network.blocks:
            maps = block(maps)
            fine = block if maps.shape[-1] >= COARSEST else fine
    found = LayerGradientXActivation(model, fine).attribute(image).sum(dim=1, keepdim=True)
    larger = LayerAttribution.interpolate(found, image.shape[-2:], "bilinear")
    return larger[0, 0].detach().numpy()


def explain(
    network: nn.Module,
    predictions: pd.DataFrame,
    features: str | Path,
    split: str | Path,
    cases: Mapping[str, Sequence[str | Path]],
    *,
    window: tuple[int, int],
    settings: Mapping,
    seed: int,
) -> list[Explanation]:
    """Explain what the linear protocol says of some patients.

    Args:
        network: The encoder's backbone.
        predictions: The patients, with kind and fold.
        features: The evaluation cohort's features under that encoder.
        split: The split of the predictions.
        cases: Files of all cases, `<case>` and an ending, in any order: volumes, livers, slices,
            tensors.
        window: Lowest and highest HU of the caches.
        settings: The configuration's section `linear`.
        seed: Seed of the noise.
    """
    places = files.read_parquet(features, columns=["case", "slice"])
    patient, vectors = linear.read(features)
    assigned = splits.read(split)
    named = {
        kind: {Path(path).name.partition(".")[0]: path for path in cases[kind]} for kind in READ
    }
    explanations = []
    for row in predictions.to_dict("records"):
        targets = splits.training(assigned, row["fold"]).set_index("patient_id")["target"]
        model = linear.fit(patient, vectors, targets, settings)
        own = np.flatnonzero(patient == row["patient_id"])
        logits = model.logits(vectors[own])
        best = int(np.argmax(logits if KINDS[row["kind"]][1] else -logits))
        case, place = places.loc[own[best], ["case", "slice"]]
        files_of = {kind: named[kind][case] for kind in READ}
        kept = slices.read(files_of["slices"])[place].index
        facts = {
            key: row[key] for key in ("patient_id", "label", "probability", "threshold", "kind")
        }
        facts |= {"case": case, "slice": kept, "logit": float(logits[best])}
        cache = data.collect([files_of["tensors"]], window)
        image = cache.fetch(np.array([place]))
        logit = composed(network, model)
        found = {"gradient": gradient(logit, image, seed), "occlusion": occlusion(logit, image)}
        ct, liver = (volumes.load(files_of[kind]) for kind in ("volumes", "livers"))
        shape = ct.array.shape[1:]
        maps = {name: tensors.to_ct_pixels(array[None], shape)[0] for name, array in found.items()}
        shown = ct.array[kept], liver.array[kept] > 0, ct.spacing[1:]
        explanations.append(Explanation(facts, *shown, maps))
    return explanations


def table(explanations: Sequence[Explanation]) -> pd.DataFrame:
    """List the explanations.

    Returns:
        A row each: the facts, liver (share of the slice's pixels that are liver, which is what a
        map without any preference has in the liver), gradient_in_liver and occlusion_in_liver
        (share of the map's absolute attribution).
    """
    return pd.DataFrame(
        [
            {
                **shown.facts,
                "liver": shown.liver.mean(),
                **{f"{name}_in_liver": shown.in_liver(name) for name in MAPS},
            }
            for shown in explanations
        ]
    )


@matplotlib.rc_context(common.SETTINGS)
def draw(
    explanations: Sequence[Explanation],
    encoder: str,
    paths: Sequence[str | Path],
    *,
    disclaimers: Sequence[str],
) -> Figure:
    """Draw the explanations of an encoder, a row per patient.

    Args:
        explanations: At least one.
        encoder: Its name.
        paths: Files to write.
        disclaimers: Of the run, keys of `formatting.DISCLAIMERS`.
    """
    tallest = max(np.divide(*np.multiply(e.ct.shape, e.spacing)) for e in explanations)
    heights = [0.75 + 2.2 * tallest] * len(explanations) + [0.65]
    figure = Figure(figsize=(8.2, 0.3 + sum(heights)))
    figure.suptitle(f"{formatting.method_label(encoder)}, linear protocol", fontweight="bold")
    *rows, foot = figure.subfigures(len(heights), 1, height_ratios=heights)
    for part, shown in zip(rows, explanations, strict=True):
        _row(part, shown)
    foot.text(0.01, 0.95, NOTE, va="top", fontsize=8)
    common.add_disclaimers(foot, disclaimers)
    common.save(figure, *paths)
    return figure


def _row(part: SubFigure, shown: Explanation) -> None:
    """Draw one patient: the slice, and the maps over it."""
    facts = shown.facts
    part.suptitle(
        f"{facts['kind'].capitalize()}: patient {facts['patient_id']}, label "
        f"{WORDS[facts['label']]}, probability {facts['probability']:.2f}; slice {facts['slice']}",
        x=0.01,
        ha="left",
        fontsize=9.5,
    )
    plain, *overlaid = part.subplots(1, 1 + len(MAPS))
    preprocessing.draw_section(plain, shown.ct, shown.liver, shown.spacing, "upper")
    plain.set_title(f"CT; {100 * shown.liver.mean():.0f} % of it is liver")
    for axes, name in zip(overlaid, MAPS, strict=True):
        preprocessing.draw_section(axes, shown.ct, shown.liver, shown.spacing, "upper")
        share = shown.in_liver(name)
        words = "zero everywhere" if np.isnan(share) else f"{100 * share:.0f} % of it in the liver"
        axes.set_title(f"{name.capitalize()}; {words}")
        overlay(axes, name, shown.maps[name])


def overlay(axes: Axes, name: str, amount: np.ndarray) -> None:
    """Lay a map over the picture: the stronger, the less transparent."""
    # a single pixel must not make all others vanish
    top = float(np.percentile(np.abs(amount), 99.5)) or float(np.abs(amount).max()) or 1.0
    strength = np.clip(np.abs(amount) / top, 0, 1)
    low = -top if COLOURS[name] is SIGNED else 0
    image = axes.imshow(
        amount,
        cmap=COLOURS[name],
        vmin=low,
        vmax=top,
        alpha=0.85 * strength,
        extent=axes.images[0].get_extent(),
        interpolation="nearest",
    )
    opaque = ScalarMappable(image.norm, image.cmap)
    beside = axes.inset_axes((1.03, 0.1, 0.04, 0.8))
    bar = axes.figure.colorbar(opaque, cax=beside, format="{x:.2g}")
    bar.set_ticks(sorted({low, 0, top}))
    bar.ax.tick_params(labelsize=7)


def run(
    encoder: str,
    weights: str | Path,
    predictions: Sequence[str | Path],
    features: str | Path,
    split: str | Path,
    cases: Mapping[str, Sequence[str | Path]],
    output: str | Path,
    paths: Sequence[str | Path],
    *,
    network: Mapping,
    window: tuple[int, int],
    settings: Mapping,
    threshold: float | str,
    seed: int,
    disclaimers: Sequence[str],
    threads: int,
) -> None:
    """Explain the most confident true and false positives and negatives of an encoder.

    Args:
        encoder: Its name.
        weights: Its weights.
        predictions: What the linear protocol says with it, of every patient once.
        features, split, cases, window, settings, seed: See `explain`.
        output: Table to write.
        paths: Figures to write.
        network: Section of the configuration.
        threshold: Which predictions are positive, see `predictions.at_threshold`.
        disclaimers: Of the run, keys of `formatting.DISCLAIMERS`.
        threads: CPU threads; there is no need of a GPU.
    """
    devices.prepare("cpu", threads)
    confident = chosen(outcomes.at_threshold(outcomes.read(predictions), threshold))
    given = {"window": window, "settings": settings, "seed": seed}
    trained = backbone.read(weights, network).backbone
    found = explain(trained, confident, features, split, cases, **given)
    files.write_csv(table(found).round(6), output)
    draw(found, encoder, paths, disclaimers=disclaimers)
