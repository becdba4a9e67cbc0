"""What the logs of failed jobs say last."""

import re
from pathlib import Path

LINES = 15


def tails(log: str | Path) -> str:
    """Name the logs of the jobs that failed, each with its last lines.

    Args:
        log: What Snakemake printed; it names the logs of a job that failed.
    """
    named = re.findall(r"log: (.+) \(check log file\(s\)", Path(log).read_text())
    paths = list(dict.fromkeys(path for line in named for path in line.split(", ")))
    return "\n".join(_tail(Path(path)) for path in paths)


def _tail(path: Path) -> str:
    if not path.exists():
        return f"\n{path}: there is none"
    lines = path.read_text(errors="replace").splitlines()
    count = f", last {LINES} of {len(lines)} lines" if len(lines) > LINES else ""
    return "\n".join([f"\n{path}{count}:", *(f"    {line}" for line in lines[-LINES:])])
