"""A folder with many tiny cases, in which the real workflow runs and is measured."""

import csv
import math
import re
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np
import psutil
import yaml

ROOT = Path(__file__).parents[1]
SHARE = 106 / 2905  # of the cases are evaluated, as in the paper
SHAPE, SPACING_MM = (32, 32, 8), (12.0, 12.0, 20.0)  # tiny, and still a liver of 2.5 l
COHORTS = {
    "radio": {"role": "pretraining", "labels": {"positive": ["severe"], "negative": ["none"]}},
    "histo": {"role": "evaluation", "labels": {"positive": ["F4"], "negative": ["F0"]}},
}
# One encoder of a tiny network, one short epoch; all that is not said is as in the paper.
SETTINGS = {
    "preset": "paper",
    "run": "many",
    "device": "cpu",
    "segment": {"backend": "provided"},
    "tensors": {"size": 32},
    "network": {"channels": [4, 8, 8, 8, 16], "padding": 2, "hidden": 16, "projection": 8},
    "experiment": {"methods": ["weak_simclr"], "betas": [0.5], "fractions": [1]},
    "pretraining": {"epochs": 1, "batch_size": 64},
}
SCRIPT = re.compile(r"/scripts/tmp\w+\.(\w+)\.py$")


def sizes(cases: int) -> dict[str, int]:
    """How many of the cases each cohort holds."""
    evaluated = max(12, round(SHARE * cases))
    return {"radio": cases - evaluated, "histo": evaluated}


def write(folder: Path, cases: int, settings: Mapping, images: bool = True) -> None:
    """Write cohorts of tiny CTs, no two alike, with a mask, and a config.yaml.

    Args:
        folder: Where to write.
        cases: How many in both cohorts together.
        settings: What config.yaml says besides the cohorts.
        images: Whether the images hold anything; for planning they need only be there.
    """
    mask, header, cohorts = liver(), _header(), {}
    for name, count in sizes(cases).items():
        below = folder / "images" / name
        below.mkdir(parents=True)
        (below / "mask.nii").write_bytes(header + mask.tobytes("F"))
        rows = [("patient_id", "image", "label", "liver_mask")]
        for number in range(count):
            patient, side = f"{name}-{number:05}", ("negative", "positive")[number % 2]
            path = f"{name}/{patient}.nii"
            content = header + image(mask, number, name).tobytes("F") if images else b""
            (folder / "images" / path).write_bytes(content)
            rows.append((patient, path, COHORTS[name]["labels"][side][0], f"{name}/mask.nii"))
        manifest = f"images/{name}.csv"
        with open(folder / manifest, "w", newline="") as file:
            csv.writer(file).writerows(rows)
        cohorts[name] = {"manifest": manifest, **COHORTS[name]}
    (folder / "config.yaml").write_text(yaml.safe_dump({"cohorts": cohorts, **settings}))


def liver() -> np.ndarray:
    """The mask of all cases."""
    mask = np.zeros(SHAPE, "<i2")
    mask[6:18, 8:20, 1:7] = 1
    return mask


def image(mask: np.ndarray, number: int, seed: str) -> np.ndarray:
    """HU of a case; the liver of every second is a little brighter."""
    noise = np.random.default_rng([number, *seed.encode()]).normal(-50, 20, SHAPE)
    return (noise + (150 + 20 * (number % 2)) * mask).astype("<i2")


def _header() -> bytes:
    """What stands before the voxels in each NIfTI file."""
    content = nib.Nifti1Image(np.zeros(SHAPE, "<i2"), np.diag([*SPACING_MM, 1])).to_bytes()
    return content[: -2 * math.prod(SHAPE)]


@dataclass
class Run:
    """What a run of Snakemake took.

    Attributes:
        wall_s: Seconds.
        core_s: Seconds of core time, those of its jobs too.
        peak_mb: The highest resident memory of a process by rule, and of `snakemake` itself; looked
            at twice a second.
        text: What it printed.
    """

    wall_s: float
    core_s: float
    peak_mb: dict[str, float]
    text: str = field(repr=False)

    @property
    def jobs(self) -> dict[str, int]:
        """How many jobs of each rule were planned."""
        stats = self.text.partition("Job stats")[2]
        rows = re.findall(r"^ (\w[\w ]*?) +(\d+) *$", stats, re.M)
        return {rule.replace(" ", "_"): int(count) for rule, count in rows}


def snakemake(folder: Path, *arguments: str) -> Run:
    """Run the project's workflow in a folder, on two cores.

    Raises:
        SystemExit: It failed.
    """
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += [*arguments, "--cores", "2", "--quiet", "rules"]
    before, start, peaks = _core_seconds(), time.monotonic(), {}
    log = folder / "snakemake.log"
    with open(log, "w") as output:
        run = psutil.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
        while run.poll() is None:
            with suppress(psutil.TimeoutExpired):
                run.wait(0.5)
            _watch(run, peaks)
    text = log.read_text()
    if run.returncode:
        raise SystemExit(f"snakemake {' '.join(arguments)[:200]} failed:\n{text[-5000:]}")
    return Run(time.monotonic() - start, _core_seconds() - before, peaks, text)


def _watch(run: psutil.Popen, peaks: dict[str, float]) -> None:
    """Note the peaks of memory of Snakemake and of what it runs."""
    with suppress(psutil.Error):
        for process in [run, *run.children(recursive=True)]:
            with suppress(psutil.Error, OSError):
                names = [SCRIPT.search(word) for word in process.cmdline()]
                name = next((found[1] for found in names if found), "")
                name = "snakemake" if process.pid == run.pid else name
                status = Path(f"/proc/{process.pid}/status").read_text()
                if name and (peak := re.search(r"VmHWM:\s+(\d+)", status)):
                    peaks[name] = max(peaks.get(name, 0), int(peak[1]) / 1e3)


def _core_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def tensors(cases: int) -> list[str]:
    """The tensors of all cases: targets for `snakemake`."""
    return [
        f"results/{SETTINGS['run']}/tensors/{name}/{name}-{number:05}.b2nd"
        for name, count in sizes(cases).items()
        for number in range(count)
    ]
