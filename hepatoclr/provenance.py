"""What a run was made of, and digests of what it made: the record that `verify` checks elsewhere.

Nothing in it changes from run to run but what truly differs, and no path of the machine is in it.
"""

import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from hepatoclr.base import files, fingerprint
from hepatoclr.base.version import VERSION, git_state
from hepatoclr.cohorts import cohort_table
from hepatoclr.reporting import consistency

FILE = "provenance.json"


def record(
    run: str | Path,
    results: Mapping[str, Iterable[str | Path]],
    settings: Mapping,
    disclaimers: Sequence[str],
    manifests: Mapping[str, str | Path],
    cohorts: Mapping[str, str | Path],
    trainings: Iterable[str | Path],
    project: Path,
    sources: Sequence[str],
    pins: Path,
) -> dict:
    """Say what a run was made of and what it made.

    Args:
        run: Folder of the run.
        results: Kind to the files of that kind, all below `run`.
        settings: The configuration in force.
        disclaimers: Of the run, keys of `formatting.DISCLAIMERS`.
        manifests: Cohort to its manifest.
        cohorts: Cohort to its table, see `assemble.table`.
        trainings: The metadata of each pretraining and fine-tuning.
        project: The project's folder.
        sources: Files where the code begins that made the run, relative to `project`.
        pins: The requirements that the environment should hold.

    Returns:
        What can be written as JSON: code, environment, hardware, config, disclaimers, seeds,
        inputs, files (kind to path below `run` to its sha256).

    Raises:
        UserError: A training was made with other settings, see `consistency.check`.
    """
    trainings = list(trainings)
    consistency.check(trainings, settings)
    digests = {name: files.sha256(path) for name, path in manifests.items()}
    reached = fingerprint.reached(project, *sources)
    return {
        "code": {
            "version": VERSION,
            "state": git_state(project),
            "fingerprints": dict(file.split("@") for file in reached),
        },
        "environment": environment(pins),
        "hardware": {**hardware(), "trained_on": _devices(trainings)},
        "config": without_paths(settings, digests),
        "disclaimers": list(disclaimers),
        "seeds": {
            "evaluation": settings["seed"],
            "training": settings["experiment"]["seeds"],
            "simulation": settings["simulate"]["seed"],
        },
        "inputs": {
            name: {"manifest": digest, "images": _images(cohorts[name])}
            for name, digest in digests.items()
        },
        "files": {
            kind: {Path(path).relative_to(run).as_posix(): files.sha256(path) for path in paths}
            for kind, paths in results.items()
        },
    }


def environment(pins: Path) -> dict:
    """List what is installed beside this Python, and what of it is not as pinned.

    Args:
        pins: A requirements file, one `name==version` a line.
    """
    # of two copies the one imported is the first
    found = [part for part in metadata.distributions() if part.metadata["Name"]]
    installed = {canonicalize_name(part.metadata["Name"]): part.version for part in found[::-1]}
    lines = map(str.strip, pins.read_text(encoding="utf-8").splitlines())
    wanted = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "distributions": dict(sorted(installed.items())),
        "not_as_pinned": {
            pin.name: f"{version or 'not installed'}, pinned {pin.specifier}"
            for pin in wanted
            if not (version := installed.get(canonicalize_name(pin.name)))
            or not pin.specifier.contains(version, prereleases=True)
        },
    }


def hardware() -> dict:
    """The processor of this machine, its cores and its memory in GB."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"cpu": cpu(), "cores": os.cpu_count(), "memory_gb": round(memory / 1e9)}


def without_paths(settings: Mapping, manifests: Mapping[str, str]) -> dict:
    """Give the configuration, keys sorted, without paths: they may hold names.

    Args:
        settings: The configuration in force.
        manifests: Cohort to the digest of its manifest, which takes the place of its path.
    """
    plain = json.loads(json.dumps(settings, sort_keys=True))
    for name, given in plain["cohorts"].items():
        if "manifest" in given:
            given["manifest"] = f"sha256 {manifests[name]}"
        if given.get("folders"):
            given["folders"] = ["a folder of the user's"] * len(given["folders"])
    if plain["segment"]["weights"]:
        plain["segment"]["weights"] = "a folder of the user's"
    return plain


def cpu() -> str:
    """What the processor is called, as far as the system knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _devices(trainings: Iterable[str | Path]) -> list[str]:
    """Names of what encoders were trained on, each once."""
    return sorted({files.read_json(path).get("device") for path in trainings} - {None})


def _images(table: str | Path) -> dict[str, str]:
    """Case to the digest of its image, where it could be read."""
    rows = cohort_table.read(table)
    return dict(rows.loc[rows["pixel_sha256"] != "", ["case", "pixel_sha256"]].to_numpy().tolist())
