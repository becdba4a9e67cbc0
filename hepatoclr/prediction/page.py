"""The answer for one CT as people read it: a page, and a picture of it."""

import base64
import io
import textwrap
from collections.abc import Mapping
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure
from PIL import Image

from hepatoclr.base import files
from hepatoclr.imaging import slices
from hepatoclr.interpretation import explain
from hepatoclr.prediction import bundles, card
from hepatoclr.prediction.answers import CANNOT_TELL
from hepatoclr.prediction.predict import Case, Prediction
from hepatoclr.quality import qc_image
from hepatoclr.reporting import formatting, html
from hepatoclr.reporting.colours import VERMILLION
from hepatoclr.reporting.plots import common, preprocessing

RESEARCH = "For research only. Nothing here may decide about a patient."
MAP_NOTE = (
    "Where the model's answer comes from in this slice (class activation): orange speaks for {}, "
    "blue for {}. It shows what a model reacts to, not what causes disease."
)
FORMATS = {"dicom": "DICOM", "zip": "zip archive", "nifti": "NIfTI"}
SCAN = {  # fact: words, with its unit
    "spacing_mm": "slices {0:.2f} mm apart, pixels {1:.2f} x {2:.2f} mm",
    "liver_ml": "liver {:.0f} ml",
    "liver_hu": "mean {:.0f} HU",
    "slices": "{} slices kept",
}


def write(found: Prediction, bundle: bundles.Bundle, place: Path) -> None:
    """Write the page, `.html`, and the picture of it, `.png`.

    Args:
        found: What is shown; the files of its stages are read.
        bundle: By which it was made.
        place: Path of both, without the ending.
    """
    quality = _quality(found.case, bundle.facts["preprocessing"]["tensors"]["window"])
    figure = _map(found, bundle.facts) if found.explanation else None
    pictures = {"quality": _png(quality)} | ({"map": _saved(figure)} if figure else {})
    encoded = {key: base64.b64encode(data).decode() for key, data in pictures.items()}
    page = html.render(
        "prediction.html.j2",
        research=RESEARCH,
        disclaimers=[formatting.DISCLAIMERS[one] for one in bundle.facts["disclaimers"]],
        answer=found.facts,
        sentences=sentences(found.facts),
        scan=scan(found.facts),
        pictures=encoded,
        note=_note(bundle.facts),
        card={
            "How": [card.how(bundle.facts)],
            "Trained on": _plain(card.populations(bundle.facts)),
            "How good": _plain(card.performance(bundle.facts)),
            "Has seen": list(card.limits(bundle.facts)),
        },
    )
    files.write_text(page, place.with_suffix(".html"))
    _picture(found.facts, quality, pictures.get("map"), place.with_suffix(".png"))


def sentences(facts: Mapping) -> list[str]:
    """The answer in words, the first the most important."""
    if "refused" in facts:
        return [f"No prediction: {facts['refused']}"]
    said = [
        f"Probability {facts['probability']:.2f}, which is called {facts['class']} (threshold "
        f"{facts['threshold']:.2f})."
    ]
    if facts["range"]:
        low, high = facts["range"]
        said.append(
            f"The {facts['models']} models of folds and trainings say {low:.2f} to {high:.2f}."
        )
    level = f"{facts['coverage']:.0%}"
    if facts["set"] == CANNOT_TELL:
        said.append(f"With a coverage of {level} the models cannot tell the classes apart here.")
    else:
        said.append(
            f"With a coverage of {level} it is {facts['set']}: of patients like those known, with "
            f"either class, {level} are given a set that holds their class."
        )
    return said


def scan(facts: Mapping) -> str:
    """The numbers of a CT in one line."""
    known = [
        text.format(*facts[key]) if isinstance(facts[key], list) else text.format(facts[key])
        for key, text in SCAN.items()
        if facts.get(key) is not None
    ]
    return ", ".join([FORMATS[facts["format"]], *known] if "format" in facts else known)


def _plain(lines: object) -> list[str]:
    return [line.removeprefix("- ") for line in lines]


def _note(facts: Mapping) -> str:
    return MAP_NOTE.format(*(facts["classes"][side]["name"] for side in ("positive", "negative")))


def _quality(case: Case, window: tuple[float, float]) -> Image.Image:
    """The quality control picture, of as many stages as there were."""
    ct, liver = (
        qc_image.read(path) if path.is_file() else None
        for path in (case.file("volumes", "nii.gz"), case.file("livers", "nii.gz"))
    )
    table = case.file("slices", "csv")
    kept = slices.read(table) if table.is_file() else []
    known = [case.file(stage, "json") for stage in ("slices", "livers", "volumes")]
    facts = next((files.read_json(path) for path in known if path.is_file()), {})
    return qc_image.draw(case.name, ct, liver, kept, facts, window)


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=9)
    return buffer.getvalue()


@matplotlib.rc_context(common.SETTINGS)
def _map(found: Prediction, facts: Mapping) -> Figure:
    """The slice that speaks most for the answer, plain and with the map."""
    shown = found.explanation
    figure = Figure(figsize=(7.2, 3.4))
    plain, overlaid = figure.subplots(1, 2)
    for axes in (plain, overlaid):
        preprocessing.draw_section(axes, shown.ct, shown.liver, shown.spacing, "upper")
    plain.set_title(f"Slice {shown.facts['slice']}, liver outlined")
    overlaid.set_title("Where the answer comes from")
    explain.overlay(overlaid, "activation", shown.maps["activation"])
    common.add_disclaimers(figure, facts["disclaimers"])
    return figure


def _saved(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    with matplotlib.rc_context(common.SETTINGS):
        figure.savefig(buffer, format="png", dpi=150, metadata={"Software": None})
    return buffer.getvalue()


@matplotlib.rc_context(common.SETTINGS)
def _picture(answer: Mapping, quality: Image.Image, map_png: bytes | None, path: Path) -> None:
    """The page as one picture, for slides and where no browser is."""
    pictures = [quality.convert("RGB")]
    if map_png:
        pictures.append(Image.open(io.BytesIO(map_png)).convert("RGB"))
    heights = [picture.height / picture.width for picture in pictures]
    width = 8.0
    lines = [line for text in sentences(answer) for line in textwrap.wrap(text, 105)]
    lines += [
        line
        for text in answer.get("warnings", [])
        for line in textwrap.wrap(f"Warning: {text}", 105)
    ]
    about = f"{answer['bundle']['name']}, sha256 {answer['bundle']['sha256'][:16]}. {RESEARCH}"
    foot = textwrap.wrap(about, 105)
    top, bottom = 0.5 + 0.19 * len(lines), 0.25 + 0.19 * len(foot)
    height = top + bottom + sum(width * share for share in heights)
    figure = Figure(figsize=(width, height))
    figure.set_layout_engine("none")
    figure.text(
        0.02,
        1 - 0.25 / height,
        f"Case {answer['case']}",
        fontsize=12,
        fontweight="bold",
        va="center",
    )
    figure.text(0.02, 1 - 0.45 / height, "\n".join(lines), fontsize=9, va="top")
    at = height - top
    for picture, share in zip(pictures, heights, strict=True):
        at -= width * share
        axes = figure.add_axes((0, at / height, 1, width * share / height))
        axes.imshow(picture)
        axes.set_axis_off()
    figure.text(0.02, 0.1 / height, "\n".join(foot), fontsize=8, color=VERMILLION, va="bottom")
    with files.atomic(path) as temporary:
        figure.savefig(temporary, dpi=130, metadata={"Software": None})
