"""What a job imports before it works: one that trains nothing pays for no training library."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = {
    *("torch", "pytorch_lightning", "kornia", "sklearn", "SimpleITK", "matplotlib"),
    "totalsegmentator",
}
TRAINING = {"torch", "pytorch_lightning", "kornia", "matplotlib"}  # Lightning imports the last
ALLOWED = {
    "bundle": {"sklearn"},
    "diagrams": {"matplotlib"},
    "external": {"matplotlib"},
    "external_beta": {"sklearn"},
    "external_finetune": TRAINING,
    "external_linear": {"sklearn"},
    "explain": {"torch", "sklearn", "matplotlib"},
    "feature_space": {"matplotlib"},
    "feature_space_umap": {"matplotlib"},
    "features": {"torch"},
    "figures": {"matplotlib"},
    "final_finetune": TRAINING,
    "final_linear": {"sklearn"},
    "finetune": TRAINING,
    "linear": {"sklearn"},
    "preprocessing": {"matplotlib"},
    "patient_flow": {"matplotlib"},
    "predict": TRAINING | {"sklearn"},
    "pretrain": TRAINING,
    "random_encoder": {"torch"},
}


@pytest.mark.parametrize("script", sorted(path.stem for path in ROOT.glob("scripts/*.py")))
def test_a_script_imports_no_more_than_it_needs(script):
    lines = (ROOT / "scripts" / f"{script}.py").read_text().splitlines()
    imports = "\n".join(line for line in lines if line.startswith(("import ", "from ")))
    code = f"import sys\n{imports}\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert HEAVY & set(found.split()) <= ALLOWED.get(script, set())
