import logging
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from hepatoclr.base import files, logs
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
        "from hepatoclr.base import logs\n"
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


@pytest.mark.parametrize(
    ("name", "text", "read"),
    [
        ("x.json", '{"a": [1, 2', files.read_json),
        ("x.csv", "a,b\n1,2\n3,", files.read_csv),
        ("x.csv", 'a,b\n"1,2\n', files.read_csv),
        ("x.csv", "", files.read_csv),
    ],
)
def test_a_file_that_was_cut_off_is_named_with_the_remedy(tmp_path, name, text, read):
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=f"{name}: cannot be read .* Remove it, then run the same"):
        read(tmp_path / name)


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "b/2").write_bytes(b"xy"),
        lambda folder: os.utime(folder / "b/2", ns=(1, 1)),
        lambda folder: (folder / "b/2").rename(folder / "b/3"),
        lambda folder: (folder / "b/3").touch(),
        lambda folder: (folder / "b/2").unlink(),
    ],
)
def test_the_stamp_of_a_folder_changes_with_every_file_in_it(tmp_path, change):
    (tmp_path / "b").mkdir()
    (tmp_path / "1").write_text("x")
    (tmp_path / "b/2").write_text("x")
    (tmp_path / "link").symlink_to("nowhere")
    before = files.stamp(tmp_path)
    assert files.stamp(tmp_path) == before
    change(tmp_path)
    assert files.stamp(tmp_path) != before
