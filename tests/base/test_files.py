import errno
import logging
import os
import shutil
import sys
import tempfile
import zipfile
from contextlib import suppress

import pytest

from hepatoclr.base import files, logs
from hepatoclr.base.errors import UserError
from hepatoclr.imaging import formats


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
    assert (tmp_path / "job.log").read_text() == "error: case 7: too small; take another\n"


def test_other_errors_stay_errors(tmp_path):
    with pytest.raises(ZeroDivisionError), logs.to_file(tmp_path / "job.log"):
        _ = 1 / 0
    text = (tmp_path / "job.log").read_text()
    assert "ZeroDivisionError: division by zero" in text


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


def test_a_full_disk_of_temporary_files_is_named(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with zipfile.ZipFile(tmp_path / "ct.zip", "w") as archive:
        archive.writestr("1.dcm", b"x")
    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(UserError) as refused, formats.unpacked(tmp_path / "ct.zip"):
        pass
    said = logs.user_message(refused.value, "results/logs/x.log")
    assert said.startswith(f"{tmp_path}: the disk, or your share of it, is full")
    assert "TMPDIR may name a folder with more room" in said
    named = OSError(errno.ENOSPC, "", str(tmp_path / "hepatoclr-x/1"))
    assert "TMPDIR" in logs.user_message(named)
    assert "TMPDIR" not in logs.user_message(OSError(errno.ENOSPC, ""), "results")
