"""What a GPU makes of a training: share of its peak, memory, views, epochs, loading a network.

    python -m benchmarks.gpu

The paper's network on 92 slices of 512x512 with three views, bfloat16, compiled. The peak is that
of a matrix product measured on the same GPU. Prints a table for docs/performance.md.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from benchmarks import ceiling, estimate, ours, peers
from hepatoclr.base.errors import UserError
from hepatoclr.imaging.segmentation import totalsegmentator
from hepatoclr.imaging.volumes import Volume
from hepatoclr.learning import data, module
from hepatoclr.learning.methods import base as methods

BATCH, SIZE, STEPS = 92, 512, 10
PHANTOM = (60, 256, 256)  # voxels of a CT for TotalSegmentator


def seconds(call: Callable[[], object], rounds: int = 5) -> float:
    """Median seconds of a call, after one that does not count."""
    times = []
    for _ in range(rounds + 1):
        torch.cuda.synchronize()
        start = time.perf_counter()
        call()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def peak() -> float:
    """TFLOP/s of a matrix product in bfloat16."""
    side = 8192
    left, right = (torch.rand(side, side, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    return 2 * side**3 / seconds(lambda: left @ right) / 1e12


def epoch(cache: str) -> tuple[float, float]:
    """Seconds of an epoch of some steps, and GB of memory, where slices are kept so."""
    objective, ends = methods.load("weak_simclr"), ours.Ends()
    plan = ours.optimiser(ours.PAPER, epochs=3, batch_size=BATCH)
    with tempfile.TemporaryDirectory() as folder:
        paths = ours.caches(ours.phantoms(4, BATCH, SIZE), Path(folder))
        slices = data.collect(paths, ours.WINDOW, cache, ceiling.DEVICE)
        draws = ours.sampler(slices, STEPS * BATCH, "weighted")
        net, views = ours.network(ours.PAPER), ours.augmentation(ours.PAPER)
        torch.cuda.reset_peak_memory_stats()
        module.fit(net, objective, slices, draws, views, plan, ceiling.DEVICE, 1, more=[ends])
    return ends.times[2] - ends.times[1], torch.cuda.max_memory_allocated() / 1e9


def network_load() -> str:
    """Seconds that TotalSegmentator takes for a first CT beyond a second."""
    phantom = np.random.default_rng(1).normal(50, 10, PHANTOM).astype(np.int16)
    ct, networks, times = Volume(phantom, np.diag([1.5, 1.5, 3, 1]), {}), {}, []
    for _ in range(2):
        start = time.perf_counter()
        try:
            totalsegmentator.totalsegmentator(ct, device="cuda", networks=networks)
        except UserError as error:  # no liver is a result too, missing weights are not
            if not networks:
                return f"not measured: {error}"
        times.append(time.perf_counter() - start)
    return f"{times[0] - times[1]:.1f} s"


def rows() -> list[tuple[str, str]]:
    """What is measured, and its value."""
    product, (resident, memory), (cached, _) = peak(), epoch("gpu"), epoch("disk")
    work = 3 * BATCH * STEPS / resident * estimate.GFLOP / 1e3
    images = torch.rand(BATCH, 1, SIZE, SIZE, device="cuda")
    views = ours.augmentation(ours.PAPER)
    chain = peers.kornia_chain(SIZE, ours.config(ours.PAPER)["augmentation"]).cuda()
    composed, chained = seconds(lambda: views(images, [1])), seconds(lambda: chain(images))
    return [
        ("GPU", torch.cuda.get_device_name()),
        ("matrix product, bfloat16", f"{product:.0f} TFLOP/s"),
        ("training step, share of that", f"{100 * work / product:.0f} % ({work:.0f} TFLOP/s)"),
        ("training step", f"{1e3 * resident / STEPS:.0f} ms"),
        ("memory of a training", f"{memory:.1f} GB"),
        ("views of a batch", f"{1e3 * composed:.1f} ms; Kornia's chain {1e3 * chained:.1f} ms"),
        (f"epoch of {STEPS} steps, slices on the GPU", f"{resident:.2f} s"),
        (f"epoch of {STEPS} steps, slices from disk", f"{cached:.2f} s"),
        ("TotalSegmentator, loading its network", network_load()),
    ]


if __name__ == "__main__":
    if not torch.cuda.is_available():
        sys.exit("no GPU is at hand (PyTorch finds none): nothing was measured")
    print("| measure | value |", "|---|---|", sep="\n")
    for measure, value in rows():
        print(f"| {measure} | {value} |")
