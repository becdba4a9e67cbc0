"""The picture of a case that people judge it by: slices with the liver's outline, intensities.

A cohort has thousands of cases: Pillow starts and draws in a fraction of the time that matplotlib
needs. While it is drawn a picture holds grey levels, and two numbers beyond them that
stand for colours; its few greys then keep the file small.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from hepatoclr.base import cases, files
from hepatoclr.imaging import volumes
from hepatoclr.imaging.slices import Slice
from hepatoclr.imaging.volumes import Volume

SIZE = 1200, 764
MARGIN, HEADER, LABEL = 12, 90, 22
AXIAL, LOWER = (285, 250), (384, 400)  # panels of the upper and the lower row
PANELS = 4  # axial slices

BLACK, PAGE, SHADE, MIDDLE, SOFT, BRIGHT = 0, 22, 40, 110, 180, 245
WHITE = 247  # the brightest voxel; antialiasing stays below the colours
LIVER, BAND = 254, 255
COLOURS = {LIVER: (230, 159, 0), BAND: (86, 180, 233)}  # Okabe and Ito's orange and sky blue
GREYS = 64

TISSUE = -300  # HU; air, most of the lungs and of the table lie below
AROUND_MM = 60  # shown above and below the liver
BIN_HU = 5


@dataclass(frozen=True)
class Case:
    """What is drawn of a case.

    Attributes:
        ct: HU.
        liver: Mask on the CT's grid, not 0 where liver, or None for a case without one.
        kept: The kept slices, none for a case excluded.
        window: Lowest and highest HU to show.
    """

    ct: Volume
    liver: Volume | None
    kept: Sequence[Slice]
    window: tuple[float, float]

    @cached_property
    def band(self) -> tuple[int, int]:
        """First and past-the-last kept slice; the whole CT if none is kept."""
        indices = [one.index for one in self.kept] or range(len(self.ct.array))
        return min(indices), max(indices) + 1

    @cached_property
    def axial(self) -> list[int]:
        """The axial slices to show, top first: evenly over the kept band."""
        low, high = self.band
        middles = (np.arange(PANELS)[::-1] + 0.5) / PANELS
        return list(dict.fromkeys(int(low + middle * (high - low)) for middle in middles))

    @cached_property
    def seen(self) -> tuple[slice, slice, slice]:
        """The part worth showing: the body, some way above and below the liver."""
        slices, rows, columns = (slice(0, size) for size in self.ct.array.shape)
        if self.liver is not None:
            around = round(AROUND_MM / self.ct.spacing[0])
            low, high = _extent(self.liver.array.any(axis=(1, 2)))
            slices = slice(max(low - around, 0), min(high + around, slices.stop))
        tissue = self.ct.array[slices, ::4, ::4] > TISSUE
        if tissue.any():
            rows = slice(*(4 * edge for edge in _extent(tissue.any(axis=(0, 2)))))
            columns = slice(*(4 * edge for edge in _extent(tissue.any(axis=(0, 1)))))
        return slices, rows, columns

    @cached_property
    def centre(self) -> tuple[int, int]:
        """Row and column of the largest coronal and sagittal section of the liver."""
        if self.liver is None:
            return self.ct.array.shape[1] // 2, self.ct.array.shape[2] // 2
        row, column = (np.count_nonzero(self.liver.array, axis=axes) for axes in ((0, 2), (0, 1)))
        return int(row.argmax()), int(column.argmax())


def read(path: str | Path) -> Volume | None:
    """Read a volume or mask; None for the empty file of a case excluded, or an empty mask."""
    found = volumes.load(path) if Path(path).stat().st_size else None
    return found if found is not None and found.array.any() else None


def draw(
    name: str,
    ct: Volume | None,
    liver: Volume | None,
    kept: Sequence[Slice],
    facts: Mapping,
    window: tuple[float, float],
    synthetic: bool = False,
) -> Image.Image:
    """Draw a case: axial slices, coronal and sagittal view, intensities.

    Args:
        name: The case, shown as the title.
        ct: HU, or None for a case that was excluded when its image was read.
        liver: Mask on the CT's grid, not 0 where liver, or None for a case without one.
        kept: The kept slices.
        facts: Facts of the liver: volume_ml, liver_hu and flags, where they are known, or the
            reason of a case excluded.
        window: Lowest and highest HU to show.
        synthetic: Whether the CT is simulated, which the picture then says.

    Returns:
        A palette image of `SIZE`.
    """
    page = Image.new("L", SIZE, PAGE)
    pen = ImageDraw.Draw(page)
    title = f"{name} (synthetic)" if synthetic else name
    # names have up to 201 letters
    font = _font(24) if _fits(title, _font(24)) else _font(14)
    pen.text((MARGIN, 8), _cut(title, font), BRIGHT, font)
    reason = f"Excluded: {facts[cases.EXCLUDED]}" if cases.EXCLUDED in facts else ""
    if ct is None:
        _paragraph(pen, (MARGIN, 120), reason, size=40, lines=10)
        return _coloured(page)
    _paragraph(pen, (MARGIN, 42), reason or _caption(ct, kept, facts), size=17, lines=2)
    case = Case(ct, liver, kept, window)
    _draw_axial(page, case)
    _draw_reformats(page, case)
    _draw_histogram(page, case)
    return _coloured(page)


def save(picture: Image.Image, path: str | Path) -> None:
    """Write a picture as PNG without metadata; equal pictures give equal bytes."""
    with files.atomic(path) as temporary:
        picture.save(temporary, "PNG", compress_level=9)


def _caption(ct: Volume, kept: Sequence[Slice], facts: Mapping) -> str:
    """The numbers of a case."""
    z, y, x = ct.spacing
    known = {"volume_ml": "liver {:.0f} ml", "liver_hu": "mean {:.0f} HU"}
    parts = [text.format(facts[key]) for key, text in known.items() if facts.get(key) is not None]
    parts += ["mask corrected by hand"] * ("corrected" in facts.get("flags", {}))
    parts.append(f"{len(kept)} of {len(ct.array)} slices kept")
    return ",  ".join([*parts, f"voxels {x:.2f} x {y:.2f} x {z:.2f} mm"])


def _draw_axial(page: Image.Image, case: Case) -> None:
    """The upper row: axial slices, the patient's right on the left."""
    _, *part = case.seen
    _, *spacing = case.ct.spacing
    for place, index in enumerate(case.axial):
        corner = MARGIN + place * (AXIAL[0] + MARGIN), HEADER
        where = _section(page, corner, AXIAL, case, (index, *part), spacing)
        _label(page, corner, where, f"slice {index}", "R")


def _draw_reformats(page: Image.Image, case: Case) -> None:
    """The coronal and the sagittal view, with the ends of the kept band, head up."""
    z, y, x = case.ct.spacing
    slices, rows, columns = case.seen
    upward = slice(slices.stop - 1, slices.start - 1 if slices.start else None, -1)
    row, column = case.centre
    views = [
        ("coronal", (upward, row, columns), (z, x), "R"),
        ("sagittal", (upward, rows, column), (z, y), "A"),
    ]
    pen = ImageDraw.Draw(page)
    for place, (name, part, spacing, side) in enumerate(views):
        corner = MARGIN + place * (LOWER[0] + MARGIN), HEADER + AXIAL[1] + MARGIN
        left, top, right, bottom = _section(page, corner, LOWER, case, part, spacing)
        slice_height = (bottom - top) / (slices.stop - slices.start)
        for edge in case.band if case.kept else ():
            at = top + round((slices.stop - edge) * slice_height)
            pen.line((left, at, right - 1, at), BAND, 2)
        for index in case.axial:
            at = top + round((slices.stop - index - 0.5) * slice_height)
            pen.line((right - 10, at, right - 1, at), BRIGHT, 2)
        _label(page, corner, (left, top, right, bottom), name, side)
        if case.kept:
            _key(pen, (corner[0] + 90, corner[1]), BAND, "kept slices, between the lines")


def _section(
    page: Image.Image,
    corner: tuple[int, int],
    room: tuple[int, int],
    case: Case,
    part: tuple[int | slice, ...],
    spacing: Sequence[float],
) -> tuple[int, int, int, int]:
    """Draw a section of a CT with the liver's outline, mm for mm, as large as there is room.

    Args:
        page: What to draw on.
        corner: Left and top of the room, pixels.
        room: Its width and height; a line of it is left for the label.
        case: The case.
        part: Index of the section in the volume.
        spacing: Distance of the section's rows and columns, mm.

    Returns:
        Where the section lies: left, top, right, bottom.
    """
    pixels = case.ct.array[part].astype(np.float32)
    low, high = case.window
    grey = ((pixels.clip(low, high) - low) * (WHITE / (high - low))).round().astype(np.uint8)
    height, width = (count * mm for count, mm in zip(pixels.shape, spacing, strict=True))
    scale = min(room[0] / width, (room[1] - LABEL) / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    left, top = corner[0] + (room[0] - size[0]) // 2, corner[1] + LABEL
    # linear, because other filters overshoot into the numbers of the colours
    page.paste(Image.fromarray(grey).resize(size, Image.Resampling.BILINEAR), (left, top))
    if case.liver is not None:
        mask = Image.fromarray((case.liver.array[part] > 0).astype(np.uint8) * 255)
        page.paste(LIVER, (left, top), _outline(mask.resize(size, Image.Resampling.BILINEAR)))
    return left, top, left + size[0], top + size[1]


def _outline(mask: Image.Image) -> Image.Image:
    """The outermost pixels of a mask, 255, from its resized grey levels."""
    whole = mask.point(lambda level: 255 * (level > 127))
    return ImageChops.difference(whole, whole.filter(ImageFilter.MinFilter(3)))


def _draw_histogram(page: Image.Image, case: Case) -> None:
    """Intensities of the liver and of the body; what the window cuts off is shaded."""
    left, top = MARGIN + 2 * (LOWER[0] + MARGIN), HEADER + AXIAL[1] + MARGIN
    right, bottom, ceiling = left + LOWER[0], top + LOWER[1] - 24, top + LABEL
    low, high = case.window
    beyond = 0.2 * (high - low)
    edges = np.arange(low - beyond, high + beyond + BIN_HU, BIN_HU)

    def across(hu: float) -> float:
        return left + (hu - edges[0]) / (edges[-1] - edges[0]) * (right - left)

    def curve(values: np.ndarray) -> list[tuple[float, float]]:
        counts, _ = np.histogram(values, edges)
        heights = counts / max(counts.max(), 1) * (bottom - ceiling - 8)
        middles = edges[:-1] + BIN_HU / 2
        return [(across(hu), bottom - height) for hu, height in zip(middles, heights, strict=True)]

    pen = ImageDraw.Draw(page)
    pen.rectangle((left, ceiling, right, bottom), BLACK)
    for start, end in ((edges[0], low), (high, edges[-1])):
        pen.rectangle((across(start), ceiling, across(end), bottom), SHADE)
    sample = case.ct.array[case.seen][:, ::2, ::2]
    body = curve(sample[sample > TISSUE])
    pen.polygon([(body[0][0], bottom), *body, (body[-1][0], bottom)], MIDDLE)
    _key(pen, (left + 4, top), MIDDLE, "body")
    if case.liver is not None:
        inside = case.ct.array[case.liver.array > 0]
        pen.line(curve(inside), LIVER, 3)
        cut = np.mean((inside < low) | (inside > high))
        _key(pen, (left + 80, top), LIVER, f"liver, {cut:.1%} outside the window")
    pen.line((left, bottom, right, bottom), SOFT)
    pen.text((right, bottom + 6), "HU", SOFT, _font(14), anchor="ra")
    for hu in np.linspace(low, high, 6):
        pen.line((across(hu), bottom, across(hu), bottom + 4), SOFT)
        pen.text((across(hu), bottom + 6), f"{hu:g}", SOFT, _font(14), anchor="ma")


def _key(pen: ImageDraw.ImageDraw, at: tuple[int, int], level: int, text: str) -> None:
    """A sample of a grey level or colour, and what it stands for."""
    left, top = at
    pen.rectangle((left, top + 3, left + 12, top + 15), level)
    pen.text((left + 20, top), text, SOFT, _font(15))


def _label(
    page: Image.Image,
    corner: tuple[int, int],
    where: tuple[int, int, int, int],
    name: str,
    side: str,
) -> None:
    """Name a section above it, and in it the side of the patient on its left."""
    left, top, _, bottom = where
    pen, edge = ImageDraw.Draw(page), {"stroke_width": 2, "stroke_fill": BLACK}
    pen.text(corner, name, BRIGHT, _font(15))
    pen.text((left + 4, (top + bottom) // 2), side, BRIGHT, _font(15), anchor="lm", **edge)


def _paragraph(
    pen: ImageDraw.ImageDraw, at: tuple[int, int], text: str, size: int, lines: int
) -> None:
    """Write text as wide as the page; what does not fit into so many lines is cut off."""
    font, wrapped = _font(size), [""]
    for word in text.split():
        longer = f"{wrapped[-1]} {word}".strip()
        wrapped[-1:] = [longer] if _fits(longer, font) else [wrapped[-1], word]
    shown = [*wrapped[: lines - 1], _cut(" ".join(wrapped[lines - 1 :]), font)]
    pen.multiline_text(at, "\n".join(shown), SOFT, font, spacing=size * 0.4)


def _fits(text: str, font: ImageFont.FreeTypeFont) -> bool:
    """Say whether a line is no wider than the page."""
    return font.getlength(text) <= SIZE[0] - 2 * MARGIN


def _cut(text: str, font: ImageFont.FreeTypeFont) -> str:
    """Cut a line to the width of the page."""
    if _fits(text, font):
        return text
    while not _fits(f"{text} ...", font):
        text = text[:-1]
    return f"{text} ..."


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    """Pillow's own font."""
    return ImageFont.load_default(size)


def _extent(holding: np.ndarray) -> tuple[int, int]:
    """First and past-the-last place that holds something."""
    places = np.flatnonzero(holding)
    return int(places[0]), int(places[-1]) + 1


def _coloured(page: Image.Image) -> Image.Image:
    """Turn grey levels and numbers of colours into a palette image."""
    greys = [min(level, WHITE) * (GREYS - 1) // WHITE for level in range(256)]
    numbers = {level: GREYS + place for place, level in enumerate(COLOURS)}
    shown = page.point([numbers.get(level, grey) for level, grey in enumerate(greys)])
    shown.putpalette(
        [round(255 * grey / (GREYS - 1)) for grey in range(GREYS) for _ in range(3)]
        + [part for colour in COLOURS.values() for part in colour]
    )
    return shown
