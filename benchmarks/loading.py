"""Random slices per second from disk and memory, and what they weigh.

    python -m benchmarks.loading [--source FOLDER]

About 80 slices of 512x512, clipped to [-100, 400], in four volumes: of a real CT with --source,
else simulated. In turn each gives the same random batch as float32 in [0, 1]: our compressed
cache; one float32 `.pt` per slice; MONAI's PersistentDataset and CacheDataset of whole volumes;
a float32 tensor that holds everything; and a plain copy of as much memory, the ceiling. Files
are in the system's cache, so this is decoding, not the disk. MONAI's volumes hold the kept
slices only, which is kind to it: in practice they hold the whole scan.
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks import common, ours
from hepatoclr.imaging import ingest, slices, tensors, volumes
from hepatoclr.imaging.volumes import Volume
from hepatoclr.learning import data
from hepatoclr.simulation import scanner
from hepatoclr.simulation.patients import patient

SIZE, VOLUMES, BATCH = 512, 4, 16
PATIENTS, SLICES = 2905, 50  # 70 % of a liver of 180 mm, in slices of 2.5 mm
LOW, HIGH = ours.WINDOW


def cohort(source: Path | None, quick: bool) -> list[np.ndarray]:
    """A few volumes of clipped slices, shape (n, 512, 512), int16."""
    if source:
        array = ingest.read_ct(source).array
        every = [slices.Slice(k, 0.0, 0.0, 0.0) for k in range(len(array))]
        clipped = tensors.preprocess(Volume(array, np.eye(4)), every, ours.WINDOW, SIZE)
        return np.array_split(clipped, VOLUMES)
    made = []
    for number in range(1 if quick else VOLUMES):
        ct, liver = scanner.scan(patient((1, number), number), SIZE, 5.0)
        made.append(tensors.preprocess(ct, slices.central(liver)[:20], ours.WINDOW, SIZE))
    return made


def scaled(pixels: np.ndarray) -> Tensor:
    """HU to float32 in [0, 1], with the channel."""
    return (torch.from_numpy(pixels)[:, None].float() - LOW) / (HIGH - LOW)


Fetch = Callable[[np.ndarray], Tensor]


def by_hepatoclr(pixels: list[np.ndarray], folder: Path) -> Fetch:
    """Compressed int16, a chunk per slice, memory-mapped."""
    return data.collect(ours.caches(pixels, folder), ours.WINDOW).fetch


def by_files(pixels: list[np.ndarray], folder: Path) -> Fetch:
    """A float32 tensor per slice, as `torch.save` writes it."""
    paths = [folder / f"{number}.pt" for number in range(sum(map(len, pixels)))]
    for part, path in zip(scaled(np.concatenate(pixels)), paths, strict=True):
        torch.save(part.clone(), path)
    return lambda indices: torch.stack([torch.load(paths[i]) for i in indices])


def by_monai(pixels: list[np.ndarray], folder: Path, resident: bool = False) -> Fetch:
    """Whole volumes through PersistentDataset, or CacheDataset, which holds them in memory."""
    from monai.data import CacheDataset, PersistentDataset
    from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged, ScaleIntensityRanged

    with tempfile.TemporaryDirectory() as raw:
        paths = [Path(raw, f"{number}.nii.gz") for number in range(len(pixels))]
        for part, path in zip(pixels, paths, strict=True):
            volumes.save(Volume(part, np.diag([-0.7, -0.7, 2.5, 1.0])), path)
        chain = Compose(
            [
                LoadImaged("image"),
                EnsureChannelFirstd("image"),
                ScaleIntensityRanged("image", LOW, HIGH, 0, 1, clip=True),
            ]
        )
        items = [{"image": str(path)} for path in paths]
        if resident:
            kept = CacheDataset(items, chain, progress=False)
        else:
            kept = PersistentDataset(items, chain, cache_dir=folder)
        for number in range(len(items)):  # filled while the raw files are there
            kept[number]
    case = np.repeat(np.arange(len(pixels)), [len(part) for part in pixels])
    place = np.concatenate([np.arange(len(part)) for part in pixels])

    def fetch(indices: np.ndarray) -> Tensor:
        parts = [torch.as_tensor(kept[case[i]]["image"])[..., place[i]] for i in indices]
        return torch.stack(parts).transpose(-1, -2)  # volumes are (x, y, z)

    return fetch


def resident(pixels: list[np.ndarray], folder: Path) -> Fetch:
    """Everything in memory as float32, gathered."""
    everything = scaled(np.concatenate(pixels))
    return lambda indices: everything[torch.from_numpy(indices)]


def copy(pixels: list[np.ndarray], folder: Path) -> Fetch:
    """As many bytes as a batch has, copied in one piece."""
    everything = scaled(np.concatenate(pixels))
    return lambda indices: everything[: len(indices)].clone()


def in_memory(pixels: list[np.ndarray], folder: Path) -> Fetch:
    """Ours with the slices resident: int16, made float32 as they are drawn."""
    return data.collect(ours.caches(pixels, folder), ours.WINDOW, "memory").fetch


OURS = ("ours", "ours, resident")
CHAINS = {
    "ours": by_hepatoclr,
    "ours, resident": in_memory,
    "a float32 .pt per slice": by_files,
    "MONAI PersistentDataset": by_monai,
    "MONAI CacheDataset": lambda pixels, folder: by_monai(pixels, folder, resident=True),
    "all in memory as float32": resident,
    "plain memory copy (ceiling)": copy,
}


def measure(given: argparse.Namespace) -> list[common.Row]:
    """Rates and weights of all chains."""
    pixels = cohort(given.source, given.quick)
    count = sum(map(len, pixels))
    kind = "real CT" if given.source else "simulated CT"
    random = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as scratch:
        fetches, bytes_each, indices = {}, {}, random.integers(0, count, BATCH)
        for name, chain in CHAINS.items():
            folder = Path(scratch, name.replace(" ", "-"))
            folder.mkdir()
            fetches[name] = chain(pixels, folder)
            weight = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            bytes_each[name] = weight / count
        expected = scaled(np.concatenate(pixels)[indices])
        for name, fetch in fetches.items():
            if "copy" not in name and not torch.allclose(fetch(indices), expected, atol=1e-6):
                raise ValueError(f"{name} gives other slices")
        competitors = {
            name: _rate(fetch, count, 2 if "Persistent" in name else BATCH)
            for name, fetch in fetches.items()
        }
        found = common.rounds(competitors, given.rounds)
    rows = [
        common.Row(
            *(f"random slices of 512x512, {kind}, {where}", "slices/s", found[own]),
            *(name, found[name]),
            more_is_better=True,
            remarks="reads a whole volume, here of 20 slices" if "Persistent" in name else "",
        )
        for own, where in zip(OURS, ("compressed cache", "resident"), strict=True)
        for name in CHAINS
        if name not in OURS
    ]
    for name in CHAINS:
        if bytes_each[name] and name not in OURS:
            own, other = bytes_each["ours"], bytes_each[name]
            total = PATIENTS * SLICES / 1e9
            rows += [
                common.Row(f"on disk a slice, {kind}", "kB", [own / 1e3], name, [other / 1e3]),
                common.Row(
                    *("on disk at paper scale", "GB", [own * total], name, [other * total]),
                    remarks=f"{PATIENTS:,} patients; {SLICES} slices each is assumed",
                ),
            ]
    return rows


def _rate(fetch: Fetch, count: int, size: int) -> Callable[[], float]:
    """Slices per second, other ones at each call."""
    random = np.random.default_rng(2)
    return common.timed(lambda: fetch(random.integers(0, count, size)), amount=size)


if __name__ == "__main__":
    common.main("loading", __doc__, measure)
