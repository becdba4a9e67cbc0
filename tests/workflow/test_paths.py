"""Where the project lies: folders with spaces, as OneDrive's, and with signs of the shell."""

import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
from tiny_project import Project

ROOT = Path(__file__).parents[2]
FOLDERS = ["OneDrive - Klinikum (Süd)", '-it\'s {a} "b" $HOME `c` & d;e #1, 100% *']


@pytest.fixture(params=FOLDERS)
def project(request, tmp_path):
    """The project in such a folder, with an interpreter of its own there."""
    folder = tmp_path / request.param
    folder.mkdir()
    project = Project(folder)
    venv.create(project.folder / ".venv", symlinks=True)
    packages = next(project.folder.glob(".venv/lib/python*/site-packages"))
    (packages / "base.pth").write_text(sysconfig.get_path("purelib"))
    project.python = str(project.folder / ".venv/bin/python")
    return project


def test_a_job_runs_by_the_interpreter_in_such_a_folder(project):
    script = project.folder / "scripts/simulate.py"
    says = "import sys\nopen('by', 'w').write(sys.executable)\n"
    script.write_text(f"{script.read_text()}{says}")
    wanted = "results/tiny/tensors/radio/radio-0001.b2nd"
    command = [project.python, "-m", "snakemake", "--cores", "1", wanted, "--config", "preset=tiny"]
    run = subprocess.run(command, cwd=project.folder, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert (project.folder / wanted).is_file()
    assert (project.folder / "by").read_text() == project.python


@pytest.mark.parametrize("sign", [*':{}$"`', "\n", "\t"])
def test_where_no_environment_works_none_is_begun(sign, tmp_path):
    folder = tmp_path / f"a{sign}b"
    folder.mkdir()
    shutil.copy(ROOT / "Makefile", folder)
    command = ["make", "env", f"PYTHON={sys.executable}"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode
    assert f"The path of this folder holds {sign!r}, with which" in run.stderr
    assert [path.name for path in folder.iterdir()] == ["Makefile"]


def test_where_the_folder_was_moved_the_environment_is_made_anew(tmp_path):
    folder = tmp_path / "before"
    venv.create(folder / ".venv", symlinks=True)
    pip = folder / ".venv/bin/pip"
    pip.write_text(f"#!{folder}/.venv/bin/python\n")
    pip.chmod(0o755)
    shutil.copy(ROOT / "Makefile", folder)
    shutil.copytree(ROOT / "envs", folder / "envs")
    shutil.copy(folder / "envs/requirements.txt", folder / ".venv/pins")
    assert "-m venv" not in make("-n", "env", cwd=folder)
    assert "-m venv" in make("-n", "env", cwd=folder.rename(tmp_path / "after"))


def make(*arguments, cwd):
    return subprocess.run(["make", *arguments], cwd=cwd, capture_output=True, text=True).stdout
