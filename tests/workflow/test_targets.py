"""Every file below the stage folders is Snakemake's: made by name, listed, deleted, corrected."""

import re

import nibabel as nib
import numpy as np
import pandas as pd
from tiny_project import result

STAGES = [
    *("cohorts", "encoders", "explanations", "features", "figures", "livers", "manuscript"),
    *("predictions", "qc", "slices", "splits", "tables", "tensors", "volumes"),
]
CASE = "histo/histo-0003"
MASK, TENSOR = f"livers/{CASE}.nii.gz", f"tensors/{CASE}.b2nd"


def files(project, folder):
    return [path for path in result(project, folder).rglob("*") if path.is_file()]


def test_no_file_of_a_stage_is_unknown_to_snakemake(finished):
    text = finished.snakemake("--list-untracked")
    assert "hepatoclr/__init__.py" in text
    assert not re.findall(rf"^results/tiny/(?:{'|'.join(STAGES)})/.*", text, re.MULTILINE)


def test_a_summary_says_which_rule_made_each_file(finished):
    lines = finished.snakemake("--summary").splitlines()
    rows = [line.split("\t") for line in lines if line.startswith("results/")]
    made = {row[0]: row[2] for row in rows}
    assert made[f"results/tiny/{TENSOR}"] == "tensors"
    assert {row[5] for row in rows} == {"no update"}
    assert {f"results/tiny/{path.relative_to(result(finished, ''))}"
            for stage in STAGES for path in files(finished, stage)} <= set(made)  # fmt: skip


def test_snakemake_writes_its_own_report(finished):
    finished.snakemake("--report", "archive.zip")
    assert (finished.folder / "archive.zip").stat().st_size > 100_000


def test_a_file_is_made_by_its_name(project):
    before = result(project, TENSOR).read_bytes()
    result(project, TENSOR).unlink()
    text = project.snakemake("--cores", "1", f"results/tiny/{TENSOR}")
    assert result(project, TENSOR).read_bytes() == before
    assert "1 of 1 steps" in text


def test_options_of_snakemake_do_what_its_pages_say(project):
    def planned(*options):
        return rules(project.snakemake("-n", *options))

    assert planned("--forcerun", "slices", "--until", "tensors") == {"slices": 12, "tensors": 12}
    left = planned("--forcerun", "slices", "--omit-from", "cohort")
    assert left == {"slices": 12, "tensors": 12, "qc_image": 12, "preprocessing": 1}
    assert planned("--forcerun", "leakage", "--until", "leakage") == {"leakage": 1}
    project.snakemake("--cores", "1", "--delete-all-output")
    assert not [path for stage in (*STAGES, "simulated") for path in files(project, stage)]


def rules(text):
    """The jobs of a dry run by rule."""
    table = text.split("Job stats:")[-1].split("total")[0]
    return {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)}


def test_a_mask_corrected_by_hand_is_used_flagged_and_kept(project):
    mask, tensor = result(project, MASK), result(project, TENSOR)
    computed, cached = mask.read_bytes(), tensor.read_bytes()
    wanted = [f"results/tiny/{file}" for file in (TENSOR, "cohorts/histo.csv", "qc/histo.html")]

    def flags():
        table = pd.read_csv(result(project, "cohorts/histo.csv"), keep_default_na=False)
        return table.set_index("case").loc[CASE.partition("/")[2], "flags"]

    image = nib.load(mask)
    voxels = np.asanyarray(image.dataobj).copy()
    lowest = np.flatnonzero(voxels.any(axis=(0, 1)))[:3]
    voxels[..., lowest] = 0
    nib.save(nib.Nifti1Image(voxels, image.affine, image.header), mask)
    corrected = mask.read_bytes()
    jobs, _ = project.plan()
    assert jobs["slices"] == jobs["tensors"] == jobs["qc_image"] == jobs["cohort"] == 1
    assert jobs["pretrain"] == 4  # they end at once: nothing of theirs has changed
    assert jobs["finetune"] == 5
    assert not set(jobs) & {"simulate", "ingest", "segment"}

    project.snakemake("--cores", "2", *wanted)
    assert mask.read_bytes() == corrected
    assert tensor.read_bytes() != cached
    assert "corrected" in flags()
    assert "corrected" in result(project, "qc/histo.html").read_text()

    project.snakemake("--cores", "2", *wanted, "--forcerun", "segment")
    assert mask.read_bytes() == corrected
    assert "corrected" in flags()

    mask.unlink()
    # what lies between is made anew where it is asked for, as by the whole run
    project.snakemake("--cores", "2", *wanted, f"results/tiny/{MASK}")
    assert mask.read_bytes() == computed
    assert tensor.read_bytes() == cached
    assert "corrected" not in flags()
