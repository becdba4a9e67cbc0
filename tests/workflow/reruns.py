"""What runs again after a change: Snakemake's plans after a finished run, of changes and of pairs.

    PYTHONPATH=tests python tests/workflow/reruns.py         # each change, then all pairs
    PYTHONPATH=tests python tests/workflow/reruns.py --fill docs/reruns.md

A plan is what `snakemake --summary` says is pending. The project is a tiny run of a clinic's
files. A change of files is made in a copy by hard links, so the finished run stays as it is.
"""

import argparse
import contextlib
import json
import multiprocessing
import os
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations
from pathlib import Path

import pandas as pd
import yaml
from example_clinic import clinic
from tiny_project import Project

CLINIC = {"preset": "clinic"}
BEGIN, END = "<!-- reruns: begin -->", "<!-- reruns: end -->"
SLOW_IMPORTS = ["snakemake.cli", "pandas", "nibabel", "jinja2", "jsonschema", "docutils", "rich"]

Job = tuple[str, str]  # rule, output file


@dataclass(frozen=True, eq=False)
class Change:
    """A change of settings, of files below the project's folder, or of both."""

    name: str
    config: dict = field(default_factory=dict)
    edit: Callable[[Path], None] | None = None


# --- plans -----------------------------------------------------------------------------------


def plans(
    folder: Path, changes: Iterable[Iterable[Change]], *targets: str, **config
) -> list[dict[Job, bool]]:
    """Plan after each of some sets of changes: job to whether it is pending, see `plan`."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(SLOW_IMPORTS)  # half of a plan is imports
    with ProcessPoolExecutor(os.cpu_count(), context, max_tasks_per_child=1) as pool:
        return list(pool.map(partial(plan, folder, config, targets), map(tuple, changes)))


def plan(
    folder: Path, config: dict, targets: tuple[str, ...], changes: tuple[Change, ...]
) -> dict[Job, bool]:
    """All jobs of the workflow as it is after some changes, by output: is it pending?

    Nothing where the changes are refused before any job.
    """
    edits = [change.edit for change in changes if change.edit]
    for change in changes:
        config = merged(config, change.config)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        if edits:
            folder = shutil.copytree(
                folder, Path(temporary, "copy"), symlinks=True, copy_function=os.link
            )
            for edit in edits:
                edit(folder)
        given = [f"{key}={json.dumps(value)}" for key, value in config.items()]
        options = (*targets, "--summary", "--nolock", "--config", *given)
        text = snakemake(folder, Path(temporary), *options)
    lines = [line.split("\t") for line in text.splitlines() if line.startswith("results/")]
    if not lines:
        print(*(change.name for change in changes), text, file=sys.stderr)
    return {(rule, file): state == "update pending" for file, _, rule, _, _, state in lines}


def snakemake(folder: Path, temporary: Path, *arguments: str) -> str:
    """Run Snakemake in this process, which ends after it, and give what it prints."""
    from snakemake.cli import main

    printed = temporary / "printed"
    os.chdir(folder)
    with (
        open(printed, "w") as file,
        contextlib.redirect_stdout(file),
        contextlib.redirect_stderr(file),
        contextlib.suppress(SystemExit),
    ):
        main(list(arguments))
    os.chdir(folder.anchor)
    return printed.read_text()


def merged(config: dict, other: dict) -> dict:
    """Settings with others put over them, section by section."""
    both = {
        key: merged(config[key], value) if isinstance(config.get(key), dict) else value
        for key, value in other.items()
    }
    return config | both


def pending(jobs: dict[Job, bool]) -> set[Job]:
    """What a plan would make."""
    return {job for job, state in jobs.items() if state}


def missed(both: dict[Job, bool], one: dict[Job, bool], other: dict[Job, bool]) -> set[Job]:
    """Jobs that one of two changes plans, that both together still have, and do not plan."""
    return ((pending(one) | pending(other)) & both.keys()) - pending(both)


# --- changes of files ------------------------------------------------------------------------


def rewrite(path: Path, content: bytes) -> None:
    """Write a file anew; written over, the finished run would change with its copy."""
    path.unlink()
    path.write_bytes(content)


def replace(file: str, old: str, new: str) -> Callable[[Path], None]:
    """An edit of some text."""
    return partial(_replace, file=file, old=old, new=new)


def _replace(folder: Path, file: str, old: str, new: str) -> None:
    text = (folder / file).read_text(encoding="utf-8")
    assert old in text, f"{file} has no {old!r}"
    rewrite(folder / file, text.replace(old, new, 1).encode())


def reword(file: str) -> Callable[[Path], None]:
    """Another docstring, comment and log message, as far as a module has them."""
    return partial(_reword, file=file)


def _reword(folder: Path, file: str) -> None:
    text = (folder / file).read_text(encoding="utf-8")
    text = re.sub(r"(log\.\w+\(\s*f?\")", r"\1So: ", text.replace('"""', '"""So: ', 1))
    rewrite(folder / file, f"{text}# a remark\n".encode())


def touch(pattern: str) -> Callable[[Path], None]:
    """The first file of a pattern with new times, and nothing else new."""
    return partial(_touch, pattern=pattern)


def _touch(folder: Path, pattern: str) -> None:
    path = min(folder.glob(pattern))
    rewrite(path, path.read_bytes())


def copy_archive(folder: Path) -> None:
    """All images, masks and manifests of the clinic copied, as by `cp -r`: new times."""
    shutil.copytree(folder / "archive", folder / "copied", copy_function=shutil.copyfile)
    shutil.rmtree(folder / "archive")
    (folder / "copied").rename(folder / "archive")


def add_row(folder: Path, cohort: str) -> None:
    """A patient more in a manifest."""
    path = folder / f"archive/{cohort}/manifest.csv"
    table = pd.read_csv(path, dtype=str)
    more = pd.concat([table, table.iloc[:1].assign(patient_id=f"new in {cohort}")])
    rewrite(path, more.to_csv(index=False).encode())


def correct_mask(folder: Path, run: str = "clinic") -> None:
    """A voxel of a liver mask taken away, as by a person's hand."""
    import nibabel as nib
    import numpy as np

    path = min((folder / f"results/{run}/livers/histo").glob("*.nii.gz"))
    image = nib.load(path)
    voxels = np.asanyarray(image.dataobj).copy()
    voxels[tuple(np.argwhere(voxels)[0])] = 0
    path.unlink()
    nib.save(nib.Nifti1Image(voxels, image.affine, image.header), path)


# --- the changes -----------------------------------------------------------------------------

NOT_CHANGED = ("preset", "run", "cohorts", "simulate")  # another run; below; of simulated cohorts
OTHER = {  # where the schema alone does not say what would fit the tiny run
    "trainings_per_job": None,  # other rules do the same
    "covariates": {"site": "category"},
    "checks.exclude": ["truncated"],
    "augmentation.crop_scale": [0.63, 0.7],
    "augmentation.kornia": {"RandomGaussianNoise": {"std": 0.02, "p": 0.5}},
    "segment.backend": None,  # TotalSegmentator's weights are not at hand
    "segment.weights": "elsewhere",
    "network.padding": 4,  # without any, nothing is left of slices so small
    "experiment.methods": ["supervised", "simclr", "weak_simclr"],
    "experiment.betas": [0, 0.2, 0.5, 1],
    "experiment.beta": 0,
    "experiment.seeds": [1, 7],
    "experiment.fractions": [0.5, 0.7, 1],
    "bundle.licence": "CC-BY-4.0",
    "bundle.apply": None,  # another run
    "evaluation.folds": None,  # a class has too few patients for three
    "evaluation.scheme": "balanced-leave-one-out",
}


def settings(folder: Path) -> list[Change]:
    """A change of every key of the configuration, as the schema allows."""
    schema = yaml.safe_load((folder / "rules/config.schema.yaml").read_text())
    preset = yaml.safe_load((folder / "presets/tiny.yaml").read_text())
    found = []
    for name, section in schema["properties"].items():
        if name in NOT_CHANGED:
            continue
        for key, about in section.get("properties", {"": section}).items():
            path = f"{name}.{key}".rstrip(".")
            default = preset.get(name, about.get("default"))
            if key:
                default = preset.get(name, {}).get(key, about.get("default"))
            value = OTHER[path] if path in OTHER else another(default, about)
            if value is not None:
                text = json.dumps(value) if isinstance(value, (list, dict)) else value
                found.append(
                    Change(f"`{path}: {text}`", {name: {key: value}} if key else {name: value})
                )
    return found


def another(value, about: dict):
    """Another value that the schema allows."""
    if "enum" in about:
        return next(other for other in about["enum"] if other != value)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int) and about.get("type") != "number":
        return value + 1
    if isinstance(value, (int, float)):
        low = about.get("minimum", about.get("exclusiveMinimum", 0))
        return round(value * 0.9, 6) if value * 0.9 > low else 0.3
    if isinstance(value, list):
        return [*value[:-1], another(value[-1], about["items"])]
    return None


F2_TO_F4 = {"positive": ["F2", "F3", "F4"], "negative": ["F0", "F1"]}
UNREAD = {"positive": ["moderate", "severe"], "unlabelled": ["mild"]}
COHORTS = [
    Change("a row more in the manifest for pretraining", edit=partial(add_row, cohort="radio")),
    Change("a row more in the manifest for evaluation", edit=partial(add_row, cohort="histo")),
    Change("`cohorts.histo.labels`", {"cohorts": {"histo": {"labels": F2_TO_F4}}}),
    Change("`cohorts.radio.labels.unlabelled`", {"cohorts": {"radio": {"labels": UNREAD}}}),
    Change("`cohorts.radio.exclude`", {"cohorts": {"radio": {"exclude": ["radio-0003"]}}}),
    Change("`cohorts.histo.exclude`", {"cohorts": {"histo": {"exclude": ["histo-0003"]}}}),
    Change("`cohorts.histo.checks`", {"cohorts": {"histo": {"checks": {"liver_ml": [300, 5400]}}}}),
    Change("`cohorts.histo.series`", {"cohorts": {"histo": {"series": {"slices": 6}}}}),
]  # fmt: skip
DATA = [
    Change("all data copied (`cp -r`): new times", edit=copy_archive),
    Change("one DICOM file written again", edit=touch("archive/histo/*/*image/*")),
    Change(
        "one NIfTI image below 1 MB written again, as it was",
        edit=touch("archive/histo/*/*image.nii.gz"),
    ),
    Change("a liver mask corrected by hand", edit=correct_mask),
]
LIBRARY = "hepatoclr"
CODE = [
    Change(f"`{file}`: `{old}` to `{new}`", edit=replace(f"{LIBRARY}/{file}", old, new))
    for file, old, new in (
        ("base/seeds.py", "state(1)[0]", "state(2)[1]"),
        ("imaging/geometry.py", "ROUNDED_MM = 0.05", "ROUNDED_MM = 0.06"),
        ("imaging/dicom/pixels.py", "(-1000, 3071)", "(-1000, 3070)"),
        ("imaging/segmentation/provided.py", "WHOLE_INSIDE = 0.99", "WHOLE_INSIDE = 0.98"),
        ("imaging/slices.py", "fraction / 2 + 1e-9", "fraction / 2 + 2e-9"),
        ("cohorts/quality_flags.py", "UNENHANCED_AORTA = 80", "UNENHANCED_AORTA = 81"),
        ("cohorts/splits.py", "shuffle=True", "shuffle=bool(1)"),
        ("learning/methods/supcon.py", "self.temperature)", "self.temperature * 1)"),
        ("learning/linear.py", "MOST_STEPS = 10_000", "MOST_STEPS = 10_001"),
        ("stats/calibration.py", "CLIP = 1e-6", "CLIP = 1e-7"),
        ("reporting/plots/common.py", "dpi=200", "dpi=201"),
        ("quality/qc_image.py", "PANELS = 4", "PANELS = 5"),
        ("interpretation/explain.py", "SAMPLES = 25", "SAMPLES = 26"),
    )
]
WORDS = [
    Change("a message to people, `base/messages.py`",
           edit=replace(f"{LIBRARY}/base/messages.py", "cannot be read", "is not readable")),
    Change("a check before any job, `cohorts/manifest_checks.py`",
           edit=replace(f"{LIBRARY}/cohorts/manifest_checks.py", "LONGEST = 100", "LONGEST = 99")),
    Change("a sentence on quality, `cohorts/messages.py`",
           edit=replace(f"{LIBRARY}/cohorts/messages.py", "may be cut off", "is perhaps cut off")),
    *(Change(f"docstring, comment and log of `{file}`", edit=reword(f"{LIBRARY}/{file}"))
      for file in ("base/cases.py", "imaging/segment.py", "cohorts/assemble.py",
                   "learning/pretrain.py", "stats/metrics.py", "reporting/tables/tables.py",
                   "quality/qc_page.py", "interpretation/explain.py", "simulation/simulate.py")),
]  # fmt: skip
PAIRED = (  # of the settings, one or two for each stage; and all changes of cohorts, data, code
    *("device", "ingest.fill_slices", "segment.weights", "checks.liver_ml", "slices.fraction"),
    *("tensors.window", "augmentation.vertical_flip", "network.centre", "experiment.betas"),
    *("experiment.seeds", "experiment.fractions", "pretraining.epochs", "evaluation.repeats"),
    *("evaluation.permute", "linear.C", "finetune.epochs"),
)


def paired(changes: Iterable[Change]) -> list[Change]:
    """The settings whose pairs are planned."""
    return [change for change in changes if change.name[1:].partition(":")[0] in PAIRED]


# --- the page --------------------------------------------------------------------------------


def number_of_jobs(jobs: Iterable[Job], per_job: dict[str, float]) -> int:
    """How many jobs make some files."""
    return round(sum(1 / per_job[rule] for rule, _ in jobs))


def table(found: Iterable[tuple[Change, dict[Job, bool]]], per_job: dict[str, float]) -> str:
    """The changes with how many jobs each plans, and which."""
    rows = ["| change | jobs | of which rules |", "| --- | --- | --- |"]
    for change, jobs in found:
        files = Counter(rule for rule, _ in pending(jobs))
        count = {rule: round(number / per_job[rule]) for rule, number in sorted(files.items())}
        named = [f"{rule} {number}" if number > 1 else rule for rule, number in count.items()]
        rows.append(f"| {change.name} | {sum(count.values())} | {', '.join(named)} |")
    return "\n".join(rows)


def fill(page: Path, text: str) -> None:
    """Put the table into its page."""
    before, _, rest = page.read_text().partition(BEGIN)
    page.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}")


def finish(folder: Path) -> None:
    """A finished tiny run of the simulated cohorts as files of a clinic, unless it is there."""
    if (folder / "results/clinic/provenance.json").exists():
        return
    project = Project(folder)
    cases = [f"results/tiny/simulated/{name}/{name}-{number:04}" for name in ("radio", "histo")
             for number in range(1, 7)]  # fmt: skip
    cohorts = [f"results/tiny/simulated/{name}/manifest.csv" for name in ("radio", "histo")]
    project.snakemake("--cores", "2", *cases, *cohorts)
    project.snakemake("--cores", "2", **clinic(project))


def outputs_per_job(results: Path, jobs: Iterable[Job]) -> dict[str, float]:
    """How many outputs a job of each rule has; each job of the finished run left a benchmark."""
    benchmarks = results / "benchmarks"
    ran = Counter(path.relative_to(benchmarks).parts[0] for path in benchmarks.rglob("*.tsv"))
    files = Counter(rule for rule, _ in jobs)
    return {rule: files[rule] / ran.get(rule, ran[f"{rule}.tsv"]) for rule in files}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fill", type=Path, help="page whose table is written anew")
    parser.add_argument("--folder", type=Path, help="where the finished run is, or will be")
    parser.add_argument("--no-pairs", action="store_true", help="each change alone")
    chosen = parser.parse_args()
    folder = (chosen.folder or Path(tempfile.mkdtemp())).resolve()
    folder.mkdir(exist_ok=True)
    finish(folder)
    keys = settings(folder)
    singles = [*keys, *COHORTS, *DATA, *CODE, *WORDS]
    nothing, *alone = plans(folder, [(), *((change,) for change in singles)], **CLINIC)
    assert not pending(nothing), pending(nothing)
    per_job = outputs_per_job(folder / "results/clinic", nothing)
    found = dict(zip(singles, alone, strict=True))
    text = f"{table(found.items(), per_job)}\n\n"
    text += f"The finished run took {number_of_jobs(nothing, per_job)} jobs."
    wrong = [change.name for change in singles if not found[change]]
    if not chosen.no_pairs:
        refused, pairs = 0, list(combinations([*paired(keys), *COHORTS, *DATA, *CODE], 2))
        for pair, both in zip(pairs, plans(folder, pairs, **CLINIC), strict=True):
            refused += not both
            if lost := missed(both, *(found[change] for change in pair)):
                wrong.append(" + ".join(change.name for change in pair) + f": {sorted(lost)}")
        text += f" {len(pairs)} pairs of these changes: {len(wrong)} plan less than both alone"
        text += f"; {refused} refused before any job."
    print(text, *wrong, sep="\n")
    if chosen.fill:
        fill(chosen.fill, text)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
