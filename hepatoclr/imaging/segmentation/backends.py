"""Where liver masks come from, a file each; `load` imports only the one asked for.

A backend is a module with a function `load(model, weights, device)`, which returns a function
that finds the liver of one CT, see `base.Finder`. What it loads once, such as a network, it keeps
for the next CT. It may have functions `preflight(model, weights)`, which raises `UserError` where
something is missing that every case would need, and `identity(model, weights)`, which gives what
tells its weights from others, for JSON.
"""

from collections.abc import Callable
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path

from hepatoclr.base.errors import UserError

FOLDER = Path(__file__).parent


def load(
    backend: str, model: str = "fast", weights: str | Path | None = None, device: str = "auto"
) -> Callable:
    """Make the finder (see `base.Finder`) of the file `<backend>.py`.

    Args:
        backend: totalsegmentator, provided, or a file you added.
        model: Which of its models, where it has several.
        weights: Where their weights lie; none for its own default.
        device: cpu, cuda, or auto for the GPU if there is one.

    Raises:
        UserError: There is no such backend.
    """
    check(backend)
    return import_module(f"hepatoclr.imaging.segmentation.{backend}").load(model, weights, device)


def preflight(backend: str, model: str = "fast", weights: str | Path | None = None) -> None:
    """Look for what a backend needs, before any job starts.

    Raises:
        UserError: Something is missing, or there is no such backend.
    """
    check(backend)
    look = getattr(import_module(f"hepatoclr.imaging.segmentation.{backend}"), "preflight", None)
    if look:
        look(model, weights or None)


def weights_identity(backend: str, model: str, weights: str | Path | None) -> object:
    """Tell a backend's weights from others by their contents; None where it has none.

    Raises:
        UserError: There is no such backend.
    """
    check(backend)
    module = import_module(f"hepatoclr.imaging.segmentation.{backend}")
    return module.identity(model, weights) if hasattr(module, "identity") else None


def check(backend: str) -> None:
    """See that a backend has its file.

    Raises:
        UserError: It has none; with the nearest that has.
    """
    known = sorted({file.stem for file in FOLDER.glob("[a-z]*.py")} - {"backends", "base"})
    if backend not in known:
        close = get_close_matches(backend, known, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]!r}?" if close else f"known are: {', '.join(known)}"
        raise UserError(f"segment.backend: there is no backend {backend!r}; {hint}")
