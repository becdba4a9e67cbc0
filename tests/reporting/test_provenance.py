import json
import platform
import re
from importlib import metadata

import example_archive
import pytest
from tiny_project import result

from hepatoclr import provenance
from hepatoclr.base import files

CHECKED = (
    *("cohorts/*.csv", "splits/*.csv", "encoders/**/encoder.safetensors", "predictions/**/*.csv"),
    *("encoders/**/metadata.json", "predictions/**/*.json"),
    *("tables/*", "figures/*.svg", "manuscript/*"),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return example_archive.write(tmp_path_factory.mktemp("archive") / "study")


@pytest.fixture(scope="module")
def made(run):
    return files.read_json(run / provenance.FILE)


def test_an_equal_run_has_an_equal_record(made, tmp_path):
    again = example_archive.write(tmp_path / "elsewhere")
    assert files.read_json(again / provenance.FILE) == made


def test_no_path_is_in_the_record(made, run):
    text = json.dumps(made)
    assert example_archive.NAME not in text
    assert str(run) not in text
    manifest = files.sha256(run.parent / f"{example_archive.NAME}.csv")
    assert made["config"]["cohorts"]["histo"]["manifest"] == f"sha256 {manifest}"
    assert made["inputs"]["histo"] == {"manifest": manifest, "images": {"1": "95780f590dd70081"}}


def test_the_settings_themselves_keep_their_paths():
    provenance.without_paths(example_archive.SETTINGS, {"histo": "0"})
    assert example_archive.NAME in example_archive.SETTINGS["cohorts"]["histo"]["manifest"]


def test_code_seeds_and_machine_are_told(made):
    assert made["seeds"] == {"evaluation": 1, "training": [1, 7], "simulation": 2}
    assert made["hardware"]["trained_on"] == ["H100"]
    assert made["hardware"]["cores"] >= 1
    assert made["hardware"]["memory_gb"] >= 1
    assert made["hardware"]["cpu"]
    assert {"scripts/tables.py", "hepatoclr/reporting/tables/tables.py"} <= set(
        made["code"]["fingerprints"]
    )
    assert re.match(r"commit [0-9a-f]{40}|not under version control", made["code"]["state"])


def test_digests_are_those_of_sha256sum(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert files.sha256(tmp_path / "a") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


def test_what_is_installed_is_compared_with_the_pins(tmp_path):
    pins, numpy = tmp_path / "pins.txt", metadata.version("numpy")
    pins.write_text(f"# pins\nNumPy=={numpy}\n\npandas==0.1\nno-such-package==1.0\n")
    found = provenance.environment(pins)
    assert found["python"] == platform.python_version()
    assert found["distributions"]["numpy"] == numpy
    assert found["not_as_pinned"] == {
        "pandas": f"{metadata.version('pandas')}, pinned ==0.1",
        "no-such-package": "not installed, pinned ==1.0",
    }


def test_code_without_git_is_said_to_be_so(tmp_path):
    assert provenance.git_state(tmp_path) == "not under version control"


def test_a_run_records_all_that_can_be_checked(finished):
    folder, made = result(finished, ""), files.read_json(result(finished, provenance.FILE))
    recorded = {path for digests in made["files"].values() for path in digests}
    found = (path for pattern in CHECKED for path in folder.glob(pattern))
    there = {path for path in found if path.is_file() and not path.name.startswith(".")}
    assert recorded == {path.relative_to(folder).as_posix() for path in there}
    assert str(finished.folder) not in json.dumps(made)
    assert made["disclaimers"] == ["synthetic"]
    assert made["hardware"]["trained_on"] == ["cpu"]
    assert made["inputs"].keys() == {"radio", "histo"}
    assert len(made["inputs"]["histo"]["images"]) == 6
