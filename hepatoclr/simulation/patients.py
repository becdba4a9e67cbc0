"""Synthetic patients: build, other disease, signs of fibrosis, and where they were scanned."""

import zlib
from dataclasses import dataclass

import numpy as np

from hepatoclr.simulation import signs
from hepatoclr.simulation.shapes import Grid, field


@dataclass(frozen=True)
class Site:
    """How a hospital scans, factors of what `scanner` draws, and who comes to it.

    Attributes:
        sharpness: Of the reconstruction kernel.
        noise: Of the images.
        thickness: Of the slices.
        delay: Mean time after the portal-venous peak, standard deviations of the delay.
        oral: Chance of positive oral contrast medium.
        table: Chance that the field of view shows the table.
        fat: Thickness of the fat below the skin, mm, from and to.
        age: Years, from and to.
        chances: Of steatosis, congestion, splenomegaly of other cause, and resection.
    """

    sharpness: float
    noise: float
    thickness: float
    delay: float
    oral: float
    table: float
    fat: tuple[float, float] = (4, 34)
    age: tuple[float, float] = (25, 85)
    chances: tuple[float, float, float, float] = (0.25, 0.04, 0.05, 0.02)


SITES = {
    "A": Site(sharpness=1.1, noise=1.1, thickness=0.9, delay=-0.3, oral=0.1, table=0.8),
    "B": Site(sharpness=1.0, noise=1.0, thickness=1.0, delay=0.0, oral=0.2, table=0.5),
    "C": Site(sharpness=0.9, noise=0.9, thickness=1.1, delay=0.3, oral=0.4, table=0.2),
    # another hospital: another scanner and protocol, older and fatter patients, more other disease
    "D": Site(
        **{"sharpness": 1.3, "noise": 1.4, "thickness": 0.7, "delay": -0.8, "oral": 0.6},
        **{"table": 1.0, "fat": (14, 46), "age": (50, 90), "chances": (0.45, 0.20, 0.30, 0.06)},
    ),
}
HOSPITALS = {"own": ("A", "B", "C"), "other": ("D",)}
ADVANCED = 3  # the least stage of advanced fibrosis
TUMOUR = (0.005, 0.005, 0.01, 0.03, 0.08)  # chance of a hepatocellular carcinoma at F0..F4
ATTENUATION = 8.0  # HU of a standard deviation of the liver's enhancement


@dataclass(frozen=True)
class Patient:
    """One synthetic patient; lengths in mm, densities in HU.

    Attributes:
        key: Integers that seed everything random about this patient.
        scale: Stretch of the reference body along (z, y, x).
        sizes: Lengths and factors by name: fat, stomach, spleen, ascites ...
        hu: Density by tissue.
        signs: Signs of fibrosis, see `signs.draw`.
        site: Name of the hospital, of `SITES`.
    """

    key: tuple[int, ...]
    scale: tuple[float, float, float]
    sizes: dict[str, float]
    hu: dict[str, float]
    signs: dict[str, float]
    site: str

    def rng(self, name: str) -> np.random.Generator:
        """A stream of its own for each named thing, so that adding one changes no other."""
        return _stream(self.key, name)


def _stream(key: tuple[int, ...], name: str) -> np.random.Generator:
    return np.random.default_rng([*key, zlib.crc32(name.encode())])


def patient(
    key: tuple[int, ...],
    stage: int,
    effect: float = 1.0,
    site: str = "B",
) -> Patient:
    """Draw a patient.

    Args:
        key: Integers that seed everything random about the patient.
        stage: METAVIR stage, 0..4.
        effect: Multiple of the effect of fibrosis on its signs.
        site: Of `SITES`.
    """
    where = SITES[site]
    scale = _stream(key, "scale").normal(1.0, (0.05, 0.07, 0.055)).clip(0.88, 1.12)
    sizes = _habitus(_stream(key, "habitus"), where)
    disease, other = _other_disease(_stream(key, "disease"), stage, effect, where)
    found = signs.draw(_stream(key, "signs"), stage, sizes["age"], effect, other)
    sizes |= disease | _sizes(_stream(key, "sizes"), found, disease)
    hu = _densities(_stream(key, "densities"), where, sizes["age"])
    hu["liver"] += ATTENUATION * found["attenuation"]
    sizes["oral"] = _oral(_stream(key, "oral"), where)
    return Patient(key, tuple(map(float, scale)), sizes, hu, found, site)


def site(key: tuple[int, ...], stage: int, confounding: float = 0.0, hospital: str = "own") -> str:
    """Draw the site to which a patient comes.

    Args:
        key, stage: As in `patient`.
        confounding: Chance that the site follows the stage: F3-F4 to the first, others to the
            last. Else every site is equally likely.
        hospital: Which sites there are, of `HOSPITALS`.
    """
    rng, names = _stream(key, "site"), HOSPITALS[hospital]
    if rng.random() < confounding:
        return names[0] if stage >= ADVANCED else names[-1]
    return names[rng.integers(len(names))]


def _habitus(rng: np.random.Generator, where: Site) -> dict[str, float]:
    """Draw what differs between patients whatever their liver: years, sizes in mm, or factors."""
    uniform = {
        "fat": where.fat,
        "gap": (1.5, 5.0),
        "stomach": (0.6, 1.1),
        "gas": (-0.9, 0.9),
        "stool": (-0.6, 0.6),
        "bowel": (-0.5, 0.5),
        "cysts": (-4, 3),
        "rib_phase": (0, 29),
        "disc_phase": (0, 34),
        "left_dome": (12, 26),
        "age": where.age,
    }
    drawn = {name: float(rng.uniform(low, high)) for name, (low, high) in uniform.items()}
    arms = float(rng.random() < 0.07)  # at the side, where they could not be raised
    return drawn | {"liver": float(np.exp(rng.normal(0, 0.05)).clip(0.88, 1.1)), "arms": arms}


def _other_disease(
    rng: np.random.Generator, stage: int, effect: float, where: Site
) -> tuple[dict[str, float], dict[str, float]]:
    """Draw disease and surgery that is no fibrosis, and what it adds to the signs."""
    steatosis, congestion, splenomegaly, resection = (rng.random(4) < where.chances).astype(float)
    other = {
        "attenuation": -steatosis * rng.uniform(0.5, 3.5) - congestion,
        "spleen": splenomegaly * rng.uniform(1.0, 3.5),
        "atrophy": 1.5 * resection - congestion,
        "hypertrophy": 1.5 * resection,
        "texture": 1.5 * congestion,
    }
    chance = TUMOUR[0] + effect * (TUMOUR[stage] - TUMOUR[0])
    return {
        "hepatic": 1.6 if congestion else 1.0,  # width of the hepatic veins
        "cava": 1.25 if congestion else 1.0,
        "effusion": float(congestion and rng.random() < 0.2),
        "removed_spleen": float(rng.random() < 0.015),
        "removed_gallbladder": float(rng.random() < 0.12),
        "metastases": float(rng.integers(1, 7) if rng.random() < 0.06 else 0),
        "carcinoma": float(rng.random() < chance),
    }, other


def _sizes(
    rng: np.random.Generator, found: dict[str, float], disease: dict[str, float]
) -> dict[str, float]:
    """Turn the standard scores of the signs into mm, HU and factors of the reference body."""
    wet = found["ascites"] or disease["effusion"]
    return {
        "nodularity": float(np.clip(0.6 * np.exp(0.36 * found["nodularity"]), 0.1, 2.4)),
        "texture": float(np.clip(3.2 * np.exp(0.30 * found["texture"]), 1.2, 8.0)),
        "atrophy": float(np.clip(0.40 * found["atrophy"], -1.0, 1.7)),
        "hypertrophy": float(np.clip(0.45 * found["hypertrophy"], -1.0, 1.9)),
        "spleen": float(np.clip(1.03 * np.exp(0.13 * found["spleen"]), 0.7, 1.9)),
        "portal": float(np.clip(6.0 + 0.8 * found["portal"], 3.8, 10.0)),
        "ascites": float(rng.uniform(4, 26)) if wet else 0.0,
    }


def _densities(rng: np.random.Generator, where: Site, age: float) -> dict[str, float]:
    """Draw portal-venous densities; how well contrast arrived does not depend on the liver."""
    contrast = rng.normal(1.0, 0.12)
    late = where.delay + rng.normal()  # arteries wash out while the parenchyma still fills
    enhanced = {"liver": 55, "spleen": 75, "kidney": 150, "aorta": 112, "portal": 120, "muscle": 12}
    plain = {"liver": 58, "spleen": 48, "kidney": 32, "aorta": 42, "portal": 40, "muscle": 48}
    delay = {"liver": 3, "spleen": -6, "kidney": 0, "aorta": -16, "portal": -5, "muscle": 1}
    hu = {
        name: plain[name] + contrast * rise + late * delay[name] for name, rise in enhanced.items()
    }
    hu["medulla"] = hu["kidney"] - max(45 - 22 * late, 5)
    hu |= {"fat": rng.normal(-103, 5), "lung": rng.normal(-850, 25), "fluid": rng.uniform(2, 22)}
    aged = (age - 55) / 30  # bone loses calcium, arteries gain it
    hu |= {"bone": rng.uniform(420, 650) - 60 * aged, "marrow": rng.uniform(150, 230) - 55 * aged}
    hu["calcium"] = 700.0 if rng.random() < 0.35 + 0.45 * aged else 0.0
    return {name: float(value) for name, value in hu.items()}


def _oral(rng: np.random.Generator, where: Site) -> float:
    """HU that oral contrast medium adds to what stomach and bowel hold."""
    return float(rng.uniform(80, 260)) if rng.random() < where.oral else 0.0


def grid(who: Patient, z: np.ndarray, y: np.ndarray, x: np.ndarray) -> Grid:
    """Sample points at body millimetres z, y, x (each ascending), bent by the patient's warp."""
    axes = tuple((a / s).astype(np.float32) for a, s in zip((z, y, x), who.scale, strict=True))
    bent = [
        axis.reshape([-1 if i == j else 1 for j in range(3)])
        + amount * field(who.rng(f"warp{i}"), axes, 130.0, 12)
        for i, (axis, amount) in enumerate(zip(axes, (3.0, 2.5, 3.0), strict=True))
    ]
    return Grid(axes, *bent)
