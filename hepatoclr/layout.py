"""A table as people read it: rows of `0.84 ± 0.05` beside the paper's numbers, best in bold.

`of` decides what is shown, whatever the markup; `markdown` and `latex` render it here, the
report in HTML.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hepatoclr import metrics

SYNTHETIC = "Synthetic cohort: shows that the pipeline works, says nothing about patients."
CAUTION = (
    "Caution: with 78 / 28 patients, as in the paper, an AUC of 0.84 has a 95 % interval of "
    "about ± 0.075; the sd over folds is not that interval."
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
PROTOCOL_LABELS = {"linear": "linear", "finetune": "fine-tuned"}
BETA_ENDS = {0.0: "simclr", 1.0: "supervised"}
# The last column of every table, by whether the cohort is simulated.
ORIGIN = {True: "synthetic", False: "cohort"}


@dataclass(frozen=True)
class Cell:
    """One cell as people read it, such as `0.84 ± 0.05`, with the paper's ("" if none)."""

    value: str
    paper: str
    best: bool


@dataclass(frozen=True)
class Layout:
    """A table as people read it, whatever the markup.

    Attributes:
        heading: Above the row names.
        columns: (measure, protocol) as words, measures together.
        rows: Row name and one cell per column.
        notes: Sentences to print below.
    """

    heading: str
    columns: list[tuple[str, str]]
    rows: list[tuple[str, list[Cell]]]
    notes: list[str]

    @property
    def measures(self) -> dict[str, int]:
        """Each measure, in order, with the number of columns it spans."""
        return Counter(measure for measure, _ in self.columns)


def of(table: pd.DataFrame, counts: Mapping[str, int] | None = None) -> Layout:
    """Lay a table out for people: a row per method, a column per measure and protocol.

    Args:
        table: What `table1`, `table2` or `learning_curve` returns.
        counts: What `metrics.counts` returns, for the note.
    """
    key = table.columns[0]
    if "protocol" not in table:
        table = table.assign(protocol="finetune")
    columns = [
        (measure, protocol)
        for measure in metrics.MEASURES
        if f"{measure}_mean" in table
        for protocol in table["protocol"].unique()
    ]
    cells = [
        # More patients are no competitor of fewer: a learning curve has no winner.
        _cells(table[table["protocol"] == protocol], measure, key != "fraction")
        for measure, protocol in columns
    ]
    names = [_row_label(key, value) for value in table[key].unique()]
    return Layout(
        HEADINGS.get(key, key),
        [(MEASURE_LABELS[m], PROTOCOL_LABELS.get(p, p)) for m, p in columns],
        [(name, list(row)) for name, row in zip(names, zip(*cells, strict=True), strict=True)],
        _notes(table, counts),
    )


def _cells(part: pd.DataFrame, measure: str, mark_best: bool) -> list[Cell]:
    """The cells of one measure; best are all that equal the highest mean as printed."""
    shown = [f"{mean:.2f}" for mean in part[f"{measure}_mean"]]
    paper = [f"paper_{measure}_{kind}" for kind in ("mean", "sd")]
    published = part.reindex(columns=paper).itertuples(index=False, name=None)
    own = zip(part[f"{measure}_mean"], part[f"{measure}_sd"], strict=True)
    best = max(map(float, shown))
    return [
        Cell(plus_minus(*ours), plus_minus(*theirs), mark_best and float(mean) == best)
        for mean, ours, theirs in zip(shown, own, published, strict=True)
    ]


def plus_minus(mean: float, sd: float) -> str:
    """Print `0.84 ± 0.05`; `0.84` without an sd (one fold); nothing without a mean."""
    if np.isnan(mean):
        return ""
    return f"{mean:.2f}" if np.isnan(sd) else f"{mean:.2f} ± {sd:.2f}"


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


def _notes(table: pd.DataFrame, counts: Mapping[str, int] | None) -> list[str]:
    """What a reader has to know about a table's numbers."""
    low, high = table["n_folds"].min(), table["n_folds"].max()
    basis = f"{high} fold{'s' if high > 1 else ''}" if low == high else f"{low} to {high} folds"
    if counts:
        basis += "; {patients} patients ({positive} positive, {negative} negative)".format(**counts)
    reading = [f"Mean ± sample standard deviation (sd) over {basis}."]
    if table.columns[0] != "fraction":
        reading.append("Bold: best of its column.")
    if table.filter(like="paper_").notna().any(axis=None):
        reading.append(f"{SOURCE} stand beside ours.")
    return [" ".join(reading), CAUTION, *([SYNTHETIC] if is_synthetic(table) else [])]


def is_synthetic(table: pd.DataFrame) -> bool:
    """Say whether a table, or any part of it, comes from a simulated cohort."""
    return bool((table["data"] == ORIGIN[True]).any())


def markdown(readable: Layout, caption: str) -> str:
    """Render a layout as a Markdown table, aligned for reading as plain text too."""
    grid = [[readable.heading, *(" ".join(column) for column in readable.columns)]]
    for name, cells in readable.rows:
        values = [f"**{cell.value}**" if cell.best else cell.value for cell in cells]
        papers = [f" ({cell.paper})" if cell.paper else "" for cell in cells]
        grid.append([name.replace("|", r"\|"), *map("".join, zip(values, papers, strict=True))])
    widths = [max(map(len, column)) for column in zip(*grid, strict=True)]
    grid.insert(1, ["-" * width for width in widths])
    lines = [f"| {' | '.join(map(str.ljust, cells, widths))} |" for cells in grid]
    return "\n\n".join([caption, "\n".join(lines), *readable.notes]) + "\n"


TEX = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"±": r"\textpm{}", "β": r"$\beta$"}
)


def latex(readable: Layout, caption: str) -> str:
    """Render a layout as a LaTeX table (booktabs), the paper's numbers in a line below ours."""
    groups, rules, start = "", "", 2
    for measure, span in readable.measures.items():
        groups += rf" & \multicolumn{{{span}}}{{c}}{{{measure}}}"
        rules += rf"\cmidrule(lr){{{start}-{start + span - 1}}}"
        start += span
    protocols = "".join(f" & {protocol}" for _, protocol in readable.columns)
    lines = [
        r"\begin{table}[tb]",
        r"\centering",
        rf"\caption{{{caption.translate(TEX)}}}",
        rf"\begin{{tabular}}{{l{'c' * len(readable.columns)}}}",
        r"\toprule",
        rf"{groups.strip()} \\",
        rules,
        rf"{readable.heading.translate(TEX)}{protocols} \\",
        r"\midrule",
    ]
    body = []
    for name, cells in readable.rows:
        values = [cell.value.translate(TEX) for cell in cells]
        marked = [rf"\textbf{{{v}}}" if c.best else v for v, c in zip(values, cells, strict=True)]
        body.append([name.translate(TEX), *marked])
        if any(cell.paper for cell in cells):
            papers = [rf"\textit{{{c.paper.translate(TEX)}}}" if c.paper else "" for c in cells]
            body.append([r"\quad \textit{paper}", *papers])
    lines += [" & ".join(row) + r" \\" for row in body]
    lines += [r"\bottomrule", r"\end{tabular}", r"\par\smallskip\footnotesize"]
    lines += [note.translate(TEX) for note in readable.notes]
    return "\n".join([*lines, r"\end{table}", ""])
