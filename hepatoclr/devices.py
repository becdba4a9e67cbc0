"""Where networks run, and how they run there the same way twice."""

import os

import torch

from hepatoclr.errors import UserError


def prepare(device: str, threads: int) -> torch.device:
    """Choose the device, and make what runs on it repeatable.

    Args:
        device: auto, cpu or cuda; auto takes a GPU where there is one.
        threads: CPU threads that PyTorch may use. Sums depend on their number in the last bit.

    Raises:
        UserError: There is no GPU where one is asked for.
    """
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # for repeatable sums on GPUs
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("device is cuda, but PyTorch finds no GPU; set device to auto or cpu")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(device)
