import logging
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from hepatoclr.base import files, jobs, logs
from hepatoclr.base.errors import UserError


def test_an_interrupted_write_leaves_nothing(tmp_path):
    path = tmp_path / "deep" / "x.txt"
    with suppress(KeyboardInterrupt), files.atomic(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert not list(path.parent.iterdir())


def test_an_old_file_survives_a_failed_write(tmp_path):
    path = tmp_path / "x.json"
    files.write_json({"id": "é"}, path)
    with pytest.raises(TypeError):
        files.write_json({"id": object()}, path)
    assert files.read_json(path) == {"id": "é"}


def test_what_a_job_says_goes_to_its_log(tmp_path, capsys):
    with logs.to_file(tmp_path / "logs" / "job.log"):
        print("printed")
        print("complained", file=sys.stderr)
        logging.getLogger("x").info("logged")
    text = (tmp_path / "logs" / "job.log").read_text()
    assert all(word in text for word in ("printed", "complained", "INFO logged"))
    assert capsys.readouterr() == ("", "")


def test_a_users_mistake_ends_as_its_message(tmp_path, capsys):
    with pytest.raises(SystemExit) as end, logs.to_file(tmp_path / "job.log"):
        raise UserError("case 7: too small; take another")
    assert end.value.code == 1
    assert capsys.readouterr().err == "error: case 7: too small; take another\n"
    first, last = (tmp_path / "job.log").read_text().splitlines()
    assert first == "error: case 7: too small; take another"
    assert logs.core_time(last)


def test_other_errors_stay_errors(tmp_path):
    with pytest.raises(ZeroDivisionError), logs.to_file(tmp_path / "job.log"):
        _ = 1 / 0
    text = (tmp_path / "job.log").read_text()
    assert "ZeroDivisionError: division by zero" in text
    assert logs.core_time(text)


def burn(seconds):
    """Keep a core busy, in this process."""
    start = time.process_time()
    while time.process_time() - start < seconds:
        pass


def test_a_log_ends_with_the_core_time_of_process_and_children(tmp_path):
    code = (
        "import subprocess, sys, test_files\n"
        "from hepatoclr import logs\n"
        "test_files.burn(0.5)\n"
        "with logs.to_file(sys.argv[1]):\n"
        "    test_files.burn(0.4)\n"
        "    print('core time 9.00 s, 9.00 s of it before the work began')\n"
        "    child = 'import test_files; test_files.burn(0.3)'\n"
        "    subprocess.run([sys.executable, '-c', child], check=True)\n"
    )
    folders = [str(Path(__file__).parent), str(Path(__file__).parents[2])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}
    log = tmp_path / "job.log"
    subprocess.run([sys.executable, "-c", code, log], check=True, env=environment)
    total, start = logs.core_time(log.read_text())
    assert start >= 0.5
    assert 0.7 <= total - start < 5
    assert log.read_text().endswith("of it before the work began\n")


def test_a_log_of_a_killed_process_has_no_core_time():
    assert logs.core_time("INFO core time is short\ncore time 1.") is None


def job(folder, text="made", reads=()):
    """A job that writes a file."""
    output = folder / "x.csv"
    with jobs.running(folder / "job.log", reads, [str(output)]):
        files.write_text(text, output)
    return output


def test_what_a_job_leaves_is_sealed_as_sha256sum_reads_it(tmp_path):
    output = job(tmp_path)
    assert files.intact([output])
    subprocess.run(["sha256sum", "--check", "--status", ".x.csv.sha256"], cwd=tmp_path, check=True)
    output.write_text("edited")
    assert not files.intact([output])


def test_a_job_that_fails_seals_nothing(tmp_path):
    with suppress(ZeroDivisionError), jobs.running(tmp_path / "job.log", [], [tmp_path / "x"]):
        files.write_text("made", tmp_path / "x")
        _ = 1 / 0
    assert not files.intact([tmp_path / "x"])


@pytest.mark.parametrize("damage", ["mad", "made\0", "nade", ""])
def test_a_job_does_not_begin_on_a_damaged_file(tmp_path, capsys, damage):
    output, begun = job(tmp_path), []
    before = output.stat()
    output.write_text(damage)
    os.utime(output, ns=(before.st_atime_ns, before.st_mtime_ns))  # as rot leaves it
    with pytest.raises(SystemExit), jobs.running(tmp_path / "next.log", [str(output)], []):
        begun.append(1)
    told = capsys.readouterr().err
    assert f"error: damaged, or changed since it was written: {output}. Moved to" in told
    assert "run the same command again" in told
    assert not begun
    assert not output.exists()
    assert Path(f"{output}.damaged").read_text() == damage


def test_an_edit_that_was_moved_back_is_taken(tmp_path):
    output = job(tmp_path)
    output.write_text("mine")
    with pytest.raises(UserError):
        files.check([output])
    Path(f"{output}.damaged").rename(output)
    files.check([output])


def test_files_of_the_user_have_no_seal_and_pass(tmp_path):
    (tmp_path / "mine.csv").write_text("x")
    files.check([tmp_path / "mine.csv", tmp_path, tmp_path / "gone"])
