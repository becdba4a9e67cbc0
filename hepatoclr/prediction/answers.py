"""From what the trainings of a bundle say of a CT to one answer."""

from collections.abc import Mapping, Sequence

import numpy as np

from hepatoclr.prediction import applicability, bundles
from hepatoclr.prediction.members import Reading
from hepatoclr.stats import conformal

CANNOT_TELL = "cannot tell"


def answer(
    facts: Mapping,
    readings: Sequence[Reading],
    seen: Mapping[str, float | None],
    remarks: Sequence[str],
) -> dict:
    """Put together what is said of a CT.

    Args:
        facts: Metadata of the bundle.
        readings: Of each of its trainings.
        seen: What is known of the CT, of `applicability.RANGES`.
        remarks: Sentences of its flags.

    Returns:
        probability, the mean over trainings; range of the probabilities by the models of folds and
        trainings, and how many these are; threshold, class, coverage, set, and warnings.
    """
    probability = float(np.mean([one.probability for one in readings]))
    every = [odds for one in readings for odds in (one.by_fold or [one.probability])]
    names = [facts["classes"][side]["name"] for side in bundles.SIDES]
    limits = [conformal.Limit(**facts["conformal"][side]) for side in bundles.SIDES]
    held = conformal.classes(probability, limits)
    threshold = facts["threshold"]["value"]
    beyond = applicability.outside(seen, facts["limits"]["ranges"])
    return {
        "probability": probability,
        "range": [min(every), max(every)] if len(every) > 1 else None,
        "models": len(every),
        "threshold": threshold,
        "class": names[int(probability >= threshold)],
        "coverage": facts["conformal"]["coverage"],
        "set": names[held[0]] if len(held) == 1 else CANNOT_TELL,
        "warnings": [*remarks, *beyond, *_far(readings)],
    }


def _far(readings: Sequence[Reading]) -> list[str]:
    """Say that the networks know nothing like it, by the training to which it is the nearest."""
    beyond = [one.beyond for one in readings if one.beyond is not None]
    if not beyond or min(beyond) <= 1:
        return []
    return [
        f"to the network the CT is unlike those it knows: {min(beyond):.1f} times as far from "
        f"their middle as {applicability.SHARE:.0%} of known patients"
    ]
