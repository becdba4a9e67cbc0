"""What the final models do in other hospitals, beside what was found inside the own cohort."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from hepatoclr.reporting.tables import common, comparisons, measures
from hepatoclr.stats import comparison_tests, evaluation, predictions, transport

KEY = ["cohort", "protocol", "encoder"]
SHOWN = ("sensitivity", "specificity", "balanced_accuracy", "brier")
CALIBRATION = ("calibration_slope", "calibration_intercept")
COLUMNS = [
    *KEY,
    *("patients", "positive", "inside", "inside_low", "inside_high", "auc", "low", "high"),
    *("drop", "drop_low", "drop_high"),
    *(f"{name}{end}" for name in (*SHOWN, *CALIBRATION) for end in ("", "_low", "_high")),
    *("observed_expected", "note"),
]
INTERVALS = [name for name in COLUMNS if name.endswith(("low", "high")) and "inside" not in name]
FEW = 10  # patients of a class, below which no interval can be trusted


def read(paths: Sequence[str | Path], cohorts: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Read the predictions of external cohorts, `external/<cohort>/<protocol>/...`, by cohort."""
    found = {cohort: [] for cohort in cohorts}
    for path in map(Path, paths):
        table = predictions.read_as_written(path)
        table["label"] = pd.to_numeric(table["label"])  # empty where there is none
        found[path.parents[2].name].append(table.assign(leaky=0))
    filled = {name: [part for part in parts if len(part)] for name, parts in found.items()}
    return {
        name: pd.concat(filled[name], ignore_index=True) if filled[name] else parts[0]
        for name, parts in found.items()
    }


def of_cohort(table: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The predictions of an external cohort that can be compared with labels.

    Args:
        table: What `predictions.read_as_written` gives of all its files together.

    Returns:
        The rows with a label, and a sentence: what limits the comparison, or why there is none.
    """
    known = table[table["label"].notna()].astype({"label": int})
    people = known.drop_duplicates("patient_id")["label"]
    if table.empty:
        return known, "no case could be used: see its quality control page"
    if known.empty:
        return known, "no patient has a label: there are probabilities only"
    positive, negative = int((people == 1).sum()), int((people == 0).sum())
    if not positive or not negative:
        side = "positive" if positive else "negative"
        return known.iloc[:0], f"all {len(people)} labelled patients are {side}: no AUC"
    if min(positive, negative) < FEW:
        few = f"fewer than {FEW} patients of a class: no interval can be trusted"
        return known, few
    return known, ""


def external(
    inside: pd.DataFrame,
    outside: Mapping[str, pd.DataFrame],
    methods: Mapping[str, str],
    threshold: float | str = "youden",
) -> pd.DataFrame:
    """Evaluate the final models in each external cohort.

    Args:
        inside: Predictions of the evaluation cohort, see `predictions.read`.
        outside: Cohort to its predictions, see `of_cohort`.
        methods: As for `table1`; the nested encoder is shown beside.
        threshold: See `predictions.at_threshold`; it was chosen inside.

    Returns:
        A row per cohort, protocol and encoder: `COLUMNS`. `inside` is the AUC of Table 1, `drop` it
        less that outside; see `transport.drop` and `measures.measures`. A cohort that cannot be
        compared has one row, whose `note` says why; one of few patients has no intervals.
    """
    aucs, rows = _inside(inside), []
    for cohort, table in outside.items():
        known, note = of_cohort(table)
        people = known.drop_duplicates("patient_id")["label"]
        facts = {"cohort": cohort, "patients": len(people), "positive": people.sum(), "note": note}
        if known.empty:
            rows.append(facts | {"protocol": "", "encoder": ""})
            continue
        chosen = shown(known, methods)
        found = measures.measures(predictions.at_threshold(chosen, threshold))
        means = chosen.groupby(["protocol", "encoder"])[["label", "probability"]].mean()
        variances = _aucs(chosen)
        for (protocol, encoder), part in found.groupby(["protocol", "encoder"], sort=False):
            row = facts | {"protocol": protocol, "encoder": encoder}
            row |= _wide(part.set_index("measure"))
            label, probability = means.loc[(protocol, encoder)]
            row["observed_expected"] = label / probability
            row |= _drop(aucs.get((protocol, encoder)), variances[protocol, encoder])
            rows.append({key: row[key] for key in row if not (note and key in INTERVALS)})
    return pd.DataFrame(rows, columns=COLUMNS).astype({"positive": int})


def shown(known: pd.DataFrame, methods: Mapping[str, str]) -> pd.DataFrame:
    """The encoders of Table 1, in its order, and the nested one."""
    nested = [name for name in known["encoder"].unique() if name.endswith("-nested")]
    order = [*methods.values(), *nested]
    chosen = known[known["encoder"].isin(order)]
    return chosen.sort_values("encoder", key=lambda names: names.map(order.index), kind="stable")


def _inside(table: pd.DataFrame) -> dict[tuple[str, str], tuple[float, float]]:
    return _aucs(common.full(table))


def _aucs(table: pd.DataFrame) -> dict[tuple[str, str], tuple[float, float]]:
    """AUC and its variance by protocol and encoder."""
    found = {}
    for protocol, part in common.by_protocol(table):
        scores = evaluation.to_arrays(part)
        aucs, covariance = common.delong(scores)
        variances = np.diag(covariance)
        found |= {
            (protocol, name): (float(aucs[number]), float(variances[number]))
            for number, name in enumerate(scores.models)
        }
    return found


def _wide(part: pd.DataFrame) -> dict[str, float]:
    """The measures of an encoder as columns."""
    ends = (("", "estimate"), ("_low", "low"), ("_high", "high"))
    found = {
        f"{name}{end}": part.loc[name, column]
        for name in (*SHOWN, *CALIBRATION)
        for end, column in ends
    }
    return found | {"auc": part.loc["auc", "estimate"]} | part.loc["auc", ["low", "high"]].to_dict()


def _drop(inside: tuple[float, float] | None, outside: tuple[float, float]) -> dict[str, float]:
    """The drop of an AUC, with that inside; nothing where it was not evaluated there."""
    if inside is None:
        return {}
    low, high = comparison_tests.auc_interval(*inside)
    found = {"inside": inside[0], "inside_low": float(low), "inside_high": float(high)}
    names = ("drop", "drop_low", "drop_high")
    return found | dict(zip(names, transport.drop(inside, outside), strict=True))


def side_by_side(
    inside: pd.DataFrame,
    outside: Mapping[str, pd.DataFrame],
    methods: Mapping[str, str],
    protocol: str = "linear",
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Put the predictions of one protocol inside and outside below each other, for the figures.

    Returns:
        The predictions, with the place in the column protocol; and their `measures.measures`.
    """
    places = {"evaluation cohort": common.full(inside)}
    places |= {cohort: of_cohort(table)[0] for cohort, table in outside.items()}
    parts = [
        shown(part[part["protocol"] == protocol], methods).assign(protocol=place)
        for place, part in places.items()
        if len(part)
    ]
    together = pd.concat(parts, ignore_index=True)
    return together, measures.measures(together)


def hospitals(outside: Mapping[str, pd.DataFrame], methods: Mapping[str, str]) -> pd.DataFrame:
    """Summarise the AUC over the external cohorts, where there are enough of them.

    Returns:
        A row per protocol and encoder that `transport.HOSPITALS` cohorts or more can evaluate:
        protocol, encoder, hospitals, auc, low, high, next_low, next_high (95 % prediction interval
        of the next hospital), tau.
    """
    found: dict[tuple[str, str], list] = {}
    for table in outside.values():
        known, _ = of_cohort(table)
        if len(known):
            for key, one in _aucs(shown(known, methods)).items():
                found.setdefault(key, []).append(one)
    rows = []
    for (protocol, encoder), several in found.items():
        if one := transport.over_hospitals(*zip(*several, strict=True)):
            numbers = (one.hospitals, one.mean, one.low, one.high, one.next_low, one.next_high)
            rows.append((protocol, encoder, *numbers, one.tau))
    columns = ["protocol", "encoder", "hospitals", "auc", "low", "high", "next_low", "next_high"]
    return pd.DataFrame(rows, columns=[*columns, "tau"])


def recalibration(
    outside: Mapping[str, pd.DataFrame],
    methods: Mapping[str, str],
    patients: Sequence[int],
    draws: int,
    seed: int,
) -> pd.DataFrame:
    """What recalibrating on some patients of each external cohort does for its others.

    Returns:
        `KEY`, then the columns of `transport.recalibration`; of the mean over seeds.
    """
    rows = []
    for cohort, table in outside.items():
        known, _ = of_cohort(table)
        for (protocol, encoder), part in shown(known, methods).groupby(KEY[1:], sort=False):
            people = part.groupby("patient_id")[["label", "probability"]].mean()
            labels, odds = people["label"].to_numpy(int), people["probability"].to_numpy()
            found = transport.recalibration(labels, odds, patients, draws, seed)
            rows.append(found.assign(cohort=cohort, protocol=protocol, encoder=encoder))
    if not rows:
        return pd.DataFrame(columns=KEY)
    together = pd.concat(rows, ignore_index=True)
    return together[[*KEY, *(name for name in together if name not in KEY)]]


def compared(outside: Mapping[str, pd.DataFrame], methods: Mapping[str, str]) -> pd.DataFrame:
    """Compare methods within each external cohort, as `comparisons.comparisons` does inside.

    Cohorts of few patients, in which no interval can be trusted, have no rows.
    """
    found = []
    for cohort, table in outside.items():
        known, note = of_cohort(table)
        if len(known) and not note:
            rows = comparisons.comparisons(shown(known, methods), methods)
            found.append(rows.assign(cohort=cohort))
    if not found:
        return pd.DataFrame(columns=KEY)
    together = pd.concat(found, ignore_index=True)
    return together[["cohort", *(name for name in together if name != "cohort")]]
