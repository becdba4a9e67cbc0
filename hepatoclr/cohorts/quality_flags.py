"""Checks of a case: what its measures say against the limits of the configuration.

A check gives a flag, a short name with a sentence. Which flags exclude a case is for the cohort's
table to decide.
"""

from collections.abc import Iterator, Mapping

from hepatoclr.cohorts import messages

UNENHANCED_AORTA = 80  # HU; blood without contrast medium measures 30 to 60
ARTERIAL_EXCESS = 100  # HU; aorta over spleen: 150 to 250 in the arterial phase, 10 to 70 later
RANGES = (  # flag, fact, limits, sentence
    ("volume", "volume_ml", "liver_ml", messages.VOLUME),
    ("density", "liver_hu", "liver_hu", messages.DENSITY),
)


def judge(facts: Mapping, limits: Mapping) -> dict[str, str]:
    """List the flags of a case.

    Args:
        facts: Facts of its liver: `flags` of the earlier stages and what `measures.measure` gives.
            A measure that is missing or None is not judged.
        limits: Section `checks` of the configuration: liver_ml and liver_hu as [low, high],
            largest_component, truncated, phase.

    Returns:
        Flag to one sentence without full stop; those of the earlier stages first.
    """
    return {**facts.get("flags", {}), **dict(_earned(facts, limits))}


def phase(
    liver_hu: float | None, aorta_hu: float | None, spleen_hu: float | None = None
) -> str | None:
    """Tell the contrast phase of an abdominal CT from three organs.

    Without contrast medium the aorta is no brighter than blood. In the arterial phase it is far
    brighter than the parenchyma, which the portal vein has not reached yet. About 70 s after the
    injection the aorta has fallen and the liver has risen, and from there on they converge; the
    portal phase and later ones are not distinguished. The spleen is the better measure of
    parenchyma, because fat darkens the liver; the liver stands in where the spleen is not seen.
    How the organs enhance over time: Bae 2010, doi:10.1148/radiol.10090908. The limits are ours,
    set between the usual values at 120 kVp; a fatty liver without a spleen in sight, or a low
    tube voltage, can make a portal phase look arterial.

    Args:
        liver_hu: Attenuation of the liver, HU.
        aorta_hu: Attenuation of the aorta, HU.
        spleen_hu: Attenuation of the spleen, HU.

    Returns:
        "unenhanced", "arterial", "portal" (or later), or None where too little is known.
    """
    if aorta_hu is None:
        return None
    if aorta_hu < UNENHANCED_AORTA:
        return "unenhanced"
    parenchyma = liver_hu if spleen_hu is None else spleen_hu
    if parenchyma is None:
        return None
    return "arterial" if aorta_hu - parenchyma > ARTERIAL_EXCESS else "portal"


def _earned(facts: Mapping, limits: Mapping) -> Iterator[tuple[str, str]]:
    """The flags that measures earn, with their sentences."""
    ends = {end: facts.get(f"{end}_slice_share") or 0 for end in ("first", "last")}
    if max(ends.values()) > (most := limits["truncated"]):
        seen = [messages.ENDS[end].format(share) for end, share in ends.items() if share > most]
        yield "truncated", messages.TRUNCATED.format(" and ".join(seen), most)
    for flag, measure, limit, sentence in RANGES:
        value, (low, high) = facts.get(measure), limits[limit]
        if value is not None and not low <= value <= high:
            yield flag, sentence.format(value, low, high)
    share, least = facts.get("largest_component"), limits["largest_component"]
    if share is not None and share < least:
        yield "components", messages.COMPONENTS.format(share, least)
    if beyond := facts.get("stretched_slices"):
        yield "stretched", messages.STRETCHED.format(beyond)
    organs = {organ: facts.get(f"{organ}_hu") for organ in ("liver", "aorta", "spleen")}
    found = phase(*organs.values())
    if found and found not in limits["phase"]:
        seen = [messages.ORGAN.format(*item) for item in organs.items() if item[1] is not None]
        yield "phase", messages.PHASE.format(found, ", ".join(seen))
