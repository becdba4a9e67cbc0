"""Trainings that are killed, by whatever signal, end with the weights of one that was not."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from hepatoclr.imaging import tensors

ROOT = Path(__file__).parents[2]
EPOCHS = 4
SCRIPT = """
import sys, numpy as np, pandas as pd, torch
from pathlib import Path
from hepatoclr.learning import backbone, data, training
from hepatoclr.learning.methods import registry
from hepatoclr.learning.augment import Augmentation

caches, state, output = sys.argv[1].split(","), Path(sys.argv[2]), sys.argv[3]
torch.set_num_threads(1)
slices = data.collect(caches, (-100, 400), "memory")
cases = pd.DataFrame({"patient_id": list("ab"), "target": [0, 1]})
settings = {"sampling": "weighted", "samples_per_epoch": 160}
net = backbone.initialise(1, channels=(4, 4, 8, 8, 16), hidden=8, projection=8)
history = training.fit(
    net, registry.load("weak_simclr"), slices,
    data.sampler(cases, slices, np.arange(len(slices)), settings, 1),
    Augmentation(), training.Recipe(int(sys.argv[4]), 8, 1e-3, 1e-4, "adam", "auto"),
    torch.device("cpu"), 1, state,
)
torch.save({"weights": net.state_dict(), "history": history}, output)
"""


@pytest.fixture(scope="module")
def caches(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("caches"), np.random.default_rng(0)
    paths = [str(folder / f"{number}.b2nd") for number in range(2)]
    for path in paths:
        tensors.write(rng.integers(-100, 400, (6, 48, 48)).astype(np.int16), path)
    return ",".join(paths)


def start(caches, folder):
    files = folder / "x.state", folder / "x.pt"
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, caches, *files, str(EPOCHS)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
    )


@pytest.fixture(scope="module")
def whole(caches, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    assert start(caches, folder).wait() == 0
    return torch.load(folder / "x.pt")


def epochs_done(state):
    try:
        return len(torch.load(state, weights_only=True)["history"])
    except FileNotFoundError:
        return 0


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGKILL, signal.SIGUSR1, signal.SIGINT], ids=str
)
def test_a_kill_in_every_epoch_changes_nothing(caches, whole, tmp_path, number):
    kills = 0
    for epoch in range(EPOCHS - 1):
        run = start(caches, tmp_path)
        while epochs_done(tmp_path / "x.state") < epoch + 1 and run.poll() is None:
            time.sleep(0.005)
        if run.poll() is None:
            run.send_signal(number)
            kills += 1
        run.communicate()
    assert kills >= 2
    assert start(caches, tmp_path).wait() == 0
    found = torch.load(tmp_path / "x.pt")
    assert [line["epoch"] for line in found["history"]] == list(range(1, EPOCHS + 1))
    assert [line["loss"] for line in found["history"]] == [
        line["loss"] for line in whole["history"]
    ]
    for name, weight in whole["weights"].items():
        assert torch.equal(weight, found["weights"][name]), name
