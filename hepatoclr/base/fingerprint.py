"""Fingerprints of source code, so that a job reruns when code it reaches has changed.

Snakemake sees a change of the script file, not of what it imports. A fingerprint is taken of the
parsed source without docstrings and comments: editing those changes nothing.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]

DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def reached(root: Path, *files: str) -> list[str]:
    """Fingerprint the files of a project that some of its files reach by imports.

    Args:
        root: The project's folder; imports of modules that do not lie in it are passed over.
        *files: Where to start, relative to `root`: Python files, or others, taken as they are.

    Returns:
        `file@digest` for each file reached, the start included, sorted.
    """
    found, waiting = set(), list(files)
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            waiting += _imports(root, file)
    return sorted(f"{file}@{digest(root / file)}" for file in found)


@cache
def digest(path: Path) -> str:
    """Digest of a file: of a Python file, its parsed source without docstrings."""
    content = path.read_bytes()
    if path.suffix == ".py":
        content = ast.dump(_without_docstrings(ast.parse(content))).encode()
    return hashlib.sha256(content).hexdigest()[:12]


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return tree


@cache
def _imports(root: Path, file: str) -> list[str]:
    """Files of the project that a file imports, packages' `__init__.py` included."""
    if not file.endswith(".py"):
        return []
    names = set()
    for node in ast.walk(ast.parse((root / file).read_bytes())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    parents = {name.rsplit(".", depth)[0] for name in names for depth in range(name.count(".") + 1)}
    paths = [name.replace(".", "/") for name in names | parents]
    return sorted(
        found
        for path in paths
        for found in (f"{path}.py", f"{path}/__init__.py")
        if (root / found).is_file()
    )
