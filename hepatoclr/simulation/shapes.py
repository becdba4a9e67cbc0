"""Shapes in space: sample points, signed distances to solids, and smooth random fields.

Distances are in millimetres, negative inside, and good near the surface, which is all that
painting with soft edges needs. Everything is a smooth function of position, so one scene can be
sampled on any grid.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

Box = tuple[slice, ...]


@dataclass(frozen=True)
class Grid:
    """Sample points: the axes in reference millimetres, and the points after the patient's warp."""

    axes: tuple[np.ndarray, np.ndarray, np.ndarray]
    z: np.ndarray
    y: np.ndarray
    x: np.ndarray

    def crop(self, low: tuple, high: tuple) -> tuple[Box, "Grid"]:
        """The part within [low, high] (mm, given as (x, y, z)), as slices and as a grid."""
        box = tuple(
            slice(*np.searchsorted(axis, (start, stop)))
            for axis, start, stop in zip(self.axes, low[::-1], high[::-1], strict=True)
        )
        axes = tuple(axis[part] for axis, part in zip(self.axes, box, strict=True))
        return box, Grid(axes, self.z[box], self.y[box], self.x[box])


def field(rng: np.random.Generator, axes: tuple, wavelength: float, waves: int = 40) -> np.ndarray:
    """A smooth random field of mean 0 and variance 1 with structure of one size.

    A sum of plane waves, each a product over the axes: one matrix product for all points.

    Args:
        rng: Source of the waves; equal states give the same field on any grid.
        axes: Points along (z, y, x), mm.
        wavelength: Size of the structure, mm; wave numbers spread by 30 % around it.
        waves: Number of waves.

    Returns:
        float32, shape (z, y, x).
    """
    direction = rng.normal(size=(3, waves))
    direction /= np.linalg.norm(direction, axis=0)
    wave = direction * rng.uniform(0.7, 1.3, waves) * (2 * np.pi / wavelength)
    phase = np.exp(2j * np.pi * rng.random(waves)) * np.sqrt(2 / waves)
    # in float64: the order of the sums must not show, whatever the number of threads
    turns = [np.outer(axis.astype(float), w) for axis, w in zip(axes, wave, strict=True)]
    z, y, x = (np.exp(1j * turn) for turn in turns)
    plane = (z[:, None] * y[None] * phase).reshape(-1, waves)
    product = np.hstack((plane.real, -plane.imag)) @ np.hstack((x.real, x.imag)).T
    return product.astype(np.float32).reshape([len(axis) for axis in axes])


def ellipsoid(g: Grid, centre: tuple, radii: tuple, power: float = 2.0) -> np.ndarray:
    """Distance along the ray from the centre of a (super)ellipsoid, given as (x, y, z).

    With centre and radii (x, y) it is a cylinder along z.
    """
    offsets = [axis - c for axis, c in zip((g.x, g.y, g.z), centre, strict=False)]
    scaled = [np.abs(offset) / radius for offset, radius in zip(offsets, radii, strict=True)]
    if power == 2.0:
        radius = np.sqrt(sum(a * a for a in scaled))
    else:
        radius = sum(a**power for a in scaled) ** (1 / power)
    return np.sqrt(sum(o * o for o in offsets)) * (1 - 1 / np.maximum(radius, 0.05))


def tube(g: Grid, points: Sequence[tuple]) -> np.ndarray:
    """Distance to a tube through points (x, y, z, radius)."""
    return np.minimum.reduce([_cone(g, start, end) for start, end in pairwise(points)])


def _cone(g: Grid, start: tuple, end: tuple) -> np.ndarray:
    """Distance to a straight piece of tube with round ends."""
    dx, dy, dz, dr = (b - a for a, b in zip(start, end, strict=True))
    x, y, z = g.x - start[0], g.y - start[1], g.z - start[2]
    along = np.clip((x * dx + y * dy + z * dz) / max(dx * dx + dy * dy + dz * dz, 1e-6), 0, 1)
    away = np.sqrt((x - along * dx) ** 2 + (y - along * dy) ** 2 + (z - along * dz) ** 2)
    return away - (start[3] + along * dr)


def blend(first: np.ndarray, second: np.ndarray, width: float) -> np.ndarray:
    """Union of two shapes with a rounded seam."""
    share = np.clip(0.5 + (second - first) / (2 * width), 0, 1)
    return second + (first - second) * share - width * share * (1 - share)


def wrap(value: np.ndarray, period: float) -> np.ndarray:
    """Bring a value into [-period / 2, period / 2)."""
    return value - period * np.floor(value / period + 0.5)


def threads(rng: np.random.Generator, axes: tuple, wavelength: float) -> np.ndarray:
    """Distance to the curves on which two random fields vanish: a tangle of small vessels."""
    first, second = field(rng, axes, wavelength), field(rng, axes, wavelength)
    return np.sqrt(first**2 + second**2) * (wavelength / (2 * np.pi))


def branches(rng: np.random.Generator, path: Sequence[tuple], depth: int) -> list[Sequence[tuple]]:
    """A vessel and its side branches, ever thinner; a path is points (x, y, z, radius)."""
    tree = [path]
    for start, end in pairwise(path) if depth else ():
        trunk = np.subtract(end, start)
        for share in (0.4, 0.85):
            root = np.add(start, share * trunk)
            aside = rng.normal(size=3) * np.linalg.norm(trunk[:3]) * 0.45
            tip = root[:3] + 0.7 * trunk[:3] + aside
            twig = [(*root[:3], 0.7 * root[3]), (*tip, 0.42 * root[3])]
            tree += branches(rng, [tuple(map(float, point)) for point in twig], depth - 1)
    return tree
