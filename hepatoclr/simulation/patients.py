"""Synthetic patients: their build, the contrast of their scan, and what fibrosis did to them."""

import zlib
from dataclasses import dataclass

import numpy as np

from hepatoclr.simulation.shapes import Grid, field


@dataclass(frozen=True)
class Patient:
    """One synthetic patient; lengths in mm, densities in HU.

    Attributes:
        key: Integers that seed everything random about this patient.
        scale: Stretch of the reference body along (z, y, x).
        sizes: Lengths and factors by name: fat, stomach, spleen, ascites ...
        hu: Density by tissue.
    """

    key: tuple[int, ...]
    scale: tuple[float, float, float]
    sizes: dict[str, float]
    hu: dict[str, float]

    def rng(self, name: str) -> np.random.Generator:
        """A stream of its own for each named thing, so that adding one changes no other."""
        return np.random.default_rng([*self.key, zlib.crc32(name.encode())])


def patient(key: tuple[int, ...], stage: int) -> Patient:
    """Draw a patient with fibrosis of METAVIR stage 0..4."""
    rng = np.random.default_rng([*key, zlib.crc32(b"patient")])
    scale = tuple(float(s) for s in rng.normal(1.0, (0.05, 0.07, 0.055)).clip(0.88, 1.12))
    return Patient(key, scale, _habitus(rng) | _signs(rng, stage), _densities(rng))


def _habitus(rng: np.random.Generator) -> dict[str, float]:
    """Draw what differs between patients whatever their liver: sizes in mm, or factors."""
    uniform = {
        "fat": (4, 34),
        "gap": (1.5, 5.0),
        "stomach": (0.6, 1.1),
        "gas": (-0.9, 0.9),
        "stool": (-0.6, 0.6),
        "bowel": (-0.5, 0.5),
        "cysts": (-4, 3),
        "rib_phase": (0, 29),
        "disc_phase": (0, 34),
        "left_dome": (12, 26),
    }
    return {name: float(rng.uniform(low, high)) for name, (low, high) in uniform.items()}


def _signs(rng: np.random.Generator, stage: int) -> dict[str, float]:
    """Draw the signs of fibrosis: each follows the stage with a spread of its own."""
    severity = stage / 4 + rng.normal(0, 0.05)

    def ramp(start: float, end: float) -> float:
        return float(np.clip((severity + rng.normal(0, 0.07) - start) / (end - start), 0, 1))

    return {
        "nodularity": 0.3 + 1.4 * ramp(0.15, 1.0),
        "texture": 2.0 + 18.0 * ramp(0.2, 0.95),
        "atrophy": ramp(0.2, 1.0),
        "spleen": float(np.exp(rng.normal(0, 0.07))) * (1 + 0.5 * ramp(0.25, 1.0)),
        "portal": 6.0 + 2.0 * ramp(0.2, 1.0),
        "ascites": 24.0 * ramp(0.77, 1.08),
    }


def _densities(rng: np.random.Generator) -> dict[str, float]:
    """Draw portal-venous densities; how well contrast arrived does not depend on the liver."""
    contrast = rng.normal(1.0, 0.10)
    enhanced = {"liver": 57, "spleen": 75, "kidney": 150, "aorta": 112, "portal": 128, "muscle": 12}
    plain = {"liver": 58, "spleen": 48, "kidney": 32, "aorta": 42, "portal": 40, "muscle": 48}
    hu = {name: plain[name] + contrast * rise for name, rise in enhanced.items()}
    hu["liver"] += rng.normal(0, 9)
    hu |= {"fat": rng.normal(-103, 5), "lung": rng.normal(-850, 25), "fluid": rng.uniform(2, 22)}
    hu |= {"bone": rng.uniform(420, 650), "marrow": rng.uniform(140, 240)}
    return {name: float(value) for name, value in hu.items()}


def grid(who: Patient, z: np.ndarray, y: np.ndarray, x: np.ndarray) -> Grid:
    """Sample points at body millimetres z, y, x (each ascending), bent by the patient's warp."""
    axes = tuple((a / s).astype(np.float32) for a, s in zip((z, y, x), who.scale, strict=True))
    bent = [
        axis.reshape([-1 if i == j else 1 for j in range(3)])
        + amount * field(who.rng(f"warp{i}"), axes, 130.0, 12)
        for i, (axis, amount) in enumerate(zip(axes, (3.0, 2.5, 3.0), strict=True))
    ]
    return Grid(axes, *bent)
