"""A table as people read it: rows of `0.84 ± 0.05 [0.76, 0.90]` beside the paper's numbers.

`of` decides what is shown, whatever the markup; `markup` renders it as Markdown and LaTeX, the
report in HTML.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from hepatoclr.reporting import formatting
from hepatoclr.stats import metrics

REFERENCE = (
    "With 78 / 28 patients, as in the paper, an AUC of 0.84 has a 95 % interval of about ± 0.075."
)
SOURCE = "The paper's numbers (Sarfati et al., ISBI 2023, arXiv 2302.08427)"
YOUDEN = (
    "Youden's threshold: of each fold that with the largest sensitivity + specificity - 1 on its "
    "training patients; of predictions made elsewhere, the one they give."
)
P_COLUMNS = {
    "p_holm": "Holm",
    "p_corrected_t": "corrected t",
    "p_delong": "DeLong",
    "p_permutation": "permutation",
}
OUTSIDE = ("sensitivity", "specificity", "brier", "calibration_slope", "calibration_intercept")
CHOICES = {"C": "C", "threshold": "threshold", "beta": "β"}


@dataclass(frozen=True)
class Cell:
    """One cell as people read it.

    Attributes:
        value: Such as `0.84 ± 0.05`.
        interval: Its 95 % interval, such as `[0.76, 0.90]`; "" if none.
        paper: The paper's value; "" if none.
        best: Whether it is to stand out as the best of its column.
    """

    value: str
    interval: str = ""
    paper: str = ""
    best: bool = False


@dataclass(frozen=True)
class Layout:
    """A table as people read it, whatever the markup.

    Attributes:
        heading: Above the row names.
        columns: (group, name) as words, groups together; in Table 1 (measure, protocol).
        rows: Row name and one cell per column.
        notes: Sentences to print below.
    """

    heading: str
    columns: list[tuple[str, str]]
    rows: list[tuple[str, list[Cell]]]
    notes: list[str] = field(default_factory=list)

    @property
    def measures(self) -> dict[str, int]:
        """Each group, in order, with the number of columns it spans."""
        return Counter(group for group, _ in self.columns)


def of(table: pd.DataFrame, counts: Mapping[str, int] | None = None) -> Layout:
    """Lay a table out for people.

    Args:
        table: Any of the tables that `tables.all` returns, or its CSV read back.
        counts: What `metrics.counts` returns, for the note.
    """
    if table.empty:
        return Layout("", [], [], ["Nothing to show: there are no predictions of this kind."])
    # A column that only this kind of table has, and what lays it out.
    special = {
        "reference": _comparisons,
        "aggregation": _aggregation,
        "optimism": _nested,
        "estimate": _measures,
        "property": _separability,
        "drop": _external,
        "baseline": _baselines,
    }
    laid_out = next((special[name] for name in special if name in table), _results)(table)
    tested = "Tested on {patients} patients ({positive} positive, {negative} negative).".format
    notes = [*laid_out.notes, *([tested(**counts)] if counts else [])]
    notes += [formatting.DISCLAIMERS[name] for name in formatting.disclaimers(table)]
    return replace(laid_out, notes=notes)


def _results(table: pd.DataFrame) -> Layout:
    """Tables 1 and 2 and the learning curve: a column per measure and protocol."""
    key = table.columns[0]
    if "protocol" not in table:
        table = table.assign(protocol="finetune")
    protocols = table["protocol"].unique()
    measures = [measure for measure in metrics.MEASURES if f"{measure}_mean" in table]
    columns = [(measure, protocol) for measure in measures for protocol in protocols]
    cells = [
        # More patients are no competitor of fewer: a learning curve has no winner.
        _cells(
            table[table["protocol"] == protocol].set_index(key).reindex(table[key].unique()),
            measure,
            key != "fraction",
        )
        for measure, protocol in columns
    ]
    words = [(formatting.RESULT_LABELS[m], formatting.protocol_label(p)) for m, p in columns]
    idle = set(table.loc[formatting.unlearned(table), key])
    names = [
        _row_label(key, value) + f" {formatting.MARK}" * (value in idle)
        for value in table[key].unique()
    ]
    if key == "fraction" and "fitted" in table and table["fitted"].notna().any():
        words.append(("AUC", "power law"))
        cells.append(_intervals(table, "fitted", "fitted_low", "fitted_high"))
        sizes = table["patients"].round().astype(int)
        names = [f"{name} ({size})" for name, size in zip(names, sizes, strict=True)]
    rows = [(name, list(row)) for name, row in zip(names, zip(*cells, strict=True), strict=True)]
    return Layout(formatting.HEADINGS.get(key, key), words, rows, _result_notes(table))


def _cells(part: pd.DataFrame, measure: str, with_best: bool) -> list[Cell]:
    """The cells of one measure; best are all that learned and equal the highest mean as printed."""
    names = [f"{measure}_mean", f"{measure}_sd", f"{measure}_low", f"{measure}_high"]
    published = f"paper_{measure.removesuffix('_youden')}"  # it does not say at which threshold
    names += [f"{published}_mean", f"{published}_sd"]
    rows = part.reindex(columns=names).to_numpy(float)
    can_be_best = with_best & ~formatting.unlearned(part).to_numpy() & ~np.isnan(rows[:, 0])
    best = f"{rows[can_be_best, 0].max(initial=-np.inf):.2f}"
    return [
        Cell(
            formatting.plus_minus(mean, sd),
            formatting.interval(low, high),
            formatting.plus_minus(*paper),
            bool(can) and f"{mean:.2f}" == best,
        )
        for can, (mean, sd, low, high, *paper) in zip(can_be_best, rows, strict=True)
    ]


def _intervals(table: pd.DataFrame, value: str, low: str, high: str) -> list[Cell]:
    """Cells of a value with its interval, a row each."""
    return [_with_interval(*row) for row in table[[value, low, high]].itertuples(index=False)]


def _with_interval(value: float, low: float, high: float) -> Cell:
    return Cell(formatting.number(value), formatting.interval(low, high))


def _row_label(key: str, value: str | float) -> str:
    """Name a row for people: a method, a beta with the method at its ends, a share."""
    if key == "fraction":
        return f"{100 * value:.0f} %"
    if key == "beta":
        end = formatting.BETA_ENDS.get(value)
        return f"{value:g} ({formatting.LABELS[end]})" if end else f"{value:g}"
    return formatting.method_label(str(value))


def _result_notes(table: pd.DataFrame) -> list[str]:
    """What a reader has to know about the numbers of Tables 1 and 2 and the learning curve."""
    low, high = table["n_folds"].min(), table["n_folds"].max()
    if high == 0:
        reading = [
            "Some folds hold one class only and have no AUC: every repeat was evaluated as a "
            "whole. Mean ± sample standard deviation (sd) over repeats. Of plain leave-one-out "
            "such an AUC is biased: models that predict little more than the share of positive "
            "training patients rank the tested ones the wrong way round."
        ]
    elif high == 1:
        reading = ["Of a single fold, so without a standard deviation (sd) over folds."]
    else:
        basis = f"{high} folds" if low == high else f"{low} to {high} folds"
        reading = [f"Mean ± sample standard deviation (sd) over {basis}."]
    has_interval = "auc_low" in table and table["auc_low"].notna().any()
    if has_interval:
        reading.append(
            "In square brackets the 95 % interval for these trained models and other patients; "
            "training anew would add to it."
        )
    if "balanced_accuracy_youden_mean" in table:
        reading.append(YOUDEN)
    if table.columns[0] != "fraction":
        reading.append("Bold: best of its column.")
    elif "fitted" in table and table["fitted"].notna().any():
        reading.append("Power law: 1 - AUC falls with a power of the number of patients.")
    if formatting.unlearned(table).any():
        reading.append(
            f"{formatting.MARK} did not learn, and is never bold: the loss of its last epoch "
            f"{formatting.EQUAL_FEATURES}."
        )
    if table.filter(like="paper_").notna().any(axis=None):
        reading.append(f"{SOURCE} stand beside ours.")
    cautions = []
    if has_interval:
        half = (table["auc_high"] - table["auc_low"]) / 2
        cautions.append(
            f"Caution: the 95 % interval of an AUC of these patients is {_range(half, '± ')} wide; "
            "the sd over folds is not that interval."
        )
    cautions += _detectable(table)
    return [" ".join(reading), " ".join([*cautions, REFERENCE])]


def _detectable(table: pd.DataFrame) -> list[str]:
    """Say, where it is known, which differences a cohort could have shown."""
    smallest = table.get("minimum_detectable_difference")
    if smallest is None or smallest.isna().all():
        return []
    return [
        "These patients show a difference of AUC with 80 % power only if it is "
        f"{_range(smallest)} or more (alpha 0.05, two-sided, paired DeLong variance, "
        "over all comparisons); smaller ones are missed more often than that."
    ]


def _range(values: pd.Series, sign: str = "") -> str:
    low, high = (f"{sign}{end:.2f}" for end in (values.min(), values.max()))
    return low if low == high else f"{low} to {high}"


def _comparisons(table: pd.DataFrame) -> Layout:
    """A row per pair of methods and protocol."""
    columns = [
        ("Difference of AUC", name) for name in ("these models", "methods", "pooled", "detectable")
    ]
    columns += [("p", name) for name in P_COLUMNS.values()]
    rows = []
    for row in table.to_dict("records"):
        reference = formatting.evaluation_label(row["reference"], row["protocol"])
        name = f"{formatting.short_label(row['encoder'])} - {reference}"
        differences = [
            Cell("") if np.isnan(row[low]) else _with_interval(row[value], row[low], row[high])
            for value, low, high in (
                ("difference", "low", "high"),
                ("difference", "t_low", "t_high"),
                ("pooled", "pooled_low", "pooled_high"),
            )
        ]
        smallest = Cell(formatting.number(row["minimum_detectable_difference"]))
        tests = [Cell(formatting.p_value(row[test])) for test in P_COLUMNS]
        rows.append((name, [*differences, smallest, *tests]))
    notes = [
        "Difference of the AUC averaged over folds, as in Table 1, with its 95 % interval for "
        "these trained models and other patients (DeLong, paired), and for the methods, trained "
        "anew (corrected t over folds, Nadeau and Bengio); pooled: difference of the AUC over all "
        "patients of a repeat, with the interval of a paired bootstrap over patients. DeLong's and "
        "the permutation test are about these models, the corrected t test about the methods. "
        "Holm: the p of the corrected t test, or DeLong's where there are no folds, adjusted for "
        "the number of methods that are compared with one reference in one protocol.",
        *_detectable(table),
        "A large p does not say that methods are equal: read the interval.",
    ]
    return Layout("Comparison", columns, rows, notes)


def _by_columns(
    table: pd.DataFrame, key: str, value: str, names: Mapping, notes: list[str]
) -> Layout:
    """Long to wide: a row per encoder and protocol, a column per value of `key`."""
    found = [name for name in names if name in set(table[key])]
    rows = []
    for (protocol, encoder), part in table.groupby(["protocol", "encoder"], sort=False):
        wide = part.set_index(key).reindex(found)
        rows.append(
            (formatting.evaluation_label(encoder, protocol), _intervals(wide, value, "low", "high"))
        )
    return Layout("Pretraining", [names[name] for name in found], rows, notes)


def _measures(table: pd.DataFrame) -> Layout:
    """A row per encoder and protocol, a column per measure."""
    notes = [
        "In square brackets the 95 % interval, of the AUC over folds by DeLong's variance, of "
        "all else by a bootstrap over patients. AUC and balanced accuracy are means over "
        "folds; all else, and the pooled AUC, is taken over all patients of a repeat and "
        "averaged over repeats.",
        "Calibration: slope 1 and intercept 0 are perfect; a slope below 1 means "
        "probabilities too far from the prevalence, an intercept below 0 too many positives.",
    ]
    by_fold = table["threshold"] == "fold"
    own = ", ".join(map(formatting.protocol_label, table.loc[by_fold, "protocol"].unique()))
    threshold = "Youden's" if by_fold.all() else f"0.5, but for {own} Youden's" if own else "0.5"
    notes.append(" ".join([f"The threshold is {threshold}.", *([YOUDEN] if own else [])]))
    return _by_columns(table, "measure", "estimate", formatting.MEASURE_COLUMNS, notes)


def _aggregation(table: pd.DataFrame) -> Layout:
    """A row per encoder and protocol, a column per way from slices to patients."""
    names = {
        "slices": ("AUC of slices", "each by itself"),
        "mean": ("AUC of patients", "mean"),
        "median": ("AUC of patients", "median"),
        "max": ("AUC of patients", "max"),
        "learned": ("AUC of patients", "learned"),
    }
    notes = [
        "AUC averaged over folds, in square brackets the 95 % interval by a bootstrap over "
        "patients. Learned: a logistic regression on mean, largest value and standard "
        "deviation of the slices' logits, fitted on the predictions of the other folds; "
        "these come from models that had seen the tested patients, a little in its favour."
    ]
    return _by_columns(table, "aggregation", "auc", names, notes)


def _nested(table: pd.DataFrame) -> Layout:
    """A row per choice that was made inside the training folds."""
    columns = [("Choice", "fixed"), ("Choice", "nested (times)")]
    columns += [("Result", name) for name in ("measure", "fixed", "nested", "optimism")]
    rows = []
    for row in table.to_dict("records"):
        cells = [row["against"], row["chosen"], formatting.MEASURE_LABELS[row["measure"]]]
        cells += [formatting.number(row["fixed"]), formatting.number(row["nested"])]
        optimism = _with_interval(row["optimism"], row["low"], row["high"])
        name = formatting.evaluation_label(row["encoder"], row["protocol"])
        rows.append((f"{name}: {CHOICES[row['choice']]}", [*map(Cell, cells), optimism]))
    notes = [
        "Optimism: the result with a value fixed beforehand, or chosen on the reported folds, less "
        "that with the value chosen by an inner cross-validation on the training patients. In "
        "square brackets its 95 % interval, by a paired bootstrap over patients, the fixed value "
        "as given. Only the nested result of a chosen value is fair."
    ]
    return Layout("Method", columns, rows, notes)


def _separability(table: pd.DataFrame) -> Layout:
    """A row per encoder, a column per property."""
    names = [name for name in formatting.PROPERTY_LABELS if name in set(table["property"])]
    cells = table.set_index(["encoder", "property"])
    rows = [
        (formatting.method_label(encoder), [_auc(cells.loc[(encoder, name)]) for name in names])
        for encoder in table["encoder"].unique()
    ]
    notes = [
        "AUC of a logistic regression on patients' mean features, in 5 folds, one class against "
        "the rest; 95 % interval over patients. Chance is 0.5. Stage and target should be "
        "predictable, site and scanner should not."
    ]
    columns = [(formatting.PROPERTY_LABELS[name], "AUC") for name in names]
    return Layout(formatting.HEADINGS["method"], columns, rows, notes)


def _external(table: pd.DataFrame) -> Layout:
    """A row per cohort, protocol and encoder; a cohort that cannot be compared says why."""
    columns = [("AUC", name) for name in ("inside", "outside", "drop")]
    columns += [("At the threshold from inside", "sensitivity")]
    columns += [("At the threshold from inside", "specificity")]
    columns += [("Probabilities", name) for name in ("Brier score", "slope", "intercept", "O/E")]
    rows, said = [], {}
    for row in table.to_dict("records"):
        if isinstance(row["note"], str) and row["note"]:
            said[row["cohort"]] = f"{row['cohort']}: {row['note']}."
        if pd.isna(row["auc"]):
            continue
        cells = [
            _with_interval(row[value], row[low], row[high])
            for value, low, high in (
                ("inside", "inside_low", "inside_high"),
                ("auc", "low", "high"),
                ("drop", "drop_low", "drop_high"),
                *((name, f"{name}_low", f"{name}_high") for name in OUTSIDE),
            )
        ]
        evaluated = formatting.evaluation_label(row["encoder"], row["protocol"])
        observed = Cell(formatting.number(row["observed_expected"]))
        rows.append((f"{row['cohort']}: {evaluated}", [*cells, observed]))
    people = table.drop_duplicates("cohort")
    counts = ", ".join(
        f"{row.cohort} {row.patients} ({row.positive} positive)" for row in people.itertuples()
    )
    notes = [
        f"Patients with a label: {counts}. Final models, fitted once on all patients of the "
        "evaluation cohort, and on none of these; inside is the AUC of the cross-validation there. "
        "In square brackets 95 % intervals: of an AUC DeLong's, of the drop (inside less outside) "
        "put together from the two, which are of different patients, of all else by a bootstrap. "
        "Threshold: Youden's inside. Calibration: slope 1, intercept 0 and observed over expected "
        "(O/E) 1 are perfect; O/E above 1 means probabilities too low.",
        *said.values(),
    ]
    return Layout("Cohort", columns, rows, notes)


def _baselines(table: pd.DataFrame) -> Layout:
    """A row per baseline, the best in bold, then the best image method, alone and with it."""
    columns = [("Label told", name) for name in ("AUC", "p")] + [("Patients", "unknown")]
    columns += [("Image added", name) for name in ("gain of AUC", "p")]
    hospitals = [name.removesuffix("_auc") for name in table if name.endswith("_auc")]
    columns += [("AUC outside", name) for name in hospitals]
    best = table["auc"].where(table["encoder"].isna()).idxmax() if table["auc"].any() else None
    rows = []
    for place, row in table.iterrows():
        auc = _with_interval(row["auc"], row["low"], row["high"])
        unknown = "" if pd.isna(row["missing"]) else f"{row['missing']:.0f}"
        gain = _with_interval(row["gain"], row["gain_low"], row["gain_high"])
        told, gained = map(formatting.p_value, (row["p_holm"], row["p_likelihood_ratio"]))
        cells = [replace(auc, best=place == best), Cell(told), Cell(unknown), gain, Cell(gained)]
        cells += [
            _with_interval(*(row[f"{name}_{end}"] for end in ("auc", "low", "high")))
            for name in hospitals
        ]
        rows.append((formatting.baseline_label(row["baseline"], row["encoder"]), cells))
    notes = [
        "Out-of-fold logistic regressions; AUC within folds, as in Table 1, with DeLong's 95 % "
        "interval in square brackets. Without an AUC is what is the same for all patients. p: that "
        "it has nothing to do with the label, by permuting the labels, adjusted for the number of "
        "baselines (Holm). Bold: the best baseline. Gain: the AUC of the best image method of "
        "linear evaluation and the best baseline together, less that of the baseline (DeLong, "
        "paired), with p of the likelihood-ratio test on out-of-fold log odds. An image method "
        "tells something only where it adds to the best baseline.",
        *["Outside: fitted on all patients of the evaluation cohort."] * bool(hospitals),
    ]
    return Layout("Known of the patient", columns, rows, notes)


def _auc(row: pd.Series) -> Cell:
    """The AUC with its interval, or that there are too few patients."""
    if np.isnan(row["auc"]):
        return Cell("too few")
    return _with_interval(row["auc"], row["auc_low"], row["auc_high"])
