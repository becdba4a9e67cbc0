"""The axial slices that are used: the central share of those that hold liver."""

import csv
import io
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hepatoclr.base import files
from hepatoclr.base.errors import EmptyLiver

if TYPE_CHECKING:  # reading a table of slices needs no library of images
    from hepatoclr.imaging.volumes import Volume


@dataclass(frozen=True)
class Slice:
    """A kept slice.

    Attributes:
        index: Its place in the volume, from the feet.
        z_mm: Its height in the patient, mm towards the head.
        position: Where in the liver it lies, 0 at the top and 1 at the tip.
        liver_area_mm2: Area of liver in it.
    """

    index: int
    z_mm: float
    position: float
    liver_area_mm2: float


HEADER = [field.name for field in fields(Slice)]


def central(liver: "Volume | np.ndarray", fraction: float = 0.7, by: str = "extent") -> list[Slice]:
    """Select the central share of the axial slices that hold liver.

    The liver's height is that of the largest connected component of its mask. By "extent" the
    slices are kept whose middle lies in the central share of the height, its ends included: of 10
    slices 8, of 20 slices 14. By "area" the number of slices is rounded: of 10 slices 7. Of the
    smallest share the middle, or the largest, slice is kept.

    Args:
        liver: Mask on the CT's grid, shape (z, y, x), not 0 where liver; a bare array is taken
            to have voxels of 1 mm.
        fraction: Share of the liver's slices to keep, in (0, 1].
        by: "extent" drops the same share of the liver's height at both ends; "area" keeps the
            slices with the largest area of liver, of all its pieces.

    Returns:
        The kept slices, top to bottom.

    Raises:
        EmptyLiver: No voxel is liver.
    """
    from hepatoclr.imaging import volumes

    if isinstance(liver, np.ndarray):
        liver = volumes.Volume(liver, np.diag([-1.0, -1.0, 1.0, 1.0]))
    _, row_mm, column_mm = liver.spacing
    area = np.count_nonzero(liver.array, axis=(1, 2)) * row_mm * column_mm
    if not area.any():
        raise EmptyLiver("the liver mask is empty")
    holding = np.flatnonzero(volumes.largest_component(liver.array).any(axis=(1, 2)))
    top, bottom = holding[-1], holding[0]
    position = (top - holding + 0.5) / (top - bottom + 1)
    if by == "extent":
        middle = np.abs(position - 0.5)
        kept = middle <= max(fraction / 2 + 1e-9, middle.min() + 1e-9)
    else:
        count = max(1, round(fraction * len(holding)))
        kept = np.zeros(len(holding), bool)
        kept[np.argsort(-area[holding], kind="stable")[:count]] = True
    return [
        Slice(int(k), round(float(liver.z_mm(k)), 3), round(float(p), 4), round(float(area[k]), 1))
        for k, p in zip(holding[kept][::-1], position[kept][::-1], strict=True)
    ]


def write(slices: list[Slice], path: str | Path) -> None:
    """Write the kept slices as CSV, a row each; no row stands for a case that was excluded."""
    with files.atomic(path) as temporary, open(temporary, "w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(HEADER)
        table.writerows(astuple(kept) for kept in slices)


def read(path: str | Path) -> list[Slice]:
    """Read what `write` wrote.

    Raises:
        UserError: The file is damaged.
    """
    with files.unreadable_as_user_error(path):
        text = Path(path).read_text(encoding="utf-8")
        header, *rows = csv.reader(io.StringIO(text))
        if not text.endswith("\n") or header != HEADER:
            raise ValueError("it is no whole table of slices")
        return [
            Slice(int(index), float(z), float(position), float(area))
            for index, z, position, area in rows
        ]
