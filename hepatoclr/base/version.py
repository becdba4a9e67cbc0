"""The version, apart from what every job reaches: a release alone reruns nothing."""

import subprocess
from pathlib import Path

VERSION = "0.1.0"


def git_state(folder: Path) -> str:
    """The commit of a folder under git, and whether it was changed since."""
    try:
        commit, changes = (
            subprocess.run(
                ["git", "-C", folder, *command], capture_output=True, text=True, check=True
            ).stdout.strip()
            for command in (("rev-parse", "HEAD"), ("status", "--porcelain", "-uno"))
        )
    except (OSError, subprocess.CalledProcessError):
        return "not under version control"
    return f"commit {commit}{', with changes' if changes else ''}"
