"""Full disks, missing rights, locks, odd surroundings; a dozen cells of the matrix (faults.py)."""

import errno
import os
import shutil
import signal
import subprocess
import sys
from collections import namedtuple
from functools import partial
from pathlib import Path

import faults
import pytest
from tiny_project import result

from hepatoclr.base import cases, files, logs
from hepatoclr.base.errors import UserError
from hepatoclr.cohorts import cohort_table, splits
from hepatoclr.imaging import slices, tensors, volumes
from hepatoclr.learning import backbone
from hepatoclr.reporting.tables import tables
from hepatoclr.stats import predictions

FULL = OSError(errno.ENOSPC, "No space left on device")
# a sample of the matrix: each way to strike, in stages of each kind
CELLS = [
    "job gets SIGKILL: segment",
    "job gets SIGTERM: tables",
    "job gets SIGKILL: pretrain",
    "Snakemake gets SIGKILL: finetune",
    "Snakemake and its job get SIGINT: pretrain",
    "disk full: ingest",
    "truncated: volume",
    "truncated: encoder",
    "bytes flipped: features",
    "edited: slices",
    "unreadable: facts",
    "lost: tensor",
    "from the future: cohort table",
    "two at once: ingest",
]
READERS = {  # kinds of files that stages read, but for the manifests: these are the user's
    "volumes/histo/histo-0001.nii.gz": volumes.load,
    "livers/histo/histo-0001.nii.gz": volumes.load,
    "slices/histo/histo-0001.json": files.read_json,
    "slices/histo/histo-0001.csv": slices.read,
    "tensors/histo/histo-0001.b2nd": lambda path: tensors.load(path)[:],
    "cohorts/histo.csv": cohort_table.read,
    "splits/repeat1.csv": splits.read,
    "encoders/none/seed1/encoder.safetensors": partial(backbone.read, settings={}),
    "features/histo/none/seed1.parquet": files.read_parquet,
    "predictions/linear/none/seed1/repeat1.csv": lambda path: predictions.read([path], own=True),
    "tables/table1.csv": tables.read,
}


def test_a_full_disk_is_named_where_a_file_is_written(tmp_path, monkeypatch):
    place = tmp_path / "x"
    with (
        pytest.raises(UserError, match=f"{tmp_path}: the disk.*full. Make room.*same command"),
        files.atomic(place),
    ):
        raise FULL
    assert not list(tmp_path.iterdir())
    usage = namedtuple("usage", "free")
    for free, expected in ((4096, UserError), (2**30, RuntimeError)):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: usage(free))
        with pytest.raises(expected), files.atomic(place):
            raise RuntimeError("PytorchStreamWriter failed writing file")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FULL, "job.log: the disk, or your share of it, is full"),
        (OSError(errno.EROFS, "", "results/x.csv"), "results/x.csv: the disk is read-only"),
        (PermissionError(errno.EACCES, "", "results/x.csv"), "results/x.csv: permission denied"),
    ],
)
def test_disks_and_rights_end_as_a_message_and_exclude_no_case(tmp_path, capsys, error, said):
    log, facts = tmp_path / "job.log", tmp_path / "facts.json"
    guard = cases.exclude_on_error("ingest", "a", [], str(facts), "exclude")
    with pytest.raises(SystemExit) as ended, logs.to_file(log), guard:
        raise error
    assert ended.value.code == 1
    assert not facts.exists()
    for text in (capsys.readouterr().err, log.read_text()):
        assert said in text
        assert "then run the same command again" in text
        assert "Traceback" not in text


def test_a_job_that_is_asked_to_end_leaves_no_unfinished_file(tmp_path):
    before = signal.getsignal(signal.SIGTERM)

    def asked():
        with (
            logs.to_file(tmp_path / "job.log"),
            files.atomic(tmp_path / "out" / "x") as temporary,
        ):
            temporary.write_text("half")
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(SystemExit, match="ended by SIGTERM"):
        asked()
    assert not list((tmp_path / "out").iterdir())
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_log_that_cannot_be_written_is_no_traceback(capsys):
    with pytest.raises(SystemExit), logs.to_file("/dev/full"):
        raise UserError("something else")
    assert capsys.readouterr().err.startswith("error: /dev/full: the disk")


@pytest.mark.parametrize("name", READERS)
def test_a_file_that_was_cut_off_is_named_with_the_remedy(finished, tmp_path, name):
    content, path = result(finished, name).read_bytes(), tmp_path / Path(name).name
    end = len(content.rstrip())  # JSON may do without its last line break
    for length in (0, 1, end // 2, end - 1):
        path.write_bytes(content[:length])
        with pytest.raises(UserError, match=f"{path}: cannot be read .* Remove it, then run the"):
            READERS[name](path)


@pytest.fixture(scope="module")
def base(finished):
    return faults.Base(finished.folder)


@pytest.mark.parametrize("name", CELLS)
def test_the_same_command_heals(base, tmp_path, name):
    if name.startswith(("disk full", "unreadable")) and os.getuid():
        pytest.skip("takes root")
    found = faults.judge(base, faults.cells(base)[name], tmp_path)
    assert found["good"], found


def test_no_home_no_folder_for_temporary_files_and_a_strict_umask(project):
    report = result(project, "report.html")
    report.unlink()
    prefix = ["env", "-u", "HOME", "TMPDIR=/nowhere", "sh", "-c", 'umask 077; exec "$@"', "x"]
    run = subprocess.run(
        [*prefix, "snakemake", "--cores", "1", "--config", "preset=tiny"],
        **{"cwd": project.folder, "check": False, "capture_output": True, "text": True},
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert report.stat().st_mode & 0o077 == 0
