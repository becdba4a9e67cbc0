"""Which GPU a job takes: among made-up GPUs, but with real processes and locks."""

import logging
import multiprocessing
import os
import signal
import tempfile

import pytest
import torch

from hepatoclr import devices
from hepatoclr.devices import Gpu
from hepatoclr.errors import UserError

A, B, C = (Gpu(f"GPU-{name}", free, "H100") for name, free in (("aa1", 10), ("ab2", 30), ("c", 20)))
fork = multiprocessing.get_context("fork")


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (None, [A, B, C]),
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
        ("2", [C]),
        ("2, 0", [C, A]),
        ("1,7,0", [B]),
        ("1,-1,0", [B]),
        ("GPU-ab2,GPU-c", [B, C]),
        ("GPU-ab", [B]),
        ("GPU-a", []),
        ("0,0", []),
        ("MIG-1234", []),
    ],
)
def test_only_visible_gpus_are_chosen_from(wanted, found):
    assert devices.visible([A, B, C], wanted) == found


@pytest.mark.parametrize(
    ("holders", "expected"),
    [([0, 0, 0], B), ([0, 1, 1], A), ([1, 1, 0], C), ([2, 2, 2], B), ([1, 3, 1], C)],
)
def test_the_fewest_holders_then_the_most_memory(holders, expected):
    assert devices.best([A, B, C], holders) == expected


def test_of_equal_gpus_the_first():
    assert devices.best([Gpu("GPU-x", 0, ""), Gpu("GPU-y", 0, "")], [1, 1]).uuid == "GPU-x"


class Job:
    """A process that takes a GPU and keeps it until told to end."""

    def __init__(self, gpus, folder):
        self.told, end = fork.Pipe()
        self.process = fork.Process(target=self.work, args=(gpus, folder, end), daemon=True)
        self.process.start()

    @staticmethod
    def work(gpus, folder, end):
        end.send(devices.take(gpus, folder).uuid)
        end.recv()

    @property
    def gpu(self):
        assert self.told.poll(20)
        return self.told.recv()

    def kill(self):
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.join()


@pytest.fixture
def start(tmp_path):
    """Start jobs that see each other; they end with the test."""
    jobs = []

    def starter(gpus):
        jobs.append(Job(gpus, tmp_path / "locks"))
        return jobs[-1]

    yield starter
    for job in jobs:
        if job.process.is_alive():
            job.kill()


def test_jobs_that_start_together_fill_one_gpu_each_then_share(start):
    jobs = [start([A, B, C]) for _ in range(6)]
    assert sorted(job.gpu for job in jobs) == sorted(2 * [A.uuid, B.uuid, C.uuid])


def test_a_killed_job_frees_its_gpu(start):
    first, second = start([A, C]), start([A, C])
    held = {first.gpu: first, second.gpu: second}
    assert set(held) == {A.uuid, C.uuid}
    held[A.uuid].kill()  # the one with less memory, so that only its freedom speaks for it
    assert start([A, C]).gpu == A.uuid
    assert start([A, C]).gpu == C.uuid


def test_jobs_that_see_one_gpu_share_it_and_count(start):
    assert [start([C]).gpu for _ in range(3)] == [C.uuid] * 3
    assert start([A, C]).gpu == A.uuid


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Make a machine whose nvidia-smi prints some lines, and on which PyTorch finds a GPU."""

    def make(*lines, status=0):
        tool = tmp_path / "bin" / "nvidia-smi"
        tool.parent.mkdir()
        tool.write_text("\n".join(["#!/bin/sh", "cat <<END", *lines, "END", f"exit {status}"]))
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")

    monkeypatch.delenv(devices.VISIBLE, raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(devices, "_held", [])
    devices._taken.cache_clear()
    yield make
    devices._taken.cache_clear()
    for lock in devices._held:
        lock.close()


TWO = ("GPU-aa1, 100, Disabled, NVIDIA A2, small", "GPU-ab2, [N/A], [N/A], NVIDIA GB10")


def locks(tmp_path):
    return [path.name for path in tmp_path.glob(f"hepatoclr-{os.getuid()}/GPU-*")]


def test_a_process_sees_the_gpu_that_it_took_and_no_other(machine, tmp_path, caplog):
    machine(*TWO)
    caplog.set_level(logging.INFO)
    assert devices.choose("auto") == devices.choose("cuda") == torch.device("cuda")
    assert os.environ[devices.VISIBLE] == "GPU-aa1"
    assert locks(tmp_path) == ["GPU-aa1.0"]
    assert devices._is_held(tmp_path / f"hepatoclr-{os.getuid()}" / "GPU-aa1.0")
    assert caplog.messages.count("device NVIDIA A2, small") == 2
    assert (tmp_path / f"hepatoclr-{os.getuid()}").stat().st_mode & 0o777 == 0o700


def test_what_the_user_made_visible_is_respected(machine, monkeypatch, caplog):
    machine(*TWO)
    caplog.set_level(logging.INFO)
    monkeypatch.setenv(devices.VISIBLE, "1")
    devices.choose("auto")
    assert os.environ[devices.VISIBLE] == "GPU-ab2"
    assert "device NVIDIA GB10" in caplog.messages


def test_on_the_cpu_no_gpu_is_taken(machine, tmp_path, caplog):
    machine(*TWO)
    caplog.set_level(logging.INFO)
    assert devices.choose("cpu") == torch.device("cpu")
    assert devices.VISIBLE not in os.environ
    assert not locks(tmp_path)
    assert caplog.messages == ["device cpu"]


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([], 0),
        (["No devices were found"], 0),
        (["NVIDIA-SMI has failed"], 9),
        ([*TWO, "GPU-c, 100, Enabled, NVIDIA H100"], 0),
    ],
)
def test_where_the_gpus_are_not_known_the_choice_is_cudas(machine, tmp_path, lines, status, caplog):
    machine(*lines, status=status)
    caplog.set_level(logging.INFO)
    assert devices.choose("auto") == torch.device("cuda")
    assert devices.VISIBLE not in os.environ
    assert not locks(tmp_path)
    assert caplog.messages == ["device cuda"]


def test_without_the_tool_the_choice_is_cudas(machine, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert devices.choose("auto") == torch.device("cuda")
    assert devices.VISIBLE not in os.environ


def test_where_no_lock_can_be_had_memory_decides(machine, tmp_path, caplog):
    machine(*TWO, "GPU-c, 300, Disabled, NVIDIA H100")
    (tmp_path / f"hepatoclr-{os.getuid()}").touch()
    assert devices.choose("auto") == torch.device("cuda")
    assert os.environ[devices.VISIBLE] == "GPU-c"
    assert "other jobs are not seen" in caplog.text


def test_without_a_gpu_auto_is_the_cpu_and_cuda_an_error(machine, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert devices.choose("auto") == torch.device("cpu")
    with pytest.raises(UserError, match="PyTorch finds no GPU"):
        devices.choose("cuda")
