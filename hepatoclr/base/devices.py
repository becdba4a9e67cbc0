"""Where networks run, and how they run there the same way twice."""

import fcntl
import logging
import multiprocessing
import os
import stat
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from typing import IO

import torch

from hepatoclr.base.errors import UserError

log = logging.getLogger(__name__)

FREE_MEMORY = ("nvidia-smi", "--query-gpu=uuid,memory.free", "--format=csv,noheader,nounits")
QUERY_SECONDS = 60  # without NVIDIA's daemon the driver takes seconds to wake

_held: list[IO] = []  # closed, and the locks with it, when the process ends, however it ends


@dataclass(frozen=True)
class Gpu:
    """A GPU that this process sees.

    Attributes:
        index: Its number for PyTorch in this process.
        uuid: Its name for every process of the machine.
        model: What it is called.
        free_mb: Memory that no process uses; 0 where unknown.
    """

    index: int
    uuid: str
    model: str
    free_mb: int = 0


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

    The GPU stays the process's until it ends: later calls give it again, and it is PyTorch's
    current one. It is not closed to others; where there are more processes than GPUs, they share.

    Args:
        device: auto, cpu or cuda; auto takes a GPU where there is one.

    Raises:
        UserError: There is no GPU where one is asked for.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("device is cuda, but PyTorch finds no GPU; set device to auto or cpu")
    if device == "cpu" or not torch.cuda.is_available():
        log.info("device cpu")
        return torch.device("cpu")
    gpu = _taken()
    torch.cuda.set_device(gpu.index)
    log.info("device %s", gpu.model)
    return torch.device("cuda", gpu.index)


def best(gpus: Sequence[Gpu], holders: Sequence[Sequence[str]], family: str) -> Gpu:
    """Say which GPU a process should take.

    Args:
        gpus: At least one.
        holders: For each, the families of the processes that hold it.
        family: That of the process.

    Returns:
        The GPU with the fewest holders, none of them of the family if there is such a GPU; of
        several, the one with the most free memory.
    """

    def rank(number: int) -> tuple:
        held = holders[number]
        return family in held, len(held), -gpus[number].free_mb

    return gpus[min(range(len(gpus)), key=rank)]


def take(gpus: Sequence[Gpu], folder: Path, family: str) -> Gpu:
    """Take the best GPU, and hold it until this process ends.

    Args:
        gpus: At least one.
        folder: Where the locks lie. Processes see those that use the same folder. The kernel
            lifts the locks of a process when it ends, also when it is killed (and has no forked
            children left).
        family: What processes that work together have in common; one GPU is for one of them.

    Raises:
        OSError: The folder cannot be used, or is another user's.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _check_own(folder)
    with open(folder / "choosing", "w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # one process chooses at a time
        holders = [_holders(folder, gpu) for gpu in gpus]
        chosen = best(gpus, holders, family)
        slots = (folder / f"{chosen.uuid}.{number}" for number in count())
        lock = next(filter(None, map(_lock, slots)))
        lock.truncate(0)
        print(family, file=lock, flush=True)
        _held.append(lock)
    others = len(holders[list(gpus).index(chosen)])
    log.info("GPU %s, one of %d, with %d other jobs on it", chosen.uuid, len(gpus), others)
    return chosen


@cache
def _taken() -> Gpu:
    """The GPU of this process, chosen at the first call."""
    gpus = _visible()
    parent = multiprocessing.parent_process()
    family = str(parent.pid if parent else os.getpid())
    try:
        return take(gpus, Path(tempfile.gettempdir()) / f"hepatoclr-{os.getuid()}", family)
    except OSError as error:
        log.warning("the GPUs of other jobs are not known, and may be taken again: %s", error)
        return best(gpus, [[]] * len(gpus), family)


def _check_own(folder: Path) -> None:
    """Refuse a folder that another user, or a link of theirs, may have put there."""
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise PermissionError(f"{folder} is not a folder of this user")


def _visible() -> list[Gpu]:
    """The GPUs that PyTorch shows this process."""
    known = [torch.cuda.get_device_properties(n) for n in range(torch.cuda.device_count())]
    free = _free_mb() if len(known) > 1 else {}
    return [
        Gpu(index, str(gpu.uuid), gpu.name, free.get(str(gpu.uuid), 0))
        for index, gpu in enumerate(known)
    ]


def _free_mb() -> dict[str, int]:
    """Free memory of the GPUs by UUID, as far as it is told.

    PyTorch could say too, but would take some hundred MB on each GPU that it is asked about.
    """
    try:
        text = subprocess.run(
            FREE_MEMORY, capture_output=True, text=True, check=True, timeout=QUERY_SECONDS
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    rows = [line.removeprefix("GPU-").partition(", ") for line in text.splitlines()]
    return {uuid: int(free) for uuid, _, free in rows if free.isdigit()}


def _holders(folder: Path, gpu: Gpu) -> list[str]:
    """Families of the processes that hold a GPU."""
    found = []
    for slot in folder.glob(f"{gpu.uuid}.*"):
        if lock := _lock(slot):
            lock.close()
        else:
            found.append(slot.read_text().strip())
    return found


def _lock(path: Path) -> IO | None:
    """Lock a file; None if it is locked already."""
    file = open(path, "a")  # noqa: SIM115
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file
