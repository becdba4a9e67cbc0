"""One log file per job; an error the user can mend ends as its message, not as a traceback."""

import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

from hepatoclr.errors import UserError


@contextmanager
def to_file(path: str | Path) -> Iterator[None]:
    """Send logging, stdout and stderr to `path` while the block runs.

    A `UserError` is written to the log and to the terminal, then ends the process with status 1.
    Any other error goes to the log too, and on.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    terminal = sys.stderr
    with open(path, "w", encoding="utf-8", buffering=1) as log:
        handler = logging.StreamHandler(log)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
        logging.captureWarnings(True)
        try:
            with redirect_stdout(log), redirect_stderr(log):
                yield
        except UserError as error:
            print(f"error: {error}", file=log)
            print(f"error: {error}", file=terminal)
            sys.exit(1)
        except Exception:
            traceback.print_exc(file=log)
            raise
