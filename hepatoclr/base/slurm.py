"""Jobs in a Slurm queue that an ended Snakemake left behind."""

import shutil
import subprocess
from pathlib import Path

from hepatoclr.base.errors import UserError


def check(folder: Path) -> None:
    """Refuse to start beside jobs of an earlier run, which would write the same files.

    Args:
        folder: The folder that Snakemake works in; jobs that it submits there carry it, and a
            comment with their rule. Without `squeue` there is nothing to ask.

    Raises:
        UserError: Jobs are waiting or running.
    """
    if not shutil.which("squeue"):
        return
    asked = subprocess.run(
        ["squeue", "--me", "--noheader", "--format=%i|%k|%Z"],
        capture_output=True,
        text=True,
        check=False,
    )
    jobs = [line.split("|", 2) for line in asked.stdout.splitlines()]
    left = {
        number: comment.removeprefix("rule_").replace("_wildcards_", " ")
        for number, comment, place in jobs
        if place == str(folder) and comment.startswith("rule_")
    }
    if left:
        listed = "\n".join(f"  - {number}: {comment}" for number, comment in left.items())
        raise UserError(
            f"Slurm still has {len(left)} job(s) of an earlier run in this folder:\n{listed}\n"
            "Wait until they have ended (squeue --me), or cancel them, then start again:\n"
            f"  scancel {' '.join(left)}"
        )
