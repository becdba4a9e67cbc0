"""Figures inside a page: SVG of matplotlib as markup that follows the page's colours."""

import re
from pathlib import Path

from markupsafe import Markup, escape

from hepatoclr.base.errors import UserError
from hepatoclr.reporting import colours

# The page gives each of these variables a shade that stands out on its light or dark paper.
COLOURS = {
    colours.ORANGE: "--orange",
    colours.SKY: "--sky",
    colours.GREEN: "--green",
    colours.BLUE: "--blue",
    colours.VERMILLION: "--vermillion",
    colours.PURPLE: "--purple",
}
COLOUR = re.compile(r'(?<=[ ":])#[0-9a-f]{6}\b', re.I)
SIZE = re.compile(r' width="([\d.]+)pt" height="[\d.]+pt"')


def inline(path: str | Path, title: str, prefix: str) -> Markup:
    """Read an SVG file as markup to put into a page.

    Figures of one page share ids otherwise, and a clip path would be taken from another figure.
    Grey becomes a mixture of the page's ink and paper, so that a figure is dark on a dark page.
    A figure that holds pictures, such as CT, stays as it is and asks for a white card.

    Args:
        path: The file.
        title: Its spoken name; `{prefix}text`, an id, is taken to be a longer description.
        prefix: Goes before its ids.

    Raises:
        UserError: The file is not SVG.
    """
    text = Path(path).read_text(encoding="utf-8")
    if "<svg" not in text:
        raise UserError(f"{path} is not an SVG file. Give the report figures as SVG.")
    drawing = text[text.index("<svg") :]
    drawing = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", drawing, flags=re.S)
    drawing = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{prefix}", drawing)
    card = "<image" in drawing
    if not card:
        drawing = COLOUR.sub(lambda found: _adapted(found[0]), drawing)
    drawing = SIZE.sub(r' style="--width: \1pt"', drawing, count=1)
    name = f'<svg role="img" aria-label="{escape(title)}" aria-describedby="{prefix}text"'
    name += ' class="card"' if card else ""
    return Markup(drawing.replace("<svg", name, 1))  # noqa: S704


def _adapted(colour: str) -> str:
    """A colour of a figure as the page is to show it."""
    red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    if red == green == blue:
        ink = round(100 * (1 - red / 255))
        return f"color-mix(in srgb, var(--ink) {ink}%, var(--paper))"
    variable = COLOURS.get(colour.upper())
    return f"var({variable})" if variable else colour
