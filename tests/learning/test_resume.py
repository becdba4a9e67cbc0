"""Trainings that are killed, or shared by processes, end as one process that was left alone."""

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
METHODS = ["supervised", "simclr", "supcon", "weak_simclr"]


@pytest.fixture(scope="module")
def caches(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("caches"), np.random.default_rng(0)
    paths = [str(folder / f"{number}.b2nd") for number in range(4)]
    for path in paths:
        tensors.write(rng.integers(-100, 400, (6, 32, 32)).astype(np.int16), path)
    return ",".join(paths)


def start(caches, folder, *given):
    program = [sys.executable, Path(__file__).with_name("train_small.py")]
    return subprocess.Popen(
        [*program, caches, folder, folder / "x.pt", *given],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )


def trained(caches, folder, *given):
    run = start(caches, folder, *given)
    _, printed = run.communicate()
    assert run.returncode == 0, printed
    return torch.load(folder / "x.pt")


@pytest.fixture(scope="module")
def whole(caches, tmp_path_factory):
    return trained(caches, tmp_path_factory.mktemp("whole"))


def check_same(found, whole, method="weak_simclr"):
    found, whole = found[method], whole[method]
    assert [line["loss"] for line in found["history"]] == [
        line["loss"] for line in whole["history"]
    ]
    for name, weight in whole["weights"].items():
        assert torch.equal(weight, found["weights"][name]), name


def test_a_kill_at_any_step_changes_nothing(caches, whole, tmp_path):
    last, kept = tmp_path / "weak_simclr" / "last.ckpt", []
    for step in (2, 5, 10):  # epochs end after 4, 8 and 12
        run = start(caches, tmp_path, f"kill={step}")
        run.communicate()
        assert run.returncode == -signal.SIGKILL
        kept.append(last.exists() and torch.load(last, weights_only=True)["global_step"])
    assert kept == [False, 4, 8]
    check_same(trained(caches, tmp_path), whole)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=str)
def test_a_signal_changes_nothing(caches, whole, tmp_path, number):
    run = start(caches, tmp_path)
    while not (tmp_path / "weak_simclr" / "last.ckpt").exists() and run.poll() is None:
        time.sleep(0.005)
    run.send_signal(number)
    run.communicate()
    check_same(trained(caches, tmp_path), whole)


def test_trainings_that_share_a_process_are_those_of_processes_of_their_own(
    caches, whole, tmp_path
):
    check_same(trained(caches, tmp_path, "methods=[supcon, weak_simclr]"), whole)


@pytest.fixture(scope="module")
def steps(caches, tmp_path_factory):
    """One step of each method in float64, by one and by two processes."""
    given = [f"methods={METHODS}", "epochs=1", "precision=64-true", "limit_train_batches=1"]
    return [
        trained(caches, tmp_path_factory.mktemp(f"by{size}"), *given, f"devices={size}")
        for size in (1, 2)
    ]


@pytest.mark.parametrize("method", METHODS)
def test_two_processes_have_loss_and_gradients_of_one(steps, method):
    alone, together = (found[method] for found in steps)
    assert together["history"][0]["loss"] == pytest.approx(alone["history"][0]["loss"], rel=1e-12)
    for name, expected in alone["gradients"].items():
        found = together["gradients"][name]
        assert (expected is None) == (found is None), name
        if expected is not None:
            assert expected.dtype == torch.float64
            assert torch.allclose(found, expected, rtol=1e-10, atol=1e-12), name


def test_training_in_two_processes_is_that_of_one(caches, whole, tmp_path):
    found = trained(caches, tmp_path, "devices=2", "strategy=ddp")["weak_simclr"]
    alone = whole["weak_simclr"]
    for one, two in zip(alone["history"], found["history"], strict=True):
        assert one["samples"] == two["samples"] == 32
        assert one["loss"] == pytest.approx(two["loss"], rel=1e-4)
    for name, weight in alone["weights"].items():
        assert torch.allclose(weight, found["weights"][name], atol=1e-4), name
