"""What the default profile prints; the other tests read Snakemake's own lines."""

import shutil

import pytest
from tiny_project import ROOT, Project

ENCODER = "results/tiny/encoders/none/seed1/encoder.safetensors"


@pytest.fixture
def with_bars(tmp_path):
    project = Project(tmp_path)
    shutil.copy(ROOT / "profiles/default/config.yaml", tmp_path / "profiles/default")
    return project


def test_a_dry_run_counts_jobs_and_gives_reasons_when_asked(with_bars):
    text = with_bars.snakemake("-n", "--cores", "1", ENCODER)
    assert "random encoder" in text.partition("Job stats")[2]
    assert "Would run" not in text
    text = with_bars.snakemake("-n", "--cores", "1", ENCODER, "--verbose")
    assert "Would run random_encoder" in text
    assert "Reason: Missing output files" in text


def test_the_log_of_a_failed_job_is_printed(with_bars):
    with_bars.edit("scripts/random_encoder.py", "    network =", "    1 / 0\n    network =")
    text = with_bars.snakemake("--cores", "1", ENCODER, check=False)
    assert "Failed random_encoder" in text
    assert "ZeroDivisionError" in text.partition("Log file")[2]
