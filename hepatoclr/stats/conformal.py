"""Sets of classes that hold the true one at a stated rate: split-conformal prediction by class.

Among the patients of a class whom the models had not seen, most have at least some probability of
it. A class belongs to the set of a new patient where theirs is no lower than that. Where new
patients are like the known ones, the set holds the true class in at least the stated share of the
patients of each class, however good or bad the model.

Source: Vovk, Gammerman, Shafer, Algorithmic Learning in a Random World (2005), Mondrian predictors.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Limit:
    """From which probability on a class belongs to the set.

    Attributes:
        patients: Known patients of the class.
        least: Probability of the class; 0 where they are too few to leave it out of any set.
    """

    patients: int
    least: float


def limits(labels: ArrayLike, probabilities: ArrayLike, coverage: float) -> tuple[Limit, Limit]:
    """Choose the limits of the negative and of the positive class.

    Args:
        labels: 0 or 1, shape (patients,).
        probabilities: Of the positive class, by models that had not seen the patient, same shape.
        coverage: Share of the patients of each class whose set shall hold their class.
    """
    labels, probabilities = np.asarray(labels, int), np.asarray(probabilities, float)
    own = (1 - probabilities[labels == 0], probabilities[labels == 1])
    return tuple(_limit(np.sort(one), coverage) for one in own)


def _limit(own: np.ndarray, coverage: float) -> Limit:
    # of n + 1 patients who could be exchanged so many may be left out
    left_out = int((1 - coverage) * (len(own) + 1) + 1e-9)
    return Limit(len(own), float(own[left_out - 1]) if left_out else 0.0)


def classes(probability: float, limits: Sequence[Limit]) -> tuple[int, ...]:
    """The classes in the set of a patient, of 0 and 1; both or neither tell nothing.

    Args:
        probability: Of the positive class.
        limits: What `limits` returns.
    """
    both = zip((1 - probability, probability), limits, strict=True)
    return tuple(label for label, (own, limit) in enumerate(both) if own >= limit.least)
