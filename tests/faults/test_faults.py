"""Full disks, missing rights, locks and odd surroundings; the whole matrix: faults.py."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

import faults
import pytest
from test_batches import Stage
from tiny_project import result

from hepatoclr.base import files, logs
from hepatoclr.base.errors import UserError

FULL = OSError(errno.ENOSPC, "No space left on device")
ENCODER = "results/tiny/encoders/simclr/seed1/encoder.safetensors"


def fail(error):
    raise error


def test_a_full_disk_is_told_where_a_file_is_written(tmp_path):
    with (
        pytest.raises(UserError, match=f"{tmp_path}: the disk.*full. Make room.*same command"),
        files.atomic(tmp_path / "x"),
    ):
        raise FULL
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_told_where_the_writer_does_not_say_so(tmp_path, monkeypatch):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(4096))
    with pytest.raises(UserError, match="full"), files.atomic(tmp_path / "x"):
        raise RuntimeError("PytorchStreamWriter failed writing file")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(2**30))
    with pytest.raises(RuntimeError), files.atomic(tmp_path / "x"):
        raise RuntimeError("PytorchStreamWriter failed writing file")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FULL, "job.log: the disk, or your share of it, is full"),
        (OSError(errno.EROFS, "", "results/x.csv"), "results/x.csv: the disk is read-only"),
        (PermissionError(errno.EACCES, "", "results/x.csv"), "results/x.csv: permission denied"),
    ],
)
def test_disks_and_rights_end_as_a_message(tmp_path, capsys, error, said):
    log = tmp_path / "job.log"
    with pytest.raises(SystemExit) as ended, logs.to_file(log):
        raise error
    assert ended.value.code == 1
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


def test_a_full_disk_is_no_fault_of_a_case(tmp_path):
    stage = Stage(tmp_path)
    with pytest.raises(OSError, match="No space"):
        stage.run(make=lambda case, **_: fail(FULL))
    assert not stage.out("a", "facts").exists()
    assert stage.run() == ["a", "b", "c"]


def test_a_file_that_may_not_be_read_is_no_fault_of_a_case(tmp_path, monkeypatch):
    stage = Stage(tmp_path)
    earlier = tmp_path / "a.earlier"
    earlier.write_text("x")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(UserError, match="needs .*a.earlier, which you may not read"):
        stage.run(reads={"earlier": str(tmp_path / "{case}.earlier")})
    assert not stage.out("a", "facts").exists()


def start(project, *prefix):
    """Make the last two pages again, in a session of its own."""
    result(project, "report.html").unlink(missing_ok=True)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    process = subprocess.Popen(
        [*prefix, "snakemake", "--cores", "1", "--config", "preset=tiny"],
        **{"cwd": project.folder, "env": environment, "text": True, "start_new_session": True},
        **{"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT},
    )
    locks = project.folder / ".snakemake/locks"
    while process.poll() is None and not any(lock.stat().st_size for lock in locks.glob("*out*")):
        time.sleep(0.02)
    return process


def test_a_second_run_is_refused_and_the_remedy_of_a_stale_lock_named(project):
    first = start(project)
    os.killpg(first.pid, signal.SIGSTOP)  # or it might be done too soon
    refused = project.snakemake("--cores", "1", check=False)
    os.killpg(first.pid, signal.SIGCONT)
    assert "Directory cannot be locked" in refused
    assert "--unlock" in refused
    text, _ = first.communicate()
    assert first.returncode == 0, text
    assert not project.plan()[0]

    killed = start(project)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert "--unlock" in project.snakemake("--cores", "1", check=False)
    project.snakemake("--unlock")
    project.snakemake("--cores", "1")
    assert result(project, "report.html").exists()


def test_no_home_no_folder_for_temporary_files_and_a_strict_umask(project):
    prefix = ["env", "-u", "HOME", "TMPDIR=/nowhere", "sh", "-c", 'umask 077; exec "$@"', "x"]
    run = start(project, *prefix)
    text, _ = run.communicate()
    assert run.returncode == 0, text
    assert result(project, "report.html").stat().st_mode & 0o077 == 0


def test_files_from_the_future_are_named_with_the_cause(project):
    table = result(project, "tables/table1.csv")
    os.utime(table, (time.time() + 86400,) * 2)
    text, _ = start(project).communicate()
    assert "table1.csv" in text
    assert "clock skew" in text
    table.touch()  # the remedy
    text, _ = start(project).communicate()
    assert result(project, "report.html").exists()
    assert not project.plan()[0]


def test_the_matrix_sees_damage():
    """Flipped bytes and cuts are what the matrix says they are."""
    content = bytes(range(100))

    class Written:
        def write_bytes(self, found):
            self.found = found

    written = Written()
    faults.flipped(written, content)
    assert len(written.found) == 100
    assert written.found[:50] == content[:50]
    assert written.found[50] == 255 - 50
    faults.truncated(written, content)
    assert written.found == content[:50]


def test_the_matrix_says_what_was_said():
    assert faults.message("x\nerror: a is damaged\nerror: b") == "a is damaged"
    assert faults.message("error: two problems:\n  - a\n  - b") == "two problems: - a"
    assert faults.message("cmd died with <Signals.SIGKILL: 9>.") == "died with SIGKILL"
    assert faults.message("all is well") == ""


def test_damaged_notes_make_their_case_again(tmp_path):
    stage = Stage(tmp_path)
    stage.run()
    note = stage.notes / "b.made"
    whole = note.read_bytes()
    for damage in (b"\xff\xfe\xfd", *(whole[:length] for length in range(len(whole)))):
        note.write_bytes(damage)
        assert stage.run() == ["b"]


def test_damaged_facts_and_tables_do_not_end_the_planning(project):
    result(project, "volumes/histo/histo-0001.json").write_bytes(b"\xff{")
    result(project, "cohorts/histo.csv").write_bytes(b"\xff,x\n1")
    text = project.snakemake("-n", "--cores", "1")
    assert "Traceback" not in text


def test_a_lost_tensor_is_made_again_and_trains_nothing(project):
    lost, encoder = result(project, "tensors/radio/radio-0001.b2nd"), project.folder / ENCODER
    before = files.sha256(encoder)
    lost.unlink()
    text = project.snakemake("--cores", "2", ENCODER)
    assert "Pretraining simclr" in text
    assert lost.exists()
    log = result(project, "logs/pretrain/simclr/seed1.log").read_text()
    assert "nothing to train" in log
    assert files.sha256(encoder) == before
    assert "Nothing to be done" in project.snakemake("--cores", "2", ENCODER)


def test_a_damaged_tensor_is_not_trained_on(project):
    damaged, encoder = result(project, "tensors/radio/radio-0001.b2nd"), project.folder / ENCODER
    before, content = files.sha256(encoder), bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    encoder.unlink()
    text = project.snakemake("--cores", "2", ENCODER, check=False)
    name = "results/tiny/tensors/radio/radio-0001.b2nd"
    assert f"error: damaged, or changed since it was written: {name}. Moved to" in text
    assert not encoder.exists()
    project.snakemake("--cores", "2", ENCODER)
    assert files.sha256(encoder) == before
    assert Path(f"{damaged}.damaged").read_bytes() == content
