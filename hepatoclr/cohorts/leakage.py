"""Leakage: what must hold between the cohorts and the splits before any training."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import pandas as pd

from hepatoclr.base import files
from hepatoclr.base.errors import UserError
from hepatoclr.base.messages import listing
from hepatoclr.base.names import normalised
from hepatoclr.cohorts import splits
from hepatoclr.cohorts.cohort_table import patients

log = logging.getLogger(__name__)

OK, WARNING, LEAK = "ok", "warning", "leak"
EVALUATION = "evaluation"


class Check(NamedTuple):
    """One thing that was looked for.

    Attributes:
        what: What must not be.
        looked_at: How many patients, images or rows were looked at.
        found: A sentence for each time that it was found.
        severity: What it means if it is found.
    """

    what: str
    looked_at: int
    found: list[str]
    severity: str = LEAK


def table(
    cohorts: Mapping[str, pd.DataFrame], repeats: Mapping[str, pd.DataFrame]
) -> tuple[pd.DataFrame, list[str]]:
    """Look for leaks; only what is used counts, what is excluded does no harm.

    Args:
        cohorts: Name to table of every cohort, see `assemble.table`.
        repeats: Name to split of every repeat, see `splits`.

    Returns:
        A row per check: check, looked_at, found (how often), result (ok, warning or leak),
        details; and the sentences of all leaks.
    """
    used = pd.concat(
        [cohort[cohort["included"]].assign(cohort=name) for name, cohort in cohorts.items()]
    )
    people = patients(used[used["role"] == EVALUATION]).set_index("patient_id")["target"]
    rows = sum(map(len, repeats.values()))
    checks = [
        Check("patient in cohorts of different roles", used["patient_id"].nunique(), _roles(used)),
        Check("image under several patients", used["pixel_sha256"].nunique(), _images(used)),
        Check("patient twice in a split", rows, _each(repeats, _twice)),
        Check("patient trained on and tested in a fold", rows, _each(repeats, _both_sides)),
        Check(
            "split of other patients or targets than the cohort's",
            rows,
            _each(repeats, lambda split: _others(split, people)),
        ),
        Check(
            "ids of patients that differ in case, spaces, signs or leading zeros only",
            used["patient_id"].nunique(),
            _alike(used),
            WARNING,
        ),
    ]
    records = [
        (what, looked_at, len(found), severity if found else OK, " ".join(found))
        for what, looked_at, found, severity in checks
    ]
    columns = ["check", "looked_at", "found", "result", "details"]
    leaks = [line for check in checks if check.severity == LEAK for line in check.found]
    return pd.DataFrame(records, columns=columns), leaks


def check(cohorts: Mapping[str, pd.DataFrame], repeats: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Give the table of `table`, and log its warnings.

    Raises:
        UserError: There is a leak; the message lists all of them.
    """
    found, leaks = table(cohorts, repeats)
    if leaks:
        raise UserError(listing("the checks for leakage found", leaks))
    for details in found.loc[found["result"] == WARNING, "details"]:
        log.warning(details)
    return found


def run(
    cohorts: Mapping[str, pd.DataFrame], repeats: Mapping[str, pd.DataFrame], path: str
) -> None:
    """Write what `check` finds."""
    files.write_csv(check(cohorts, repeats), path)


def _roles(used: pd.DataFrame) -> list[str]:
    return [
        f"Patient {patient} is in {_named(rows)}, cohorts of different roles: exclude the patient "
        f"from all but one ({_keys(rows['cohort'])})."
        for patient, rows in used.groupby("patient_id")
        if rows["role"].nunique() > 1
    ]


def _images(used: pd.DataFrame) -> list[str]:
    return [
        f"The same image stands under several patients, {_named(rows)}: correct the manifest, or "
        f"exclude all but one of them ({_keys(rows['cohort'])})."
        for _, rows in used[used["pixel_sha256"] != ""].groupby("pixel_sha256")
        if rows["patient_id"].nunique() > 1
    ]


def _alike(used: pd.DataFrame) -> list[str]:
    people = used.drop_duplicates(["cohort", "patient_id"])
    return [
        f"The ids of {_named(rows)} are alike: if they are one patient, give them one id."
        for _, rows in people.groupby(people["patient_id"].map(normalised))
        if rows["patient_id"].nunique() > 1
    ]


def _named(rows: pd.DataFrame) -> str:
    names = rows["patient_id"] + " (case " + rows["case"] + " of " + rows["cohort"] + ")"
    return " and ".join(names)


def _keys(cohorts: pd.Series) -> str:
    return " or ".join(f"cohorts.{name}.exclude" for name in sorted(set(cohorts)))


def _each(repeats: Mapping[str, pd.DataFrame], look) -> list[str]:
    """What a look finds in each of the splits, with what to do."""
    return [
        f"In splits/{name}.csv {line}: remove the file and run again."
        for name, split in repeats.items()
        for line in look(split)
    ]


def _twice(split: pd.DataFrame) -> Iterator[str]:
    for patient, count in Counter(split["patient_id"]).items():
        if count > 1:
            yield f"patient {patient} stands {count} times"


def _both_sides(split: pd.DataFrame) -> Iterator[str]:
    for fold, test in split.groupby("fold"):
        train = splits.training(split, int(fold))["patient_id"]
        for patient in sorted(set(test["patient_id"]) & set(train)):
            yield f"patient {patient} is trained on and tested in fold {fold}"


def _others(split: pd.DataFrame, people: pd.Series) -> Iterator[str]:
    targets = split.drop_duplicates("patient_id").set_index("patient_id")["target"]
    for patient in sorted(set(targets.index) - set(people.index)):
        yield f"patient {patient} is not a used patient of the cohort"
    for patient in sorted(set(people.index) - set(targets.index)):
        yield f"patient {patient} is missing"
    for patient in sorted(set(people.index) & set(targets.index)):
        if targets[patient] != people[patient]:
            yield f"patient {patient} has target {targets[patient]}, not {people[patient]}"
