"""What a run has found, in sentences computed from its tables, and how sure that is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from hepatoclr.reporting import formatting
from hepatoclr.stats import baselines as of_patients

CHANCE = 0.5
ALPHA = 0.05
FEW = 10  # patients of a class, below which a bootstrap knows too little of their spread
NAMES = {"none": "random weights"}
WHAT = {
    "linear": "Linear evaluation",
    "finetune": "Fine-tuned",
    "linear_nested": "Linear, nested",
    "model": "Models",
}


@dataclass(frozen=True)
class Finding:
    """A sentence that says what was found, and those that say how sure it is."""

    main: str
    details: list[str]


def findings(table1: pd.DataFrame, comparisons: pd.DataFrame | None) -> list[Finding]:
    """Say for each protocol which method has the highest AUC, and what that is worth.

    An encoder that is known not to have learned is named as such, and never as the best.

    Args:
        table1: What `tables.table1` returns.
        comparisons: protocol, encoder, reference, difference, low, high, p_holm,
            minimum_detectable_difference; nothing if no comparison was made.
    """
    found = []
    for protocol, rows in table1.dropna(subset="auc_mean").groupby("protocol", sort=False):
        what, idle = WHAT.get(protocol, protocol), formatting.unlearned(rows)
        part, aside = rows[~idle], _aside(rows.loc[idle, "method"])
        if part.empty:
            found.append(Finding(f"{what}: no encoder learned, and none is called best.", aside))
            continue
        what += ", of the encoders that learned" * bool(aside)
        best = part.loc[part["auc_mean"].idxmax()]
        main = f"{what}: {_who(best['method'])} {_has(part)} {_auc(best)}"
        details = [] if comparisons is None else _compared(best["method"], protocol, comparisons)
        if best["method"] == "none" and len(part) > 1:
            details = ["No pretrained encoder has a higher one."]
        found.append(Finding(f"{main}{_shared(part)}.", [*details, *aside]))
    return found


def _aside(methods: Iterable[str]) -> list[str]:
    """Name the methods that did not learn, if any."""
    if not (names := list(map(_who, methods))):
        return []
    *others, last = names
    names = f"{', '.join(others)} and {last}" if others else last
    whose = "their last epochs" if others else "its last epoch"
    return [f"{names} did not learn: the loss of {whose} {formatting.EQUAL_FEATURES}."]


def external(table: pd.DataFrame) -> list[Finding]:
    """Say how the models that are best inside do in each external cohort.

    Args:
        table: What `external.external` of the tables returns.
    """
    found = []
    for cohort, rows in table.groupby("cohort", sort=False):
        known = rows.dropna(subset=["auc", "inside"])
        if known.empty:
            found.append(Finding(f"In {cohort}: {rows['note'].iloc[0]}.", []))
            continue
        best = known.loc[known.groupby("protocol", sort=False)["inside"].idxmax()]
        sentences = [_outside(row) for row in best.to_dict("records") if row["protocol"] in WHAT]
        notes = [note for note in rows["note"].dropna().unique() if note]
        details = [*sentences[1:], *(f"{note[0].upper()}{note[1:]}." for note in notes)]
        found.append(
            Finding(f"In {cohort}, {rows['patients'].max()} patients. {sentences[0]}", details)
        )
    return found


def _outside(row: Mapping) -> str:
    """How an encoder that is best inside does outside."""
    who = f"{WHAT[row['protocol']]}, {_who(row['encoder'])}, the best inside:"
    aucs = f"AUC inside {formatting.number(row['inside'])}, outside {formatting.number(row['auc'])}"
    if pd.isna(row["drop_low"]):
        return f"{who} {aucs}, without an interval."
    change = "a drop" if row["drop"] > 0 else "a rise"
    ends = sorted((abs(row["drop_low"]), abs(row["drop_high"])))
    one_side = row["drop_low"] > 0 or row["drop_high"] < 0
    shown = _to(*ends) if one_side else _to(row["drop_low"], row["drop_high"])
    what = f"{change} of {formatting.number(abs(row['drop']))}"
    if not one_side:
        what = f"inside less outside {formatting.number(row['drop'])}"
    end = "" if one_side else "; no evidence of a difference"
    return f"{who} {aucs}, {what} (95 % interval {shown}){end}."


def baselines(table: pd.DataFrame) -> list[Finding]:
    """Say what tells the label without an image, and whether the best image method adds to it.

    Args:
        table: What `baselines.table` returns.
    """
    alone = table[table["encoder"].isna()].dropna(subset="auc")
    if alone.empty:
        return [Finding("Nothing that differs between patients is known of them.", [])]
    best, told = alone.loc[alone["auc"].idxmax()], list(of_patients.telling(alone)["baseline"])
    sure = "" if best["baseline"] in told else ", which may be chance"
    auc = f"{formatting.number(best['auc'])} (95 % interval {_interval(best)})"
    others = [name for name in told if name != best["baseline"]]
    details = [f"The label is told by {', '.join(others)}, too."] if others else []
    main = f"Without any image {best['baseline']} has the highest AUC, {auc}{sure}."
    image = table[table["gain"].notna()].to_dict("records")
    return [Finding(main, details), *map(_gain, image)]


def _gain(row: Mapping) -> Finding:
    """What an image method tells beyond the best baseline."""
    who, beside = _who(row["encoder"]), row["baseline"].partition(" + ")[2]
    gain = f"{formatting.number(row['gain'])}, 95 % interval {_interval(row, 'gain_')}"
    gain += _p(row["p_likelihood_ratio"], "likelihood-ratio p")
    if of_patients.adds(row):
        main = f"Linear evaluation: {who} adds to {beside} (gain of AUC {gain})."
        return Finding(main, [])
    main = f"Linear evaluation: no evidence that {who} tells anything beyond {beside}"
    highest = "Of the image methods it has the highest AUC."
    return Finding(f"{main} (gain of AUC {gain}).", [highest])


def hospitals(table: pd.DataFrame) -> Finding:
    """Say what is to be expected of the next hospital.

    Args:
        table: What `external.hospitals` of the tables returns.
    """
    best = table.loc[table["auc"].idxmax()]
    what = WHAT.get(best["protocol"], best["protocol"])
    auc = f"{formatting.number(best['auc'])} (95 % interval {_interval(best)})"
    main = (
        f"Over {best['hospitals']} hospitals {_who(best['encoder'])} ({what.lower()}) has a mean "
        f"AUC of {auc}; in the next one an AUC of {_interval(best, 'next_')} is to be expected."
    )
    return Finding(main, [])


def control(table1: pd.DataFrame) -> Finding:
    """Say whether a control run, trained and tested on permuted labels, found nothing.

    Args:
        table1: What `tables.table1` returns.
    """
    if not {"auc_low", "auc_high"} <= set(table1) or table1["auc_low"].isna().all():
        return Finding("Control with permuted labels: without intervals it shows nothing.", [])
    known = table1.dropna(subset=["auc_low", "auc_high"])
    above, below = known[known["auc_low"] > CHANCE], known[known["auc_high"] < CHANCE]
    details = []
    if len(below):
        details.append(
            f"{_lie(below, known, 'below')}. That is no leak: with labels at random the folds of a "
            "small cohort lean to that side, since what a fold tests its training lacks."
        )
    if len(above):
        details.insert(
            0,
            "By chance alone one interval in forty does. More, or the same with another seed, say "
            "that something of the tested patients reaches the training.",
        )
        return Finding(f"The control failed: {_lie(above, known, 'above')}.", details)
    if len(below):
        return Finding(f"The control passed: no AUC interval lies above {CHANCE}.", details)
    few = "its one AUC interval covers" if len(known) == 1 else "all {} AUC intervals cover"
    return Finding(f"The control passed: {few.format(len(known))} {CHANCE}.", [])


def _lie(part: pd.DataFrame, known: pd.DataFrame, side: str) -> str:
    """Count the AUC intervals at a side of chance, and name them."""
    places = "; ".join(map(_place, part.to_dict("records")))
    verb = "lies" if len(part) == 1 else "lie"
    return f"{len(part)} of {len(known)} AUC intervals {verb} {side} {CHANCE} ({places})"


def _place(row: Mapping) -> str:
    protocol = formatting.PROTOCOL_LABELS.get(row["protocol"], row["protocol"])
    return f"{formatting.method_label(row['method'])}, {protocol}: {_interval(row, 'auc_')}"


def basis(table1: pd.DataFrame | None, counts: Mapping[str, int] | None) -> str:
    """Say on how many patients all this rests, and that the best was picked afterwards."""
    sentences = []
    if counts:
        text = "Tested on {patients} patients, {positive} positive and {negative} negative."
        sentences.append(text.format(**counts))
        if min(counts["positive"], counts["negative"]) < FEW:
            sentences.append(
                f"With fewer than {FEW} patients of a class no interval can be trusted."
            )
    compared = 0
    if table1 is not None:
        compared = table1.loc[~formatting.unlearned(table1), "method"].nunique()
    if compared > 1:
        sentences.append(
            f"The best of {compared} methods was picked after the results were known, which "
            "flatters its AUC."
        )
    return " ".join(sentences)


def _who(method: str) -> str:
    return NAMES.get(method) or formatting.method_label(method)


def _has(part: pd.DataFrame) -> str:
    verb = "have" if part.loc[part["auc_mean"].idxmax(), "method"] == "none" else "has"
    return f"{verb} the highest AUC," if len(part) > 1 else f"{verb} an AUC of"


def _shared(part: pd.DataFrame) -> str:
    """Say how many other methods have the highest AUC too, as printed."""
    printed = part["auc_mean"].map(formatting.number)
    others = int((printed == formatting.number(part["auc_mean"].max())).sum()) - 1
    return f", as {'have' if others > 1 else 'has'} {others} other{'s' * (others > 1)}" * (
        others > 0
    )


def _auc(row: pd.Series) -> str:
    """An AUC with its interval, or with its sd over folds where there is none."""
    if pd.isna(row.get("auc_low")):
        return formatting.plus_minus(row["auc_mean"], row["auc_sd"]) + ", without an interval"
    return f"{formatting.number(row['auc_mean'])} (95 % interval {_interval(row, 'auc_')})"


def _interval(row: Mapping, stem: str = "") -> str:
    return _to(row[f"{stem}low"], row[f"{stem}high"])


def _to(low: float, high: float) -> str:
    return f"{formatting.number(low)} to {formatting.number(high)}"


def _compared(method: str, protocol: str, comparisons: pd.DataFrame) -> list[str]:
    """Compare the best method with each reference."""
    part = comparisons[comparisons["protocol"] == protocol]
    own = part[part["encoder"] == _encoder(method, part["encoder"])]
    known = own.dropna(subset=["difference", "low", "high"]).copy()
    known["model_low"], known["model_high"] = known["low"], known["high"]
    if "t_low" in known:  # the methods, trained anew, where there are folds
        known["low"] = known["t_low"].fillna(known["low"])
        known["high"] = known["t_high"].fillna(known["high"])
    sentences = [_difference(row) for row in known.to_dict("records")]
    needed = known["minimum_detectable_difference"].dropna()
    if len(needed) and any(sentence.startswith("No") for sentence in sentences):
        ends = dict.fromkeys(map(formatting.number, (needed.min(), needed.max())))
        sentences.append(
            f"These patients would have shown a true difference of {' to '.join(ends)} four times "
            "in five; a smaller one may well exist."
        )
    return sentences


def _encoder(method: str, encoders: Iterable[str]) -> str:
    """The encoder shown in the row of a method: of `weak_simclr`, that of a fixed weight."""
    found = set(encoders)
    variants = [name for name in found - {f"{method}-nested"} if name.startswith(f"{method}-")]
    return variants[0] if method not in found and len(variants) == 1 else method


def _difference(row: Mapping) -> str:
    """Say what a comparison shows: a difference only where interval and test agree on it."""
    other = NAMES.get(row["reference"]) or formatting.method_label(row["reference"])
    apart, p = row["low"] > 0 or row["high"] < 0, row.get("p_holm")
    numbers = f"{formatting.number(row['difference'])} (95 % interval {_interval(row)}{_p(p)})"
    if apart and not pd.isna(p) and p < ALPHA:
        way = "higher" if row["low"] > 0 else "lower"
        return f"Evidence of a {way} AUC than that of {other}: difference {numbers}."
    counted = " once the number of comparisons is counted" if apart else ""
    models = "" if apart else _models(row)
    return f"No evidence of a difference to {other}{counted}: {numbers}.{models}"


def _models(row: Mapping) -> str:
    """Say that the trained models differ, where they do, though the methods are not shown to."""
    if not (row["model_low"] > 0 or row["model_high"] < 0):
        return ""
    return (
        " That counts training anew; of the models as they were trained the 95 % interval is "
        f"{_interval(row, 'model_')}, without 0."
    )


def _p(p: float | None, name: str = "Holm-adjusted p") -> str:
    if p is None or pd.isna(p):
        return ""
    shown = formatting.p_value(p)
    return f", {name} {shown if shown.startswith('<') else f'= {shown}'}"
