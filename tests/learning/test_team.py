"""Two processes that train together take the steps of one process with the whole batch."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from hepatoclr.base.errors import UserError
from hepatoclr.imaging import tensors
from hepatoclr.learning import backbone, data, team, training
from hepatoclr.learning.augment import Augmentation
from hepatoclr.learning.methods import registry

NETWORK = {"channels": (4, 4, 8, 8, 16), "hidden": 8, "projection": 8}
METHODS = ["supervised", "simclr", "supcon", "weak_simclr"]


@dataclass
class Step:
    """Loss and gradients of one batch in float64, saved by member 0."""

    method: str
    output: Path

    def __call__(self, member):
        torch.set_num_threads(1)
        net = backbone.initialise(1, **NETWORK).double()
        random = torch.Generator().manual_seed(0)
        views = torch.rand(3, 8, 1, 32, 32, generator=random, dtype=torch.float64)
        named = dict(zip(("first", "second", "weak"), views, strict=True))
        mine = {name: member.share(view) for name, view in named.items()}
        labels = torch.tensor([0, 1, 1, 0, 0, 0, 1, 1])
        loss = registry.load(self.method).loss(team.Shared(net, member), mine, labels)
        loss.backward()
        member.add_gradients(net)
        if member.rank == 0:
            grads = {name: item.grad for name, item in net.named_parameters()}
            torch.save({"loss": loss.detach(), **grads}, self.output)


@pytest.mark.parametrize("method", METHODS)
def test_loss_and_gradients_are_those_of_the_whole_batch(method, tmp_path):
    for size in (1, 2):
        team.run(size, Step(method, tmp_path / f"{size}.pt"), cuda=False)
    alone, together = (torch.load(tmp_path / f"{size}.pt") for size in (1, 2))
    for name, expected in alone.items():
        assert (expected is None) == (together[name] is None), name
        if expected is not None:
            assert torch.allclose(together[name], expected, rtol=1e-10, atol=1e-12), name


@dataclass
class Training:
    """A short pretraining; member 0 saves weights and history."""

    caches: list
    output: Path
    batch_size: int = 8

    def __call__(self, member):
        torch.set_num_threads(1)
        slices = data.collect(self.caches, (-100, 400))
        cases = pd.DataFrame({"patient_id": list("abcd"), "target": [0, 1] * 2})
        settings = {"sampling": "weighted", "samples_per_epoch": 24}
        net = backbone.initialise(1, **NETWORK)
        history = training.fit(
            net,
            registry.load("weak_simclr"),
            slices,
            data.sampler(cases, slices, np.arange(len(slices)), settings, 1),
            Augmentation(cutout=0.5),
            training.Recipe(2, self.batch_size, 1e-3, 1e-4, "adam", "auto"),
            torch.device("cpu"),
            1,
            self.output.with_suffix(".state"),
            team=member,
        )
        if member.rank == 0:
            torch.save({"weights": net.state_dict(), "history": history}, self.output)


@pytest.fixture
def caches(tmp_path):
    rng = np.random.default_rng(0)
    paths = [str(tmp_path / f"{number}.b2nd") for number in range(4)]
    for path in paths:
        tensors.write(rng.integers(-100, 400, (6, 32, 32)).astype(np.int16), path)
    return paths


def test_training_is_that_of_one_process(caches, tmp_path):
    found = {}
    for size in (1, 2):
        team.run(size, Training(caches, tmp_path / f"{size}.pt"), cuda=False)
        found[size] = torch.load(tmp_path / f"{size}.pt")
    for one, two in zip(found[1]["history"], found[2]["history"], strict=True):
        assert one["samples"] == two["samples"] == 24
        assert one["loss"] == pytest.approx(two["loss"], rel=1e-4)
    for name, weight in found[1]["weights"].items():
        assert torch.allclose(weight, found[2]["weights"][name], atol=1e-4), name


def test_a_batch_that_cannot_be_shared_is_said_once(caches, tmp_path, capfd):
    with pytest.raises(UserError, match="batch_size 9 cannot be shared evenly by 2 processes"):
        team.run(2, Training(caches, tmp_path / "x.pt", batch_size=9), cuda=False)
    assert "Traceback" not in capfd.readouterr().err


def test_more_processes_than_gpus_are_said(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UserError, match="processes is 4, but there are 1 GPUs"):
        team.run(4, print, cuda=True)
