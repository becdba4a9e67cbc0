"""A made-up folder of a finished run: predictions, their tables, a cohort, and the record of it."""

import json
from pathlib import Path

import example_predictions

from hepatoclr import provenance
from hepatoclr.base import files
from hepatoclr.reporting.tables import tables
from hepatoclr.stats import metrics, predictions

PROJECT = Path(__file__).parents[1]
METHODS, BETAS = ["simclr"], [0, 1]
NAME = "doe-jane"  # what no record may hold
SETTINGS = {
    "seed": 1,
    "simulate": {"seed": 2},
    "tensors": {"window": [-100, 400]},
    "evaluation": {"threshold": "youden"},
    "experiment": {"methods": METHODS, "betas": BETAS, "beta": 0.5, "seeds": [1, 7]},
    "segment": {"weights": f"/home/{NAME}/weights"},
    "cohorts": {
        "histo": {"role": "evaluation", "manifest": f"data/{NAME}.csv", "folders": [f"/{NAME}"]}
    },
}


def predict(run):
    """Write predictions of three encoders, a file for each and each protocol."""
    for protocol in ("linear", "finetune"):
        for encoder in ("none", "simclr", "supervised"):
            path = run / f"predictions/{protocol}/{encoder}/seed1/repeat1.csv"
            job = example_predictions.job(protocol, encoder, patients=30, folds=3)
            predictions.write([job], path)
            yield path


def tabulate(run, paths):
    """Write the tables of predictions."""
    found = predictions.read(paths)
    encoders = {"none": "none", "simclr": "simclr"}
    for name, table in tables.all(found, encoders, {0: "simclr", 1: "supervised"}).items():
        outputs = [run / f"tables/{name}.{suffix}" for suffix in ("csv", "md", "tex")]
        tables.write(table, *outputs, tables.TITLES[name], metrics.counts(found))
        yield from outputs


def record(run, results):
    """The record of a folder with these results."""
    manifest, training = run.parent / f"{NAME}.csv", run.parent / "metadata.json"
    manifest.write_text(f"patient_id,image\n1,{NAME}/ct\n")
    files.write_json({"device": "H100"}, training)
    return provenance.record(
        run,
        results,
        SETTINGS,
        [],
        {"histo": manifest},
        {"histo": run / "cohorts/histo.csv"},
        [training, training],
        PROJECT,
        ["scripts/tables.py"],
        PROJECT / "envs/requirements.txt",
    )


def write(run):
    """Write the folder."""
    table = run / "cohorts/histo.csv"
    files.write_text("case,pixel_sha256,target\n1,95780f590dd70081,1\n2,,\n", table)
    predicted = list(predict(run))
    results = {
        "cohorts": [table],
        "predictions": predicted,
        "external": [],
        "tables": list(tabulate(run, predicted)),
    }
    files.write_json(record(run, results), run / provenance.FILE)
    return run


def change(run, edit):
    """Edit the record of a folder."""
    made = json.loads((run / provenance.FILE).read_text())
    edit(made)
    files.write_json(made, run / provenance.FILE)
