"""The result tables, computed from predictions, beside the paper's numbers.

A table is a plain data frame; its last column, `data`, holds the disclaimers of the run. `all`
computes every table; one that the predictions hold nothing for is empty. `write` gives a table
three times: CSV for machines, Markdown and LaTeX for people.

The unit of every interval and test is the patient: repeats and seeds test the same patients again
and are averaged. All tables draw the same bootstrap samples of the patients.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from hepatoclr.base import files
from hepatoclr.reporting import formatting, layouts, markup
from hepatoclr.reporting.tables import common, comparisons, measures, performance
from hepatoclr.stats import predictions as of_patients

TITLES = {
    "table1": "Pretraining methods",
    "table2": "Weight of the weak label",
    "learning_curve": "Learning curve",
    "measures": "All measures",
    "comparisons": "Differences between methods",
    "nested": "What choosing on the tested folds would gain",
    "aggregation": "From slices to patients",
}
EXTERNAL = "External validation"
BASELINES = "What else tells the label"


def all(
    predictions: pd.DataFrame,
    methods: Mapping[str, str] | None = None,
    betas: Mapping[float, str] | None = None,
    disclaimers: Sequence[str] = (),
    threshold: float | str = "youden",
    learned: Mapping[str, bool] | None = None,
) -> dict[str, pd.DataFrame]:
    """Compute every table of a set of predictions.

    The linear protocol with features scaled otherwise is among the measures alone.

    Args:
        predictions: What `predictions.read` returns.
        methods: Row name of Table 1 to encoder name; None for the encoders found.
        betas: Weight in [0, 1] to encoder name; None for no Table 2.
        disclaimers: Of the run, keys of `formatting.DISCLAIMERS`.
        threshold: That of `measures`, see `predictions.at_threshold`; Tables 1 and 2 show both.
        learned: What `common.learned` returns of the trainings; None where nothing is known.

    Returns:
        A table for each of `TITLES`, empty where the predictions hold nothing for it.

    Raises:
        UserError: An encoder has no predictions, or as `evaluation.to_arrays`.
    """
    main = common.without_beside(predictions)
    computed = {
        "table1": performance.table1(main, methods, learned),
        "table2": performance.table2(main, betas or {}, learned),
        "learning_curve": performance.learning_curve(main),
        "measures": measures.measures(of_patients.at_threshold(predictions, threshold)),
        "comparisons": comparisons.comparisons(main, methods),
        "nested": comparisons.nested(main, methods, betas or {}),
        "aggregation": measures.aggregation(main),
    }
    data = formatting.data(disclaimers)
    return {name: table.assign(data=data) for name, table in computed.items()}


def read(path: str | Path) -> pd.DataFrame:
    """Read the CSV of a table; a method may be called None or NA."""
    return files.read_csv(path, keep_default_na=False, na_values=[""])


def write(
    table: pd.DataFrame,
    csv_path: str | Path,
    md_path: str | Path,
    tex_path: str | Path,
    caption: str,
    counts: Mapping[str, int] | None = None,
) -> None:
    """Write a table as CSV, Markdown and LaTeX; equal tables give equal bytes.

    Args:
        table: One of those that `all` returns.
        csv_path: Every column, numbers rounded to six decimals.
        md_path: For people; the paper's numbers in parentheses.
        tex_path: A `table` environment that needs booktabs.
        caption: Plain text.
        counts: What `metrics.counts` returns, for the note.
    """
    table = table.round(6)  # rounded once, so that every form prints the same
    readable = layouts.of(table, counts)
    files.write_csv(table, csv_path)
    files.write_text(markup.markdown(readable, caption), md_path)
    files.write_text(markup.latex(readable, caption), tex_path)
