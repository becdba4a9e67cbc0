import os
import shutil

import pytest

from hepatoclr.base import cutoff, files

SETTINGS = {"epochs": 2, "code": ["a.py@1"]}


@pytest.fixture
def made(tmp_path):
    """The files of a finished job."""
    for name in ("input", "output"):
        (tmp_path / name).write_text(name)
        os.utime(tmp_path / name, ns=(1, 1))
    key = cutoff.made_from([tmp_path / "input"], **SETTINGS)
    files.write_json(cutoff.record(key, [tmp_path / "output"]), tmp_path / "metadata.json")
    return tmp_path


def unchanged(folder, name="input", **changes):
    key = cutoff.made_from([folder / name], **{**SETTINGS, **changes})
    return cutoff.unchanged(folder / "metadata.json", key, [folder / "output"])


def test_what_was_made_from_the_same_contents_is_kept_and_gets_new_times(made):
    shutil.move(made / "input", made / "copy")
    assert unchanged(made, "copy")
    assert (made / "output").stat().st_mtime_ns > 1


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "input").write_text("other"),
        lambda folder: (folder / "output").write_text("edited"),
        lambda folder: (folder / "output").unlink(),
        lambda folder: (folder / "metadata.json").write_text('{"made'),
        lambda folder: (folder / "metadata.json").write_text("[]"),
        lambda folder: (folder / "metadata.json").unlink(),
    ],
)
def test_what_differs_is_made(made, change):
    change(made)
    assert not unchanged(made)


@pytest.mark.parametrize("changes", [{"epochs": 3}, {"code": ["a.py@2"]}, {"seed": 1}])
def test_other_settings_or_code_make_it(made, changes):
    assert not unchanged(made, **changes)
