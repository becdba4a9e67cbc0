"""Feature vectors of all slices of a cohort under one encoder."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch

from hepatoclr.base import devices, files
from hepatoclr.cohorts import cohort_table
from hepatoclr.learning import backbone, data


def extract(network: backbone.Network, slices: data.Slices, device: torch.device) -> np.ndarray:
    """Map slices, without augmentation, to feature vectors, shape (slices, channels), float32."""
    network.to(device).eval()
    with torch.inference_mode():
        return torch.cat(
            [network.backbone(chunk).cpu() for chunk in slices.chunks(device=device)]
        ).numpy()


def run(
    encoder: str,
    table: str,
    caches: Sequence[str],
    output: str,
    *,
    window: tuple[int, int],
    network: Mapping,
    device: str,
    threads: int,
) -> None:
    """Extract the features of a cohort's included cases and write them; there may be none.

    Args:
        encoder: Weights.
        table: The cohort's table.
        caches: Slices of each case of the table.
        output: Parquet to write, a row per slice: case, patient_id, slice, f0, f1, ...
        window: Lowest and highest HU of the caches.
        network: Section of the configuration.
        device, threads: See `devices.prepare`.
    """
    place = devices.prepare(device, threads)
    cases = cohort_table.read(table)
    used = cases["included"].to_numpy()
    rows = cases.loc[used, ["case", "patient_id"]].assign(slice=0)
    vectors = np.empty((0, network["channels"][-1]), np.float32)
    if used.any():
        kept = [cache for cache, use in zip(caches, used, strict=True) if use]
        slices = data.collect(kept, window)
        vectors = extract(backbone.read(encoder, network), slices, place)
        rows = rows.iloc[slices.case].reset_index(drop=True).assign(slice=slices.place)
    names = [f"f{number}" for number in range(vectors.shape[1])]
    with files.atomic(output) as temporary:
        rows.join(pd.DataFrame(vectors, columns=names)).to_parquet(temporary, index=False)
