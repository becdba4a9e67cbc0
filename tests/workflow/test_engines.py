"""Profiles of other engines plan the run."""

import os
import subprocess

import pytest
from tiny_project import ROOT, Project

ENGINES = ROOT / ".venv-engines/bin"


@pytest.mark.parametrize("engine", ["lsf", "cluster-generic"])
def test_a_profile_plans(tmp_path, engine):
    if not (ENGINES / "snakemake").exists():
        pytest.skip("the plugins are not installed; make engines")
    Project(tmp_path)
    command = [ENGINES / "snakemake", "-n", "--workflow-profile", f"profiles/{engine}"]
    run = subprocess.run(
        [*command, "--config", "preset=tiny"],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{ENGINES}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "This was a dry-run" in run.stdout + run.stderr
