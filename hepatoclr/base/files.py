"""Files that are there whole or not at all."""

import errno
import hashlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from hepatoclr.base import messages
from hepatoclr.base.errors import UserError

if TYPE_CHECKING:  # what writes no table need not wait for pandas
    import pandas as pd

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
LEAST = 2**16  # bytes free


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; on success it takes the name of `path`.

    The temporary name ends like `path`, so that writers which choose a format by suffix agree.

    Raises:
        UserError: The disk is full.
    """
    path = Path(path)
    with disk_full_as_user_error(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".writing-", dir=path.parent))
    temporary = folder / path.name
    try:
        with disk_full_as_user_error(folder):
            yield temporary
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
        folder.rmdir()


@contextmanager
def disk_full_as_user_error(folder: Path) -> Iterator[None]:
    """Turn an error of writing into a `UserError` if the disk is full; few libraries tell."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        full = isinstance(error, OSError) and error.errno in NO_ROOM
        if full or (folder.exists() and shutil.disk_usage(folder).free < LEAST):
            raise UserError(f"{folder.parent}: {messages.DISK_FULL}") from error
        raise


@contextmanager
def unreadable_as_user_error(path: str | Path) -> Iterator[None]:
    """Turn what readers raise of damaged files, nearly anything, into a `UserError` with the name.

    For files that the workflow wrote and can write again.
    """
    try:
        yield
    except (UserError, MemoryError, FileNotFoundError, PermissionError):
        raise
    except Exception as error:
        raise UserError(messages.UNREADABLE.format(path, error)) from error


def write_text(text: str, path: str | Path) -> None:
    """Write UTF-8 text atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_csv(table: "pd.DataFrame", path: str | Path) -> None:
    """Write a table as CSV atomically, without its index."""
    with atomic(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


def read_csv(path: str | Path, **options) -> "pd.DataFrame":
    """Read a table that `write_csv` wrote, see `pandas.read_csv` for options.

    Raises:
        UserError: It is damaged; one that was cut off seldom ends with a whole line.
    """
    import pandas as pd

    with unreadable_as_user_error(path):
        text = Path(path).read_text(encoding="utf-8")
        if not text.endswith("\n"):
            raise ValueError("its last line is not whole")
        return pd.read_csv(io.StringIO(text), **options)


def read_parquet(path: str | Path, **options) -> "pd.DataFrame":
    """Read a table of features, see `pandas.read_parquet` for options.

    Raises:
        UserError: It is damaged.
    """
    import pandas as pd

    with unreadable_as_user_error(path):
        return pd.read_parquet(path, **options)


def write_json(content: dict, path: str | Path) -> None:
    """Write a JSON object atomically, readable by people: indented, keys in the order given."""
    write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", path)


def read_json(path: str | Path) -> dict:
    """Read a JSON object.

    Raises:
        UserError: The file is damaged.
    """
    with unreadable_as_user_error(path):
        return json.loads(Path(path).read_text(encoding="utf-8"))


def sha256(path: str | Path) -> str:
    """The digest of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def below(path: str | Path) -> Iterator[Path]:
    """A file itself, or every file below a folder, in order of names.

    Links are followed; no folder comes twice.
    """

    def stop(error: OSError) -> None:
        raise error

    if Path(path).is_file():
        yield Path(path)
        return
    seen = set()
    for parent, folders, names in os.walk(path, onerror=stop, followlinks=True):
        real = os.path.realpath(parent)
        folders[:] = [] if real in seen else sorted(folders)
        if real not in seen:
            yield from (Path(parent, name) for name in sorted(names))
        seen.add(real)


def stamp(folder: str | Path) -> str:
    """Digest of names, sizes and times of all files in a folder, at any depth; nothing is opened.

    A folder's own time says of files that come and go, not of one that is written over. Links are
    followed, to each folder once.
    """
    found = sorted(_entries(str(folder), "", set()))
    return hashlib.sha256(repr(found).encode()).hexdigest()[:16]


def _entries(folder: str, within: str, seen: set[tuple[int, int]]) -> Iterator[tuple]:
    about = Path(folder).stat()
    if (about.st_dev, about.st_ino) in seen:
        return
    seen.add((about.st_dev, about.st_ino))
    with os.scandir(folder) as entries:  # a fifth of the time that `Path.rglob` takes
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_dir():
                yield from _entries(entry.path, f"{within}{entry.name}/", seen)
                continue
            with suppress(FileNotFoundError):  # a link that leads nowhere
                about = entry.stat()
                yield f"{within}{entry.name}", about.st_size, about.st_mtime_ns
