"""Which GPU a job takes: among made-up GPUs, but with real processes and locks."""

import logging
import multiprocessing
import os
import signal
import tempfile
from types import SimpleNamespace

import pytest
import torch

from hepatoclr.base import devices
from hepatoclr.base.devices import Gpu
from hepatoclr.base.errors import UserError

A, B, C = (
    Gpu(n, name, "H100", free) for n, (name, free) in enumerate([("a", 1), ("b", 3), ("c", 2)])
)
fork = multiprocessing.get_context("fork")


@pytest.mark.parametrize(
    ("holders", "expected"),
    [
        (["", "", ""], B),
        (["", "x", "x"], A),
        (["x", "x", ""], C),
        (["xy", "xy", "xy"], B),
        (["x", "xyz", "x"], C),
        (["xyz", "m", "xy"], C),
        (["m", "xm", "m"], C),
    ],
)
def test_no_gpu_of_the_family_then_the_fewest_holders_then_the_most_memory(holders, expected):
    assert devices.best([A, B, C], holders, family="m") == expected


def test_of_equal_gpus_the_first():
    assert devices.best([Gpu(0, "x", ""), Gpu(1, "y", "")], [["1"], ["2"]], "m").index == 0


class Job:
    """A process that takes a GPU and keeps it until it is killed."""

    def __init__(self, gpus, folder, family):
        self.told, end = fork.Pipe()
        self.process = fork.Process(target=self.work, args=(gpus, folder, family, end), daemon=True)
        self.process.start()

    @staticmethod
    def work(gpus, folder, family, end):
        end.send(devices.take(gpus, folder, family or str(os.getpid())))
        signal.pause()

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

    def starter(gpus, family=None):
        jobs.append(Job(gpus, tmp_path / "locks", family))
        return jobs[-1]

    yield starter
    for job in jobs:
        if job.process.is_alive():
            job.kill()


def names(jobs):
    return sorted(job.gpu.uuid for job in jobs)


def test_jobs_that_start_together_fill_one_gpu_each_then_share(start):
    assert names([start([A, B, C]) for _ in range(6)]) == list("aabbcc")


def test_a_killed_job_frees_its_gpu(start):
    jobs = [start([A, C]), start([A, C])]
    held = {job.gpu: job for job in jobs}
    assert set(held) == {A, C}
    held[A].kill()  # the one with less memory, so that only its freedom speaks for it
    assert start([A, C]).gpu == A
    assert start([A, C]).gpu == C


def test_jobs_that_see_one_gpu_share_it_and_count(start):
    assert names([start([C]) for _ in range(3)]) == list("ccc")
    assert start([A, C]).gpu == A


def test_processes_of_a_team_take_gpus_of_their_own(start):
    assert names([start([A]) for _ in range(3)]) == list("aaa")
    assert names([start([A, B], "team") for _ in range(2)]) == list("ab")
    assert start([A, B]).gpu == B


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Make PyTorch show some GPUs, and nvidia-smi print some lines."""
    current = []

    def make(gpus, lines=(), status=0):
        shown = [SimpleNamespace(uuid=uuid, name=name) for uuid, name in gpus]
        monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(shown))
        monkeypatch.setattr(torch.cuda, "device_count", lambda: len(shown))
        monkeypatch.setattr(torch.cuda, "get_device_properties", shown.__getitem__)
        monkeypatch.setattr(torch.cuda, "set_device", current.append)
        tool = tmp_path / "bin" / "nvidia-smi"
        tool.parent.mkdir()
        tool.write_text("\n".join(["#!/bin/sh", "cat <<END", *lines, "END", f"exit {status}"]))
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
        return current

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(devices, "_held", [])
    devices._taken.cache_clear()
    yield make
    devices._taken.cache_clear()
    for lock in devices._held:
        lock.close()


TWO = [("a1", "NVIDIA A2"), ("b2", "NVIDIA L4")]
FREE = ["GPU-b2, 200", "GPU-a1, 100", "GPU-hidden, 300", "GPU-odd, [N/A]"]


def locks(tmp_path):
    return {path.name for path in tmp_path.glob("hepatoclr-*/*.?")}


def test_a_process_keeps_the_gpu_that_it_took(machine, tmp_path, caplog):
    current = machine(TWO, FREE)
    caplog.set_level(logging.INFO)
    assert devices.choose("auto") == devices.choose("cuda") == torch.device("cuda", 1)
    assert current == [1, 1]
    assert caplog.messages.count("device NVIDIA L4") == 2
    assert locks(tmp_path) == {"b2.0"}
    folder = tmp_path / f"hepatoclr-{os.getuid()}"
    assert devices._holders(folder, Gpu(1, "b2", "")) == [str(os.getpid())]
    assert folder.stat().st_mode & 0o777 == 0o700


def test_another_job_takes_the_other_gpu(machine, start, tmp_path):
    machine(TWO, FREE)
    devices.take([Gpu(1, "b2", "")], tmp_path / f"hepatoclr-{os.getuid()}", "another")
    assert devices.choose("auto") == torch.device("cuda", 0)


def test_on_the_cpu_no_gpu_is_taken(machine, tmp_path, caplog):
    current = machine(TWO)
    caplog.set_level(logging.INFO)
    assert devices.choose("cpu") == torch.device("cpu")
    assert not current
    assert not locks(tmp_path)
    assert caplog.messages == ["device cpu"]


@pytest.mark.parametrize("status", [0, 9])
def test_where_free_memory_is_not_told_the_first_gpu_is_taken(machine, status):
    machine(TWO, ["NVIDIA-SMI has failed"], status)
    assert devices.choose("auto") == torch.device("cuda", 0)


def test_without_the_tool_the_first_gpu_is_taken(machine, monkeypatch):
    machine(TWO, FREE)
    monkeypatch.setenv("PATH", "")
    assert devices.choose("auto") == torch.device("cuda", 0)


def test_where_no_lock_can_be_had_memory_decides(machine, tmp_path, caplog):
    machine(TWO, FREE)
    (tmp_path / f"hepatoclr-{os.getuid()}").touch()
    assert devices.choose("auto") == torch.device("cuda", 1)
    assert "may be taken again" in caplog.text


def test_without_a_gpu_auto_is_the_cpu_and_cuda_an_error(machine):
    machine([])
    assert devices.choose("auto") == torch.device("cpu")
    with pytest.raises(UserError, match="PyTorch finds no GPU"):
        devices.choose("cuda")
