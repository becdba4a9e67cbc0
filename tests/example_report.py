"""Made-up tables, figures and facts of a whole run, as its report gets them."""

import itertools

import pandas as pd
from example_predictions import BETAS, METHODS, predictions
from matplotlib.figure import Figure

from hepatoclr import figures, flow, metrics, report, tables

EVIL = """<script>alert(1)</script> "quoted" & 'so'"""
ENCODERS = ["supervised", "simclr", "supcon", "weak_simclr-0.5"]


def table1(auc=0.8, low=0.7, high=0.88, **columns):
    """A table 1 of a number for all methods; columns given are put in place of its own."""
    pairs = list(itertools.product(METHODS, ("linear", "finetune")))
    frame = pd.DataFrame(pairs, columns=["method", "protocol"])
    frame = frame.assign(n_folds=5, auc_mean=auc, auc_sd=0.05, auc_low=low, auc_high=high)
    return frame.assign(leaky=0, data="cohort").assign(**columns)


def comparison(**changes):
    """One row of the comparisons: no evidence that weak-SimCLR is better than random weights."""
    given = {"protocol": "linear", "encoder": "weak_simclr-0.5", "reference": "none"}
    given |= {"difference": 0.07, "low": -0.012, "high": 0.152, "p_delong": 0.09}
    given |= {"p_permutation": 0.1, "p_corrected_t": 0.2, "p_holm": 0.36, "detectable": 0.117}
    return given | changes


def comparisons():
    """Every encoder and protocol against random weights and SimCLR."""
    rows = [
        comparison(protocol=protocol, encoder=encoder, reference=reference)
        for protocol in ("linear", "finetune")
        for reference in ("none", "simclr")
        for encoder in ENCODERS
        if encoder != reference
    ]
    for place, row in enumerate(rows):
        shift = 0.03 * (place % 5) - 0.06
        row.update({key: row[key] + shift for key in ("difference", "low", "high")})
    rows[3] |= {"difference": 0.21, "low": 0.11, "high": 0.3, "p_holm": 0.0004}
    return pd.DataFrame(rows)


def cohort(name, role):
    """A cohort's table, as far as it is counted."""
    steps = ["", "", "", "", "ingest", "label"] * 4
    return pd.DataFrame(
        {
            "case": [f"{name}-{place}" for place in range(24)],
            "patient_id": [f"{place // 2}" for place in range(24)],
            "role": role,
            "target": pd.array([place // 2 % 2 for place in range(24)], dtype="Int64"),
            "slices": 30,
            "flags": ["components"] + [""] * 23,
            "included": [not step for step in steps],
            "step": steps,
        }
    )


def cost():
    """What four stages took."""
    stages = ["ingest", "pretrain", "linear", "finetune"]
    return pd.DataFrame(
        {"stage": stages, "jobs": [1200, 6, 30, 30], "wall_seconds": [5400.0, 86400, 300, 9000]}
        | {"core_seconds": [60.0, 90000, 200, 9900], "start_up_share": [0.5, 0.001, 0.6, 0.01]}
        | {"peak_memory_mb": [100.0, 9000, 800, 7000], "device": ["", "H100", "cpu", "H100"]}
        | {"samples_per_second": [float("nan"), 3100.4, float("nan"), 900.0]}
    )


def others():
    """Tables that only some runs have."""
    spread = {"low": [0.7, 0.61, 0.6], "high": [0.9, 0.83, 0.8]}
    return {
        "nested": pd.DataFrame(
            {"protocol": "linear", "choice": ["fixed β", "nested β", "nested β, C and threshold"]}
            | {"auc": [0.81, 0.73, 0.71], **spread}
        ),
        "aggregation": pd.DataFrame(
            {"protocol": "linear", "encoder": "simclr", "aggregation": ["mean", "median", "max"]}
            | {"auc": [0.8, 0.73, 0.71], **spread}
        ),
        "agreement": pd.DataFrame(
            {"measure": ["kappa", "sensitivity"], "estimate": [0.41, 0.8]}
            | {"low": [0.2, 0.7], "high": [0.6, 0.88]}
        ),
        "shortcuts": pd.DataFrame(
            {"told_by": ["order of files", "site", "scanner"], "auc": [0.5, 0.55, 0.6], **spread}
        ),
    }


def drawn(folder):
    """Figures of the example predictions, as SVG files; one of them holds a picture."""
    known = predictions()
    table_1 = tables.table1(known, METHODS, synthetic=True)
    baseline = table_1.set_index(["method", "protocol"]).loc[("none", "finetune")]
    paths = {
        name: folder / f"{name}.svg"
        for name in ("roc", "beta", "learning_curve", "flow", "preprocessing")
    }
    figures.roc(known, METHODS, [paths["roc"]], synthetic=True)
    figures.beta(tables.table2(known, BETAS, synthetic=True), baseline, [paths["beta"]])
    curve = tables.learning_curve(known, synthetic=True)
    figures.learning_curve(curve, [paths["learning_curve"]])
    cohorts = {"radio": cohort("radio", "pretraining"), "histo": cohort("histo", "external")}
    flow.draw(flow.table(cohorts, {}), [paths["flow"]], synthetic=True)
    picture = Figure(figsize=(7.2, 3))
    picture.subplots().imshow([[0, 1], [2, 3]], cmap="gray")
    figures.save(picture, paths["preprocessing"])
    return paths


def arguments(folder):
    """What `report.html` is told of a whole run."""
    known = predictions()
    table_1 = tables.table1(known, METHODS, synthetic=True)
    table_1 = table_1.assign(auc_low=table_1["auc_mean"] - 0.09, auc_high=table_1["auc_mean"] + 0.07)
    cohorts = {"radio": cohort("radio", "pretraining"), "histo": cohort("histo", "evaluation")}
    settings = {"run": "demo", "tensors": {"window": [-100, 400], "size": 512}, "cutout": False}
    return {
        "run": "demo",
        "tables": {
            "table1": table_1,
            "table2": tables.table2(known, BETAS, synthetic=True),
            "comparisons": comparisons(),
            "learning_curve": tables.learning_curve(known, synthetic=True),
            "cohorts": report.quality(cohorts),
            "cost": cost(),
            **others(),
        },
        "figures": drawn(folder),
        "facts": {
            "settings": settings,
            "versions": report.versions(),
            "provenance": report.provenance(settings, []),
        },
        "counts": metrics.counts(known),
        "links": {"radio": "qc/radio.html", "histo": "qc/histo.html"},
    }
