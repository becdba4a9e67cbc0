import pytest

from hepatoclr.base import fingerprint


@pytest.fixture
def project(tmp_path):
    (tmp_path / "scripts").mkdir()
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/__init__.py").write_text('"""A library."""\n')
    (tmp_path / "scripts/job.py").write_text("from lib import first\nimport os\n")
    (tmp_path / "lib/first.py").write_text("from lib.second import f\n")
    (tmp_path / "lib/second.py").write_text('def f():\n    """Old."""\n    return 1\n')
    (tmp_path / "lib/third.py").write_text("x = 1\n")
    return tmp_path


def reached(project):
    fingerprint.digest.cache_clear()
    fingerprint._imports.cache_clear()
    return fingerprint.reached(project, "scripts/job.py")


def test_imports_are_followed(project):
    files = [name.split("@")[0] for name in reached(project)]
    assert files == ["lib/__init__.py", "lib/first.py", "lib/second.py", "scripts/job.py"]


def test_comments_and_docstrings_do_not_count(project):
    before = reached(project)
    (project / "lib/second.py").write_text('# why\ndef f():\n    """New."""\n    return 1  # one\n')
    assert reached(project) == before


def test_code_does_and_its_file_is_named(project):
    before = reached(project)
    (project / "lib/second.py").write_text('def f():\n    """Old."""\n    return 2\n')
    (changed,) = set(reached(project)) - set(before)
    assert changed.startswith("lib/second.py@")


def test_what_is_not_imported_does_not_count(project):
    before = reached(project)
    (project / "lib/third.py").write_text("x = 2\n")
    assert reached(project) == before


def test_other_files_are_taken_as_they_are(project):
    (project / "page.html").write_text("<p>")
    first = fingerprint.reached(project, "page.html")
    fingerprint.digest.cache_clear()
    (project / "page.html").write_text("<b>")
    assert fingerprint.reached(project, "page.html") != first
