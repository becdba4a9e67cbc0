"""The figures of a set of predictions, as SVG and PNG, drawn from its tables."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from hepatoclr.reporting.plots import common, curves, effects

NAMES = ("roc", "comparisons", "calibration", "decision_curve", "beta", "learning_curve")
TABLES = ("table1", "table2", "learning_curve", "measures", "comparisons")  # that these need
# The table without which there is nothing to draw; the others draw the predictions.
DRAWN_OF = {"comparisons": "comparisons", "beta": "table2", "learning_curve": "learning_curve"}


def all(
    predictions: pd.DataFrame,
    tables: Mapping[str, pd.DataFrame],
    paths: Mapping[str, Sequence[str | Path]],
    methods: Mapping[str, str] | None = None,
) -> dict[str, Figure]:
    """Draw the figures of a set of predictions.

    Args:
        predictions: What `predictions.read` returns.
        tables: What `tables.all` returns, or its files read back; those of `TABLES`.
        paths: Files to write, by figure, of `NAMES`; only these are drawn.
        methods: Row name of Table 1 to encoder name; None where they are the same.

    Returns:
        The figures; one that the tables hold nothing for only says so.
    """
    table1, measures = tables["table1"], tables["measures"]
    measures = measures[measures["protocol"].isin(table1["protocol"])]
    methods = methods or {name: name for name in table1["method"].unique()}
    draw = {
        "roc": lambda to: curves.roc(predictions, methods, table1, to),
        "calibration": lambda to: curves.calibration(predictions, methods, measures, to),
        "decision_curve": lambda to: curves.decision_curve(predictions, methods, table1, to),
        "comparisons": lambda to: effects.comparisons(tables["comparisons"], to),
        "beta": lambda to: effects.beta(tables["table2"], table1, to),
        "learning_curve": lambda to: effects.learning_curve(tables["learning_curve"], to),
    }
    return {
        name: draw[name](to) if len(tables[DRAWN_OF.get(name, "table1")]) else placeholder(to)
        for name, to in paths.items()
    }


def placeholder(paths: Sequence[str | Path]) -> Figure:
    """Draw, in place of a figure, that the predictions hold nothing for it."""
    return common.only_text("Nothing to draw: there are no predictions of this kind.", paths)
