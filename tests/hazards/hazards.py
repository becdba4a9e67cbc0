"""Hazards: CTs that are read right or excluded, each with the outcome that is expected.

A hazard is a function that writes a CT into a folder and returns its path, or None for the folder.
`hazard` registers it with its outcome: words of the refusal; or else the HU and the grid it must
be read with, and the flags it earns. `wanted` are settings of `ingest.read_ct`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from example_ct import affine, image, random_hu
from scipy import ndimage

from hepatoclr.base.errors import BadCase
from hepatoclr.imaging import ingest, volumes
from hepatoclr.imaging.volumes import Volume

HU = random_hu()
BOX = (20, 40, 36)  # images, rows, columns of a smooth CT


@dataclass
class Hazard:
    """A hazard and what must become of it."""

    make: Callable[[Path], Path | None]
    words: str | None = None
    hu: np.ndarray | None = None
    grid: np.ndarray | None = None
    flags: tuple[str, ...] = ()
    within: float = 0
    wanted: dict = field(default_factory=dict)

    def check(self, folder: Path) -> None:
        """Read the hazard, and compare with what is expected."""
        path = self.make(folder) or folder
        if self.words:
            with pytest.raises(BadCase) as refused:
                ingest.read_ct(path, **self.wanted)
            message = str(refused.value)
            assert self.words in message
            assert str(folder) not in message
            assert "Sentinel" not in message
            return
        ct = ingest.read_ct(path, **self.wanted)
        assert tuple(ct.facts["flags"]) == self.flags
        if self.hu is None:
            check_smooth(ct)
            return
        assert ct.array.shape == self.hu.shape
        assert np.abs(ct.array.astype(int) - self.hu).max() <= self.within
        np.testing.assert_allclose(ct.affine, self.grid, atol=1e-4)


def hazard(words: str | None = None, hu=HU, grid=None, flags=(), within=0, into=None, **wanted):
    """Register a hazard in `into`, a list; see the module."""

    def register(make):
        place = affine() if grid is None else grid
        into.append(
            pytest.param(Hazard(make, words, hu, place, flags, within, wanted), id=make.__name__)
        )
        return make

    return register


def smooth(points: np.ndarray) -> np.ndarray:
    """HU of a smooth body at points (..., 3), LPS mm; linear interpolation is right to 2 HU."""
    x, y, z = np.moveaxis(points, -1, 0)
    return 180 * np.sin(x / 12) + 180 * np.cos(y / 14) + 150 * np.sin(z / 13)


def write_smooth(
    folder: Path,
    row,
    column,
    step,
    spacing=(0.9, 0.8),
    box=BOX,
    change=lambda number, made: None,
    **tags,
) -> Path:
    """Write the smooth body as a series of images that lie as told: directions, and step in mm."""
    row, column, step = (np.array(vector, float) for vector in (row, column, step))
    folder.mkdir(parents=True, exist_ok=True)
    images, rows, columns = box
    for number in range(images):
        corner = np.array([-8.0, -10.0, -14.0]) + number * step
        down = np.arange(rows)[:, None, None] * spacing[0] * column
        along = np.arange(columns)[None, :, None] * spacing[1] * row
        hu = np.rint(smooth(corner + down + along))
        made = image(
            (hu + 1024).astype(np.uint16), corner, ImageOrientationPatient=[*row, *column],
            PixelSpacing=list(spacing), **tags,
        )  # fmt: skip
        change(number, made)
        made.save_as(folder / f"{number:03d}.dcm", enforce_file_format=True)
    return folder


def check_smooth(ct: Volume) -> None:
    """The volume shows the smooth body where it shows anything but the air around it."""
    index = np.stack(np.meshgrid(*map(np.arange, ct.array.shape[::-1]), indexing="ij"), -1)
    places = index @ ct.affine[:3, :3].T + ct.affine[:3, 3]
    true = smooth(places @ volumes.LPS_TO_RAS[:3, :3]).transpose(2, 1, 0)
    inside = ndimage.binary_erosion(ct.array > -700, np.ones((3, 3, 3)))
    assert inside.mean() > 0.2
    assert np.abs(ct.array[inside] - true[inside]).max() < 6
    x, y, z = ct.affine[:3, :3].T
    assert max(abs(z[0]), abs(z[1])) < 0.05 * abs(z[2])
