"""What the logs of failed jobs say last."""

import re
from collections.abc import Iterable
from pathlib import Path

LINES = 15


def tails(printed: Iterable[str | Path]) -> str:
    """Name the logs of the jobs that failed, each with its last lines.

    Args:
        printed: Files of what Snakemake printed; they name the logs of a job that failed.
    """
    text = "".join(Path(path).read_text() for path in printed)
    named = re.findall(r"log: (.+) \(check log file\(s\)", text)
    paths = dict.fromkeys(path for line in named for path in line.split(", "))
    return "\n".join(_tail(Path(path)) for path in paths)


def _tail(path: Path) -> str:
    if not path.exists():
        return f"\n{path}: there is none"
    lines = path.read_text(errors="replace").splitlines()
    count = f", last {LINES} of {len(lines)} lines" if len(lines) > LINES else ""
    return "\n".join([f"\n{path}{count}:", *(f"    {line}" for line in lines[-LINES:])])
