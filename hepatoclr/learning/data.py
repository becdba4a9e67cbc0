"""The slices of many cases as one collection, and the order in which training draws them."""

import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from hepatoclr.base.errors import UserError
from hepatoclr.imaging import tensors

CPU = torch.device("cpu")
UNLABELLED = -1  # target of slices without a label


@dataclass(frozen=True)
class Slices:
    """Slices of several cases, read from memory-mapped caches or from memory.

    Attributes:
        caches: The caches of the cases.
        case: Number of the case of each slice, shape (n,).
        place: Place of each slice in its case's cache, shape (n,).
        window: Lowest and highest HU, scaled to 0 and 1.
        resident: All pixels of all cases, int16, shape (slices, size, size), where they are kept
            in memory, the host's or the device's.
    """

    caches: tensors.Caches
    case: np.ndarray
    place: np.ndarray
    window: tuple[int, int]
    resident: Tensor | None = None

    def __len__(self) -> int:
        return len(self.case)

    def fetch(self, indices: np.ndarray, device: torch.device = CPU) -> Tensor:
        """Read slices to a device, shape (len(indices), 1, size, size), float32 in [0, 1]."""
        case, place = self.case[indices], self.place[indices]
        if self.resident is None:
            pixels = np.empty((len(case), *self.caches.shapes[case[0]][1:]), np.int16)
            tensors.read((self.caches[one] for one in case), place.tolist(), pixels)
            pixels = torch.from_numpy(pixels)
        else:
            rows = torch.from_numpy(self._case_offsets[case] + place).to(self.resident.device)
            pixels = self.resident.index_select(0, rows)
        low, high = self.window
        return pixels.to(device)[:, None].float().sub_(low).div_(high - low)

    def prefetch(
        self, batches: Iterable[np.ndarray], device: torch.device = CPU
    ) -> Iterator[Tensor]:
        """Read batches one after another; from disk for a GPU, the next while one is worked on.

        On the CPU a second thread would only take cores from the network.
        """
        if self.resident is not None or device.type == "cpu":
            yield from (self.fetch(batch, device) for batch in batches)
            return
        with ThreadPoolExecutor(1) as reader:
            waiting = deque()
            for batch in batches:
                waiting.append(reader.submit(self.fetch, batch, device))
                if len(waiting) > 1:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def subset(self, indices: np.ndarray) -> "Slices":
        """The collection of some of the slices."""
        return replace(self, case=self.case[indices], place=self.place[indices])

    def chunks(self, size: int = 64, device: torch.device = CPU) -> Iterator[Tensor]:
        """Read all slices in order, `size` at a time."""
        starts = range(0, len(self), size)
        every = (np.arange(start, min(start + size, len(self))) for start in starts)
        return self.prefetch(every, device)

    @cached_property
    def _case_offsets(self) -> np.ndarray:
        """Where each case begins among the resident slices."""
        return np.cumsum([0, *(count for count, *_ in self.caches.shapes)])


def collect(
    paths: Sequence[str],
    window: tuple[int, int],
    cache: str = "disk",
    device: torch.device = CPU,
    memory_mb: float = 0,
) -> Slices:
    """Open the caches of several cases as one collection.

    Args:
        paths: A cache per case, see `tensors.write`.
        window: Lowest and highest HU of the caches.
        cache: Where the pixels are kept: "disk", "ram", "gpu" (on the device), or "auto", the last
            of these that has twice the room they take.
        device: The device.
        memory_mb: Memory that this process may use, for "auto".

    Raises:
        UserError: There is no slice at all.
    """
    caches = tensors.Caches(paths)
    counts = [count for count, *_ in caches.shapes]
    if not sum(counts):
        raise UserError("no slice is left to work on; the cohort's table says why")
    case = np.repeat(np.arange(len(paths)), counts)
    place = np.concatenate([np.arange(count) for count in counts])
    slices = Slices(caches, case, place, window)
    if cache == "auto":
        size = 2 * sum(map(math.prod, caches.shapes))
        cache = _with_room_for(2 * size, device, memory_mb)
    if cache == "disk":
        return slices
    size = next(size for count, *size in caches.shapes if count)
    held = device if cache == "gpu" else CPU
    pixels = torch.empty((len(slices), *size), dtype=torch.int16, device=held)
    for number, one in enumerate(pixels.split(counts)):
        one.copy_(torch.from_numpy(caches[number][:]).view_as(one))
    return replace(slices, resident=pixels)


def _with_room_for(size: int, device: torch.device, memory_mb: float) -> str:
    """Where so many bytes have room; on the CPU the device's memory is the host's."""
    if device.type == "cuda" and size <= torch.cuda.mem_get_info(device)[0]:
        return "gpu"
    return "ram" if size <= memory_mb * 1e6 else "disk"


def trainable_cases(
    cohorts: Sequence[pd.DataFrame], caches: Sequence[str], *, unlabelled: bool = False
) -> tuple[pd.DataFrame, list[str]]:
    """Join cohorts and keep the cases that can be trained on, with their caches.

    Args:
        cohorts: Tables of the cohorts, see `assemble.table`.
        caches: A cache per case of all the tables, in their order.
        unlabelled: Whether cases without a target can be trained on.
    """
    together = pd.concat(cohorts, ignore_index=True)
    used = (together["included"] & (unlabelled | together["target"].notna())).to_numpy()
    kept = [cache for cache, use in zip(caches, used, strict=True) if use]
    return together[used].reset_index(drop=True), kept


def identities(cases: pd.DataFrame) -> list[list[str]]:
    """What training uses of a cohort's table beside which cases it includes, for `cutoff`."""
    return cases[["case", "patient_id", "target"]].astype(str).to_numpy().tolist()


@dataclass(frozen=True)
class Sampler:
    """Draws the slices of an epoch; an epoch's draw depends on the seed and its number alone.

    Attributes:
        patient: Patient of each slice, any hashable, shape (n,).
        target: Class of each slice, 0 or 1, or `UNLABELLED`, shape (n,). A patient is of the class
            of any of their slices, and unlabelled where none has one.
        kind: "weighted" draws both classes, and all patients of a class, equally often, and
            unlabelled patients, all equally often, at their share of the patients;
            "uniform" visits each slice once; "patients" takes one slice of each patient drawn, none
            of them twice in a batch, where the chances at each draw are those of "weighted": the
            fewer patients a batch leaves of a class, the less often it is drawn next.
        samples: Slices per epoch; 0 draws as many as there are, or one per patient.
        seed: Seed of the draws.
    """

    patient: np.ndarray
    target: np.ndarray
    kind: str
    samples: int
    seed: int

    def __len__(self) -> int:
        return self.samples or self._different

    @property
    def max_batch_size(self) -> int:
        """How many slices can be drawn before one may come again, or an epoch ends."""
        return len(self) if self.kind == "weighted" else min(len(self), self._different)

    def batches(self, epoch: int, size: int) -> Iterator[np.ndarray]:
        """Draw the slices of an epoch, counted from 0, in full batches of indices.

        Raises:
            UserError: What can be drawn at once does not fill a batch.
        """
        if 0 < self.samples < size:
            raise UserError(
                f"samples_per_epoch of {self.samples} cannot fill a batch of {size}; raise it, or "
                "lower batch_size"
            )
        if self.max_batch_size < size:
            unit = "patients, one slice each," if self.kind == "patients" else "slices"
            raise UserError(
                f"{self.max_batch_size} {unit} cannot fill a batch of {size}; lower batch_size, "
                "or set sampling to weighted"
            )
        full = (
            drawn[start : start + size]
            for drawn in self._rounds(np.random.default_rng([self.seed, epoch]), size)
            for start in range(0, len(drawn) - size + 1, size)
        )
        yield from islice(full, len(self) // size)

    def mix(self, size: int) -> dict[str, float]:
        """Say what the batches of the first epoch hold.

        Returns:
            patients_per_batch, how many different patients a batch holds on average;
            positive_share, the share of positive slices among the labelled draws, 0 if there are
            none; where some slices are unlabelled, labelled_share, that of the labelled draws.
        """
        batches = list(self.batches(0, size))
        patients = np.mean([len(np.unique(self._patients[0][batch])) for batch in batches])
        target = self.target[np.concatenate(batches)]
        labelled = target[target != UNLABELLED]
        found = {
            "patients_per_batch": round(float(patients), 2),
            "positive_share": round(float(labelled.mean()), 4) if len(labelled) else 0.0,
        }
        if (self.target == UNLABELLED).any():
            found["labelled_share"] = round(len(labelled) / len(target), 4)
        return found

    def _rounds(self, rng: np.random.Generator, size: int) -> Iterator[np.ndarray]:
        """Draws without end, none of which holds a slice (or patient) twice unless weighted."""
        while self.kind == "uniform":
            yield rng.permutation(len(self.patient))
        weights = self._weights()
        while self.kind == "weighted":
            yield rng.choice(len(self.patient), size=len(self), p=weights)
        patient, slices = self._patients
        by_patient, first = np.argsort(patient, kind="stable"), np.cumsum(slices) - slices
        weights = np.bincount(patient, weights)
        while True:
            drawn = rng.choice(len(slices), size, replace=False, p=weights)
            yield by_patient[first[drawn] + rng.integers(slices[drawn])]

    def _weights(self) -> np.ndarray:
        """Weight of each slice, so that classes, then patients, then slices are equally likely.

        Unlabelled patients weigh as much together as is their share of the patients.
        """
        patient, slices = self._patients
        classes = np.full(len(slices), UNLABELLED)
        np.maximum.at(classes, patient, self.target)
        weight, side = 1.0 / slices[patient], classes[patient]
        for one in (0, 1):
            weight[side == one] /= max(weight[side == one].sum(), 1e-12)
        if (unlabelled := side == UNLABELLED).any():
            share = np.mean(classes == UNLABELLED)
            for part, total in ((unlabelled, share), (~unlabelled, 1 - share)):
                weight[part] *= total / max(weight[part].sum(), 1e-12)
        return weight / weight.sum()

    @property
    def _different(self) -> int:
        """How many different slices, or patients, there are to draw."""
        return len(self._patients[1] if self.kind == "patients" else self.patient)

    @cached_property
    def _patients(self) -> tuple[np.ndarray, np.ndarray]:
        """Number of the patient of each slice, and how many slices each patient has."""
        return np.unique(self.patient, return_inverse=True, return_counts=True)[1:]


def sampler(
    cases: pd.DataFrame, slices: Slices, chosen: np.ndarray, settings: Mapping, seed: int
) -> Sampler:
    """Make the sampler of some slices.

    Args:
        cases: The cases of `slices`, with patient_id and target, which may be missing.
        slices: All slices.
        chosen: Indices of those to draw from; the sampler counts within them.
        settings: Section of the configuration with `sampling` and `samples_per_epoch`.
        seed: Seed of the draws.
    """
    case = slices.case[chosen]
    return Sampler(
        patient=cases["patient_id"].to_numpy()[case],
        target=cases["target"].fillna(UNLABELLED).to_numpy(int)[case],
        kind=settings["sampling"],
        samples=settings["samples_per_epoch"],
        seed=seed,
    )
