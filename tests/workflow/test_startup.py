"""What a job imports before it works: one that trains nothing pays for no training library."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = {"torch", "kornia", "sklearn", "SimpleITK", "matplotlib", "totalsegmentator"}
ALLOWED = {
    "explain": {"torch", "sklearn", "matplotlib"},
    "external": {"sklearn"},
    "feature_space": {"matplotlib"},
    "feature_space_umap": {"matplotlib"},
    "features": {"torch"},
    "figures": {"matplotlib"},
    "finetune": {"torch"},
    "flow": {"matplotlib"},
    "initialise": {"torch"},
    "linear": {"sklearn"},
    "preprocessing": {"matplotlib"},
    "pretrain": {"torch"},
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
