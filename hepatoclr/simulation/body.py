"""A body being painted onto a grid: organs in turn, each clear of those before it."""

from dataclasses import replace
from functools import cached_property

import numpy as np

from hepatoclr.simulation.patients import Patient
from hepatoclr.simulation.shapes import Box, Grid, blend, ellipsoid

LIVER, SPLEEN, KIDNEY, ASCITES = 1, 2, 3, 4
WHOLE = (slice(None),) * 3


def cavity(g: Grid) -> np.ndarray:
    """Inside of the ribs and the abdominal wall: narrower in the chest, pushed in by the spine."""
    narrow = 1 - 0.0009 * np.maximum(g.z + 80, 0)
    inside = ellipsoid(replace(g, x=g.x / narrow), (0, -11), (126, 86), 2.4)
    return -blend(-inside, ellipsoid(g, (0, 76), (36, 50)), 8.0)


def diaphragm(g: Grid, left_dome: float) -> np.ndarray:
    """Distance to the underside of the diaphragm: a high right dome, a saddle, a left dome."""
    domes = ((-60, -2, 0, 74), (6, -28, 22, 64), (66, 0, left_dome, 70))
    depths = []
    for x, y, low, reach in domes:
        outwards = ((g.x - x) ** 2 + (g.y - y) ** 2) / reach**2
        depths.append(low + (70 + 0.55 * g.y) * outwards**2)
    right, saddle, left = depths
    # 0.6: the domes slope, so what lies straight above is nearer than it seems
    return 0.6 * (g.z + blend(blend(right, saddle, 12.0), left, 12.0))


class Body:
    """A body being painted onto a grid.

    Attributes:
        hu: Density, HU, shape (z, y, x).
        labels: LIVER, SPLEEN, KIDNEY, ASCITES or 0.
        room: Distance to the organs placed so far: a later organ keeps clear of them.
    """

    def __init__(self, who: Patient, g: Grid, edge: float) -> None:
        self.who, self.g, self.edge = who, g, edge
        self.hu = np.full(g.x.shape, -1000, np.float32)
        self.labels = np.zeros(g.x.shape, np.uint8)
        self.room = np.full(g.x.shape, 1000, np.float32)

    @cached_property
    def cavity(self) -> np.ndarray:
        """Distance to the inside of the wall."""
        return cavity(self.g)

    @cached_property
    def abdomen(self) -> np.ndarray:
        """Distance to the space within the wall and below the diaphragm."""
        return np.maximum(self.cavity, diaphragm(self.g, self.who.sizes["left_dome"]))

    def paint(self, distance: np.ndarray, hu: float | np.ndarray, box: Box = WHOLE) -> None:
        """Cover what lies within `distance` < 0, with an edge one pixel wide."""
        cover = np.clip(0.5 - distance / self.edge, 0, 1)
        self.hu[box] += cover * (hu - self.hu[box])

    def place(
        self,
        distance: np.ndarray,
        hu: float | np.ndarray,
        box: Box,
        gap: float = 2.0,
        margin: float = 0.0,
        label: int = 0,
    ) -> np.ndarray:
        """Paint an organ where no other is.

        Args:
            distance: Distance to the organ in `box`, as if it were alone.
            hu: Its density.
            box: Part of the grid that holds it.
            gap: Fat between it and the organs before it, mm.
            margin: Fat it adds to the gap of the organs after it, mm.
            label: Its label.

        Returns:
            Distance to what is left of the organ, in `box`.
        """
        distance = np.maximum(distance, gap - self.room[box])
        self.room[box] = np.minimum(self.room[box], distance - margin)
        self.paint(distance, hu, box)
        if label:
            self.labels[box][distance < 0] = label
        return distance
