"""Final fine-tuned networks: trained once, on all evaluation patients, for other hospitals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch

from hepatoclr.base import devices, files
from hepatoclr.cohorts import cohort_table
from hepatoclr.learning import (
    backbone,
    data,
    final_models,
    finetune,
    module,
)
from hepatoclr.stats import predictions


@dataclass(frozen=True, kw_only=True)
class FinalTuning(finetune.Tuning):
    """A fine-tuning on all evaluation patients.

    Attributes:
        model: Weights to write.
    """

    model: str

    @property
    def output(self) -> str:
        """The weights."""
        return self.model

    def work(
        self,
        cases: pd.DataFrame,
        slices: data.Slices,
        split: pd.DataFrame,
        device: torch.device,
        folder: Path,
    ) -> dict:
        """Train the network."""
        chosen = self.in_force()["finetune"]
        fold = finetune.Fold(cases, slices, split, final_models.WHOLE, 1.0, chosen, self.seed)
        net, ending = self.trained(fold, "final", device, folder)
        threshold, own = fold.threshold(net, device)
        backbone.write(net, self.model)
        return {**final_models.counted(split), "threshold": threshold, **own, **ending}

    def in_force(self) -> dict:
        """The settings in force: nobody is tested on whom the best epoch could be chosen."""
        settings = dict(self.settings)
        if settings["epoch"] == "best-on-validation":
            settings["epoch"] = "last"
        return {**super().in_force(), "finetune": settings}


def apply_finetuned(
    encoder: str,
    seed: int,
    model: str,
    metadata: str,
    cohort: str,
    caches: Sequence[str],
    output: str,
    *,
    network: Mapping,
    window: tuple[int, int],
    device: str,
    threads: int,
) -> None:
    """Predict an external cohort by a fine-tuned network.

    Args:
        encoder: Name of the encoder.
        seed: Seed of the training.
        model, metadata: What `FinalTuning` wrote.
        cohort: Table of the external cohort.
        caches: Slices of each of its cases.
        output: Predictions to write.
        network: Section of the configuration.
        window: Lowest and highest HU of the caches.
        device, threads: See `devices.prepare`.
    """
    table = cohort_table.read(cohort)
    used = [path for path, kept in zip(caches, table["included"], strict=True) if kept]
    found = pd.DataFrame(columns=["patient_id", "probability", "slices", "by_slice"])
    if used:
        where = devices.prepare(device, threads)
        slices = data.collect(used, window)
        odds = module.probabilities(backbone.read(model, network), slices, where)
        people = table.loc[table["included"], "patient_id"].to_numpy()
        found = predictions.per_patient(people[slices.case], odds)
    found = found.assign(threshold=files.read_json(metadata)["threshold"])
    final_models.write(found, "finetune", encoder, seed, cohort, output)
