"""A small training as a process of its own: to be killed, or to be several processes.

    python train_small.py CACHES CHECKPOINTS OUTPUT [KEY=VALUE ...]

What follows are keys of the section `trainer`, and `methods`, trained one after another, `epochs`,
and `kill`: the step after which the process kills itself.
"""

import os
import signal
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch
import yaml

from hepatoclr.learning import backbone, data, module, trainers
from hepatoclr.learning.augment import Augmentation
from hepatoclr.learning.methods import base as methods


class Watch(pl.Callback):
    """Keeps gradients of the first step, and kills the process after another."""

    def __init__(self, kill):
        self.kill, self.gradients = kill, {}

    def on_before_optimizer_step(self, trainer, training, optimiser):
        named = training.network.named_parameters()
        self.gradients = self.gradients or {name: item.grad for name, item in named}
        self.gradients = {
            name: item if item is None else item.clone() for name, item in self.gradients.items()
        }

    def on_train_batch_end(self, trainer, *_):
        if trainer.global_step == self.kill:
            os.kill(os.getpid(), signal.SIGKILL)


def main(caches, folder, output, *given):
    chosen = {key: yaml.safe_load(text) for key, _, text in (item.partition("=") for item in given)}
    torch.set_num_threads(1)
    slices = data.collect(caches.split(","), (-100, 400), "ram")
    methods = chosen.get("methods", ["weak_simclr"])
    found = {name: train(name, slices, Path(folder) / name, chosen) for name in methods}
    if not pl.utilities.rank_zero_only.rank:
        torch.save(found, output)


def train(method, slices, folder, chosen):
    patients = sorted(set(slices.case))
    cases = pd.DataFrame({"patient_id": patients, "target": [number % 2 for number in patients]})
    settings = {"sampling": "weighted", "samples_per_epoch": 32}
    shape = {"channels": (4, 4, 8, 8, 16), "hidden": 8, "projection": 8}
    net = backbone.initialise(1, **shape, initialisation="he")
    watch = Watch(chosen.get("kill"))
    history = module.fit(
        net,
        methods.load(method),
        slices,
        data.sampler(cases, slices, np.arange(len(slices)), settings, 1),
        Augmentation(cutout=0.5),
        module.OptimiserConfig(chosen.get("epochs", 3), 8, 1e-3, 1e-4, "adam"),
        torch.device("cpu"),
        1,
        trainer={key: chosen.get(key, value) for key, value in trainers.DEFAULTS.items()},
        checkpoints=folder,
        more=[watch],
    )
    return {"weights": net.state_dict(), "history": history, "gradients": watch.gradients}


if __name__ == "__main__":
    main(*sys.argv[1:])
