"""Fingerprints of source code, so that a job reruns when code that can change its results has.

Snakemake sees a change of the script file, not of what it imports. A fingerprint is of the parsed
source without what only people and type checkers read, see `_ResultsOnly`. Files of `NO_RESULTS`
hold nothing that a result depends on, and are passed over.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
# sentences, what text is refused, what a job logs and how it ends, how fast libraries load
NO_RESULTS = ("messages.py", "texts.py", "logs.py", "imports.py")

DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
LOGGERS = ("log", "logging")
LEVELS = ("debug", "info", "warning", "error", "exception", "critical", "log")
TYPES = ("typing", "collections.abc")


def reached(root: Path, *files: str) -> list[str]:
    """Fingerprint the files of a project that some of its files reach by imports.

    Args:
        root: The project's folder; imports of modules that do not lie in it are passed over.
        *files: Where to start, relative to `root`: Python files, or others, taken as they are.

    Returns:
        `file@digest` for each file reached, the start included, sorted.
    """
    found, waiting = {}, list(files)
    while waiting:
        file = waiting.pop()
        if file not in found and Path(file).name not in NO_RESULTS:
            found[file], imports = _read(root, file)
            waiting += imports
    return sorted(f"{file}@{digest}" for file, digest in found.items())


@cache
def _read(root: Path, file: str) -> tuple[str, list[str]]:
    """The digest of a file, and the files of the project that it imports."""
    content, imports = (root / file).read_bytes(), []
    if file.endswith(".py"):
        code = _ResultsOnly().visit(ast.parse(content))
        content, imports = ast.dump(code).encode(), _imports(root, code)
    return hashlib.sha256(content).hexdigest()[:12], imports


def _imports(root: Path, code: ast.AST) -> list[str]:
    """Files of the project that code imports, packages' `__init__.py` included."""
    names = set()
    for node in ast.walk(code):
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


class _ResultsOnly(ast.NodeTransformer):
    """Take from code what no result depends on.

    That is docstrings (comments are not parsed), annotations of functions and variables, imports
    for them, calls of a logger, the text of a warning, and the positional arguments of a raised
    exception: its message. What an exception carries beside it goes by keyword. The annotated
    fields of a class stay, since they make a dataclass.
    """

    def visit(self, node: ast.AST) -> ast.AST | None:
        """Visit a node, and give a block that lost all its statements a `pass`."""
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
        node = super().visit(node)
        if getattr(node, "body", None) == [] and not isinstance(node, ast.Module):
            node.body = [ast.Pass()]
        return node

    def visit_If(self, node: ast.If) -> ast.AST | None:
        """Drop what is for type checkers."""
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = []
        return self.generic_visit(node) if node.body or node.orelse else None

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | None:
        """Drop the names of types."""
        return None if node.module in TYPES else node

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        """Drop the message of an exception; its class, its cause and keywords stay."""
        if isinstance(node.exc, ast.Call):
            node.exc.args = []
        return self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        """Drop the calls of a logger, and the text of a warning."""
        call = node.value
        called = call.func if isinstance(call, ast.Call) else None
        if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
            name = called.value.id
            if name in LOGGERS and called.attr in LEVELS:
                return None
            if (name, called.attr) == ("warnings", "warn"):
                call.args = call.args[1:]
        return self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Drop the type of what a function returns, and those of its variables."""
        node.returns = None
        return self.generic_visit(node)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_arg(self, node: ast.arg) -> ast.AST:
        """Drop the type of an argument."""
        node.annotation = None
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        """Mark the fields of a class, whose annotations stay."""
        for child in node.body:
            child.is_field = isinstance(child, ast.AnnAssign)
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        """Make an annotated assignment a plain one; without a value it only annotates."""
        if getattr(node, "is_field", False):
            return self.generic_visit(node)
        return ast.Assign([node.target], self.visit(node.value)) if node.value else None
