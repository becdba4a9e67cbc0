"""What a job costs before it works: CPU time from the start of its process, by import.

    python -m benchmarks.startup

For each script, a process imports what Snakemake puts before a script and then what the script
imports; pretraining and fine-tuning go on to the first loss of the first step. Beside them,
processes that import what a script written with the usual packages would. CPU time is user and
system, of all threads; shares by package are Python's own import times (`-X importtime`), each
module's without what it imports.
"""

import argparse
import ast
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable

from benchmarks import common, ours

PREAMBLE = "from snakemake.logging import logger; from snakemake.iocontainers import Snakemake"
FIRST_STEP = "from benchmarks import first_step; first_step.main()"
SCRIPTS = {
    "pretrain": FIRST_STEP,
    "finetune": FIRST_STEP,
    **dict.fromkeys(("linear", "features", "tables"), ""),
    **dict.fromkeys(("simulate", "ingest", "segment", "slices", "tensors"), ""),
}
LEARNING = "torch, pytorch-lightning, Kornia"
IMAGES = "MONAI's data and transforms"
USUAL = {
    LEARNING: "import torch, pytorch_lightning, kornia.augmentation",
    IMAGES: "import monai.data, monai.transforms",
    "pandas, scikit-learn": "import pandas, sklearn.linear_model",
}
BESIDE = {
    **dict.fromkeys(("pretrain", "finetune", "features"), LEARNING),
    **dict.fromkeys(("linear", "tables"), "pandas, scikit-learn"),
    **dict.fromkeys(("simulate", "ingest", "segment", "slices", "tensors"), IMAGES),
}
PYTHON = {name.lstrip("_") for name in sys.stdlib_module_names} | {"site", "encodings"}
LINE = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)")


def imports(script: str) -> str:
    """The import statements of a script, and the same of Snakemake before them."""
    tree = ast.parse((ours.ROOT / "scripts" / f"{script}.py").read_text(encoding="utf-8"))
    own = [ast.unparse(node) for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    return "\n".join([PREAMBLE, *own, SCRIPTS[script]])


def cpu(program: str) -> Callable[[], float]:
    """A competitor: CPU seconds of a process that runs a program."""

    def competitor() -> float:
        process = subprocess.Popen([sys.executable, "-c", program], cwd=ours.ROOT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, program)
        return usage.ru_utime + usage.ru_stime

    return competitor


def by_package(program: str) -> Counter:
    """Seconds that each package's own modules take to import."""
    command = [sys.executable, "-X", "importtime", "-c", program]
    run = subprocess.run(command, cwd=ours.ROOT, capture_output=True, text=True, check=True)
    found = Counter()
    for microseconds, module in LINE.findall(run.stderr):
        package = module.partition(".")[0]
        found["Python" if package.lstrip("_") in PYTHON else package] += int(microseconds) / 1e6
    return found


def measure(given: argparse.Namespace) -> list[common.Row]:
    """All scripts beside the usual packages."""
    scripts = list(SCRIPTS)[:: 4 if given.quick else 1]
    programs = {script: imports(script) for script in scripts}
    competitors = {name: cpu(text) for name, text in {**programs, **USUAL}.items()}
    found = common.rounds(competitors, 1 if given.quick else min(given.rounds, 3))
    rows = []
    for script, program in programs.items():
        top = by_package(program).most_common(5)
        goal = "first step" if SCRIPTS[script] else "the script's first line"
        rows.append(
            common.Row(
                *(f"{script}, from process start to {goal}", "CPU s", found[script]),
                *(BESIDE[script], found[BESIDE[script]]),
                remarks=", ".join(f"{package} {seconds:.2f}" for package, seconds in top),
            )
        )
    return rows


if __name__ == "__main__":
    common.main("startup", __doc__, measure)
