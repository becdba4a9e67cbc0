"""Final fine-tuned networks: trained once, on all evaluation patients, for other hospitals."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from hepatoclr.base import cutoff, devices, files
from hepatoclr.cohorts import cohort_table, splits
from hepatoclr.learning import (
    backbone,
    checkpoints,
    data,
    final_models,
    finetune,
    module,
    trainers,
)
from hepatoclr.learning.augment import Augmentation
from hepatoclr.stats import predictions

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FinalTuning:
    """A fine-tuning on all evaluation patients.

    Attributes:
        encoder: Name of the encoder.
        weights: Its weights.
        table: Table of the evaluation cohort.
        caches: Slices of each of its cases.
        split: A split of its patients.
        code: Fingerprints of the code that makes the network.
        window, network, augmentation, settings, trainer, seed, device, threads, cache, memory_mb:
            As of `finetune.FineTuning`.
        model, metadata: Files to write.
    """

    encoder: str
    weights: str
    table: str
    caches: Sequence[str]
    split: str
    code: Sequence[str]
    window: tuple[int, int]
    network: Mapping
    augmentation: Mapping
    settings: Mapping
    trainer: Mapping
    seed: int
    device: str
    threads: int
    cache: str
    memory_mb: float
    model: str
    metadata: str

    def run(self) -> None:
        """Train and write the network; one that is there already, made from the same, stays."""
        cases, used = data.trainable_cases([cohort_table.read(self.table)], self.caches)
        in_force = self.in_force()
        contents = {"cases": data.identities(cases), "code": self.code, "device": self.device}
        key = cutoff.made_from([self.weights, self.split, *used], settings=in_force, **contents)
        if cutoff.unchanged(self.metadata, key, [self.model]):
            return
        device = devices.prepare(trainers.device(self.trainer, self.device), self.threads)
        slices = data.collect(used, self.window, self.cache, device, self.memory_mb)
        split = splits.read(self.split)
        chosen = in_force["finetune"]
        fold = finetune.Fold(cases, slices, split, final_models.WHOLE, 1.0, chosen, self.seed)
        log.info("%s on %d patients, %s", self.encoder, len(fold.train), device)
        net = finetune.start(self.weights, self.network, self.seed, self.settings["last_layer"])
        with checkpoints.beside(self.model, key) as folder:
            trainer = {**self.trainer, **trainers.ONE_PROCESS}
            history = fold.fit(net, Augmentation(**self.augmentation), device, trainer, folder)
            threshold, own = fold.threshold(net, device)
            backbone.write(net, self.model)
        chance = finetune.Classification().chance(self.settings["batch_size"])
        facts = {"protocol": "finetune", "encoder": self.encoder, "seed": self.seed}
        facts |= {**final_models.counted(split), "threshold": threshold, **own}
        facts |= module.ending(f"{self.encoder}, final,", history, chance)
        made = {"settings": in_force, **cutoff.record(key, [self.model])}
        files.write_json({**facts, **made}, self.metadata)

    @property
    def epoch(self) -> str:
        """The epoch that is kept: nobody is tested here on whom the best one could be chosen."""
        return "last" if self.settings["epoch"] == "best-on-validation" else self.settings["epoch"]

    def in_force(self) -> dict:
        """The settings that make the network what it is."""
        return {
            "encoder": self.encoder,
            "window": list(self.window),
            "network": dict(self.network),
            "augmentation": dict(self.augmentation),
            "finetune": {**self.settings, "epoch": self.epoch},
            "trainer": trainers.decisive({**self.trainer, **trainers.ONE_PROCESS}),
            "seed": self.seed,
        }


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
