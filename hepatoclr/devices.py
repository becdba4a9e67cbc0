"""Where networks run, and how they run there the same way twice."""

import fcntl
import logging
import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from typing import IO

import torch

from hepatoclr.errors import UserError

log = logging.getLogger(__name__)

VISIBLE = "CUDA_VISIBLE_DEVICES"
QUERY = "uuid,memory.free,mig.mode.current,name"
QUERY_SECONDS = 60  # without NVIDIA's daemon the driver takes seconds to wake

_held: list[IO] = []  # closed, and the locks with it, when the process ends, however it ends


@dataclass(frozen=True)
class Gpu:
    """A GPU of this machine.

    Attributes:
        uuid: Its name on every machine, `GPU-...`.
        free_mb: Memory that no process uses; 0 where unknown.
        model: What it is called.
    """

    uuid: str
    free_mb: int
    model: str


def prepare(device: str, threads: int) -> torch.device:
    """Choose the device, and make what runs on it repeatable.

    Args:
        device: See `choose`.
        threads: CPU threads that PyTorch may use. Sums depend on their number in the last bit.

    Raises:
        UserError: There is no GPU where one is asked for.
    """
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # for repeatable sums on GPUs
    return choose(device)


def choose(device: str) -> torch.device:
    """Choose the device; of several GPUs the one with the fewest processes of this user.

    The GPU stays the process's until it ends, and is the only one that it and its children see.
    It is not closed to others: where there are more processes than GPUs, they share. The choice
    is left to CUDA, which takes the first GPU, where `nvidia-smi` tells of none, where GPUs are
    cut into instances (MIG), and where the process has used CUDA before.

    Args:
        device: auto, cpu or cuda; auto takes a GPU where there is one.

    Raises:
        UserError: There is no GPU where one is asked for.
    """
    gpu = _taken() if device != "cpu" else None
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("device is cuda, but PyTorch finds no GPU; set device to auto or cpu")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    log.info("device %s", gpu.model if gpu and device == "cuda" else device)
    return torch.device(device)


def visible(gpus: Sequence[Gpu], wanted: str | None) -> list[Gpu]:
    """Keep the GPUs that a process may see.

    Args:
        gpus: Those of the machine, in the order of `nvidia-smi`.
        wanted: Value of CUDA_VISIBLE_DEVICES: numbers or the beginnings of UUIDs, joined by
            commas. As for CUDA, the first that names no GPU ends the list, and one that names
            a GPU again empties it. None shows all.
    """
    if wanted is None:
        return list(gpus)
    found: list[Gpu] = []
    for entry in map(str.strip, wanted.split(",")):
        named = [
            gpu
            for number, gpu in enumerate(gpus)
            if entry == str(number) or (entry.startswith("GPU-") and gpu.uuid.startswith(entry))
        ]
        if len(named) != 1:
            break
        if named[0] in found:
            return []
        found += named
    return found


def best(gpus: Sequence[Gpu], holders: Sequence[int]) -> Gpu:
    """Give the GPU with the fewest holders; of several, the one with the most free memory.

    Args:
        gpus: At least one.
        holders: How many processes hold each.
    """
    order = sorted(zip(holders, gpus, strict=True), key=lambda one: (one[0], -one[1].free_mb))
    return order[0][1]


def take(gpus: Sequence[Gpu], folder: Path) -> Gpu:
    """Choose a GPU and hold it until this process ends.

    Args:
        gpus: At least one.
        folder: Where the locks lie; processes that share it keep out of each other's way. The
            kernel lifts the locks of a process that ends, also of one that is killed, once its
            forked children have ended too.

    Raises:
        OSError: The folder cannot be used.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(folder / "choosing", "w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # one process chooses at a time
        holders = [
            sum(_is_held(slot) for slot in folder.glob(f"{gpu.uuid}.[0-9]*")) for gpu in gpus
        ]
        chosen = best(gpus, holders)
        slots = (folder / f"{chosen.uuid}.{number}" for number in count())
        _held.append(next(filter(None, map(_lock, slots))))
    others = holders[list(gpus).index(chosen)]
    log.info("took %s, one of %d GPUs, beside %d other jobs", chosen.uuid, len(gpus), others)
    return chosen


@cache
def _taken() -> Gpu | None:
    """The GPU of this process, chosen at the first call; None where it is left to CUDA."""
    gpus = visible(_installed(), os.environ.get(VISIBLE))
    if not gpus or torch.cuda.is_initialized():
        return None
    try:
        gpu = take(gpus, Path(tempfile.gettempdir()) / f"hepatoclr-{os.getuid()}")
    except OSError as error:
        log.warning("other jobs are not seen, and may use the same GPU: %s", error)
        gpu = best(gpus, [0] * len(gpus))
    os.environ[VISIBLE] = gpu.uuid  # in time: CUDA reads it when it is first used
    return gpu


def _installed() -> list[Gpu]:
    """The GPUs of this machine; none where one is cut into instances, which have names apart."""
    command = ["nvidia-smi", f"--query-gpu={QUERY}", "--format=csv,noheader,nounits"]
    try:
        text = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=QUERY_SECONDS
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    rows = [line.split(", ", 3) for line in text.splitlines() if line.startswith("GPU-")]
    if any(mig == "Enabled" for _, _, mig, _ in rows):
        return []
    return [Gpu(uuid, int(free) if free.isdigit() else 0, model) for uuid, free, _, model in rows]


def _lock(path: Path) -> IO | None:
    """Lock a file; None if another process, or this one, has it locked."""
    file = open(path, "w")  # noqa: SIM115
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def _is_held(path: Path) -> bool:
    file = _lock(path)
    if file:
        file.close()
    return file is None
