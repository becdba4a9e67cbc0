import pytest

from hepatoclr.base import fingerprint

MODULE = '''"""A module."""
import logging
import warnings
from typing import TYPE_CHECKING, NamedTuple

from lib import messages, second

if TYPE_CHECKING:
    from lib import third

LIMIT: int = 3
log = logging.getLogger(__name__)


class Point(NamedTuple):
    """A point."""

    x: int


def f(x: int, y: float = 2) -> "third.Third":
    """Old."""
    size: int
    size: int = len(x)
    if size > LIMIT:
        log.warning("too %s: %d", "long", size)
        raise ValueError(f"too long: {size}", code=7) from None
    warnings.warn("old", FutureWarning)
    return "long"  # a text that is a result
'''


@pytest.fixture
def project(tmp_path):
    (tmp_path / "scripts").mkdir()
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/__init__.py").write_text('"""A library."""\n')
    (tmp_path / "lib/messages.py").write_text("from lib import fourth\n")
    (tmp_path / "scripts/job.py").write_text("from lib import first\nimport os\n")
    (tmp_path / "lib/first.py").write_text(MODULE)
    for name in ("second", "third", "fourth"):
        (tmp_path / f"lib/{name}.py").write_text("x = 1\n")
    return tmp_path


def reached(project, file="scripts/job.py"):
    fingerprint._read.cache_clear()
    return fingerprint.reached(project, file)


def changed(project, old, new):
    """The files whose fingerprints an edit changes."""
    before, path = reached(project), project / "lib/first.py"
    assert old in MODULE
    path.write_text(MODULE.replace(old, new))
    return [name.split("@")[0] for name in set(reached(project)) - set(before)]


def test_imports_are_followed_but_not_those_of_types_and_messages(project):
    files = [name.split("@")[0] for name in reached(project)]
    assert files == ["lib/__init__.py", "lib/first.py", "lib/second.py", "scripts/job.py"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  # a text that is a result", ""),
        ('"""A module."""', "'''Another.'''"),
        ('    """Old."""\n', ""),
        ('    """A point."""\n\n', ""),
        ("TYPE_CHECKING, NamedTuple", "NamedTuple, TYPE_CHECKING, Any"),
        ("    from lib import third", "    from lib import third, fourth"),
        ("if TYPE_CHECKING:\n    from lib import third\n", ""),
        ("LIMIT: int", "LIMIT"),
        ("x: int, y: float", "x, y"),
        (' -> "third.Third"', ""),
        ("    size: int\n", ""),
        ("    size: int =", "    size ="),
        ('log.warning("too %s: %d", "long", size)', 'log.info("so %d", size + 1)'),
        ('        log.warning("too %s: %d", "long", size)\n', ""),
        ('f"too long: {size}"', 'f"longer than {LIMIT}: {size}"'),
        ('"old", Future', '"new", Future'),
    ],
)
def test_what_people_and_type_checkers_read_does_not_count(project, old, new):
    assert not changed(project, old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("LIMIT: int = 3", "LIMIT: int = 4"),
        ("y: float = 2", "y: float = 3"),
        ("size > LIMIT", "size >= LIMIT"),
        ('return "long"', 'return "short"'),
        ('raise ValueError(f"too long: {size}", code=7) from None', "pass"),
        ("ValueError", "KeyError"),
        ("code=7", "code=8"),
        (" from None", ""),
        ("FutureWarning", "UserWarning"),
        ("    x: int\n", "    x: int\n    y: int\n"),
        ('log.warning("too %s: %d", "long", size)', 'log.write("too long")'),
        ("log.warning(", "self.log("),
        ("if TYPE_CHECKING:", "if LIMIT:"),
    ],
)
def test_what_results_depend_on_does(project, old, new):
    assert "lib/first.py" in changed(project, old, new)


def test_a_block_of_messages_only_is_code_still(project):
    assert changed(project, "    warnings", "    if x:\n        log.info(x)\n    warnings")


def test_messages_do_not_count(project):
    before = reached(project)
    (project / "lib/messages.py").write_text("TEXT = 'another'\n")
    (project / "lib/third.py").write_text("x = 2\n")
    assert reached(project) == before


def test_other_files_are_taken_as_they_are(project):
    (project / "page.html").write_text("<p>")
    first = reached(project, "page.html")
    (project / "page.html").write_text("<b>")
    assert reached(project, "page.html") != first
