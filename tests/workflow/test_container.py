"""The image itself needs an engine to be built; what it would hold is tried without one."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tiny_project import PARTS

ROOT = Path(__file__).parents[2]


def instructions():
    """The instructions of the file, by line, as name and what follows."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Containerfile").read_text(encoding="utf-8"), flags=re.M)
    lines = text.replace("\\\n", " ").splitlines()
    return [tuple(line.split(None, 1)) for line in lines if line.strip()]


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """The folder of the image's project, with what `COPY` brings and without an environment."""
    folder = tmp_path_factory.mktemp("image")
    for name, rest in instructions():
        if name == "COPY":
            *sources, target = rest.split()
            for source in sources:
                if (ROOT / source).is_dir():
                    shutil.copytree(ROOT / source, folder / target)
                else:
                    shutil.copy(ROOT / source, folder / target)
    return folder


def run(command, folder, **environment):
    given = {**os.environ, **environment}
    return subprocess.run(
        command, cwd=folder, env=given, capture_output=True, text=True, check=False
    )


def test_it_is_built_of_known_instructions_and_not_run_as_root():
    known = {"FROM", "RUN", "WORKDIR", "COPY", "ENV", "USER", "CMD"}
    assert {name for name, _ in instructions()} == known
    assert instructions()[0] == ("FROM", "docker.io/library/python:3.11-slim")
    assert ("USER", "nobody") in instructions()


def test_it_installs_the_pins_as_make_does(image):
    assert any(rest.startswith("make env ") for name, rest in instructions() if name == "RUN")
    assert ".venv" in run(["make", "-n", "env"], image).stdout
    assert "-r envs/requirements.txt" in run(["make", "-n", ".venv"], image).stdout


def test_it_holds_what_a_run_needs(image, tmp_path):
    assert {path.name for path in image.iterdir()} >= {*PARTS} - {"config.yaml"}
    (tmp_path / "config.yaml").write_text("preset: tiny\n")
    shown = run(["snakemake", "--snakefile", image / "Snakefile", "-n", "--cores", "1"], tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "This was a dry-run" in shown.stdout + shown.stderr
