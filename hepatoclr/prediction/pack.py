"""Putting together a bundle from the files of a run."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from hepatoclr.base import files, fingerprint
from hepatoclr.base.version import VERSION, git_state
from hepatoclr.cohorts import cohort_table
from hepatoclr.learning import linear
from hepatoclr.prediction import applicability, bundles, card
from hepatoclr.stats import conformal, predictions

COVERAGE = 0.9
INTENDED_USE = (
    "Research on the prediction of advanced fibrosis or cirrhosis from abdominal CT. It is no "
    "medical device and was not evaluated as one: nothing it says may decide about a patient."
)
THRESHOLDS = {
    "linear": "Youden's on the patients that the final model was fitted on",
    "linear_nested": "Youden's in a cross-validation of the patients of the final model",
    "finetune": "Youden's on the patients that the final network was trained on",
}
PARTS = ("segment", "slices", "tensors")  # of the way from CT to network, beside ingest
UNSAID = ("weights",)  # paths of the machine


def pack(
    output: str | Path,
    *,
    run: str,
    encoder: str,
    protocol: str,
    seeds: Sequence[int],
    weights: Sequence[str | Path],
    models: Sequence[str | Path],
    folds: Sequence[str | Path],
    features: Sequence[str | Path],
    cohorts: Mapping[str, str | Path],
    evaluation: str,
    inside: Sequence[str | Path],
    measures: str | Path,
    external: str | Path | None,
    settings: Mapping,
    checks: Mapping,
    disclaimers: Sequence[str],
    licence: str,
) -> None:
    """Pack what a prediction by one encoder and protocol needs.

    Args:
        output: Zip file to write.
        run: Name of the run.
        encoder: Name of the encoder.
        protocol: linear, linear_nested or finetune.
        seeds: Seeds of the trainings, each a member of the bundle.
        weights: Of the encoder, or of the fine-tuned network, by seed.
        models: What `final_linear` or `final_finetune` wrote, by seed.
        folds: Linear models of the folds, in any order; none of fine-tuned networks.
        features: Of the evaluation cohort, by seed; none of fine-tuned networks.
        cohorts: Cohort to its table, of pretraining and evaluation.
        evaluation: Name of the evaluation cohort.
        inside: Predictions of the cross-validation by that encoder and protocol.
        measures: Table of all measures inside.
        external: Table of external cohorts, where there are some.
        settings: The configuration in force.
        checks: What is checked of a case of the evaluation cohort.
        disclaimers: Of the run.
        licence: Of the bundle.
    """
    contents, members, cuts = {}, [], []
    for number, seed in enumerate(seeds):
        member = {"seed": seed, "weights": f"models/seed{seed}.safetensors"}
        contents[member["weights"]] = Path(weights[number]).read_bytes()
        if protocol == "finetune":
            cuts.append(files.read_json(models[number])["threshold"])
        else:
            member |= {key: f"models/{key}-seed{seed}.json" for key in ("regression", "folds")}
            (final,) = linear.load(models[number])[protocol]
            own = [path for path in folds if files.read_json(path)["seed"] == seed]
            of_folds = [one for path in own for one in linear.load(path)[protocol]]
            contents[member["regression"]] = models_json([final])
            contents[member["folds"]] = models_json(of_folds)
            cuts.append(final.threshold)
        if len(features):
            member["space"] = f"models/space-seed{seed}.json"
            contents[member["space"]] = _space(features[number])
        members.append(member)
    tables = {name: cohort_table.read(path) for name, path in cohorts.items()}
    given = settings["cohorts"][evaluation]
    chosen = protocol == "linear_nested" or settings["evaluation"]["threshold"] == "youden"
    facts = {
        "name": f"{run}-{encoder}-{protocol}",
        "encoder": encoder,
        "protocol": protocol,
        "intended_use": INTENDED_USE,
        "licence": licence,
        "members": members,
        "preprocessing": {
            "ingest": {"series": given["series"], "fill_slices": settings["ingest"]["fill_slices"]},
            **{part: _without(settings[part], UNSAID) for part in PARTS},
        },
        "checks": dict(checks),
        "network": dict(settings["network"]),
        "classes": {side: _class(given["labels"][side]) for side in bundles.SIDES},
        "threshold": {
            "value": float(np.mean(cuts)) if chosen else 0.5,
            "rule": THRESHOLDS[protocol] if chosen else "fixed",
        },
        "conformal": _conformal(inside),
        "limits": {"ranges": applicability.ranges(list(tables.values()))},
        "trained_on": {name: _population(table) for name, table in tables.items()},
        "performance": _performance(encoder, protocol, measures, external),
        "disclaimers": list(disclaimers),
        "made_by": {"hepatoclr": VERSION, "state": git_state(fingerprint.PROJECT)},
    }
    bundles.write(facts, contents, card.card(facts), output)


def _without(section: Mapping, keys: Sequence[str]) -> dict:
    return {key: value for key, value in section.items() if key not in keys}


def models_json(models: Sequence[linear.Model]) -> bytes:
    """Regressions as a file of a bundle."""
    return _json({"models": [linear.record(model) for model in models]})


def _json(content: Mapping) -> bytes:
    return (json.dumps(content, indent=1) + "\n").encode()


def _space(features: str | Path) -> bytes:
    """The features of known patients, for the distance of a new one."""
    patient, vectors = linear.read(str(features))
    means = pd.DataFrame(vectors).groupby(patient.to_numpy()).mean().to_numpy()
    return space_json(applicability.space(means))


def space_json(found: applicability.Space) -> bytes:
    """The features of known patients as a file of a bundle."""
    numbers = {"mean": found.mean.tolist(), "precision": found.precision.tolist()}
    return _json({**numbers, "limit": found.limit})


def _class(labels: Sequence[str]) -> dict:
    return {"name": class_name(labels), "labels": list(labels)}


def class_name(labels: Sequence[str]) -> str:
    """Name a class by its labels: `F3-F4` of grades that follow each other, else `a, b`."""
    grades = [re.fullmatch(r"(\D*)(\d+)", label) for label in labels]
    if len(labels) > 1 and all(grades):
        numbers = [int(grade[2]) for grade in grades]
        follow = numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        if follow and len({grade[1] for grade in grades}) == 1:
            return f"{labels[0]}-{labels[-1]}"
    return ", ".join(labels)


def _conformal(inside: Sequence[str | Path]) -> dict:
    """Limits of the sets, from patients of the first repeat, each by models without them."""
    found = predictions.read(inside, own=True)
    first = found[found["repeat"] == found["repeat"].min()]
    people = first.groupby("patient_id")[["label", "probability"]].mean()
    both = conformal.limits(people["label"], people["probability"], COVERAGE)
    sides = {side: vars(limit) for side, limit in zip(bundles.SIDES, both, strict=True)}
    return {"coverage": COVERAGE, **sides}


def _population(table: pd.DataFrame) -> dict:
    """Who was trained on, in numbers that name nobody."""
    used = table[table["included"]]
    counts = cohort_table.counts(table)
    return {
        "role": str(table["role"].iloc[0]),
        **{key: counts[key] for key in ("patients", "positive", "negative", "unlabelled")},
        "cases": counts["cases used"],
        "ranges": applicability.ranges([table]),
        "phases": sorted(set(used["phase"]) - {""}),
        "scanners": int(used["scanner"].nunique()),
    }


def _performance(
    encoder: str, protocol: str, measures: str | Path, external: str | Path | None
) -> dict:
    """Measures with their intervals, inside and in each external cohort."""
    found = files.read_csv(measures, keep_default_na=False, na_values=[""])
    rows = found[(found["protocol"] == protocol) & (found["encoder"] == encoder)]
    inside = {
        row["measure"]: [row[key] for key in ("estimate", "low", "high")]
        for row in rows.to_dict("records")
    }
    outside = []
    if external is not None:
        table = files.read_csv(external, keep_default_na=False, na_values=[""])
        own = (table["protocol"] == protocol) & (table["encoder"] == encoder)
        kept = ["cohort", "patients", "positive", "auc", "low", "high", "drop"]
        outside = table.loc[own, [*kept, "drop_low", "drop_high", "note"]].to_dict("records")
    return _finite({"inside": inside, "external": outside})


def _finite(value: object) -> object:
    """None in place of numbers that are none, which JSON does not have."""
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
