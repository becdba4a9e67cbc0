"""Words and numbers as people read them: labels, disclaimers, `0.84 ± 0.05`, `[0.76, 0.90]`."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

SYNTHETIC = "Synthetic cohort: shows that the pipeline works, says nothing about patients."
# Printed on every output, by name in the column `data` (or by the column `leaky`).
DISCLAIMERS = {
    "synthetic": SYNTHETIC,
    "permuted": "Labels permuted: a control, in which there is nothing to learn. An AUC whose "
    "interval lies above 0.5 points to a leak, not to a good method.",
    "leaky": "Leaky: in some rows the epoch was chosen on the tested patients: flattering.",
}

MARK = "\N{DAGGER}"  # behind the name of an encoder that did not learn
EQUAL_FEATURES = "is not clearly below that of equal features"  # the last loss of such an encoder

LABELS = {
    "none": "None (random weights)",
    "supervised": "Supervised",
    "simclr": "SimCLR",
    "supcon": "SupCon",
    "weak_simclr": "weak-SimCLR",
}
HEADINGS = {"method": "Pretraining", "beta": "β", "fraction": "Training patients"}
MEASURE_LABELS = {"auc": "AUC", "balanced_accuracy": "Balanced accuracy"}
RESULT_LABELS = {  # the same in Tables 1 and 2, which tell two thresholds apart
    "auc": "AUC",
    "balanced_accuracy": "Balanced accuracy at 0.5",
    "balanced_accuracy_youden": "Balanced accuracy at Youden's threshold",
}
PROTOCOL_LABELS = {
    "linear": "linear",
    "linear_scaled": "linear scaled",
    "linear_unscaled": "linear unscaled",
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
# What a readout predicts from the features of patients.
PROPERTY_LABELS = {
    "target": "Target",
    "label": "Stage",
    "weak_label": "Weak label",
    "site": "Site",
    "scanner": "Scanner",
}


def data(disclaimers: Iterable[str]) -> str:
    """The column `data`: the disclaimers of a run, or `cohort` where there are none."""
    return " ".join(disclaimers) or "cohort"


def disclaimers(table: pd.DataFrame) -> list[str]:
    """The disclaimers of a table or any row of it: keys of `DISCLAIMERS`."""
    found = set(" ".join(table["data"].unique()).split()) if "data" in table else set()
    if "leaky" in table and (table["leaky"] == 1).any():
        found.add("leaky")
    return [name for name in DISCLAIMERS if name in found]


def unlearned(table: pd.DataFrame) -> pd.Series:
    """Say of each row of Tables 1 and 2 whether its encoder is known not to have learned."""
    if "learned" not in table:
        return pd.Series(False, table.index)
    return table["learned"].eq(0).fillna(False).astype(bool)


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


def method_label(name: str) -> str:
    """Name a method or encoder for people: `weak_simclr-0.5` is `weak-SimCLR 0.5`."""
    method, _, beta = name.partition("-")
    return f"{LABELS[method]} {beta}".strip() if method in LABELS else name


def short_label(name: str) -> str:
    """Name a method where there is little room: without what stands in brackets."""
    return method_label(name).partition(" (")[0]


def baseline_label(baseline: str, encoder: str | float) -> str:
    """Name a baseline for people, the image by its encoder: `SimCLR + site`; else it has none."""
    if pd.isna(encoder):
        return baseline
    return f"{short_label(encoder)}{baseline.removeprefix('image')}"


def protocol_label(protocol: str) -> str:
    """Name a protocol for people: `finetune` is `fine-tuned`."""
    return PROTOCOL_LABELS.get(protocol, protocol)


def evaluation_label(encoder: str, protocol: str) -> str:
    """Name an evaluated encoder for people: `SimCLR, fine-tuned`."""
    return f"{short_label(encoder)}, {protocol_label(protocol)}"
