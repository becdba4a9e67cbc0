"""A table as people read it: rows of `0.84 ± 0.05 [0.76, 0.90]` beside the paper's numbers.

`of` decides what is shown, whatever the markup; `markdown` and `latex` render it here, the
report in HTML.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from hepatoclr.stats import metrics

SYNTHETIC = "Synthetic cohort: shows that the pipeline works, says nothing about patients."
# What must be said on every output, by its word in the column `data` (or the column `leaky`).
DISCLAIMERS = {
    "synthetic": SYNTHETIC,
    "permuted": "Labels permuted: a control, in which there is nothing to learn. An AUC whose "
    "interval lies above 0.5 points to a leak, not to a good method.",
    "leaky": "Leaky: in some rows the epoch was chosen on the tested patients: flattering.",
}
REFERENCE = (
    "With 78 / 28 patients, as in the paper, an AUC of 0.84 has a 95 % interval of about ± 0.075."
)
SOURCE = "The paper's numbers (Sarfati et al., ISBI 2023, arXiv 2302.08427)"

LABELS = {
    "none": "None (random weights)",
    "supervised": "Supervised",
    "simclr": "SimCLR",
    "supcon": "SupCon",
    "weak_simclr": "weak-SimCLR",
}
HEADINGS = {"method": "Pretraining", "beta": "β", "fraction": "Training patients"}
MEASURE_LABELS = {"auc": "AUC", "balanced_accuracy": "Balanced accuracy"}
PROTOCOL_LABELS = {
    "linear": "linear",
    "finetune": "fine-tuned",
    "linear_nested": "linear nested",
}
BETA_ENDS = {0.0: "simclr", 1.0: "supervised"}
# Measures and aggregations by the column they have for people.
MEASURE_COLUMNS = {
    "auc": ("AUC", "mean of folds"),
    "auc_pooled": ("AUC", "pooled"),
    "balanced_accuracy": ("At the threshold", "balanced accuracy"),
    "sensitivity": ("At the threshold", "sensitivity"),
    "specificity": ("At the threshold", "specificity"),
    "ppv": ("At the threshold", "PPV"),
    "npv": ("At the threshold", "NPV"),
    "f1": ("At the threshold", "F1"),
    "brier": ("Probabilities", "Brier score"),
    "log_loss": ("Probabilities", "log loss"),
    "calibration_slope": ("Calibration", "slope"),
    "calibration_intercept": ("Calibration", "intercept"),
}
P_COLUMNS = {
    "p_holm": "Holm",
    "p_corrected_t": "corrected t",
    "p_delong": "DeLong",
    "p_permutation": "permutation",
}
# What features are asked to tell of patients.
PROPERTY_LABELS = {
    "target": "Target",
    "label": "Stage",
    "weak_label": "Weak label",
    "site": "Site",
    "scanner": "Scanner",
}
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
    notes: list[str]

    @property
    def measures(self) -> dict[str, int]:
        """Each group, in order, with the number of columns it spans."""
        return Counter(group for group, _ in self.columns)


class Body(NamedTuple):
    """A layout without what all tables share."""

    heading: str
    columns: list[tuple[str, str]]
    rows: list[tuple[str, list[Cell]]]
    notes: list[str]


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
    }
    lay_out = next((special[name] for name in special if name in table), _results)
    heading, columns, rows, notes = lay_out(table)
    tested = "{patients} patients ({positive} positive, {negative} negative).".format
    said = [f"Tested on {tested(**counts)}"] if counts else []
    return Layout(
        heading, columns, rows, [*notes, *said, *(DISCLAIMERS[mark] for mark in disclaimers(table))]
    )


def data(disclaimers: Iterable[str]) -> str:
    """The column `data`: the disclaimers of a run, or `cohort` where there is nothing to say."""
    return " ".join(disclaimers) or "cohort"


def disclaimers(table: pd.DataFrame) -> list[str]:
    """What must be said of a table or any row of it: keys of `DISCLAIMERS`."""
    said = set(" ".join(table["data"].unique()).split())
    leaky = "leaky" in table and (table["leaky"] == 1).any()
    return [mark for mark in DISCLAIMERS if mark in said or (mark == "leaky" and leaky)]


def _results(table: pd.DataFrame) -> Body:
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
    words = [(MEASURE_LABELS[m], PROTOCOL_LABELS.get(p, p)) for m, p in columns]
    names = [_row_label(key, value) for value in table[key].unique()]
    if key == "fraction" and "fitted" in table and table["fitted"].notna().any():
        words.append(("AUC", "power law"))
        cells.append(_intervals(table, "fitted", "fitted_low", "fitted_high"))
        sizes = table["patients"].round().astype(int)
        names = [f"{name} ({size})" for name, size in zip(names, sizes, strict=True)]
    rows = [(name, list(row)) for name, row in zip(names, zip(*cells, strict=True), strict=True)]
    return Body(HEADINGS.get(key, key), words, rows, _result_notes(table))


def _cells(part: pd.DataFrame, measure: str, mark_best: bool) -> list[Cell]:
    """The cells of one measure; best are all that equal the highest mean as printed."""
    names = [f"{measure}_mean", f"{measure}_sd", f"{measure}_low", f"{measure}_high"]
    names += [f"paper_{measure}_mean", f"paper_{measure}_sd"]
    rows = part.reindex(columns=names).to_numpy(float)
    best = f"{np.nanmax(rows[:, 0]):.2f}"
    return [
        Cell(
            plus_minus(mean, sd),
            interval(low, high),
            plus_minus(*paper),
            mark_best and f"{mean:.2f}" == best,
        )
        for mean, sd, low, high, *paper in rows
    ]


def _intervals(table: pd.DataFrame, value: str, low: str, high: str) -> list[Cell]:
    """Cells of a value with its interval, a row each."""
    return [
        Cell(number(middle), interval(*ends))
        for middle, *ends in table[[value, low, high]].itertuples(index=False)
    ]


def number(value: float) -> str:
    """Print two decimals with a true minus sign; nothing for a missing value."""
    if np.isnan(value):
        return ""
    return f"{value + 0.0:.2f}".replace("-0.00", "0.00").replace("-", "\N{MINUS SIGN}")


def plus_minus(mean: float, sd: float) -> str:
    """Print `0.84 ± 0.05`; `0.84` without an sd (one fold); nothing without a mean."""
    return number(mean) if np.isnan(mean) or np.isnan(sd) else f"{number(mean)} ± {sd:.2f}"


def interval(low: float, high: float) -> str:
    """Print `[0.76, 0.90]`; nothing where there is no interval."""
    return "" if np.isnan(low) or np.isnan(high) else f"[{number(low)}, {number(high)}]"


def p_value(value: float) -> str:
    """Print a p value to three decimals; nothing for a missing one."""
    if np.isnan(value):
        return ""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _row_label(key: str, value: str | float) -> str:
    """Name a row for people: a method, a beta with the method at its ends, a share."""
    if key == "fraction":
        return f"{100 * value:.0f} %"
    if key == "beta":
        return f"{value:g} ({LABELS[BETA_ENDS[value]]})" if value in BETA_ENDS else f"{value:g}"
    return method_label(str(value))


def method_label(name: str) -> str:
    """Name a method or encoder for people: `weak_simclr-0.5` is `weak-SimCLR 0.5`."""
    method, _, beta = name.partition("-")
    return f"{LABELS[method]} {beta}".strip() if method in LABELS else name


def short_label(name: str) -> str:
    """Name a method where there is little room: without what stands in brackets."""
    return method_label(name).partition(" (")[0]


def _with_protocol(encoder: str, protocol: str) -> str:
    return f"{short_label(encoder)}, {PROTOCOL_LABELS.get(protocol, protocol)}"


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
    if table.columns[0] != "fraction":
        reading.append("Bold: best of its column.")
    elif "fitted" in table and table["fitted"].notna().any():
        reading.append("Power law: 1 - AUC falls with a power of the number of patients.")
    if table.filter(like="paper_").notna().any(axis=None):
        reading.append(f"{SOURCE} stand beside ours.")
    cautions = []
    if has_interval:
        half = (table["auc_high"] - table["auc_low"]) / 2
        cautions.append(
            f"Caution: the 95 % interval of an AUC of these patients is {_range(half, '± ')} wide; "
            "the sd over folds is not that interval."
        )
    cautions += detected(table)
    return [" ".join(reading), " ".join([*cautions, REFERENCE])]


def detected(table: pd.DataFrame) -> list[str]:
    """Say, where it is known, which differences a cohort could have shown."""
    if "detectable" not in table or table["detectable"].isna().all():
        return []
    return [
        "These patients show a difference of AUC with 80 % power only if it is "
        f"{_range(table['detectable'])} or more (alpha 0.05, two-sided, paired DeLong variance, "
        "over all comparisons); smaller ones are missed more often than that."
    ]


def _range(values: pd.Series, sign: str = "") -> str:
    low, high = (f"{sign}{end:.2f}" for end in (values.min(), values.max()))
    return low if low == high else f"{low} to {high}"


def _comparisons(table: pd.DataFrame) -> Body:
    """A row per pair of methods and protocol."""
    columns = [
        ("Difference of AUC", name) for name in ("these models", "methods", "pooled", "detectable")
    ]
    columns += [("p", name) for name in P_COLUMNS.values()]
    rows = []
    for row in table.to_dict("records"):
        pair = f"{short_label(row['encoder'])} - {short_label(row['reference'])}"
        differences = [
            Cell(number(row[name]), interval(row[low], row[high]))
            if not np.isnan(row[low])
            else Cell("")
            for name, low, high in (
                ("difference", "low", "high"),
                ("difference", "t_low", "t_high"),
                ("pooled", "pooled_low", "pooled_high"),
            )
        ]
        tests = [Cell(p_value(row[name])) for name in P_COLUMNS]
        name = f"{pair}, {PROTOCOL_LABELS.get(row['protocol'], row['protocol'])}"
        rows.append((name, [*differences, Cell(number(row["detectable"])), *tests]))
    notes = [
        "Difference of the AUC averaged over folds, as in Table 1, with its 95 % interval for "
        "these trained models and other patients (DeLong, paired), and for the methods, trained "
        "anew (corrected t over folds, Nadeau and Bengio); pooled: difference of the AUC over all "
        "patients of a repeat, with the interval of a paired bootstrap over patients. DeLong's and "
        "the permutation test are about these models, the corrected t test about the methods. "
        "Holm: the p of the corrected t test, or DeLong's where there are no folds, adjusted for "
        "the number of methods that are compared with one reference in one protocol.",
        *detected(table),
        "A large p does not say that methods are equal: read the interval.",
    ]
    return Body("Comparison", columns, rows, notes)


def _by_columns(table: pd.DataFrame, key: str, value: str, names: Mapping, heading: str) -> Body:
    """Long to wide: a row per encoder and protocol, a column per value of `key`."""
    found = [name for name in names if name in set(table[key])]
    rows = []
    for (protocol, encoder), part in table.groupby(["protocol", "encoder"], sort=False):
        wide = part.set_index(key).reindex(found)
        rows.append((_with_protocol(encoder, protocol), _intervals(wide, value, "low", "high")))
    return Body(heading, [names[name] for name in found], rows, [])


def _measures(table: pd.DataFrame) -> Body:
    """A row per encoder and protocol, a column per measure."""
    body = _by_columns(table, "measure", "estimate", MEASURE_COLUMNS, "Pretraining")
    return body._replace(
        notes=[
            "In square brackets the 95 % interval, of the AUC over folds by DeLong's variance, of "
            "all else by a bootstrap over patients. AUC and balanced accuracy are means over "
            "folds; all else, and the pooled AUC, is taken over all patients of a repeat and "
            "averaged over repeats.",
            "Calibration: slope 1 and intercept 0 are perfect; a slope below 1 means "
            "probabilities too far from the prevalence, an intercept below 0 too many positives.",
        ]
    )


def _aggregation(table: pd.DataFrame) -> Body:
    """A row per encoder and protocol, a column per way from slices to patients."""
    names = {
        "slices": ("AUC of slices", "each by itself"),
        "mean": ("AUC of patients", "mean"),
        "median": ("AUC of patients", "median"),
        "max": ("AUC of patients", "max"),
        "learned": ("AUC of patients", "learned"),
    }
    body = _by_columns(table, "aggregation", "auc", names, "Pretraining")
    return body._replace(
        notes=[
            "AUC averaged over folds, in square brackets the 95 % interval by a bootstrap over "
            "patients. Learned: a logistic regression on mean, largest value and standard "
            "deviation of the slices' logits, fitted on the predictions of the other folds; "
            "these come from models that had seen the tested patients, a little in its favour."
        ]
    )


def _nested(table: pd.DataFrame) -> Body:
    """A row per choice that was made inside the training folds."""
    columns = [("Choice", "fixed"), ("Choice", "nested (times)")]
    columns += [("Result", name) for name in ("measure", "fixed", "nested", "optimism")]
    rows = []
    for row in table.to_dict("records"):
        cells = [row["against"], row["chosen"], MEASURE_LABELS[row["measure"]]]
        cells += [number(row["fixed"]), number(row["nested"])]
        optimism = Cell(number(row["optimism"]), interval(row["low"], row["high"]))
        name = f"{_with_protocol(row['encoder'], row['protocol'])}: {CHOICES[row['choice']]}"
        rows.append((name, [*map(Cell, cells), optimism]))
    notes = [
        "Optimism: the result with a value fixed beforehand, or chosen on the reported folds, less "
        "that with the value chosen by an inner cross-validation on the training patients. In "
        "square brackets its 95 % interval, by a paired bootstrap over patients, the fixed value "
        "as given. Only the nested result of a chosen value is fair."
    ]
    return Body("Method", columns, rows, notes)


def _separability(table: pd.DataFrame) -> Body:
    """A row per encoder, a column per property."""
    names = [name for name in PROPERTY_LABELS if name in set(table["property"])]
    cells = table.set_index(["encoder", "property"])
    rows = [
        (method_label(encoder), [_told(cells.loc[(encoder, name)]) for name in names])
        for encoder in table["encoder"].unique()
    ]
    notes = [
        "AUC of a logistic regression on patients' mean features, in 5 folds, one class against "
        "the rest; 95 % interval over patients. Chance is 0.5. Stage and target should be told, "
        "site and scanner should not."
    ]
    columns = [(PROPERTY_LABELS[name], "AUC") for name in names]
    return Body(HEADINGS["method"], columns, rows, notes)


def _told(row: pd.Series) -> Cell:
    """The AUC with its interval, or that there are too few patients."""
    if np.isnan(row["auc"]):
        return Cell("too few")
    return Cell(number(row["auc"]), interval(row["auc_low"], row["auc_high"]))


def one_line(text: str) -> str:
    """Give text without line breaks and other control characters."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def plain_markdown(text: str) -> str:
    """Escape text, so that it is nothing but text in Markdown, on one line."""
    escaped = re.sub(r"([\\`*_\[\]{}#|~$!^@])", r"\\\1", one_line(text))
    escaped = escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"(?i)(:)(//)|(www)(\.)", r"\1\3\\\2\4", escaped)  # no links by themselves


def markdown(readable: Layout, caption: str) -> str:
    """Render a layout as a Markdown table, aligned for reading as plain text too."""
    heads = [readable.heading, *(" ".join(column) for column in readable.columns)]
    grid = [list(map(plain_markdown, heads))]
    for name, cells in readable.rows:
        grid.append([plain_markdown(name), *map(_markdown_cell, cells)])
    widths = [max(map(len, column)) for column in zip(*grid, strict=True)]
    grid.insert(1, ["-" * width for width in widths])
    lines = [f"| {' | '.join(map(str.ljust, cells, widths))} |" for cells in grid]
    body = ["\n".join(lines)] if readable.rows else []
    return "\n\n".join([caption, *body, *readable.notes]) + "\n"


def _markdown_cell(cell: Cell) -> str:
    value = f"**{cell.value}**" if cell.best else cell.value
    paper = f"({cell.paper})" if cell.paper else ""
    return " ".join(filter(None, [value, cell.interval, paper])).replace("|", r"\|")


TEX = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"±": r"\textpm{}", "β": r"$\beta$", "\N{MINUS SIGN}": "$-$", "<": "$<$"}
)


WIDEST = 6  # columns that fit a page at its own size


def latex(readable: Layout, caption: str) -> str:
    """Render a layout as a LaTeX table (booktabs): below each row its intervals and the paper's.

    A table of many columns is shrunk to the width of the text (graphicx).
    """
    wide = len(readable.columns) > WIDEST
    lines = [r"\begin{table}[tb]", r"\centering", rf"\caption{{{caption.translate(TEX)}}}"]
    if readable.rows:
        lines += [r"\resizebox{\linewidth}{!}{%"] * wide + _tabular(readable) + ["}"] * wide
    lines += [r"\par\smallskip\footnotesize"]
    lines += [note.translate(TEX) for note in readable.notes]
    return "\n".join([*lines, r"\end{table}", ""])


def _kept_apart(row: str) -> str:
    """Keep a row from being read as an option of the line break before it."""
    return "{}" + row if row.startswith(("[", "*")) else row


def _tabular(readable: Layout) -> list[str]:
    """The lines of the table itself."""
    groups, rules, start = "", "", 2
    for measure, span in readable.measures.items():
        groups += rf" & \multicolumn{{{span}}}{{c}}{{{measure.translate(TEX)}}}"
        rules += rf"\cmidrule(lr){{{start}-{start + span - 1}}}"
        start += span
    names = "".join(f" & {name.translate(TEX)}" for _, name in readable.columns)
    body = []
    for name, cells in readable.rows:
        values = [cell.value.translate(TEX) for cell in cells]
        marked = [rf"\textbf{{{v}}}" if c.best else v for v, c in zip(values, cells, strict=True)]
        body.append([name.translate(TEX), *marked])
        if any(cell.interval for cell in cells):
            # Braces, for after a line break LaTeX takes a square bracket as a length.
            body.append(["", *(f"{{{cell.interval.translate(TEX)}}}" for cell in cells)])
        if any(cell.paper for cell in cells):
            papers = [rf"\textit{{{c.paper.translate(TEX)}}}" if c.paper else "" for c in cells]
            body.append([r"\quad \textit{paper}", *papers])
    return [
        rf"\begin{{tabular}}{{l{'c' * len(readable.columns)}}}",
        r"\toprule",
        rf"{groups.strip()} \\",
        rules,
        rf"{readable.heading.translate(TEX)}{names} \\",
        r"\midrule",
        *(_kept_apart(" & ".join(row)) + r" \\" for row in body),
        r"\bottomrule",
        r"\end{tabular}",
    ]
