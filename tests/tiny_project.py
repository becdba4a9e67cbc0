"""Copies of the project in which the tests run Snakemake, with the preset `tiny`."""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
PARTS = ["Snakefile", "config.yaml", "presets", "rules", "scripts", "hepatoclr", "profiles", "envs"]


class Project:
    """A copy of the project in which Snakemake runs."""

    def __init__(self, folder):
        self.folder = folder
        for part in PARTS:
            source = ROOT / part
            if source.is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(source, folder / part, ignore=ignored, dirs_exist_ok=True)
            else:
                shutil.copy(source, folder / part)
        profile = folder / "profiles/default/config.yaml"  # without bars, each job has its lines
        profile.write_text(re.sub("^logger:.*\n", "", profile.read_text(), flags=re.M))

    def copied(self, folder):
        """A copy, to be changed; results keep their times."""
        shutil.copytree(self.folder, folder, symlinks=True)
        copy = object.__new__(Project)
        copy.folder = folder
        return copy

    def snakemake(self, *arguments, check=True, **config):
        given = [f"{key}={value}" for key, value in {"preset": "tiny", **config}.items()]
        command = ["snakemake", *arguments, "--config", *given]
        environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        run = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )
        text = run.stdout + run.stderr
        assert not check or run.returncode == 0, text[-5000:]
        return text

    def plan(self, **config):
        """The jobs a run would take, counted by rule, and what Snakemake says of them."""
        text = self.snakemake("-n", "--cores", "2", **config)
        if "Nothing to be done" in text:
            return Counter(), text
        table = text.split("Job stats:")[-1].split("total")[0]
        jobs = {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", table, re.M)}
        jobs.pop("all", None)
        return Counter(jobs), text

    def edit(self, file, old, new):
        path = self.folder / file
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")


def result(project, path):
    """A file below the folder of the run."""
    return project.folder / "results" / "tiny" / path
