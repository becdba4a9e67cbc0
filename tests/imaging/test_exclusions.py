"""Cases that cannot be used: what a run says of them, and what it does once they are repaired."""

import re

import example_ct
import numpy as np
import pandas as pd
import pytest
import yaml
from tiny_project import Project

from hepatoclr.imaging import volumes

TABLE = "results/paper/cohorts/histo.csv"
HU = np.clip(example_ct.random_hu(), -1000, 500)
DAMAGED = "b"


def add_case(folder, case, mask_slices=slice(3, 6)):
    """A DICOM series of noise, and a mask of some of its slices."""
    mask = np.zeros_like(HU, dtype=np.uint8)
    mask[mask_slices, 5:15, 4:12] = 1
    example_ct.write_series(folder / "ct" / case, np.where(mask, 100, HU).astype(np.int16))
    example_ct.write_nifti(folder / f"{case}.nii.gz", mask.transpose(2, 1, 0))


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Five cases: one damaged, one with a cut-off liver, one with an excluded label."""
    made = Project(tmp_path_factory.mktemp("exclusions"))
    labels = {"a": "F0", DAMAGED: "F0", "c": "F3", "d": "F3", "e": "?"}
    for case in labels:
        add_case(made.folder, case, slice(3, 9) if case == "d" else slice(3, 6))
    lines = [f"{case},ct/{case},{case}.nii.gz,{label}" for case, label in labels.items()]
    header = "patient_id,image,liver_mask,label"
    (made.folder / "histo.csv").write_text("\n".join([header, *lines]))
    config = {
        "preset": "paper",
        "cohorts": {
            "radio": {
                "role": "pretraining",
                "simulate": {"patients": 6, "reader": "radiologist"},
                "labels": {"positive": ["mild", "moderate", "severe"], "negative": ["none"]},
            },
            "histo": {
                "role": "evaluation",
                "manifest": "histo.csv",
                "labels": {"positive": ["F3"], "negative": ["F0"], "exclude": ["?"]},
            },
        },
        "segment": {"backend": "provided"},
        "checks": {"liver_ml": [0, 6000], "exclude": ["truncated"]},
        "evaluation": {"folds": 2},
        "experiment": {"fractions": [0.5, 1]},
    }
    (made.folder / "config.yaml").write_text(yaml.safe_dump(config))
    file = made.folder / "ct" / DAMAGED / "004.dcm"
    made.whole = file.read_bytes()
    file.write_bytes(made.whole[:700])
    made.printed = run(made)
    return made


def run(project, *arguments, **config):
    return project.snakemake("--cores", "1", TABLE, *arguments, preset="paper", **config)


def plan(project, **config):
    """The jobs that the table would take, by rule."""
    table = run(project, "-n", **config).split("Job stats:")[-1].split("total")[0]
    return {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", table, re.M)}


def test_the_table_says_why_and_the_last_lines_how_many(project):
    table = pd.read_csv(project.folder / TABLE, keep_default_na=False).set_index("case")
    assert table["step"].to_dict() == {
        "a": "", DAMAGED: "ingest", "c": "", "d": "truncated", "e": "label"
    }  # fmt: skip
    assert table.loc["d", "slices"] > 0
    assert (
        "histo: 2 of 5 cases used; 1 excluded by the configuration; "
        "2 excluded: 1 ingest, 1 truncated (see results/paper/qc/histo.html)"
    ) in project.printed


def test_stop_names_the_case_and_its_reason(project):
    text = run(project, check=False, on_bad_case="stop")
    assert f"case histo {DAMAGED}: 1 images of the CT series lack their pixels" in text
    assert "on_bad_case is stop; exclude goes on without the case" in text
    assert "Traceback" not in text
    run(project)


def test_other_limits_judge_anew_and_segment_nothing(project):
    assert plan(project, checks="{exclude: []}") == {"cohort": 1}


def test_a_file_repaired_in_place_reruns_that_case_alone(project):
    assert "Nothing to be done" in run(project, "-n")
    (project.folder / "ct" / DAMAGED / "004.dcm").write_bytes(project.whole)
    assert plan(project) == {"ingest": 1, "segment": 1, "slices": 1, "cohort": 1}
    assert "3 of 5 cases used" in run(project)
    assert "Nothing to be done" in run(project, "-n")
    table = pd.read_csv(project.folder / TABLE, keep_default_na=False).set_index("case")
    assert table.loc[DAMAGED, "included"]


def test_a_mask_corrected_by_hand_makes_its_case_usable_and_stays(project):
    path = project.folder / "results/paper/livers/histo/d.nii.gz"
    liver = volumes.load(path)
    liver.array[-1] = liver.array[-2] = 0
    volumes.save(liver, path)
    drawn = path.read_bytes()
    assert plan(project) == {"slices": 1, "cohort": 1}
    assert "4 of 5 cases used" in run(project)
    run(project, "--forcerun", "segment")
    assert path.read_bytes() == drawn
    table = pd.read_csv(project.folder / TABLE, keep_default_na=False).set_index("case")
    assert (table.loc["d", "flags"], table.loc["d", "included"]) == ("corrected", True)
    path.unlink()  # Snakemake makes what is gone between results only where it is asked for
    assert "3 of 5 cases used" in run(project, "results/paper/livers/histo/d.nii.gz")
