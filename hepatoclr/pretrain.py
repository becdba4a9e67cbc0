"""Pretraining of one encoder on the weak labels."""

import logging
from collections.abc import Mapping, Sequence
from importlib.metadata import version

import numpy as np
import pandas as pd
from lightning_fabric.loggers import TensorBoardLogger

from hepatoclr import backbone, cohort, data, devices, files, fingerprint, methods, training
from hepatoclr.augment import Augmentation

log = logging.getLogger(__name__)

METHOD_SETTINGS = ("temperature", "nt_xent")


def run(
    spec: Mapping,
    cohorts: Sequence[str],
    caches: Sequence[str],
    *,
    window: tuple[int, int],
    network: Mapping,
    augmentation: Mapping,
    settings: Mapping,
    seed: int,
    device: str,
    threads: int,
    tensorboard: str,
    encoder: str,
    history: str,
    metadata: str,
) -> None:
    """Pretrain an encoder and write it.

    Args:
        spec: Its method, and beta where the method has one.
        cohorts: Tables of the pretraining cohorts.
        caches: Slices of each of their cases, in the order of the tables.
        window: Lowest and highest HU of the caches.
        network, augmentation, settings: Sections of the configuration.
        seed: Seed of weights, draws and views.
        device, threads: See `devices.prepare`.
        tensorboard: Folder of the TensorBoard log.
        encoder, history, metadata: Files to write.
    """
    place = devices.prepare(device, threads)
    cases, used = data.labelled([cohort.read(path) for path in cohorts], caches)
    slices = data.collect(used, window)
    method = methods.load(**spec, **{key: settings[key] for key in METHOD_SETTINGS})
    net = backbone.initialise(seed, **network)
    code = fingerprint.reached(
        fingerprint.PROJECT, "hepatoclr/pretrain.py", f"hepatoclr/methods/{spec['method']}.py"
    )
    state = training.state_file(encoder, [spec, network, augmentation, settings, seed, code], used)
    training.remove_states(encoder, but=[state])
    log.info("%s on %d slices of %d cases, %s", spec, len(slices), len(cases), place)
    board = TensorBoardLogger(tensorboard, name="", version="")
    lines = training.fit(
        net,
        method,
        slices,
        data.sampler(cases, slices, np.arange(len(slices)), settings, seed),
        Augmentation(**augmentation),
        training.recipe(settings),
        place,
        seed,
        state,
        lambda _, line: board.log_metrics(line, line["epoch"]),
    )
    board.finalize("success")
    facts = {"patients": cases["patient_id"].nunique(), "slices": len(slices), "seed": seed}
    files.write_json({**spec, **facts, "settings": dict(settings), **about(net)}, metadata)
    with files.atomic(history) as temporary:
        pd.DataFrame(lines).to_csv(temporary, index=False, lineterminator="\n")
    backbone.write(net, encoder)
    training.remove_states(encoder)


def about(network: backbone.Network) -> dict:
    """Size of a network, and the versions that made it."""
    parameters = sum(weight.numel() for weight in network.parameters())
    versions = {name: version(name) for name in ("torch", "pytorch-lightning", "kornia")}
    return {"parameters": parameters, "versions": versions}
