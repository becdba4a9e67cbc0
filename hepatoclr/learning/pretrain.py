"""Pretraining of one encoder on the weak labels."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from pytorch_lightning.utilities import rank_zero_only

from hepatoclr.base import cutoff, devices, files
from hepatoclr.cohorts import cohort_table
from hepatoclr.learning import backbone, checkpoints, data, module, trainers
from hepatoclr.learning.augment import Augmentation
from hepatoclr.learning.methods import base as methods

log = logging.getLogger(__name__)

METHOD_SETTINGS = ("temperature", "nt_xent")


@dataclass(frozen=True)
class Pretraining:
    """One pretraining: what it starts from, how it is done, and what it writes.

    Attributes:
        spec: Its method, and beta where the method has one.
        cohorts: Tables of the pretraining cohorts.
        caches: Slices of each of their cases, in the order of the tables.
        code: Fingerprints of the code that makes the encoder.
        window: Lowest and highest HU of the caches.
        network, augmentation, settings, trainer: Sections of the configuration; `settings` is
            that of pretraining.
        seed: Seed of weights, draws and views.
        device, threads: See `devices.prepare`.
        cache, memory_mb: See `data.collect`.
        logs: Folder of Lightning's logger.
        encoder, history, metadata: Files to write.
    """

    spec: Mapping
    cohorts: Sequence[str]
    caches: Sequence[str]
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
    logs: str
    encoder: str
    history: str
    metadata: str

    def run(self) -> None:
        """Pretrain and write the encoder; one that is there already, made from the same, stays."""
        cases, used = data.trainable_cases(
            [cohort_table.read(path) for path in self.cohorts],
            self.caches,
            unlabelled=self.method.uses_unlabelled,
        )
        in_force = self.in_force()
        contents = {"cases": data.identities(cases), "code": self.code, "device": self.device}
        key = cutoff.made_from(used, settings=in_force, **contents)
        outputs = [self.encoder, self.history]
        if cutoff.unchanged(self.metadata, key, outputs):
            return
        device = devices.prepare(trainers.device(self.trainer, self.device), self.threads)
        slices = data.collect(used, self.window, self.cache, device, self.memory_mb)
        log.info("%s on %d slices of %d cases, %s", self.spec, len(slices), len(cases), device)
        draws = data.sampler(cases, slices, np.arange(len(slices)), self.settings, self.seed)
        mix = draws.mix(self.settings["batch_size"])
        log.info("batches of the first epoch: %s", mix)
        with checkpoints.beside(self.encoder, key) as folder:
            net, lines = self.train(slices, draws, device, folder)
            if rank_zero_only.rank:  # another process writes
                return
            files.write_csv(pd.DataFrame(lines), self.history)
            backbone.write(net, self.encoder)
        labelled = cases.loc[cases["target"].notna(), "patient_id"]
        facts = {"patients": cases["patient_id"].nunique(), "labelled": labelled.nunique()}
        facts |= {"slices": len(slices), **mix}
        config = module.OptimiserConfig.of(self.settings)
        facts |= module.facts(config, self.trainer, device)
        name = " ".join(map(str, self.spec.values()))
        facts |= module.ending(name, lines, self.method.chance(config.batch_size))
        made = {"settings": in_force, **about(net), **cutoff.record(key, outputs)}
        files.write_json({**self.spec, **facts, "seed": self.seed, **made}, self.metadata)

    @cached_property
    def method(self) -> methods.Method:
        """The method with its settings."""
        return methods.load(**self.spec, **{key: self.settings[key] for key in METHOD_SETTINGS})

    def train(self, slices, draws, device, folder: Path) -> tuple[backbone.Network, list[dict]]:
        """Train the encoder; gives the history too, see `module.fit`."""
        net = backbone.initialise(self.seed, **self.network)
        lines = module.fit(
            net,
            self.method,
            slices,
            draws,
            Augmentation(**self.augmentation),
            module.OptimiserConfig.of(self.settings),
            device,
            self.seed,
            trainer=self.trainer,
            checkpoints=folder,
            logs=Path(self.logs),
        )
        return net, lines

    def in_force(self) -> dict:
        """The settings that make the encoder what it is."""
        return {
            "spec": dict(self.spec),
            "window": list(self.window),
            "network": dict(self.network),
            "augmentation": dict(self.augmentation),
            "pretraining": dict(self.settings),
            "trainer": trainers.decisive(self.trainer),
            "seed": self.seed,
        }


def about(network: backbone.Network) -> dict:
    """Size of a network, and the versions that made it."""
    parameters = sum(weight.numel() for weight in network.parameters())
    return {"parameters": parameters, "versions": {"torch": version("torch")}}
