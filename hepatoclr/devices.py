"""Where networks run, and how they run there the same way twice."""

import torch


def prepare(device: str, threads: int) -> torch.device:
    """Choose the device, and make what runs on it repeatable.

    Args:
        device: auto, cpu or cuda; auto takes a GPU where there is one.
        threads: CPU threads that PyTorch may use. Sums depend on their number in the last bit.
    """
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(device)
