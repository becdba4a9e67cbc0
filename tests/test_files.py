import logging
import sys
from contextlib import suppress

import pytest

from hepatoclr import files, logs
from hepatoclr.errors import UserError


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
    assert "ZeroDivisionError: division by zero" in (tmp_path / "job.log").read_text()
