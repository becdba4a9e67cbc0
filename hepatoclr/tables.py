"""The result tables, computed from predictions alone, beside the paper's numbers.

A table is a plain data frame with a row per method (or beta) and protocol. `write` gives it
three times: CSV for machines, Markdown and LaTeX for people.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from hepatoclr import files, layout, metrics
from hepatoclr.errors import UserError

PROTOCOLS = ("linear", "finetune")
BASELINE = "none"
DTYPES = {
    "protocol": str,
    "encoder": str,
    "fraction": float,
    "repeat": int,
    "fold": int,
    "patient_id": str,
    "label": int,
    "probability": float,
    "threshold": float,
    "slices": int,
}
SUMMARY = ["n_folds"] + [f"{m}_{part}" for m in metrics.MEASURES for part in ("mean", "sd")]


class Reference(NamedTuple):
    """Published mean and sd over folds, two decimals as printed."""

    paper_auc_mean: float = np.nan
    paper_auc_sd: float = np.nan
    paper_balanced_accuracy_mean: float = np.nan
    paper_balanced_accuracy_sd: float = np.nan


# Tables 1 and 2 of ISBI 2023, arXiv 2302.08427; the paper prints no linear result without
# pretraining.
PAPER = {
    ("none", "finetune"): Reference(0.77, 0.07, 0.72, 0.07),
    ("supervised", "linear"): Reference(0.64, 0.19, 0.56, 0.10),
    ("supervised", "finetune"): Reference(0.65, 0.10, 0.64, 0.09),
    ("simclr", "linear"): Reference(0.78, 0.09, 0.68, 0.04),
    ("simclr", "finetune"): Reference(0.78, 0.11, 0.69, 0.08),
    ("supcon", "linear"): Reference(0.61, 0.05, 0.59, 0.05),
    ("supcon", "finetune"): Reference(0.65, 0.13, 0.67, 0.14),
    ("weak_simclr-0.2", "linear"): Reference(0.75, 0.08, 0.67, 0.05),
    ("weak_simclr-0.2", "finetune"): Reference(0.78, 0.10, 0.73, 0.13),
    ("weak_simclr-0.4", "linear"): Reference(0.82, 0.10, 0.71, 0.09),
    ("weak_simclr-0.4", "finetune"): Reference(0.81, 0.07, 0.75, 0.07),
    ("weak_simclr-0.5", "linear"): Reference(0.84, 0.05, 0.75, 0.06),
    ("weak_simclr-0.5", "finetune"): Reference(0.81, 0.03, 0.73, 0.08),
    ("weak_simclr-0.8", "linear"): Reference(0.74, 0.06, 0.68, 0.07),
    ("weak_simclr-0.8", "finetune"): Reference(0.79, 0.09, 0.66, 0.11),
}


def read_predictions(paths: Iterable[str | Path]) -> pd.DataFrame:
    """Read the predictions of all evaluation jobs into one table.

    Args:
        paths: CSV files with the columns of `DTYPES`; further columns are kept.

    Returns:
        A row per tested patient, in an order that does not depend on that of the files.

    Raises:
        UserError: No file; a column is missing, empty or not of its kind; a patient is
            predicted twice in one repeat or has two labels.
    """
    parts = [_read(path) for path in paths]
    if not parts:
        raise UserError("no predictions to read. Run the linear or fine-tuning evaluation first.")
    predictions = pd.concat(parts, ignore_index=True)
    unit = [*metrics.GROUP, "repeat", "patient_id"]
    twice = predictions[predictions.duplicated(unit)]
    if len(twice):
        first = twice.iloc[0]
        raise UserError(
            f"patient {first['patient_id']} is predicted twice by {first['encoder']} "
            f"({first['protocol']}) in repeat {first['repeat']}; {len(twice)} rows are too many. "
            "Give each predictions file once, and one row per patient."
        )
    labels = predictions.groupby("patient_id")["label"].nunique()
    if (labels > 1).any():
        raise UserError(
            f"patient {labels.index[labels > 1][0]} has label 0 in one file and 1 in another "
            f"({int((labels > 1).sum())} patients do). The files are of different label "
            "settings: predict again, or read only those of one run."
        )
    order = [*metrics.FOLD, "patient_id"]
    return predictions.sort_values(order, kind="stable", ignore_index=True)


def _read(path: str | Path) -> pd.DataFrame:
    """Read one predictions file; see `read_predictions`."""
    # A patient may be called NA or None: only empty cells are missing.
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    if missing := [name for name in DTYPES if name not in frame]:
        raise UserError(
            f"{path} lacks the columns {', '.join(missing)}. A predictions file has "
            f"{', '.join(DTYPES)}."
        )
    for name, kind in DTYPES.items():
        # A missing probability is left to metrics.by_fold, which names its fold.
        empty = frame[name].str.strip().str.lower().isin(["", "nan"] if kind is float else [""])
        if empty.any() and name != "probability":
            raise UserError(f"{path}, line {int(empty.argmax()) + 2}: {name} is missing.")
        try:
            frame[name] = frame[name].mask(empty, "nan").astype(kind)
        except ValueError as error:
            raise UserError(
                f"{path}: {name} must be {kind.__name__} throughout: {error}."
            ) from None
    return frame


def table1(
    predictions: pd.DataFrame,
    methods: Mapping[str, str],
    synthetic: bool,
    protocols: Sequence[str] = PROTOCOLS,
) -> pd.DataFrame:
    """Compare pretraining methods (the paper's Table 1).

    Args:
        predictions: What `read_predictions` returns.
        methods: Row name to encoder name, in the order of the rows; the row `weak_simclr` is
            compared with the paper's beta = 0.5 whatever encoder it shows.
        synthetic: Whether the cohort is simulated.
        protocols: Evaluations to show, in order.

    Returns:
        One row per method and protocol: method, protocol, n_folds, mean and sd of AUC and
        balanced accuracy, the paper's of each (NaN where it prints none), data.

    Raises:
        UserError: An encoder has no predictions, or as `metrics.by_fold`.
    """
    references = dict(zip(methods, methods, strict=True)) | {"weak_simclr": "weak_simclr-0.5"}
    return _comparison(predictions, "method", methods, references, synthetic, protocols)


def table2(
    predictions: pd.DataFrame,
    betas: Mapping[float, str],
    synthetic: bool,
    protocols: Sequence[str] = PROTOCOLS,
) -> pd.DataFrame:
    """Compare weights of the weak loss (the paper's Table 2).

    Args:
        predictions: What `read_predictions` returns.
        betas: Weight in [0, 1] to encoder name, in the order of the rows.
        synthetic: Whether the cohort is simulated.
        protocols: Evaluations to show, in order.

    Returns:
        As `table1`, with beta in place of method.

    Raises:
        UserError: An encoder has no predictions, or as `metrics.by_fold`.
    """
    rows = {float(beta): encoder for beta, encoder in betas.items()}
    references = {beta: layout.BETA_ENDS.get(beta, f"weak_simclr-{beta:g}") for beta in rows}
    return _comparison(predictions, "beta", rows, references, synthetic, protocols)


def learning_curve(predictions: pd.DataFrame, synthetic: bool) -> pd.DataFrame:
    """Show what more training patients bring, without pretraining.

    Args:
        predictions: What `read_predictions` returns.
        synthetic: Whether the cohort is simulated.

    Returns:
        One row per share of the training patients, rising: fraction, auc_mean, auc_sd,
        n_folds, data.

    Raises:
        UserError: No fine-tuning from random weights, or as `metrics.by_fold`.
    """
    chosen = predictions.query("encoder == @BASELINE and protocol == 'finetune'")
    _require(chosen, [BASELINE], ["finetune"])
    table = metrics.summary(metrics.by_fold(chosen))
    return table[["fraction", "auc_mean", "auc_sd", "n_folds"]].assign(
        data=layout.ORIGIN[synthetic]
    )


def _comparison(
    predictions: pd.DataFrame,
    name: str,
    rows: Mapping[object, str],
    references: Mapping[object, str],
    synthetic: bool,
    protocols: Sequence[str],
) -> pd.DataFrame:
    """Give one row per entry of `rows` and protocol; see `table1` and `table2`.

    Args:
        predictions: What `read_predictions` returns; only full training sets are compared.
        name: First column, holding the keys of `rows`.
        rows: Key to encoder.
        references: Key to the encoder of `PAPER` beside it.
        synthetic: Whether the cohort is simulated.
        protocols: Evaluations to show, in order.
    """
    full = predictions[predictions["fraction"] == 1]
    chosen = full[full["encoder"].isin(list(rows.values()))]
    _require(chosen, rows.values(), protocols)
    results = metrics.summary(metrics.by_fold(chosen)).set_index(["encoder", "protocol"])
    records = [
        {name: key, "protocol": protocol}
        | {column: results.loc[(encoder, protocol), column] for column in SUMMARY}
        | PAPER.get((references[key], protocol), Reference())._asdict()
        for key, encoder in rows.items()
        for protocol in protocols
    ]
    return pd.DataFrame(records).assign(data=layout.ORIGIN[synthetic])


def _require(predictions: pd.DataFrame, encoders: Iterable[str], protocols: Iterable[str]) -> None:
    """Raise a UserError that names every (encoder, protocol) without predictions."""
    found = set(predictions[["encoder", "protocol"]].itertuples(index=False, name=None))
    wanted = [(encoder, protocol) for encoder in encoders for protocol in protocols]
    if missing := [f"{pair[0]} ({pair[1]})" for pair in wanted if pair not in found]:
        raise UserError(
            f"no predictions of {', '.join(dict.fromkeys(missing))} on the whole training set. "
            "Run these evaluations, or leave the encoders out of the table."
        )


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
        table: What `table1`, `table2` or `learning_curve` returns.
        csv_path: Every column, numbers rounded to six decimals.
        md_path: For people; the paper's numbers in parentheses.
        tex_path: A `table` environment that needs booktabs.
        caption: Plain text.
        counts: What `metrics.counts` returns, for the note.
    """
    readable = layout.of(table, counts)
    files.write_text(table.round(6).to_csv(index=False, lineterminator="\n"), csv_path)
    files.write_text(layout.markdown(readable, caption), md_path)
    files.write_text(layout.latex(readable, caption), tex_path)
