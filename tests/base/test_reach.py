"""What a stage's code reaches, by name: an edit of anything else runs none of its jobs."""

from pathlib import Path

import pytest

from hepatoclr.base import fingerprint

ROOT = Path(__file__).parents[2]
BASE = {"base.errors", "base.files"}
CASE = BASE | {"base.cases", "imaging.volumes"}
TRAINING = BASE | {
    *("base.cutoff", "base.devices", "base.seeds", "cohorts.cohort_table", "imaging.tensors"),
    *("learning.augment", "learning.backbone", "learning.checkpoints", "learning.data"),
    *("learning.module", "learning.trainers"),
}
LOADED_BY_NAME = {"pretrain": ["hepatoclr/learning/methods/weak_simclr.py"]}
REACH = {
    "segment": CASE
    | {"base.cutoff", "imaging.segment", "imaging.measures", "imaging.segmentation.backends"},
    "tensors": BASE | {"imaging.volumes", "imaging.slices", "imaging.tensors"},
    "splits": BASE | {"base.seeds", "cohorts.classes", "cohorts.cohort_table", "cohorts.splits"},
    "pretrain": TRAINING
    | {"learning.pretrain", "learning.losses"}
    | {"learning.methods.base", "learning.methods.weak_simclr"},
    "finetune": TRAINING
    | {"learning.finetune", "cohorts.splits", "stats.metrics", "stats.predictions"},
    "features": BASE
    | {"base.devices", "cohorts.cohort_table", "imaging.tensors"}
    | {"learning.backbone", "learning.data", "learning.features"},
}
SCRIPTS = sorted(path.name for path in (ROOT / "scripts").glob("*.py"))
BEFORE_ANY_JOB = {"base.settings", "base.slurm", "cohorts.id_checks", "cohorts.manifest_checks"}
SENTENCES = {"base.messages", "base.texts", "cohorts.messages"}


def reached(script, *more):
    """Modules of the library that a script reaches, without `hepatoclr` and packages."""
    files = [found.split("@")[0] for found in fingerprint.reached(ROOT, f"scripts/{script}", *more)]
    modules = [file.removesuffix(".py").replace("/", ".") for file in files]
    return {
        module.removeprefix("hepatoclr.")
        for module in modules
        if module.startswith("hepatoclr.") and not module.endswith("__init__")
    }


@pytest.mark.parametrize("stage", REACH)
def test_a_stage_reaches_what_its_results_are_made_of(stage):
    assert reached(f"{stage}.py", *LOADED_BY_NAME.get(stage, [])) == REACH[stage]


@pytest.mark.parametrize("script", SCRIPTS)
def test_no_job_reaches_checks_before_any_job_or_sentences(script):
    assert not reached(script) & (BEFORE_ANY_JOB | SENTENCES)
