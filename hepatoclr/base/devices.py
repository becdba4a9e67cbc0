"""Where networks run, and how they run there the same way twice.

Snakemake counts GPUs and Lightning uses those it is given; which of a machine's GPUs a job takes
beside other jobs is said here.
"""

import logging
import os
import stat
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import count
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from hepatoclr.base.errors import UserError

log = logging.getLogger(__name__)

FREE_MEMORY = ("nvidia-smi", "--query-gpu=uuid,memory.free", "--format=csv,noheader,nounits")
QUERY_SECONDS = 60  # without NVIDIA's daemon the driver takes seconds to wake

_held: list[FileLock] = []  # the kernel lifts a process's locks when it ends, however it ends


def prepare(device: str, threads: int) -> torch.device:
    """Choose the device, and make what runs on it repeatable, float32 being float32.

    By PyTorch's default convolutions on a GPU read 10 bits of the 23 of a float32 (TF32).

    Args:
        device: See `choose`.
        threads: CPU threads that PyTorch may use. Sums depend on their number in the last bit.

    Raises:
        UserError: There is no GPU where one is asked for.
    """
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # for repeatable sums on GPUs
    # `conv.fp32_precision` alone would leave PyTorch a state that its compiler refuses to read
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    return choose(device)


def choose(device: str) -> torch.device:
    """Choose the device; of several GPUs the one with the fewest processes of this user.

    The GPU stays the process's until it ends: later calls give it again. It is not closed to
    others; where there are more processes than GPUs, they share.

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
    torch.cuda.set_device(gpu)
    log.info("device %s", torch.cuda.get_device_properties(gpu).name)
    return torch.device("cuda", gpu)


def acquire(uuids: Sequence[str], free_mb: Mapping[str, int], folder: Path) -> str:
    """Take the least used GPU, and hold it until this process ends.

    Args:
        uuids: GPUs that this process sees, at least one.
        free_mb: Free memory of each, as far as known; decides where as many processes hold several.
        folder: Where the locks lie. Processes see those that use the same folder.

    Raises:
        OSError: The folder cannot be used, or is another user's.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise PermissionError(f"{folder} is not a folder of this user")
    with FileLock(folder / "choosing"):  # one process chooses at a time
        holders = {uuid: sum(map(_is_held, folder.glob(f"{uuid}.*"))) for uuid in uuids}
        least_used = min(uuids, key=lambda uuid: (holders[uuid], -free_mb.get(uuid, 0)))
        slots = (FileLock(folder / f"{least_used}.{number}") for number in count())
        _held.append(next(slot for slot in slots if _locks(slot)))
    log.info("GPU %s of %d, %d other jobs on it", least_used, len(uuids), holders[least_used])
    return least_used


@cache
def _taken() -> int:
    """Number of the GPU of this process, chosen at the first call."""
    known = [torch.cuda.get_device_properties(n) for n in range(torch.cuda.device_count())]
    uuids = [str(gpu.uuid) for gpu in known]
    free = _free_mb() if len(uuids) > 1 else {}
    try:
        folder = Path(tempfile.gettempdir()) / f"hepatoclr-{os.getuid()}"
        return uuids.index(acquire(uuids, free, folder))
    except OSError as error:
        log.warning("the GPUs of other jobs are not known, and may be taken again: %s", error)
        return max(range(len(uuids)), key=lambda number: free.get(uuids[number], 0))


def _free_mb() -> dict[str, int]:
    """Free memory of the GPUs by UUID, as far as it is known.

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


def _is_held(slot: Path) -> bool:
    lock = FileLock(slot)
    free = _locks(lock)
    lock.release()
    return not free


def _locks(lock: FileLock) -> bool:
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return False
    return True
