"""What the logs of failed jobs say last."""

import re
from collections.abc import Iterable
from pathlib import Path

from hepatoclr import texts

LINES = 15
LOGS = re.compile(r"^ +log: (.+) \(check log", re.M)


def tails(printed: Iterable[str | Path]) -> str:
    """Name the logs of the jobs that failed, each with its last lines.

    Args:
        printed: Files of what Snakemake printed; they name the logs of a job that failed.
    """
    text = "".join(Path(path).read_text() for path in printed)
    return "\n".join(_tail(Path(path)) for path in logs(text))


def logs(text: str) -> list[str]:
    """Name the logs of the jobs that failed and were not tried again, by what Snakemake printed."""
    failed = re.split(r"^Error in ", text, flags=re.M)[1:]
    named = (LOGS.search(one) for one in failed if "\nTrying to restart job" not in one)
    return list(dict.fromkeys(path for found in named if found for path in found[1].split(", ")))


def _tail(path: Path) -> str:
    if not path.exists():
        return f"\n{path}: there is none"
    lines = path.read_text(errors="replace").splitlines()
    count = f", last {LINES} of {len(lines)} lines" if len(lines) > LINES else ""
    last = (f"    {texts.printable(line)}" for line in lines[-LINES:])
    return "\n".join([f"\n{path}{count}:", *last])
