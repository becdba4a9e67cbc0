"""Ids of patients in several cohorts, and ids that may be one patient's, before any job starts."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from hepatoclr.base import messages, names
from hepatoclr.cohorts import manifests
from hepatoclr.cohorts.manifests import NEGATIVE, POSITIVE, Row, meaning

SHOWN = 3
SCIENTIFIC = re.compile(r"[0-9][.,]([0-9]+)E\+([0-9]+)", re.IGNORECASE)

Cohorts = Mapping[str, Sequence[Row]]


def joined(cohorts: Cohorts, alike_ids: str) -> tuple[dict[str, list[Row]], dict[str, str]]:
    """Make one patient of the ids that are alike, see `names.normalised`, if they are to be `one`.

    Returns:
        The cohorts, and the ids with that of the patient: the shortest.
    """
    ids = {row.patient_id for rows in cohorts.values() for row in rows}
    groups = _groups(ids) if alike_ids == "one" else []
    short = [min(group, key=lambda text: (len(text), text)) for group in groups]
    aliases = {text: one for group, one in zip(groups, short, strict=True) for text in group}
    return {name: manifests.as_one(rows, aliases) for name, rows in cohorts.items()}, aliases


def problems(cohorts: Cohorts, settings: Mapping[str, Mapping]) -> Iterator[str]:
    """List patients met in training and in evaluation, and those trained on with both labels."""
    first: dict[str, str] = {}
    sides = defaultdict(dict)
    for name, rows in cohorts.items():
        for patient in sorted(used := _used(rows, settings[name])):
            other = first.setdefault(patient, name)
            if (role := settings[other]["role"]) != settings[name]["role"]:
                yield (
                    f"patient {patient!r} is in {other} ({role}) and in {name} "
                    f"({settings[name]['role']}): leakage; exclude the patient from one"
                )
        if settings[name]["role"] == "pretraining":
            for row in rows:
                side = meaning(row.label, settings[name]["labels"])
                if row.patient_id in used and side in (POSITIVE, NEGATIVE):
                    sides[row.patient_id].setdefault(side, name)
    for patient, found in sides.items():
        if len(set(found.values())) > 1:
            yield (
                f"patient {patient!r} is positive in {found[POSITIVE]} and negative in "
                f"{found[NEGATIVE]}, both for pretraining: correct a label, or tell two patients "
                "apart by their ids"
            )


def warnings(cohorts: Cohorts, settings: Mapping[str, Mapping]) -> list[str]:
    """Say what looks like one patient under several ids, or several under one.

    Returns:
        A line for each cohort, or pair of cohorts, with some of the ids.
    """
    used = {name: _used(rows, settings[name]) for name, rows in cohorts.items()}
    where = defaultdict(list)
    for name, ids in used.items():
        where.update({one: [*where[one], name] for one in ids})
    alike = defaultdict(list)
    for group in _groups(where):
        for one, other in combinations(group, 2):
            for place in {tuple(sorted({a, b})) for a in where[one] for b in where[other]}:
                alike[place].append(f"{one!r} and {other!r}")
    lines = []
    for place, pairs in alike.items():
        leaks = len({settings[name]["role"] for name in place}) > 1
        lines.append(
            f"{_named(place)}: ids of patients are alike, {_some(pairs)}; if they are one patient's"
            f"{', which is leakage' if leaks else ''}, give them one id, or set alike_ids: one"
        )
    for one, other in combinations(used, 2):
        both = sorted(used[one] & used[other])
        if both and settings[one]["role"] == settings[other]["role"]:
            lines.append(
                f"{_named((one, other))}: ids stand in both, {_some(map(repr, both))}; they are "
                "taken for one patient's; if not, tell the patients apart by their ids"
            )
    for name, rows in cohorts.items():
        for sites in _groups({row.site for row in rows}):
            lines.append(
                f"cohorts.{name}: sites are alike, {_some(map(repr, sites))}; name each one way"
            )
    for name, ids in used.items():
        if rounded := sorted(filter(_is_rounded, ids)):
            lines.append(
                f"cohorts.{name}: a spreadsheet seems to have rounded ids, {_some(rounded)}; "
                "correct them, or two patients may have become one"
            )
    return [f"warning: {messages.escape_control_characters(line)}\n" for line in lines]


def _used(rows: Sequence[Row], cohort: Mapping) -> set[str]:
    return {row.patient_id for row in rows} - set(cohort["exclude"])


def _is_rounded(text: str) -> bool:
    """Say whether an id is a number that lost its last digits, as 1.23457E+06."""
    found = SCIENTIFIC.fullmatch(text)
    return bool(found) and len(found[1]) < int(found[2])


def _groups(ids: set[str] | Mapping) -> list[list[str]]:
    """Sort ids into groups that are alike, of two and more."""
    groups = defaultdict(list)
    for one in sorted(ids):
        groups[names.normalised(one)].append(one)
    return [group for group in groups.values() if len(group) > 1]


def _named(cohorts: Sequence[str]) -> str:
    return " and ".join(f"cohorts.{name}" for name in cohorts)


def _some(found: Sequence[str]) -> str:
    found = list(found)
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return f"{len(found)} of them: {', '.join(found[:SHOWN])}{more}"
