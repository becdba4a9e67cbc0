"""Pretraining methods, one file each; `load` imports only the one asked for."""

from importlib import import_module

from hepatoclr.learning.methods.base import Method


def load(method: str, **settings) -> Method:
    """Make the method of the file `methods/<method>.py`.

    Args:
        method: supervised, simclr, supcon, weak_simclr, or a file you added.
        **settings: Fields of `Method`: beta, temperature, nt_xent.
    """
    return import_module(f"hepatoclr.learning.methods.{method}").METHOD(**settings)
