"""One log file per job; an error that the user can act on ends as a message, not a traceback."""

import errno
import gc
import logging
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

from hepatoclr.base import files, messages
from hepatoclr.base.errors import UserError

USER_ERRORS = {
    **dict.fromkeys(files.NO_ROOM, messages.DISK_FULL),
    errno.EACCES: messages.DENIED,
    errno.EROFS: messages.READ_ONLY,
}


@contextmanager
def to_file(path: str | Path) -> Iterator[None]:
    """Send logging, stdout and stderr to `path` while the block runs.

    A `UserError` is written to the log and to the terminal, then ends the process with status 1;
    so are full disks and missing rights, also where the log itself cannot be written. Any other
    error goes to the log too, and on. Where several processes train one network, all write to
    `path`, and the first speaks to the terminal.
    """
    is_first = os.environ.get("LOCAL_RANK", "0") == "0"
    terminal = sys.stderr
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        if is_first:
            Path(path).write_bytes(b"")
        with open(path, "a", encoding="utf-8", buffering=1) as log:
            handler = logging.StreamHandler(log)
            handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
            logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
            logging.captureWarnings(True)
            try:
                with redirect_stdout(log), redirect_stderr(log), ended_by_exception():
                    yield
            except Exception as error:
                print(_user_error_line(error, path) or traceback.format_exc(), file=log)
                raise
            finally:
                gc.freeze()  # or the interpreter, ending, looks through all that was imported
    except Exception as error:
        if not (line := _user_error_line(error, path)):
            raise
        if is_first:
            print(line, file=terminal)
        sys.exit(1)


@contextmanager
def ended_by_exception() -> Iterator[None]:
    """Let a request to end (SIGTERM) be an exception, so that unfinished files are removed."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def user_message(error: Exception, place: str | Path = "") -> str:
    """The message of an error that the user can act on; empty for any other.

    Args:
        error: The error.
        place: What was being written, for errors that name no file.
    """
    message = ""
    if isinstance(error, UserError):
        message = str(error)
    elif isinstance(error, OSError) and error.errno in USER_ERRORS:
        message = f"{error.filename or place}: {USER_ERRORS[error.errno]}"
    places = (f"{tempfile.gettempdir()}:", f"{tempfile.gettempdir()}/hepatoclr-")
    is_temporary = messages.DISK_FULL in message and message.startswith(places)
    return f"{message} {messages.TEMPORARY}" if is_temporary else message


def _user_error_line(error: Exception, log: str | Path) -> str:
    message = user_message(error, log)
    return f"error: {message}" if message else ""
