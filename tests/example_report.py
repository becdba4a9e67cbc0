"""Made-up tables, figures and facts of a whole run, as its report gets them."""

import itertools
from pathlib import Path

import pandas as pd
from example_predictions import METHODS
from matplotlib.figure import Figure

from hepatoclr.base import settings
from hepatoclr.learning import experiment
from hepatoclr.reporting import report
from hepatoclr.reporting.plots import common, diagrams

EVIL = """<script>alert(1)</script> "quoted" & 'so'"""
ROOT = Path(__file__).parents[1]
ENCODERS = ["supervised", "simclr", "supcon", "weak_simclr-0.5"]


def table1(auc=0.8, low=0.7, high=0.88, **columns):
    """A table 1 of one AUC for all methods; columns given are put in place of its own."""
    pairs = list(itertools.product(METHODS, ("linear", "finetune")))
    frame = pd.DataFrame(pairs, columns=["method", "protocol"])
    return _results(frame, auc, low, high, **columns)


def table2():
    """A table 2 of one AUC for all weights."""
    pairs = list(itertools.product((0.0, 0.2, 0.5, 1.0), ("linear", "finetune")))
    return _results(pd.DataFrame(pairs, columns=["beta", "protocol"]), 0.8, 0.7, 0.88)


def _results(frame, auc, low, high, **columns):
    published = ("paper_auc_mean", "paper_auc_sd")
    published += ("paper_balanced_accuracy_mean", "paper_balanced_accuracy_sd")
    measured = {"n_folds": 5, "auc_mean": auc, "auc_sd": 0.05, "auc_low": low, "auc_high": high}
    measured |= {"balanced_accuracy_mean": 0.7, "balanced_accuracy_sd": 0.1}
    measured |= {"balanced_accuracy_low": 0.6, "balanced_accuracy_high": 0.8}
    measured |= {**dict.fromkeys(published, 0.75), "leaky": 0, "data": "cohort"}
    return frame.assign(**measured).assign(**columns)


def comparison(**changes):
    """One row of the comparisons: no evidence that weak-SimCLR is better than random weights."""
    given = {"protocol": "linear", "encoder": "weak_simclr-0.5", "reference": "none"}
    given |= {"difference": 0.07, "low": -0.012, "high": 0.152, "p_delong": 0.09}
    given |= {"p_permutation": 0.1, "t_low": -0.05, "t_high": 0.19, "p_corrected_t": 0.2}
    given |= {"p_holm": 0.36, "pooled": 0.06, "pooled_low": -0.02, "pooled_high": 0.14}
    given["minimum_detectable_difference"] = 0.117
    return given | changes


MOVED = ("difference", "low", "high", "t_low", "t_high")


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
        row.update({key: row[key] + shift for key in MOVED})
    rows[3] |= {"difference": 0.21, "low": 0.11, "high": 0.3, "p_holm": 0.0004}
    rows[3] |= {"t_low": 0.09, "t_high": 0.33}
    return pd.DataFrame(rows).assign(data="synthetic")


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
        | {"cpu_seconds": [60.0, 90000, 200, 9900]}
        | {"peak_memory_mb": [float("nan"), 9000, 800, 7000]}
    )


def others():
    """Tables that only some runs have."""
    spread = {"low": [0.7, 0.61, 0.6], "high": [0.9, 0.83, 0.8]}
    return {
        "nested": pd.DataFrame(
            {"protocol": "linear", "encoder": "weak_simclr-nested", "choice": ["beta", "C"]}
            | {"against": ["0.5", "1"], "chosen": ["0.5 (6), 0.2 (4)", "0.1 (10)"]}
            | {"measure": "auc", "fixed": [0.84, 0.84], "nested": [0.8, 0.83]}
            | {"optimism": [0.04, 0.01], "low": [-0.01, -0.03], "high": [0.09, 0.05]}
            | {"data": "synthetic"}
        ),
        "aggregation": pd.DataFrame(
            {"protocol": "linear", "encoder": "simclr", "aggregation": ["mean", "median", "max"]}
            | {"auc": [0.8, 0.73, 0.71], **spread, "data": "synthetic"}
        ),
        "agreement": pd.DataFrame(
            {"measure": ["kappa", "sensitivity"], "estimate": [0.41, 0.8]}
            | {"low": [0.2, 0.7], "high": [0.6, 0.88]}
        ),
        "separability": pd.DataFrame(
            {"encoder": ["none"] * 3, "property": ["label", "site", "scanner"]}
            | {"auc": [0.8, 0.5, float("nan")], "auc_low": [0.7, 0.4, float("nan")]}
            | {"auc_high": [0.9, 0.6, float("nan")], "data": "synthetic"}
        ),
        "baselines": baselines(),
    }


def baselines(gain=0.09, p=0.001):
    """What else tells the label: site and platelets do, and an image method adds to the latter."""
    nothing = {"encoder": None, "gain": None, "gain_low": None, "gain_high": None}
    nothing |= {"p_likelihood_ratio": None}
    rows = [
        {"baseline": "site", "kind": "category", "values": 3, "missing": 0, "auc": 0.7}
        | {"low": 0.57, "high": 0.8, "p_holm": 0.004, **nothing},
        {"baseline": "scanner", "kind": "category", "values": 1, "missing": 0, **nothing},
        {"baseline": "platelets", "kind": "number", "values": 90, "missing": 8, "auc": 0.72}
        | {"low": 0.56, "high": 0.84, "p_holm": 0.002, **nothing},
        {"baseline": "image", "kind": "image", "encoder": "simclr", "auc": 0.75}
        | {"low": 0.6, "high": 0.85},
        {"baseline": "image + platelets", "kind": "image and baseline", "encoder": "simclr"}
        | {"auc": 0.72 + gain, "low": 0.7, "high": 0.9, "p_likelihood_ratio": p}
        | {"gain": gain, "gain_low": gain - 0.07, "gain_high": gain + 0.07},
    ]
    return pd.DataFrame(rows).assign(data="synthetic")


def drawn(folder):
    """Figures as SVG files, one in every style; the last holds a picture."""
    names = (
        "comparisons",
        "beta",
        "learning_curve",
        "roc",
        "calibration",
        "decision_curve",
        "patient_flow",
    )
    names += ("feature_space_pca", "feature_space_umap")
    for name in names:
        figure = Figure(figsize=(4.2, 3.2) if name == "learning_curve" else (7.4, 3.6))
        axes = figure.subplots()
        for place, (colour, line, marker) in enumerate(common.STYLES):
            style = {"color": colour, "linestyle": line, "marker": marker}
            axes.plot([0, 1, 2], [place, place + 1, place], **style)
        axes.grid(True)
        axes.set_xlabel(f"{name} <&>")
        common.save(figure, folder / f"{name}.svg")
    picture = Figure(figsize=(7.2, 3))
    picture.subplots().imshow([[0, 1], [2, 3]], cmap="gray")
    common.save(picture, folder / "preprocessing.svg")
    schema = settings.read(ROOT / "rules/config.schema.yaml")
    config = settings.resolve({"preset": "demo"}, schema, ROOT / "presets")
    diagrams.network(config["tensors"]["size"], config["network"], [folder / "network.svg"])
    encoders = experiment.pretrained(["supervised", "supcon", "weak_simclr"], [], 0.5)
    diagrams.strategy(encoders, config["augmentation"], 0.1, [folder / "strategy.svg"])
    names += ("preprocessing", "network", "strategy")
    return {name: folder / f"{name}.svg" for name in names}


def arguments(folder):
    """What `report.html` is told of a whole run."""
    cohorts = {"radio": cohort("radio", "pretraining"), "histo": cohort("histo", "evaluation")}
    settings = {"run": "demo", "tensors": {"window": [-100, 400], "size": 512}, "cutout": False}
    means = [0.7, 0.72, 0.74, 0.76, 0.78, 0.8, 0.65, 0.67, 0.86, 0.83]
    ends = {"low": [mean - 0.09 for mean in means], "high": [mean + 0.07 for mean in means]}
    return {
        "run": "demo",
        "tables": {
            "table1": table1(means, **ends, data="synthetic"),
            "table2": table2(),
            "comparisons": comparisons(),
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
        "counts": {"patients": 100, "positive": 60, "negative": 40},
        "links": {"radio": "qc/radio.html", "histo": "qc/histo.html"},
    }
