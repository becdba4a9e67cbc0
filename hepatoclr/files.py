"""Atomic writes: a file is there whole or not at all."""

import errno
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hepatoclr.errors import UserError

if TYPE_CHECKING:  # what writes no table need not wait for pandas
    import pandas as pd

FULL = "the disk, or your share of it, is full. Make room, then run the same command again."
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
    with full_disk_told(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".writing-", dir=path.parent))
    temporary = folder / path.name
    try:
        with full_disk_told(folder):
            yield temporary
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
        folder.rmdir()


@contextmanager
def full_disk_told(folder: Path) -> Iterator[None]:
    """Turn an error of writing into a `UserError` if the disk is full; few writers say so."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        told = isinstance(error, OSError) and error.errno in NO_ROOM
        if told or (folder.exists() and shutil.disk_usage(folder).free < LEAST):
            raise UserError(f"{folder.parent}: {FULL}") from error
        raise


def write_text(text: str, path: str | Path) -> None:
    """Write UTF-8 text atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_csv(table: "pd.DataFrame", path: str | Path) -> None:
    """Write a table as CSV atomically, without its index."""
    with atomic(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


def write_json(content: dict, path: str | Path) -> None:
    """Write a JSON object atomically, readable by people: indented, keys in the order given."""
    write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", path)


def read_json(path: str | Path) -> dict:
    """Read a JSON object."""
    return json.loads(Path(path).read_text(encoding="utf-8"))
