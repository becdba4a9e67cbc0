"""Pretraining of one encoder on the weak labels."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from tensorboardX import SummaryWriter

from hepatoclr.base import devices, files, fingerprint
from hepatoclr.cohorts import cohort_table
from hepatoclr.learning import backbone, data, team, training
from hepatoclr.learning.augment import Augmentation
from hepatoclr.learning.methods import registry

log = logging.getLogger(__name__)

METHOD_SETTINGS = ("temperature", "nt_xent")


@dataclass(frozen=True)
class Pretraining:
    """One pretraining: what it starts from, how it is done, and what it writes.

    Attributes:
        spec: Its method, and beta where the method has one.
        cohorts: Tables of the pretraining cohorts.
        caches: Slices of each of their cases, in the order of the tables.
        keys: What the caches were made from, see `batches.keys`.
        window: Lowest and highest HU of the caches.
        network, augmentation, settings: Sections of the configuration.
        seed: Seed of weights, draws and views.
        device, threads: See `devices.prepare`.
        residence, memory_mb: See `data.collect`.
        tensorboard: Folder of the TensorBoard log.
        encoder, history, metadata: Files to write.
    """

    spec: Mapping
    cohorts: Sequence[str]
    caches: Sequence[str]
    keys: Mapping[str, str]
    window: tuple[int, int]
    network: Mapping
    augmentation: Mapping
    settings: Mapping
    seed: int
    device: str
    threads: int
    residence: str
    memory_mb: float
    tensorboard: str
    encoder: str
    history: str
    metadata: str

    def run(self) -> None:
        """Pretrain, in as many processes as the settings say, and write the encoder.

        An encoder that is there already, from the same data, settings and code, stays.
        """
        if training.finished(self.state, self._outputs()):
            return
        cuda = self.device != "cpu" and torch.cuda.is_available()
        team.run(self.settings["processes"], self.train, cuda)

    def train(self, member: team.Team) -> None:
        """Do the part of one member of the team; member 0 writes."""
        place = devices.prepare(self.device, self.threads)
        cases, used = data.trainable_cases(
            [cohort_table.read(path) for path in self.cohorts], self.caches
        )
        slices = data.collect(used, self.window, self.residence, place, self.memory_mb)
        method = registry.load(**self.spec, **{key: self.settings[key] for key in METHOD_SETTINGS})
        net = backbone.initialise(self.seed, **self.network)
        log.info("%s on %d slices of %d cases, %s", self.spec, len(slices), len(cases), place)
        training.remove_states(self.encoder, but=[self.state])
        with SummaryWriter(self.tensorboard, write_to_disk=member.rank == 0) as board:
            lines = training.fit(
                net,
                method,
                slices,
                data.sampler(cases, slices, np.arange(len(slices)), self.settings, self.seed),
                Augmentation(**self.augmentation),
                training.recipe(self.settings),
                place,
                self.seed,
                self.state,
                lambda _, line: self._show(board, line),
                member,
            )
        if member.rank == 0:
            facts = {"patients": cases["patient_id"].nunique(), "slices": len(slices)}
            self._write(net, lines, {**facts, **training.facts(self.settings, place)})

    def _outputs(self) -> list[str]:
        return [self.encoder, self.history, self.metadata]

    @cached_property
    def state(self) -> Path:
        """The resumable state of this very training, named after the code that it began with."""
        code = fingerprint.reached(
            fingerprint.PROJECT,
            "hepatoclr/learning/pretrain.py",
            f"hepatoclr/learning/methods/{self.spec['method']}.py",
        )
        sections = [self.spec, self.window, self.network, self.augmentation, self.settings]
        given = [*sections, self.seed, self.device, code, self.keys]
        return training.state_file(self.encoder, given, self.cohorts)

    def _show(self, board: SummaryWriter, line: dict) -> None:
        for name, value in line.items():
            board.add_scalar(name, value, line["epoch"])

    def _write(self, net: backbone.Network, lines: list[dict], facts: dict) -> None:
        facts = {**self.spec, **facts, "seed": self.seed, "settings": dict(self.settings)}
        files.write_json({**facts, **about(net)}, self.metadata)
        files.write_csv(pd.DataFrame(lines), self.history)
        backbone.write(net, self.encoder)
        training.finish(self.state, self._outputs())


def about(network: backbone.Network) -> dict:
    """Size of a network, and the versions that made it."""
    parameters = sum(weight.numel() for weight in network.parameters())
    return {"parameters": parameters, "versions": {"torch": version("torch")}}
