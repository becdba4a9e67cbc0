"""What a bundle says of a CT: the stages of a run, one after another, for one case."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from hepatoclr.base import cases, devices, files
from hepatoclr.base.errors import BadCase, UserError
from hepatoclr.cohorts import cohort_table, quality_flags
from hepatoclr.imaging import ingest, measures, segment, slices, tensors, volumes
from hepatoclr.interpretation import explain
from hepatoclr.learning import data
from hepatoclr.prediction import answers, applicability, bundles, members
from hepatoclr.prediction.bundles import Bundle
from hepatoclr.prediction.members import Member, Reading

PROVIDED = "provided"
COHORT_COLUMNS = [
    *("case", "patient_id", "label", "probability", "low", "high", "models", "threshold", "class"),
    *("coverage", "set", "warnings", "refused"),
]


@dataclass(frozen=True)
class Case:
    """The files that the stages wrote of a CT, in a folder, as in a run.

    Attributes:
        folder: The folder.
        name: What the case is called; nothing else of the patient is in any result.
    """

    folder: Path
    name: str

    def file(self, stage: str, suffix: str) -> Path:
        """A file of a stage."""
        return self.folder / stage / f"case.{suffix}"


@dataclass(frozen=True)
class Prediction:
    """What a bundle says of a CT, and what the page shows of it.

    Attributes:
        facts: The answer, or why there is none, as JSON has it.
        case: The files of its stages; gone when the folder is.
        explanation: What the first model looked at; none where the CT is refused.
    """

    facts: Mapping
    case: Case
    explanation: explain.Explanation | None = None


def prepare(
    case: Case,
    image: str | Path,
    facts: Mapping,
    *,
    liver: str | Path | None = None,
    label: int | None = None,
    backend: str | None = None,
    weights: str | Path | None = None,
    device: str = "auto",
) -> dict:
    """Bring a CT to the cached slices that a network reads, by the stages of a run.

    Args:
        case: Where the files go.
        image: DICOM folder, zip or NIfTI file.
        facts: Metadata of the bundle.
        liver: Mask that exists already, in place of the bundle's backend.
        label: The liver's label in it.
        backend: Another one than the bundle's.
        weights: Where its weights lie.
        device: See `devices.choose`.

    Returns:
        What is known of its liver, with `flags`.

    Raises:
        BadCase: What would exclude it from a run, with the same reason.
        UserError: The bundle needs a mask and none is given; a disk failed.
    """
    way, volume = facts["preprocessing"], case.file("volumes", "nii.gz")
    chosen = {**way["segment"], "weights": weights}
    chosen |= {"backend": PROVIDED if liver else backend or chosen["backend"]}
    if chosen["backend"] == PROVIDED and not liver:
        raise UserError(
            "the models of this bundle were trained on livers from mask files. Give one with "
            "--liver, or have it found with --segment totalsegmentator."
        )
    known = {stage: case.file(stage, "json") for stage in ("volumes", "livers", "slices")}
    guarded = {"case": case.name, "on_bad_case": "exclude"}
    outputs = {"volumes": [str(volume)], "livers": [str(case.file("livers", "nii.gz"))]}
    guard = {"outputs": outputs["volumes"], "facts": str(known["volumes"])}
    with cases.exclude_on_error("ingest", **guarded, **guard):
        ct = ingest.read_ct(image, **way["ingest"])
        volumes.save(ct, volume)
        files.write_json(ct.facts, known["volumes"])
    guard = {"outputs": outputs["livers"], "facts": str(known["livers"])}
    with cases.exclude_on_error("segment", **guarded, **guard):
        places = (volume, known["volumes"], outputs["livers"][0], known["livers"])
        segment.segment(*places, **chosen, device=device, mask=liver, label=label)
    with cases.exclude_on_error("slices", **guarded, outputs=[], facts=str(known["slices"])):
        mask, found = measures.assess(outputs["livers"][0], known["livers"], volume)
        slices.write(slices.central(mask, **way["slices"]), case.file("slices", "csv"))
        files.write_json(found, known["slices"])
    found = cases.require(known["slices"])
    flags = quality_flags.judge(found, facts["checks"])
    for flag in facts["checks"]["exclude"]:
        if flag in flags:
            raise BadCase(f"{flags[flag]}.", stage=flag)
    kept = slices.read(case.file("slices", "csv"))
    cached = tensors.preprocess(volumes.load(volume), kept, **way["tensors"])
    tensors.write(cached, case.file("tensors", "b2nd"))
    return {**found, "flags": flags}


def predict(
    bundle: Bundle,
    image: str | Path,
    folder: Path,
    name: str,
    *,
    liver: str | Path | None = None,
    label: int | None = None,
    backend: str | None = None,
    weights: str | Path | None = None,
    device: str = "auto",
    threads: int | None = None,
) -> Prediction:
    """Say what a bundle says of a CT.

    Args:
        bundle: See `bundles.unpacked`.
        image, liver, label, backend, weights, device: See `prepare`.
        folder: Where the files of the stages go.
        name: What the case is called in the results.
        threads: CPU threads; as many as there are cores where none is named.

    Raises:
        UserError: See `prepare`; a CT that cannot be used is no error but a refusal.
    """
    case, facts = Case(folder, name), bundle.facts
    said = {"case": name, "bundle": _identity(bundle)}
    options = {"liver": liver, "label": label, "backend": backend, "weights": weights}
    try:
        found = prepare(case, image, facts, **options, device=device)
    except BadCase as error:
        refusal = {"refused": str(error), "stage": error.stage, "warnings": []}
        return Prediction({**said, **refusal, **_scan(case)}, case)
    place = devices.prepare(device, threads or os.cpu_count() or 1)
    cached = _collected(facts, case.file("tensors", "b2nd"))
    trained = members.load(bundle)
    readings = [one.read(cached, place) for one in trained]
    scan = _scan(case)
    slice_mm, pixel_mm, _ = scan["spacing_mm"]
    liver_facts = {"liver_ml": found["volume_ml"], "liver_hu": found["liver_hu"]}
    seen = {"slice_mm": slice_mm, "pixel_mm": pixel_mm, **liver_facts}
    said |= answers.answer(facts, readings, seen, list(found["flags"].values()))
    source, own = PROVIDED if liver else backend, facts["preprocessing"]["segment"]["backend"]
    if source and source != own:
        said["warnings"].append(f"the liver is by {source}, those of the training by {own}")
    shown = _explained(trained[0], readings[0], cached, case, said)
    return Prediction({**said, **scan, **liver_facts, "slices": len(cached)}, case, shown)


def _collected(facts: Mapping, cache: str | Path) -> data.Slices:
    return data.collect([str(cache)], facts["preprocessing"]["tensors"]["window"])


def predict_cohort(
    path: str | Path,
    table: str | Path,
    caches: Sequence[str | Path],
    output: str | Path,
    *,
    device: str,
    threads: int,
) -> None:
    """Predict every used case of a cohort by a bundle.

    Args:
        path: The bundle.
        table: The cohort's table.
        caches: The cached slices of its cases, in their order.
        output: CSV to write, a row per case: case, patient_id, label, then what `answers.answer`
            gives, or the reason why it was refused.
        device, threads: See `devices.prepare`.
    """
    known, rows = cohort_table.read(table), []
    with bundles.unpacked(path) as bundle:
        place, trained = devices.prepare(device, threads), members.load(bundle)
        for row, cache in zip(known.to_dict("records"), caches, strict=True):
            said = {key: row[key] for key in ("case", "patient_id", "label")}
            if not row["included"]:
                rows.append({**said, "refused": row["reason"]})
                continue
            seen = {name: row[name] for name in applicability.RANGES}
            remarks = row["remarks"].split("; ") if row["remarks"] else []
            cached = _collected(bundle.facts, cache)
            readings = [one.read(cached, place) for one in trained]
            found = answers.answer(bundle.facts, readings, seen, remarks)
            low, high = found.pop("range") or (np.nan, np.nan)
            found["warnings"] = "; ".join(found["warnings"])
            rows.append({**said, **found, "low": low, "high": high})
    files.write_csv(pd.DataFrame(rows, columns=COHORT_COLUMNS), output)


def _identity(bundle: Bundle) -> dict:
    kept = ("name", "encoder", "protocol", "disclaimers")
    return {**{key: bundle.facts[key] for key in kept}, "sha256": bundle.sha256}


def _scan(case: Case) -> dict:
    """What ingest says of a CT, where it came so far."""
    path = case.file("volumes", "json")
    known = files.read_json(path) if path.is_file() else {}
    return {key: known[key] for key in ("format", "size", "spacing_mm") if key in known}


def _explained(
    member: Member, reading: Reading, cached: data.Slices, case: Case, answer: Mapping
) -> explain.Explanation:
    """The map of the slice that speaks most for the answer."""
    speaks_for = 1 if answer["probability"] >= answer["threshold"] else -1
    place = int(np.argmax(speaks_for * reading.logits))
    image = cached.fetch(np.array([place]))
    ct, liver = (volumes.load(case.file(kind, "nii.gz")) for kind in ("volumes", "livers"))
    kept = slices.read(case.file("slices", "csv"))[place].index
    shape = ct.array.shape[1:]
    found = explain.class_activation(member.logit(), member.network.backbone, image)
    maps = {"activation": tensors.to_ct_pixels(found[None], shape)[0]}
    facts = {"slice": kept, "logit": float(reading.logits[place])}
    return explain.Explanation(facts, ct.array[kept], liver.array[kept] > 0, ct.spacing[1:], maps)
