import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from tiny_project import result

from hepatoclr import crate, files, provenance, verify
from hepatoclr.errors import UserError

ROOT = Path(__file__).parents[1]
VALIDATOR = ROOT / ".venv-crate/bin/python"
METADATA = "ro-crate-metadata.json"


@pytest.fixture(scope="module")
def packed(finished, tmp_path_factory):
    path = tmp_path_factory.mktemp("crate") / "tiny-crate.zip"
    crate.pack(result(finished, ""), ROOT, path)
    return path


@pytest.fixture
def unpacked(packed, tmp_path):
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(tmp_path / "crate")
    return tmp_path / "crate"


def validated(path):
    """Whether the validator finds a crate valid, and what it prints."""
    if not VALIDATOR.exists():
        pytest.skip("the validator is not installed; make validator")
    command = [VALIDATOR, ROOT / "tests/validate_crate.py", path]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    return run.returncode == 0, run.stdout + run.stderr


def entities(folder):
    found = json.loads((folder / METADATA).read_text(encoding="utf-8"))["@graph"]
    return {entity["@id"]: entity for entity in found}


def test_its_own_validator_finds_it_valid(packed):
    valid, printed = validated(packed)
    assert valid, printed
    assert "is a valid workflow-run-crate-0.5" in printed


def test_its_own_validator_finds_a_broken_one_invalid(unpacked):
    described = json.loads((unpacked / METADATA).read_text(encoding="utf-8"))
    for entity in described["@graph"]:
        if entity["@id"] == "#run":
            del entity["instrument"]
    files.write_json(described, unpacked / METADATA)
    valid, printed = validated(unpacked)
    assert not valid
    assert "is not a valid workflow-run-crate-0.5" in printed.replace("NOT", "not")


def test_an_unpacked_crate_is_a_run_to_verify(unpacked):
    lines, problems = verify.run(unpacked)
    assert problems == []
    assert "21 of 21 tables equal" in " ".join(lines)


def test_results_stand_in_it_with_their_digests(unpacked):
    found = entities(unpacked)
    made = {one["@id"] for one in found["#run"]["result"]}
    recorded = files.read_json(unpacked / provenance.FILE)["files"]
    assert made == {name for kind in recorded.values() for name in kind} | {provenance.FILE}
    for name in made:
        assert found[name]["sha256"] == files.sha256(unpacked / name)


def test_the_workflow_in_it_plans(unpacked):
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = ["snakemake", "-n", "--cores", "1", "--config", "preset=tiny"]
    run = subprocess.run(
        command, cwd=unpacked, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_no_path_of_the_machine_is_in_it(unpacked, finished):
    text = (unpacked / METADATA).read_text(encoding="utf-8")
    assert str(finished.folder) not in text
    assert str(ROOT) not in text


def test_a_run_that_is_not_as_recorded_is_refused(project, tmp_path):
    (result(project, "tables/table1.csv")).unlink()
    with pytest.raises(UserError, match=r"tables/table1.csv: the file is missing"):
        crate.pack(result(project, ""), ROOT, tmp_path / "crate.zip")
    assert not (tmp_path / "crate.zip").exists()
