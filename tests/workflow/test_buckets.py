"""Images, masks and results in a bucket of a local S3 server: what they give on a disk."""

import os
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest
import yaml
from tiny_project import ROOT, Project, result

from hepatoclr.cohorts import manifests
from hepatoclr.simulation import simulate

ENGINES = ROOT / ".venv-engines/bin"
TARGETS = ["cohorts/real.csv", *(f"tensors/real/real-000{n}.b2nd" for n in range(1, 5))]
# of whole runs, the ends of all paths that files take
REMOTE = [
    *("cohorts/histo.csv", "features/histo/simclr/seed1.parquet"),
    *("predictions/linear/simclr/seed1/repeat1.csv", "explanations/simclr.csv"),
    "predictions/finetune/none/seed1/repeat1.csv",
]
KEY = {  # not checked
    "Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request"
}


@pytest.fixture(scope="module")
def server():
    """Address of an S3 server with the empty buckets `hospital` and `hepatoclr`."""
    if not (ENGINES / "moto_server").exists():
        pytest.skip("the plugins are not installed; make engines")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [ENGINES / "moto_server", "--host", "127.0.0.1", "--port", str(port)]
    started = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(120):
            try:
                put(f"{address}/hospital")
                put(f"{address}/hepatoclr")
                break
            except OSError:
                time.sleep(0.5)
        yield address
    finally:
        started.terminate()
        started.wait()


def put(address, data=b"", method="PUT"):
    headers = {"Content-Type": "application/octet-stream", **KEY}
    asked = urllib.request.Request(address, data=data, headers=headers, method=method)
    urllib.request.urlopen(asked, timeout=10).close()


def cohort(folder):
    """Four CTs with masks, NIfTI, a DICOM folder and a zip; their manifest beside them."""
    preset = yaml.safe_load((ROOT / "presets/tiny.yaml").read_text())
    size = {key: preset["simulate"][key] for key in ("matrix", "slice_mm")}
    drawn = {"labelled": 1, "confounding": 0, "hospital": "own"}
    drawn |= {"confusion": {}, "reader_noise": 1, "effect": 1}
    rows = simulate.cohort("real", 4, [0.2] * 5, "radiologist", **drawn, seed=0)
    for row in rows:
        place = folder / row["patient_id"]
        simulate.write_case(row, place, "real", seed=0, effect=1, **size)
    records = [{key: row[key] for key in ("patient_id", "image", "liver_mask")} for row in rows]
    manifests.write(records, folder / "real.csv")
    return records


def run(project, *arguments, server=None, snakemake=ENGINES / "snakemake"):
    """Run the image stages of the cohort; `radio` and `histo` of the preset are only planned."""
    cohorts = "{real: {role: external, manifest: ct/real.csv, folders: ['s3://hospital/study']}}"
    given = ["--config", "preset=tiny", f"cohorts={cohorts}"]
    endpoint = ["--storage-s3-endpoint-url", server] if server else []
    targets = [f"results/tiny/{path}" for path in TARGETS]
    command = [snakemake, "--cores", "1", *targets, *endpoint, *arguments, *given]
    return call(project, command)


def call(project, command):
    """Run Snakemake with the keys of the server."""
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    done = subprocess.run(
        command,
        cwd=project.folder,
        env={**os.environ, **keys, "PATH": f"{command[0].parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def made(project):
    """The table of the cohort and its tensors, as bytes by name."""
    tensors = sorted(result(project, "tensors/real").iterdir())
    return {path.name: path.read_bytes() for path in (result(project, TARGETS[0]), *tensors)}


@pytest.fixture(scope="module")
def projects(server, tmp_path_factory):
    """The cohort on a disk and in the bucket, both run."""
    local, remote = (Project(tmp_path_factory.mktemp(name)) for name in ("local", "remote"))
    records = cohort(local.folder / "ct")
    for path in (local.folder / "ct").rglob("*"):
        if path.is_file():
            put(
                f"{server}/hospital/study/{path.relative_to(local.folder / 'ct')}",
                path.read_bytes(),
            )
    for record in records:
        record |= {key: f"s3://hospital/study/{record[key]}" for key in ("image", "liver_mask")}
    manifests.write(records, remote.folder / "ct/real.csv")
    for project, options in ((local, {}), (remote, {"server": server})):
        code, text = run(project, **options)
        assert code == 0, text[-5000:]
    return local, remote


def test_a_bucket_gives_the_same_bytes(projects):
    local, remote = map(made, projects)
    assert len(local) == 5
    assert remote == local


def test_a_second_run_has_nothing_to_do(projects, server):
    code, text = run(projects[1], server=server)
    assert code == 0, text
    assert "Nothing to be done" in text


def test_another_image_in_the_bucket_is_another_case_alone(projects, server):
    local, remote = projects
    others = [result(remote, f"volumes/real/real-000{number}.nii.gz") for number in (2, 3, 4)]
    before, times = made(remote), [path.stat().st_mtime_ns for path in others]
    other = (local.folder / "ct/real-0004/ct.nii.gz").read_bytes()
    time.sleep(1.1)  # a bucket knows full seconds
    put(f"{server}/hospital/study/real-0001/ct.nii.gz", other)
    code, text = run(remote, server=server)
    assert code == 0, text[-5000:]
    after = made(remote)
    assert {name for name in after if after[name] != before[name]} >= {"real-0001.b2nd"}
    assert [path.stat().st_mtime_ns for path in others] == times


def test_a_missing_object_is_named(projects, server):
    remote = projects[1]
    put(f"{server}/hospital/study/real-0003/dicom.zip", method="DELETE")
    result(remote, "volumes/real/real-0003.nii.gz").unlink()
    code, text = run(remote, "-n", server=server)
    assert code
    assert "Missing input files for rule ingest" in text
    assert "s3://hospital/study/real-0003/dicom.zip" in text
    assert "Traceback" not in text


def test_without_the_plugin_the_remedy_is_told(projects):
    code, text = run(projects[1], "-n", snakemake=Path(ROOT / ".venv/bin/snakemake"))
    assert code
    assert "make engines" in text
    assert "Traceback" not in text


@pytest.mark.parametrize("engine", ["kubernetes", "aws-batch"])
def test_a_profile_with_results_in_a_bucket_plans(server, tmp_path, engine):
    command = [ENGINES / "snakemake", "-n", "--workflow-profile", f"profiles/{engine}"]
    command += ["--storage-s3-endpoint-url", server, "--config", "preset=tiny"]
    code, text = call(Project(tmp_path), command)
    assert code == 0, text
    assert "This was a dry-run" in text


def test_results_in_a_bucket_are_those_on_a_disk(server, finished, tmp_path):
    storage = ["--default-storage-provider", "s3", "--default-storage-prefix", "s3://hepatoclr/run"]
    targets = [f"results/tiny/{path}" for path in REMOTE]
    command = [ENGINES / "snakemake", "--cores", "2", *targets, *storage]
    command += ["--storage-s3-endpoint-url", server, "--config", "preset=tiny"]
    project = Project(tmp_path)
    code, text = call(project, command)
    assert code == 0, text[-5000:]
    for path in REMOTE:
        asked = urllib.request.Request(f"{server}/hepatoclr/run/results/tiny/{path}", headers=KEY)
        stored = urllib.request.urlopen(asked, timeout=10).read()
        assert stored == result(finished, path).read_bytes(), path
    code, text = call(project, [*command, "-n"])
    assert "Nothing to be done" in text
    code, text = call(project, [*command, "--forcerun", "finetune"])  # over what is there
    assert code == 0, text[-5000:]
