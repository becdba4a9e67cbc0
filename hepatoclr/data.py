"""The slices of many cases as one collection, and the order in which training draws them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from hepatoclr import tensors
from hepatoclr.errors import UserError


@dataclass(frozen=True)
class Slices:
    """Slices of several cases; pixels stay in the memory-mapped caches until asked for.

    Attributes:
        caches: An open cache per case.
        case: Number of the case of each slice, shape (n,).
        place: Place of each slice in its case's cache, shape (n,).
        window: Lowest and highest HU, scaled to 0 and 1.
    """

    caches: Sequence
    case: np.ndarray
    place: np.ndarray
    window: tuple[int, int]

    def __len__(self) -> int:
        return len(self.case)

    def fetch(self, indices: np.ndarray) -> Tensor:
        """Read slices, shape (len(indices), 1, size, size), float32 in [0, 1]."""
        pixels = np.stack([self.caches[self.case[i]][int(self.place[i])] for i in indices])
        low, high = self.window
        return (torch.from_numpy(pixels)[:, None].float() - low) / (high - low)

    def subset(self, indices: np.ndarray) -> "Slices":
        """The collection of some of the slices."""
        return Slices(self.caches, self.case[indices], self.place[indices], self.window)

    def chunks(self, size: int = 64) -> Iterator[Tensor]:
        """Read all slices in order, `size` at a time."""
        for start in range(0, len(self), size):
            yield self.fetch(np.arange(start, min(start + size, len(self))))


def collect(paths: Sequence[str], window: tuple[int, int]) -> Slices:
    """Open the caches of several cases as one collection.

    Args:
        paths: A cache per case, see `tensors.write`.
        window: Lowest and highest HU of the caches.

    Raises:
        UserError: There is no slice at all.
    """
    caches = [tensors.load(path) for path in paths]
    counts = [cache.shape[0] for cache in caches]
    if not sum(counts):
        raise UserError("no slice is left to work on; the cohort's table says why")
    case = np.repeat(np.arange(len(caches)), counts)
    place = np.concatenate([np.arange(count) for count in counts])
    return Slices(caches, case, place, window)


def labelled(
    cohorts: Sequence[pd.DataFrame], caches: Sequence[str]
) -> tuple[pd.DataFrame, list[str]]:
    """Join cohorts and keep the cases that can be trained on, with their caches.

    Args:
        cohorts: Tables of the cohorts, see `cohort.table`.
        caches: A cache per case of all the tables, in their order.
    """
    together = pd.concat(cohorts, ignore_index=True)
    used = (together["included"] & together["target"].notna()).to_numpy()
    kept = [cache for cache, use in zip(caches, used, strict=True) if use]
    return together[used].reset_index(drop=True), kept


@dataclass(frozen=True)
class Sampler:
    """Draws the slices of an epoch; an epoch's draw depends on the seed and its number alone.

    Attributes:
        patient: Patient of each slice, any hashable, shape (n,).
        target: Class of each slice, 0 or 1, shape (n,).
        kind: "weighted" draws both classes, and all patients of a class, equally often;
            "uniform" visits each slice once; "patients" takes one slice of each patient.
        samples: Slices per epoch; 0 draws as many as there are, or one per patient.
        seed: Seed of the draws.
    """

    patient: np.ndarray
    target: np.ndarray
    kind: str
    samples: int
    seed: int

    def __len__(self) -> int:
        most = len(np.unique(self.patient)) if self.kind == "patients" else len(self.patient)
        return self.samples or most

    @property
    def at_once(self) -> int:
        """How many slices can be drawn before one may come again."""
        if self.kind == "weighted":
            return len(self)
        return len(np.unique(self.patient)) if self.kind == "patients" else len(self.patient)

    def batches(self, epoch: int, size: int) -> Iterator[np.ndarray]:
        """Draw the slices of an epoch, counted from 0, in full batches of indices.

        Raises:
            UserError: What can be drawn at once does not fill a batch.
        """
        if self.at_once < size:
            unit = "patients, one slice each," if self.kind == "patients" else "slices"
            raise UserError(
                f"{self.at_once} {unit} cannot fill a batch of {size}; lower batch_size, "
                "or set sampling to weighted"
            )
        full = (
            drawn[start : start + size]
            for drawn in self._rounds(np.random.default_rng([self.seed, epoch]))
            for start in range(0, len(drawn) - size + 1, size)
        )
        yield from islice(full, len(self) // size)

    def _rounds(self, rng: np.random.Generator) -> Iterator[np.ndarray]:
        """Draws without end, none of which holds a slice (or patient) twice unless weighted."""
        weights = self._weights() if self.kind == "weighted" else None
        while True:
            if self.kind == "weighted":
                yield rng.choice(len(self.patient), size=len(self), p=weights)
                continue
            order = rng.permutation(len(self.patient))
            if self.kind == "patients":
                order = order[np.unique(self.patient[order], return_index=True)[1]]
            yield rng.permutation(order)

    def _weights(self) -> np.ndarray:
        """Weight of each slice, so that classes, then patients, then slices are equally likely."""
        _, patient, slices = np.unique(self.patient, return_inverse=True, return_counts=True)
        weight = 1.0 / slices[patient]
        for side in (0, 1):
            weight[self.target == side] /= max(weight[self.target == side].sum(), 1e-12)
        return weight / weight.sum()


def sampler(
    cases: pd.DataFrame, slices: Slices, chosen: np.ndarray, settings: Mapping, seed: int
) -> Sampler:
    """Make the sampler of some slices.

    Args:
        cases: The cases of `slices`, with patient_id and target.
        slices: All slices.
        chosen: Indices of those to draw from; the sampler counts within them.
        settings: Section of the configuration with `sampling` and `samples_per_epoch`.
        seed: Seed of the draws.
    """
    case = slices.case[chosen]
    return Sampler(
        patient=cases["patient_id"].to_numpy()[case],
        target=cases["target"].to_numpy(int)[case],
        kind=settings["sampling"],
        samples=settings["samples_per_epoch"],
        seed=seed,
    )
