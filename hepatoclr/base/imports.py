"""Imports without what libraries load wherever it is installed, though nothing here uses it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without(*modules: str) -> Iterator[None]:
    """Hide modules from the imports in the block, which then go on as where they are missing.

    Jobs of one case are short: nibabel alone takes 0.1 s, and with pydicom, for DICOM objects in
    headers of NIfTI files, 0.3 s. What is imported already stays.

    Args:
        *modules: What the imported libraries can do without.
    """
    hidden = [name for name in modules if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # None there halts an import
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
