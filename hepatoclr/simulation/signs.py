"""Signs of fibrosis on CT: how strongly each follows the stage, and what a radiologist reads.

A sign is a standard score: mean 0 and variance 1 among patients of 55 years without fibrosis or
other disease. What a sign measures in millimetres or HU is said in `patients`; how well each tells
F3-F4, measured on the painted organs, stands in docs/simulation.md beside the published values.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

STAGES = ("F0", "F1", "F2", "F3", "F4")
SEVERITY = (0.0, 0.3, 0.7, 1.6, 2.4)  # of F0..F4, on the scale of what is seen
BETWEEN = 0.55  # SD of the severity among patients of one stage: all signs share it
GRADES = ("none", "mild", "moderate", "severe")
CUTS = (0.43, 0.85, 1.3)  # least score of mild, moderate and severe: a third is not "none"
VISIBLE = (1.8, 2.3)  # mean and SD of what a radiologist sees, in a clinic


@dataclass(frozen=True)
class Sign:
    """How a sign behaves.

    Attributes:
        effect: Standard deviations per unit of severity.
        age: Standard deviations per ten years above 55, in all patients.
        weight: How much a radiologist goes by it.
    """

    effect: float
    age: float
    weight: float


SIGNS = {
    "nodularity": Sign(1.00, 0.10, 1.0),  # of the liver's surface
    "atrophy": Sign(0.60, 0.15, 0.5),  # of the right lobe and segment IV
    "hypertrophy": Sign(0.78, 0.05, 0.7),  # of the caudate and the left lateral lobe
    "spleen": Sign(1.05, -0.15, 0.7),
    "portal": Sign(0.30, 0.0, 0.2),  # width of the portal vein
    "texture": Sign(0.34, 0.05, 0.3),  # unevenness of the parenchyma
    "attenuation": Sign(-0.32, 0.0, 0.1),  # enhancement of the parenchyma
}
ASCITES = (0.005, 0.005, 0.01, 0.04, 0.20)  # chance at F0..F4
ASCITES_SEEN = 2.5  # what ascites adds to the visible score


def draw(
    rng: np.random.Generator, stage: int, age: float, effect: float, other: Mapping[str, float]
) -> dict[str, float]:
    """Draw the signs of a patient.

    Args:
        rng: Source of the draws.
        stage: METAVIR stage, 0..4.
        age: Years.
        effect: Multiple of the effect of fibrosis; 0 shows nothing of it.
        other: What other disease adds to a sign, standard deviations.

    Returns:
        Standard scores by name of the sign; and ascites, 0 or 1.
    """
    severity = effect * (SEVERITY[stage] + BETWEEN * rng.normal())
    found = {
        name: float(
            sign.effect * severity
            + sign.age * (age - 55) / 10
            + other.get(name, 0.0)
            + rng.normal()
        )
        for name, sign in SIGNS.items()
    }
    chance = ASCITES[0] + effect * (ASCITES[stage] - ASCITES[0])
    return found | {"ascites": float(rng.random() < chance)}


def visible(signs: Mapping[str, float]) -> float:
    """What the signs of a patient say together to a radiologist, a standard score.

    Of a population that has as many patients with advanced fibrosis as a clinic's.
    """
    seen = sum(sign.weight * signs[name] * np.sign(sign.effect) for name, sign in SIGNS.items())
    norm = np.sqrt(sum(sign.weight**2 for sign in SIGNS.values()))
    return float((seen / norm + ASCITES_SEEN * signs["ascites"] - VISIBLE[0]) / VISIBLE[1])


def reading(signs: Mapping[str, float], noise: float, rng: np.random.Generator) -> str:
    """What a radiologist writes: a grade of `GRADES`, by the visible signs and an error of its own.

    Args:
        signs: See `draw`.
        noise: Standard deviation of the error, in that of `visible`. How often each grade is
            written hardly depends on it.
        rng: Source of the error.
    """
    score = (visible(signs) + noise * rng.normal()) / np.sqrt(1 + noise**2)
    return GRADES[int(np.searchsorted(CUTS, score, side="right"))]
